"""Errors of a queue hold nothing of what a citizen wrote, whatever goes wrong."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.plugins.queue_stores import NOW, PARTITION, Store, request
from tests.plugins.redis_server import RedisServer
from triage.errors import TriageError, Unavailable
from triage.post import Author
from triage.queue import Advance, Change, Entry, Queue

MARK: Final = "MERKTEKEN"
Call = Callable[[], Any]


def marked(store: Store, post: str = f"{MARK}-1") -> Entry:
    """Give a post with the mark in every field that a sender or a person fills."""
    entry = store.entry(
        post,
        f"{MARK} tekst",
        author=Author(id=f"{MARK}-a", name=f"{MARK} naam"),
        in_reply_to=f"{MARK}-0",
        url=f"https://x.example/{MARK}",
        attachments=(f"https://x.example/{MARK}.jpg",),
        extra={MARK: {MARK: [MARK, "\ud83d"]}},
    )
    return replace(entry, lang=MARK)


def calls(queue: Queue, store: Store, ticket: str, token: int) -> Iterator[Call]:
    """Give every call of the protocol, with the mark wherever a text goes in."""
    org, who, asked = store.org, f"{MARK} wie", f"{MARK} verzoek"
    change = Change(team=MARK, topic=MARK, intent=MARK, outcome=MARK, note=f"{MARK} notitie")
    move = Advance(partition=f"{MARK}-0", expected=None, next=1)
    yield lambda: queue.put(org, [marked(store, f"{MARK}-2")], [move], now=NOW, request=asked)
    yield lambda: queue.put(
        org, [marked(store), store.deletion(f"{MARK}-1")], now=NOW, request=asked
    )
    yield lambda: queue.positions(org)
    yield lambda: queue.get(ticket, now=NOW)
    yield lambda: queue.list(org, MARK, now=NOW)
    yield lambda: queue.list(org, "openbare-ruimte", now=NOW)
    yield lambda: queue.claim(ticket, owner=who, seconds=9, now=NOW, request=request() + MARK)
    yield lambda: queue.claim_next(
        org, "openbare-ruimte", owner=who, seconds=9, now=NOW, request=request() + MARK
    )
    yield lambda: queue.renew(ticket, token=token, seconds=9, now=NOW, request=request() + MARK)
    yield lambda: queue.release(ticket, token=token, now=NOW, request=request() + MARK)
    for act in (queue.resolve, queue.correct, queue.reassign, queue.escalate):
        yield lambda act=act: act(  # type: ignore[misc] # bound now
            ticket, change, token=token, by=who, now=NOW, request=request() + MARK
        )
    yield lambda: queue.events(org, MARK)
    yield lambda: queue.unpublished(org)
    yield lambda: queue.published(org, f"{MARK}", now=NOW)
    yield lambda: queue.stats(org, now=NOW)
    yield lambda: queue.sweep(org, now=NOW, retention_seconds=0)
    yield lambda: queue.get(MARK, now=NOW)
    yield lambda: queue.positions(MARK)
    yield lambda: queue.claim(ticket, owner=MARK * 99, seconds=9, now=NOW, request=request())
    yield lambda: queue.correct(
        ticket, Change(note=MARK * 999), token=token, by=MARK, now=NOW, request=request()
    )


def errors_of(found: Iterator[Call]) -> list[Exception]:
    """Make every call; give the errors, which must be ours and hold no mark."""
    errors: list[Exception] = []
    for call in found:
        try:
            call()
        except (TriageError, ValueError) as error:
            errors.append(error)
    for failure in errors:
        assert failure.__context__ is None, repr(failure)
        told = "".join(traceback.format_exception(failure)) + repr(failure) + repr(failure.args)
        assert MARK not in told
    return errors


def seeded(store: Store) -> tuple[Queue, str, int]:
    """Put a marked post and claim it."""
    queue, entry = store.open(), marked(store)
    move = Advance(partition=PARTITION, expected=None, next=1)
    queue.put(store.org, [entry], [move], now=NOW, request=request())
    held = queue.claim(entry.ticket_id, owner=MARK, seconds=9, now=NOW, request=request())
    assert held.claim
    return queue, entry.ticket_id, held.claim.token


def test_refusals_hold_no_text(store: Store) -> None:
    """NotFound, Conflict and errors of limits name fields and states, never what was given."""
    queue, ticket, token = seeded(store)
    assert len(errors_of(calls(queue, store, ticket, token - 1))) >= 10


@pytest.mark.redis
@pytest.mark.parametrize(
    "key", ["ticket", "history", "positions", "outbox", "queue", "depth", "teams", "token", "all"]
)
def test_a_broken_redis_tells_no_text(
    redis_store: Store, redis_server: RedisServer, key: str
) -> None:
    """With keys of a wrong type every failing call is Unavailable and holds no text."""
    queue, ticket, token = seeded(redis_store)
    with redis_server.client() as client:
        names = list(client.scan_iter(f"triage:{{{redis_store.org}}}:*"))
        broken = [name for name in names if key == "all" or f":{key}".encode() in name]
        assert broken
        for name in broken:
            kind = client.type(name)
            client.delete(name)
            client.rpush(name, MARK) if kind == b"string" else client.set(name, MARK)
    errors = errors_of(calls(queue, redis_store, ticket, token))
    assert any(isinstance(error, Unavailable) for error in errors)


def test_a_broken_file_tells_no_text(sqlite_store: Store) -> None:
    """With tables gone, and with a file that is none, failing calls are Unavailable, textless."""
    queue, ticket, token = seeded(sqlite_store)
    file = Path(sqlite_store.url.removeprefix("sqlite:///"))
    for table in ("queue_outbox", "queue_history", "queue_answer", "queue_org", "queue_ticket"):
        with closing(sqlite3.connect(file)) as db:
            db.execute(f"DROP TABLE {table}")
        errors = errors_of(calls(queue, sqlite_store, ticket, token))
        assert any(isinstance(error, Unavailable) for error in errors)
    sqlite_store.close()
    file.write_bytes(MARK.encode() * 5000)
    errors = errors_of(calls(sqlite_store.open(), sqlite_store, ticket, token))
    assert sum(isinstance(error, Unavailable) for error in errors) >= 15
