"""After retention, on every backend: what comes again begins anew, like any other post."""

from __future__ import annotations

from collections.abc import Callable

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.queue import Change, PutResult, Queue
from triage.ticket import State

FIRE = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, veel rook boven de wijk"
LAMP = "De lantaarnpaal in de Dorpsstraat bij de bushalte doet het al een week niet meer"

Put = Callable[..., PutResult]


def resolved(queue: Queue, ticket: str) -> State:
    """Take a ticket and close it; give how it stands."""
    claimed = queue.claim(ticket, owner="an", seconds=600, now=NOW, request=request())
    assert claimed.claim
    token, done = claimed.claim.token, Change(outcome="ok")
    return queue.resolve(ticket, done, token=token, by="an", now=NOW, request=request()).state


def test_a_bundle_that_begins_anew_holds_no_old_members(
    store: Store, queue: Queue, put: Put
) -> None:
    """Its post comes again after retention took it and its copies: only what joined since is in."""
    put(store.copy("a", FIRE), store.copy("b", FIRE))
    resolved(queue, store.id("a"))
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 1
    put(store.copy("a", "De kraan op het plein is stuk"))
    assert put(store.copy("r", "En nu?", in_reply_to="a")).replied == 1
    inside = [member.id for member in queue.members(store.id("a"), now=NOW)]
    assert inside == [store.id("r")]
    assert resolved(queue, store.id("a")) is State.RESOLVED


def test_what_comes_again_is_found_by_its_copies(store: Store, queue: Queue, put: Put) -> None:
    """A ticket that begins anew, and a post with its edit in one batch, get copies as any other."""
    put(store.entry("a", "Een bericht van lang geleden over een kraan"))
    resolved(queue, store.id("a"))
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 1
    assert put(store.copy("a", FIRE)).created == 1
    assert put(store.copy("b", FIRE)).joined == 1
    put(store.copy("c", LAMP), store.copy("c", f"{LAMP} hoor"), store.copy("d", LAMP))
    assert put(store.copy("e", LAMP)).joined == 1
    leads = [queue.get(store.id(post), now=NOW).within for post in "bde"]
    assert leads == [store.id("a"), store.id("c"), store.id("c")]
