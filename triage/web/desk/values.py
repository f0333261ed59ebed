"""What the variables of canned answers become for one ticket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from triage.route import Profile
from triage.ticket import Ticket
from triage.web.desk.rows import row_of
from triage.web.desk.texts import Texts
from triage.web.queues import name_of


def values_of(
    ticket: Ticket, profile: Profile, t: Texts, *, by: str, now: datetime
) -> Mapping[str, str]:
    """Give a value to each variable; ``by``: who answers. Empty where the ticket has none."""
    row, there = row_of(ticket), now.astimezone(profile.timezone)
    return {
        "naam": row.author.removeprefix("@"),
        "onderwerp": t.of("topic", ticket.topic).lower(),
        "organisatie": profile.name,
        "team": name_of(profile, ticket.team),
        "medewerker": by,
        "plaats": row.place,
        "datum": f"{there.day}-{there.month}-{there.year}",
        "kenmerk": ticket.id.partition(".")[2],
    }
