"""Tickets on their way to another system, on every backend: in the step that resolves them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage import sqlite_file
from triage.errors import Conflict
from triage.queue import Change, Queue
from triage.queue.hand_over import HandOver
from triage.queue.sqlite_connect import SQL
from triage.ticket import State

Put = Callable[..., Any]
GIVEN = Change(outcome="signalen", note="Dorpsplein 1", hand_over="Dorpsplein 1\nbij de brug")


def claim(queue: Queue, ticket: str) -> int:
    held = queue.claim(ticket, owner="ans", seconds=300, now=NOW, request=request())
    assert held.claim
    return held.claim.token


def give(
    queue: Queue, ticket: str, *, named: str = "", at: float = 0, change: Change = GIVEN
) -> None:
    token, named = claim(queue, ticket), named or request()
    now = NOW + minutes(at)
    queue.resolve(ticket, change, token=token, by="ans", now=now, request=named)


def take(queue: Queue, store: Store, at: float = 0, *, until: float = 1) -> HandOver | None:
    return queue.take_hand_over(
        store.org, now=NOW + minutes(at), until=NOW + minutes(at) + minutes(until)
    )


def test_it_is_on_its_way_once_the_ticket_is_resolved(store: Store, queue: Queue, put: Put) -> None:
    """Also for who opens the store anew; resolving without it, or refused, sends nothing."""
    put(store.entry("p1"), store.entry("p2"))
    give(queue, store.id("p2"), change=Change(outcome="spam"))
    with pytest.raises(Conflict):
        queue.resolve(store.id(), GIVEN, token=1, by="ans", now=NOW, request=request())
    assert take(queue, store) is None
    give(queue, store.id())
    later = store.open()
    found = take(later, store)
    assert found is not None
    assert (found.ticket, found.attempts, found.at) == (store.id(), 0, NOW)
    assert found.said == "Dorpsplein 1\nbij de brug"
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.state, ticket.version) == (State.RESOLVED, found.version)
    assert take(queue, Store(store.kind, store.url)) is None


def test_who_takes_it_has_it_alone_for_a_while(store: Store, queue: Queue, put: Put) -> None:
    """Of many who ask at once one gets it; once its time is over it counts as one more attempt."""
    put(store.entry())
    give(queue, store.id())
    found: list[HandOver | None] = []

    def ask() -> None:
        found.append(take(store.open(), store))

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sorted(one.attempts for one in found if one) == [0]
    assert take(queue, store, 0.9) is None
    again = take(queue, store, 1)
    assert again is not None
    assert again.attempts == 1


def test_it_is_tried_again_when_asked_and_over_when_ended(
    store: Store, queue: Queue, put: Put
) -> None:
    """The longest waiting first; what ended comes no more, and ending it twice does nothing."""
    put(store.entry("p1"), store.entry("p2"))
    give(queue, store.id("p1"))
    give(queue, store.id("p2"), at=1)
    first, second = take(queue, store, 2, until=60), take(queue, store, 2, until=60)
    assert first is not None
    assert second is not None
    assert (first.ticket, second.ticket) == (store.id("p1"), store.id("p2"))
    queue.retry_hand_over(second, at=NOW + minutes(3))
    assert take(queue, store, 2.9) is None
    again = take(queue, store, 3)
    assert again is not None
    assert (again.ticket, again.attempts) == (store.id("p2"), 1)
    for _ in range(2):
        queue.end_hand_over(again)
    queue.end_hand_over(first)
    queue.retry_hand_over(first, at=NOW)
    assert take(queue, store, 600) is None


def test_a_ticket_given_again_is_another_one(store: Store, queue: Queue, put: Put) -> None:
    """Who still ends the first does not end the second."""
    put(store.entry())
    give(queue, store.id())
    first = take(queue, store)
    assert first is not None
    queue.reopen(store.id(), Change(), by="ans", now=NOW, request=request())
    give(queue, store.id(), at=1)
    queue.end_hand_over(first)
    queue.retry_hand_over(first, at=NOW + minutes(900))
    second = take(queue, store, 1)
    assert second is not None
    assert (second.attempts, second.at) == (0, NOW + minutes(1))
    assert second.version > first.version


def test_the_same_request_puts_it_on_its_way_once(store: Store, queue: Queue, put: Put) -> None:
    """Sent again after it arrived, it gets the same answer and nothing is sent twice."""
    put(store.entry())
    token, named = claim(queue, store.id()), request()
    for _ in range(2):
        queue.resolve(store.id(), GIVEN, token=token, by="ans", now=NOW, request=named)
        if one := take(queue, store):
            queue.end_hand_over(one)
    assert take(queue, store, 600) is None


def test_retention_waits_for_what_is_on_its_way(store: Store, queue: Queue, put: Put) -> None:
    """Others of that age go, also when there are many; it goes once it is over."""
    put(*(store.entry(f"p{number}") for number in range(4)))
    for number in range(4):
        change = GIVEN if number < 2 else Change(outcome="spam")
        give(queue, store.id(f"p{number}"), change=change)
    late = NOW + timedelta(days=30)

    def sweep() -> int:
        return queue.sweep(store.org, now=late, retention_seconds=86_400)

    assert [sweep(), sweep()] == [2, 0]
    assert queue.get(store.id("p0"), now=late).post["text"]
    for _ in range(2):
        one = queue.take_hand_over(store.org, now=late, until=late + minutes(1))
        assert one is not None
        queue.end_hand_over(one)
    assert [sweep(), sweep()] == [2, 0]


def test_a_file_from_before_there_were_hand_overs(sqlite_store: Store) -> None:
    """It keeps its tickets, and hands over what is given from then on."""
    path = Path(sqlite_store.url.removeprefix("sqlite:///"))
    old = {name: step for name, step in SQL.items() if name != "schema_3"}
    sqlite_file.prepare(path, old, 2)
    with closing(sqlite_file.connect(path)) as db:
        db.execute(SQL["set_position"], (sqlite_store.org, "p-0", 7))
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        assert "queue_handover" not in tables
    queue = sqlite_store.open()
    assert queue.positions(sqlite_store.org) == {"p-0": 7}
    queue.put(sqlite_store.org, [sqlite_store.entry()], now=NOW, request=request())
    give(queue, sqlite_store.id())
    assert take(queue, sqlite_store) is not None
