"""The hand-over to Signalen: the action of a person, and the sender in the background."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Final

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from triage.errors import Conflict, NotFound
from triage.queue import Action, Change
from triage.queue.hand_over import HandOver
from triage.ticket import Ticket
from triage.web.background import clock
from triage.web.desk.signalen import (
    OUTCOME,
    REFUSED,
    SENDER,
    SENT,
    WITHDRAWN,
    Signal,
    Signalen,
    signal_of,
)
from triage.web.handed import own_token
from triage.web.identity import acting
from triage.web.models import FencingToken, Owner, TicketOut, ticket_out
from triage.web.problems import Problem
from triage.web.queues import TicketPath
from triage.web.state import AService, Service
from triage.web.tickets import Act, perform, read_ticket

router: Final = APIRouter(prefix="/api/v1")
_log = structlog.get_logger()

#: Pauses between attempts, in seconds; the last one repeats.
PAUSES: Final = (1, 5, 30, 120, 600)
#: How long nobody else sends what was taken, in seconds: longer than an attempt lasts.
ALONE_SECONDS: Final = 30.0
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
    if not service.config.signalen_url:
        raise Problem(404, "no-signalen")
    by = acting(act.me, body.owner)
    token = body.token or own_token(await read_ticket(service, ticket), by)
    place = body.place
    change = Change(outcome=OUTCOME, note=place, role=act.me.role, hand_over=place)
    done = await perform(service, act, ticket, service.queue.resolve, change, token=token, by=by)
    await service.publisher.flush()
    return ticket_out(done)


async def send_all(service: Service, signalen: Signalen) -> None:
    """Send what waits, until cancelled; other servers may do the same."""
    while True:
        sent = False
        for org in service.profiles:
            try:
                sent |= await _send_one(service, signalen, org)
            except Exception as error:  # noqa: BLE001 - nobody would miss a task that ended
                _log.warning("waiting", what="signalen", kind=type(error).__name__)
        if not sent:
            await asyncio.sleep(_LOOK_SECONDS)


async def _send_one(service: Service, signalen: Signalen, org: str) -> bool:
    """Send the one that waits longest; say whether there was one."""
    queue, run, now = service.queue, service.pools.background, clock()
    until = now + timedelta(seconds=ALONE_SECONDS)
    one = await run(queue.take_hand_over, org, now=now, until=until)
    if one is None:
        return False
    signal = await run(_signal, service, one, now)
    if isinstance(signal, str):
        await _note(service, one, signal)
    elif signal is not None:
        told = await signalen.send(signal)
        _log.info("signalen", sent=bool(told.signal), refused=told.refused, attempts=one.attempts)
        if not told.signal and not told.refused:
            pause = PAUSES[min(one.attempts, len(PAUSES) - 1)]
            await run(queue.retry_hand_over, one, at=clock() + timedelta(seconds=pause))
            return True
        if told.refused:
            await _note(service, one, REFUSED, reopen=True)
        else:
            await _note(service, one, f"{SENT} {told.signal}")
    await run(queue.end_hand_over, one)
    return True


def _signal(service: Service, one: HandOver, now: datetime) -> Signal | str | None:
    """Make what is to be sent of a ticket; else what to note on it, or None.

    Nothing is sent where the resolving was taken back, or the sender withdrew what stood there.
    """
    try:
        ticket = service.queue.get(one.ticket, now=now)
    except NotFound:
        return None
    if not _is_to_be_sent(ticket):
        return None
    if ticket.post.get("deleted"):
        return WITHDRAWN
    body = signal_of(ticket, one.said)
    return Signal(ticket=one.ticket, body=body, since=one.at, again=one.attempts > 0)


def _is_to_be_sent(ticket: Ticket) -> bool:
    """Say whether Signalen has not answered for this ticket yet, and nobody took it back at once.

    Whatever else opened it again: who handed it over was told that it goes there.
    """
    by_us = [item for item in ticket.history if item["by"] == SENDER]
    if any(str(item.get("note") or "").startswith(f"{SENT} ") for item in by_us):
        return False  # it stands there once
    places = [n for n, item in enumerate(ticket.history) if item.get("outcome") == OUTCOME]
    since = ticket.history[places[-1] + 1 :] if places else ()
    undone = bool(since) and since[0]["action"] == Action.UNDONE
    return not undone and not any(item["by"] == SENDER for item in since)


async def _note(service: Service, one: HandOver, text: str, *, reopen: bool = False) -> None:
    """Note on the ticket what came of it; a request id of its own makes it once."""
    queue, run, now = service.queue, service.pools.background, clock()
    request = f"signalen:{one.ticket}:{one.version}"
    try:
        if reopen:
            with suppress(Conflict):  # it is open already
                change = Change(note=text)
                await run(queue.reopen, one.ticket, change, by=SENDER, now=now, request=request)
                return
        await run(queue.note, one.ticket, text, by=SENDER, now=now, request=request)
    except (NotFound, Conflict) as error:
        _log.warning("signalen_note", reason=str(error))
