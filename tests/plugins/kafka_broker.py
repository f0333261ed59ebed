"""Fixtures of the real Kafka broker: one a session, and brokers of their own to kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugins.brokers import BrokerMissing, KafkaBroker, kafka_jars


@pytest.fixture(scope="session")
def kafka_installed() -> Path:
    """Give the broker's jars. Missing: skip locally with a loud message, fail when CI is set."""
    try:
        return kafka_jars()
    except BrokerMissing as missing:
        message = f"NO KAFKA BROKER, ITS TESTS DID NOT RUN: {missing}"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


@pytest.fixture(scope="session")
def kafka_broker(
    kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaBroker]:
    """Give a running broker that all tests share; use a topic prefix of your own."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def new_kafka_broker(
    kafka_installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., KafkaBroker]]:
    """Give a maker of brokers of one's own (not started), to kill and restart."""
    made: list[KafkaBroker] = []

    def make(**options: object) -> KafkaBroker:
        broker = KafkaBroker(tmp_path_factory.mktemp("kafka"), **options)  # type: ignore[arg-type]
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.kill()
