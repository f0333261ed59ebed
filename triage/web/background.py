"""What the server does besides answering: it publishes, counts and sweeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from triage.access import Access
from triage.backoff import Backoff
from triage.errors import TriageError
from triage.labels.said import Said
from triage.log import Log
from triage.metrics import Metrics
from triage.queue import Queue
from triage.relay import Relay
from triage.web.threads import Pool

_log = structlog.get_logger()

#: How often each thing is done, in seconds.
PUBLISH_SECONDS: Final = 0.2
FIGURES_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 60.0
SAID_SECONDS: Final = 60.0
#: How long an answer waits for its outcome to be published, in seconds.
FLUSH_SECONDS: Final = 3.0


def clock() -> datetime:
    """Give the time; the web part has a clock, logic has none."""
    return datetime.now(UTC)


class Publisher:
    """Runs the relay: now and then, and before each answer to a decision.

    The store has a decision on disk, in its outbox, before we publish it. So while the log does
    not answer, decisions are answered all the same, and what waits is published when it is back.
    """

    def __init__(self, relay: Relay, metrics: Metrics, pool: Pool) -> None:
        self._relay = relay
        self._metrics = metrics
        self._pool = pool
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._blocked = False

    async def flush(self) -> None:
        """Publish what is in the outbox now; return without it where the log does not answer."""
        if self._blocked:
            return
        # A round under way may have begun before our event was there: the next one takes it, and
        # those of all others who come until then.
        if self._next is None:
            self._next = asyncio.create_task(self._round())
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.shield(self._next)
        except (TriageError, TimeoutError) as error:
            self._blocked = True
            _log.warning("outcomes_wait", kind=type(error).__name__)

    async def run(self) -> None:
        """Publish until cancelled."""

        async def publish() -> None:
            await self._round()
            self._blocked = False

        await _forever("publish", PUBLISH_SECONDS, publish, self._metrics)

    async def _round(self) -> None:
        async with self._turn:
            if self._next is asyncio.current_task():
                self._next = None
            await self._pool(self._relay.step, clock())


class Chores:
    """Figures of the queues, and the end of what is older than its retention."""

    def __init__(
        self,
        queue: Queue,
        metrics: Metrics,
        pool: Pool,
        *,
        orgs: Sequence[str],
        retention_seconds: float,
        access: Access,
        audit_seconds: float,
    ) -> None:
        self._access = access
        self._audit_seconds = audit_seconds
        self._queue = queue
        self._metrics = metrics
        self._pool = pool
        self._orgs = orgs
        self._retention_seconds = retention_seconds

    async def figures(self) -> None:
        """Show how the queues stand, until cancelled."""

        async def show() -> None:
            for org in self._orgs:
                depths = await self._pool(self._queue.stats, org, now=clock())
                self._metrics.queues(org, depths)

        await _forever("figures", FIGURES_SECONDS, show, self._metrics)

    async def sweep(self) -> None:
        """Drop old tickets and events, until cancelled."""

        async def clean() -> None:
            for org in self._orgs:
                while await self._pool(
                    self._queue.sweep, org, now=clock(), retention_seconds=self._retention_seconds
                ):
                    pass
            now = clock()
            audit_before = now - timedelta(seconds=self._audit_seconds)
            await self._pool(self._access.expire, now=now, audit_before=audit_before)

        await _forever("sweep", SWEEP_SECONDS, clean, self._metrics)


async def keep_up(said: Said, log: Log, metrics: Metrics, pool: Pool) -> None:
    """Read what people said of labels, until cancelled: no page has to wait for the first time."""
    await _forever("said", SAID_SECONDS, partial(pool, said.update, log), metrics)


async def _forever(
    name: str, seconds: float, work: Callable[[], Awaitable[None]], metrics: Metrics
) -> None:
    """Do something again and again; after an error wait longer, and never stop."""
    waits: list[float] = []
    backoff = Backoff(waits.append)
    while True:
        wait = seconds
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - nobody would miss a task that ended
            known = isinstance(error, TriageError)
            # The text of an error that is not ours may be a citizen's.
            _log.log(_WARNING if known else _ERROR, "waiting", what=name, kind=type(error).__name__)
            metrics.backoff()
            backoff.pause()
            wait = max(seconds, waits.pop())
        else:
            backoff.reset()
        await asyncio.sleep(wait)


_WARNING: Final = 30
_ERROR: Final = 40
