"""What muting somebody, and a mute itself, makes of a ticket. Pure; both backends run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from triage.errors import Conflict, NotFound
from triage.queue import Action, Entry
from triage.queue.actions import Deed
from triage.queue.checks import unknown
from triage.queue.document import (
    Stored,
    before_of,
    event_data,
    event_id,
    from_ms,
    history_item,
    mark_of,
)
from triage.queue.merge import Write
from triage.queue.mute import (
    BY_MUTE,
    MUTE_LIMIT,
    MUTED_OUTCOME,
    Mute,
    Mutes,
    author_key_of,
    may_take,
    taker,
)
from triage.queue.summary import Summary
from triage.ticket import org_of

_MUTED: Final = "deze afzender is al gedempt"
_NO_AUTHOR: Final = "van dit bericht is geen afzender bekend om te dempen"
_NOT_TAKEN: Final = "dit ticket is niet (meer) gedempt"
_FULL: Final = f"er staan al {MUTE_LIMIT} dempingen; hef er eerst een op"


def no_mute() -> NotFound:
    """Say that there is no such mute."""
    return NotFound("deze demping bestaat niet (meer)", code="no-mute")


def mute_id(ticket: str, request: str) -> str:
    """Name a mute by who asked for it: asked again it is the same one."""
    return f"{org_of(ticket)}.{event_id('mute', ticket, request)}"


def mute(
    stored: Stored | None,
    deed: Deed,
    *,
    until: datetime,
    reason: str,
    words: str,
    standing: Sequence[Mute],
) -> Write:
    """Mute the author of a ticket's post, wherever the ticket stands."""
    if stored is None or stored.gone:
        raise unknown()
    author = author_of(stored)
    if not author:
        raise Conflict("no-author", _NO_AUTHOR)
    if any(one.author == author for one in standing):
        raise Conflict("muted", _MUTED)
    if len(standing) >= MUTE_LIMIT:
        raise Conflict("many-mutes", _FULL)
    new = Mute(
        id=mute_id(stored.id, deed.request),
        author=author,
        ticket=stored.id,
        team=stored.team,
        by=deed.by,
        at=from_ms(deed.at),
        until=until,
        reason=reason,
        words=words,
    )
    return _told(stored, deed, new, note=words or None, reason=reason, until=until)


def unmute(stored: Stored | None, deed: Deed, *, standing: Mute) -> Write:
    """End a mute, and tell it where the author was muted. Raises NotFound where that is gone."""
    if stored is None or stored.gone:
        raise unknown()
    return _told(stored, deed, ended(standing, deed))


def ended(standing: Mute, deed: Deed) -> Mute:
    """Give a mute as somebody ended it."""
    return replace(standing, ended_at=from_ms(deed.at), ended_by=deed.by)


def bring_back(stored: Stored | None, deed: Deed, *, mute: str) -> Write:
    """Open what a mute took, as it came in; it says nothing of the labels."""
    if stored is None or stored.gone:
        raise unknown()
    items = map(orjson.loads, reversed(stored.history))
    closed = next((item for item in items if item["action"] == Action.RESOLVED), None)
    if not stored.resolved or closed is None or closed.get("mute") != mute:
        raise Conflict("open", _NOT_TAKEN)
    version = stored.version + 1
    after = replace(stored, version=version, resolved=0, outcome=(version, deed.at))
    event = deed.event(
        after,
        by=deed.by,
        before=before_of(stored),
        outcome=None,
        revision=stored.revision,
        said={},
        mute=mute,
    )
    item = history_item(deed.at, deed.action, deed.by, mute=mute)
    return Write(id=stored.id, before=stored, after=after, appended=(item,), events=(event,))


def restore(stored: Stored | None, outcome: Mapping[str, Any]) -> Write | None:
    """Make a mute again of what the outcomes log tells; None where the ticket tells it already."""
    if stored is None or stored.gone or _tells(stored, outcome):
        return None
    author, mark = author_of(stored), mark_of(outcome)
    if not author:  # its post was withdrawn since
        return None
    again = Mute.read({**outcome["mute"], "author": author, "ticket": stored.id})
    item = history_item(
        mark[1], Action(outcome["type"]), str(outcome["by"]), mute=again.id, until=again.until
    )
    after = replace(stored, version=max(stored.version + 1, mark[0]))
    return Write(id=stored.id, before=stored, after=after, appended=(item,), mutes=(again,))


def author_of(stored: Stored) -> str:
    """Give by what a mute knows the author of a ticket's post; empty where nobody does."""
    return author_key_of(org_of(stored.id), orjson.loads(stored.doc)["post"])


def _tells(stored: Stored, outcome: Mapping[str, Any]) -> bool:
    told = (outcome["mute"]["id"], outcome["type"])
    items = map(orjson.loads, stored.history)
    return any((item.get("mute"), item["action"]) == told for item in items)


def _told(stored: Stored, deed: Deed, new: Mute, **more: Any) -> Write:  # noqa: ANN401 - JSON values
    """Write it in the history of the ticket, without a change of anything else there."""
    after = replace(stored, version=stored.version + 1)
    event = deed.event(
        after,
        by=deed.by,
        before=before_of(stored),
        outcome=None,
        revision=stored.revision,
        said={},
        mute=new.told(),
        **({"bundle": stored.within} if stored.within else {}),
    )
    item = history_item(deed.at, deed.action, deed.by, mute=new.id, **more)
    return Write(
        id=stored.id, before=stored, after=after, appended=(item,), events=(event,), mutes=(new,)
    )


# -- in a put ------------------------------------------------------------------------------------


def takes(mutes: Mutes, before: Stored | None, after: Stored, entry: Entry) -> Mute | None:
    """Give the mute that takes a ticket out of sight as its post leaves it; None: nothing does.

    A new post, or an edit that would open again what is closed. An open ticket stays open.
    """
    if after.within or after.resolved or not may_take(after.urgency):
        return None
    if before is not None and not (before.gone or before.resolved or before.within):
        return None
    return taker(mutes, entry)


def taken(before: Stored | None, after: Stored, by: Mute, now: int) -> Stored:
    """Give a ticket that a mute took. No copy of somebody else joins it: that needs an answer."""
    item = history_item(
        now, Action.RESOLVED, BY_MUTE, outcome=MUTED_OUTCOME, mute=by.id, muted_by=by.by
    )
    met = before is not None and not before.gone  # its copies may find it by its keys
    return replace(
        after,
        resolved=now,
        owner="",
        until=0,
        outcome=(after.version, now),
        bundle=replace(Summary.of(after), apart=True) if met else after.bundle,
        history=(*after.history, item),
    )


def taken_event(after: Stored, by: Mute, now: int) -> bytes:
    """Build the outcome of a ticket that a mute took: nobody has judged its labels."""
    identity = event_id(after.id, Action.RESOLVED, by.id, str(after.revision))
    return orjson.dumps(
        {
            **event_data(after, Action.RESOLVED, now, identity),
            "by": BY_MUTE,
            "outcome": MUTED_OUTCOME,
            "mute": by.id,
            "revision": after.revision,
            "said": {},
            "before": before_of(after),
        }
    )
