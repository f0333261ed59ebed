"""What the supervisor promises: children live, hang no longer than allowed, and end in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from triage import supervisor as module
from triage.supervisor import Child, Supervisor


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], list[str]]:
    """Let children be small programs instead of the triage command."""
    wrapper = _wrapper(tmp_path)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    return lambda text: ["-c", text]


SLEEP = "import time; time.sleep(60)"


def run_until(supervisor: Supervisor, done: Callable[[], bool], seconds: float = 20) -> int:
    deadline = time.monotonic() + seconds

    def tick() -> None:
        if done() or time.monotonic() > deadline:
            supervisor.stop()

    return supervisor.run(tick, every=0.01)


def test_a_dead_child_is_started_again(script: Callable[[str], list[str]]) -> None:
    """A child that is killed comes back, and what it left is forgotten."""
    forgotten: list[int] = []
    child = Child(name="a", arguments=script(SLEEP))
    supervisor = Supervisor([child], forget=forgotten.append)
    pids: list[int] = []

    def done() -> bool:
        if child.process and (not pids or child.process.pid != pids[-1]):
            pids.append(child.process.pid)
            if len(pids) < 3:
                os.kill(child.process.pid, signal.SIGKILL)
        return len(pids) == 3

    assert run_until(supervisor, done) == 0
    assert len(set(pids)) == 3
    assert forgotten == pids


def test_waits_grow_for_a_child_that_keeps_dying(script: Callable[[str], list[str]]) -> None:
    """A child that dies at once is started less and less often."""
    child = Child(name="a", arguments=script("raise SystemExit(7)"))
    run_until(Supervisor([child]), lambda: child.wait >= 0.4)
    assert child.wait == pytest.approx(0.4)


@pytest.mark.parametrize("status", [2, 3])
def test_a_refusal_ends_all(script: Callable[[str], list[str]], status: int) -> None:
    """Wrong settings or too much poison: the operator must act, so all end and tell the status."""
    other = Child(name="b", arguments=script(SLEEP))
    refusing = Child(name="a", arguments=script(f"raise SystemExit({status})"))
    assert run_until(Supervisor([other, refusing]), lambda: False) == status
    assert other.process is not None
    assert other.process.poll() == -signal.SIGTERM


def test_a_child_that_hangs_is_killed(script: Callable[[str], list[str]], tmp_path: Path) -> None:
    """A mark that stands too long means that judging hangs: the child is killed and restarted."""
    mark = tmp_path / "mark"
    child = Child(name="a", arguments=script(SLEEP), mark=mark)
    first: list[int] = []

    def done() -> bool:
        if child.process and not first:
            first.append(child.process.pid)
            mark.write_text("{}")
            os.utime(mark, (time.time() - 60, time.time() - 60))
        elif child.process and child.process.pid != first[0]:
            return True
        return False

    run_until(Supervisor([child]), done)
    assert child.process is not None
    assert child.process.pid != first[0]


def test_a_deaf_child_is_killed_in_the_end(
    script: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A child that ignores SIGTERM does not hold up the end."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.3)
    ready = tmp_path / "ready"
    text = f"import signal; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); {SLEEP}"
    child = Child(name="a", arguments=script(text))
    run_until(Supervisor([child]), ready.exists)
    assert child.process is not None
    assert child.process.poll() == -signal.SIGKILL


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """Kill -9 of the supervisor leaves no child behind: an orphan would hold its port."""
    pid_file = tmp_path / "child"
    child = (
        "import os, sys, time; from triage.supervisor import end_with_supervisor;"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); end_with_supervisor();"
        "time.sleep(60)"
    )
    program = (
        "import sys; from triage import supervisor as module;"
        f"module.sys.executable = {str(_wrapper(tmp_path))!r};"
        f"child = module.Child(name='a', arguments=['-c', {child!r}]);"
        "module.Supervisor([child]).run()"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.DEVNULL)
    _wait(lambda: pid_file.exists() and pid_file.read_text())
    pid = int(pid_file.read_text())
    assert psutil.pid_exists(pid)
    running.kill()
    running.wait()
    _wait(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


def _wrapper(folder: Path) -> Path:
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def _wait(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
