"""What was resolved of an author, on every backend: found, and no longer than it is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import pytest
from redis import Redis

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.errors import Unavailable
from triage.post import Author
from triage.queue import Change, PutResult, Queue
from triage.queue.authors import NOTED_LIMIT
from triage.queue.mute import author_key
from triage.queue.sqlite_connect import SQL

Put = Callable[..., PutResult]
PIET = Author(id="u-2", name="Piet")


def resolve(queue: Queue, ticket: str, *, at: datetime = NOW) -> None:
    """Take a ticket and close it."""
    claim = queue.claim(ticket, owner="an", seconds=600, now=at, request=request()).claim
    assert claim
    change = Change(outcome="beantwoord")
    queue.resolve(ticket, change, token=claim.token, by="an", now=at, request=request())


def earlier(store: Store, queue: Queue, author: str = "u-2", limit: int = 20) -> list[str]:
    """Name what was resolved of an author."""
    return list(queue.resolved_of(store.org, author_key(store.org, "x", author), limit=limit))


def test_resolved_tickets_of_an_author(store: Store, queue: Queue, put: Put) -> None:
    """The last one first, so many as asked; not what is open, of another, or of nobody known."""
    texts = ("Een boom", "Een put", "Een lamp")
    for number, text in enumerate(texts):
        put(store.entry(f"p{number}", text, author=PIET))
    put(store.entry("jan"), store.entry("niemand", author=None))
    for number in (1, 0):
        resolve(queue, store.id(f"p{number}"), at=NOW + minutes(9 - number))
    resolve(queue, store.id("jan"))
    resolve(queue, store.id("niemand"))
    assert earlier(store, queue) == [store.id("p0"), store.id("p1")]
    assert earlier(store, queue, limit=1) == [store.id("p0")]
    assert earlier(store, queue, limit=0) == []
    assert earlier(store, queue, "u-1") == [store.id("jan")]
    assert queue.resolved_of(store.org, "") == []
    key = author_key(store.org, "mastodon", "u-2")
    assert queue.resolved_of(store.org, key) == []


def test_what_is_opened_again_is_not_among_them(store: Store, queue: Queue, put: Put) -> None:
    """By a person, an undoing or a reply; resolved once more it is."""
    put(store.entry("a", author=PIET))
    ticket = store.id("a")
    resolve(queue, ticket)
    queue.note(ticket, "gebeld", by="an", now=NOW, request=request())
    assert earlier(store, queue) == [ticket]
    queue.reopen(ticket, Change(), by="an", now=NOW, request=request())
    assert earlier(store, queue) == []
    resolve(queue, ticket)
    queue.undo(ticket, by="an", now=NOW, request=request())
    assert earlier(store, queue) == []
    claim = queue.get(ticket, now=NOW).claim
    assert claim
    queue.resolve(ticket, Change(), token=claim.token, by="an", now=NOW, request=request())
    assert earlier(store, queue) == [ticket]
    put(store.entry("b", "En nu?", author=PIET, in_reply_to="a"))
    assert earlier(store, queue) == []


def test_what_a_mute_took_is_among_them(store: Store, queue: Queue, put: Put) -> None:
    """It stands resolved from the start, and is in no list."""
    put(store.entry("a", author=PIET))
    until = NOW + minutes(60)
    queue.mute(store.id("a"), until=until, reason="spam", by="an", now=NOW, request=request())
    put(store.entry("b", "Koop nu", author=PIET, received_at=NOW + minutes(1)))
    assert earlier(store, queue) == [store.id("b")]


def test_who_was_forgotten_has_none(store: Store, queue: Queue, put: Put) -> None:
    """Nothing leads from who they were to what was resolved; the ticket stays."""
    put(store.entry("a", author=PIET))
    resolve(queue, store.id("a"))
    assert earlier(store, queue) == [store.id("a")]
    later = NOW + minutes(5)
    put(store.deletion("a", forgotten=True, author=None, received_at=later), at=later)
    assert earlier(store, queue) == []
    assert queue.get(store.id("a"), now=later).post["deleted"]


def test_retention_takes_them(store: Store, queue: Queue, put: Put) -> None:
    """With the ticket goes that its author had it."""
    put(store.entry("a", author=PIET), store.entry("b", "Een put", author=PIET))
    resolve(queue, store.id("a"))
    resolve(queue, store.id("b"), at=NOW + minutes(80))
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 1
    assert earlier(store, queue) == [store.id("b")]


def test_they_are_bounded(store: Store, queue: Queue, put: Put) -> None:
    """Of who sent thousands, those that were resolved last are given."""
    count = NOTED_LIMIT + 3
    put(*(store.entry(f"p{n}", f"Bericht {n}", author=PIET) for n in range(count)))
    for n in range(count):
        resolve(queue, store.id(f"p{n}"), at=NOW + minutes(n / 60))
    found = earlier(store, queue, limit=10_000)
    assert found == [store.id(f"p{n}") for n in range(count - 1, 2, -1)]
    if store.kind == "redis":
        with closing(Redis.from_url(store.url)) as client:
            key = author_key(store.org, "x", "u-2")
            assert client.zcard(f"triage:{{{store.org}}}:author:{key}") == NOTED_LIMIT


@pytest.mark.redis
def test_a_key_of_a_wrong_type_changes_nothing(redis_store: Store) -> None:
    """It is met before anything is written."""
    store, queue = redis_store, redis_store.open()
    queue.put(store.org, [store.entry("a", author=PIET)], now=NOW, request=request())
    key = f"triage:{{{store.org}}}:author:{author_key(store.org, 'x', 'u-2')}"
    with closing(Redis.from_url(store.url)) as client:
        client.set(key, "iets")
        with pytest.raises(Unavailable):
            resolve(queue, store.id("a"))
        assert len(queue.list(store.org, "openbare-ruimte", now=NOW)) == 1
        client.delete(key)
    claim = queue.get(store.id("a"), now=NOW).claim
    assert claim
    queue.resolve(store.id("a"), Change(), token=claim.token, by="an", now=NOW, request=request())
    assert earlier(store, queue) == [store.id("a")]


def test_a_file_of_before_gets_them(sqlite_store: Store) -> None:
    """A file without the column is brought up to date; what is resolved from now on is found."""
    path = sqlite_store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SQL["create_schema_version"])
        for version in range(1, 5):
            db.executescript(SQL[f"schema_{version}"])
        db.execute(SQL["set_schema_version"], (4,))
        db.commit()
    queue = sqlite_store.open()
    queue.put(sqlite_store.org, [sqlite_store.entry("a", author=PIET)], now=NOW, request=request())
    resolve(queue, sqlite_store.id("a"))
    assert earlier(sqlite_store, queue) == [sqlite_store.id("a")]
