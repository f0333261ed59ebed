"""One post after the other, to label: those that are most worth a person's label, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from triage.errors import InvalidModel, NotFound, Refused
from triage.labels.offer import offer
from triage.profiles import TOPICS
from triage.ticket import State, Ticket
from triage.web.audit import audit
from triage.web.background import clock
from triage.web.desk.screen import AScreen, ATicketScreen, Screen
from triage.web.identity import Scope, check_team, needs
from triage.web.problems import Problem
from triage.web.queues import TicketPath

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ)), Depends(needs(Scope.TICKETS_ACT))],
)

#: How many posts come at a time.
COUNT: Final = 50
#: Among how many open tickets of all teams is chosen, and of one team at most and at least: the
#: first in order.
LOT: Final = 2000
TEAM_LOT: Final = 500
TEAM_LOT_LEAST: Final = 50


@router.get("/labels/een-voor-een")
async def labelling(screen: AScreen) -> HTMLResponse:
    """Show the first of the posts that this person had better label, and name the others."""
    try:
        offered = await screen.service.pools.judge(_picked, screen, clock())
    except (InvalidModel, Refused) as error:
        raise Problem(409, error.code) from None
    await audit(screen.request, "labels.next", *(ticket for ticket, _ in offered))
    first, picked = await _first(screen, offered)
    return screen.page(
        "labelling.html",
        first=first,
        settings=screen.settings(
            page="labelling", card=screen.address("/labels/een-voor-een/"), posts=picked
        ),
        **(_card(first) if first else {}),
    )


@router.get("/labels/een-voor-een/{ticket}")
async def card(screen: ATicketScreen, ticket: TicketPath) -> HTMLResponse:
    """Show one post to label; 409 for one that is no longer to be labelled."""
    return screen.page("_card.html", **_card(await _open(screen, ticket)))


async def _first(
    screen: Screen, picked: Sequence[tuple[str, str]]
) -> tuple[Ticket | None, Sequence[tuple[str, str]]]:
    """Open the first that is still to be labelled; give it, and what is left of the choice."""
    for at, (ticket, _) in enumerate(picked):
        with suppress(NotFound, Problem):  # a colleague was faster
            return await _open(screen, ticket), picked[at:]
    return None, ()


async def _open(screen: Screen, ticket: str) -> Ticket:
    found = await screen.service.pools.desk(screen.service.queue.get, ticket, now=clock())
    check_team(screen.me, found.org, found.team)
    if not _wanted(found, screen.me.name):
        raise Problem(409, "not-to-label")
    await audit(screen.request, "ticket.view", ticket)
    return found


def _wanted(ticket: Ticket, me: str) -> bool:
    """Say whether somebody may label a ticket: it is open, and with no colleague."""
    return (
        ticket.state is State.OPEN
        and not ticket.within
        and not ticket.post.get("deleted")
        and (ticket.claim is None or ticket.claim.owner == me)
    )


def _picked(screen: Screen, now: datetime) -> list[tuple[str, str]]:
    service, org = screen.service, screen.profile.org
    known = service.judge.words()
    service.said.update(service.log)
    labelled = service.said.labelled(org)
    return offer(
        (ticket for ticket in _lot(screen, now) if ticket.id not in labelled),
        COUNT,
        read=service.judge.read,
        known=known,
        labelled=service.said.topics(org),
    )


def _lot(screen: Screen, now: datetime) -> Iterator[Ticket]:
    org, me = screen.profile.org, screen.me
    teams = [team for team in screen.profile.teams if me.may_work(org, team)]
    limit = team_lot(len(teams))
    for team in teams:
        found = screen.service.queue.list(org, team, now=now, limit=limit)
        yield from (ticket for ticket in found if _wanted(ticket, me.name))


def team_lot(teams: int) -> int:
    """Give how many tickets of each of so many teams are read: what a page costs has a bound."""
    return min(TEAM_LOT, max(TEAM_LOT_LEAST, LOT // max(1, teams)))


def _card(ticket: Ticket) -> Mapping[str, Any]:
    said = ticket.assessment
    return {
        "ticket": ticket,
        "post": {"in_reply_to": None} | dict(ticket.post),
        "said": said,
        "best": [topic["key"] for topic in said["topics"] if topic["key"] in TOPICS][:3],
    }
