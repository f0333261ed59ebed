"""The actions of people on one ticket: the same for both backends, which only store the outcome."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from triage.closing import Closing
from triage.errors import NotFound
from triage.queue import Action, Change, actions, muting, regroup
from triage.queue.actions import Decision, Deed
from triage.queue.checks import (
    SNOOZE_LIMIT,
    check_change,
    check_lease,
    check_mute,
    check_name,
    check_note,
    check_ticket,
    check_tickets,
)
from triage.queue.document import Stored, answer_key, to_ms
from triage.queue.merge import Write
from triage.queue.mute import Mute
from triage.queue.shown import claim_of, to_ticket
from triage.ticket import Claim, Ticket


class _Outcome(Protocol):
    def __call__(self, stored: Stored | None, deed: Deed, change: Change) -> Write: ...


class Desk(Closing):
    """Half of a queue: what people do to a ticket that is there."""

    @abstractmethod
    def _act(
        self,
        ticket: str,
        decide: Decision,
        *,
        answer: str,
        at: int,
        others: Sequence[str] = (),
        members: bool = True,
    ) -> Stored:
        """Read a ticket, decide, and write if nothing came between; give it as answered.

        ``decide`` gets the ticket, with its ``members`` where they matter, and then ``others`` in
        the same way.
        ``answer`` names the answer to the request: where there is one already it's given again
        and nothing else happens.
        """

    def renew(
        self, ticket: str, *, token: int, seconds: float, now: datetime, request: str
    ) -> Claim:
        """Prolong a lease that still stands."""
        check_ticket(ticket)
        until, at = check_lease(seconds, now), to_ms(now)
        decide = partial(actions.renew, token=token, until=until, now=at)
        answer = answer_key(request, "renew", ticket)
        return claim_of(self._act(ticket, decide, answer=answer, at=at, members=False))

    def release(self, ticket: str, *, token: int, now: datetime, request: str) -> None:
        """Give a lease back."""
        check_ticket(ticket)
        deed = Deed(action=Action.RELEASED, by="", at=to_ms(now), request=request, token=token)
        answer = answer_key(request, deed.action, ticket)
        release = partial(actions.release, deed=deed)
        self._act(ticket, release, answer=answer, at=deed.at, members=False)

    def resolve(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Close a ticket; token as in ``correct``."""
        deed = Deed(action=Action.RESOLVED, by=by, at=to_ms(now), request=request, token=token)
        return self._decided(ticket, actions.resolve, deed, change)

    def correct(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Set topic, urgency or intent; a claimed ticket needs its token, an unclaimed one none."""
        deed = Deed(action=Action.CORRECTED, by=by, at=to_ms(now), request=request, token=token)
        return self._decided(ticket, actions.correct, deed, change)

    def reassign(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Move a ticket to another team and end its lease; token as in ``correct``."""
        deed = Deed(action=Action.REASSIGNED, by=by, at=to_ms(now), request=request, token=token)
        return self._decided(ticket, actions.reassign, deed, change)

    def escalate(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Raise a ticket's urgency, and with it its due time and team; token as in ``correct``."""
        deed = Deed(action=Action.ESCALATED, by=by, at=to_ms(now), request=request, token=token)
        return self._decided(ticket, actions.escalate, deed, change)

    def split(
        self,
        ticket: str,
        members: Sequence[str],
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Take members out of a bundle; they get one ticket together, and stay apart."""
        check_tickets(ticket, members)
        deed = Deed(action=Action.SPLIT, by=by, at=to_ms(now), request=request, token=token)
        return self._done(ticket, deed, partial(regroup.split, members=members))

    def merge(
        self,
        ticket: str,
        others: Sequence[str],
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Put other tickets, that nobody else holds, into this one."""
        check_tickets(ticket, others)
        deed = Deed(action=Action.MERGED, by=by, at=to_ms(now), request=request, token=token)
        return self._done(ticket, deed, regroup.merge, others)

    def confirm(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Say that the labels are right as they are; token as in ``correct``."""
        deed = Deed(action=Action.CONFIRMED, by=by, at=to_ms(now), request=request, token=token)
        return self._decided(ticket, actions.confirm, deed, change)

    def reopen(
        self, ticket: str, change: Change, *, by: str, now: datetime, request: str
    ) -> Ticket:
        """Open a resolved ticket again, unclaimed."""
        deed = Deed(action=Action.REOPENED, by=by, at=to_ms(now), request=request)
        return self._decided(ticket, actions.reopen, deed, change)

    def snooze(
        self,
        ticket: str,
        *,
        until: datetime,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Set a ticket aside until a time, or until something happens to it."""
        end = check_lease((until - now).total_seconds(), now, SNOOZE_LIMIT)
        deed = Deed(action=Action.SNOOZED, by=by, at=to_ms(now), request=request, token=token)
        snooze = partial(actions.snooze, until=end)
        return self._done(ticket, deed, snooze, members=False)

    def note(
        self,
        ticket: str,
        note: str,
        *,
        by: str,
        now: datetime,
        request: str,
        mentions: Sequence[str] = (),
    ) -> Ticket:
        """Add a note for colleagues."""
        check_note(note, mentions)
        deed = Deed(action=Action.NOTED, by=by, at=to_ms(now), request=request)
        decide = partial(actions.note, text=note, mentions=mentions)
        return self._done(ticket, deed, decide, members=False)

    def mute(
        self,
        ticket: str,
        *,
        until: datetime,
        reason: str,
        by: str,
        now: datetime,
        request: str,
        words: str = "",
    ) -> Mute:
        """Mute the author of a ticket's post until a time."""
        check_mute(until, reason, words, now)
        new = muting.mute_id(ticket, request)
        standing = [m for m in self.mutes(check_ticket(ticket)) if m.stands(now) and m.id != new]
        deed = Deed(action=Action.MUTED, by=by, at=to_ms(now), request=request)
        mute = partial(muting.mute, until=until, reason=reason, words=words, standing=standing)
        self._done(ticket, deed, mute, members=False)
        return self._mute(new)

    def unmute(self, mute: str, *, by: str, now: datetime, request: str) -> Mute:
        """End a mute; one that is over is given as it is."""
        check_name("by", by)
        found = self._mute(mute)
        if not found.stands(now):
            return found
        deed = Deed(action=Action.UNMUTED, by=by, at=to_ms(now), request=request)
        try:
            unmute = partial(muting.unmute, standing=found)
            self._done(found.ticket, deed, unmute, members=False)
        except NotFound:  # retention took the ticket that told of it
            self._keep_mute(muting.ended(found, deed))
        return self._mute(mute)

    def bring_back(self, ticket: str, mute: str, *, by: str, now: datetime, request: str) -> Ticket:
        """Open a ticket that a mute took, unless a person has decided on it since."""
        deed = Deed(action=Action.REOPENED, by=by, at=to_ms(now), request=request)
        bring_back = partial(muting.bring_back, mute=mute)
        return self._done(ticket, deed, bring_back, members=False)

    def _mute(self, mute: str) -> Mute:
        org = check_ticket(mute)
        found = next((one for one in self.mutes(org) if one.id == mute), None)
        if found is None:
            raise muting.no_mute()
        return found

    @abstractmethod
    def mutes(self, org: str) -> Sequence[Mute]:
        """Give the mutes that are kept, newest first."""

    @abstractmethod
    def _keep_mute(self, mute: Mute) -> None:
        """Write a mute, without an event."""

    def undo(self, ticket: str, *, by: str, now: datetime, request: str) -> Ticket:
        """Take back the last thing that happened, by who did it, within ``UNDO_SECONDS``."""
        deed = Deed(action=Action.UNDONE, by=by, at=to_ms(now), request=request)
        return self._done(ticket, deed, actions.undo)

    def _decided(self, ticket: str, outcome: _Outcome, deed: Deed, change: Change) -> Ticket:
        check_change(change)
        return self._done(ticket, deed, partial(outcome, change=change))

    def _done(
        self,
        ticket: str,
        deed: Deed,
        decide: Decision,
        others: Sequence[str] = (),
        *,
        members: bool = True,
    ) -> Ticket:
        check_ticket(ticket)
        check_name("by", deed.by)
        answer = answer_key(deed.request, deed.action, ticket)
        act = partial(decide, deed=deed)
        return to_ticket(
            self._act(ticket, act, answer=answer, at=deed.at, others=others, members=members)
        )
