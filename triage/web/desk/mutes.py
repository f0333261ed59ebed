"""The list of mutes for leads: who, since and until when, by whom, why, and what each took."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from triage.errors import NotFound
from triage.ticket import org_of
from triage.web.audit import audit, audit_list
from triage.web.background import clock
from triage.web.desk.rows import row_of
from triage.web.desk.screen import AScreen
from triage.web.identity import Role, Scope, needs, requires
from triage.web.mutes import MutePath, find_mute, mutes_of, taken, tickets_of

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ)), Depends(requires(Role.TEAMLEIDER))],
)

#: Mutes, and tickets that one took, that are shown at most.
MUTES_SHOWN: Final = 200
TAKEN_SHOWN: Final = 200


@router.get("/dempingen")
async def mutes_page(screen: AScreen) -> HTMLResponse:
    """Show who is muted and was, by whom, until when, why, and how much it took."""
    service, now = screen.service, clock()
    found = await mutes_of(service, screen.me, screen.profile.org)
    mutes = sorted(found, key=lambda mute: not mute.stands(now))[:MUTES_SHOWN]
    tickets = await tickets_of(service, mutes)
    await audit_list(screen.request, tickets)
    rows = {name: row_of(ticket) for name, ticket in tickets.items()}
    return screen.page(
        "mutes.html",
        mutes=mutes,
        more=len(found) - len(mutes),
        rows=rows,
        now=now,
        settings=screen.settings(page="mutes"),
    )


@router.get("/dempingen/{mute}")
async def muted_page(screen: AScreen, mute: MutePath) -> HTMLResponse:
    """Show what a mute took."""
    if org_of(mute) != screen.profile.org:
        raise NotFound("deze demping bestaat niet (meer)", code="no-mute")
    found = await find_mute(screen.service, screen.me, mute)
    await audit(screen.request, "mute.view", mute)
    tickets = await taken(screen.service, screen.me, found, limit=TAKEN_SHOWN)
    await audit_list(screen.request, (ticket.id for ticket in tickets))
    return screen.page(
        "muted.html",
        mute=found,
        rows=[row_of(ticket) for ticket in tickets],
        states={ticket.id: ticket.state.value for ticket in tickets},
        more=found.taken - len(tickets),
        settings=screen.settings(page="mutes"),
    )
