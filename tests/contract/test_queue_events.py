"""What events, the outbox and restores promise, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.queue import Change, PutResult, Queue
from triage.ticket import State, Urgency

Put = Callable[..., PutResult]
TEAM = "openbare-ruimte"


def claim(queue: Queue, ticket: str) -> int:
    """Claim a ticket and give the token."""
    held = queue.claim(ticket, owner="ans", seconds=60, now=NOW, request=request()).claim
    assert held
    return held.token


def resolve(queue: Queue, ticket: str, token: int) -> None:
    """Resolve a ticket."""
    change = Change(outcome="beantwoord")
    queue.resolve(ticket, change, token=token, by="ans", now=NOW, request=request())


def test_events_tell_every_change_without_text(store: Store, queue: Queue, put: Put) -> None:
    """Each change has its event, in order, with an id of its own and nothing of the citizen."""
    put(store.entry(text="Geheim"), store.entry("p2"))
    token = claim(queue, store.id())
    change = Change(topic="wegen", note="Geheime notitie")
    queue.correct(store.id(), change, token=token, by="ans", now=NOW, request=request())
    resolve(queue, store.id(), token)
    put(store.entry(text="Geheim, anders"))
    put(store.deletion())
    told = queue.events(store.org)
    kinds = [event.data["type"] for event in told]
    assert kinds == ["created", "created", "claimed", "corrected", "resolved", "edited", "deleted"]
    assert [e.data["version"] for e in told if e.data["ticket"] == store.id()] == [1, 2, 3, 4, 5, 6]
    assert len({event.data["id"] for event in told}) == len(told)
    assert "Geheim" not in str(told)
    assert "Jan" not in str(told)
    corrected = dict(told[3].data)
    corrected.pop("id")
    assert corrected == {
        "type": "corrected",
        "ticket": store.id(),
        "org": store.org,
        "team": TEAM,
        "urgency": "normaal",
        "topic": "wegen",
        "intent": "melding",
        "due_at": (NOW + minutes(60)).isoformat(),
        "state": "open",
        "version": 3,
        "at": NOW.isoformat(),
        "by": "ans",
        "outcome": None,
        "revision": 0,
        "role": None,
        "said": {"topic": "wegen"},
        "before": {
            "team": TEAM,
            "topic": "groen",
            "urgency": "normaal",
            "intent": "melding",
            "assessed": {
                "topic": "groen",
                "urgency": "normaal",
                "intent": "melding",
                "team": TEAM,
                "rule": "groen-melding",
                "abstained": False,
                "lang": "nl",
                "sampled": "",
                "confidence": 0.8,
                "model": "2026.1",
            },
        },
    }
    assert told[4].data["state"] == "resolved"


def test_events_are_read_from_any_cursor(store: Store, queue: Queue, put: Put) -> None:
    """Reading on from any event gives what follows, inside a batch and across many."""
    for turn in range(40):
        put(*(store.entry(f"p{turn}-{number}") for number in range(3)))
    told = list(queue.events(store.org))
    assert len(told) == 120
    for place in (0, 1, 2, 50, 118, 119):
        assert queue.events(store.org, told[place].cursor) == told[place + 1 :]
    assert queue.events(store.org, told[4].cursor, limit=7) == told[5:12]
    assert queue.events(store.org, "geen cursor") == told


def test_the_outbox_publishes_at_least_once(store: Store, queue: Queue, put: Put) -> None:
    """What was not said to be published comes again, after a crash of the relay too."""
    put(*(store.entry(f"p{number}") for number in range(5)))
    first = queue.unpublished(store.org, limit=3)
    assert [event.data["ticket"] for event in first] == [store.id(f"p{n}") for n in range(3)]
    assert store.open().unpublished(store.org, limit=3) == first
    queue.published(store.org, first[-1].cursor, now=NOW)
    rest = store.open().unpublished(store.org)
    assert [event.data["ticket"] for event in rest] == [store.id("p3"), store.id("p4")]
    queue.published(store.org, first[0].cursor, now=NOW)
    assert queue.unpublished(store.org) == rest
    queue.published(store.org, rest[-1].cursor, now=NOW)
    assert queue.unpublished(store.org) == []
    assert len(queue.events(store.org)) == 5
    with pytest.raises(ValueError, match="cursor"):
        queue.published(store.org, "x", now=NOW)


def test_only_old_published_events_leave(store: Store, queue: Queue) -> None:
    """Events go an hour after they happened, and never before they were published."""
    now = datetime.now(UTC)
    for post in ("a", "b", "c"):
        queue.put(store.org, [store.entry(post)], now=now, request=request())
    later = now + minutes(61)
    queue.sweep(store.org, now=later, retention_seconds=60)
    told = queue.events(store.org)
    assert len(told) == 3
    queue.published(store.org, told[1].cursor, now=now)
    queue.sweep(store.org, now=now + minutes(50), retention_seconds=60)
    assert len(queue.events(store.org)) == 3
    queue.sweep(store.org, now=later, retention_seconds=60)
    assert queue.events(store.org) == told[1:]
    assert queue.unpublished(store.org) == told[2:]


def outcomes(queue: Queue, store: Store) -> list[Any]:
    """Give the outcomes that the relay would have published."""
    kinds = {"resolved", "corrected", "reassigned", "escalated"}
    return [e.data for e in queue.events(store.org, limit=9999) if e.data["type"] in kinds]


def test_restore_brings_back_what_people_did(store: Store, queue: Queue, put: Put) -> None:
    """The log's posts and the outcomes rebuild team, labels, due time and state, once."""
    posts = [store.entry(post) for post in ("a", "b", "c", "d")]
    put(*posts)
    change = Change(topic="wegen", urgency=Urgency.HOOG, due_at=NOW + minutes(7))
    queue.correct(store.id("a"), change, token=None, by="x", now=NOW, request=request())
    change = Change(team="nacht")
    queue.reassign(store.id("a"), change, token=None, by="x", now=NOW, request=request())
    resolve(queue, store.id("b"), claim(queue, store.id("b")))
    resolve(queue, store.id("c"), claim(queue, store.id("c")))
    edit = store.entry("c", text="Het is er nog", urgency=Urgency.HOOG)
    put(edit)
    said = outcomes(queue, store)

    rebuilt = Store(store.kind, store.url)
    rebuilt.org = f"{store.org}x"

    def moved(data: Any) -> Any:
        ticket = data["ticket"].replace(store.org, rebuilt.org)
        return {**data, "ticket": ticket, "org": rebuilt.org}

    batch = [rebuilt.entry(post) for post in ("a", "b", "c", "d")]
    batch.append(rebuilt.entry("c", text="Het is er nog", urgency=Urgency.HOOG))
    queue.put(rebuilt.org, batch, now=NOW, request=request())
    before = len(queue.events(rebuilt.org))
    again = [moved(data) for data in said]
    assert queue.restore(rebuilt.org, again, now=NOW) == 4
    assert queue.restore(rebuilt.org, again, now=NOW) == 0
    assert queue.restore(store.org, said, now=NOW) == 0
    assert len(queue.events(rebuilt.org)) == before
    for post in ("a", "b", "c", "d"):
        old, new = (queue.get(where.id(post), now=NOW) for where in (store, rebuilt))
        for field in ("team", "urgency", "topic", "intent", "due_at", "state", "post"):
            assert getattr(old, field) == getattr(new, field), (post, field)
    assert queue.get(rebuilt.id("c"), now=NOW).state is State.OPEN
    assert queue.get(rebuilt.id("b"), now=NOW).history[-1]["outcome"] == "beantwoord"
    unknown = [moved({**said[0], "ticket": store.id("z")})]
    assert queue.restore(rebuilt.org, unknown, now=NOW) == 0
