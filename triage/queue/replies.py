"""Who joins the talk of a ticket, and what becomes of it then. Pure; both backends run it.

A reply is a ticket inside the one of the post that it answers (``within``), like a copy in its
bundle, but it says something of its own: it is in the thread, never among the texts, and what
people say of the ticket's labels is not said of it.
"""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import orjson

from triage.queue import Entry
from triage.queue.bundling import MEMBER_LIMIT
from triage.queue.document import Stored, to_ms, without_expired_lease
from triage.queue.summary import Summary
from triage.ticket import Urgency, org_of, ticket_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The ticket that a reply is about."""

    lead: Stored
    #: Who wrote its post, and who wrote the post that the reply answers.
    writers: AbstractSet[str]


def author_of(doc: bytes) -> str:
    """Give the id of who wrote a post; empty where nobody knows."""
    return str((orjson.loads(doc)["post"].get("author") or {}).get("id") or "")


def has_room(lead: Stored) -> bool:
    """Say whether one more reply may join."""
    return Summary.of(lead).posts < MEMBER_LIMIT


def is_by(entry: Entry, writers: Container[str]) -> bool:
    """Say whether one of the writers goes on; only then a reply may be about anything."""
    author = entry.post.author
    return author is not None and bool(author.id) and author.id in writers


def is_about(lead: Stored, entry: Entry) -> bool:
    """Say whether a reply of somebody else belongs with a ticket all the same.

    The ticket must be open, the reply no more urgent and surely about the same subject: what
    people discuss below one busy post is not one subject, and their alarms are their own.
    """
    judged = entry.assessment
    return (
        entry.reply is not None
        and entry.reply.others
        and not lead.resolved
        and judged.urgency is not Urgency.KRITIEK
        and judged.urgency.rank >= lead.urgency.rank
        and not judged.abstained
        and judged.topic == lead.topic
    )


def replied(lead: Stored, entry: Entry, now: int) -> tuple[Stored, bool]:
    """Give a ticket with one more reply, and whether that raised it or opened it again.

    Whatever stood (set aside, resolved), somebody looks again.
    """
    urgency, route = entry.assessment.urgency, entry.route
    summary = Summary.of(lead).with_reply()
    rose = urgency.rank < lead.urgency.rank
    after = replace(lead, version=lead.version + 1, bundle=summary)
    if lead.resolved and summary.replies <= summary.seen and not rose:
        return after, False
    after = without_expired_lease(after, now)
    held = lead.held(now)
    after = opened(after, urgency, to_ms(route.due_at), lead.team if held else route.team)
    return after, rose or bool(lead.resolved)


def opened(lead: Stored, urgency: Urgency, due: int, team: str) -> Stored:
    """Give a ticket that is open with a reply of this urgency, due time and team in it.

    Of one that was resolved, all that came before was answered: urgency and due time are those of
    the reply, also where it is milder. Of one that is open the more pressing stands.
    """
    rose = urgency.rank < lead.urgency.rank
    return replace(
        lead,
        urgency=urgency if rose or lead.resolved else lead.urgency,
        team=team if rose else lead.team,
        due=due if lead.resolved else min(lead.due, due),
        resolved=0,
    )


def unseen(lead: Stored, seen: int) -> list[Stored]:
    """Give the replies in a ticket (read with its members) after the first ``seen``."""
    replies = [member for member in lead.members if member.reply]
    return sorted(replies, key=lambda reply: (received_at(reply), reply.id))[seen:]


def received_at(stored: Stored) -> str:
    """Give when a post came in, in UTC, as text that sorts by it."""
    return str(orjson.loads(stored.doc)["created_at"])


def answers(other: Stored, lead: Stored) -> bool:
    """Say whether a ticket of one post is a reply to a post in another ticket."""
    to = orjson.loads(other.doc)["post"].get("in_reply_to")
    if not to or Summary.of(other).count > 1:
        return False
    inside = {lead.id, *(member.id for member in lead.members)}
    return ticket_id(org_of(lead.id), str(to)) in inside
