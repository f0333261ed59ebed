"""What ``triage up`` promises: one command, a stream that flows, an end in order."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.api_server import embedded_token


class Up:
    """A running ``triage up``."""

    def __init__(self, data: Path, *arguments: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.data = data
        self._token = ""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TRIAGE_")}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "triage",
                "up",
                "--data",
                str(data),
                "--port",
                str(self.port),
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )

    @property
    def bearer(self) -> dict[str, str]:
        """The header of a program that may do all."""
        if not self._token and (self.data / "triage.db").exists():
            self._token = embedded_token(self.data)
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def get(self, path: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=self.bearer)
        with urllib.request.urlopen(request, timeout=5) as answer:
            body = answer.read()
        return (
            json.loads(body)
            if answer.headers["Content-Type"].startswith("application/json")
            else body.decode()
        )

    def post(self, path: str, data: Any) -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            json.dumps(data).encode(),
            {"Content-Type": "application/json", **self.bearer},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)

    def waiting(self) -> int:
        try:
            answer = self.get("/api/v1/queues")
        except OSError:
            return 0
        return sum(sum(d["depth"] for d in team["urgencies"]) for team in answer["teams"])

    def until(self, done: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert self.process.poll() is None, self.process.communicate()[0].decode()
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.1)

    def end(self, number: int = signal.SIGINT) -> str:
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=20)
        return output.decode()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start ``triage up`` on a data folder of the test's own; end what is left."""
    running: list[Up] = []

    def start(*arguments: str) -> Up:
        running.append(Up(tmp_path / "data", *arguments))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.end(signal.SIGTERM)
        if one.process.stdout:
            one.process.stdout.close()


def test_the_demo_is_in_a_queue_within_ten_seconds(up: Callable[..., Up]) -> None:
    """The first post stands in a queue 10 s after the start; Ctrl-C ends it; data is kept."""
    demo = up("--demo", "20")
    demo.until(lambda: demo.waiting() > 0, seconds=10)
    demo.until(lambda: demo.waiting() >= 20)
    assert "<table" in demo.get("/")
    output = demo.end()
    assert demo.process.returncode == 0, output
    assert "http://127.0.0.1" in output
    assert "gestopt" in output
    again = up("--demo", "0")
    again.until(lambda: again.waiting() >= 20)


def test_empty_without_demo_and_flowing_with_posts(up: Callable[..., Up]) -> None:
    """Without a demo it starts empty; a post over HTTP stands in a queue within seconds."""
    service = up("--demo", "0", "--processes", "2")
    service.until(lambda: _ready(service) and "triage_model_info{" in service.get("/metrics"))
    assert service.waiting() == 0
    sent = time.monotonic()
    assert (
        service.post("/api/v1/posts", {"id": "1", "text": "Er hangt een losse kabel op straat"})
        == 202
    )
    service.until(lambda: service.waiting() == 1)
    assert time.monotonic() - sent < 5  # on a machine that runs other tests as well
    assert (
        service.post("/api/v1/posts", {"id": "1", "text": "Er hangt een losse kabel op straat"})
        == 202
    )
    metrics = service.get("/metrics")
    assert "triage_posts_read_total" in metrics
    service.until(
        lambda: 'triage_posts_put_total{result="repeated"} 1.0' in service.get("/metrics")
    )
    assert service.waiting() == 1


def test_two_on_one_folder_are_refused(up: Callable[..., Up]) -> None:
    """A second ``up`` on the same data says so and leaves the first alone."""
    first = up("--demo", "0")
    first.until(lambda: _ready(first))
    second = up("--demo", "0")
    output, _ = second.process.communicate(timeout=20)
    assert second.process.returncode == 2
    assert "hier draait al" in output.decode()
    assert _ready(first)


def test_a_killed_worker_comes_back(up: Callable[..., Up]) -> None:
    """Kill -9 of the worker costs no post: its successor reads on."""
    service = up("--demo", "0")
    service.until(lambda: _ready(service))
    children = subprocess.run(
        ["pgrep", "-P", str(service.process.pid), "-f", "triage work"],
        capture_output=True,
        text=True,
        check=True,
    )
    os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
    for number in range(30):
        service.post("/api/v1/posts", {"id": str(number), "text": f"Lantaarnpaal {number} is stuk"})
    service.until(lambda: service.waiting() == 30)


def _link(data: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[str, str]:
    """Run ``triage link``; give the address that its link leads to, and what it said besides."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TRIAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "triage", "link", "--data", str(data), *arguments],
        capture_output=True,
        text=True,
        env={**clean, **(env or {})},
        timeout=60,
        check=True,
    )
    address, code, _ = done.stdout.partition("/aanmelden/link?code=")
    assert code, done.stdout
    return address, done.stderr


def test_a_link_leads_to_the_server_that_runs(up: Callable[..., Up]) -> None:
    """Whatever port it has; when it's gone, killed or not, its address is not told any more."""
    service = up("--demo", "0")
    service.until(lambda: _ready(service))
    there, default = f"http://127.0.0.1:{service.port}", "http://127.0.0.1:8080"
    assert _link(service.data) == (there, "")
    assert _link(service.data, env={"TRIAGE_PORT": "9999"}) == (there, "")
    # Who names an address means that one.
    assert _link(service.data, "--port", "9998") == ("http://127.0.0.1:9998", "")
    public = {"TRIAGE_PUBLIC_URL": "https://triage.example.nl"}
    assert _link(service.data, "--port", "9998", env=public) == ("https://triage.example.nl", "")
    # The next server of the folder is told of, wherever it listens.
    service.end()
    left = service.data / "server.address"
    assert left.read_text() == there  # stale: nobody holds it
    address, said = _link(service.data)
    assert address == default
    assert "draait nu geen server" in said
    again = up("--demo", "0")
    again.until(lambda: _ready(again))
    assert _link(again.data) == (f"http://127.0.0.1:{again.port}", "")
    web = subprocess.run(
        ["pgrep", "-P", str(again.process.pid), "-f", "triage serve"],
        capture_output=True,
        text=True,
        check=True,
    )
    again.process.kill()  # its children end with it
    again.process.wait()
    again_web = Path(f"/proc/{web.stdout.split()[0]}")
    deadline = time.monotonic() + 30
    while again_web.exists():
        assert time.monotonic() < deadline, "the server outlived its supervisor"
        time.sleep(0.05)
    assert _link(again.data)[0] == default


def _ready(service: Up) -> bool:
    try:
        service.get("/readyz")
    except OSError:
        return False
    return True
