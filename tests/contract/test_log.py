"""What every log promises, on each backend."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.log_stores import (
    LogStore,
    Reading,
    all_of,
    background,
    is_urgent,
    kafka_store,
    posts,
    settle,
    sqlite_store,
    wait_for,
)
from triage.errors import REASON_LIMIT, InvalidPost
from triage.log import POST_TOPICS, RECORD_LIMIT, NewRecord, Record, Topic, post_record
from triage.log.dead_letter import SIZE_LIMIT, replayed, was_cut


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    """Give streams on each of the backends."""
    if request.param == "kafka":
        broker: KafkaBroker = request.getfixturevalue("kafka_broker")
        found = kafka_store(broker.url)
    else:
        found = sqlite_store(tmp_path)
    yield found
    found.close()


def test_records_of_one_key_stay_in_order(store: LogStore) -> None:
    """Records of one key come in the order in which they were appended."""
    log = store.open()
    for batch in range(5):
        log.append(
            Topic.POSTS,
            [NewRecord(value=b"%d" % (batch * 70 + i), key=b"k%d" % (i % 7)) for i in range(70)],
        )
    reading = Reading(log)
    reading.take(350)
    assert reading.by_key() == {
        b"k%d" % k: [b"%d" % i for i in range(350) if i % 7 == k] for k in range(7)
    }
    assert len({(record.partition, record.offset) for record in reading.records}) == 350


def test_posts_without_an_author_have_no_key_and_spread(store: LogStore) -> None:
    """A post without an author has no key, and such posts use more than one partition."""
    log = store.open()
    assert post_record(b"x", "a1").key == b"a1"
    for number in range(40):
        log.append(Topic.POSTS, [post_record(b"%d" % number, None)])
    records = Reading(log).take(40)
    assert {record.key for record in records} == {None}
    assert len({record.partition for record in records}) > 1


def test_a_partition_waits_for_a_seek(store: LogStore) -> None:
    """A new partition comes up as fresh, every time, and gives nothing until it was sought."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(50))))
    settle(log)
    for _ in range(5):
        polled = log.poll(timeout=0.05, limit=100)
        assert len(polled.fresh) == 8  # four of the urgent posts, four of the others
        assert polled.records == []
    reading = Reading(log)
    reading.take(50)
    assert log.poll(timeout=0.0, limit=100).fresh == frozenset()


def test_seek_says_where_reading_goes_on(store: LogStore) -> None:
    """Reading goes on exactly at the offset sought, also back, and whatever was committed."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(20)), key=b"one"))
    first = Reading(log)
    partition = first.take(20)[0].partition
    log.commit({partition: 20})
    assert log.seek(partition, 7) is None
    again = Reading(log, {partition: 7})
    assert [record.offset for record in again.take(13)] == list(range(7, 20))
    # The end is a place to go on from as well.
    assert log.seek(partition, 20) is None
    log.append(Topic.POSTS, posts(b"new", key=b"one"))
    assert [record.value for record in Reading(log, {partition: 20}).take(1)] == [b"new"]


def test_a_seek_of_what_is_not_ours_does_nothing(store: LogStore) -> None:
    """A partition that was given away is left alone."""
    log, other = store.open(), store.open()
    owned = settle(log, other)
    (foreign, *_) = owned[1]
    assert log.seek(foreign, 3) is None
    assert foreign not in log.poll(timeout=0.0, limit=1).fresh


def test_tombstones_and_empty_values_are_records(store: LogStore) -> None:
    """A record without a value and one with an empty value come as such; polling goes on."""
    log = store.open()
    values = [b"a", None, b"", b"\xed\xa0\xbd", b"b"]
    log.append(Topic.POSTS, [NewRecord(value=value, key=b"k") for value in values])
    assert [record.value for record in Reading(log).take(5)] == values


def test_what_was_erased_keeps_its_place(store: LogStore) -> None:
    """Where a log can take records out nothing of them is left, but the offsets after are theirs."""
    log = store.open()
    headers = (("attempt", b"2"),)
    log.append(Topic.POSTS, [NewRecord(value=v, key=b"k", headers=headers) for v in (b"a", b"b")])
    log.append(Topic.POSTS, [NewRecord(value=b"c", key=b"k")])
    first, *rest = all_of(log, Topic.POSTS)
    erased = log.erase([first])
    assert erased == (store.kind == "sqlite")
    now = all_of(log, Topic.POSTS)
    assert [record.offset for record in now] == [0, 1, 2]
    assert now[1:] == rest
    assert now[0].erased == erased
    if erased:
        assert (now[0].key, now[0].value) == (None, None)
        assert log.erase([first])  # again: nothing changes
        assert all_of(log, Topic.POSTS) == now
    assert [record.offset for record in Reading(store.open()).take(3)] == [0, 1, 2]


def test_a_record_carries_key_headers_and_time(store: LogStore) -> None:
    """Key and headers come as they went, and the time is when it was appended."""
    log = store.open()
    headers = (("attempt", b"2"), ("empty", b""), ("bytes", b"\x00\xff"))
    before = datetime.now(UTC)
    log.append(Topic.POSTS, [NewRecord(value=b"v", key=b"\xff\x00", headers=headers)])
    (record,) = Reading(log).take(1)
    assert (record.key, record.headers) == (b"\xff\x00", headers)
    assert record.partition.rpartition("-")[0] == f"{store.prefix}posts"
    assert before - timedelta(seconds=1) <= record.at <= datetime.now(UTC) + timedelta(seconds=1)


def test_lag_counts_what_was_not_committed(store: LogStore) -> None:
    """Lag is the number of records after the committed position, with the age of the oldest."""
    log = store.open()
    assert sum(figure.records for figure in log.lag()) == 0
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(10)), key=b"one"))
    reading = Reading(log)
    partition = reading.take(10)[0].partition
    lag = {figure.partition: figure for figure in log.lag()}
    assert len(lag) == 8
    assert sum(figure.records for figure in lag.values()) == lag[partition].records == 10
    # An age below a second may be given as none.
    wait_for(lambda: max(f.oldest_seconds for f in log.lag()) > 1.0)
    log.commit({partition: 4})
    wait_for(lambda: sum(figure.records for figure in log.lag()) == 6)
    log.commit({partition: 10})
    wait_for(lambda: sum(figure.records for figure in log.lag()) == 0)
    assert {figure.oldest_seconds for figure in log.lag()} == {0.0}


def test_a_dead_letter_is_bounded(store: LogStore) -> None:
    """A payload of 10 MB and an endless reason are cut; origin and reason travel along."""
    log = store.open()
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    huge = Record(
        partition="triage.posts-3",
        offset=17,
        value=b"x" * 10_000_000,
        key=b"k" * 5000,
        at=at,
        headers=(("traceparent", b"y" * 100_000),),
    )
    small = Record(partition="triage.posts-1", offset=4, value=None, key=None, at=at)
    log.reject(
        [
            (huge, InvalidPost("author.followers", "é" * 5000, offset=12)),
            (small, InvalidPost("", "leeg")),
        ]
    )
    letters = {
        dict(letter.headers)["origin-offset"]: letter for letter in all_of(log, Topic.DEAD_LETTER)
    }
    cut, whole = letters[b"17"], letters[b"4"]
    assert len(cut.value or b"") + sum(len(k) + len(v) for k, v in cut.headers) <= SIZE_LIMIT
    assert len(cut.value or b"") > SIZE_LIMIT // 2
    assert dict(cut.headers) == {
        "origin-topic": b"triage.posts",
        "origin-partition": b"3",
        "origin-offset": b"17",
        "origin-at": at.isoformat().encode(),
        "reason": ("é" * REASON_LIMIT).encode(),
        "field": b"author.followers",
        "byte-offset": b"12",
        "attempt": b"1",
        "size": b"10000000",
    }
    assert was_cut(cut)
    assert not was_cut(whole)
    assert (whole.value, dict(whole.headers)["reason"]) == (b"", b"leeg")


def test_replay_does_not_make_headers_grow(store: LogStore) -> None:
    """However often a dead letter is replayed and rejected, its headers keep their number."""
    log = store.open()
    error = InvalidPost("text", "ontbreekt")
    reading = Reading(log)
    log.append(Topic.POSTS, posts(b"{}", key=b"k"))
    sizes = []
    for round_ in range(1, 5):
        record = reading.take(round_)[-1]
        log.reject([(record, error)])
        letter = max(all_of(log, Topic.DEAD_LETTER), key=lambda found: found.offset)
        assert dict(letter.headers)["attempt"] == b"%d" % round_
        sizes.append(len(letter.headers))
        log.append(Topic.POSTS, [replayed(letter)])
        assert len(replayed(letter).headers) == 1
    assert len(set(sizes)) == 1


def test_a_record_that_never_fits_is_refused(store: LogStore) -> None:
    """A record that is too large is refused for good, and nothing of its batch is appended."""
    log = store.open()
    log.append(Topic.POSTS, posts(b"x" * RECORD_LIMIT))
    with pytest.raises(InvalidPost):
        log.append(Topic.POSTS, posts(b"a", b"x" * (RECORD_LIMIT + 1)))
    with pytest.raises(InvalidPost):
        log.append(Topic.POSTS, [NewRecord(value=None)])
    assert len(all_of(log, Topic.POSTS)) == 1


def test_a_scan_ends_where_the_stream_ended(store: LogStore) -> None:
    """A scan gives every record up to the end at its start, once, and belongs to no group."""
    log = store.open()
    log.append(Topic.POSTS, posts(b"wakes the topics"))
    assert all_of(log, Topic.OUTCOMES) == []
    values = [b"%d" % i for i in range(1200)]
    log.append(Topic.OUTCOMES, posts(*values))
    scan = log.scan(Topic.OUTCOMES)
    log.append(Topic.OUTCOMES, posts(b"too late"))
    assert sorted(record.value for record in scan) == sorted(values)
    assert len(all_of(log, Topic.OUTCOMES)) == 1201


def test_a_scan_goes_on_where_another_ended(store: LogStore) -> None:
    """Given where to begin, only what came after is read; a place that is not there counts not."""
    log = store.open()
    log.append(Topic.OUTCOMES, posts(*(b"%d" % i for i in range(40))))
    after = {record.partition: record.offset + 1 for record in log.scan(Topic.OUTCOMES)}
    assert list(log.scan(Topic.OUTCOMES, start=after)) == []
    log.append(Topic.OUTCOMES, posts(b"new", b"newer"))
    found = [record.value for record in log.scan(Topic.OUTCOMES, start=after)]
    assert sorted(found) == [b"new", b"newer"]
    beyond = dict.fromkeys(after, 10**9)
    assert len(list(log.scan(Topic.OUTCOMES, start=beyond))) == 42


def test_readers_share_and_take_over(store: LogStore) -> None:
    """A reader that joins gets its part, one that leaves gives it back; nothing is lost."""
    positions: dict[str, int] = {}
    feed = store.open()
    first, second = (Reading(store.open(), positions) for _ in range(2))
    sent = 0

    def append(count: int = 8) -> bool:
        nonlocal sent
        numbers = range(sent, sent + count)
        feed.append(Topic.POSTS, [NewRecord(value=b"%d" % i, key=b"%d" % i) for i in numbers])
        sent += count
        return True

    def read() -> set[bytes | None]:
        return {record.value for record in [*first.records, *second.records]}

    append()
    with background(first.run):
        wait_for(lambda: len(read()) == sent)
        with background(second.run):
            wait_for(lambda: append() and len(second.partitions) == 2)
            wait_for(lambda: len(read()) == sent)
            # Two each now: what one delivers the other does not.
            del first.records[:], second.records[:]
            append(200)
            wait_for(lambda: len(read()) == 200)
            assert (len(first.partitions), len(second.partitions)) == (2, 2)
            assert first.partitions.isdisjoint(second.partitions)
            assert len(first.records) + len(second.records) == 200
        second.log.close()
        before = sent
        wait_for(lambda: append() and len(first.partitions) == 4)
        wait_for(lambda: {b"%d" % i for i in range(before, sent)} <= read())


def test_a_killed_reader_loses_its_partitions(store: LogStore) -> None:
    """What a killed reader owned is read by another one after the session's time."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(100))))
    child = store.reader()
    assert child.stdout is not None
    owned = ""
    while owned.strip() != "4":
        owned = child.stdout.readline()
    child.kill()
    child.wait()
    reading = Reading(log)
    assert len({record.value for record in reading.take(100)}) == 100


def test_a_seek_below_the_oldest_record_is_a_gap(store: LogStore) -> None:
    """An offset that retention has overtaken gives a gap: from where, to where, how many."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(30)), key=b"one"))
    partition = Reading(log).take(30)[0].partition
    store.drop(log, partition, 12)
    gap = log.seek(partition, 5)
    assert gap is not None
    assert (gap.partition, gap.start, gap.resume, gap.count) == (partition, 5, 12, 7)
    rest = Reading(log, {partition: 12}).take(18)
    assert [record.offset for record in rest] == list(range(12, 30))
    # From the oldest on is what was asked for: no gap.
    assert log.seek(partition, None) is None
    assert len(Reading(log, {partition: 12}).take(18)) == 18


def test_a_seek_past_the_end_is_a_gap(store: LogStore) -> None:
    """An offset past the end (a stream made anew) gives a gap, and reading starts at the oldest."""
    log = store.open()
    log.append(Topic.POSTS, posts(b"a", b"b", key=b"one"))
    partition = Reading(log).take(2)[0].partition
    gap = log.seek(partition, 500)
    assert gap is not None
    assert (gap.start, gap.resume, gap.count) == (500, 0, 0)
    assert [record.value for record in Reading(log).take(2)] == [b"a", b"b"]


def test_a_partition_with_a_backlog_does_not_starve_others(store: LogStore) -> None:
    """A record of a quiet partition comes before the backlog of another one has been read."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"x" * 2000 for _ in range(3000)), key=b"busy"))
    reading = Reading(log)
    reading.until(lambda: reading.records)
    busy = reading.records[0].partition
    log.append(Topic.POSTS, [NewRecord(value=b"quiet", key=b"%d" % i) for i in range(40)])

    def others() -> bool:
        return any(record.partition != busy for record in reading.records)

    while not others():
        reading.step(limit=200)
        assert len(reading.records) < 3000


def test_urgent_posts_come_before_the_backlog(store: LogStore) -> None:
    """An urgent post comes at once, whatever waits in the other stream and was read ahead of it."""
    log = store.open()
    log.append(Topic.POSTS, [NewRecord(value=b"x" * 500, key=b"%d" % i) for i in range(6000)])
    reading = Reading(log)
    reading.take(1)
    for number in range(3):
        log.append(Topic.URGENT, posts(b"urgent%d" % number, key=b"%d" % number))
        before = len(reading.records)
        while not any(is_urgent(record.partition) for record in reading.records[before:]):
            reading.step(limit=100)
            # A worker judges them meanwhile, and the broker hands the urgent one over.
            time.sleep(0.02)
            assert len(reading.records) < before + 1900
    reading.take(6003)
    urgent = [record.value for record in reading.records if is_urgent(record.partition)]
    assert urgent == [b"urgent0", b"urgent1", b"urgent2"]
    assert len({(record.partition, record.offset) for record in reading.records}) == 6003


def test_a_flood_of_urgent_posts_does_not_stop_the_others(store: LogStore) -> None:
    """While more urgent posts wait than a batch takes, the others still come, one by one."""
    log = store.open()
    flood = [NewRecord(value=b"u%d" % i, key=b"%d" % i) for i in range(2000)]
    log.append(Topic.URGENT, flood)
    log.append(Topic.POSTS, [NewRecord(value=b"p%d" % i, key=b"%d" % i) for i in range(40)])
    reading = Reading(log)

    def quiet() -> int:
        return sum(not is_urgent(record.partition) for record in reading.records)

    while quiet() < 5:
        reading.step(limit=20)
        assert len(reading.records) < 2000
    reading.take(2040)


def test_urgent_posts_have_positions_of_their_own(store: LogStore) -> None:
    """The urgent stream is sought, committed and counted as the other one, and has its gaps."""
    log = store.open()
    log.append(Topic.URGENT, posts(*(b"%d" % i for i in range(30)), key=b"one"))
    partition = Reading(log).take(30)[0].partition
    assert partition.rpartition("-")[0] == f"{store.prefix}posts.urgent"
    lag = {figure.partition: figure.records for figure in log.lag()}
    assert sum(lag.values()) == lag[partition] == 30
    log.commit({partition: 30})
    wait_for(lambda: sum(figure.records for figure in log.lag()) == 0)
    store.drop(log, partition, 12)
    assert log.seek(partition, 20) is None
    assert [r.offset for r in Reading(log, {partition: 20}).take(10)] == list(range(20, 30))
    gap = log.seek(partition, 5)
    assert gap is not None
    assert (gap.partition, gap.start, gap.resume, gap.count) == (partition, 5, 12, 7)
    assert [r.offset for r in Reading(log, {partition: 12}).take(18)] == list(range(12, 30))
    gap = log.seek(partition, 500)
    assert gap is not None
    assert (gap.start, gap.resume, gap.count) == (500, 12, 0)
    assert len(Reading(log).take(18)) == 18


def test_urgent_posts_are_shared_and_taken_over(store: LogStore) -> None:
    """Two readers have their part of both streams; what one leaves the other reads on."""
    positions: dict[str, int] = {}
    feed = store.open()
    first, second = (Reading(store.open(), positions) for _ in range(2))
    sent = 0

    def append() -> bool:
        nonlocal sent
        numbers = range(sent, sent + 20)
        for topic in POST_TOPICS:
            feed.append(topic, [NewRecord(value=b"%d" % i, key=b"%d" % i) for i in numbers])
        sent += 20
        return True

    def urgent(records: Sequence[Record]) -> set[str]:
        return {record.partition for record in records if is_urgent(record.partition)}

    def read() -> bool:
        records = [*first.records, *second.records]
        return len({(is_urgent(r.partition), r.value) for r in records}) == 2 * sent

    with background(first.run):
        wait_for(lambda: append() and len(urgent(first.records)) == 4)
        with background(second.run):
            wait_for(lambda: append() and len(urgent(second.records)) == 2)
            wait_for(read)
        second.log.close()
        alone = len(first.records)
        wait_for(lambda: append() and len(urgent(first.records[alone:])) == 4)
        wait_for(read)
    records = [*first.records, *second.records]
    # What a handover brought twice, the store's positions dropped.
    assert len({(r.partition, r.offset) for r in records}) == len(records) == 2 * sent


def test_appenders_do_not_disturb_each_other(store: LogStore) -> None:
    """Threads that append to one log, and to logs of their own, lose nothing and keep order."""
    shared = store.open()
    shared.append(Topic.ASSESSED, posts(b"start"))
    logs = [shared, shared, store.open(), store.open()]

    def feed(number: int) -> None:
        for i in range(25):
            logs[number].append(Topic.POSTS, posts(b"%d" % i, key=b"k%d" % number))

    threads = [threading.Thread(target=feed, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reading = Reading(shared)
    reading.take(100)
    assert reading.by_key() == {b"k%d" % n: [b"%d" % i for i in range(25)] for n in range(4)}


def test_ping_answers(store: LogStore) -> None:
    """A log that is there answers."""
    store.open().ping()
