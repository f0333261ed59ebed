"""Changes of tickets as server-sent events: one tail an organisation, for all of its clients.

An event is encoded once, and a client is no more than its place in what is kept, so that neither
many clients nor slow ones cost memory. One that falls behind what is kept, or comes back too late,
gets ``resync`` instead of what it missed: it reads the queues anew. One that takes nothing at all
is left by the server (``triage.web.server``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
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
#: Events kept for clients that lag behind or come back, at least.
BACKLOG: Final = 5000
#: Events sent at once, at most: what a client that does not read holds in memory.
CHUNK: Final = 100
#: Events read from the store at once.
PAGE: Final = 1000
#: How often the store is asked, with and without clients, in seconds.
LOOK_SECONDS: Final = 0.2
IDLE_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 15.0
#: How long until a store that failed is asked again, in seconds.
RETRY_SECONDS: Final = 1.0
#: After how long a browser connects again, in milliseconds.
_RECONNECT: Final = 2000
#: Hears of an organisation's events.
Listener = Callable[[str, Sequence[Event]], None]

_HELLO: Final = format_sse_event(comment="triage", retry=_RECONNECT)
#: An event's own id, and its bytes. Cursors begin anew with the store, so they are no ids.
_Frame = tuple[str, bytes]


class Feed:
    """The last events of one organisation, encoded once for all who listen."""

    def __init__(self) -> None:
        #: How many there have been.
        self.count = 0
        #: Set once all that the store had at the start was taken in.
        self.current = asyncio.Event()
        self._kept: list[_Frame] = []
        self._news = asyncio.Event()

    def add(self, events: Sequence[Event]) -> None:
        """Take in what happened, and tell who waits."""
        self._kept += [_frame(event) for event in events]
        self.count += len(events)
        if len(self._kept) > BACKLOG + PAGE:
            del self._kept[:-BACKLOG]
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._news.set()
        self._news = asyncio.Event()

    def place(self, last_id: str) -> int | None:
        """Give the place after the event with an id; None where that is not kept."""
        for back, (name, _) in enumerate(reversed(self._kept)):
            if name == last_id:
                return self.count - back
        return None

    def since(self, place: int) -> Sequence[_Frame] | None:
        """Give the next events after a place, CHUNK at most; None where they are gone."""
        start = len(self._kept) - (self.count - place)
        return None if start < 0 else self._kept[start : start + CHUNK]

    async def news(self, seconds: float) -> bool:
        """Wait for what comes next; say whether it came within the time."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def resync(self) -> bytes:
        """Give what tells a client to read anew; who connects again after it goes on from here."""
        last_id = self._kept[-1][0] if self._kept else None
        return format_sse_event(event="resync", data_str="{}", id=last_id)


def _frame(event: Event) -> _Frame:
    name, data = str(event.data["id"]), orjson.dumps(event.data).decode()
    return name, format_sse_event(event="ticket", data_str=data, id=name)


def _tell(listener: Listener, org: str, events: Sequence[Event]) -> None:
    """Let one hear; when it fails, the others and all clients hear all the same."""
    try:
        listener(org, events)
    except Exception as error:  # noqa: BLE001 - see above
        _log.error("listener_failed", kind=type(error).__name__)


class Hub:
    """Tails the events of every organisation and hands them to clients until stopped."""

    def __init__(
        self, queue: Queue, orgs: Sequence[str], pool: Pool, *, listeners: Sequence[Listener] = ()
    ) -> None:
        """Let ``listeners`` hear of every event that the store has, also before any client."""
        self._queue = queue
        self._listeners = tuple(listeners)
        self._pool = pool
        self._feeds = {org: Feed() for org in orgs}
        self._listening = dict.fromkeys(orgs, 0)
        self._joined = {org: asyncio.Event() for org in orgs}
        self._stopped = False

    @property
    def clients(self) -> int:
        """How many clients listen."""
        return sum(self._listening.values())

    def stop(self) -> None:
        """End every stream, so that the server can stop."""
        self._stopped = True
        for feed in self._feeds.values():
            feed.current.set()
            feed.wake()

    async def tail(self, org: str) -> None:
        """Read an organisation's events for its clients, until cancelled."""
        cursor, feed = "", self._feeds[org]
        while True:
            try:
                events = await self._pool(self._queue.events, org, cursor, limit=PAGE)
            except TriageError as error:
                _log.warning("waiting", what="events", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception as error:  # noqa: BLE001 - nobody would miss a tail that ended
                _log.error("waiting", what="events", kind=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if events:
                for listener in self._listeners:
                    _tell(listener, org, events)
                feed.add(events)
                cursor = events[-1].cursor
            if len(events) < PAGE:
                feed.current.set()
                await self._rest(org)

    async def _rest(self, org: str) -> None:
        if self._listening[org]:
            await asyncio.sleep(LOOK_SECONDS)
            return
        self._joined[org].clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._joined[org].wait()

    def check_room(self) -> None:
        """Raise Problem where too many listen already."""
        if self._stopped or self.clients >= CLIENT_LIMIT:
            raise Problem(503, "too-many-listeners", headers={"Retry-After": "5"})

    async def stream(self, org: str, last_id: str) -> AsyncGenerator[bytes]:
        """Give a client its events as bytes, until it goes or the server stops."""
        feed = self._feeds[org]
        self._listening[org] += 1
        self._joined[org].set()
        try:
            # Who comes while the server still catches up may have read the store before that.
            place = feed.count if feed.current.is_set() else None
            yield _HELLO
            await feed.current.wait()
            if last_id:
                place = feed.place(last_id)
            while not self._stopped:
                frames = None if place is None else feed.since(place)
                if place is None or frames is None:
                    place = feed.count
                    yield feed.resync()
                elif frames:
                    place += len(frames)
                    yield b"".join(encoded for _, encoded in frames)
                elif not await feed.news(HEARTBEAT_SECONDS):
                    yield KEEPALIVE_COMMENT
        finally:
            self._listening[org] -= 1
