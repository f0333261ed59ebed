"""What people do to bundles: take posts out, put tickets together. Pure; both backends run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from triage.errors import Conflict, NotFound
from triage.queue.actions import Deed, must_be_open, need_right
from triage.queue.bundling import MEMBER_LIMIT, merged, split_off
from triage.queue.document import Stored, before_of, history_item
from triage.queue.merge import Write
from triage.queue.replies import answers
from triage.queue.summary import Summary

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
