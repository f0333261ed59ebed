"""What people do to a ticket.

A decision (resolve, correct, reassign, escalate) is on disk in the store, with its event in the
outbox, before its 200; and in the outcomes log too, unless that does not answer (see ``outbox``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from triage.errors import Conflict, InvalidPost, NotFound
from triage.post import Post
from triage.profiles import INTENTS, TOPICS
from triage.queue import Change
from triage.route import Profile
from triage.ticket import UNKNOWN, URGENCIES, Ticket, Urgency, org_of
from triage.web.auth import Actor, Reader
from triage.web.context import Context, Ctx
from triage.web.openapi import errors
from triage.web.problems import Problem, wrong
from triage.web.queues import check_team
from triage.web.requests import IdempotencyKey, request_id
from triage.web.schemas import (
    ClaimBody,
    ClaimOut,
    CorrectBody,
    EscalateBody,
    ReassignBody,
    ReleaseBody,
    RenewBody,
    ResolveBody,
    TicketOut,
    claim_out,
    ticket_out,
)

router: Final = APIRouter(prefix="/api/v1/tickets/{ticket}", tags=["tickets"])
TicketId = Annotated[str, Path(max_length=120, examples=["gemeente.lyd75vaw3bgzowvj"])]
_ERRORS: Final = errors(400, 401, 403, 404, 409, 415, 422, 429, 503)


@router.get("", summary="Eén ticket, met zijn geschiedenis", responses=errors(
    401, 403, 404, 422, 429, 503
))
def read(ticket: TicketId, context: Ctx, _: Reader) -> TicketOut:
    """Give one ticket."""
    return ticket_out(_get(context, ticket))


@router.post("/claim", summary="Pak dit ticket op", responses=_ERRORS)
def claim(
    ticket: TicketId, body: ClaimBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> TicketOut:
    """Lease this ticket; the answer holds the token that later actions need."""
    _profile(context, ticket)
    with _Holder(context, ticket):
        claimed = context.queue.claim(
            ticket,
            owner=body.owner,
            seconds=body.seconds or context.config.lease_seconds,
            now=context.clock(),
            request=request_id(caller, "claim", ticket, key),
        )
    return ticket_out(claimed, fenced=True)


@router.post("/renew", summary="Houd dit ticket langer", responses=_ERRORS)
def renew(
    ticket: TicketId, body: RenewBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> ClaimOut:
    """Prolong a lease from now on."""
    _profile(context, ticket)
    with _Holder(context, ticket):
        lease = context.queue.renew(
            ticket,
            token=body.token,
            seconds=body.seconds or context.config.lease_seconds,
            now=context.clock(),
            request=request_id(caller, "renew", ticket, key),
        )
    return claim_out(lease, fenced=True)


@router.post("/release", summary="Geef dit ticket terug", status_code=204, responses=_ERRORS)
def release(
    ticket: TicketId, body: ReleaseBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> Response:
    """End a lease; the ticket keeps its place in the queue."""
    _profile(context, ticket)
    with _Holder(context, ticket):
        context.queue.release(
            ticket,
            token=body.token,
            now=context.clock(),
            request=request_id(caller, "release", ticket, key),
        )
    return Response(status_code=204)


@router.post("/resolve", summary="Handel dit ticket af", responses=_ERRORS)
def resolve(
    ticket: TicketId, body: ResolveBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> TicketOut:
    """Close a ticket; needs the token of its claim."""
    _profile(context, ticket)
    change = Change(outcome=body.outcome, note=body.note or None)
    return _decide(
        context,
        ticket,
        context.queue.resolve,
        change,
        token=body.token,
        by=body.by,
        request=request_id(caller, "resolve", ticket, key),
    )


@router.post("/correct", summary="Verbeter onderwerp, urgentie of bedoeling", responses=_ERRORS)
def correct(
    ticket: TicketId, body: CorrectBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> TicketOut:
    """Set what the model got wrong; another urgency gives another due time."""
    profile = _profile(context, ticket)
    if body.topic is None and body.urgency is None and body.intent is None:
        raise wrong("", "noem topic, urgency of intent")
    if body.topic is not None and body.topic not in {*TOPICS, UNKNOWN}:
        raise wrong("topic", "onbekend onderwerp")
    if body.intent is not None and body.intent not in INTENTS:
        raise wrong("intent", "onbekende bedoeling")
    if body.urgency is not None and body.urgency not in URGENCIES:
        raise wrong("urgency", "onbekende urgentie")
    urgency = Urgency(body.urgency) if body.urgency else None
    due_at = None
    if urgency is not None:
        now = _get(context, ticket)
        due_at = due_of(profile, now, urgency, now.team, context.clock())
    change = Change(
        topic=body.topic,
        urgency=urgency,
        intent=body.intent,
        due_at=due_at,
        note=body.note or None,
    )
    return _decide(
        context,
        ticket,
        context.queue.correct,
        change,
        token=body.token,
        by=body.by,
        request=request_id(caller, "correct", ticket, key),
    )


@router.post("/reassign", summary="Geef dit ticket aan een ander team", responses=_ERRORS)
def reassign(
    ticket: TicketId, body: ReassignBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> TicketOut:
    """Move a ticket; the citizen's waiting does not start again, it counts from receipt."""
    profile = _profile(context, ticket)
    check_team(profile, body.team)
    now = _get(context, ticket)
    due_at = due_of(profile, now, now.urgency, body.team, context.clock())
    return _decide(
        context,
        ticket,
        context.queue.reassign,
        Change(team=body.team, due_at=due_at, note=body.note or None),
        token=body.token,
        by=body.by,
        request=request_id(caller, "reassign", ticket, key),
    )


@router.post("/escalate", summary="Maak dit ticket kritiek", responses=_ERRORS)
def escalate(
    ticket: TicketId, body: EscalateBody, context: Ctx, caller: Actor, key: IdempotencyKey = None
) -> TicketOut:
    """Raise a ticket to critical; while its team is closed the night team gets it."""
    profile = _profile(context, ticket)
    now, at = _get(context, ticket), context.clock()
    team = now.team
    found = profile.teams.get(team)
    if found and Urgency.KRITIEK in found.night and not found.hours.is_open(at):
        team = profile.night_team(team)
    change = Change(
        team=team if team != now.team else None,
        urgency=Urgency.KRITIEK,
        due_at=due_of(profile, now, Urgency.KRITIEK, team, at),
        note=body.note or None,
    )
    return _decide(
        context,
        ticket,
        context.queue.escalate,
        change,
        token=body.token,
        by=body.by,
        request=request_id(caller, "escalate", ticket, key),
    )


def due_of(
    profile: Profile, ticket: Ticket, urgency: Urgency, team: str, now: datetime
) -> datetime | None:
    """Give the due time of a ticket that people changed; None where the team is unknown.

    More urgent: the team gets its time from now, but never more than it had. Otherwise the time
    counts from receipt, since the citizen has waited since then.
    """
    try:
        post = Post.from_mapping(ticket.post, received_at=ticket.created_at)
    except InvalidPost:  # masked
        post = None
    try:
        if urgency.rank < ticket.urgency.rank:
            return min(profile.due(urgency, team, now, post=post), ticket.due_at)
        if (urgency, team) == (ticket.urgency, ticket.team):
            return None
        return profile.due(urgency, team, ticket.created_at, post=post)
    except NotFound:
        return None


def _decide(  # noqa: PLR0913 - who decides what, under which token and request
    context: Context,
    ticket: str,
    act: Callable[..., Ticket],
    change: Change,
    *,
    token: int | None,
    by: str,
    request: str,
) -> TicketOut:
    with _Holder(context, ticket):
        done = act(ticket, change, token=token, by=by, now=context.clock(), request=request)
    context.outbox.flush()
    return ticket_out(done)


class _Holder:
    """Adds to a refusal who has the ticket."""

    def __init__(self, context: Context, ticket: str) -> None:
        self._context = context
        self._ticket = ticket

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Conflict):
            return
        holder: dict[str, Any] | None = None
        try:
            lease = self._context.queue.get(self._ticket, now=self._context.clock()).claim
        except NotFound:
            lease = None
        if lease is not None:
            holder = {"owner": lease.owner, "until": lease.until.isoformat()}
        raise Problem(409, str(error), code=error.code, holder=holder) from None


def _profile(context: Context, ticket: str) -> Profile:
    """Give the profile of the organisation that a ticket's id names. Raises a 404."""
    return context.profile(org_of(ticket))


def _get(context: Context, ticket: str) -> Ticket:
    _profile(context, ticket)
    return context.queue.get(ticket, now=context.clock())
