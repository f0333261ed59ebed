"""What people do to tickets.

An action is stored in the queue and its event in the store's outbox, in one atomic step; before
the answer the relay brings it to the outcomes log as well (``Publisher.flush``). When the log does
not answer the action stands all the same, and the relay brings it later.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from triage.errors import Conflict, NotFound
from triage.queue import Change
from triage.route import Profile
from triage.ticket import Ticket, Urgency, org_of
from triage.web.audit import audit, audit_list
from triage.web.background import clock
from triage.web.due import due_of, on_duty
from triage.web.handed import team_asked
from triage.web.identity import Identity, Scope, SignedIn, acting, check_team, needs
from triage.web.models import (
    ClaimedOut,
    ClaimedTicketOut,
    ClaimRequest,
    ConfirmRequest,
    CorrectRequest,
    EscalateRequest,
    MergeRequest,
    ReassignRequest,
    ReleaseRequest,
    RenewRequest,
    ResolveRequest,
    SplitRequest,
    TicketOut,
    ticket_out,
)
from triage.web.problems import Fault, Problem, wrong
from triage.web.queues import TeamPath, TicketPath, team_of
from triage.web.state import AProfile, AService, Service, profile_of

router: Final = APIRouter(prefix="/api/v1")

_T = TypeVar("_T")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to do something, and who asks."""

    http: Request
    me: Identity
    #: Names the request: one sent again gets its first answer again.
    id: str
    #: ``ticket.claim``, as the record names it.
    action: str


async def _asked(
    request: Request,
    me: Annotated[Identity, Depends(needs(Scope.TICKETS_ACT))],
    idempotency_key: Annotated[
        str | None,
        Header(
            description=(
                "Kies er een per handeling: wie na een verbroken verbinding hetzelfde nog eens "
                "stuurt, krijgt het eerste antwoord en er gebeurt niets dubbel. Geldt tien minuten."
            ),
            examples=["7f8b0c1e"],
        ),
    ] = None,
) -> Asked:
    """Name a request: by the caller's own key where it gave one, else by a random id."""
    action = request.scope["route"].path.rpartition("/")[2]
    return Asked(
        http=request,
        me=me,
        id=_request_id(f"{action}\x00{me.subject}", idempotency_key),
        action=f"ticket.{action}",
    )


def _request_id(what: str, key: str | None) -> str:
    if key is None:
        return uuid.uuid4().hex
    if not _KEY.fullmatch(key):
        raise wrong("Idempotency-Key", "geen 1 tot 200 tekens zonder spaties")
    return hashlib.sha256(f"{what}\x00{key}".encode()).hexdigest()


Act = Annotated[Asked, Depends(_asked)]


# -- claims --------------------------------------------------------------------------------------


@router.post(
    "/queues/{team}/claim",
    tags=["wachtrijen"],
    summary="Het volgende ticket oppakken",
    operation_id="claim_next",
    responses={204: {"description": "Er ligt niets dat vrij is."}},
    response_model=ClaimedTicketOut,
)
async def claim_next(
    service: AService, profile: AProfile, team: TeamPath, body: ClaimRequest, act: Act
) -> ClaimedTicketOut | Response:
    """Pak het eerste vrije ticket van een team op."""
    if team not in profile.teams:
        await team_of(service, profile, team)
    check_team(act.me, profile.org, team)
    ticket = await service.pools.desk(
        service.queue.claim_next,
        profile.org,
        team,
        owner=acting(act.me, body.owner),
        seconds=body.seconds or service.config.lease_seconds,
        now=clock(),
        request=act.id,
    )
    if ticket is None:
        return Response(status_code=204)
    await audit(act.http, act.action, ticket.id)
    return _claimed(ticket)


@router.post("/tickets/{ticket}/claim", tags=["tickets"], summary="Oppakken", operation_id="claim")
async def claim(
    service: AService, ticket: TicketPath, body: ClaimRequest, act: Act
) -> ClaimedTicketOut:
    """Pak een ticket op: tot `until` is het van `owner`, die met `token` handelt."""
    claimed = await perform(
        service,
        act,
        ticket,
        service.queue.claim,
        owner=acting(act.me, body.owner),
        seconds=body.seconds or service.config.lease_seconds,
    )
    return _claimed(claimed)


@router.post(
    "/tickets/{ticket}/renew", tags=["tickets"], summary="Claim verlengen", operation_id="renew"
)
async def renew(service: AService, ticket: TicketPath, body: RenewRequest, act: Act) -> ClaimedOut:
    """Verleng een claim die nog geldt."""
    kept = await perform(
        service,
        act,
        ticket,
        service.queue.renew,
        token=body.token,
        seconds=body.seconds or service.config.lease_seconds,
    )
    return ClaimedOut(token=kept.token, owner=kept.owner, until=kept.until)


@router.post(
    "/tickets/{ticket}/release",
    tags=["tickets"],
    summary="Claim teruggeven",
    operation_id="release",
    status_code=204,
)
async def release(service: AService, ticket: TicketPath, body: ReleaseRequest, act: Act) -> None:
    """Geef een claim terug; het ticket blijft liggen waar het lag."""
    await perform(service, act, ticket, service.queue.release, token=body.token)


# -- outcomes ------------------------------------------------------------------------------------


@router.post(
    "/tickets/{ticket}/resolve", tags=["tickets"], summary="Afhandelen", operation_id="resolve"
)
async def resolve(
    service: AService, ticket: TicketPath, body: ResolveRequest, act: Act
) -> TicketOut:
    """Sluit een ticket; dat vraagt om de claim, ook als die net verlopen is."""
    change = Change(outcome=body.outcome, note=body.note, reply=body.reply, link=body.link)
    return await decide(service, act, ticket, service.queue.resolve, change, body)


@router.post(
    "/tickets/{ticket}/correct", tags=["tickets"], summary="Verbeteren", operation_id="correct"
)
async def correct(
    service: AService, ticket: TicketPath, body: CorrectRequest, act: Act
) -> TicketOut:
    """Zet onderwerp, urgentie of bedoeling recht; een andere urgentie geeft een nieuwe tijd.

    De tijd telt vanaf de ontvangst van het bericht. Is het ticket opgepakt, dan is `token` nodig.
    """
    if body.topic is None and body.urgency is None and body.intent is None:
        raise wrong("", "geef minstens een van topic, urgency en intent")
    if body.topic is not None:
        known_topic(profile_of(service, org_of(ticket)), body.topic)
    urgency = Urgency(body.urgency) if body.urgency else None
    due_at = None
    if urgency:
        due_at = due_of(await read_ticket(service, ticket), urgency, service)
    change = Change(
        topic=body.topic, urgency=urgency, intent=body.intent, due_at=due_at, note=body.note
    )
    return await decide(service, act, ticket, service.queue.correct, change, body)


@router.post(
    "/tickets/{ticket}/reassign", tags=["tickets"], summary="Overdragen", operation_id="reassign"
)
async def reassign(
    service: AService, ticket: TicketPath, body: ReassignRequest, act: Act
) -> TicketOut:
    """Geef een ticket aan een ander team; de claim eindigt, de tijd loopt door."""
    known_team(profile_of(service, org_of(ticket)), body.team)
    change = Change(team=body.team, note=body.note)
    return await decide(service, act, ticket, service.queue.reassign, change, body)


@router.post(
    "/tickets/{ticket}/escalate", tags=["tickets"], summary="Escaleren", operation_id="escalate"
)
async def escalate(
    service: AService, ticket: TicketPath, body: EscalateRequest, act: Act
) -> TicketOut:
    """Maak een ticket kritiek.

    De tijd telt vanaf nu. Is het team dicht, dan gaat het ticket naar de nachtdienst.
    """
    profile = profile_of(service, org_of(ticket))
    if body.team is not None:
        known_team(profile, body.team)
    stands = await read_ticket(service, ticket)
    now = clock()
    team = on_duty(profile, body.team or stands.team, now)
    change = Change(
        team=team,
        urgency=Urgency.KRITIEK,
        due_at=profile.due(Urgency.KRITIEK, team, now),
        note=body.note,
    )
    return await decide(service, act, ticket, service.queue.escalate, change, body)


# -- bundles -------------------------------------------------------------------------------------


@router.get(
    "/tickets/{ticket}/members",
    tags=["bundels"],
    summary="Berichten in een bundel",
    operation_id="members",
    dependencies=[Depends(needs(Scope.TICKETS_READ))],
)
async def members(
    request: Request,
    service: AService,
    me: SignedIn,
    ticket: TicketPath,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
    replies: Annotated[
        bool | None, Query(description="Alleen reacties, of alleen kopieën.")
    ] = None,
) -> list[TicketOut]:
    """Geef de berichten in een ticket, zonder het eerste zelf: kopieën, dan reacties."""
    check_team(me, org_of(ticket), (await read_ticket(service, ticket)).team)
    found = await service.pools.desk(
        service.queue.members, ticket, now=clock(), limit=limit, offset=offset, replies=replies
    )
    await audit_list(request, (member.id for member in found))
    return [ticket_out(member) for member in found]


@router.post(
    "/tickets/{ticket}/split", tags=["bundels"], summary="Uit de bundel halen", operation_id="split"
)
async def split(service: AService, ticket: TicketPath, body: SplitRequest, act: Act) -> TicketOut:
    """Haal berichten uit een bundel; samen krijgen ze een eigen ticket, en ze blijven apart."""
    return await _regroup(service, act, ticket, service.queue.split, body)


@router.post(
    "/tickets/{ticket}/merge", tags=["bundels"], summary="Samenvoegen", operation_id="merge"
)
async def merge(service: AService, ticket: TicketPath, body: MergeRequest, act: Act) -> TicketOut:
    """Bundel andere tickets, die niemand heeft opgepakt, in dit ticket."""
    return await _regroup(service, act, ticket, service.queue.merge, body)


async def _regroup(
    service: Service,
    act: Asked,
    ticket: str,
    action: Callable[..., Ticket],
    body: SplitRequest | MergeRequest,
) -> TicketOut:
    if act.me.teams is not None:
        for other in body.tickets:
            check_team(act.me, org_of(other), (await read_ticket(service, other)).team)
    if len({ticket, *body.tickets}) <= len(body.tickets):
        raise wrong("tickets", "elk ticket een keer, en niet het ticket zelf")
    await audit(act.http, act.action, *body.tickets)
    by = acting(act.me, body.owner)
    decided = await perform(service, act, ticket, action, body.tickets, token=body.token, by=by)
    await service.publisher.flush()
    return ticket_out(decided)


def known_team(profile: Profile, team: str) -> None:
    """Refuse a team that the profile does not know. Raises Problem 422."""
    if team not in profile.teams:
        raise wrong("team", "onbekend team")


def known_topic(profile: Profile, topic: str) -> None:
    """Refuse a topic that the profile does not know. Raises Problem 422."""
    if topic not in profile.topics:
        raise wrong("topic", "onbekend onderwerp")


# -- the way to the store ------------------------------------------------------------------------


async def read_ticket(service: Service, ticket: str) -> Ticket:
    """Read a ticket. Raises NotFound."""
    profile_of(service, org_of(ticket))
    return await service.pools.desk(service.queue.get, ticket, now=clock())


async def perform(
    service: Service,
    act: Asked,
    ticket: str,
    action: Callable[..., _T],
    *given: Any,  # noqa: ANN401 - as the action takes them
    **more: Any,  # noqa: ANN401 - the same
) -> _T:
    """Run an action that is in the record; a conflict tells who has the ticket."""
    profile_of(service, org_of(ticket))
    if act.me.teams is not None:
        stands = await read_ticket(service, ticket)
        check_team(act.me, stands.org, team_asked(stands, act.action, more.get("by")))
    await audit(act.http, act.action, ticket)
    try:
        answer = await service.pools.desk(
            action, ticket, *given, now=clock(), request=act.id, **more
        )
    except Conflict as error:
        await audit(act.http, f"{act.action}.refused", ticket)
        raise await _conflict(service, ticket, error) from None
    if isinstance(answer, Ticket):
        service.lists.changed(answer)
    return answer


async def decide(
    service: Service,
    act: Asked,
    ticket: str,
    action: Callable[..., Ticket],
    change: Change,
    body: ResolveRequest | CorrectRequest | ReassignRequest | EscalateRequest | ConfirmRequest,
) -> TicketOut:
    """Run an action that ends in the outcomes log, and see that it gets there."""
    by, change = acting(act.me, body.owner), replace(change, role=act.me.role)
    decided = await perform(service, act, ticket, action, change, token=body.token, by=by)
    await service.publisher.flush()
    return ticket_out(decided)


async def _conflict(service: Service, ticket: str, error: Conflict) -> Problem:
    holder = None
    try:
        claim = (await read_ticket(service, ticket)).claim
    except NotFound:
        claim = None
    if claim:
        holder = {"owner": claim.owner, "until": claim.until}
    errors = [Fault(field=field, reason="intussen veranderd") for field in error.fields]
    return Problem(409, error.code, errors=errors, code=error.code, holder=holder)


def _claimed(ticket: Ticket) -> ClaimedTicketOut:
    claim = ticket.claim
    if claim is None:  # an answer given again: the lease ended since
        raise Problem(409, "not-claimed", code="not-claimed", holder=None)
    return ClaimedTicketOut(
        claim=ClaimedOut(token=claim.token, owner=claim.owner, until=claim.until),
        ticket=ticket_out(ticket),
    )
