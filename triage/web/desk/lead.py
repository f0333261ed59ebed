"""The lead's view: who works on what, whether the service levels are met, and what is coming."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from triage.ticket import Urgency
from triage.web.audit import audit
from triage.web.background import clock
from triage.web.desk.activity import Tally
from triage.web.desk.forecast import agents_needed, expected, handle_seconds
from triage.web.desk.screen import AScreen, Screen
from triage.web.identity import Role, Scope, needs, requires
from triage.web.queues import name_of

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ)), Depends(requires(Role.TEAMLEIDER))],
)

#: Hours that are looked back and ahead.
BACK: Final = 24
AHEAD: Final = 8
#: Corrections that are shown.
CORRECTIONS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamLine:
    """A team over the last hours."""

    key: str
    name: str
    tally: Tally
    people: Sequence[str]

    @property
    def level(self) -> float | None:
        """The part that was handled in time; None where nothing was handled."""
        handled = self.tally.met + self.tally.missed
        return self.tally.met / handled if handled else None


@router.get("/sturing")
async def lead(screen: AScreen) -> HTMLResponse:
    """Show how the work goes and what is coming."""
    now = clock()
    teams = _teams(screen, now)
    total = Tally()
    for team in teams:
        total.add(team.tally)
    return screen.page(
        "lead.html",
        teams=teams,
        total=total,
        hours=_hours(screen, now),
        coming=_coming(screen, now),
        people=await _people(screen, now),
        corrections=screen.service.activity.corrections(screen.profile.org)[:CORRECTIONS],
        seconds=handle_seconds(_tallies(screen, now)),
        back=BACK,
        now=now,
        settings=screen.settings(page="lead"),
    )


@router.get("/sturing.csv")
async def export(screen: AScreen) -> Response:
    """Give the tallies per team and hour as CSV, in the words of the page."""
    await audit(screen.request, "lead.export")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    names, t = Tally.__slots__, screen.t
    headings = [t.of("tally", name) for name in names]
    writer.writerow([t("board.team"), t("lead.hour"), *headings])
    for (team, hour), tally in sorted(_tallies(screen, clock(), hours=8 * 24).items()):
        there = hour.astimezone(screen.profile.timezone)
        values = [round(getattr(tally, name)) for name in names]
        writer.writerow([name_of(screen.profile, team), f"{there:%Y-%m-%d %H:%M}", *values])
    return Response(
        text.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sturing.csv"'},
    )


def _tallies(screen: Screen, now: datetime, hours: int = BACK) -> dict[tuple[str, datetime], Tally]:
    found = screen.service.activity.hours(screen.profile.org, since=now - timedelta(hours=hours))
    org = screen.profile.org
    return {key: tally for key, tally in found.items() if screen.me.may_work(org, key[0])}


def _teams(screen: Screen, now: datetime) -> list[TeamLine]:
    tallies = _tallies(screen, now)
    people = screen.service.activity.of(screen.profile.org, now=now).people
    lines = []
    keys = [*screen.profile.teams, *sorted({team for team, _ in tallies} - {*screen.profile.teams})]
    for key in keys:
        if not screen.me.may_work(screen.profile.org, key):
            continue
        tally = Tally()
        for (team, _), one in tallies.items():
            if team == key:
                tally.add(one)
        name = name_of(screen.profile, key)
        lines.append(TeamLine(key=key, name=name, tally=tally, people=people.get(key, ())))
    return lines


def _hours(screen: Screen, now: datetime) -> list[tuple[datetime, Tally, int]]:
    """Give each hour back, oldest first, with its height in a chart of ten steps."""
    by_hour: dict[datetime, Tally] = {}
    for (_, hour), tally in _tallies(screen, now).items():
        by_hour.setdefault(hour, Tally()).add(tally)
    this = now.replace(minute=0, second=0, microsecond=0)
    found = [this - timedelta(hours=back) for back in reversed(range(BACK))]
    rows = [(hour, by_hour.get(hour) or Tally()) for hour in found]
    most = max((max(tally.arrived, tally.handled) for _, tally in rows), default=0) or 1
    return [(hour, tally, most) for hour, tally in rows]


def _coming(screen: Screen, now: datetime) -> list[dict[str, Any]]:
    activity, org = screen.service.activity, screen.profile.org
    arrivals: dict[datetime, int] = {}
    for (_, hour), tally in _tallies(screen, now, hours=8 * 24).items():
        arrivals[hour] = arrivals.get(hour, 0) + tally.arrived
    seconds, _ = handle_seconds(_tallies(screen, now))
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    levels = [team.service[Urgency.KRITIEK] for team in screen.profile.teams.values()]
    target = min(levels) * 60.0
    since, last = activity.since(org), None
    if since is not None and now - since >= timedelta(hours=1):
        arrived = activity.of(org, now=now).arrived.items()
        last = sum(count for team, count in arrived if screen.me.may_work(org, team))
    return [
        {
            "hour": hour,
            "arrivals": None if count is None else round(count),
            "agents": None if count is None else agents_needed(count, seconds, target=target),
        }
        for hour, count in expected(arrivals, start, AHEAD, since=since, last=last)
    ]


async def _people(screen: Screen, now: datetime) -> list[dict[str, Any]]:
    """Tell who has what in hand, and what each handled."""
    org, service = screen.profile.org, screen.service
    answers = service.activity.answers(org)
    working = {
        name: team
        for team, names in service.activity.of(org, now=now).people.items()
        for name in names
    }
    in_hand = dict(await _holders(screen, now))
    names = sorted({*in_hand, *working, *answers})
    return [
        {
            "name": name,
            "team": name_of(screen.profile, working[name]) if name in working else "",
            "in_hand": in_hand.get(name, 0),
            "handled": answers.get(name, 0),
        }
        for name in names
    ]


async def _holders(screen: Screen, now: datetime) -> Iterator[tuple[str, int]]:
    count: dict[str, int] = {}
    for team in screen.profile.teams:
        if not screen.me.may_work(screen.profile.org, team):
            continue
        for row in await screen.service.lists.rows(screen.profile.org, team, now=now):
            if row.held(now):
                count[row.holder] = count.get(row.holder, 0) + 1
    return iter(count.items())
