"""Who joins a bundle, and what becomes of it then. Pure; both backends run it.

A bundle is a ticket with ``members``: tickets of other posts that stand inside it (``within``) and
in no queue. Its own post came first; every member is a copy of that first text, never only of
another member. A ticket that a person took out of a bundle stays apart for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Final

import orjson

from triage.bundle import Comparison, Words, compare, conflict, read
from triage.queue import Action, Bundling, Entry
from triage.queue.document import (
    MASK,
    Stored,
    before_of,
    event_data,
    event_id,
    text_of,
    to_ms,
    window_of,
    without_expired_lease,
)
from triage.queue.summary import Copy, Summary
from triage.ticket import Urgency

#: Who is named for an answer that an equal copy got by itself.
BY_BUNDLE: Final = "bundel"
#: The most tickets that a post is compared with, those that share most keys first, but for
#: those with an equal text.
CANDIDATES: Final = 4
#: What a key that names the whole text counts for, beside the others.
EQUAL: Final = 1000
#: The most posts in a bundle; the next copy begins another one.
MEMBER_LIMIT: Final = 5_000


def likeliest(hits: Mapping[str, int], shared: int) -> dict[str, int]:
    """Choose the tickets worth a comparison: with an equal text, then the likeliest others.

    ``hits`` counts the keys that each shares; ``shared`` is how many it must share at least.
    """
    ordered = sorted(hits.items(), key=itemgetter(1), reverse=True)
    return {
        ticket: count
        for place, (ticket, count) in enumerate(ordered)
        if count >= EQUAL or (place < CANDIDATES and count >= shared)
    }


def repeated_keys(entries: Iterable[Entry]) -> frozenset[str]:
    """Give the keys that several posts of a batch have: by others they can't find each other."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for entry in entries:
        if entry.bundling is not None:
            keys = entry.bundling.signature.keys
            repeated |= seen.intersection(keys)
            seen.update(keys)
    return frozenset(repeated)


def findable(stored: Stored) -> bool:
    """Whether new copies may join a ticket at all."""
    apart = stored.bundle is not None and stored.bundle.apart
    return not (stored.gone or stored.within or apart or first_text(stored) == MASK)


def first_text(stored: Stored) -> str:
    """Give the text with which all in a bundle are compared."""
    return stored.bundle.variants[0].text if stored.bundle else text_of(stored.doc)


def admit(lead: Stored, words: Words, entry: Entry, bundling: Bundling) -> Comparison | None:
    """Say how a post compares with a bundle (or a ticket that may become one); None: it stays out.

    A critical copy that says something more stands beside a bundle that is not, and one that adds
    facts also beside one that is: what is new in it must be seen.
    """
    found = _compared(lead, words, bundling.signature.exact)
    if not found.same:
        return None
    # Most candidates are no copies: what is summed up here is not needed for them.
    summary = Summary.of(lead)
    if summary.posts >= MEMBER_LIMIT or not _in_time(summary, entry, bundling):
        return None
    if found.equal:
        return Comparison(same=True, equal=True)
    if conflict(summary.adds, found.adds):
        return None
    critical = found.news and entry.assessment.urgency is Urgency.KRITIEK
    news = lead.urgency is not Urgency.KRITIEK or found.adds.keys() & {"getal", "naam"}
    return None if lead.resolved or (critical and news) else found


def _compared(lead: Stored, words: Words, exact: str) -> Comparison:
    """Compare a text with a bundle's first one; any of the others may be equal to it."""
    if lead.bundle and lead.bundle.has(exact):
        return Comparison(same=True, equal=True)
    return compare(read(first_text(lead)), words)


def _in_time(summary: Summary, entry: Entry, bundling: Bundling) -> bool:
    at, window = to_ms(entry.received_at), window_of(bundling) * 1000
    return summary.first - window <= at <= summary.last + window


def joined(
    lead: Stored, copy: Copy, entry: Entry, bundling: Bundling, found: Comparison, now: int
) -> tuple[Stored, bool]:
    """Give a bundle with one more copy, and whether that raised it or opened it again.

    The time of a bundle that opens counts from the copy, unless that is milder than what people
    read before in the same words: then urgency and due time stay those of the bundle.
    """
    urgency, due = entry.assessment.urgency, to_ms(entry.route.due_at)
    rose = urgency.rank < lead.urgency.rank
    unanswered = entry.decided is None and (
        rose
        or urgency in (Urgency.KRITIEK, Urgency.HOOG)
        or entry.key_figure
        or not bundling.answer_copies
    )
    reopened = bool(lead.resolved) and unanswered
    summary = Summary.of(lead).plus(copy, found.adds)
    after = replace(lead, version=lead.version + 1, bundle=summary)
    if lead.resolved and not reopened:
        return after, False
    anew = reopened and urgency.rank <= lead.urgency.rank
    after = replace(after, due=due if anew else min(lead.due, due), resolved=0)
    if rose or reopened:
        held = lead.held(now)
        after = replace(
            without_expired_lease(after, now),
            urgency=urgency if rose else lead.urgency,
            team=entry.route.team if rose and not held else lead.team,
        )
    return after, rose or reopened


def split_off(lead: Stored, member: Stored) -> Stored:
    """Give a bundle without a member that a person took out."""
    summary = Summary.of(lead)
    rest = summary.without_reply() if member.reply else summary.minus(Copy.of(member.doc))
    return replace(lead, bundle=rest)


def left(lead: Stored, member: Stored) -> Stored:
    """Give a bundle without a member whose post says something else now."""
    return replace(split_off(lead, member), version=lead.version + 1)


def merged(lead: Stored, other: Stored, *, reply: bool = False) -> Stored:
    """Give a bundle with another ticket, and its members, inside it; or as a ``reply`` in it."""
    mine, theirs = Summary.of(lead), Summary.of(other)
    if reply:
        summary = replace(mine, replies=mine.replies + 1 + theirs.replies, seen=0)
    else:
        summary = mine.merged(theirs)
    return replace(
        lead,
        urgency=min(lead.urgency, other.urgency, key=lambda urgency: urgency.rank),
        due=min(lead.due, other.due),
        bundle=replace(summary, apart=False),
    )


def without_text(lead: Stored, member: Stored) -> Stored:
    """Give a bundle that doesn't show what a member withdrew, where no other copy says it."""
    if not lead.bundle:
        return lead
    if member.reply:
        return replace(lead, version=lead.version + 1)
    summary = Summary.of(lead).without_text(Copy.of(member.doc).exact)
    return replace(lead, version=lead.version + 1, bundle=summary)


def answered_copy(member: Stored, lead: Stored, now: int) -> bytes:
    """Build the outcome of a copy of what was answered already: the same answer."""
    said = (orjson.loads(item) for item in reversed(lead.history))
    outcomes = (item.get("outcome") for item in said if item["action"] == Action.RESOLVED)
    identity = event_id(member.id, Action.RESOLVED, lead.id, str(lead.outcome[0]))
    return orjson.dumps(
        {
            **event_data(lead, Action.RESOLVED, now, identity),
            "ticket": member.id,
            "version": 1,
            "by": BY_BUNDLE,
            "outcome": next(outcomes, None),
            "revision": 0,
            "bundle": lead.id,
            "before": before_of(member),
        }
    )
