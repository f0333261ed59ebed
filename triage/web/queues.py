"""How the queues stand, and what waits in them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from triage.errors import NotFound
from triage.queue import Depth
from triage.queue.mute import author_key_of
from triage.route import Profile
from triage.ticket import Ticket, org_of
from triage.web.audit import audit, audit_list
from triage.web.background import clock
from triage.web.identity import Scope, SignedIn, check_team, needs, still_signed_in
from triage.web.models import (
    QueuesOut,
    TeamOut,
    TicketOut,
    TicketsOut,
    team_out,
    ticket_out,
)
from triage.web.state import AProfile, AService, Service, profile_of

router: Final = APIRouter(prefix="/api/v1", dependencies=[Depends(needs(Scope.TICKETS_READ))])

#: The most tickets in one answer.
PAGE_LIMIT: Final = 500
#: How long a stream may go on after its session or token ended, besides a heartbeat, in seconds.
RECHECK_SECONDS: Final = 5.0
TeamPath = Annotated[
    str, Path(description="De sleutel van een team.", examples=["openbare-ruimte"])
]
TicketPath = Annotated[
    str, Path(description="Het id van een ticket.", examples=["gemeente.lyd75vaw3bgzowvj"])
]


async def queues_of(service: Service, profile: Profile) -> QueuesOut:
    """Give the queues of an organisation: all of its teams, and those that only tickets know."""
    at = clock()
    depths = await service.pools.desk(service.queue.stats, profile.org, now=at)
    by_team: dict[str, list[Depth]] = {key: [] for key in profile.teams}
    for depth in depths:
        by_team.setdefault(depth.team, []).append(depth)
    teams = [team_out(key, name_of(profile, key), found) for key, found in by_team.items()]
    return QueuesOut(
        org=profile.org,
        name=profile.name,
        at=at,
        depth=sum(team.depth for team in teams),
        breached=sum(team.breached for team in teams),
        teams=teams,
    )


def name_of(profile: Profile, team: str) -> str:
    """Give the name of a team; its key where the profile no longer knows it."""
    return profile.teams[team].name if team in profile.teams else team


async def team_of(service: Service, profile: Profile, team: str) -> TeamOut:
    """Give how a team stands. Raises NotFound for one that is nowhere."""
    for found in (await queues_of(service, profile)).teams:
        if found.team == team:
            return found
    raise NotFound("dit team bestaat niet bij deze organisatie", code="no-team")


@router.get("/queues", tags=["wachtrijen"], summary="Alle wachtrijen", operation_id="queues")
async def queues(service: AService, profile: AProfile) -> QueuesOut:
    """Geef per team en urgentie hoeveel er wacht, wat als eerste moet en hoeveel te laat is."""
    return await queues_of(service, profile)


@router.get(
    "/queues/{team}/tickets",
    tags=["wachtrijen"],
    summary="De tickets van een team",
    operation_id="team_tickets",
)
async def tickets(
    request: Request,
    service: AService,
    me: SignedIn,
    profile: AProfile,
    team: TeamPath,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> TicketsOut:
    """Geef de open tickets van een team: kritiek eerst, dan wat het eerst klaar moet zijn."""
    if team not in profile.teams:
        await team_of(service, profile, team)
    check_team(me, profile.org, team)
    found = await service.pools.desk(
        service.queue.list, profile.org, team, now=clock(), limit=limit, offset=offset
    )
    await audit_list(request, (ticket.id for ticket in found))
    muted = await service.muted.of(profile.org, now=clock())
    return TicketsOut(
        org=profile.org,
        team=team,
        limit=limit,
        offset=offset,
        tickets=[ticket_out(ticket, muted.get(_author(ticket))) for ticket in found],
    )


@router.get("/tickets/{ticket}", tags=["tickets"], summary="Eén ticket", operation_id="get_ticket")
async def one(request: Request, service: AService, me: SignedIn, ticket: TicketPath) -> TicketOut:
    """Geef een ticket met zijn geschiedenis."""
    profile_of(service, org_of(ticket))
    found = await service.pools.desk(service.queue.get, ticket, now=clock())
    check_team(me, found.org, found.team)
    await audit(request, "ticket.view", ticket)
    muted = await service.muted.of(found.org, now=clock())
    return ticket_out(found, muted.get(_author(found)))


def _author(ticket: Ticket) -> str:
    return author_key_of(ticket.org, ticket.post)


@router.get(
    "/events",
    tags=["wachtrijen"],
    summary="Wijzigingen volgen",
    operation_id="events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Een stroom van gebeurtenissen (server-sent events).",
            "content": {
                "text/event-stream": {
                    "example": 'event: ticket\ndata: {"type": "claimed"}\nid: 5f3a…\n'
                }
            },
        }
    },
)
async def events(request: Request, service: AService, profile: AProfile) -> Response:
    """Volg wat er met tickets gebeurt, zonder tekst en zonder namen van burgers.

    Elke gebeurtenis heet `ticket` en is dezelfde als in de stroom `triage.assessed`. Bij `resync`
    is er iets gemist: lees de wachtrijen dan opnieuw. Wie opnieuw verbindt met `Last-Event-ID`
    krijgt wat er intussen gebeurde.
    """
    last_id = request.headers.get("last-event-id", "")
    service.hub.check_room()
    stream = service.hub.stream(profile.org, last_id)
    return StreamingResponse(while_signed_in(request, stream), media_type="text/event-stream")


async def while_signed_in(request: Request, stream: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """Hand on a stream until the session or token that opened it no longer stands."""
    checked = time.monotonic()
    async with contextlib.aclosing(stream) as chunks:
        async for chunk in chunks:
            if time.monotonic() - checked > RECHECK_SECONDS:
                if not await still_signed_in(request):
                    return
                checked = time.monotonic()
            yield chunk
