"""Both backends, given the same calls in any order, show the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.errors import Conflict, NotFound
from triage.queue import Advance, Change, Entry, Event, Queue
from triage.ticket import URGENCIES, Claim, Ticket

TEAMS = ("a", "b")
POSTS = ("p1", "p2", "p3", "p4")
posts = st.sampled_from(POSTS)
teams = st.sampled_from(TEAMS)
urgencies = st.sampled_from(URGENCIES)
dues = st.integers(-30, 30)
tokens = st.integers(-3, -1) | st.none()
changes = st.builds(
    Change,
    team=teams | st.none(),
    topic=st.sampled_from(["afval", "wegen"]) | st.none(),
    urgency=urgencies | st.none(),
    due_at=dues.map(lambda due: NOW + minutes(due)) | st.none(),
)


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the fields of a post and how it was judged."""
    return {
        "post": draw(posts),
        "text": draw(st.sampled_from(["", "een", "twee", "drie"])),
        "team": draw(teams),
        "urgency": draw(urgencies),
        "due": NOW + minutes(draw(dues)),
        "partition": draw(st.sampled_from(["t-0", "t-1", None])),
    }


class Alike(RuleBasedStateMachine):
    """Makes each call on both backends and compares."""

    stores: tuple[Store, Store]

    def __init__(self) -> None:
        super().__init__()
        fresh = [Store(store.kind, store.url) for store in self.stores]
        fresh[1].org = fresh[0].org
        self.pair = [(store, store.open()) for store in fresh]
        #: Tokens as each backend gave them, in order; they differ, so we speak of them by place.
        self.tokens: list[tuple[int, int]] = []
        self.now = NOW
        self.last: Callable[[], None] = lambda: None

    def teardown(self) -> None:
        for store, _ in self.pair:
            store.close()

    def both(self, call: Callable[[Queue, Store, int], Any]) -> None:
        """Make a call on both (the last argument tells which) and compare; keep it to repeat."""

        def act() -> None:
            shown = [
                outcome(call, queue, store, side) for side, (store, queue) in enumerate(self.pair)
            ]
            given = [token_in(result) for result in shown]
            pair = (given[0], given[1])
            if all(pair) and pair not in self.tokens:
                self.tokens.append(pair)
            assert self.plain(shown[0], 0) == self.plain(shown[1], 1)

        self.last = act
        act()

    def plain(self, shown: Any, side: int) -> Any:
        """Name tokens by their place and leave out cursors."""
        if isinstance(shown, Event):
            return dict(shown.data)
        if isinstance(shown, Claim):
            places = [pair[side] for pair in self.tokens]
            return (shown.owner, shown.until, places.index(shown.token))
        if isinstance(shown, Ticket):
            return {
                name: self.plain(getattr(shown, name), side) for name in shown.__dataclass_fields__
            }
        if isinstance(shown, list):
            return [self.plain(item, side) for item in shown]
        return shown

    def token(self, place: int | None, side: int) -> int | None:
        """Give a token that was given out lately, or one that never was."""
        if place is None:
            return None
        return self.tokens[place][side] if len(self.tokens) >= -place else 7

    @rule(batch=st.lists(entries(), min_size=1, max_size=4), guess=st.sampled_from([None, 0, 1, 2]))
    def put(self, batch: list[dict[str, Any]], guess: int | None) -> None:
        """Put posts, edits, repeats and deletions, sometimes from a position that moved."""
        moves = [Advance(partition="t-0", expected=guess, next=(guess or 0) + 1)]
        now, asked = self.now, request()
        self.both(
            lambda queue, store, _: queue.put(
                store.org,
                [entry_of(store, fields) for fields in batch],
                moves,
                now=now,
                request=asked,
            )
        )

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        """Let time pass, so that leases expire."""
        self.now += timedelta(seconds=seconds)

    @rule(post=posts, seconds=st.integers(1, 60))
    def claim(self, post: str, seconds: int) -> None:
        """Claim a ticket by its id."""
        now, asked = self.now, request()
        self.both(
            lambda queue, store, _: queue.claim(
                store.id(post), owner="x", seconds=seconds, now=now, request=asked
            )
        )

    @rule(team=teams, seconds=st.integers(1, 60))
    def claim_next(self, team: str, seconds: int) -> None:
        """Claim the first free ticket of a team."""
        now, asked = self.now, request()
        self.both(
            lambda queue, store, _: queue.claim_next(
                store.org, team, owner="y", seconds=seconds, now=now, request=asked
            )
        )

    @rule(post=posts, place=st.integers(-3, -1))
    def renew(self, post: str, place: int) -> None:
        """Prolong a lease, or try to."""
        now, asked = self.now, request()
        self.both(
            lambda queue, store, side: queue.renew(
                store.id(post),
                token=self.token(place, side) or 0,
                seconds=30,
                now=now,
                request=asked,
            )
        )

    @rule(post=posts, place=st.integers(-3, -1))
    def release(self, post: str, place: int) -> None:
        """Give a lease back, or try to."""
        now, asked = self.now, request()
        self.both(
            lambda queue, store, side: queue.release(
                store.id(post), token=self.token(place, side) or 0, now=now, request=asked
            )
        )

    @rule(
        action=st.sampled_from(["resolve", "correct", "reassign", "escalate"]),
        post=posts,
        place=tokens,
        change=changes,
    )
    def act(self, action: str, post: str, place: int | None, change: Change) -> None:
        """Do what people do, under a lease or without one."""
        now, asked = self.now, request()
        self.both(
            lambda queue, store, side: getattr(queue, action)(
                store.id(post),
                change,
                token=self.token(place, side),
                by="z",
                now=now,
                request=asked,
            )
        )

    @rule()
    def repeat(self) -> None:
        """Send the last request again."""
        self.last()

    @rule(seconds=st.integers(0, 120))
    def sweep(self, seconds: int) -> None:
        """Let resolved tickets go."""
        now = self.now
        self.both(
            lambda queue, store, _: queue.sweep(store.org, now=now, retention_seconds=seconds)
        )

    @rule(back=st.integers(0, 20))
    def restore(self, back: int) -> None:
        """Bring outcomes again that are there already, or were before."""
        told = list(self.pair[0][1].events(self.pair[0][0].org, limit=9999))
        said = [event.data for event in told if "before" in event.data][-back:]
        now = self.now
        self.both(lambda queue, store, _: queue.restore(store.org, said, now=now))

    @invariant()
    def all_shows_alike(self) -> None:
        """Compare everything that can be seen."""
        views = []
        for side, (store, queue) in enumerate(self.pair):
            seen: list[Any] = [
                dict(queue.positions(store.org)),
                list(queue.stats(store.org, now=self.now)),
                list(queue.events(store.org, limit=9999)),
                *(list(queue.list(store.org, team, now=self.now)) for team in TEAMS),
                *(
                    outcome(lambda q, s, _, p=post: q.get(s.id(p), now=self.now), queue, store, 0)  # type: ignore[misc] # bound now
                    for post in POSTS
                ),
            ]
            views.append([self.plain(item, side) for item in seen])
            depth = sum(depth.depth for depth in seen[1])
            assert depth == sum(len(tickets) for tickets in seen[3:5])
        assert views[0] == views[1]


def entry_of(store: Store, fields: dict[str, Any]) -> Entry:
    """Make the post; no text is a deletion."""
    return store.entry(**fields, deleted=not fields["text"])


def outcome(call: Callable[[Queue, Store, int], Any], queue: Queue, store: Store, side: int) -> Any:
    """Give what a call returned, or how it was refused."""
    try:
        return call(queue, store, side)
    except Conflict as error:
        return ("conflict", error.code)
    except NotFound:
        return "not found"


def token_in(shown: Any) -> int:
    """Give the token of a claim that was just given."""
    claim = shown.claim if isinstance(shown, Ticket) else shown
    return claim.token if isinstance(claim, Claim) else 0


@pytest.mark.redis
def test_both_backends_show_the_same(redis_store: Store, sqlite_store: Store) -> None:
    """Whatever is called in whatever order, SQLite and Redis answer and stand alike."""

    class Here(Alike):
        stores = (sqlite_store, redis_store)

    def once(at: datetime = NOW) -> Alike:
        return Here()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        once,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
