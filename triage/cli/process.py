"""What every long-running program shares: a clock, an end in order, and patience at the start."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Final, TypeVar

import structlog

from triage.backoff import Backoff
from triage.errors import Unavailable
from triage.settings import Settings
from triage.supervisor import Child

_log = structlog.get_logger()
_T = TypeVar("_T")

#: Where children write their figures; set for them before they start.
MULTIPROC: Final = "PROMETHEUS_MULTIPROC_DIR"


def now() -> datetime:
    """Give the time; programs have a clock, logic has none."""
    return datetime.now(UTC)


def on_stop(stop: Callable[[], None]) -> Event:
    """Call ``stop`` at SIGTERM and Ctrl-C, and set the event that is given back."""
    stopping = Event()

    def end(_number: int, _frame: object) -> None:
        stopping.set()
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return stopping


def patiently(call: Callable[[], _T], stopping: Event | None = None) -> _T:
    """Wait for stores that do not answer yet: a pod may start before its broker."""
    backoff = Backoff(stopping.wait if stopping else time.sleep)
    while True:
        try:
            return call()
        except Unavailable as error:
            _log.warning("waiting", reason=str(error))
            backoff.pause()
        if stopping is not None and stopping.is_set():
            raise SystemExit(0)


def worker_children(settings: Settings, arguments: list[str], figures: Path) -> list[Child]:
    """Give the worker processes of a supervisor: the same command, one process each."""
    children = []
    for number in range(settings.processes):
        mark = settings.data / f"worker-{number}.mark"
        children.append(
            Child(
                name=f"worker-{number}",
                arguments=[*arguments, "--processes", "1", "--mark", str(mark)],
                environment={MULTIPROC: str(figures)},
                mark=mark,
            )
        )
    return children
