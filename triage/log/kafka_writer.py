"""What appends to Kafka: one idempotent producer, shared by all threads of a process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Final

from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from kafka.partitioner.sticky import StickyPartitioner

from triage.errors import InvalidPost, Unavailable
from triage.log import RECORD_LIMIT, NewRecord
from triage.log.kafka_client import CLIENT_ERRORS, Client, KafkaSettings, opened

_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class KafkaWriter:
    """Appends records and waits until all in-sync replicas have them."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._producer: Client = None

    def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        """Append in order. Raises Unavailable: some may be there, so append all of them again.

        Raises InvalidPost for a record that the topic never takes.
        """
        producer = None
        try:
            producer = self._opened()
            sent = [
                producer.send(topic, value=record.value, key=record.key, headers=[*record.headers])
                for record in records
            ]
            deadline = time.monotonic() + self._settings.append_seconds + 1
            for result in sent:
                result.get(timeout=max(0.0, deadline - time.monotonic()))
        except _TOO_LARGE:
            # The producer keeps the refused batch and would refuse all that follows with it.
            self._discard(producer)
            raise InvalidPost("", "groter dan de log toestaat") from None
        except (*CLIENT_ERRORS, ValueError) as error:
            # After an error an idempotent producer may be in a state it never leaves (fenced,
            # sequence lost); and what it still holds must not follow after we gave up on it.
            self._discard(producer)
            raise Unavailable(f"Kafka: append: {type(error).__name__}") from None

    def close(self) -> None:
        """Close the producer; nothing is under way, as every append waits."""
        self._discard(self._producer)

    def _opened(self) -> Client:
        with self._lock:
            if self._producer is None:
                milliseconds = int(self._settings.append_seconds * 1000)
                partitioner: Client = StickyPartitioner
                self._producer = opened(
                    KafkaProducer,
                    self._settings.client(),
                    acks="all",
                    enable_idempotence=True,
                    allow_auto_create_topics=False,
                    partitioner=partitioner(),
                    batch_size=64 * 1024,
                    max_request_size=RECORD_LIMIT + 64 * 1024,
                    max_block_ms=milliseconds,
                    delivery_timeout_ms=milliseconds,
                    request_timeout_ms=milliseconds // 2,
                    metrics_enabled=False,
                )
            return self._producer

    def _discard(self, producer: Client) -> None:
        with self._lock:
            if producer is self._producer:
                self._producer = None
        if producer is None:
            return
        sender = producer._sender  # noqa: SLF001 - `close` leaves it running when its flush fails
        with contextlib.suppress(*CLIENT_ERRORS):
            producer.close(timeout=0)
        sender.force_close()
        sender.join(timeout=2)
