"""The two runs of :mod:`tests.plugins.chaos`: Kafka with Redis, and the embedded store."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Final

import psutil

from tests.plugins.api_server import embedded_token
from tests.plugins.brokers import KafkaBroker
from tests.plugins.chaos import PowerCut, Progress, Report, drive, spread, verdict
from tests.plugins.load import Feeder, post_lines, records
from tests.plugins.programs import Program, run_triage, wait_until
from tests.plugins.redis_server import RedisServer
from triage.errors import Unavailable
from triage.log import Log, scan_posts
from triage.log.open import open_log
from triage.queue import Queue
from triage.queue.open import open_queue
from triage.route import Profile

#: As the product is deployed: synced every second, and a file cut short is read up to the cut.
REDIS_CONFIG: Final = (
    *("--appendfsync", "everysec", "--aof-load-truncated", "yes"),
    # Rewrites happen within the run, too.
    *("--auto-aof-rewrite-min-size", "32mb"),
)
#: A power cut comes when it takes at least this much: tickets, not only marks, in bytes.
_CUT_BYTES: Final = 100_000
_DRAIN_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaRun:
    """How large a run with Kafka and Redis is."""

    posts: int
    kills: int
    redis_kills: int
    redis_cuts: int
    broker_kills: int
    #: After how long the group gives a killed worker up, in seconds.
    session_seconds: float = 10.0
    #: Records sent a second, at most: the sender meets the kills, too.
    rate: float = 1_000.0
    seed: int = 1


class KafkaScene:
    """A broker, a Redis and one worker, to be knocked about."""

    def __init__(self, folder: Path, size: KafkaRun) -> None:
        self.size = size
        self.chance = random.Random(size.seed)
        (folder / "redis").mkdir(parents=True)
        self.broker = KafkaBroker(folder / "kafka")
        self.redis = RedisServer(folder / "redis", config=REDIS_CONFIG)
        self.cut = PowerCut(folder / "redis")
        data = folder / "data"
        self.worker = Program(output=folder / "worker.log", env=self._settings())
        self.worker.arguments = (
            *("work", "--log", self.broker.url, "--queue", self.redis.url),
            *("--data", str(data), "--metrics-port", str(self.worker.port)),
        )
        self.startups = 0
        self.rewinds = 0.0

    def _settings(self) -> dict[str, str]:
        return {
            "TRIAGE_KAFKA_PARTITIONS": "4",
            "TRIAGE_SESSION_SECONDS": str(self.size.session_seconds),
        }

    def start(self) -> None:
        """Start all three."""
        self.broker.start()
        self.redis.start()
        self.worker.start()

    def end(self) -> None:
        """Leave nothing behind."""
        self.worker.kill()
        self.cut.end()
        self.redis.kill()
        self.broker.kill()

    def kill_worker(self) -> None:
        """Kill -9 the worker and start it again."""
        self._note_rewinds()
        self.worker.kill()
        self.worker.start()

    def kill_worker_at_start(self) -> None:
        """Kill -9 a worker while it starts and joins."""
        self._note_rewinds()
        self.worker.kill()
        self.worker.start()
        time.sleep(self.chance.uniform(0.5, 5.0))
        self.worker.kill()
        self.worker.start()

    def kill_redis(self) -> None:
        """Kill -9 Redis, leave it away for a while, start it from its file."""
        self.redis.kill()
        time.sleep(self.chance.uniform(0.3, 1.5))
        self.redis.start()

    def cut_redis(self) -> None:
        """Kill -9 Redis and take what its file got in the last second."""
        wait_until(lambda: self.cut.ready(least=_CUT_BYTES), seconds=60, why=self.worker.said)
        self.redis.kill()
        self.cut.cut()
        time.sleep(self.chance.uniform(0.3, 1.5))
        self.redis.start()

    def kill_broker(self) -> None:
        """Kill -9 the broker and start it again."""
        self.broker.kill()
        time.sleep(self.chance.uniform(0.3, 1.5))
        self.broker.start()

    def _note_rewinds(self) -> None:
        self.rewinds += self.worker.figure("triage_log_rewinds_total")

    def figures(self, progress: Progress, feeder: Feeder) -> dict[str, float]:
        """Give what else is worth to tell."""
        self._note_rewinds()
        return {
            "longest_pause_seconds": round(progress.longest_pause, 1),
            "taken_back_records": progress.taken_back,
            "power_cut_bytes": self.cut.taken,
            "appends_retried": feeder.retries,
            "rewinds": self.rewinds,
        }


def run_kafka(folder: Path, size: KafkaRun) -> Report:
    """Send posts through Kafka, a worker and Redis while all three are killed."""
    scene = KafkaScene(folder, size)
    report = Report(backend="kafka")
    started = time.monotonic()
    at_start = size.kills // 10
    profile = Profile.builtin("gemeente")
    blows = {
        "worker": (size.kills - 2 * at_start, scene.kill_worker),
        "worker_at_start": (at_start, scene.kill_worker_at_start),
        "redis": (size.redis_kills, scene.kill_redis),
        "redis_power_cut": (size.redis_cuts, scene.cut_redis),
        "broker": (size.broker_kills, scene.kill_broker),
    }
    try:
        scene.start()
        with open_log(scene.broker.url, partitions=4) as log, open_queue(scene.redis.url) as queue:
            progress = Progress(queue, profile.org)
            feeder = Feeder(log, records(size.posts), rate=size.rate)
            feeder.start()
            drive(
                progress,
                spread(size.posts, blows, seed=size.seed),
                total=_Total(feeder, log),
                why=lambda: scene.worker.said()[-3000:],
            )
            _drained(queue, profile.org, scene.worker)
            report.figures = scene.figures(progress, feeder)
            report.verdict = verdict(log, queue, profile.org, profile.teams, count=size.posts)
    finally:
        scene.end()
    report.seconds = round(time.monotonic() - started, 1)
    report.blows = {name: often for name, (often, _) in blows.items()}
    return report


class _Total:
    """How many records the log holds, once all are sent."""

    def __init__(self, feeder: threading.Thread, log: Log) -> None:
        self._feeder = feeder
        self._log = log
        self._count: int | None = None

    def __call__(self) -> int | None:
        if self._count is None and not self._feeder.is_alive():
            with contextlib.suppress(Unavailable):
                self._count = sum(1 for _ in scan_posts(self._log))
        return self._count


def _drained(queue: Queue, org: str, worker: Program) -> None:
    """Wait until the relay has published all events."""
    wait_until(
        lambda: not queue.unpublished(org, limit=1),
        seconds=_DRAIN_SECONDS,
        why=lambda: worker.said()[-3000:],
    )


# -- the embedded store --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteRun:
    """How large a run of ``triage up`` is."""

    posts: int
    kills: int
    #: Posts a batch; every second one goes by HTTP, the others by ``triage ingest``.
    batch: int = 200
    #: After how long a killed worker is given up, in seconds.
    session_seconds: float = 10.0
    seed: int = 1


class Sender(threading.Thread):
    """Sends posts through both front doors in turn, each batch until it was taken."""

    def __init__(self, folder: Path, data: Path, port: int, size: SqliteRun) -> None:
        super().__init__(name="sender", daemon=True)
        self._folder = folder
        self._data = data
        self._token = ""
        self._address = f"http://127.0.0.1:{port}/api/v1/posts"
        self._batches = _in_batches(post_lines(size.posts), size.batch)
        self._ended = threading.Event()
        self.sent = 0
        self.retries = 0

    def run(self) -> None:
        """Send until all is sent."""
        for number, batch in enumerate(self._batches):
            send = self._by_http if number % 2 else self._by_ingest
            while not send(batch):
                self.retries += 1
                if self._ended.wait(0.2):
                    return
            self.sent += len(batch)

    def end(self) -> None:
        """Send no more."""
        self._ended.set()
        self.join()

    def _by_http(self, batch: Sequence[bytes]) -> bool:
        body = b"[" + b",".join(batch) + b"]"
        self._token = self._token or embedded_token(self._data)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        asked = urllib.request.Request(self._address, body, headers, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return bool(answer.status == HTTPStatus.ACCEPTED)
        except (OSError, http.client.HTTPException):
            return False

    def _by_ingest(self, batch: Sequence[bytes]) -> bool:
        given = b"\n".join(batch)
        options = ("ingest", "-", "--data", str(self._data))
        return run_triage(*options, given=given, cwd=self._folder).returncode == 0


def run_sqlite(folder: Path, size: SqliteRun) -> Report:
    """Send posts through ``triage up`` while it is killed, with its children and without."""
    report = Report(backend="sqlite")
    started = time.monotonic()
    profile = Profile.builtin("gemeente")
    data = folder / "data"
    up = Program(
        output=folder / "up.log", env={"TRIAGE_SESSION_SECONDS": str(size.session_seconds)}
    )
    up.arguments = ("up", "--data", str(data), "--port", str(up.port), "--demo", "0")
    orphans: list[psutil.Process] = []

    def kill_all() -> None:
        up.kill()
        up.start()

    def kill_alone() -> None:
        orphans.extend(up.kill_alone())
        up.start()

    alone = size.kills // 3
    blows = {"up_and_children": (size.kills - alone, kill_all), "up_alone": (alone, kill_alone)}
    up.start()
    sender = Sender(folder, data, up.port, size)
    url = f"sqlite:///{data / 'triage.db'}"
    try:
        wait_until((data / "triage.db").exists, why=up.said)
        with open_log(url) as log, open_queue(url) as queue:
            progress = Progress(queue, profile.org)
            sender.start()
            drive(
                progress,
                spread(size.posts, blows, seed=size.seed),
                total=_Total(sender, log),
                why=lambda: up.said()[-3000:],
                flowing_only=False,
            )
            _drained(queue, profile.org, up)
            report.figures = {
                "longest_pause_seconds": round(progress.longest_pause, 1),
                "batches_sent_again": sender.retries,
                "orphans_left": sum(_lives(process) for process in orphans),
            }
            report.verdict = verdict(
                log, queue, profile.org, profile.teams, count=size.posts, broken=False
            )
    finally:
        sender.end()
        up.kill()
        for process in orphans:
            with contextlib.suppress(psutil.Error):
                process.kill()
    report.seconds = round(time.monotonic() - started, 1)
    report.blows = {name: often for name, (often, _) in blows.items()}
    return report


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _in_batches(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    given = iter(lines)
    while batch := list(islice(given, size)):
        yield batch
