"""What the relay promises: every event, at least once, in order, whatever fails in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from triage.errors import Unavailable
from triage.log import Log, NewRecord, Topic
from triage.log.open import open_log
from triage.post import Post
from triage.queue import Change, Entry, Queue
from triage.queue.open import open_queue
from triage.relay import Relay
from triage.ticket import Assessment, Route, Urgency, ticket_id

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ORG = "leiden"


class Broken:
    """A log whose next appends fail after ``good`` of them; the rest is the real one."""

    def __init__(self, log: Log, good: int) -> None:
        self._log = log
        self.good = good

    def append(self, topic: Topic, records: Sequence[NewRecord]) -> None:
        if self.good <= 0:
            raise Unavailable
        self.good -= 1
        self._log.append(topic, records)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Log, Queue]]:
    """Give a log and a queue in one SQLite file."""
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    with open_log(url) as log, open_queue(url) as queue:
        yield log, queue


def entry(number: int) -> Entry:
    return Entry(
        ticket_id=ticket_id(ORG, f"p{number}"),
        post=Post(id=f"p{number}", text=f"Lamp {number} stuk", created_at=NOW),
        assessment=Assessment(
            topics=(("overig", 1.0),),
            urgency=Urgency.LAAG,
            urgency_p=(0, 0, 0, 1),
            intent="melding",
            intent_p=1,
            confidence=1,
            abstained=False,
            reasons=(),
            safety_rule=None,
            model="1",
        ),
        route=Route(team="webcare", due_at=NOW + timedelta(hours=1), due_minutes=60, rule="r"),
        received_at=NOW,
    )


def fill(queue: Queue, count: int) -> list[str]:
    entries = [entry(number) for number in range(count)]
    for start in range(0, count, 500):
        queue.put(ORG, entries[start : start + 500], now=NOW, request=f"put-{start}")
    return [one.ticket_id for one in entries]


def correct(queue: Queue, ticket: str) -> None:
    change = Change(topic="wonen")
    queue.correct(ticket, change, token=None, by="anna", now=NOW, request=f"c-{ticket}")


def assessed(log: Log) -> list[dict[str, Any]]:
    records = [json.loads(record.value or b"") for record in log.scan(Topic.ASSESSED)]
    return [event for record in records for event in record]


def outcomes(log: Log) -> list[tuple[bytes | None, dict[str, Any]]]:
    return [(r.key, json.loads(r.value or b"")) for r in log.scan(Topic.OUTCOMES)]


def test_all_that_waits_is_published_once(stores: tuple[Log, Queue]) -> None:
    """More than one page of events, each in triage.assessed; decisions in triage.outcomes too."""
    log, queue = stores
    tickets = fill(queue, 2500)
    correct(queue, tickets[7])
    assert Relay(log, queue, [ORG]).step(NOW) == 2501
    events = assessed(log)
    assert len(events) == len({event["id"] for event in events}) == 2501
    assert {event["ticket"] for event in events} == set(tickets)
    ((key, outcome),) = outcomes(log)
    assert key == tickets[7].encode()
    assert (outcome["ticket"], outcome["type"]) == (tickets[7], "corrected")
    assert outcome["id"] in {event["id"] for event in events}
    assert Relay(log, queue, [ORG]).step(NOW) == 0


def test_new_tickets_share_records(stores: tuple[Log, Queue]) -> None:
    """A thousand new tickets cost a few records, not a thousand."""
    log, queue = stores
    fill(queue, 1000)
    Relay(log, queue, [ORG]).step(NOW)
    assert sum(1 for _ in log.scan(Topic.ASSESSED)) < 10


@pytest.mark.parametrize("good", [0, 1])
def test_a_log_that_fails_half_way_loses_nothing(stores: tuple[Log, Queue], good: int) -> None:
    """What was not published to both streams comes again, under the same ids."""
    log, queue = stores
    ticket = fill(queue, 1)[0]
    correct(queue, ticket)
    broken: Any = Broken(log, good)
    with pytest.raises(Unavailable):
        Relay(broken, queue, [ORG]).step(NOW)
    assert Relay(log, queue, [ORG]).step(NOW) == 2
    assert len({event["id"] for event in assessed(log)}) == 2
    assert len({outcome["id"] for _, outcome in outcomes(log)}) == 1


def test_threads_do_not_publish_the_same(stores: tuple[Log, Queue]) -> None:
    """Eight threads on one relay publish each event once, and each returns after all is out."""
    log, queue = stores
    fill(queue, 300)
    relay = Relay(log, queue, [ORG])
    counts: list[int] = []
    step: Callable[[], None] = lambda: counts.append(relay.step(NOW))  # noqa: E731 - a thread's work
    threads = [threading.Thread(target=step) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(counts) == [0] * 7 + [300]
    assert len(assessed(log)) == 300
