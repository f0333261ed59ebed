"""What only Kafka can do to us: brokers die, topics are made anew, partitions fall silent."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.brokers import SCRAM_PASSWORD, SCRAM_USER, KafkaBroker
from tests.plugins.log_stores import (
    LogStore,
    Reading,
    all_of,
    background,
    kafka_store,
    posts,
    settle,
    wait_for,
)
from triage.errors import InvalidPost, Refused, Unavailable
from triage.log import NewRecord, Topic
from triage.log.kafka import KafkaLog
from triage.log.kafka_client import KafkaSettings
from triage.log.open import open_log

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect what the client leaves of connections that failed: sockets that it did not close."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def store(kafka_broker: KafkaBroker) -> Iterator[LogStore]:
    """Give streams on the broker that all tests share."""
    found = kafka_store(kafka_broker.url)
    yield found
    found.close()


def patiently(call: Callable[[], object], *, seconds: float = 40.0) -> None:
    """Do it again until the broker answers, as the worker does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            call()
        except Unavailable:
            assert time.monotonic() < deadline, "the broker did not come back"
            time.sleep(0.1)
        else:
            return


def test_a_killed_broker_loses_nothing(new_kafka_broker: Callable[..., KafkaBroker]) -> None:
    """Under load, kill -9 and a restart: all that was appended is read, and all calls recover."""
    broker = new_kafka_broker().start()
    store = kafka_store(broker.url)
    feeder, log = store.open(append_seconds=2.0), store.open()
    appended: list[bytes] = []

    def feed(stop: threading.Event) -> None:
        while not stop.is_set():
            batch = [b"%d" % (len(appended) + i) for i in range(10)]
            patiently(
                lambda batch=batch: feeder.append(  # type: ignore[misc] # bound now
                    Topic.POSTS, [NewRecord(value=value, key=value) for value in batch]
                )
            )
            appended.extend(batch)
            time.sleep(0.02)

    reading = Reading(log)
    with background(feed):
        wait_for(lambda: len(appended) > 200)
        reading.take(100)
        broker.kill()
        started = time.monotonic()
        with pytest.raises(Unavailable):
            log.ping()
        assert time.monotonic() - started < 2.5
        with pytest.raises(Unavailable):
            log.lag()
        for _ in range(3):
            # Nothing or Unavailable, but it comes back.
            try:
                reading.step(timeout=0.2)
            except Unavailable:
                continue
        before = len(appended)
        broker.start()
        patiently(log.ping)
        wait_for(lambda: len(appended) > before + 200, seconds=40)
    expected = set(appended)

    def read_all() -> bool:
        try:
            reading.step()
        except Unavailable:
            return False
        return expected <= {record.value for record in reading.records}

    wait_for(read_all, seconds=40)
    assert reading.gaps == []
    store.close()


def test_a_frozen_broker_is_unavailable(new_kafka_broker: Callable[..., KafkaBroker]) -> None:
    """A broker that holds its sockets and answers nothing is unavailable within two seconds."""
    broker = new_kafka_broker().start()
    store = kafka_store(broker.url)
    log = store.open()
    log.ping()
    broker.freeze()
    started = time.monotonic()
    with pytest.raises(Unavailable):
        log.ping()
    assert time.monotonic() - started < 2.5
    broker.thaw()
    patiently(log.ping)
    store.close()


def test_a_log_opens_before_its_broker(new_kafka_broker: Callable[..., KafkaBroker]) -> None:
    """A process that starts before the broker waits for it, and leaves no thread behind."""
    broker = new_kafka_broker()
    store = kafka_store(broker.url)
    log = store.open(append_seconds=1.0)
    threads = threading.active_count()
    calls: list[Callable[[], object]] = [
        log.ping,
        log.lag,
        lambda: log.poll(timeout=0.1, limit=1),
        lambda: log.append(Topic.POSTS, posts(b"a")),
        lambda: list(log.scan(Topic.POSTS)),
    ]
    for call in calls:
        with pytest.raises(Unavailable):
            call()
    wait_for(lambda: threading.active_count() <= threads)
    broker.start()
    patiently(lambda: log.append(Topic.POSTS, posts(b"a")))
    assert len(Reading(log).take(1)) == 1
    store.close()


def test_a_topic_made_anew_is_a_gap(store: LogStore) -> None:
    """A topic deleted and made anew under a reader: a gap each partition, and all of it is read.

    Also where the new one has grown past the position: only its id tells then.
    """
    log = store.open(watchdog_seconds=2.0)
    reading = Reading(log)
    log.append(Topic.POSTS, [NewRecord(value=b"old", key=b"%d" % i) for i in range(40)])
    reading.take(40)
    admin = store.admin()
    admin.delete_topics([f"{store.prefix}posts"])
    wait_for(lambda: f"{store.prefix}posts" not in admin.list_topics())
    admin.close()
    log._admin.forget()
    log.append(Topic.POSTS, [NewRecord(value=b"new%d" % i, key=b"%d" % i) for i in range(80)])
    # The client does so by itself every minute.
    log._reader._consumer._cluster.request_update()
    reading.until(lambda: len(reading.gaps) == 4)
    assert {(gap.resume, gap.count) for gap in reading.gaps} == {(0, 0)}
    reading.until(lambda: {b"new%d" % i for i in range(80)} <= {r.value for r in reading.records})


def test_retention_that_overtakes_a_reader_is_a_gap(store: LogStore) -> None:
    """Records that go while a reader stands before them are told as a gap, not passed over."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(30)), key=b"one"))
    reading = Reading(log)
    partition = reading.take(30)[0].partition
    assert log.seek(partition, 3) is None
    store.drop(log, partition, 20)
    del reading.records[:]
    reading.positions[partition] = 3
    reading.until(lambda: reading.gaps)
    (gap,) = reading.gaps
    # The client may have had some of them in hand already.
    assert (gap.resume, gap.start + gap.count) == (20, 20)
    reading.until(lambda: reading.positions[partition] == 30)


def test_the_watchdog_wakes_a_silent_partition(store: LogStore) -> None:
    """A partition that is assigned, has records and gives none makes us join again, and count."""
    rejoined: list[int] = []
    log = store.open(watchdog_seconds=1.0, on_rejoin=lambda: rejoined.append(1))
    feed = store.open()
    reading = Reading(log)
    feed.append(Topic.POSTS, posts(b"a", key=b"one"))
    reading.take(1)
    # What the client did after some rebalances in 3.0.7: it fetched nothing for the partition.
    consumer = log._reader._consumer
    consumer.pause(*consumer.assignment())
    feed.append(Topic.POSTS, posts(b"b", key=b"one"))
    reading.take(2)
    assert (log.rejoins, len(rejoined)) == (1, 1)
    assert [record.value for record in reading.records] == [b"a", b"b"]


def test_the_watchdog_lets_a_resting_reader_be(store: LogStore) -> None:
    """Nobody polled for a while, or nothing came in: that is no silent partition."""
    now = [0.0]
    log = KafkaLog(
        KafkaSettings.from_url(
            store.url, group=store.prefix, topic_prefix=store.prefix, watchdog_seconds=30.0
        ),
        clock=lambda: now[0] + time.monotonic(),
    )
    with log:
        reading = Reading(log)
        log.append(Topic.POSTS, posts(b"a", key=b"one"))
        reading.take(1)
        for _ in range(5):
            now[0] += 20.0
            reading.step()
        log.append(Topic.POSTS, posts(b"b", key=b"one"))
        now[0] += 3600.0
        reading.take(2)
        assert log.rejoins == 0


def test_a_rebalance_is_measured(store: LogStore) -> None:
    """When another reader joins, the pause of the first one is told, and it's short."""
    pauses: list[float] = []
    first = Reading(store.open(on_pause=pauses.append))
    first.log.append(Topic.POSTS, posts(b"a"))
    first.take(1)
    assert pauses == []
    second = Reading(store.open())
    with background(first.run), background(second.run):
        wait_for(lambda: pauses)
    assert 0 < max(pauses) < 10


def test_topics_are_made_once_by_many(store: LogStore) -> None:
    """Processes that start at once make the topics together, each kept as long as it should be."""
    logs = [store.open() for _ in range(4)]
    threads = [
        threading.Thread(target=log.append, args=(Topic.POSTS, posts(b"%d" % number)))
        for number, log in enumerate(logs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(all_of(logs[0], Topic.POSTS)) == 4
    settle(logs[0])
    admin = store.admin()
    names = {topic for topic in admin.list_topics() if topic.startswith(store.prefix)}
    kinds = ("posts", "posts.urgent", "assessed", "dead-letter", "outcomes")
    assert names == {store.prefix + name for name in kinds}
    assert len(admin.describe_topics([f"{store.prefix}posts"])[0]["partitions"]) == 4
    admin.close()


def test_a_topic_that_allows_less_gets_dead_letters_without_payload(store: LogStore) -> None:
    """A dead letter that its topic refuses goes without the bytes; the stream goes on."""
    admin = store.admin()
    name = f"{store.prefix}dead-letter"
    admin.create_topics({name: {"num_partitions": 1, "configs": {"max.message.bytes": "4000"}}})
    admin.close()
    log = store.open()
    log.append(Topic.POSTS, posts(b"x" * 50_000, key=b"k"))
    (record,) = Reading(log).take(1)
    log.reject([(record, InvalidPost("", "onleesbaar"))])
    (letter,) = all_of(log, Topic.DEAD_LETTER)
    assert letter.value == b""
    assert dict(letter.headers)["size"] == b"50000"


def test_scram_opens_the_door(new_kafka_broker: Callable[..., KafkaBroker]) -> None:
    """With SCRAM the right password reads and writes; a wrong one is unavailable, and not told."""
    broker = new_kafka_broker(scram=True).start()
    options: dict[str, Any] = {
        "security_protocol": "SASL_PLAINTEXT",
        "username": SCRAM_USER,
        "partitions": 2,
    }
    for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256"):
        with open_log(
            broker.url,
            **options,
            sasl_mechanism=mechanism,
            password=SCRAM_PASSWORD,
            group=mechanism,
        ) as log:
            patiently(lambda log=log: log.append(Topic.POSTS, posts(b"a")))  # type: ignore[misc] # bound now
            assert Reading(log).take(1)
    wrong = {**options, "sasl_mechanism": "SCRAM-SHA-512", "password": "fout-wachtwoord"}
    with open_log(broker.url, **wrong) as log:
        with pytest.raises(Unavailable) as refused:
            log.ping()
        assert "fout" not in str(refused.value)


def test_settings_reach_the_clients(tmp_path: Path) -> None:
    """SASL and TLS settings are what the client is given; half a set is refused at the start."""
    settings = KafkaSettings.from_url(
        "kafka://a:9092,b:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="u",
        sasl_password="p",
        ssl_cafile=str(tmp_path / "ca.pem"),
    )
    config = settings.client()
    assert config["bootstrap_servers"] == ["a:9092", "b:9093"]
    assert (config["security_protocol"], config["ssl_check_hostname"]) == ("SASL_SSL", True)
    assert config["ssl_cafile"] == str(tmp_path / "ca.pem")
    assert (config["sasl_mechanism"], config["sasl_plain_username"]) == ("SCRAM-SHA-512", "u")
    assert config["sasl_plain_password"] == "p"
    assert settings.client()["client_id"] != config["client_id"]
    assert "'p'" not in repr(settings)
    with pytest.raises(Refused):
        KafkaSettings.from_url("kafka://a", security_protocol="SASL_SSL", sasl_mechanism="PLAIN")
    with pytest.raises(Refused):
        KafkaSettings.from_url("kafka://a", security_protocol="TLS")


def test_an_urgent_post_in_hand_comes_while_the_group_fails(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group that does not answer takes no urgent post along that was read just before."""
    log = store.open()
    reading = Reading(log)
    log.append(Topic.URGENT, posts(b"a", key=b"one"))
    reading.take(1)
    log.append(Topic.URGENT, posts(b"b", key=b"one"))

    def no_answer(**_: Any) -> None:
        raise Unavailable("Kafka: poll: NodeNotReadyError")

    monkeypatch.setattr(log._reader, "poll", no_answer)
    patiently(reading.step)
    assert [record.value for record in reading.records] == [b"a", b"b"]
    with pytest.raises(Unavailable):
        reading.step()


@pytest.mark.parametrize("silent", [Topic.POSTS, Topic.URGENT])
def test_a_topic_that_cannot_be_described_keeps_the_urgent_posts(
    store: LogStore, monkeypatch: pytest.MonkeyPatch, silent: Topic
) -> None:
    """A broker that for a moment can't tell a topic's partitions takes none of them from us."""
    log = store.open()
    reading = Reading(log)
    log.append(Topic.URGENT, posts(*(b"%d" % i for i in range(20))))
    reading.take(20)
    lane, describe = log._lane, log._admin.partitions
    owned = {name for name in reading.partitions if lane.owns(name)}
    lane._count_due = 0.0  # as a minute later
    with monkeypatch.context() as patch:
        patch.setattr(log._admin, "partitions", lambda t: [] if t is silent else describe(t))
        with pytest.raises(Unavailable, match="topics"):
            reading.step()
    assert {name for name in reading.partitions if lane.owns(name)} == owned
    log.append(Topic.URGENT, posts(b"after", key=b"one"))
    reading.take(21)
    assert reading.records[-1].value == b"after"
