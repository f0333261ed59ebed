"""Logs on every backend, each test with streams of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition

from triage.log import Gap, Log, NewRecord, Record, Topic
from triage.log.kafka import KafkaLog
from triage.log.kafka_client import KafkaSettings
from triage.log.sqlite import SqliteLog

#: How long a reader that is silent is still taken for alive, in seconds.
SESSION_SECONDS: Final = 2.0
#: A reader of its own process: it takes what it gets, says how much that is, and goes on.
_CHILD: Final = """
import sys
from triage.log.open import open_log
log = open_log(
    sys.argv[1], topic_prefix=sys.argv[2], group=sys.argv[2], partitions=4, session_seconds=2.0
)
said = None
owned = set()
while True:
    polled = log.poll(timeout=0.1, limit=10)
    for partition in polled.fresh:
        log.seek(partition, None)
    names = polled.fresh | {record.partition for record in polled.records}
    owned |= {name for name in names if ".urgent-" not in name}
    if said != len(owned):
        said = len(owned)
        print(said, flush=True)
"""


class LogStore:
    """The streams of one test; open as many logs on them as you like."""

    def __init__(self, kind: str, url: str, *, path: Path | None = None) -> None:
        self.kind = kind
        self.url = url
        self.path = path
        self.prefix = f"t{uuid.uuid4().hex[:8]}." if kind == "kafka" else "triage."
        #: Added to the clock of the embedded logs.
        self.later = timedelta()
        self._opened: list[Log] = []
        self._children: list[subprocess.Popen[str]] = []

    def open(self, **options: Any) -> Any:
        """Open a log with connections of its own."""
        log = self._open_kafka(**options) if self.kind == "kafka" else self._open_sqlite(**options)
        self._opened.append(log)
        return log

    def _open_sqlite(self, **options: Any) -> Log:
        assert self.path is not None
        defaults: dict[str, Any] = {
            "group": self.prefix,
            "partitions": 4,
            "lease_seconds": SESSION_SECONDS,
        }
        options = defaults | options
        return SqliteLog(self.path, now=lambda: datetime.now(UTC) + self.later, **options)

    def _open_kafka(self, **options: Any) -> Log:
        callbacks = {
            name: options.pop(name) for name in ("on_rejoin", "on_pause") if name in options
        }
        settings = {
            "topic_prefix": self.prefix,
            "group": self.prefix,
            "partitions": 4,
            "session_seconds": SESSION_SECONDS,
        } | options
        return KafkaLog(KafkaSettings.from_url(self.url, **settings), **callbacks)

    def reader(self) -> subprocess.Popen[str]:
        """Start a reader as a process of its own; its output says how many partitions it reads."""
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, self.url, self.prefix],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        self._children.append(child)
        return child

    def admin(self) -> Any:
        """Give a client for what only an operator does."""
        kind: Any = KafkaAdminClient
        return kind(bootstrap_servers=[self.url.removeprefix("kafka://")])

    def drop(self, log: Any, partition: str, upto: int) -> None:
        """Let retention take the records of a partition below an offset."""
        if self.kind == "kafka":
            topic, _, number = partition.rpartition("-")
            admin = self.admin()
            admin.delete_records({TopicPartition(topic, int(number)): upto})
            admin.close()
            return
        log.commit({partition: upto})
        self.later += timedelta(days=15)
        log.retain()

    def close(self) -> None:
        """Close all logs and end all readers."""
        for child in self._children:
            child.kill()
            child.communicate()
        for log in self._opened:
            log.close()


def posts(*values: bytes, key: bytes | None = None) -> list[NewRecord]:
    """Give records of these values."""
    return [NewRecord(value=value, key=key) for value in values]


def settle(*logs: Log) -> list[set[str]]:
    """Let the readers join until they own all four partitions, evenly; give who owns what."""
    owned: list[set[str]] = [set() for _ in logs]

    def join(place: int, stop: threading.Event) -> None:
        while not stop.is_set():
            fresh = logs[place].poll(timeout=0.1, limit=1).fresh
            owned[place] = {name for name in fresh if not is_urgent(name)}

    def even() -> bool:
        return {len(own) for own in owned} == {4 // len(logs)} and len(set().union(*owned)) == 4

    with contextlib.ExitStack() as stack:
        for place in range(len(logs)):
            stack.enter_context(background(partial(join, place)))
        wait_for(even)
    return owned


def is_urgent(partition: str) -> bool:
    """Tell whether a partition is one of the urgent posts."""
    return partition.rpartition("-")[0].endswith(".urgent")


@contextlib.contextmanager
def background(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run something on a thread of its own, until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Reading:
    """A reader as the worker is one: it seeks where its store of positions stands."""

    def __init__(self, log: Log, positions: dict[str, int] | None = None) -> None:
        self.log = log
        self.positions = positions if positions is not None else {}
        self.records: list[Record] = []
        self.gaps: list[Gap] = []

    def step(self, *, timeout: float = 0.1, limit: int = 500) -> Sequence[Record]:
        """Poll once, seek what is fresh, and keep what came."""
        polled = self.log.poll(timeout=timeout, limit=limit)
        for partition in polled.fresh:
            gap = self.log.seek(partition, self.positions.get(partition))
            if gap is not None:
                self.gaps.append(gap)
                self.positions[partition] = gap.resume
        for record in polled.records:
            # The store compares positions; a record that another reader already put is dropped.
            if self.positions.get(record.partition, 0) <= record.offset:
                self.positions[record.partition] = record.offset + 1
                self.records.append(record)
        return polled.records

    def until(self, done: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Step until something is true."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"only {len(self.records)} records came"
            self.step()

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop."""
        while not stop.is_set():
            self.step()

    @property
    def partitions(self) -> set[str]:
        """Where the records came from."""
        return {record.partition for record in self.records}

    def take(self, count: int) -> list[Record]:
        """Read until there are so many records."""
        self.until(lambda: len(self.records) >= count)
        return self.records

    def by_key(self) -> dict[bytes | None, list[bytes | None]]:
        """Give the values that came, by key."""
        found: dict[bytes | None, list[bytes | None]] = defaultdict(list)
        for record in self.records:
            found[record.key].append(record.value)
        return found


def wait_for(done: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def sqlite_store(folder: Path) -> LogStore:
    """Give the streams of a new file."""
    path = folder / "triage.db"
    return LogStore("sqlite", f"sqlite:///{path}", path=path)


def kafka_store(url: str) -> LogStore:
    """Give streams with a prefix of their own on a broker."""
    return LogStore("kafka", url)


def all_of(log: Log, topic: Topic) -> list[Record]:
    """Give all records of a stream."""
    return list(log.scan(topic))
