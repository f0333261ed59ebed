"""A deployment on each of the backends, for tests of what both promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene


@pytest.fixture(
    params=["sqlite", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])]
)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Give a deployment on each of the backends."""
    if request.param == "kafka":
        new_broker: Callable[..., KafkaBroker] = request.getfixturevalue("new_kafka_broker")
        new_redis: Callable[..., RedisServer] = request.getfixturevalue("new_redis_server")
        redis = new_redis()
        redis.start()
        made = Scene(tmp_path, broker=new_broker().start(), redis=redis)
    else:
        made = Scene(tmp_path)
    yield made
    made.close()
