"""Changes of tickets as server-sent events: one tail an organisation, fanned out to its clients.

A client that reads too slowly gets ``resync`` instead of what it missed: it reads the queues anew.
The id of an event holds the time of sending besides the cursor, so that a client which was away
longer than the store keeps events is told to resync as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from triage.errors import TriageError
from triage.queue import Event, Queue
from triage.web.problems import Problem
from triage.web.threads import Pool

_log = structlog.get_logger()

#: The most clients at a time.
CLIENT_LIMIT: Final = 500
#: Events that wait for one client, at most.
BACKLOG: Final = 256
#: Events read at once, and pages read for one that comes back.
PAGE: Final = 1000
PAGE_LIMIT: Final = 10
#: How often the store is asked, with and without clients, in seconds.
LOOK_SECONDS: Final = 0.2
IDLE_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 15.0
#: After how long away a client starts afresh, in seconds: the store keeps events for an hour.
AWAY_SECONDS: Final = 50 * 60
#: After how long a browser connects again, in milliseconds.
_RECONNECT: Final = 2000
#: Hears of an organisation's events.
Listener = Callable[[str, Sequence[Event]], None]

_ID: Final = re.compile(r"(\d{1,12}):([0-9A-Za-z.-]{1,64})")

_RESYNC: Final = format_sse_event(event="resync", data_str="{}")
_HELLO: Final = format_sse_event(comment="triage", retry=_RECONNECT)


@dataclass(slots=True, eq=False)
class _Client:
    """What waits for one client; None ends it."""

    waiting: asyncio.Queue[Event | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=BACKLOG)
    )
    #: It missed events.
    lost: bool = False

    def offer(self, event: Event) -> None:
        if self.lost:
            return
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.lost = True
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(event)

    def end(self) -> None:
        while self.waiting.full():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


class Hub:
    """Tails the events of every organisation and hands them to clients until stopped."""

    def __init__(
        self, queue: Queue, orgs: Sequence[str], pool: Pool, *, listeners: Sequence[Listener] = ()
    ) -> None:
        """Let ``listeners`` hear of every event that the store has, also before any client."""
        self._queue = queue
        self._listeners = tuple(listeners)
        self._pool = pool
        self._clients: dict[str, set[_Client]] = {org: set() for org in orgs}
        self._joined = {org: asyncio.Event() for org in orgs}
        self._stopped = False

    @property
    def clients(self) -> int:
        """How many clients listen."""
        return sum(map(len, self._clients.values()))

    def stop(self) -> None:
        """End every stream, so that the server can stop."""
        self._stopped = True
        for clients in self._clients.values():
            for client in clients:
                client.end()

    async def tail(self, org: str) -> None:
        """Read an organisation's events for its clients, until cancelled."""
        cursor, known = "", False  # what was there before us is for nobody
        while True:
            try:
                events = await self._pool(self._queue.events, org, cursor, limit=PAGE)
            except TriageError as error:
                _log.warning("waiting", what="events", reason=str(error))
                events = ()
                await asyncio.sleep(1.0)
            for listener in self._listeners if events else ():
                listener(org, events)
            for client in self._clients[org] if known else ():
                for event in events:
                    client.offer(event)
            if events:
                cursor = events[-1].cursor
            known = known or len(events) < PAGE
            if len(events) < PAGE:
                await self._rest(org)

    async def _rest(self, org: str) -> None:
        if self._clients[org]:
            await asyncio.sleep(LOOK_SECONDS)
            return
        self._joined[org].clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._joined[org].wait()

    def join(self, org: str) -> _Client:
        """Begin to listen. Raises Problem where there are too many."""
        if self._stopped or self.clients >= CLIENT_LIMIT:
            raise Problem(
                503, "te veel meelezers; probeer het zo weer", headers={"Retry-After": "5"}
            )
        client = _Client()
        self._clients[org].add(client)
        self._joined[org].set()
        return client

    async def stream(self, org: str, client: _Client, last_id: str) -> AsyncGenerator[bytes]:
        """Give a client its events as bytes, until it goes or the server stops."""
        try:
            yield _HELLO
            seen: set[str] = set()
            if last_id:
                try:
                    async for chunk in self._missed(org, last_id, seen):
                        yield chunk
                except TriageError:
                    return  # the client connects again by itself
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        event = await client.waiting.get()
                except TimeoutError:
                    yield KEEPALIVE_COMMENT
                    continue
                if event is None or self._stopped:
                    return
                if client.lost and client.waiting.empty():
                    client.lost = False
                    yield _RESYNC
                if event.data["id"] not in seen:
                    seen.clear()
                    yield _encoded(event)
        finally:
            self._clients[org].discard(client)

    async def _missed(self, org: str, last_id: str, seen: set[str]) -> AsyncIterator[bytes]:
        found = _ID.fullmatch(last_id)
        if not found or time.time() - int(found[1]) > AWAY_SECONDS:
            yield _RESYNC
            return
        cursor = found[2]
        for _ in range(PAGE_LIMIT):
            events = await self._pool(self._queue.events, org, cursor, limit=PAGE)
            for event in events:
                seen.add(event.data["id"])
                yield _encoded(event)
            if len(events) < PAGE:
                return
            cursor = events[-1].cursor
        yield _RESYNC


def _encoded(event: Event) -> bytes:
    return format_sse_event(
        event="ticket",
        data_str=orjson.dumps(event.data).decode(),
        id=f"{int(time.time())}:{event.cursor}",
    )
