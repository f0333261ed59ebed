"""The first pages: the queues of an organisation, and what waits for one team."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from triage.route import Profile
from triage.ticket import URGENCIES
from triage.web.audit import audit_list
from triage.web.background import clock
from triage.web.identity import Scope, SignedIn, check_team, needs, page_context
from triage.web.queues import TeamPath, name_of, queues_of, team_of
from triage.web.state import AProfile, AService, service_of

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ))],
)

#: Tickets on one page.
PAGE: Final = 50
#: The most characters of a text that are shown at once; the rest opens on request.
SHORT: Final = 600


@router.get("/")
async def front(request: Request, service: AService, profile: AProfile) -> HTMLResponse:
    """Show the queues of an organisation."""
    queues = await queues_of(service, profile)
    return _page(request, profile, "queues.html", queues=queues, now=queues.at)


@router.get("/teams/{team}")
async def team_page(
    request: Request,
    service: AService,
    me: SignedIn,
    profile: AProfile,
    team: TeamPath,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    """Show what waits for a team, in order of due time."""
    now = clock()
    stands = await team_of(service, profile, team)
    check_team(me, profile.org, team)
    tickets = await service.pools.desk(
        service.queue.list, profile.org, team, now=now, limit=PAGE, offset=offset
    )
    await audit_list(request, (ticket.id for ticket in tickets))
    return _page(
        request,
        profile,
        "team.html",
        team=stands,
        team_name=name_of(profile, team),
        tickets=tickets,
        offset=offset,
        page=PAGE,
        short=SHORT,
        now=now,
    )


def _page(
    request: Request,
    profile: Profile,
    template: str,
    **more: Any,  # noqa: ANN401 - what the template shows
) -> HTMLResponse:
    service = service_of(request)

    def address(path: str, **query: object) -> str:
        """Give the address of a page of this organisation."""
        if profile.org != service.config.default_org:
            query["org"] = profile.org
        known = {name: value for name, value in query.items() if value}
        return quote(path) + (f"?{urlencode(known)}" if known else "")

    html = service.templates.get_template(template).render(
        profile=profile,
        profiles=service.profiles,
        default_org=service.config.default_org,
        urgencies=URGENCIES,
        address=address,
        **page_context(request),
        **more,
    )
    return HTMLResponse(html)


# -- filters -------------------------------------------------------------------------------------

_MINUTES_A_DAY: Final = 24 * 60
_MINUTES_AN_HOUR: Final = 60


def until(due: datetime, now: datetime) -> str:
    """Tell how long is left until a due time, or how long it is past.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    >>> until(now + timedelta(minutes=12), now), until(now - timedelta(hours=26), now)
    ('nog 12 min', '1 d 2 u te laat')
    """
    late = due < now
    minutes = int(abs((due - now).total_seconds()) // 60)
    span = _span(minutes)
    return f"{span} te laat" if late else f"nog {span}"


def _span(minutes: int) -> str:
    days, rest = divmod(minutes, _MINUTES_A_DAY)
    hours, left = divmod(rest, _MINUTES_AN_HOUR)
    if days:
        return f"{days} d {hours} u" if hours else f"{days} d"
    if hours:
        return f"{hours} u {left} min" if left else f"{hours} u"
    return f"{left} min" if left else "minder dan een minuut"


def local(at: datetime, zone: ZoneInfo) -> str:
    """Give a time as people there read it.

    >>> from datetime import UTC
    >>> local(datetime(2026, 3, 2, 9, 5, tzinfo=UTC), ZoneInfo("Europe/Amsterdam"))
    'ma 2 mrt 10:05'
    """
    there = at.astimezone(zone)
    return f"{_DAYS[there.weekday()]} {there.day} {_MONTHS[there.month - 1]} {there:%H:%M}"


_DAYS: Final = ("ma", "di", "wo", "do", "vr", "za", "zo")
_MONTHS: Final = (
    *("jan", "feb", "mrt", "apr", "mei", "jun"),
    *("jul", "aug", "sep", "okt", "nov", "dec"),
)


def words(key: str) -> str:
    """Show a key as words.

    >>> words("wegen-straatmeubilair")
    'wegen straatmeubilair'
    """
    return key.replace("-", " ")


FILTERS: Final[Mapping[str, Callable[..., str]]] = {"until": until, "local": local, "words": words}
