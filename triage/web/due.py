"""When a ticket is due and who takes it, where people decide on it."""

from __future__ import annotations

from datetime import datetime

from triage.errors import InvalidPost
from triage.post import Post
from triage.route import Profile
from triage.ticket import Ticket, Urgency
from triage.web.state import Service, profile_of


def on_duty(profile: Profile, team: str, at: datetime) -> str:
    """Give the team that takes a critical ticket: the night team while this one is closed."""
    found = profile.teams.get(team) or profile.teams[profile.fallback]
    if Urgency.KRITIEK in found.night and not found.hours.is_open(at):
        return profile.night_team(found.key)
    return found.key


def due_of(ticket: Ticket, urgency: Urgency | None, service: Service) -> datetime | None:
    """Give when a ticket is due at another urgency, counted from its receipt; None: as it was."""
    if urgency is None or urgency is ticket.urgency:
        return None
    profile = profile_of(service, ticket.org)
    try:
        post = Post.from_mapping(ticket.post, received_at=ticket.created_at)
    except InvalidPost:  # its text was withdrawn
        post = None
    team = ticket.team if ticket.team in profile.teams else profile.fallback
    return profile.due(urgency, team, ticket.created_at, post=post)
