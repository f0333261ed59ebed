"""Who asked to be forgotten, on every backend: nothing is left of them, and the work stays."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from redis import Redis
from redis.cluster import RedisCluster

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.post import Author, Geo
from triage.queue import Change, Entry, PutResult, Queue
from triage.queue.document import MASK
from triage.ticket import State, Urgency

MARK: Final = "MERKTEKEN"
TEAM: Final = "openbare-ruimte"
FIRE: Final = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, veel rook boven de wijk"
LATER: Final = NOW + minutes(5)

Put = Callable[..., PutResult]


def theirs(store: Store, post: str, text: str, **more: Any) -> Entry:
    """Give a post of the author who will be forgotten."""
    fields: dict[str, Any] = {
        "author": Author(id=f"{MARK}-id", name=f"{MARK} naam", followers=77),
        "url": f"https://x.example/{MARK}",
        "attachments": (f"https://x.example/{MARK}.jpg",),
        "geo": Geo(lat=52.123456, lon=6.654321),
        "extra": {"handle": f"@{MARK}"},
    }
    return store.copy(f"{MARK}-{post}", text, **{**fields, **more})


def forgotten(store: Store, post: str, at: Any = LATER) -> Entry:
    """Give what forgets it."""
    entry = store.deletion(f"{MARK}-{post}", forgotten=True, author=None, received_at=at)
    assert entry.post.author is None
    return entry


def everything(store: Store) -> str:
    """Give all that the store holds of the organisation, as one text."""
    if store.kind == "sqlite":
        with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as db:
            names = [
                row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            return repr([db.execute(f"SELECT * FROM {name}").fetchall() for name in names])
    kind = RedisCluster if store.kind == "cluster" else Redis
    read: dict[Any, Callable[[Any, Any], Any]] = {
        b"string": lambda c, key: c.get(key),
        b"hash": lambda c, key: c.hgetall(key),
        b"list": lambda c, key: c.lrange(key, 0, -1),
        b"set": lambda c, key: c.smembers(key),
        b"zset": lambda c, key: c.zrange(key, 0, -1),
        b"stream": lambda c, key: c.xrange(key),
    }
    with closing(kind.from_url(re.sub(r"^redis\+cluster", "redis", store.url))) as client:
        keys = list(client.scan_iter(f"triage:{{{store.org}}}:*"))
        return repr([(key, read[client.type(key)](client, key)) for key in keys])


def test_the_posts_of_an_author_are_found(store: Store, queue: Queue, put: Put) -> None:
    """Wherever they stand: alone, as a copy, as a reply, resolved; and those of nobody else."""
    put(store.copy("a", FIRE), theirs(store, "b", FIRE), theirs(store, "c", "Een ander verhaal"))
    put(theirs(store, "d", "En nu?", in_reply_to="a"), store.entry("e", f"Volgens {MARK}-id"))
    claimed = queue.claim(store.id(f"{MARK}-c"), owner="an", seconds=60, now=NOW, request=request())
    assert claimed.claim
    queue.resolve(
        claimed.id, Change(), token=claimed.claim.token, by="an", now=NOW, request=request()
    )
    found = {post["id"] for post in queue.posts_by(store.org, f"{MARK}-id")}
    assert found == {f"{MARK}-{post}" for post in "bcd"}
    assert queue.posts_by(store.org, f"{MARK}") == []


def test_nothing_is_left_of_who_was_forgotten(store: Store, queue: Queue, put: Put) -> None:
    """Not in the store's bytes either: text, earlier texts, variants, name, id, place, answers."""
    put(
        store.copy("a", FIRE),
        theirs(store, "b", f"{FIRE}, bel {MARK}"),
        theirs(store, "c", f"{MARK} een"),
        theirs(store, "d", f"{MARK} en nu?", in_reply_to="a"),
        theirs(store, "e", f"De kraan op het plein is stuk, groet {MARK}"),
    )
    put(theirs(store, "c", f"{MARK} twee", received_at=NOW + minutes(1)))
    put(store.copy("f", f"De kraan op het plein is stuk, groet {MARK}"))
    done = Change(
        topic="afval", note="gebeld", reply=f"Beste {MARK}", link=f"https://x.example/{MARK}"
    )
    ticket = store.id(f"{MARK}-c")
    held = queue.claim(ticket, owner="an", seconds=600, now=NOW, request=request())
    assert held.claim
    queue.resolve(ticket, done, token=held.claim.token, by="an", now=NOW, request=request())
    before = queue.get(store.id("a"), now=NOW)
    assert before.bundle
    assert put(*(forgotten(store, post) for post in "bcde"), at=LATER).deleted == 4

    after = queue.get(store.id("a"), now=LATER)
    assert after.bundle
    same = ("count", "authors", "replies", "channels")
    assert [after.bundle[name] for name in same] == [before.bundle[name] for name in same]
    assert [variant["text"] for variant in after.bundle["variants"]] == [FIRE, MASK]
    gone = queue.get(ticket, now=LATER)
    assert (gone.state, gone.topic, gone.post["text"]) == (State.RESOLVED, "afval", MASK)
    assert gone.post.keys() == {"id", "created_at", "channel", "text", "deleted", "forgotten"}
    (answer,) = [item for item in gone.history if item["action"] == "resolved"]
    assert (answer["note"], answer["reply"], "link" in answer) == ("gebeld", MASK, False)
    assert queue.posts_by(store.org, f"{MARK}-id") == []
    # What somebody else says in the same words is theirs.
    lead = queue.get(store.id(f"{MARK}-e"), now=LATER)
    assert lead.bundle
    assert MARK in lead.bundle["variants"][0]["text"]
    put(store.deletion("f", received_at=LATER))
    held_now = everything(store)
    assert store.id("a") in held_now
    assert MARK not in held_now
    assert "52.12" not in held_now


def test_who_withdrew_a_post_can_be_forgotten_after(store: Store, queue: Queue, put: Put) -> None:
    """A withdrawal keeps who wrote it; then that goes too, and the bundle counts one fewer once."""
    put(theirs(store, "a", FIRE), store.copy("b", FIRE), store.copy("c", FIRE))
    put(store.deletion(f"{MARK}-a", author=Author(id=f"{MARK}-id"), received_at=LATER))
    assert len(queue.posts_by(store.org, f"{MARK}-id")) == 1
    # The order in which the two come in makes no difference.
    assert put(forgotten(store, "a", NOW + minutes(1))) == PutResult(deleted=1)
    assert put(forgotten(store, "a", NOW + minutes(9))) == PutResult(repeated=1)
    bundle = queue.get(store.id(f"{MARK}-a"), now=LATER).bundle
    assert bundle
    assert [(one["text"], one["count"]) for one in bundle["variants"]] == [(FIRE, 2)]
    assert MARK not in everything(store)


def test_a_post_in_hand_does_not_come_back(store: Store, queue: Queue, put: Put) -> None:
    """One that a worker still had, or that the log gives again, is not put; a new one is."""
    put(forgotten(store, "a"))
    assert put(theirs(store, "a", FIRE, urgency=Urgency.KRITIEK)) == PutResult(repeated=1)
    put(theirs(store, "b", "Iets heel anders"))
    put(forgotten(store, "b"))
    assert put(theirs(store, "b", "Iets heel anders")) == PutResult(repeated=1)
    assert put(theirs(store, "b", "Eerder nog", received_at=NOW + minutes(1))).repeated == 1
    assert MARK not in everything(store)
    assert put(theirs(store, "b", "Later iets", received_at=LATER + minutes(1))).edited == 1
    assert len(queue.posts_by(store.org, f"{MARK}-id")) == 1


def test_a_page_of_tickets_is_no_limit(store: Store, queue: Queue, put: Put) -> None:
    """All of an author's posts are found among thousands of others."""
    put(*(store.entry(f"n-{number}", f"Bericht {number}") for number in range(2500)))
    put(*(theirs(store, str(number), f"Bericht {number}", url=None) for number in range(3)))
    assert len(queue.posts_by(store.org, f"{MARK}-id")) == 3
    assert len(queue.posts_by(store.org, "u-1")) == 2500
