"""Muting authors: what they send for a while is not put before people, unless it cannot wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from triage.errors import Conflict, NotFound
from triage.post import Author, Post
from triage.queue import UNDO_SECONDS, Mute
from triage.route import Profile
from triage.ticket import ORG, Ticket, org_of
from triage.web.audit import audit, audit_list
from triage.web.background import clock
from triage.web.identity import Identity, Scope, SignedIn, acting, check_team, needs
from triage.web.models import Note, Owner, RequestIn, TicketOut, ticket_out
from triage.web.problems import Problem, wrong
from triage.web.queues import TicketPath
from triage.web.state import AProfile, AService, Service, profile_of
from triage.web.tickets import Act, perform, read_ticket

router: Final = APIRouter(prefix="/api/v1")

#: Tickets that one request opens again, at most.
BACK_LIMIT: Final = 200
MutePath = Annotated[
    str,
    Path(
        description="Het id van een demping.",
        examples=["gemeente.1f3d5b7a9c0e2f4a6b8d"],
        pattern=rf"^{ORG.pattern}\.[0-9a-f]{{1,64}}$",
    ),
]


class MuteRequest(RequestIn):
    """De afzender van een ticket dempen."""

    owner: Owner | None = None
    days: Annotated[Literal[1, 7, 30], Field(description="Hoe lang, in dagen.", examples=[7])]
    reason: Annotated[
        Literal["spam", "anders"],
        Field(description="Waarom; bij `anders` staat het in `words`.", examples=["spam"]),
    ]
    words: Note | None = None


class EndMuteRequest(RequestIn):
    """Een demping opheffen."""

    owner: Owner | None = None
    bring_back: Annotated[
        bool | None,
        Field(
            description=(
                "Ook weer openen wat gedempt is. Zonder: ja voor wie binnen tien seconden "
                "terugneemt wat hij net deed, anders nee."
            ),
            examples=[True],
        ),
    ] = None
    offset: Annotated[
        int, Field(ge=0, le=10_000_000, description="`next` van het vorige antwoord.", examples=[0])
    ] = 0


class MuteOut(BaseModel):
    """Een demping. Wie gedempt is, staat in het ticket."""

    id: Annotated[str, Field(examples=["gemeente.1f3d5b7a9c0e2f4a6b8d"])]
    ticket: Annotated[
        str,
        Field(description="Waar de afzender gedempt werd.", examples=["gemeente.lyd75vaw3bgzowvj"]),
    ]
    team: str
    by: str
    at: datetime
    until: datetime
    reason: Annotated[str, Field(examples=["spam"])]
    words: Annotated[str, Field(description="De toelichting; leeg: geen.")]
    stands: Annotated[bool, Field(description="Geldt hij nu.")]
    ended_at: Annotated[datetime | None, Field(description="Wanneer hij met de hand ophield.")]
    ended_by: str
    taken: Annotated[int, Field(description="Hoeveel tickets er gedempt zijn.")]


class MutesOut(BaseModel):
    """De dempingen van een organisatie, de nieuwste eerst."""

    org: str
    mutes: list[MuteOut]


class MuteEndedOut(BaseModel):
    """Een opgeheven demping, en wat er weer open staat."""

    mute: MuteOut
    brought_back: Annotated[int, Field(description="Tickets die nu weer open staan.")]
    next: Annotated[
        int | None,
        Field(description="Geef dit mee als `offset` voor de rest; leeg: dat was alles."),
    ]


def mute_out(mute: Mute, now: datetime) -> MuteOut:
    """Give a mute as JSON."""
    return MuteOut(
        id=mute.id,
        ticket=mute.ticket,
        team=mute.team,
        by=mute.by,
        at=mute.at,
        until=mute.until,
        reason=mute.reason,
        words=mute.words,
        stands=mute.stands(now),
        ended_at=mute.ended_at,
        ended_by=mute.ended_by,
        taken=mute.taken,
    )


@router.post(
    "/tickets/{ticket}/mute", tags=["tickets"], summary="Afzender dempen", operation_id="mute"
)
async def mute(service: AService, ticket: TicketPath, body: MuteRequest, act: Act) -> MuteOut:
    """Demp de afzender van een ticket: wat die nog stuurt, is meteen afgehandeld als `gedempt`.

    Nooit wat kritiek of hoog is: dat staat in zijn rij als altijd. Een sleutelfiguur van het
    profiel kan niet gedempt worden. Het ticket zelf blijft zoals het is.
    """
    if body.reason == "anders" and body.words is None:
        raise wrong("words", "ontbreekt")
    stands = await read_ticket(service, ticket)
    check_team(act.me, stands.org, stands.team)
    if is_key_figure(profile_of(service, stands.org), stands):
        await audit(act.http, f"{act.action}.refused", ticket)
        raise Problem(409, "key-figure", code="key-figure", holder=None)
    done = await perform(
        service,
        act,
        ticket,
        service.queue.mute,
        until=clock() + timedelta(days=body.days),
        reason=body.reason,
        words=body.words or "",
        by=acting(act.me, body.owner),
    )
    service.muted.forget(stands.org)
    await service.publisher.flush()
    return mute_out(done, clock())


def is_key_figure(profile: Profile, ticket: Ticket) -> bool:
    """Tell whether a key figure wrote the post of a ticket, also of one that was withdrawn."""
    said = ticket.post.get("author") or {}
    author = Author(id=str(said.get("id") or ""), name=str(said.get("name") or ""))
    post = Post(id=ticket.id, text="", created_at=ticket.created_at, author=author)
    return profile.is_key_figure(post)


@router.get(
    "/mutes",
    tags=["dempingen"],
    summary="Alle dempingen",
    operation_id="mutes",
    dependencies=[Depends(needs(Scope.EXPORT_READ))],
)
async def mutes(service: AService, me: SignedIn, profile: AProfile) -> MutesOut:
    """Geef wie gedempt is en was: vanaf welk ticket, door wie, tot wanneer, en hoeveel het nam."""
    found, now = await mutes_of(service, me, profile.org), clock()
    return MutesOut(org=profile.org, mutes=[mute_out(one, now) for one in found])


@router.get(
    "/mutes/{mute}/tickets",
    tags=["dempingen"],
    summary="Wat een demping nam",
    operation_id="muted_tickets",
    dependencies=[Depends(needs(Scope.EXPORT_READ))],
)
async def muted_tickets(
    request: Request,
    service: AService,
    me: SignedIn,
    mute: MutePath,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[TicketOut]:
    """Geef de tickets die een demping nam, de laatste eerst."""
    found = await find_mute(service, me, mute)
    tickets = await taken(service, me, found, limit=limit, offset=offset)
    await audit_list(request, (ticket.id for ticket in tickets))
    return [ticket_out(ticket) for ticket in tickets]


@router.post(
    "/mutes/{mute}/end", tags=["dempingen"], summary="Demping opheffen", operation_id="end_mute"
)
async def end(service: AService, mute: MutePath, body: EndMuteRequest, act: Act) -> MuteEndedOut:
    """Hef een demping op; wie hem instelde mag dat, en een teamleider.

    Met `bring_back` gaat ook open wat gedempt is en wat niemand sindsdien heeft behandeld, 200
    tickets per verzoek: ga door met `next`. Dat kan ook nog later.
    """
    found = await find_mute(service, act.me, mute)
    by, now = acting(act.me, body.owner), clock()
    if found.by != by and Scope.EXPORT_READ not in act.me.scopes:
        raise Problem(403, "not-your-mute")
    at_once = found.by == by and now - found.at <= timedelta(seconds=UNDO_SECONDS)
    back = at_once if body.bring_back is None else body.bring_back
    await audit(act.http, "mute.end", mute, found.ticket)
    ended = await service.pools.desk(service.queue.unmute, mute, by=by, now=now, request=act.id)
    service.muted.forget(org_of(mute))
    brought: list[Ticket] = []
    more = None
    if back:
        names = await service.pools.desk(
            service.queue.taken_by, mute, limit=BACK_LIMIT, offset=body.offset
        )
        await audit(act.http, "mute.bring-back", *names)
        run = _Back(service=service, me=act.me, by=by, mute=mute, request=act.id)
        brought = await service.pools.desk(run.all, names)
        more = body.offset + BACK_LIMIT if len(names) == BACK_LIMIT else None
    for ticket in brought:
        service.lists.changed(ticket)
    await service.publisher.flush()
    return MuteEndedOut(mute=mute_out(ended, clock()), brought_back=len(brought), next=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Back:
    """Opens what a mute took; each ticket by itself, so that a repeat does nothing."""

    service: Service
    me: Identity
    by: str
    mute: str
    request: str

    def all(self, tickets: Sequence[str]) -> list[Ticket]:
        """Open those that still stand as it left them."""
        return [found for ticket in tickets if (found := self._one(ticket)) is not None]

    def _one(self, ticket: str) -> Ticket | None:
        queue, now = self.service.queue, clock()
        try:
            stands = queue.get(ticket, now=now)
            if not self.me.may_work(stands.org, stands.team):
                return None
            request = f"{self.request}:{ticket}"
            return queue.bring_back(ticket, self.mute, by=self.by, now=now, request=request)
        except (Conflict, NotFound):
            return None


# -- what pages need too -------------------------------------------------------------------------


async def mutes_of(service: Service, me: Identity, org: str) -> list[Mute]:
    """Give the mutes of the teams that somebody works for, newest first."""
    found = await service.pools.desk(service.queue.mutes, org)
    return [mute for mute in found if me.may_work(org, mute.team)]


async def find_mute(service: Service, me: Identity, mute: str) -> Mute:
    """Give one of them. Raises NotFound."""
    org = profile_of(service, org_of(mute)).org
    found = next((one for one in await mutes_of(service, me, org) if one.id == mute), None)
    if found is None:
        raise NotFound("deze demping bestaat niet (meer)", code="no-mute")
    return found


async def taken(
    service: Service, me: Identity, mute: Mute, *, limit: int, offset: int = 0
) -> list[Ticket]:
    """Give what a mute took, as far as somebody may see it."""

    def read() -> list[Ticket]:
        found = service.queue.taken_by(mute.id, limit=limit, offset=offset)
        return [ticket for name in found if (ticket := _get(service, name)) is not None]

    tickets: list[Ticket] = await service.pools.desk(read)
    return [ticket for ticket in tickets if me.may_work(ticket.org, ticket.team)]


def _get(service: Service, ticket: str) -> Ticket | None:
    try:
        return service.queue.get(ticket, now=clock())
    except NotFound:  # retention took it
        return None


async def tickets_of(service: Service, mutes: list[Mute]) -> dict[str, Any]:
    """Give the tickets from which people were muted, by id; without those that are gone."""

    def read() -> dict[str, Ticket]:
        found = {mute.ticket: _get(service, mute.ticket) for mute in mutes}
        return {name: ticket for name, ticket in found.items() if ticket is not None}

    return dict(await service.pools.desk(read))
