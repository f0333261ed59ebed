"""Queues on every backend, and posts to put into them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.redis_server import RedisServer
from triage.bundle import sign
from triage.post import Author, Post
from triage.queue import Bundling, Entry, Queue, Reply
from triage.queue.open import open_queue
from triage.ticket import Assessment, Reason, Route, Urgency, ticket_id

#: When the tests happen.
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IN_AN_HOUR = NOW + timedelta(hours=1)
PARTITION = "triage.posts-0"

_REQUESTS = count()


def minutes(number: float) -> timedelta:
    """Give a span of minutes."""
    return timedelta(minutes=number)


def request() -> str:
    """Give a request id that was not used before."""
    return f"verzoek-{next(_REQUESTS)}"


class Store:
    """One place where tickets are kept, for one test; open as many queues on it as you like."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url
        self.org = f"t{uuid.uuid4().hex[:12]}"
        self._opened: list[Queue] = []

    def open(self) -> Queue:
        """Open a queue with connections of its own."""
        queue = open_queue(self.url)
        self._opened.append(queue)
        return queue

    def close(self) -> None:
        """Close all of them."""
        for queue in self._opened:
            queue.close()

    def entry(
        self,
        post: str = "p1",
        text: str = "Er ligt een boom op de weg",
        *,
        team: str = "openbare-ruimte",
        urgency: Urgency = Urgency.NORMAAL,
        due: datetime = IN_AN_HOUR,
        topic: str = "groen",
        partition: str | None = PARTITION,
        received_at: datetime = NOW,
        bundled: bool = False,
        key_figure: bool = False,
        others: bool = True,
        **fields: Any,
    ) -> Entry:
        """Give a post on its way into a queue; ``others``: how its reply may join."""
        to = fields.get("in_reply_to")
        fields.setdefault("channel", "x")
        fields.setdefault("author", Author(id="u-1", name="Jan Jansen", followers=12))
        said = Post(id=post, text=text, created_at=NOW - minutes(1), **fields)
        judged = Assessment(
            topics=((topic, 0.8), ("wegen", 0.1), ("afval", 0.05)),
            urgency=urgency,
            urgency_p=(0.1, 0.2, 0.6, 0.1),
            intent="melding",
            intent_p=0.9,
            confidence=0.8,
            abstained=False,
            reasons=(Reason(token="boom", weight=1.5),),
            safety_rule=None,
            model="2026.1",
        )
        return Entry(
            ticket_id=ticket_id(self.org, post),
            post=said,
            assessment=judged,
            route=Route(team=team, due_at=due, due_minutes=60, rule="groen-melding"),
            received_at=received_at,
            partition=partition,
            bundling=self._bundling(text) if bundled else None,
            key_figure=key_figure,
            reply=Reply(to=ticket_id(self.org, to), others=others) if to else None,
        )

    @staticmethod
    def _bundling(text: str) -> Bundling | None:
        signature = sign(text)
        if signature is None:
            return None
        return Bundling(signature=signature, window=24 * 3600, answer_copies=True)

    def copy(self, post: str, text: str, **more: Any) -> Entry:
        """Give a post that may be bundled with its copies."""
        return self.entry(post, text, bundled=True, **more)

    def deletion(self, post: str = "p1", **more: Any) -> Entry:
        """Give the withdrawal of a post."""
        return self.entry(post, "", deleted=True, **more)

    def id(self, post: str = "p1") -> str:
        """Name the ticket of a post."""
        return ticket_id(self.org, post)


@pytest.fixture
def redis_store(redis_server: RedisServer) -> Iterator[Store]:
    """Give a store in the shared Redis."""
    store = Store("redis", redis_server.url)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """Give a store in a new SQLite file."""
    store = Store("sqlite", f"sqlite:///{tmp_path / 'triage.db'}")
    yield store
    store.close()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("cluster", marks=pytest.mark.redis),
    ]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give a store on each backend in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'triage.db'}"
    else:
        fixture = "redis_server" if request.param == "redis" else "redis_cluster"
        url = request.getfixturevalue(fixture).url
    store = Store(request.param, url)
    yield store
    store.close()


@pytest.fixture
def queue(store: Store) -> Queue:
    """Give a queue on each backend in turn."""
    return store.open()


@pytest.fixture
def put(store: Store, queue: Queue) -> Callable[..., Any]:
    """Put posts that need no position."""

    def put(*entries: Entry, at: datetime = NOW) -> Any:
        return queue.put(store.org, entries, now=at, request=request())

    return put
