"""What all tests share: real servers to run on, as fixtures."""

from __future__ import annotations

pytest_plugins = [
    "tests.plugins.kafka_broker",
    "tests.plugins.redis_server",
    "tests.plugins.queue_stores",
    "tests.plugins.scenes",
    "tests.plugins.api_server",
    "tests.plugins.desk",
    "tests.plugins.openid",
]
