"""Sending tickets to Signalen: what is sent, and what Signalen says to it.

When an answer got lost, Signalen is asked for our reference before anything is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2

from triage.ticket import Ticket

#: How long one request to Signalen may take, and one attempt with all its requests, in seconds.
ANSWER_SECONDS: Final = 10.0
ATTEMPT_SECONDS: Final = 25.0
#: The outcome of a ticket that was handed over.
OUTCOME: Final = "signalen"
#: Who notes on a ticket what Signalen said, and what; a number follows on ``SENT``.
SENDER: Final = "Signalen"
SENT: Final = "melding"
REFUSED: Final = "Signalen nam dit niet aan; pak het zelf op"
WITHDRAWN: Final = "ingetrokken door de afzender voor het verstuurd was"
#: How many signals are looked at for our reference.
_LOOK_BACK: Final = 200
#: How far Signalen's clock may be behind ours.
_CLOCKS: Final = timedelta(minutes=1)
_TRY_AGAIN: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What is sent of one ticket."""

    ticket: str
    body: Mapping[str, Any]
    #: When the ticket was handed over: no attempt is older.
    since: datetime
    #: An earlier attempt may have arrived.
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of an attempt: a number of Signalen, a refusal, or neither: try again."""

    signal: str = ""
    refused: bool = False


class Signalen:
    """The API of Signalen: with a token the private one, without the public one."""

    def __init__(self, url: str, token: str = "") -> None:
        self._base = f"{url.rstrip('/')}/signals/v1/{'private' if token else 'public'}/signals/"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._may_look = bool(token)

    async def send(self, one: Signal) -> Sent:
        """Send a signal, unless an earlier attempt arrived after all."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._send(one)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return Sent()

    async def _send(self, one: Signal) -> Sent:
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS, headers=self._headers) as client:
            if one.again and self._may_look and (found := await self._look(client, one)):
                return Sent(signal=found)
            answer = await client.post(
                self._base, json=one.body, headers={"Idempotency-Key": one.ticket}
            )
        if answer.is_success:
            return Sent(signal=_number(answer))
        refused = answer.is_client_error and answer.status_code not in _TRY_AGAIN
        return Sent(refused=refused and answer.status_code not in {401, 403})

    async def _look(self, client: httpx2.AsyncClient, one: Signal) -> str:
        """Find a signal with our reference among those made since the first attempt."""
        since = (one.since - _CLOCKS).isoformat()
        query = {"created_after": since, "page_size": str(_LOOK_BACK), "ordering": "-created_at"}
        answer = await client.get(self._base, params=query)
        answer.raise_for_status()
        mark = reference(one.ticket)
        for signal in answer.json().get("results", ()):
            if mark in str(signal.get("text", "")):
                return str(signal.get("id") or "?")
        return ""


def _number(answer: httpx2.Response) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        said = answer.json()
        return str(said.get("id") or said.get("signal_id") or "?")
    return "?"


def reference(ticket: str) -> str:
    """Give what stands in a signal's text, by which it is found again."""
    return f"[triage {ticket}]"


def signal_of(ticket: Ticket, place: str) -> dict[str, Any]:
    """Write a ticket as Signalen takes it; no author: who wrote it stays here."""
    geo = ticket.post.get("geo")
    location: dict[str, Any] = {"address_text": place}
    if geo:
        location["geometrie"] = {"type": "Point", "coordinates": [geo["lon"], geo["lat"]]}
    return {
        "source": "triage",
        "text": f"{ticket.post.get('text') or ''}\n\n{place}\n{reference(ticket.id)}",
        "location": location,
        "category": {"sub_category": ticket.topic},
        "incident_date_start": str(ticket.post.get("created_at") or ticket.created_at.isoformat()),
        "reporter": {},
    }
