"""What only the queue in Redis has to see to: what it reads, how long it holds up all others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from tests.plugins.redis_server import RedisServer
from triage.errors import NotFound
from triage.queue import Change, PutResult, Queue
from triage.queue.redis import RedisQueue
from triage.ticket import State

pytestmark = pytest.mark.redis

TEAM = "openbare-ruimte"
FIRE = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, veel rook boven de wijk"


def _nothing() -> None: ...


class WatchedQueue(RedisQueue):
    """A queue that tells how many members it read; before each write happens what you name."""

    def __init__(self, url: str, meanwhile: Iterable[Callable[[], object]] = ()) -> None:
        super().__init__(url)
        self.members_read = 0
        before_writes = iter(meanwhile)
        run = self._redis.run

        def watched(prefix: str, *args: Any) -> Any:
            if args[0] == "write":
                next(before_writes, _nothing)()
            reply = run(prefix, *args)
            if args[0] == "get":
                self.members_read += len(reply[2])
            if args[0] == "members":
                self.members_read += len(reply[1])
            return reply

        self._redis.run = watched  # type: ignore[method-assign] # counts what the real one gives


@pytest.fixture
def store(redis_store: Store) -> Store:
    """Give a store in the shared Redis."""
    return redis_store


def put_copies(store: Store, *posts: str, text: str = FIRE) -> PutResult:
    """Put copies from a queue of their own, as another worker does."""
    entries = [store.copy(post, text) for post in posts]
    with store.open() as queue:
        return queue.put(store.org, entries, now=NOW, request=request())


def resolve(queue: Queue, ticket: str, at: datetime) -> None:
    """Claim and resolve a ticket."""
    claimed = queue.claim(ticket, owner="an", seconds=60, now=at, request=request())
    assert claimed.claim
    change, token = Change(outcome="ok"), claimed.claim.token
    queue.resolve(ticket, change, token=token, by="an", now=at, request=request())


def test_a_bundle_in_a_flood_can_be_resolved(store: Store) -> None:
    """Copies that join while it is resolved make it read those copies, not all members again."""
    put_copies(store, *(f"p{n}" for n in range(40)))
    lead, flood = store.id("p0"), [partial(put_copies, store, f"q{n}") for n in range(10)]
    with WatchedQueue(store.url, flood) as queue:
        resolve(queue, lead, NOW)
        assert queue.members_read == 39 + 10
        assert queue.get(lead, now=NOW).state is State.RESOLVED
        events = queue.events(store.org)
    outcomes = {one.data["ticket"] for one in events if one.data["type"] == "resolved"}
    assert len(outcomes) == 50


def test_a_member_that_changes_meanwhile_is_read_again(store: Store) -> None:
    """An outcome tells of its members as they are when it is written."""
    put_copies(store, "a", "b", "c")
    lead = store.id("a")
    says_the_same = partial(put_copies, store, "b", text=f"{FIRE}!")
    leaves = partial(put_copies, store, "c", text="Wanneer wordt het papier opgehaald?")
    with WatchedQueue(store.url, [says_the_same, leaves]) as queue:
        resolve(queue, lead, NOW)
        events = [one.data for one in queue.events(store.org) if one.data["type"] == "resolved"]
    assert {one["ticket"]: one["revision"] for one in events} == {lead: 0, store.id("b"): 1}


def test_what_makes_no_outcome_reads_no_members(store: Store) -> None:
    """To prolong, give back, note or set aside a bundle costs no more than a ticket of one post."""
    put_copies(store, "a", "b", "c")
    lead = store.id("a")
    with WatchedQueue(store.url) as queue:
        claimed = queue.claim(lead, owner="an", seconds=60, now=NOW, request=request())
        assert claimed.claim
        token = claimed.claim.token
        queue.renew(lead, token=token, seconds=90, now=NOW, request=request())
        queue.note(lead, "gebeld", by="an", now=NOW, request=request())
        queue.release(lead, token=token, now=NOW, request=request())
        until = NOW + minutes(5)
        queue.snooze(lead, until=until, token=None, by="an", now=NOW, request=request())
        assert queue.members_read == 0
        assert len(queue.members(lead, now=NOW)) == 2


def test_near_copies_of_a_race_are_all_in_one_bundle(store: Store) -> None:
    """Who loses a race looks again for all posts of its batch, also those that were to join one."""
    first = partial(put_copies, store, "z")
    batch = [
        store.copy("a", FIRE.replace("veel rook", "heel veel rook")),
        store.copy("b", FIRE.replace("veel rook", "nu veel zwarte rook")),
    ]
    with WatchedQueue(store.url, [first]) as queue:
        assert queue.put(store.org, batch, now=NOW, request=request()).joined == 2
        (ticket,) = queue.list(store.org, TEAM, now=NOW)
    assert ticket.id == store.id("z")


@pytest.mark.parametrize(("rest", "joined"), [("/23", 1), ("/", 0), ("", 0)])
def test_keys_as_another_version_wrote_them_stop_no_put(
    store: Store, redis_server: RedisServer, rest: str, joined: int
) -> None:
    """A ticket that stands under its keys without a length as we know it holds up no post."""
    put_copies(store, "a")
    with redis_server.client() as client:
        (keys,) = client.keys(f"triage:{{{store.org}}}:keys:*")
        client.hset(keys, mapping=dict.fromkeys(client.hkeys(keys), store.id("a") + rest))
    assert put_copies(store, "b", text=f"{FIRE} hoor").joined == joined


def test_keys_go_by_themselves_where_nobody_sweeps(store: Store, redis_server: RedisServer) -> None:
    """Days after the longest window on them is over; a shorter one does not bring that forward."""
    put_copies(store, "a")
    brief = store.copy("b", "Wanneer wordt het oud papier in onze straat opgehaald?")
    assert brief.bundling
    brief = replace(brief, bundling=replace(brief.bundling, window=60))
    with store.open() as queue, redis_server.client() as client:
        queue.put(store.org, [brief], now=NOW, request=request())
        keys, *_ = sorted(client.keys(f"triage:{{{store.org}}}:keys:*"))  # two over midnight
        day = 24 * 3600
        assert 4 * day - 60 <= client.ttl(keys) <= 5 * day


def test_a_sweep_takes_few_posts_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Big bundles do not hold up Redis together: a sweep stops, and the next one goes on."""
    monkeypatch.setattr("triage.queue.redis.SWEEP_POSTS", 5)
    texts = {
        FIRE: 3,
        "Wanneer wordt het oud papier in onze straat opgehaald?": 3,
        "De lantaarnpaal bij de bushalte doet het al een week niet": 1,
        "Mijn paspoort is verlopen, waar kan ik een nieuw aanvragen?": 7,
    }
    later = NOW + minutes(120)
    with store.open() as queue:
        for place, (text, size) in enumerate(texts.items()):
            put_copies(store, *(f"{place}-{n}" for n in range(size)), text=text)
            resolve(queue, store.id(f"{place}-0"), NOW + minutes(place))
        swept = [queue.sweep(store.org, now=later, retention_seconds=60) for _ in range(4)]
        assert swept == [1, 2, 1, 0]
        for place, size in enumerate(texts.values()):
            with pytest.raises(NotFound):
                queue.get(store.id(f"{place}-{size - 1}"), now=later)


def test_a_page_of_members_reads_that_page(store: Store) -> None:
    """The desk looks into a bundle of thousands often: what is not on the page is not read."""
    put_copies(store, *(f"p{n}" for n in range(20)))
    lead = store.id("p0")
    answers = [store.entry(f"r{n}", "En nu?", in_reply_to="p0") for n in range(3)]
    with WatchedQueue(store.url) as queue:
        queue.put(store.org, answers, now=NOW, request=request())
        whole = [one.id for one in queue.members(lead, now=NOW)]
        assert len(whole) == 22
        assert whole[19:] == sorted(store.id(f"r{n}") for n in range(3))
        for replies, ids in ((None, whole), (False, whole[:19]), (True, whole[19:])):
            for offset in range(0, 24, 5):
                page = queue.members(lead, now=NOW, limit=5, offset=offset, replies=replies)
                assert [one.id for one in page] == ids[offset : offset + 5]
        queue.members_read = 0
        queue.members(lead, now=NOW, limit=5, offset=3)
        queue.members(lead, now=NOW, limit=4, offset=8, replies=False)
        assert queue.members_read == 9
