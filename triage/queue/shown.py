"""A ticket as people see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from triage.queue.checks import unknown
from triage.queue.document import Stored, from_ms
from triage.queue.replies import author_of, received_at
from triage.queue.summary import VARIANT_LENGTH
from triage.ticket import Claim, State, Ticket, org_of

#: The most members that one call gives.
MEMBERS_LIMIT: Final = 500


def to_ticket(stored: Stored, *, lead: Stored | None = None, now: int = 0) -> Ticket:
    """Give the ticket as people see it; a lease that expired before ``now`` counts as none.

    ``lead``: the bundle that it stands inside, whose state, team and lease are its own.
    """
    at = lead or stored
    doc = orjson.loads(stored.doc)
    created_at = datetime.fromisoformat(doc["created_at"])
    return Ticket(
        id=stored.id,
        org=org_of(stored.id),
        team=at.team,
        urgency=at.urgency,
        topic=stored.topic,
        intent=stored.intent,
        due_at=from_ms(at.due),
        created_at=created_at,
        state=State.RESOLVED if at.resolved else State.OPEN,
        post=doc["post"],
        assessment=doc["assessment"],
        version=stored.version,
        claim=claim_of(at) if at.held(now) else None,
        touched=stored.touched,
        snoozed_until=from_ms(at.until) if at.snoozed(now) else None,
        within=stored.within,
        reply=stored.reply,
        bundle=_bundle_of(stored),
        history=tuple(map(_item, stored.history)),
    )


def shown_members(
    lead: Stored | None, now: int, limit: int, offset: int, *, replies: bool | None = None
) -> list[Ticket]:
    """Give the tickets inside one, a page of them: copies, replies, or both. Raises NotFound."""
    if lead is None or lead.gone:
        raise unknown()
    asked = [member for member in lead.members if replies in (None, member.reply)]
    members = sorted(asked, key=lambda member: (_at(member), member.id))
    page = members[max(0, offset) :][: max(0, min(limit, MEMBERS_LIMIT))]
    return [to_ticket(member, lead=lead, now=now) for member in page]


def posts_of(docs: Iterable[bytes], author: str) -> list[Mapping[str, Any]]:
    """Give the posts in documents that an author (its id) wrote."""
    return [orjson.loads(doc)["post"] for doc in docs if author_of(doc) == author]


def _at(member: Stored) -> str:
    """Give when a reply came in, in UTC; copies come before all of them."""
    return received_at(member) if member.reply else ""


def _item(item: bytes) -> dict[str, Any]:
    """Read an item of history; what only ``undo`` needs is not for people."""
    said: dict[str, Any] = orjson.loads(item)
    said.pop("undo", None)
    return said


def claim_of(stored: Stored) -> Claim:
    """Give the lease of a ticket that has one."""
    return Claim(owner=stored.owner, token=stored.token, until=from_ms(stored.until))


def _bundle_of(stored: Stored) -> dict[str, Any] | None:
    """Give what is told of a bundle; None for a ticket of one post."""
    summary = stored.bundle
    if summary is None or summary.posts == 1:
        return None
    return {
        "count": summary.count,
        "replies": summary.replies,
        "authors": len(summary.authors),
        "channels": dict(summary.channels),
        "first": from_ms(summary.first).isoformat(),
        "last": from_ms(summary.last).isoformat(),
        "reach": {
            "shares": summary.shares,
            "likes": summary.likes,
            "followers": summary.followers,
        },
        "variants": [
            {"text": variant.text[:VARIANT_LENGTH], "count": variant.count, "adds": variant.adds}
            for variant in summary.variants
        ],
    }
