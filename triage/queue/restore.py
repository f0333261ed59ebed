"""Outcomes from the log, brought over tickets that are older. Pure; both backends run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from triage.queue import Action, muting
from triage.queue.bundling import merged, split_off
from triage.queue.document import Stored, history_item, mark_of, to_ms
from triage.queue.merge import Write
from triage.queue.replies import opened, unseen
from triage.queue.summary import Copy, Summary
from triage.ticket import Urgency


def restore(
    stored: Stored | None, outcome: Mapping[str, Any], find: Callable[[str], Stored | None]
) -> Write | None:
    """Bring an outcome from the log over a ticket that is older; None where it isn't.

    ``find`` reads a ticket with its members, also others that it is about.
    """
    if outcome["type"] in (Action.SPLIT, Action.MERGED):
        return _restore_regrouped(stored, outcome, find)
    if outcome["type"] in (Action.MUTED, Action.UNMUTED):
        return muting.restore(stored, outcome)
    return _restore_decided(stored, outcome, find)


def _restore_decided(
    stored: Stored | None, outcome: Mapping[str, Any], find: Callable[[str], Stored | None]
) -> Write | None:
    """Bring an outcome from the log over a ticket that is older; None where it isn't.

    An outcome from before the ticket's last edit sets what a person decided, but the edit stands:
    the ticket stays open and is no less urgent. One with more replies than the person saw is opened
    or raised by those, as it was then.
    """
    mark = mark_of(outcome)
    if stored is None or stored.gone or stored.within or mark <= stored.outcome:
        return None
    due = to_ms(datetime.fromisoformat(outcome["due_at"]))
    urgency = Urgency(outcome["urgency"])
    edited_since = int(outcome.get("revision", 0)) < stored.revision
    answers = int(outcome.get("replies", 0))
    since = stored.bundle is not None and answers < stored.bundle.replies
    whole = find(stored.id) if since else None
    rose = edited_since and stored.urgency.rank < urgency.rank
    resolved = outcome["state"] == "resolved" and not edited_since
    after = replace(
        stored,
        version=max(stored.version + 1, mark[0]),
        team=stored.team if rose else str(outcome["team"]),
        urgency=stored.urgency if rose else urgency,
        topic=stored.topic if rose else str(outcome["topic"]),
        intent=stored.intent if rose else str(outcome["intent"]),
        due=min(due, stored.due) if edited_since else due,
        resolved=mark[1] if resolved else 0,
        bundle=replace(Summary.of(stored), seen=answers) if answers else stored.bundle,
        touched=stored.touched or "mute" not in outcome,
        outcome=mark,
        owner="",
        until=0,
    )
    for reply in unseen(whole, answers) if whole else ():
        after = opened(after, reply.urgency, reply.due, reply.team)
    said = {name: outcome.get(name) for name in ("outcome", "mute")}
    item = history_item(mark[1], Action(outcome["type"]), str(outcome["by"]), **said)
    taken = str(outcome.get("mute") or "")
    return Write(id=stored.id, before=stored, after=after, appended=(item,), taken=taken)


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
