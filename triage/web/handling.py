"""What the desk does besides deciding: confirm, set aside, note, reopen, take back, and in bulk."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from triage.errors import Conflict, NotFound
from triage.queue import Change
from triage.queue.checks import NOTE_LIMIT
from triage.route import Profile
from triage.ticket import Ticket, Urgency, org_of
from triage.web.audit import audit
from triage.web.background import clock
from triage.web.desk.answers import fill
from triage.web.desk.texts import Texts, spoken
from triage.web.desk.values import values_of
from triage.web.due import due_of
from triage.web.handed import own_token, team_asked
from triage.web.identity import Identity, acting
from triage.web.models import (
    AnUrgency,
    ConfirmRequest,
    FencingToken,
    Intent,
    Link,
    Note,
    Outcome,
    Owner,
    Reply,
    RequestIn,
    TeamKey,
    TicketOut,
    Topic,
    ticket_out,
)
from triage.web.problems import wrong
from triage.web.queues import TicketPath
from triage.web.state import AProfile, AService, Service
from triage.web.tickets import Act, decide, known_team, known_topic, perform

router: Final = APIRouter(prefix="/api/v1")

_MENTION: Final = re.compile(r"(?<![\w@])@([\w](?:[\w.-]{0,58}[\w])?)")
#: The most colleagues that one note names.
MENTION_LIMIT: Final = 20


#: The longest that a ticket is set aside, in seconds.
SNOOZE_LIMIT: Final = 7 * 24 * 3600
#: The most tickets of one bulk action.
BULK_LIMIT: Final = 200


class SnoozeRequest(RequestIn):
    """Een ticket even wegleggen."""

    owner: Owner | None = None
    token: FencingToken | None = None
    seconds: Annotated[
        float, Field(ge=60, le=SNOOZE_LIMIT, description="Hoe lang.", examples=[3600])
    ]


class NoteRequest(RequestIn):
    """Iets voor collega's bij een ticket zetten."""

    owner: Owner | None = None
    note: Note


class ReopenRequest(RequestIn):
    """Een afgehandeld ticket weer openen."""

    owner: Owner | None = None
    note: Note | None = None


class UndoRequest(RequestIn):
    """Terugnemen wat je net deed."""

    owner: Owner | None = None


class BulkRequest(RequestIn):
    """Met veel tickets tegelijk hetzelfde doen; geef wat bij de handeling hoort."""

    owner: Owner | None = None
    action: Annotated[
        Literal["resolve", "correct", "reassign", "confirm", "undo"], Field(examples=["resolve"])
    ]
    tickets: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=120)]],
        Field(min_length=1, max_length=BULK_LIMIT, examples=[["gemeente.lyd75vaw3bgzowvj"]]),
    ]
    outcome: Outcome | None = None
    topic: Topic | None = None
    urgency: AnUrgency | None = None
    intent: Intent | None = None
    team: TeamKey | None = None
    note: Note | None = None
    reply: Reply | None = None
    link: Link | None = None


class BulkItemOut(BaseModel):
    """Hoe het met één ticket ging."""

    ticket: str
    done: bool
    #: Why not: the code of the refusal.
    code: str | None = None
    holder: str | None = None


class BulkOut(BaseModel):
    """Hoe het met elk ticket ging, in de volgorde van de vraag."""

    done: int
    results: list[BulkItemOut]


@router.post(
    "/tickets/{ticket}/confirm", tags=["tickets"], summary="Bevestigen", operation_id="confirm"
)
async def confirm(
    service: AService, ticket: TicketPath, body: ConfirmRequest, act: Act
) -> TicketOut:
    """Zeg dat de beoordeling klopt: daar leert het volgende model van.

    Met `topic`, `urgency` en `intent` zoals die te zien waren: zijn ze intussen anders, dan 409 met
    code `labels-changed`, en welke. Zonder geldt het voor wat er nu staat.
    """
    urgency = Urgency(body.urgency) if body.urgency else None
    seen = Change(topic=body.topic, urgency=urgency, intent=body.intent, note=body.note)
    return await decide(service, act, ticket, service.queue.confirm, seen, body)


@router.post(
    "/tickets/{ticket}/snooze", tags=["tickets"], summary="Wegleggen", operation_id="snooze"
)
async def snooze(service: AService, ticket: TicketPath, body: SnoozeRequest, act: Act) -> TicketOut:
    """Leg een ticket weg tot later, of tot er iets mee gebeurt. Nooit een kritiek ticket."""
    until = clock() + timedelta(seconds=body.seconds)
    found = await perform(
        service,
        act,
        ticket,
        service.queue.snooze,
        until=until,
        token=body.token,
        by=acting(act.me, body.owner),
    )
    return ticket_out(found)


@router.post("/tickets/{ticket}/note", tags=["tickets"], summary="Notitie", operation_id="note")
async def note(service: AService, ticket: TicketPath, body: NoteRequest, act: Act) -> TicketOut:
    """Zet iets voor collega's bij een ticket; `@naam` noemt er een."""
    mentions = list(dict.fromkeys(_MENTION.findall(body.note)))[:MENTION_LIMIT]
    found = await perform(
        service,
        act,
        ticket,
        service.queue.note,
        body.note,
        by=acting(act.me, body.owner),
        mentions=mentions,
    )
    return ticket_out(found)


@router.post(
    "/tickets/{ticket}/reopen", tags=["tickets"], summary="Heropenen", operation_id="reopen"
)
async def reopen(service: AService, ticket: TicketPath, body: ReopenRequest, act: Act) -> TicketOut:
    """Open een afgehandeld ticket weer; het wacht zoals het wachtte."""
    found = await perform(
        service,
        act,
        ticket,
        service.queue.reopen,
        Change(note=body.note, role=act.me.role),
        by=acting(act.me, body.owner),
    )
    await service.publisher.flush()
    return ticket_out(found)


@router.post(
    "/tickets/{ticket}/undo", tags=["tickets"], summary="Ongedaan maken", operation_id="undo"
)
async def undo(service: AService, ticket: TicketPath, body: UndoRequest, act: Act) -> TicketOut:
    """Neem terug wat je net met een ticket deed; dat kan tien seconden."""
    by = acting(act.me, body.owner)
    found = await perform(service, act, ticket, service.queue.undo, by=by)
    await service.publisher.flush()
    return ticket_out(found)


# -- bulk ----------------------------------------------------------------------------------------


@router.post(
    "/tickets/bulk",
    tags=["tickets"],
    summary="Veel tickets tegelijk",
    operation_id="bulk",
)
async def bulk(service: AService, profile: AProfile, body: BulkRequest, act: Act) -> BulkOut:
    """Doe met elk ticket hetzelfde: afhandelen met één antwoord, verbeteren, overdragen.

    Elk ticket gaat apart: wat bij een collega ligt blijft daar, en staat zo in het antwoord. De
    variabelen van standaardantwoorden (`{naam}`, `{plaats}`, ...) in `reply` krijgen per ticket hun
    eigen waarde; andere accolades blijven staan.
    """
    _check(body)
    if body.team is not None:
        known_team(profile, body.team)
    if body.topic is not None:
        known_topic(profile, body.topic)
    if any(org_of(ticket) != profile.org for ticket in body.tickets):
        raise wrong("tickets", "niet van deze organisatie")
    tickets = tuple(dict.fromkeys(body.tickets))
    await audit(act.http, f"ticket.{body.action}", *tickets)
    run = _Bulk(
        service=service,
        profile=profile,
        t=spoken(act.http),
        me=act.me,
        by=acting(act.me, body.owner),
        body=body,
        id=act.id,
    )
    results: list[BulkItemOut] = []
    for ticket in tickets:
        result, after = await service.pools.desk(run.one, ticket)
        results.append(result)
        if after is not None:
            service.lists.changed(after)
    await service.publisher.flush()
    return BulkOut(done=sum(result.done for result in results), results=results)


def _check(body: BulkRequest) -> None:
    needed = {
        "resolve": body.outcome is not None,
        "correct": any((body.topic, body.urgency, body.intent)),
        "reassign": body.team is not None,
    }
    if not needed.get(body.action, True):
        raise wrong("", "geef bij resolve outcome, bij reassign team, bij correct een label")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bulk:
    """One bulk action; each ticket has a request id of its own, so that a repeat does nothing."""

    service: Service
    profile: Profile
    t: Texts
    me: Identity
    by: str
    body: BulkRequest
    id: str

    def one(self, ticket: str) -> tuple[BulkItemOut, Ticket | None]:
        """Do it with one ticket; tell how it went and how the ticket stands."""
        try:
            after = self._do(ticket)
        except NotFound:
            return BulkItemOut(ticket=ticket, done=False, code="not-found"), None
        except Conflict as error:
            return BulkItemOut(
                ticket=ticket, done=False, code=error.code, holder=self._holder(ticket)
            ), None
        return BulkItemOut(ticket=ticket, done=True), after

    def _do(self, ticket: str) -> Ticket:
        body, by, queue, now = self.body, self.by, self.service.queue, clock()
        request = f"{self.id}:{ticket}"
        stands = queue.get(ticket, now=now)
        if not self.me.may_work(stands.org, team_asked(stands, f"ticket.{body.action}", by)):
            raise NotFound("niet van uw team", code="not-your-team")
        if body.action == "undo":
            return queue.undo(ticket, by=by, now=now, request=request)
        decision: Callable[..., Ticket] = getattr(queue, body.action)
        change, token = self._change(stands), own_token(stands, by)
        return decision(ticket, change, token=token, by=by, now=now, request=request)

    def _change(self, stands: Ticket) -> Change:
        body = self.body
        change = Change(note=body.note, role=self.me.role)
        if body.action == "confirm":
            return change
        if body.action == "reassign":
            return replace(change, team=body.team)
        if body.action == "resolve":
            reply = self._reply(stands)
            return replace(change, outcome=body.outcome, reply=reply, link=body.link)
        urgency = Urgency(body.urgency) if body.urgency else None
        due_at = due_of(stands, urgency, self.service)
        return replace(change, topic=body.topic, urgency=urgency, intent=body.intent, due_at=due_at)

    def _reply(self, stands: Ticket) -> str | None:
        if self.body.reply is None:
            return None
        values = values_of(stands, self.profile, self.t, by=self.by, now=clock())
        reply = fill(self.body.reply, values)
        if len(reply) > NOTE_LIMIT:
            raise Conflict("too-long", "ingevuld is dit antwoord te lang")
        return reply

    def _holder(self, ticket: str) -> str | None:
        try:
            claim = self.service.queue.get(ticket, now=clock()).claim
        except NotFound:
            return None
        return claim.owner if claim else None
