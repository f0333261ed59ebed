"""Several processes kept alive: started, watched, restarted with backoff, stopped in order.

A child that dies is started again after a growing wait; one that hangs on a post is killed first
(the mark that it leaves isolates the post). A child that ends because the operator has to do
something (exit status 2: wrong settings; 3: too much is undecodable) ends them all. A supervisor
that is killed takes its children along: each holds the end of a pipe as its stdin, and ends when
the other end is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from triage.backoff import LONGEST
from triage.suspect import hangs

_log = structlog.get_logger()

#: A child that lived this long starts from the first wait again, in seconds.
HEALTHY_SECONDS: Final = 30.0
#: How long a child may take to end after SIGTERM, in seconds.
DRAIN_SECONDS: Final = 10.0
#: Exit statuses of a child that the operator must help: starting it again would do harm.
REFUSED: Final = frozenset({2, 3})
#: The option that every child is given: its stdin is the lifeline to its supervisor.
SUPERVISED: Final = "--supervised"


@dataclass(slots=True, kw_only=True)
class Child:
    """One process to keep alive: a name and the arguments of the ``triage`` command."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Its mark (see triage.suspect); None: it is not watched for hanging.
    mark: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    wait: float = field(default=0.0, init=False)


class Supervisor:
    """Keeps children alive until told to stop."""

    def __init__(
        self, children: Sequence[Child], *, forget: Callable[[int], None] = lambda _pid: None
    ) -> None:
        self._children = children
        self._forget = forget
        self._stopping = False
        self._lifeline = -1
        self.refused: int | None = None

    def stop(self) -> None:
        """Ask all children to end; callable from a signal handler."""
        self._stopping = True

    def run(self, tick: Callable[[], None] = lambda: None, *, every: float = 0.1) -> int:
        """Keep the children alive; call ``tick`` in between. Give the exit status."""
        # Children inherit the end that is read; only we hold the other, until we are gone.
        self._lifeline, ours = os.pipe()
        try:
            while not self._stopping:
                self._look()
                tick()
                time.sleep(every)
        finally:
            self._end()
            os.close(self._lifeline)
            os.close(ours)
        return self.refused or 0

    def _look(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.start_at:
                    self._start(child, now)
            elif (status := child.process.poll()) is not None:
                self._died(child, status, now)
            elif child.mark is not None and hangs(child.mark, now=time.time()):
                _log.error("child_hangs", child=child.name)
                child.process.kill()

    def _start(self, child: Child, now: float) -> None:
        command = [sys.executable, "-m", "triage", *child.arguments, SUPERVISED]
        # Signals of the terminal go to the supervisor alone, which ends its children in order.
        child.process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command,
            env={**os.environ, **child.environment},
            stdin=self._lifeline,
            start_new_session=True,
        )
        child.started_at = now

    def _died(self, child: Child, status: int, now: float) -> None:
        assert child.process is not None
        self._forget(child.process.pid)
        child.process = None
        if status in REFUSED:
            _log.error("child_refused", child=child.name, status=status)
            self.refused = status
            self._stopping = True
            return
        lived = now - child.started_at
        child.wait = 0.1 if lived > HEALTHY_SECONDS else min(max(child.wait * 2, 0.1), LONGEST)
        child.start_at = now + child.wait
        _log.error("child_died", child=child.name, status=status, again_in=round(child.wait, 1))

    def _end(self) -> None:
        alive = [child.process for child in self._children if child.process is not None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.error("child_killed", pid=process.pid)
                process.kill()
                process.wait()
            self._forget(process.pid)


def end_with_supervisor() -> None:
    """End this process as soon as its supervisor is gone: an orphan would hold ports and posts."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        _log.error("supervisor_gone")
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
