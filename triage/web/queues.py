"""Reading queues, and taking the next ticket of one."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from triage.queue import Depth
from triage.route import Profile
from triage.ticket import URGENCIES
from triage.web.auth import Actor, Reader
from triage.web.context import Context, Ctx, OfOrg
from triage.web.openapi import errors
from triage.web.problems import wrong
from triage.web.requests import IdempotencyKey, request_id
from triage.web.schemas import (
    ClaimBody,
    DepthOut,
    QueuesOut,
    TeamOut,
    TicketOut,
    TicketsOut,
    ticket_out,
)

router: Final = APIRouter(prefix="/api/v1", tags=["wachtrijen"])

#: The last place in a queue that can be asked for.
_FAR: Final = 1_000_000
TeamName = Annotated[str, Path(max_length=100, examples=["webcare"])]


@router.get(
    "/queues",
    summary="Hoe de wachtrijen ervoor staan",
    responses=errors(401, 403, 404, 422, 429, 503),
)
def queues(context: Ctx, profile: OfOrg, _: Reader) -> QueuesOut:
    """Give every team of an organisation, in the order of its profile."""
    return queues_of(context, profile)


def queues_of(context: Context, profile: Profile) -> QueuesOut:
    """Give the queues as they stand now."""
    by_team: dict[str, list[Depth]] = {team: [] for team in profile.teams}
    for depth in context.queue.stats(profile.org, now=context.clock()):
        # A team that the profile lost may still have tickets: someone must see them.
        by_team.setdefault(depth.team, []).append(depth)
    return QueuesOut(
        org=profile.org,
        teams=[
            TeamOut(
                team=team,
                name=profile.teams[team].name if team in profile.teams else team,
                urgencies=[
                    DepthOut(
                        urgency=depth.urgency,
                        depth=depth.depth,
                        breached=depth.breached,
                        oldest_due=depth.oldest_due,
                    )
                    for depth in sorted(depths, key=lambda d: URGENCIES.index(d.urgency))
                ],
            )
            for team, depths in by_team.items()
        ],
    )


@router.get(
    "/queues/{team}/tickets",
    summary="De open tickets van een team, meest dringend eerst",
    responses=errors(401, 403, 404, 422, 429, 503),
)
def tickets(  # noqa: PLR0913, PLR0917 - a page of a queue of an organisation, read by someone
    team: TeamName,
    context: Ctx,
    profile: OfOrg,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=_FAR)] = 0,
) -> TicketsOut:
    """Give a page of a team's queue; the text of posts is personal data."""
    check_team(profile, team)
    found = context.queue.list(
        profile.org, team, now=context.clock(), limit=limit, offset=offset
    )
    return TicketsOut(org=profile.org, team=team, tickets=[ticket_out(one) for one in found])


@router.post(
    "/queues/{team}/claim",
    summary="Pak het eerste vrije ticket van een team op",
    response_model=TicketOut,
    responses={
        204: {"description": "Er wacht geen vrij ticket"},
        **errors(400, 401, 403, 404, 415, 422, 429, 503),
    },
)
def claim_next(  # noqa: PLR0913, PLR0917 - the same, by whom and how long
    team: TeamName,
    body: ClaimBody,
    context: Ctx,
    profile: OfOrg,
    caller: Actor,
    key: IdempotencyKey = None,
) -> TicketOut | Response:
    """Lease the most urgent ticket that nobody has."""
    check_team(profile, team)
    ticket = context.queue.claim_next(
        profile.org,
        team,
        owner=body.owner,
        seconds=body.seconds or context.config.lease_seconds,
        now=context.clock(),
        request=request_id(caller, "claim-next", f"{profile.org}/{team}", key),
    )
    return Response(status_code=204) if ticket is None else ticket_out(ticket, fenced=True)


def check_team(profile: Profile, team: str) -> None:
    """Refuse a team that the organisation doesn't have."""
    if team not in profile.teams:
        raise wrong("team", "onbekend team")
