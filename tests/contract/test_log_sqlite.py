"""What only the embedded log promises: its file, its leases, its retention."""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.plugins.log_stores import LogStore, Reading, all_of, posts, settle, sqlite_store
from triage import sqlite_file
from triage.errors import Refused, Unavailable
from triage.log import NewRecord, Topic
from triage.log.open import open_log
from triage.log.sqlite import SqliteLog
from triage.log.sqlite_channel import SQL
from triage.log.sqlite_retention import Retention


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    """Give streams in a new file."""
    found = sqlite_store(tmp_path)
    yield found
    found.close()


def test_the_file_is_for_our_user_only(store: LogStore) -> None:
    """Nobody else on the machine can read the posts, not even in the write-ahead log."""
    assert store.path is not None
    log = store.open()
    log.append(Topic.POSTS, posts(b"a"))
    files = list(store.path.parent.glob("triage.db*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_keeps_its_partitions(store: LogStore) -> None:
    """Another number of partitions in the settings does not send an author's posts elsewhere."""
    store.open(partitions=4).append(Topic.POSTS, posts(b"a", key=b"k"))
    store.open(partitions=7).append(Topic.POSTS, posts(b"b", key=b"k"))
    assert [record.value for record in all_of(store.open(), Topic.POSTS)] == [b"a", b"b"]
    assert len({record.partition for record in all_of(store.open(), Topic.POSTS)}) == 1


def test_a_file_from_before_the_urgent_stream(store: LogStore) -> None:
    """A file of the first schema keeps its posts and how far they were read, and gets the lane."""
    assert store.path is not None
    old = {name: step for name, step in SQL.items() if name != "schema_2"}
    sqlite_file.prepare(store.path, old, 1)
    at = int(datetime.now(UTC).timestamp() * 1000)
    with closing(sqlite_file.connect(store.path)) as db:
        for number in range(4):
            db.execute(SQL["add_partition"], (Topic.POSTS, number))
        db.execute("UPDATE log_partitions SET next_offset = 2 WHERE partition = 1")
        for offset in range(2):
            db.execute(SQL["add_record"], (Topic.POSTS, 1, offset, at, None, b"old", None))
        db.execute("INSERT INTO log_leases VALUES (?, 1, 'gone', 5, 1)", (store.prefix,))
    log = store.open()
    assert {f.partition: f.records for f in log.lag() if f.records} == {"triage.posts-1": 1}
    log.append(Topic.URGENT, posts(b"new"))
    assert sorted(record.value or b"" for record in Reading(log).take(3)) == [
        b"new",
        b"old",
        b"old",
    ]


def _append(path: Path, number: int) -> None:
    with SqliteLog(path, partitions=4) as log:
        for i in range(50):
            log.append(Topic.POSTS, [NewRecord(value=b"%d" % i, key=b"k%d" % number)])


def test_processes_that_start_at_once_share_a_new_file(store: LogStore) -> None:
    """Processes make the file together and lose nothing of what they append."""
    assert store.path is not None
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_append, args=(store.path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=30)
        assert process.exitcode == 0
    reading = Reading(store.open())
    reading.take(200)
    assert reading.by_key() == {b"k%d" % n: [b"%d" % i for i in range(50)] for n in range(4)}


def test_a_reader_whose_lease_ran_out_stops(store: LogStore) -> None:
    """A reader that was held up gives nothing of a partition that another one has taken over."""
    one = store.open()
    reading = Reading(one)
    one.append(Topic.POSTS, posts(*(b"%d" % i for i in range(40))))
    reading.take(40)
    store.later += timedelta(seconds=60)
    two = store.open()
    assert len(two.poll(timeout=0.0, limit=1).fresh) == 8
    one.append(Topic.POSTS, posts(*(b"%d" % i for i in range(40))))
    assert one.poll(timeout=0.0, limit=500).records == []
    (mine, theirs) = settle(one, two)
    assert mine.isdisjoint(theirs)
    # What it gets back has to be sought again: the other one may have read it.
    assert len(mine) == 2


def test_a_clock_set_back_frees_no_partition_for_ever(store: LogStore) -> None:
    """Leases from a future that was undone do not keep partitions from those who are alive."""
    store.later = timedelta(days=1)
    abandoned = store.open()
    assert len(abandoned.poll(timeout=0.0, limit=1).fresh) == 8
    store.later = timedelta()
    assert len(store.open().poll(timeout=1.0, limit=1).fresh) == 8


def test_retention_keeps_what_was_not_read(store: LogStore) -> None:
    """Old posts go when all groups have read them, and not before; outcomes never go."""
    log = store.open()
    log.append(Topic.POSTS, posts(*(b"%d" % i for i in range(10)), key=b"one"))
    log.append(Topic.OUTCOMES, posts(b"kept"))
    log.append(Topic.ASSESSED, posts(b"goes"))
    partition = Reading(log).take(10)[0].partition
    store.later += timedelta(days=400)
    log.poll(timeout=0.0, limit=1)
    log.retain()
    assert len(all_of(log, Topic.POSTS)) == 10
    assert (all_of(log, Topic.ASSESSED), len(all_of(log, Topic.OUTCOMES))) == ([], 1)
    log.commit({partition: 6})
    assert log.retain() == 6
    other = store.open(group="scout")
    other.poll(timeout=0.0, limit=1)
    log.poll(timeout=0.0, limit=1)
    log.commit({partition: 10})
    assert log.retain() == 0
    assert [record.offset for record in all_of(log, Topic.POSTS)] == [6, 7, 8, 9]
    assert store.open(retention=Retention(drop_unread=True)).retain() == 4


def test_retention_bounds_the_size(store: LogStore) -> None:
    """A stream that outgrows its bytes loses its oldest records."""
    log = store.open(retention=Retention(seconds={}, size={Topic.ASSESSED: 500_000}))
    for number in range(10):
        value = b"%d" % number * 1000
        log.append(Topic.ASSESSED, posts(*([value] * 100), key=b"k"))
    log.retain()
    left = all_of(log, Topic.ASSESSED)
    assert sum(len(record.value or b"") for record in left) <= 500_000
    assert len(left) >= 400
    assert left[-1].value == b"9" * 1000


def test_a_disk_that_fails_is_unavailable(tmp_path: Path) -> None:
    """A file that can't be made, and one that is no database, are unavailable, not a crash."""
    (tmp_path / "file").write_text("x")
    with SqliteLog(tmp_path / "file" / "triage.db") as log, pytest.raises(Unavailable):
        log.ping()
    (tmp_path / "text.db").write_text("dit is geen database " * 100)
    with SqliteLog(tmp_path / "text.db") as log, pytest.raises(Unavailable):
        log.append(Topic.POSTS, posts(b"a"))


def test_an_address_names_a_file(tmp_path: Path) -> None:
    """``sqlite:///`` and a path open that file; an address without one is refused."""
    with open_log(f"sqlite:///{tmp_path / 'x' / 'triage.db'}") as log:
        log.append(Topic.POSTS, posts(b"a"))
    assert (tmp_path / "x" / "triage.db").exists()
    with pytest.raises(Refused):
        open_log("sqlite://")
    with pytest.raises(Refused) as refused:
        open_log("kafka://user:geheim@host:9092")
    assert "geheim" not in str(refused.value)


def test_what_was_erased_weighs_nothing(store: LogStore) -> None:
    """A topic that is bounded in bytes is not cut for what is no longer there."""
    retention = Retention(seconds={}, size={Topic.DEAD_LETTER: 150})
    log = store.open(partitions=1, retention=retention)
    log.append(Topic.DEAD_LETTER, posts(b"x" * 100, b"y" * 100))
    first, _ = all_of(log, Topic.DEAD_LETTER)
    for _ in range(2):
        assert log.erase([first])
    assert log.retain() == 0
    log.append(Topic.DEAD_LETTER, posts(b"z" * 100))
    assert log.retain() > 0


def test_erasing_waits_for_nobody_for_ever(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who reads on and on keeps the old pages: that is told, not passed over."""
    assert store.path is not None
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)
    log = store.open()
    log.append(Topic.POSTS, posts(b"a"))
    (record,) = all_of(log, Topic.POSTS)
    with closing(sqlite_file.connect(store.path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM log_records").fetchone()
        with pytest.raises(Unavailable):
            log.erase([record])
        other.execute("COMMIT")
    assert log.erase([record])
