"""What the benchmarks share: servers, pinning, figures with their targets, table and JSON."""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psutil

from tests.plugins.brokers import KafkaBroker
from tests.plugins.redis_server import RedisServer
from triage.settings import Settings, load_settings

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"

#: No rewrite of the append-only file may start in the middle of a measurement.
_REDIS_CONFIG: Final = ("--maxmemory-policy", "noeviction", "--auto-aof-rewrite-percentage", "0")


# -- cores ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Who runs where."""

    #: One for each measured process.
    measured: tuple[int, ...]
    servers: frozenset[int]

    @property
    def apart(self) -> bool:
        """Whether no measured process shares its core with a server or another one."""
        alone = len(set(self.measured)) == len(self.measured)
        return alone and self.servers.isdisjoint(self.measured)


def cores(processes: int = 1) -> Cores:
    """Share out the cores that we may use: the last ones are measured, the rest serves."""
    ours = sorted(_OURS)
    measured = tuple(ours[-1 - number % len(ours)] for number in range(processes))
    servers = frozenset(ours) - set(measured)
    # Too few cores: the servers stay where they are with one process measured.
    return Cores(measured=measured, servers=servers or frozenset(ours[:-1]) or frozenset(ours))


_OURS: Final = frozenset(os.sched_getaffinity(0))


def pin(wanted: frozenset[int]) -> None:
    """Keep this process, and what it starts from now on, on some cores."""
    os.sched_setaffinity(0, wanted)


def cpu_seconds(name: str) -> float:
    """Give the CPU time that our child of this name has used (0.0 where there is none)."""
    for child in psutil.Process().children():
        if name in child.name():
            times = child.cpu_times()
            return float(times.user + times.system)
    return 0.0


# -- servers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """A broker, a Redis and a folder, all our own."""

    kafka: KafkaBroker
    redis: RedisServer
    folder: Path

    def settings(self, *, group: str = "triage", partitions: int = 2) -> Settings:
        """Give the settings of a process that works on these."""
        return load_settings(
            log=self.kafka.url,
            queue=self.redis.url,
            data=self.folder / "data",
            kafka_group=group,
            kafka_partitions=partitions,
        )

    def empty_queues(self) -> None:
        """Forget all tickets, and what the append-only file holds of them."""
        with self.redis.client() as client:
            client.flushall()
            client.bgrewriteaof()
            while client.info("persistence")["aof_rewrite_in_progress"]:
                pass


@contextmanager
def servers(*, fsync: str) -> Iterator[Servers]:
    """Start a real Kafka and a real Redis on this process's cores; leave nothing behind.

    ``fsync`` is Redis's ``appendfsync``: ``always`` as deploy/compose.yaml sets it, ``everysec``
    where the disk is not what is measured.
    """
    with tempfile.TemporaryDirectory(prefix="triage-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "redis").mkdir()
        redis = RedisServer(folder / "redis", config=(*_REDIS_CONFIG, "--appendfsync", fsync))
        try:
            with KafkaBroker(folder / "kafka") as kafka:
                redis.start()
                yield Servers(kafka=kafka, redis=redis, folder=folder)
        finally:
            redis.kill()


def clean_exit_on_sigterm() -> None:
    """Let SIGTERM end a benchmark as Ctrl-C does: everything it started is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


# -- figures -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One result, and what it must be."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    @property
    def target(self) -> str:
        """The target in words."""
        if self.at_least is not None:
            return f">= {number(self.at_least)}"
        if self.at_most is not None:
            return f"<= {number(self.at_most)}"
        return ""

    def to_mapping(self) -> dict[str, Any]:
        """Give it JSON-ready."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "passed": self.passed,
            "note": self.note,
        }


def number(value: float) -> str:
    """Write a number with three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def report(
    name: str, figures: Sequence[Figure], *, details: Mapping[str, Any], strict: bool
) -> int:
    """Print the table, write the JSON, and give the exit status (1: a target missed, if strict)."""
    machine = machine_of()
    rows = [("", "value", "target", "", "")]
    rows += [
        (
            figure.name,
            f"{number(figure.value)} {figure.unit}".strip(),
            figure.target,
            {None: "", True: "pass", False: "FAIL"}[figure.passed],
            figure.note,
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    print(f"\n{name} on {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}")
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            row[1].rjust(widths[1]),
            row[2].ljust(widths[2]),
            row[3].ljust(widths[3]),
            row[4],
        ]
        print("  ".join(cells).rstrip())
    at = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}-{at:%Y%m%d-%H%M%S}.json"
    document = {
        "benchmark": name,
        "at": at.isoformat(timespec="seconds"),
        "machine": machine,
        "command": sys.argv[1:],
        "figures": [figure.to_mapping() for figure in figures],
        "details": details,
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {path.relative_to(ROOT)}")
    return int(strict and any(figure.passed is False for figure in figures))


def machine_of() -> dict[str, Any]:
    """Describe the machine; its name is nobody's business."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in info.splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(_OURS),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def spread(values: Sequence[float]) -> str:
    """Tell how far repeated measurements lie apart."""
    if len(values) < 2:
        return ""
    listed = ", ".join(number(value) for value in sorted(values))
    return f"median of {len(values)}: {listed}"


def median(values: Sequence[float]) -> float:
    """Give the median."""
    return statistics.median(values)


def progress(text: str) -> None:
    """Say what is going on."""
    print(f"  {text}", file=sys.stderr, flush=True)
