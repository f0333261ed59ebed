"""What a sender withdrew, on every backend: nowhere to be read, and it hides nobody else's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.plugins.queue_stores import NOW, Store
from triage.queue import PutResult, Queue
from triage.ticket import Ticket, Urgency

TEAM = "openbare-ruimte"
FIRE = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, veel rook boven de wijk"
EDITED = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, heel veel rook boven de buurt"

Put = Callable[..., PutResult]


def listed(queue: Queue, store: Store) -> list[Ticket]:
    """Give the open tickets of the team."""
    return list(queue.list(store.org, TEAM, now=NOW))


def variants(queue: Queue, ticket: str) -> list[dict[str, Any]]:
    """Give the distinct texts that a bundle shows."""
    bundle = queue.get(ticket, now=NOW).bundle
    assert bundle
    return list(bundle["variants"])


def test_a_critical_copy_of_a_withdrawn_text_stands_apart(
    store: Store, queue: Queue, put: Put
) -> None:
    """That somebody else withdrew the same words does not put it away unseen."""
    put(store.copy("a", FIRE), store.copy("b", EDITED))
    put(store.deletion("b"))
    assert put(store.copy("c", EDITED, urgency=Urgency.KRITIEK)).created == 1
    assert {ticket.id for ticket in listed(queue, store)} == {store.id("a"), store.id("c")}


def test_a_withdrawn_text_is_shown_when_somebody_else_says_it(
    store: Store, queue: Queue, put: Put
) -> None:
    """A later copy, and a ticket put in by hand, show their own words, not the mask."""
    put(store.copy("a", FIRE), store.copy("b", EDITED))
    put(store.deletion("b"))
    assert put(store.copy("c", EDITED)).joined == 1
    shown = [(one["text"], one["count"]) for one in variants(queue, store.id("a"))]
    assert shown == [(FIRE, 1), (EDITED, 1)]
    put(store.deletion("c"), store.copy("d", EDITED, urgency=Urgency.KRITIEK))
    queue.merge(store.id("a"), [store.id("d")], token=None, by="an", now=NOW, request="m")
    shown = [(one["text"], one["count"]) for one in variants(queue, store.id("a"))]
    assert shown == [(FIRE, 1), (EDITED, 1)]
