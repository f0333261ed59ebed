"""A log, a queue store and workers on them: on either backend, and only through its front doors."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

from tests.plugins.brokers import KafkaBroker
from tests.plugins.programs import Program, run_triage, wait_until
from tests.plugins.redis_server import RedisServer
from triage.errors import NotFound, Unavailable
from triage.log import Log, NewRecord, Topic
from triage.log.open import open_log
from triage.queue import Queue
from triage.queue.open import open_queue
from triage.route import Profile
from triage.ticket import Ticket, ticket_id

#: The profile that all scenes are played in.
PROFILE: Final = "gemeente"


class Scene:
    """One deployment in a folder. ``broker`` and ``redis`` are None on the embedded store."""

    def __init__(
        self, folder: Path, *, broker: KafkaBroker | None = None, redis: RedisServer | None = None
    ) -> None:
        self.folder = folder
        self.broker = broker
        self.redis = redis
        self.profile = Profile.builtin(PROFILE)
        self.org = self.profile.org
        embedded = f"sqlite:///{folder / 'data' / 'triage.db'}"
        self.log_url = broker.url if broker else embedded
        self.queue_url = redis.url if redis else embedded
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self.log: Log = open_log(self.log_url, partitions=4) if broker else open_log(self.log_url)
        self.queue: Queue = open_queue(self.queue_url)
        self._programs: list[Program] = []

    @property
    def log_options(self) -> list[str]:
        """The options that name the log."""
        return ["--log", self.log_url] if self.broker else ["--data", str(self.folder / "data")]

    @property
    def store_options(self) -> list[str]:
        """The options that name the log and the queue."""
        return [*self.log_options, *(["--queue", self.queue_url] if self.redis else [])]

    def worker(self, name: str = "worker", **env: str) -> Program:
        """Give a worker (not started) with settings of its own."""
        settings = {"TRIAGE_KAFKA_PARTITIONS": "4", "TRIAGE_SESSION_SECONDS": "2", **env}
        worker = Program(output=self.folder / f"{name}.log", env=settings)
        data = [] if self.broker is None else ["--data", str(self.folder / name)]
        worker.arguments = (
            *("work", *self.store_options, *data, "--metrics-port", str(worker.port)),
        )
        self._programs.append(worker)
        return worker

    def run(self, *arguments: str, given: bytes = b"") -> CompletedProcess[bytes]:
        """Run a command on this log."""
        return run_triage(*arguments, given=given, cwd=self.folder)

    def append(self, *values: bytes | None, key: bytes | None = None) -> None:
        """Append records as a foreign producer would: whatever they hold."""
        records = [
            NewRecord(value=value, key=b"k" if value is None and key is None else key)
            for value in values
        ]
        self.log.append(Topic.POSTS, records)

    def ticket(self, post: str) -> Ticket | None:
        """Give the ticket of a post, where there is one."""
        try:
            return self.queue.get(ticket_id(self.org, post), now=now())
        except (NotFound, Unavailable):
            return None

    def await_ticket(self, post: str, worker: Program, *, seconds: float = 30) -> Ticket:
        """Give the ticket of a post as soon as there is one."""
        wait_until(lambda: self.ticket(post), seconds=seconds, why=lambda: worker.said()[-3000:])
        ticket = self.ticket(post)
        assert ticket is not None
        return ticket

    def letters(self) -> list[dict[str, Any]]:
        """Give what ``triage dead-letter list`` prints."""
        done = self.run("dead-letter", "list", *self.log_options)
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def positions(self) -> Mapping[str, int]:
        """Give the positions in the queue store."""
        return self.queue.positions(self.org)

    def taken(self) -> int:
        """Give how many records the queue store has taken."""
        try:
            return sum(self.positions().values())
        except Unavailable:
            return 0

    def close(self) -> None:
        """Leave nothing behind."""
        for program in self._programs:
            program.kill()
        self.log.close()
        self.queue.close()
        del self.log, self.queue
        with warnings.catch_warnings():
            # kafka-python leaves sockets to the collector when a broker goes away under it.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


def post(
    identity: str, text: str = "Er ligt een losse tegel op de stoep", **fields: object
) -> bytes:
    """Give a good post."""
    return json.dumps({"id": identity, "text": text, **fields}).encode()


def posts(prefix: str, count: int) -> Sequence[bytes]:
    """Give so many good posts."""
    return [
        post(f"{prefix}-{number}", f"Lantaarnpaal {number} brandt niet") for number in range(count)
    ]


#: Makes a scene in a folder of its own.
NewScene = Callable[[], Scene]
