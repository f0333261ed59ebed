"""The product as its users run it: ``python -m triage ...`` as a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Self

import psutil

from tests.plugins.brokers import free_port

#: How long a command that ends by itself may take, in seconds.
COMMAND_SECONDS: Final = 120.0


def environment(**more: str) -> dict[str, str]:
    """Give our environment without the developer's own settings, and with ``more`` of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    # Most tests need no model at the door: it takes each program a second or two to load.
    ours = {
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "TRIAGE_URGENT_LOOK": "rules",
    }
    return {**kept, **ours, **more}


def run_triage(
    *arguments: str, given: bytes = b"", cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "triage", *arguments],
        input=given,
        capture_output=True,
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=COMMAND_SECONDS,
        check=False,
    )


class Program:
    """A command that runs until it is ended, as often as it is started; it writes to ``output``."""

    def __init__(
        self, *arguments: str, output: Path, env: Mapping[str, str] | None = None, port: int = 0
    ) -> None:
        """``port``: where it shows ``/metrics`` (0: take a free one, for ``metrics_port``)."""
        self.arguments = arguments
        self.output = output
        self.port = port or free_port()
        self._environment = environment(**(env or {}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; what an earlier start wrote stays in ``output``."""
        assert self.process is None, "it runs already"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "triage", *self.arguments],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.output.parent,
                env=self._environment,
                start_new_session=True,
            )
        return self

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kill -9 the process and all that it started, at one stroke; harmless when it's gone."""
        process, self.process = self.process, None
        if process is None:
            return
        family = _family(process.pid)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(family, timeout=10)

    def kill_alone(self) -> list[psutil.Process]:
        """Kill -9 the process but not its children; give those."""
        process, self.process = self.process, None
        assert process is not None, "it does not run"
        children = _family(process.pid)[1:]
        process.send_signal(signal.SIGKILL)
        process.wait()
        return children

    def stop(self, seconds: float = 20.0) -> int:
        """Ask it to end (SIGTERM) and give its exit status."""
        process = self.process
        assert process is not None, "it does not run"
        process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float = 20.0) -> int:
        """Wait until it ends by itself and give its exit status."""
        process = self.process
        assert process is not None, "it does not run"
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            message = f"it did not end within {seconds:.0f} s:\n{self.said()[-4000:]}"
            raise AssertionError(message) from None
        self.process = None
        return status

    def said(self) -> str:
        """Give all that it wrote."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def metrics(self) -> str:
        """Give its ``/metrics``."""
        address = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            body: bytes = answer.read()
        return body.decode()

    def figure(self, name: str, **labels: str) -> float:
        """Add up a metric's series that have these labels; 0 while it does not answer."""
        try:
            return figure(self.metrics(), name, **labels)
        except OSError:
            return 0.0

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def figure(metrics: str, name: str, **labels: str) -> float:
    """Add up the series of a name that have these labels; 0 where there is none."""
    total = 0.0
    for found in re.finditer(rf"^{re.escape(name)}(?:{{(.*)}})? (\S+)$", metrics, re.MULTILINE):
        if all(f'{label}="{value}"' in (found[1] or "") for label, value in labels.items()):
            total += float(found[2])
    return total


def wait_until(
    done: Callable[[], object], *, seconds: float = 30.0, why: Callable[[], str] = str
) -> None:
    """Return when ``done`` gives something true; fail, with what ``why`` says, when it doesn't."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s\n{why()}"
        time.sleep(0.05)


@contextlib.contextmanager
def ended(*programs: Program) -> Iterator[None]:
    """Leave none of them behind, whatever happens."""
    try:
        yield
    finally:
        for program in programs:
            program.kill()


def _family(pid: int) -> list[psutil.Process]:
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
