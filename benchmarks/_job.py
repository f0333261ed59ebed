"""How a measured process is started, begins and tells what it used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks._support import ROOT
from benchmarks._usage import memory_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a measured process does, and with what."""

    #: ``worker``, ``worker-alone`` (nothing is bundled), ``bare``, ``peer-one`` or ``peer-batch``.
    kind: str
    kafka: str
    redis: str
    group: str
    core: int
    #: A folder of its own.
    data: str
    #: Partitions of the topic, and how many of them are for this process.
    partitions: int = 2
    share: int = 2
    #: Posts after which a peer stops.
    posts: int = 0


def start(job: Job) -> subprocess.Popen[str]:
    """Start a measured process; it is ready when it says ``ready``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks._loops", json.dumps(asdict(job))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


class Clock:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._cpu = time.process_time()
        self._main = time.thread_time()

    def stopped(self, posts: int) -> dict[str, Any]:
        """Give what was used."""
        begun, ended = self._wall, time.monotonic()
        return {
            "posts": posts,
            "begun": begun,
            "ended": ended,
            "wall": ended - begun,
            "cpu": time.process_time() - self._cpu,
            "main_cpu": time.thread_time() - self._main,
            "peak_mb": memory_of()[1],
        }


def ready() -> None:
    """Say that we are, and wait for the word."""
    print("ready", flush=True)
    if not sys.stdin.readline():
        sys.exit("the benchmark is gone")
