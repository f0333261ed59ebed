"""A ticket as people see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from triage.queue.document import Stored, from_ms
from triage.queue.summary import VARIANT_LENGTH, Summary
from triage.ticket import Claim, State, Ticket, org_of


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
        within=stored.within,
        bundle=_bundle_of(stored),
        history=tuple(orjson.loads(item) for item in stored.history),
    )


def claim_of(stored: Stored) -> Claim:
    """Give the lease of a ticket that has one."""
    return Claim(owner=stored.owner, token=stored.token, until=from_ms(stored.until))


def _bundle_of(stored: Stored) -> dict[str, Any] | None:
    """Give what is told of a bundle; None for a ticket of one post."""
    summary = Summary.of(stored) if stored.bundle else None
    if summary is None or summary.count == 1:
        return None
    return {
        "count": summary.count,
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
