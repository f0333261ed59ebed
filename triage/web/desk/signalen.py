"""Handing a ticket over to Signalen: kept on disk first, sent until Signalen has it, once.

A hand-over is written (*held*), then the ticket is resolved, then it may be sent (*ready*). A
server that is killed in between finds the held ones at its start: the ticket tells whether to send.
When an answer got lost, Signalen is asked for our reference before anything is sent again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

import httpx2
import orjson

from triage.sqlite_file import connect, unavailable
from triage.ticket import Ticket

#: How long one request to Signalen may take, in seconds.
ANSWER_SECONDS: Final = 10.0
#: Pauses between attempts, in seconds; the last one repeats.
PAUSES: Final = (1, 5, 30, 120, 600)
#: The outcome of a ticket that was handed over.
OUTCOME: Final = "signalen"
#: How many signals are looked at for our reference.
_LOOK_BACK: Final = 200
_TRY_AGAIN: Final = frozenset({408, 425, 429})

_SCHEMA: Final = """\
CREATE TABLE IF NOT EXISTS handover (
    ticket TEXT PRIMARY KEY,
    body TEXT NOT NULL,                   -- JSON for Signalen; emptied once it has it
    state TEXT NOT NULL,                  -- held, ready, sent or refused
    created INTEGER NOT NULL,             -- seconds since 1970
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL DEFAULT 0,
    signal TEXT NOT NULL DEFAULT ''       -- Signalen's own number
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """One ticket on its way."""

    ticket: str
    body: Mapping[str, Any]
    created: int
    attempts: int


class Outbox:
    """What waits to be sent, in a file of its own; safe for threads. Calls raise Unavailable."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self._db = connect(path)
        path.chmod(0o600)
        self._db.execute(_SCHEMA)

    def hold(self, ticket: str, body: Mapping[str, Any], *, now: datetime) -> None:
        """Write a hand-over that may not be sent yet; one that is there stays as it is."""
        self._run(
            "INSERT INTO handover (ticket, body, state, created) VALUES (?, ?, 'held', ?)"
            " ON CONFLICT (ticket) DO UPDATE SET body = excluded.body, state = 'held',"
            " created = excluded.created, attempts = 0, next_at = 0"
            " WHERE handover.state = 'refused'",
            (ticket, orjson.dumps(body).decode(), int(now.timestamp())),
        )

    def release(self, ticket: str) -> None:
        """Let a held one be sent."""
        self._run(
            "UPDATE handover SET state = 'ready' WHERE ticket = ? AND state = 'held'", (ticket,)
        )

    def drop(self, ticket: str) -> None:
        """Forget one that was held."""
        self._run("DELETE FROM handover WHERE ticket = ? AND state = 'held'", (ticket,))

    def held(self) -> list[str]:
        """Name those of which it is not known whether their ticket was resolved."""
        return [row[0] for row in self._run("SELECT ticket FROM handover WHERE state = 'held'")]

    def due(self, now: datetime) -> HandOver | None:
        """Give the next one to send."""
        rows = self._run(
            "SELECT ticket, body, created, attempts FROM handover"
            " WHERE state = 'ready' AND next_at <= ? ORDER BY next_at, created LIMIT 1",
            (int(now.timestamp()),),
        )
        for ticket, body, created, attempts in rows:
            return HandOver(
                ticket=ticket, body=orjson.loads(body), created=created, attempts=attempts
            )
        return None

    def attempt(self, one: HandOver, now: datetime) -> None:
        """Note, before it is sent, that it may have been."""
        pause = PAUSES[min(one.attempts, len(PAUSES) - 1)]
        next_at = int((now + timedelta(seconds=pause)).timestamp())
        self._run(
            "UPDATE handover SET attempts = attempts + 1, next_at = ? WHERE ticket = ?",
            (next_at, one.ticket),
        )

    def done(self, ticket: str, state: str, signal: str = "") -> None:
        """Note that Signalen has it (``sent``) or does not want it (``refused``)."""
        self._run(
            "UPDATE handover SET state = ?, signal = ?, body = '' WHERE ticket = ?",
            (state, signal, ticket),
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _run(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                failure = unavailable(error)
        raise failure


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

    async def send(self, one: HandOver) -> Sent:
        """Send a hand-over, unless an earlier attempt arrived after all."""
        try:
            async with httpx2.AsyncClient(timeout=ANSWER_SECONDS, headers=self._headers) as client:
                if one.attempts and self._may_look and (found := await self._look(client, one)):
                    return Sent(signal=found)
                answer = await client.post(
                    self._base, json=one.body, headers={"Idempotency-Key": one.ticket}
                )
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return Sent()
        if answer.is_success:
            return Sent(signal=_number(answer))
        refused = answer.is_client_error and answer.status_code not in _TRY_AGAIN
        return Sent(refused=refused and answer.status_code not in {401, 403})

    async def _look(self, client: httpx2.AsyncClient, one: HandOver) -> str:
        """Find a signal with our reference among those made since the first attempt."""
        since = datetime.fromtimestamp(one.created - 60).astimezone().isoformat()
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


def signal_of(ticket: Ticket, place: str, category: str) -> dict[str, Any]:
    """Write a ticket as Signalen takes it; no author: who wrote it stays here."""
    geo = ticket.post.get("geo")
    location: dict[str, Any] = {"address_text": place}
    if geo:
        location["geometrie"] = {"type": "Point", "coordinates": [geo["lon"], geo["lat"]]}
    return {
        "source": "triage",
        "text": f"{ticket.post.get('text') or ''}\n\n{place}\n{reference(ticket.id)}",
        "location": location,
        "category": {"sub_category": category},
        "incident_date_start": str(ticket.post.get("created_at") or ticket.created_at.isoformat()),
        "reporter": {},
    }
