"""The board of all queues, and the queue of one team."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from triage.profiles import CHANNELS
from triage.web.audit import audit_list
from triage.web.background import clock
from triage.web.desk.answers import of_org
from triage.web.desk.rows import Filter, Row, row_of
from triage.web.desk.screen import AScreen, Screen
from triage.web.identity import Scope, check_team, needs
from triage.web.queues import TeamPath, name_of, queues_of, team_of

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ))],
)

#: Lines that come with the page itself, and the most that one request brings.
FIRST: Final = 40
WINDOW: Final = 200
#: Languages that can be asked for in a filter.
LANGS: Final = ("nl", "fy", "en", "de", "fr", "es", "pl", "uk", "tr", "ar")


@router.get("/")
async def board(screen: AScreen) -> HTMLResponse:
    """Show the queues of an organisation."""
    service, profile = screen.service, screen.profile
    queues = await queues_of(service, profile)
    busy = service.activity.of(profile.org)
    return screen.page(
        "board.html",
        queues=queues,
        busy=busy,
        now=queues.at,
        critical=_critical(queues.teams),
        settings=screen.settings(page="board", critical=_critical(queues.teams)),
    )


def _critical(teams: Sequence[Any]) -> int:
    return sum(team.urgencies[0].depth for team in teams)


@router.get("/teams/{team}")
async def team_page(request: Request, screen: AScreen, team: TeamPath) -> HTMLResponse:
    """Show what waits for a team, in order, and room to read one ticket beside it."""
    service, profile = screen.service, screen.profile
    stands = await team_of(service, profile, team)
    check_team(screen.me, profile.org, team)
    asked, now = Filter.read(request.query_params), clock()
    if asked == Filter() and not service.lists.warm(profile.org, team):
        rows, total = await _first(screen, team, now), stands.depth
    else:
        rows = await service.lists.filtered(profile.org, team, asked, me=screen.me.name, now=now)
        total = len(rows)
    await audit_list(request, (row.id for row in rows[:FIRST]))
    muted = await service.muted.among(profile.org, rows[:FIRST], now=now)
    name = name_of(profile, team)
    return screen.page(
        "queue.html",
        team=stands,
        team_name=name,
        rows=rows[:FIRST],
        muted=muted,
        total=total,
        asked=asked,
        narrowed=asked != Filter(),
        channels=CHANNELS,
        langs=LANGS,
        answers=of_org(service.answers, profile.org),
        now=now,
        settings=screen.settings(
            page="queue",
            team=team,
            rows=screen.address(f"/teams/{team}/rows"),
            ids=screen.address(f"/teams/{team}/ids"),
            total=total,
            critical=stands.urgencies[0].depth,
        ),
    )


async def _first(screen: Screen, team: str, now: datetime) -> Sequence[Row]:
    """Give the first lines of a queue that nobody looked at yet: the whole takes a second."""
    service = screen.service
    found = await service.pools.desk(
        service.queue.list, screen.profile.org, team, now=now, limit=FIRST
    )
    return [row for row in map(row_of, found) if Filter().keeps(row, screen.me.name, now)]


@router.get("/teams/{team}/rows")
async def team_rows(
    request: Request,
    screen: AScreen,
    team: TeamPath,
    start: Annotated[int, Query(alias="from", ge=0, le=1_000_000)] = 0,
    count: Annotated[int, Query(ge=1, le=WINDOW)] = 50,
    anchor: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Give a window of the list as lines of HTML, and where ``anchor`` stands in it now."""
    service, profile, now = screen.service, screen.profile, clock()
    check_team(screen.me, profile.org, team)
    asked = Filter.read(request.query_params)
    rows = await service.lists.filtered(profile.org, team, asked, me=screen.me.name, now=now)
    at = next((place for place, row in enumerate(rows) if row.id == anchor), -1) if anchor else -1
    window = rows[start : start + count]
    renewed = await service.lists.renewed(window, now=now)
    await audit_list(request, (row.id for row in window))
    muted = await service.muted.among(profile.org, window, now=now)
    lines = _lines(screen, [renewed.get(row.id, row) for row in window], now, muted)
    return _json({"total": len(rows), "from": start, "at": at, "rows": lines})


def _lines(
    screen: Screen, rows: Sequence[Row], now: datetime, muted: frozenset[str]
) -> list[dict[str, Any]]:
    macro = screen.service.templates.get_template("_row.html").module.line  # type: ignore[attr-defined] # made by Jinja
    return [
        {
            "id": row.id,
            "version": row.version,
            "urgency": row.urgency.value,
            "html": str(macro(row, now, screen.t, screen.me.name, row.id in muted)),
        }
        for row in rows
    ]


@router.get("/teams/{team}/ids")
async def team_ids(request: Request, screen: AScreen, team: TeamPath) -> Response:
    """Name all tickets that a filter keeps, in order."""
    check_team(screen.me, screen.profile.org, team)
    asked, now = Filter.read(request.query_params), clock()
    rows = await screen.service.lists.filtered(
        screen.profile.org, team, asked, me=screen.me.name, now=now, fresh=True
    )
    return _json({"ids": [row.id for row in rows]})


def _json(data: object) -> Response:
    return Response(orjson.dumps(data), media_type="application/json")
