"""What every store of sessions, tokens and the record promises."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.plugins.redis_server import RedisServer
from triage.access import (
    Access,
    AuditEntry,
    Drawer,
    Identity,
    Kind,
    Role,
    Scope,
    audit_pages,
    between,
    digest,
    tokens,
)
from triage.access.open import open_access
from triage.errors import Refused, Unavailable
from triage.queue.open import open_queue

SOON: Final = timedelta(hours=1)
OpenStore = Callable[[], Access]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(
    params=["sqlite", pytest.param("redis", marks=pytest.mark.redis),
            pytest.param("cluster", marks=pytest.mark.redis)]
)  # fmt: skip
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'triage.db'}"
    name = "redis_server" if request.param == "redis" else "redis_cluster"
    server: RedisServer = request.getfixturevalue(name)
    with server.client() as client:
        client.flushall()
    return server.url


@pytest.fixture
def store(url: str) -> Iterator[Access]:
    """Give the store."""
    with open_access(url) as store:
        yield store


def entry(number: int, *, at: datetime | None = None) -> AuditEntry:
    return AuditEntry(
        at=at or now(),
        subject=f"s{number}",
        name="Sam",
        kind=Kind.PERSON,
        action="ticket.view",
        targets=("gemeente.a", f"gemeente.{number}"),
    )


def test_what_is_put_is_there_for_all_until_its_end(store: Access, url: str) -> None:
    """Another process sees it at once; after its time nobody does; drawers are apart."""
    value = {"naam": "é", "n": 1}
    store.put(Drawer.SESSION, "a", value, until=now() + SOON)
    store.put(Drawer.LINK, "kort", value, until=now() + timedelta(seconds=0.3))
    with open_access(url) as other:
        assert other.get(Drawer.SESSION, "a", now=now()) == value
        assert other.get(Drawer.LINK, "kort", now=now()) == value
        assert other.get(Drawer.LINK, "a", now=now()) is None
        time.sleep(0.4)
        assert other.get(Drawer.LINK, "kort", now=now()) is None
        assert other.take(Drawer.LINK, "kort", now=now()) is None
        assert [key for key, _ in other.all(Drawer.SESSION, now=now())] == ["a"]


def test_one_of_all_who_take_gets_it(store: Access) -> None:
    """Twenty who take the same one-time link at once: one gets it."""
    for number in range(5):
        store.put(Drawer.LINK, f"l{number}", {"n": number}, until=now() + SOON)
        got: list[Any] = []

        def take(key: str = f"l{number}", got: list[Any] = got) -> None:
            got.append(store.take(Drawer.LINK, key, now=now()))

        threads = [threading.Thread(target=take) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [value for value in got if value] == [{"n": number}]


def test_what_was_taken_does_not_come_back(store: Access) -> None:
    """A request that was under way at sign-out renews nothing that is gone."""
    store.put(Drawer.SESSION, "a", {"n": 1}, until=now() + SOON)
    store.renew(Drawer.SESSION, "a", {"n": 2}, until=now() + SOON)
    assert store.take(Drawer.SESSION, "a", now=now()) == {"n": 2}
    store.renew(Drawer.SESSION, "a", {"n": 3}, until=now() + SOON)
    assert store.get(Drawer.SESSION, "a", now=now()) is None
    assert store.all(Drawer.SESSION, now=now()) == []


def test_the_record_is_read_in_order_and_whole(store: Access) -> None:
    """2,500 entries come back as they were, oldest first, page by page; junk reads from the start."""
    written = [entry(number) for number in range(2500)]
    store.record(written)
    read = list(audit_pages(store))
    assert [one.subject for one in read] == [one.subject for one in written]
    assert read[7].targets == written[7].targets
    assert abs(read[7].at - written[7].at) < timedelta(milliseconds=1)
    assert len({one.id for one in read}) == len(read)
    assert store.audit("junk'", limit=1) == store.audit(limit=1)


def test_a_stretch_of_the_record_begins_with_its_start_and_ends_before_its_end() -> None:
    """From a time on, up to a time, or without either."""
    start = now()
    written = [entry(number, at=start + timedelta(seconds=number)) for number in range(5)]
    assert list(between(written, written[1].at, written[3].at)) == written[1:3]
    assert list(between(written, None, written[3].at)) == written[:3]
    assert list(between(written, written[1].at, None)) == written[1:]


def test_young_entries_stay_and_old_ones_go(store: Access, url: str) -> None:
    """Whoever asks to drop all keeps thirty days; expired values are dropped too."""
    if url.startswith("sqlite"):  # Redis stamps by its own clock
        store.record([entry(0, at=now() - timedelta(days=90))])
    store.record([entry(1)])
    store.put(Drawer.LINK, "kort", {}, until=now() + timedelta(seconds=0.1))
    time.sleep(0.2)
    store.expire(now=now(), audit_before=now() + timedelta(days=1))
    assert [one.subject for one in store.audit()] == ["s1"]
    assert store.all(Drawer.LINK, now=now()) == []


def test_the_file_refuses_to_change_the_record(tmp_path: Path) -> None:
    """Append-only: SQLite itself refuses an update, and a delete of what is younger than 30 days."""
    path = tmp_path / "triage.db"
    with open_access(f"sqlite:///{path}") as store:
        store.record([entry(1)])
    for change in ("UPDATE access_audit SET entry = '{}'", "DELETE FROM access_audit"):
        with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
            db.execute(change)


def test_it_shares_a_file_with_the_queue(tmp_path: Path) -> None:
    """Queue and access open the same new file, in any order."""
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    with open_access(url) as store, open_queue(url) as queue:
        store.record([entry(1)])
        queue.check()
        assert len(store.audit()) == 1


def test_tokens_are_shown_once_and_end_at_once(store: Access, url: str) -> None:
    """A token opens what it says until it is revoked or its time is up; the store holds no token."""
    scopes = frozenset({Scope.POSTS_WRITE})
    token = tokens.create(store, "kassa", scopes, now=now(), teams=frozenset({"kcc"}))
    found = tokens.holder(store, token, now=now(), posts_per_minute=5)
    assert found is not None
    assert (found.name, found.kind, found.scopes) == ("kassa", Kind.MACHINE, scopes)
    assert (found.teams, found.posts_per_minute) == (frozenset({"kcc"}), 5)
    assert tokens.holder(store, token + "x", now=now()) is None
    assert tokens.holder(store, digest(token), now=now()) is None
    with pytest.raises(Refused, match="al een token"):
        tokens.create(store, "kassa", scopes, now=now())
    for name, none in (("spatie fout", scopes), ("leeg", frozenset())):
        with pytest.raises(Refused):
            tokens.create(store, name, none, now=now())
    assert [one.name for one in tokens.listed(store, now=now())] == ["kassa"]
    assert token not in str(store.all(Drawer.TOKEN, now=now()))
    with open_access(url) as other:
        assert tokens.revoke(other, "kassa", now=now())
        assert not tokens.revoke(other, "kassa", now=now())
    assert tokens.holder(store, token, now=now()) is None
    short = now() + timedelta(seconds=0.2)
    brief = tokens.create(store, "kassa", scopes, now=now(), until=short)
    time.sleep(0.3)
    assert tokens.holder(store, brief, now=now()) is None


def test_an_identity_survives_the_store() -> None:
    """What is written of an identity is what is read."""
    one = Identity(
        subject="s",
        name="é",
        roles=frozenset({Role.TEAMLEIDER}),
        teams=frozenset({"leiden/kcc"}),
        kind=Kind.LOCAL,
        granted=frozenset({Scope.EXPORT_READ}),
        posts_per_minute=3,
    )
    assert Identity.from_mapping(one.to_mapping()) == one
    everywhere = Identity(subject="s", name="n")
    assert Identity.from_mapping(everywhere.to_mapping()).teams is None


@pytest.mark.redis
def test_a_store_that_is_away_says_so(new_redis_server: Callable[..., RedisServer]) -> None:
    """Without Redis every call raises Unavailable: nobody comes in, nothing goes unrecorded."""
    server = new_redis_server()
    server.start()
    with open_access(server.url) as store:
        store.record([entry(1)])
        server.kill()
        calls: list[Callable[[], object]] = [
            lambda: store.record([entry(2)]),
            lambda: store.get(Drawer.SESSION, "a", now=now()),
            lambda: store.take(Drawer.LINK, "a", now=now()),
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()
        server.start()
        assert [one.subject for one in store.audit()] == ["s1"]
