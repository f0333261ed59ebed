"""The hand-over to Signalen: the action of a person, and the sender in the background."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from triage.errors import Conflict, NotFound, TriageError
from triage.queue import Change
from triage.ticket import State, Ticket
from triage.web.background import clock
from triage.web.desk.signalen import OUTCOME, HandOver, Outbox, Signalen, signal_of
from triage.web.identity import acting
from triage.web.models import FencingToken, Owner, TicketOut, ticket_out
from triage.web.problems import Problem
from triage.web.queues import TicketPath
from triage.web.state import AService, Service
from triage.web.tickets import Act, perform, read_ticket

router: Final = APIRouter(prefix="/api/v1")
_log = structlog.get_logger()

#: Who notes on a ticket what Signalen said.
SENDER: Final = "Signalen"
_LOOK_SECONDS: Final = 0.5


class HandOverRequest(BaseModel):
    """Een ticket aan Signalen geven."""

    model_config = ConfigDict(extra="forbid")

    owner: Owner | None = None
    token: FencingToken | None = None
    place: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=255),
        Field(description="Waar het is; Signalen heeft een plaats nodig.", examples=["Dorpsplein"]),
    ]


@router.post(
    "/tickets/{ticket}/signalen",
    tags=["tickets"],
    summary="Naar Signalen",
    operation_id="signalen",
)
async def hand_over(
    service: AService, ticket: TicketPath, body: HandOverRequest, act: Act
) -> TicketOut:
    """Geef een ticket aan Signalen en sluit het; het wordt verstuurd tot Signalen het heeft."""
    outbox = service.outbox
    if outbox is None:
        raise Problem(404, "no-signalen")
    by = acting(act.me, body.owner)
    stands = await read_ticket(service, ticket)
    token = body.token
    if token is None and stands.state is State.OPEN:
        held = await perform(
            service, act, ticket, _Named(service, act.id).claim, owner=by, seconds=60
        )
        token = held.claim.token if held.claim else None
    if stands.state is State.OPEN:
        signal = signal_of(stands, body.place, stands.topic)
        await service.pools.desk(outbox.hold, ticket, signal, now=clock())
    change = Change(outcome=OUTCOME, note=body.place, role=act.me.role)
    try:
        done = await perform(
            service, act, ticket, service.queue.resolve, change, token=token or 0, by=by
        )
    except Problem:
        await service.pools.desk(outbox.drop, ticket)
        raise
    await service.pools.desk(outbox.release, ticket)
    await service.publisher.flush()
    return ticket_out(done)


class _Named:
    """A claim under a request id of its own: the resolve has the request's."""

    def __init__(self, service: Service, request: str) -> None:
        self._queue = service.queue
        self._request = f"{request}:claim"

    def claim(
        self, ticket: str, *, owner: str, seconds: float, now: object, request: str
    ) -> Ticket:
        """Claim a ticket."""
        del now, request
        return self._queue.claim(
            ticket, owner=owner, seconds=seconds, now=clock(), request=self._request
        )


async def send_all(service: Service, outbox: Outbox, signalen: Signalen) -> None:
    """Send what waits, until cancelled."""
    settled = False
    while True:
        try:
            if not settled:
                await _settle(service, outbox)
                settled = True
            one = await service.pools.background(outbox.due, clock())
            if one is not None:
                await _send(service, outbox, signalen, one)
                continue
        except TriageError as error:
            _log.warning("waiting", what="signalen", reason=str(error))
        await asyncio.sleep(_LOOK_SECONDS)


async def _settle(service: Service, outbox: Outbox) -> None:
    """Decide on those that a killed server left: sent are those whose ticket was handed over."""
    for ticket in await service.pools.background(outbox.held):
        try:
            found = await service.pools.background(service.queue.get, ticket, now=clock())
        except NotFound:
            given = False
        else:
            last = [item for item in found.history if item["action"] == "resolved"][-1:]
            given = found.state is State.RESOLVED and last[0].get("outcome") == OUTCOME
        await service.pools.background(outbox.release if given else outbox.drop, ticket)


async def _send(service: Service, outbox: Outbox, signalen: Signalen, one: HandOver) -> None:
    await service.pools.background(outbox.attempt, one, clock())
    sent = await signalen.send(one)
    if sent.signal:
        await service.pools.background(outbox.done, one.ticket, "sent", sent.signal)
        await _tell(service, one.ticket, f"melding {sent.signal}")
    elif sent.refused:
        await service.pools.background(outbox.done, one.ticket, "refused")
        await _tell(service, one.ticket, "Signalen nam dit niet aan; pak het zelf op", reopen=True)
    _log.info("signalen", sent=bool(sent.signal), refused=sent.refused, attempts=one.attempts + 1)


async def _tell(service: Service, ticket: str, text: str, *, reopen: bool = False) -> None:
    """Note on the ticket what came of it; once, whatever happens."""
    queue, run = service.queue, service.pools.background
    request = f"signalen:{ticket}:{text}"
    try:
        if reopen:
            change = Change(note=text)
            await run(
                queue.reopen, ticket, change, by=SENDER, now=clock(), request=f"{request}:open"
            )
        else:
            await run(queue.note, ticket, text, by=SENDER, now=clock(), request=request)
    except (NotFound, Conflict) as error:
        _log.warning("signalen_note", reason=str(error))
