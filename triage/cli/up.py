"""``up``: everything on one machine, with the embedded store and, if asked, a stream to look at."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import typer

from triage.access import Access
from triage.access.open import open_access
from triage.cli.access import address_of, make_link
from triage.cli.build import load_profiles, make_log, make_queue
from triage.cli.process import MULTIPROC, now, on_stop, worker_children
from triage.cli.web import web_config
from triage.demo import Demo, load_sample, seed_of
from triage.errors import Refused, Unavailable
from triage.log import Log, Topic
from triage.log.posts import new_record
from triage.metrics import forget
from triage.post import Post
from triage.queue import Queue
from triage.settings import Settings
from triage.supervisor import Child, Supervisor
from triage.web.config import is_loopback


def run_up(settings: Settings, demo_rate: float) -> int:
    """Run web and workers as children until told to stop; show how it goes."""
    profiles = load_profiles(settings)  # wrong settings are told before anything starts
    web_config(settings, None)
    with ExitStack() as stack:
        stack.enter_context(_alone(settings.data))
        _check_port(settings.host, settings.port)
        log = stack.enter_context(make_log(settings))
        queue = stack.enter_context(make_queue(settings))
        figures = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="triage-")))
        supervisor = Supervisor(_children(settings, figures), forget=partial(forget, figures))
        on_stop(supervisor.stop)
        access = stack.enter_context(open_access(settings.queue_url))
        _announce(settings, access)
        feeder = _Feeder(log, demo_rate)
        line = _LiveLine(queue, tuple(profiles))

        def tick() -> None:
            feeder.feed()
            line.show(feeder.sent)

        status = supervisor.run(tick)
        line.end()
        return status


def _children(settings: Settings, figures: Path) -> list[Child]:
    common = ["--data", str(settings.data), "--profile", settings.profile]
    web = Child(
        name="web",
        arguments=["serve", *common, "--host", settings.host, "--port", str(settings.port)],
        environment={MULTIPROC: str(figures)},
    )
    return [web, *worker_children(settings, ["work", *common], figures)]


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the data folder: two of us on one folder would share ports and marks."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"{data}: hier draait al een `triage up` (kies een andere map met --data)"
        raise Refused(message) from None
    try:
        yield
    finally:
        os.close(handle)


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"poort {port} op {host}: {error.strerror} (kies een andere met --port)"
            raise Refused(message) from None


def _announce(settings: Settings, access: Access) -> None:
    typer.echo(f"triage draait: {address_of(settings)}/   (stoppen: Ctrl-C)")
    if settings.local_account or is_loopback(settings.host):
        typer.echo(
            f"aanmelden, één keer en binnen een uur: {make_link(access, address_of(settings))}"
        )
    typer.echo(f"gegevens in {settings.data.absolute()}")
    sys.stdout.flush()


@dataclass(slots=True)
class _Feeder:
    """Sends the demo's posts into the log at its rate."""

    log: Log
    rate: float
    sent: int = 0
    _started: float = field(default_factory=time.monotonic)
    _posts: Iterator[Mapping[str, Any]] = field(init=False)
    _demo: Demo = field(init=False)

    def __post_init__(self) -> None:
        sample = load_sample(Path(__file__).parent.parent / "demo.jsonl") if self.rate else []
        self._demo = Demo(sample, seed=seed_of(now()))
        self._posts = self._demo.posts()

    def feed(self) -> None:
        if not self.rate:
            return
        owed = self._demo.due(time.monotonic() - self._started, self.rate) - self.sent
        if owed <= 0:
            return
        posts = [next(self._posts) for _ in range(owed)]
        records = [new_record(Post.from_mapping(post, received_at=now())) for post in posts]
        try:
            self.log.append(Topic.POSTS, records)
        except Unavailable:
            return  # the store is busy: these posts are only for show
        self.sent += len(records)


@dataclass(slots=True)
class _LiveLine:
    """One line that tells how it goes: rewritten on a terminal, now and then in a file."""

    queue: Queue
    orgs: tuple[str, ...]
    _next: float = 0.0
    _before: tuple[float, int] = (0.0, 0)
    _terminal: bool = field(default_factory=sys.stdout.isatty)

    def show(self, sent: int) -> None:
        at = time.monotonic()
        if at < self._next:
            return
        self._next = at + (1.0 if self._terminal else 5.0)
        try:
            text = self._text(sent, at)
        except Unavailable:
            return
        end = "" if self._terminal else "\n"
        start = "\r\x1b[K" if self._terminal else ""
        typer.echo(f"{start}{text}{end}", nl=False)
        sys.stdout.flush()

    def end(self) -> None:
        typer.echo("\ngestopt" if self._terminal else "gestopt")

    def _text(self, sent: int, at: float) -> str:
        since, before = self._before
        rate = (sent - before) / (at - since) if since else 0.0
        self._before = (at, sent)
        depths: dict[str, int] = {}
        oldest: datetime | None = None
        for org in self.orgs:
            for depth in self.queue.stats(org, now=now()):
                depths[depth.team] = depths.get(depth.team, 0) + depth.depth
                if depth.oldest_due and (oldest is None or depth.oldest_due < oldest):
                    oldest = depth.oldest_due
        largest = sorted(depths.items(), key=lambda item: -item[1])[:6]
        teams = " ".join(f"{team} {count}" for team, count in largest)
        due = f"eerste om {oldest.astimezone():%H:%M}" if oldest else "niets wacht"
        total = sum(depths.values())
        return f"{sent} berichten · {rate:.1f}/s · {total} in de rij · {due} · {teams}"
