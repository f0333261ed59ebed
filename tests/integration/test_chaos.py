"""Whatever is killed, every post is in exactly one ticket (the large runs: benchmarks/chaos.py)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.chaos_runs import KafkaRun, SqliteRun, run_kafka, run_sqlite
from tests.plugins.programs import environment
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene, post
from triage.log import NewRecord, Topic
from triage.log.open import open_log


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_kills_of_worker_redis_and_broker_lose_nothing(
    kafka_installed: Path, redis_installed: None, tmp_path: Path
) -> None:
    """Kill -9 of the worker, of Redis (its last second cut off) and of Kafka: none lost or double."""
    size = KafkaRun(
        posts=10_000, kills=5, redis_kills=1, redis_cuts=1, broker_kills=1, session_seconds=2
    )
    report = run_kafka(tmp_path, size)
    print(report.as_json())  # noqa: T201 - the figures, for whoever looks
    assert report.verdict is not None
    assert report.verdict.sound, report.verdict
    assert report.figures["power_cut_bytes"] > 0


@pytest.mark.slow
def test_kills_of_up_lose_nothing(tmp_path: Path) -> None:
    """Kill -9 of ``triage up`` and its children, or of it alone: no post lost or double."""
    report = run_sqlite(tmp_path, SqliteRun(posts=2_000, kills=4, session_seconds=2))
    print(report.as_json())  # noqa: T201 - the figures, for whoever looks
    assert report.verdict is not None
    assert report.verdict.sound, report.verdict


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_a_broker_that_stays_away_costs_no_descriptors(
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
    tmp_path: Path,
) -> None:
    """A worker waits for Kafka with as many files open as before, and goes on when it's back."""
    broker, redis = new_kafka_broker(), new_redis_server()
    broker.start()
    redis.start()
    scene = Scene(tmp_path, broker=broker, redis=redis)
    worker = scene.worker().start()
    try:
        scene.append(post("before"))
        scene.await_ticket("before", worker)
        assert worker.process is not None
        process = psutil.Process(worker.process.pid)
        before = process.num_fds()
        broker.kill()
        # kafka-python lost two or three a second: enough to run out of files within minutes.
        time.sleep(10)
        assert process.num_fds() <= before + 5
        broker.start()
        scene.append(post("after"))
        scene.await_ticket("after", worker, seconds=60)
        assert worker.stop() == 0
    finally:
        scene.close()


#: Opens both stores on one file, waits for a word, appends, and stays.
WRITER = """
import sys
from triage.log import NewRecord, Topic
from triage.log.open import open_log
from triage.queue.open import open_queue
log, queue = open_log(sys.argv[1]), open_queue(sys.argv[1])
log.append(Topic.POSTS, [NewRecord(value=b"first")])
queue.positions("gemeente")
print("ready", flush=True)
sys.stdin.readline()
log.append(Topic.POSTS, [NewRecord(value=b"second")])
print("done", flush=True)
sys.stdin.readline()
"""


def test_the_stores_of_one_process_keep_their_locks(tmp_path: Path) -> None:
    """What was appended survives kill -9, also when another process came and went before it.

    Opening a SQLite file by itself and closing it drops the locks of the whole process; the next
    process to close the file would then delete the WAL that the first still writes into.
    """
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        with open_log(url) as log:
            log.append(Topic.POSTS, [NewRecord(value=b"visitor")])
        writer.stdin.write(b"go on\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == b"done\n"
        writer.kill()
    with open_log(url) as log:
        found = {record.value for record in log.scan(Topic.POSTS)}
    assert found == {b"first", b"second", b"visitor"}
