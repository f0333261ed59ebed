"""Workers come and go under load: the stream pauses briefly, and nothing is lost or double."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.chaos import verdict
from tests.plugins.load import Feeder, Load
from tests.plugins.programs import Program, wait_until
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene

#: Records a second.
RATE = 600.0
#: The longest that a partition may stand still when a worker comes or leaves in order, in seconds.
LONGEST = 12.0


class Gaps:
    """The longest time that each partition, and the stream as a whole, stood still."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._moved: dict[str, tuple[int, float]] = {}
        self.longest: dict[str, float] = {}

    def look(self) -> None:
        """Note which partitions moved."""
        now = time.monotonic()
        positions = dict(self._scene.positions())
        for name, position in {**positions, "stream": sum(positions.values())}.items():
            before, at = self._moved.get(name, (position, now))
            if position != before:
                self.longest[name] = max(self.longest.get(name, 0.0), now - at)
                at = now
            self._moved[name] = (position, at)

    def during(self, done: Callable[[], object], *, seconds: float, worker: Program) -> None:
        """Look until something is true."""

        def looked() -> object:
            self.look()
            return done()

        wait_until(looked, seconds=seconds, why=lambda: worker.said()[-3000:])


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_a_worker_joins_and_another_leaves(
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
    tmp_path: Path,
) -> None:
    """Two workers, one added, one removed under load: no loss, no double, a short pause."""
    broker, redis = new_kafka_broker(), new_redis_server("--appendfsync", "everysec")
    broker.start()
    redis.start()
    scene = Scene(tmp_path, broker=broker, redis=redis)
    load = Load()
    feeder = Feeder(scene.log, load, rate=RATE)
    try:
        first, second = scene.worker("first").start(), scene.worker("second").start()
        feeder.start()
        wait_until(lambda: _read(first) > 0 and _read(second) > 0, seconds=60, why=first.said)
        gaps = Gaps(scene)
        third = scene.worker("third").start()
        gaps.during(lambda: _read(third) > 0, seconds=30, worker=third)
        figures = [_pauses(worker) for worker in (first, second, third)]
        assert second.stop(10) == 0, second.said()
        went_on = scene.taken()
        gaps.during(lambda: scene.taken() > went_on + 3 * RATE, seconds=30, worker=third)
        figures += [_pauses(worker) for worker in (first, third)]
        load.enough = True
        feeder.join()
        wait_until(lambda: scene.taken() == load.records, seconds=60, why=first.said)
        wait_until(lambda: not scene.queue.unpublished(scene.org, limit=1), why=first.said)
        found = verdict(scene.log, scene.queue, scene.org, scene.profile.teams, count=load.posts)
    finally:
        feeder.end()
        scene.close()
    print(f"longest pause in seconds, of each partition and of the stream: {gaps.longest}")  # noqa: T201
    print(f"triage_stream_pause_seconds (count, sum) by worker: {figures}")  # noqa: T201
    assert found.sound, found
    assert max(gaps.longest.values()) < LONGEST
    assert sum(count for count, _ in figures) > 0


def _read(worker: Program) -> float:
    return worker.figure("triage_posts_read_total")


def _pauses(worker: Program) -> tuple[float, float]:
    name = "triage_stream_pause_seconds"
    return worker.figure(f"{name}_count"), round(worker.figure(f"{name}_sum"), 2)
