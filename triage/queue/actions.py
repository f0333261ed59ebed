"""What people do to a ticket, decided on the ticket as read. Pure; both backends run it.

A lease and its token: while a lease stands, an action needs its token. When it has expired and
the ticket was not touched since (no other claim, no edit, no other action), its last token still
counts, so that an answer given a moment late is not thrown away; after anything else it's stale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from triage.errors import Conflict, NotFound
from triage.queue import UNDO_SECONDS, Action, Change
from triage.queue.checks import unknown
from triage.queue.document import (
    Stored,
    before_of,
    event_data,
    event_id,
    from_ms,
    history_item,
    labels_of,
    to_ms,
    without_expired_lease,
)
from triage.queue.merge import Write
from triage.ticket import Urgency

#: Decides what an action writes on a ticket as it stands; other tickets that it is about follow.
Decision = Callable[..., Write]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who does what, when, under which request id and with which token."""

    action: Action
    by: str
    at: int
    request: str
    token: int | None = None

    def identity(self, ticket: str, version: int) -> str:
        """Name the event of this deed; the request makes it one of its own.

        ``version``: what the ticket got by it; for a member of a bundle, what its bundle got.
        """
        return event_id(ticket, self.action, str(version), self.request)

    def event(self, after: Stored, **more: Any) -> bytes:  # noqa: ANN401 - JSON values
        """Build the event of this deed."""
        said = event_data(after, self.action, self.at, self.identity(after.id, after.version))
        return orjson.dumps({**said, **more})


def renew(stored: Stored | None, *, token: int, until: int, now: int) -> Write:
    """Prolong a lease that stands. No event: nothing changes for anyone else."""
    stored = must_be_open(stored)
    if not stored.held(now):
        raise _no_lease(stored, token)
    if stored.token != token:
        raise Conflict("stale-token", _STALE)
    after = replace(stored, version=stored.version + 1, until=until)
    return Write(id=stored.id, before=stored, after=after)


def release(stored: Stored | None, deed: Deed) -> Write:
    """End a lease."""
    stored = must_be_open(stored)
    _need_lease(stored, deed.token)
    after = replace(stored, version=stored.version + 1, owner="", until=0)
    deed = replace(deed, by=stored.owner)
    return Write(
        id=stored.id,
        before=stored,
        after=after,
        appended=(_history(stored, deed),),
        events=(deed.event(after, by=deed.by),),
    )


def resolve(stored: Stored | None, deed: Deed, change: Change) -> Write:
    """Close a ticket and end its lease."""
    stored = must_be_open(stored)
    need_right(stored, deed)
    after = replace(_changed(stored, change), resolved=deed.at, owner="", until=0)
    return replace(_outcome(stored, after, deed, change), hand_over=change.hand_over)


def correct(stored: Stored | None, deed: Deed, change: Change) -> Write:
    """Set what the model got wrong; the holder keeps the lease."""
    stored = must_be_open(stored)
    need_right(stored, deed)
    after = _changed(_lease_after(stored, deed), replace(change, team=None))
    return _outcome(stored, after, deed, change)


def reassign(stored: Stored | None, deed: Deed, change: Change) -> Write:
    """Move a ticket to another team and end its lease."""
    stored = must_be_open(stored)
    need_right(stored, deed)
    after = replace(_changed(stored, change), owner="", until=0)
    return _outcome(stored, after, deed, change)


def escalate(stored: Stored | None, deed: Deed, change: Change) -> Write:
    """Raise a ticket: urgency and due time only get more pressing; another team ends the lease."""
    stored = must_be_open(stored)
    need_right(stored, deed)
    after = _changed(_lease_after(stored, deed), change)
    if after.urgency.rank > stored.urgency.rank:
        after = replace(after, urgency=stored.urgency)
    after = replace(after, due=min(after.due, stored.due))
    if after.team != stored.team:
        after = replace(after, owner="", until=0)
    return _outcome(stored, after, deed, change)


def confirm(stored: Stored | None, deed: Deed, change: Change) -> Write:
    """Say that the labels are right: an untouched ticket only was not looked at.

    ``change`` names those that the person saw: others can't be confirmed unseen.
    """
    stored = must_be_open(stored)
    need_right(stored, deed)
    stands = labels_of(stored)
    if others := [head for head, seen in _said(change).items() if seen != stands[head]]:
        raise Conflict("labels-changed", _CHANGED, fields=others)
    after = _lease_after(stored, deed)
    named = replace(
        change, team=None, topic=stored.topic, urgency=stored.urgency, intent=stored.intent
    )
    return _outcome(stored, after, deed, named)


def reopen(stored: Stored | None, deed: Deed, change: Change) -> Write:
    """Open what was resolved."""
    stored = _known(stored)
    if not stored.resolved:
        raise Conflict("open", "dit ticket is niet afgehandeld")
    after = replace(stored, resolved=0, owner="", until=0)
    return _outcome(stored, after, deed, Change(note=change.note))


def snooze(stored: Stored | None, deed: Deed, until: int) -> Write:
    """Set a ticket aside; a time without an owner is what says so."""
    stored = must_be_open(stored)
    need_right(stored, deed)
    if stored.urgency is Urgency.KRITIEK:
        raise Conflict("critical", "een kritiek ticket kan niet worden uitgesteld")
    after = replace(stored, version=stored.version + 1, owner="", until=until)
    return Write(
        id=stored.id,
        before=stored,
        after=after,
        appended=(_history(stored, deed, until=from_ms(until)),),
        events=(deed.event(after, by=deed.by),),
    )


def note(stored: Stored | None, deed: Deed, text: str, mentions: Sequence[str]) -> Write:
    """Add a note to the history; nothing else changes."""
    stored = _known(stored)
    after = replace(stored, version=stored.version + 1)
    named = list(mentions) or None
    return Write(
        id=stored.id,
        before=stored,
        after=after,
        appended=(history_item(deed.at, deed.action, deed.by, note=text, mentions=named),),
        events=(deed.event(after, by=deed.by, **({"mentions": named} if named else {})),),
    )


def undo(stored: Stored | None, deed: Deed) -> Write:
    """Bring back what stood before the last thing that this person did."""
    stored = _known(stored)
    last = orjson.loads(stored.history[-1]) if stored.history else {}
    was = last.get("undo")
    if was is None or last["by"] != deed.by:
        raise Conflict("not-undoable", "er is intussen iets anders gebeurd")
    if deed.at - to_ms(datetime.fromisoformat(last["at"])) > UNDO_SECONDS * 1000:
        raise Conflict("not-undoable", "ongedaan maken kan niet meer")
    # The same lease may have been prolonged since; a new one would have come into the history.
    goes_on = stored.owner != "" and stored.owner == was["owner"]
    after = replace(
        stored,
        team=was["team"],
        topic=was["topic"],
        urgency=Urgency(was["urgency"]),
        intent=was["intent"],
        due=was["due"],
        resolved=was["resolved"],
        owner=was["owner"],
        until=max(was["until"], stored.until) if goes_on else was["until"],
    )
    undone = replace(deed, action=Action(last["action"]), request=was["request"])
    version = was.get("version", stored.version)
    write = _outcome(stored, after, deed, Change(), undoes=(undone, version))
    assert write.after is not None
    return replace(write, after=replace(write.after, touched=was["touched"]))


# -- rules ---------------------------------------------------------------------------------------

#: What can't be taken back: an undoing itself.
_FINAL: Final = frozenset({Action.UNDONE})

_STALE: Final = "dit ticket is intussen door een ander opgepakt"
#: What people call the labels.
_CHANGED: Final = "de labels zijn intussen veranderd"
CLAIMED: Final = "dit ticket is in behandeling bij een ander"
RESOLVED: Final = "dit ticket is al afgehandeld"
BUNDLED: Final = "dit bericht staat in een bundel; werk in de bundel, of haal het eruit"


def refusal(code: str) -> NotFound | Conflict:
    """Give the error of a claim that a store refused."""
    if code == "claimed":
        return Conflict(code, CLAIMED)
    if code == "bundled":
        return Conflict(code, BUNDLED)
    return Conflict(code, RESOLVED) if code == "resolved" else unknown()


def _known(stored: Stored | None) -> Stored:
    """Refuse a ticket that is gone or inside a bundle."""
    if stored is None or stored.gone:
        raise unknown()
    if stored.within:
        raise Conflict("bundled", BUNDLED)
    return stored


def must_be_open(stored: Stored | None) -> Stored:
    """Refuse a ticket that is gone, resolved or inside a bundle. Raises NotFound, Conflict."""
    stored = _known(stored)
    if stored.resolved:
        raise Conflict("resolved", RESOLVED)
    return stored


def _need_lease(stored: Stored, token: int | None) -> None:
    """Refuse without the token of the last lease; one that expired untouched counts."""
    if not stored.owner or stored.token != token:
        raise _no_lease(stored, token)


def need_right(stored: Stored, deed: Deed) -> None:
    """Refuse who goes past a lease that stands, or comes with a token that is over."""
    if deed.token is not None:
        _need_lease(stored, deed.token)
    elif stored.held(deed.at):
        raise Conflict("claimed", CLAIMED)


def _lease_after(stored: Stored, deed: Deed) -> Stored:
    """Keep the lease of who acts under it; what others do ends one that has expired."""
    return stored if deed.token is not None else without_expired_lease(stored, deed.at)


def _no_lease(stored: Stored, token: int | None) -> Conflict:
    if token is not None and token != stored.token and stored.token:
        return Conflict("stale-token", _STALE)
    return Conflict("not-claimed", "dit ticket is niet (meer) opgepakt")


def _changed(stored: Stored, change: Change) -> Stored:
    return replace(
        stored,
        team=change.team or stored.team,
        topic=change.topic or stored.topic,
        urgency=change.urgency or stored.urgency,
        intent=change.intent or stored.intent,
        due=stored.due if change.due_at is None else to_ms(change.due_at),
    )


def _history(before: Stored, deed: Deed, /, **more: Any) -> bytes:  # noqa: ANN401 - JSON values
    """Encode what happened, and what :func:`undo` needs to take it back."""
    undo = None
    if deed.action not in _FINAL:
        undo = {
            **labels_of(before),
            "due": before.due,
            "resolved": before.resolved,
            "touched": before.touched,
            "owner": before.owner,
            "until": before.until,
            "request": deed.request,
            "version": before.version + 1,
        }
    return history_item(deed.at, deed.action, deed.by, **more, undo=undo)


def _outcome(
    before: Stored,
    after: Stored,
    deed: Deed,
    change: Change,
    undoes: tuple[Deed, int] | None = None,
) -> Write:
    """Build what a person did; ``undoes``: what is taken back, and the version that it made."""
    version = before.version + 1
    after = replace(after, version=version, touched=True, outcome=(version, deed.at))
    said = {"outcome": change.outcome, "note": change.note}
    answer = {"reply": change.reply, "link": change.link}
    item = _history(before, deed, before=labels_of(before), **said, **answer)
    event = deed.event(
        after,
        by=deed.by,
        before=before_of(before),
        outcome=change.outcome,
        revision=before.revision,
        role=change.role,
        said=_said(change),
        **_undoes(before, undoes),
        **({"bundle": before.id} if before.members else {}),
        **({"replies": before.bundle.replies} if before.bundle and before.bundle.replies else {}),
    )
    common = event_data(after, deed.action, deed.at, "") | {
        "by": deed.by,
        "outcome": change.outcome,
        "role": change.role,
        "said": _said(change),
        "bundle": before.id,
    }
    copies = (_copy_outcome(common, member, deed, undoes) for member in before.members)
    return Write(
        id=before.id, before=before, after=after, appended=(item,), events=(event, *copies)
    )


def _copy_outcome(
    common: Mapping[str, Any], member: Stored, deed: Deed, undoes: tuple[Deed, int] | None
) -> bytes:
    """Build the outcome of a member of a bundle: what its bundle got, under an id of its own.

    A reply has labels of its own, of which nobody has said anything.
    """
    own: dict[str, Any] = {
        "id": deed.identity(member.id, common["version"]),
        "ticket": member.id,
        "before": before_of(member),
        "revision": member.revision,
        **_undoes(member, undoes),
    }
    if member.reply:
        own |= labels_of(member) | {"team": common["team"], "reply": True, "said": {}}
    return orjson.dumps({**common, **own})


def _undoes(ticket: Stored, undoes: tuple[Deed, int] | None) -> dict[str, str]:
    if undoes is None:
        return {}
    deed, version = undoes
    return {"undoes": deed.identity(ticket.id, version)}


def _said(change: Change) -> dict[str, str]:
    """Give the labels that a person named, whether or not they are what they were."""
    named = {"topic": change.topic, "urgency": change.urgency, "intent": change.intent}
    return {head: str(label) for head, label in named.items() if label is not None}
