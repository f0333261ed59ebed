"""A store filled again from the log, on every backend: resolved work stays so, new work is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.log import NewRecord, Topic
from triage.log.sqlite import SqliteLog
from triage.pipeline import Received
from triage.post import Author
from triage.queue import OUTCOMES, Change, Entry, PutResult, Queue
from triage.rebuild import rebuild
from triage.ticket import State, Urgency

TEAM = "openbare-ruimte"
FIRE = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, veel rook boven de wijk"
#: More posts than a rebuild puts at once, of which none is judged.
BETWEEN = 600
DONE = NOW + minutes(10)

Put = Callable[..., PutResult]


class Scene:
    """A store with its log, and an empty one that is filled from it."""

    def __init__(self, path: Path, store: Store) -> None:
        self._at = NOW
        self.log = SqliteLog(path, partitions=1, now=lambda: self._at)
        self.store, self.queue = store, store.open()
        self.anew = Store(store.kind, store.url)

    def take(self, *entries: Entry, between: int = BETWEEN) -> None:
        """Append posts to the log, each with many others after it, and put them."""
        for entry in entries:
            self._at = entry.received_at
            said = [orjson.dumps(entry.post.to_mapping())]
            said += [
                orjson.dumps({**entry.post.to_mapping(), "id": "ander"}) for _ in range(between)
            ]
            self.log.append(Topic.POSTS, [NewRecord(value=one) for one in said])
            self.queue.put(self.store.org, [entry], now=self._at, request=request())

    def resolve(self, post: str, at: datetime) -> None:
        """Let a person close a ticket; the outcomes go to the log."""
        ticket = self.store.id(post)
        claimed = self.queue.claim(ticket, owner="an", seconds=600, now=at, request=request())
        assert claimed.claim
        token, done = claimed.claim.token, Change(outcome="ok")
        self.queue.resolve(ticket, done, token=token, by="an", now=at, request=request())

    def rebuilt(self, judge: Callable[[Received], Entry]) -> tuple[Queue, list[str]]:
        """Fill the empty store; give it, and what stands open in it."""
        for event in self.queue.events(self.store.org):
            if event.data["type"] in OUTCOMES:
                said = orjson.dumps(event.data).replace(
                    self.store.org.encode(), self.anew.org.encode()
                )
                self.log.append(Topic.OUTCOMES, [NewRecord(value=said)])
        queue = self.anew.open()

        def judged(batch: Sequence[Received]) -> list[Entry]:
            return [judge(received) for received in batch if received.post.id != "ander"]

        rebuild(
            self.log,
            queue,
            [self.anew.org],
            judged,
            clock=lambda: DONE + minutes(60),
            retention_seconds=86_400,
        )
        told = [event.data for event in queue.events(self.anew.org)]
        assert not [one for one in told if one["type"] == "resolved"]
        return queue, [one.id for one in queue.list(self.anew.org, TEAM, now=DONE)]

    def close(self) -> None:
        self.log.close()
        self.anew.close()


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> Iterator[Scene]:
    """Give a store with its log."""
    scene = Scene(tmp_path / "log.db", store)
    yield scene
    scene.close()


@pytest.mark.parametrize("later", [False, True])
def test_a_copy_that_was_answered_opens_nothing(
    scene: Scene,
    later: bool,  # noqa: FBT001 - one of the two cases
) -> None:
    """However urgent; one that came after the answer opens the bundle, as it did."""

    def copy(store: Store, post: str, at: datetime) -> Entry:
        urgency = Urgency.NORMAAL if post == "a" else Urgency.HOOG
        return store.copy(post, FIRE, urgency=urgency, received_at=at)

    scene.take(copy(scene.store, "a", NOW), copy(scene.store, "b", NOW + minutes(1)))
    scene.resolve("a", DONE)
    if later:
        scene.take(copy(scene.store, "c", DONE + minutes(1)))
    queue, standing = scene.rebuilt(
        lambda received: copy(scene.anew, received.post.id, received.received_at)
    )
    assert standing == ([scene.anew.id("a")] if later else [])
    assert queue.get(scene.anew.id("b"), now=DONE).within == scene.anew.id("a")


@pytest.mark.parametrize("later", [False, True])
def test_an_edit_that_was_seen_opens_nothing(
    scene: Scene,
    later: bool,  # noqa: FBT001 - one of the two cases
) -> None:
    """Its text is there; one that came after the answer opens the ticket, as it did."""

    def said(store: Store, text: str, at: datetime) -> Entry:
        urgency = Urgency.NORMAAL if text == "een" else Urgency.HOOG
        return store.entry("a", text, urgency=urgency, received_at=at)

    scene.take(said(scene.store, "een", NOW), said(scene.store, "twee", NOW + minutes(1)))
    scene.resolve("a", DONE)
    if later:
        scene.take(said(scene.store, "drie", DONE + minutes(1)))
    queue, standing = scene.rebuilt(
        lambda received: said(scene.anew, received.post.text, received.received_at)
    )
    assert standing == ([scene.anew.id("a")] if later else [])
    ticket = queue.get(scene.anew.id("a"), now=DONE)
    assert (ticket.post["text"], ticket.urgency) == ("drie" if later else "twee", Urgency.HOOG)


SPAM = "Verdien snel geld met deze ene truc, klik op de link in mijn profiel"


@pytest.mark.parametrize("between", [0, BETWEEN])
@pytest.mark.parametrize("end", ["", "ended", "brought back"])
def test_what_was_muted_stays_so(scene: Scene, end: str, between: int) -> None:
    """In one batch or in many: muted is muted, others' copies wait, what was given back waits."""

    def said(store: Store, post: str, at: datetime) -> Entry:
        text = SPAM if post in {"m", "kopie"} else f"Er ligt een boom op de {post}weg"
        other: dict[str, Any] = {"author": Author(id="u-2")} if post == "kopie" else {}
        return store.copy(post, text, received_at=at, **other)

    store, queue = scene.store, scene.queue
    scene.take(said(store, "eerst", NOW), between=between)
    asked: dict[str, Any] = {"by": "an", "now": NOW + minutes(1)}
    until = NOW + minutes(600)
    mute = queue.mute(store.id("eerst"), until=until, reason="spam", request=request(), **asked)
    scene.take(
        said(store, "m", NOW + minutes(2)),
        said(store, "kopie", NOW + minutes(3)),
        between=between,
    )
    if end:
        queue.unmute(mute.id, by="an", now=NOW + minutes(4), request=request())
        scene.take(said(store, "na", NOW + minutes(5)), between=between)
    if end == "brought back":
        back: dict[str, Any] = {"by": "an", "now": NOW + minutes(6), "request": request()}
        queue.bring_back(store.id("m"), mute.id, **back)
    before = [ticket.id for ticket in queue.list(store.org, TEAM, now=DONE)]
    again, standing = scene.rebuilt(
        lambda received: said(scene.anew, received.post.id, received.received_at)
    )
    expected = {"eerst", "kopie"} | ({"na"} if end else set())
    expected |= {"m"} if end == "brought back" else set()
    assert set(before) == {store.id(post) for post in expected}
    assert set(standing) == {scene.anew.id(post) for post in expected}
    (kept,) = again.mutes(scene.anew.org)
    assert kept.stands(NOW + minutes(20)) is (not end)
    assert again.taken_by(kept.id) == [scene.anew.id("m")]
    ticket = again.get(scene.anew.id("m"), now=DONE)
    assert [item["action"] for item in ticket.history][:1] == ["resolved"]
    if end == "ended":
        given: dict[str, Any] = {"by": "lea", "now": DONE, "request": request()}
        assert again.bring_back(ticket.id, kept.id, **given).state is State.OPEN


@pytest.mark.parametrize("ended", [False, True])
def test_a_mute_outlives_its_ticket_in_the_log_too(
    scene: Scene,
    ended: bool,  # noqa: FBT001 - one of the two cases
) -> None:
    """Where retention took the ticket long ago, what still stands is made again all the same."""
    store, queue, at = scene.store, scene.queue, NOW - timedelta(days=3)
    scene.take(store.entry("eerst", received_at=at), between=0)
    asked: dict[str, Any] = {"by": "an", "now": at, "request": request()}
    until = NOW + timedelta(days=20)
    mute = queue.mute(store.id("eerst"), until=until, reason="spam", **asked)
    scene.resolve("eerst", at)
    if ended:
        queue.unmute(mute.id, by="an", now=at + minutes(5), request=request())
    again, standing = scene.rebuilt(
        lambda received: scene.anew.entry(received.post.id, received_at=received.received_at)
    )
    assert standing == []
    assert [one.until for one in again.mutes(scene.anew.org)] == ([] if ended else [until])
    late = scene.anew.entry("m", received_at=DONE)
    put = again.put(scene.anew.org, [late], now=DONE, request=request())
    assert put.muted == (0 if ended else 1)
