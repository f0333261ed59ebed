"""What people do to bundles: take posts out, put tickets together. Pure; both backends run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from triage.errors import Conflict, NotFound
from triage.queue import Action, actions, muting
from triage.queue.actions import Deed, must_be_open, need_right
from triage.queue.bundling import MEMBER_LIMIT, merged, split_off
from triage.queue.document import Stored, before_of, history_item, mark_of
from triage.queue.merge import Write
from triage.queue.replies import answers
from triage.queue.summary import Copy, Summary

_NOT_INSIDE: Final = "dit bericht staat niet (meer) in deze bundel"
_FULL: Final = f"een bundel houdt ten hoogste {MEMBER_LIMIT} berichten"


def split(stored: Stored | None, *, members: Sequence[str], deed: Deed) -> Write:
    """Take members out of a bundle, together into one ticket that stays apart from it."""
    lead = must_be_open(stored)
    need_right(lead, deed)
    inside = {member.id: member for member in lead.members}
    if not set(members) <= inside.keys():
        raise NotFound(_NOT_INSIDE, code="not-inside")
    chosen = [inside[name] for name in dict.fromkeys(members)]
    rest = lead
    for member in chosen:
        rest = split_off(rest, member)
    first, *others = chosen
    summary = Summary.together(chosen, apart=True)
    head = replace(first, within="", reply=False, bundle=summary)
    moved = [_moved(first, head, deed, lead.id)]
    moved += [_moved(one, replace(one, within=head.id), deed, lead.id) for one in others]
    return _regrouped(lead, rest, deed, moved)


def merge(stored: Stored | None, *others: Stored | None, deed: Deed) -> Write:
    """Put tickets, and what is inside them, into another one."""
    lead = must_be_open(stored)
    need_right(lead, deed)
    after, moved = lead, []
    for other in map(must_be_open, others):
        need_right(other, replace(deed, token=None))
        reply = answers(other, lead)
        after = merged(after, other, reply=reply)
        inside = replace(other, within=lead.id, reply=reply, bundle=None, owner="", until=0)
        moved.append(_moved(other, inside, deed, lead.id))
        moved += [
            _moved(member, replace(member, within=lead.id), deed, lead.id)
            for member in other.members
        ]
    if Summary.of(after).posts > MEMBER_LIMIT:
        raise Conflict("full", _FULL)
    return _regrouped(lead, after, deed, moved)


def restore(
    stored: Stored | None, outcome: Mapping[str, Any], find: Callable[[str], Stored | None]
) -> Write | None:
    """Bring an outcome from the log over a ticket that is older; None where it isn't.

    ``find`` reads other tickets that it is about.
    """
    if outcome["type"] in (Action.SPLIT, Action.MERGED):
        return _restore_regrouped(stored, outcome, find)
    if outcome["type"] in (Action.MUTED, Action.UNMUTED):
        return muting.restore(stored, outcome)
    return actions.restore(stored, outcome)


def _restore_regrouped(
    stored: Stored | None, outcome: Mapping[str, Any], find: Callable[[str], Stored | None]
) -> Write | None:
    mark = mark_of(outcome)
    if stored is None or stored.gone or mark <= stored.outcome:
        return None
    target = str(outcome["within"])
    before = find(stored.within) if stored.within else None
    into = find(target) if target else None
    if target and (into is None or into.gone or into.within):
        return None
    also, own = [], Summary.alone(Copy.of(stored.doc))
    reply = bool(outcome.get("reply"))
    if before is not None and before.id != target:
        also.append(_grown(before, split_off(before, stored)))
    if into is not None and stored.within != target:
        also.append(_grown(into, merged(into, replace(stored, bundle=own), reply=reply)))
    apart = outcome["type"] == Action.SPLIT and not target
    after = replace(
        stored,
        version=max(stored.version + 1, mark[0]),
        within=target,
        reply=reply,
        bundle=replace(own, apart=True) if apart else None,
        touched=True,
        outcome=mark,
        owner="",
        until=0,
    )
    item = history_item(mark[1], Action(outcome["type"]), str(outcome["by"]))
    return Write(id=stored.id, before=stored, after=after, appended=(item,), also=tuple(also))


def _grown(before: Stored, after: Stored) -> Write:
    after = replace(after, version=before.version + 1)
    return Write(id=before.id, before=before, after=after)


def _moved(before: Stored, after: Stored, deed: Deed, bundle: str) -> Write:
    """Write a ticket that went out of a bundle or into one, with its outcome."""
    version = before.version + 1
    after = replace(after, version=version, touched=True, outcome=(version, deed.at))
    event = deed.event(
        after,
        by=deed.by,
        before=before_of(before),
        outcome=None,
        revision=before.revision,
        bundle=bundle,
        within=after.within,
        **({"reply": True} if after.reply else {}),
    )
    item = history_item(deed.at, deed.action, deed.by, bundle=bundle)
    return Write(id=before.id, before=before, after=after, appended=(item,), events=(event,))


def _regrouped(lead: Stored, after: Stored, deed: Deed, moved: Sequence[Write]) -> Write:
    after = replace(after, version=lead.version + 1, touched=True)
    tickets = [write.id for write in moved]
    item = history_item(deed.at, deed.action, deed.by, tickets=tickets)
    return Write(
        id=lead.id,
        before=lead,
        after=replace(after, members=()),
        appended=(item,),
        also=tuple(moved),
    )
