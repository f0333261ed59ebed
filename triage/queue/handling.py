"""What people do to a ticket besides deciding on it: a part of :class:`triage.queue.Queue`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from triage.ticket import Ticket

if TYPE_CHECKING:
    from triage.queue import Change


class Handling(Protocol):
    """Confirm, set aside, note, open again, take back, and see what was resolved before."""

    def resolved_of(self, org: str, author: str, *, limit: int = 20) -> Sequence[str]:
        """Name resolved tickets of an author (``mute.author_key``), those resolved last first.

        At most 100; not those inside another ticket.
        """
        ...

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
        """Say that the labels are right as they are; token as in ``correct``.

        ``change`` may name those that the person saw: Conflict ``labels-changed`` where the ticket
        has others by now.
        """
        ...

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
        """Set a ticket aside until a time, or until something happens to it.

        It ends the lease, keeps the due time, and ``claim_next`` passes it by. Never for what is
        ``kritiek`` (Conflict ``critical``); token as in ``correct``.
        """
        ...

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
        """Add a note for colleagues; whoever holds the ticket, open or resolved."""
        ...

    def reopen(
        self, ticket: str, change: Change, *, by: str, now: datetime, request: str
    ) -> Ticket:
        """Open a resolved ticket again, unclaimed. Raises Conflict ``open``."""
        ...

    def undo(self, ticket: str, *, by: str, now: datetime, request: str) -> Ticket:
        """Take back the last thing that happened, by who did it, within ``UNDO_SECONDS``.

        Labels, team, due time, state and lease are as they were before, but a lease that was
        prolonged since keeps its end. Raises Conflict ``not-undoable`` when it was someone else's,
        something else, or too long ago.
        """
        ...
