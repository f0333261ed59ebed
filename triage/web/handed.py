"""What is somebody's own: their lease, and what they gave away, to repeat and to take back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from triage.queue import Action
from triage.ticket import Ticket

#: What takes a ticket to another team, and what its doer may ask there: the same once more (an
#: answer that was lost), and to have it back. The queue decides whether there is still time.
_STILL: Final[Mapping[str, Sequence[str]]] = {
    Action.REASSIGNED: ("ticket.reassign", "ticket.undo"),
    Action.ESCALATED: ("ticket.escalate", "ticket.undo"),
}


def team_asked(ticket: Ticket, action: str, by: str | None) -> str:
    """Give the team that one must work for to do something to a ticket.

    That is the team that has it; for who gave it away, and nobody did anything since, the team
    that had it before. ``action`` is as the record names it.
    """
    last = ticket.history[-1] if ticket.history else {}
    if last.get("by") == by and action in _STILL.get(last.get("action", ""), ()):
        return str(last["before"]["team"])
    return ticket.team


def own_token(ticket: Ticket, by: str) -> int | None:
    """Give the token of the lease that one has on a ticket; None where one has none."""
    return ticket.claim.token if ticket.claim and ticket.claim.owner == by else None
