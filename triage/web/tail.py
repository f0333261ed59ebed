"""One reader of each organisation's events, whatever the number of browsers that listen."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool

from triage.errors import StoreLost, Unavailable
from triage.queue import Event, Queue

_log = structlog.get_logger()

#: Events that wait for one slow listener; over this it must fetch everything again.
BACKLOG: Final = 500
#: Listeners of one server.
LISTENERS: Final = 400
#: How often a tail looks for events, in seconds, and how long it waits for a silent store.
LOOK_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 2.0
_PAGE: Final = 1000


@dataclass(slots=True, eq=False)
class Listener:
    """One browser: events that it hasn't got yet."""

    events: deque[Event] = field(default_factory=deque)
    #: It missed events: it must fetch the state again.
    resync: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, events: Sequence[Event]) -> None:
        """Hand it events; too many at once become one ``resync``."""
        self.events.extend(events)
        if len(self.events) > BACKLOG:
            self.events.clear()
            self.resync = True
        self.ready.set()

    def take(self) -> tuple[list[Event], bool]:
        """Give what waits, and whether events were missed before it."""
        taken, missed = list(self.events), self.resync
        self.events.clear()
        self.resync = False
        self.ready.clear()
        return taken, missed


class Tails:
    """Follows the events of every organisation; belongs to the event loop."""

    def __init__(self, queue: Queue, orgs: Iterable[str]) -> None:
        self._queue = queue
        self._listeners: dict[str, set[Listener]] = {org: set() for org in orgs}

    @property
    def full(self) -> bool:
        """No more listeners fit."""
        return sum(map(len, self._listeners.values())) >= LISTENERS

    def join(self, org: str) -> Listener:
        """Start to listen."""
        listener = Listener()
        self._listeners[org].add(listener)
        return listener

    def leave(self, org: str, listener: Listener) -> None:
        """Stop listening."""
        self._listeners[org].discard(listener)

    async def missed(self, org: str, after: str) -> Sequence[Event] | None:
        """Give the events after a cursor; None where they are too many, or too long ago."""
        events = await run_in_threadpool(self._queue.events, org, after, limit=BACKLOG)
        oldest = await run_in_threadpool(self._queue.events, org, limit=1)
        if len(events) >= BACKLOG or (oldest and events and events[0].cursor == oldest[0].cursor):
            return None  # all that is kept comes after it: there may have been more
        return events

    async def follow(self, org: str) -> None:
        """Hand on events for ever; a store that does not answer is waited for."""
        cursor, caught_up = "", False
        while True:
            try:
                events = await run_in_threadpool(self._queue.events, org, cursor, limit=_PAGE)
            except (Unavailable, StoreLost) as error:
                _log.warning("events_wait", kind=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if events:
                cursor = events[-1].cursor
            if caught_up and events:
                for listener in self._listeners[org]:
                    listener.push(events)
            if len(events) < _PAGE:
                caught_up = True  # what was there at the start is no news
                await asyncio.sleep(LOOK_SECONDS)
