"""Limits on what callers give; the errors name the field, never what stood in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from triage.errors import NotFound
from triage.queue import Change
from triage.queue.document import to_ms
from triage.queue.mute import MUTE_DAYS, REASONS
from triage.ticket import ORG, org_of

_TICKET: Final = re.compile(rf"{ORG.pattern}\.[A-Za-z0-9]{{1,64}}")
#: The longest lease, in seconds.
LEASE_LIMIT: Final = 24 * 3600
#: The longest that a ticket is set aside, in seconds.
SNOOZE_LIMIT: Final = 7 * 24 * 3600
#: The longest name of an owner, team, topic, intent or outcome, and the longest request id.
NAME_LIMIT: Final = 256
#: The longest note or reply.
NOTE_LIMIT: Final = 4000
#: The longest address of an answer.
LINK_LIMIT: Final = 2048
#: The most colleagues that one note names.
MENTION_LIMIT: Final = 20
#: The most tickets that one action takes out of a bundle or puts into it.
TICKETS_LIMIT: Final = 500


def unknown() -> NotFound:
    """Say that there is no such ticket."""
    return NotFound("dit ticket bestaat niet (meer)")


def check_org(org: str) -> None:
    """Refuse what is no organisation: it is part of keys. Raises NotFound."""
    if not ORG.fullmatch(org):
        message = "deze organisatie bestaat niet"
        raise NotFound(message, code="no-org")


def check_ticket(ticket: str) -> str:
    """Refuse what is no ticket id; give its organisation. Raises NotFound."""
    if not _TICKET.fullmatch(ticket):
        raise unknown()
    return org_of(ticket)


def check_tickets(ticket: str, others: Sequence[str]) -> None:
    """Refuse what is no list of other tickets of the same organisation. Raises NotFound."""
    org = check_ticket(ticket)
    if any(check_ticket(other) != org for other in others):
        raise unknown()
    if not 0 < len(others) <= TICKETS_LIMIT or len(set(others)) < len(others) or ticket in others:
        message = f"tickets: 1 tot {TICKETS_LIMIT} andere tickets, elk een keer"
        raise ValueError(message)


def check_name(field: str, value: str | None, limit: int = NAME_LIMIT) -> None:
    """Refuse what is too long or no text. Raises ValueError, which names the field only."""
    if value is None:
        return
    fits = 0 < len(value) <= limit
    if not fits or value.encode(errors="replace").decode() != value:
        message = f"{field}: leeg, langer dan {limit} tekens of geen geldige tekst"
        raise ValueError(message)


def check_change(change: Change) -> None:
    """Refuse a change with fields over their limits. Raises ValueError."""
    for field in ("team", "topic", "intent", "outcome"):
        check_name(field, getattr(change, field))
    check_name("note", change.note, NOTE_LIMIT)
    check_name("hand_over", change.hand_over, NOTE_LIMIT)
    check_name("reply", change.reply, NOTE_LIMIT)
    check_name("link", change.link, LINK_LIMIT)


def check_note(note: str, mentions: Sequence[str]) -> None:
    """Refuse an empty note, or one to too many. Raises ValueError."""
    check_name("note", note, NOTE_LIMIT)
    if len(mentions) > MENTION_LIMIT:
        message = f"mentions: meer dan {MENTION_LIMIT}"
        raise ValueError(message)
    for mention in mentions:
        check_name("mentions", mention)


def check_mute(until: datetime, reason: str, words: str, now: datetime) -> None:
    """Refuse a mute without an end or a reason. Raises ValueError."""
    if not timedelta(0) < until - now <= timedelta(days=MUTE_DAYS):
        message = f"until: niet tussen nu en {MUTE_DAYS} dagen"
        raise ValueError(message)
    if reason not in REASONS:
        message = f"reason: niet een van {', '.join(REASONS)}"
        raise ValueError(message)
    check_name("words", words or None, NOTE_LIMIT)


def check_lease(seconds: float, now: datetime, limit: int = LEASE_LIMIT) -> int:
    """Give the end of a lease in milliseconds. Raises ValueError."""
    if not 0 < seconds <= limit:
        message = f"seconds: niet tussen 0 en {limit}"
        raise ValueError(message)
    return to_ms(now) + max(1, round(seconds * 1000))
