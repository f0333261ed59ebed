"""What the server does besides answering: relay, gauges, sweeping, following events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool

from triage.backoff import Backoff
from triage.errors import StoreLost, Unavailable
from triage.web.context import Context

_log = structlog.get_logger()

#: How often each thing is done, in seconds.
RELAY_SECONDS: Final = 0.2
GAUGES_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 60.0


@asynccontextmanager
async def background(context: Context) -> AsyncIterator[None]:
    """Do it all while the server runs."""
    jobs = [
        _every(RELAY_SECONDS, "relay", context.outbox.drain),
        _every(GAUGES_SECONDS, "gauges", lambda: _gauges(context)),
        _every(SWEEP_SECONDS, "sweep", lambda: _sweep(context)),
        *(context.tails.follow(org) for org in context.profiles),
    ]
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        context.stopping.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Unavailable, StoreLost):  # what is left stays in the store's outbox
            await run_in_threadpool(context.outbox.drain)


async def _every(seconds: float, name: str, job: Callable[[], object]) -> None:
    pauses: list[float] = []
    backoff = Backoff(pauses.append)
    while True:
        pause = seconds
        try:
            await run_in_threadpool(job)
            backoff.reset()
        except (Unavailable, StoreLost) as error:
            _log.warning("job_waits", job=name, kind=type(error).__name__)
            backoff.pause()
            pause = max(seconds, pauses.pop())
        except Exception as error:  # noqa: BLE001 - a job that ends would be missed by nobody
            _log.error("job_failed", job=name, kind=type(error).__name__)
            backoff.pause()
            pause = max(seconds, pauses.pop())
        await asyncio.sleep(pause)


def _gauges(context: Context) -> None:
    for org in context.profiles:
        context.metrics.queues(org, context.queue.stats(org, now=context.clock()))


def _sweep(context: Context) -> None:
    retention = context.config.retention_seconds
    for org in context.profiles:
        while context.queue.sweep(org, now=context.clock(), retention_seconds=retention):
            pass
