"""How long a post is under way: from ``append`` to the moment its ticket can be seen in a queue.

A producer appends posts at a steady rate; this process looks into the queue store all the time and
notes when each ticket is there. Both read the machine's one monotonic clock. See README.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from benchmarks._posts import Variations
from benchmarks._support import (
    Figure,
    clean_exit_on_sigterm,
    cores,
    pin,
    progress,
    report,
    servers,
)
from tests.plugins.programs import Program
from triage.cli.build import load_profiles, make_log, make_queue
from triage.log import Topic, post_record
from triage.queue import Action, Queue
from triage.settings import Settings, load_settings
from triage.ticket import ticket_id

#: How long a program may take to bring its first post, in seconds.
START_SECONDS: Final = 120.0
#: How long after the last post the others may still come, in seconds.
LATE_SECONDS: Final = 15.0
#: How often we look; what we measure is too long by half of this on average.
LOOK_SECONDS: Final = 0.002
#: What tells of a post that it is in a queue: a ticket of its own, or a place in a bundle.
_NEW: Final = frozenset({Action.CREATED, Action.JOINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A steady stream; the warm-up runs at the same rate and doesn't count."""

    rate: float
    seconds: float
    warm_up: float

    @property
    def posts(self) -> int:
        """How many posts there are, those of the warm-up too."""
        return int(self.rate * (self.warm_up + self.seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A post that was appended; times are of the monotonic clock, in seconds."""

    ticket: str
    #: When it was due, when ``append`` was called with it, and when that returned.
    due: float
    called: float
    kept: float


# -- the producer --------------------------------------------------------------------------------


def produce(settings: Settings, org: str, load: Load, name: str, results: Connection) -> None:
    """Append the posts, each when it is due; whatever fell due meanwhile goes along."""
    records, tickets = [], []
    for post in Variations(seed=7, name=name).posts(load.posts):
        raw = json.dumps(post, ensure_ascii=False).encode()
        records.append(post_record(raw, post["author"]["id"]))
        tickets.append(ticket_id(org, post["id"]))
    sent: list[Sent] = []
    with make_log(settings) as log:
        begun = time.monotonic()
        while len(sent) < len(records):
            done = len(sent)
            due = min(len(records), int((time.monotonic() - begun) * load.rate) + 1)
            if due == done:
                time.sleep(max(0.0, begun + done / load.rate - time.monotonic()))
                continue
            called = time.monotonic()
            log.append(Topic.POSTS, records[done:due])
            kept = time.monotonic()
            sent += [
                Sent(
                    ticket=tickets[number],
                    due=begun + number / load.rate,
                    called=called,
                    kept=kept,
                )
                for number in range(done, due)
            ]
    results.send(sent)


@contextmanager
def producer(settings: Settings, org: str, load: Load, name: str) -> Iterator[Connection]:
    """Run the producer as a process of its own; gives where its results arrive."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=produce, args=(settings, org, load, name, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        process.kill()
        process.join()


# -- the observer --------------------------------------------------------------------------------


class Observer:
    """Notes when each ticket is first seen."""

    def __init__(self, queue: Queue, org: str) -> None:
        self.seen: dict[str, float] = {}
        self._queue = queue
        self._org = org
        self._cursor = ""

    def look(self) -> bool:
        """Look once; tell whether there was anything new.

        A ticket and its event come to be in one atomic step.
        """
        events = self._queue.events(self._org, self._cursor, limit=1000)
        at = time.monotonic()
        for event in events:
            if event.data["type"] in _NEW:
                self.seen.setdefault(event.data["ticket"], at)
            self._cursor = event.cursor
        return bool(events)

    def watch(self, count: int, seconds: float) -> None:
        """Look until so many tickets were seen; give up after so many seconds."""
        deadline = time.monotonic() + seconds
        while len(self.seen) < count and time.monotonic() < deadline:
            if not self.look():
                time.sleep(LOOK_SECONDS)


def measure(settings: Settings, load: Load) -> dict[str, Any]:
    """Send the load through a running program; how long the posts were under way."""
    org = next(iter(load_profiles(settings)))
    with ExitStack() as stack:
        queue = stack.enter_context(make_queue(settings))
        observer = Observer(queue, org)
        # One post first: then the program runs, and the topics are there.
        probe = Load(rate=1, seconds=1, warm_up=0)
        with producer(settings, org, probe, "probe"):
            observer.watch(1, START_SECONDS)
        if not observer.seen:
            sys.exit("the program brought no post into its queue")
        results = stack.enter_context(producer(settings, org, load, "post"))
        observer.watch(load.posts + 1, load.warm_up + load.seconds + LATE_SECONDS)
        if not results.poll(LATE_SECONDS):
            sys.exit("the producer did not end: the machine is too slow for this rate")
        sent: list[Sent] = results.recv()
    counted = sent[int(load.rate * load.warm_up) :]
    there = [(post, observer.seen[post.ticket]) for post in counted if post.ticket in observer.seen]
    span = counted[-1].called - counted[0].called
    return {
        "posts": len(counted),
        "missing": len(counted) - len(there),
        "rate": (len(counted) - 1) / span,
        "append_to_seen": _quantiles([at - post.called for post, at in there]),
        "due_to_seen": _quantiles([at - post.due for post, at in there]),
        "kept_to_seen": _quantiles([at - post.kept for post, at in there]),
        "append": _quantiles([post.kept - post.called for post, _ in there]),
    }


def _quantiles(seconds: list[float]) -> dict[str, float]:
    """Give quantiles in milliseconds."""
    cuts = statistics.quantiles(seconds, n=1000, method="inclusive")
    found = {"p50": cuts[499], "p95": cuts[949], "p99": cuts[989], "p99.9": cuts[998]}
    return {name: value * 1000 for name, value in {**found, "max": max(seconds)}.items()}


# -- the two modes -------------------------------------------------------------------------------


def kafka_and_redis(load: Load) -> dict[str, Any]:
    """Measure ``triage work`` on a real Kafka and a real Redis, set as in deploy/compose.yaml."""
    with servers(fsync="always") as running:
        settings = running.settings(partitions=12)
        arguments = ["work", "--log", settings.log_url, "--queue", settings.queue_url]
        arguments += ["--data", str(settings.data), "--metrics-port", "0"]
        with _running(arguments, running.folder):
            return measure(settings, load)


def embedded(load: Load) -> dict[str, Any]:
    """Measure ``triage up`` on the embedded store."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = load_settings(data=folder / "data")
        arguments = ["up", "--demo", "0", "--data", str(settings.data)]
        with _running(arguments, folder, port_option="--port"):
            return measure(settings, load)


@contextmanager
def _running(arguments: list[str], folder: Path, port_option: str = "") -> Iterator[None]:
    """Run a command of ours on the core that is measured."""
    program = Program(*arguments, output=folder / "output")
    if port_option:
        program.arguments = (*arguments, port_option, str(program.port))
    ours = cores()
    pin(frozenset(ours.measured))  # it starts where we are
    try:
        program.start()
    finally:
        pin(ours.servers)
    try:
        yield
    except SystemExit:
        print(program.said()[-4000:], file=sys.stderr)
        raise
    finally:
        program.kill()


def figures(name: str, measured: dict[str, Any], *, p50: float | None, p99: float) -> list[Figure]:
    """Give the figures of one mode; targets in milliseconds."""
    under_way, due = measured["append_to_seen"], measured["due_to_seen"]
    rest = f"p95 {under_way['p95']:.1f}, p99.9 {under_way['p99.9']:.1f}, max {under_way['max']:.0f}"
    return [
        Figure(name=f"{name}: rate", value=measured["rate"], unit="posts/s"),
        Figure(name=f"{name}: p50", value=under_way["p50"], unit="ms", at_most=p50),
        Figure(name=f"{name}: p99", value=under_way["p99"], unit="ms", at_most=p99, note=rest),
        Figure(
            name=f"{name}: p99 from when it was due",
            value=due["p99"],
            unit="ms",
            note=f"with its wait for the append before it; append itself takes "
            f"{measured['append']['p50']:.1f} (p50)",
        ),
        Figure(name=f"{name}: posts never seen", value=measured["missing"], at_most=0),
    ]


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--rate", type=float, default=500, help="with Kafka and Redis")
    parser.add_argument("--sqlite-rate", type=float, default=50, help="with the embedded store")
    parser.add_argument("--only", choices=["kafka", "sqlite"])
    parser.add_argument("--quick", action="store_true", help="5 seconds each")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for a target missed")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.warm_up = 5, 3
    clean_exit_on_sigterm()
    pin(cores().servers)
    found: list[Figure] = []
    details: dict[str, Any] = {"seconds": options.seconds, "warm_up": options.warm_up}
    if options.only != "sqlite":
        progress(f"Kafka and Redis, {options.rate:g} posts/s for {options.seconds:g} s")
        load = Load(rate=options.rate, seconds=options.seconds, warm_up=options.warm_up)
        details["kafka"] = kafka_and_redis(load)
        found += figures("Kafka and Redis", details["kafka"], p50=20, p99=100)
    if options.only != "kafka":
        progress(f"embedded store, {options.sqlite_rate:g} posts/s for {options.seconds:g} s")
        load = Load(rate=options.sqlite_rate, seconds=options.seconds, warm_up=options.warm_up)
        details["sqlite"] = embedded(load)
        found += figures("embedded store", details["sqlite"], p50=None, p99=250)
    return report("latency", found, details=details, strict=options.strict)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
