"""How a profile says that near-duplicates are bundled, and replies with what they answer."""

from __future__ import annotations

from typing import Final

from triage.profiles import REPLIES, Bundles
from triage.profiles.table import Table

#: The longest window, in hours.
HOURS_LIMIT: Final = 14 * 24


def bundles_of(table: Table) -> Bundles:
    """Read the table ``bundles``; what is missing stands at its default."""
    table.only(("hours", "answer_copies", "replies"))
    default = Bundles()
    hours = table.whole("hours", 0, HOURS_LIMIT)
    replies = table.text("replies", default.replies)
    if replies not in REPLIES:
        table.wrong("replies", f"moet een zijn van: {', '.join(REPLIES)}")
    return Bundles(
        hours=default.hours if hours is None else hours,
        answer_copies=table.flag("answer_copies", default=default.answer_copies),
        replies=replies,
    )
