"""What a sender withdrew, on every backend: nowhere to be read, and it hides nobody else's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.plugins.queue_stores import NOW, Store, minutes
from triage.queue import PutResult, Queue
from triage.queue.document import MASK
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


def test_an_edited_first_text_goes_with_its_post(store: Store, queue: Queue, put: Put) -> None:
    """A bundle shows its first text as it joined copies; withdrawn, edited or not, it's masked."""
    put(store.copy("a", FIRE), store.copy("b", EDITED))
    put(store.copy("a", "Het was loos alarm", received_at=NOW + minutes(2)))
    assert [one["text"] for one in variants(queue, store.id("a"))] == [FIRE, EDITED]
    put(store.deletion("a", received_at=NOW + minutes(1)))
    ticket = queue.get(store.id("a"), now=NOW)
    assert ticket.post["text"] == "Het was loos alarm"
    assert FIRE not in str(ticket)
    put(store.deletion("a", received_at=NOW + minutes(3)))
    assert [one["text"] for one in variants(queue, store.id("a"))] == [MASK, EDITED]


def test_a_first_text_that_a_copy_says_too_stays(store: Store, queue: Queue, put: Put) -> None:
    """However often its own post is edited and withdrawn: it's the copy's as well."""
    put(store.copy("a", FIRE), store.copy("b", FIRE), store.copy("c", EDITED))
    for turn in range(2):
        put(store.copy("a", EDITED, received_at=NOW + minutes(turn)))
        put(store.deletion("a", received_at=NOW + minutes(turn)))
        shown = [(one["text"], one["count"]) for one in variants(queue, store.id("a"))]
        assert shown == [(FIRE, 1), (EDITED, 1)]
    put(store.copy("b", "Toch iets heel anders", received_at=NOW + minutes(3)))
    put(store.deletion("b", received_at=NOW + minutes(4)))
    assert [one["text"] for one in variants(queue, store.id("a"))] == [MASK, EDITED]


def test_what_a_withdrawn_text_added_goes_with_it(store: Store, queue: Queue, put: Put) -> None:
    """A telephone number or link that only a withdrawn copy had is neither shown nor kept."""
    number, link = "06-12345678", "https://x.example/jan"
    put(store.copy("a", FIRE), store.copy("b", f"{FIRE}, bel {number} of zie {link}"))
    assert variants(queue, store.id("a"))[1]["adds"]
    put(store.deletion("b"))
    head, masked = variants(queue, store.id("a"))
    assert (head["text"], masked["text"], masked["adds"]) == (FIRE, MASK, {})
    assert put(store.copy("c", f"{FIRE}, bel 06-87654321")).joined == 1


def test_an_edit_from_before_a_deletion_stays_out(store: Store, queue: Queue, put: Put) -> None:
    """Urgent posts overtake others: what was written before the withdrawal does not come back."""
    put(store.entry(text="een"))
    put(store.deletion(received_at=NOW + minutes(2)))
    late = store.entry(text="twee", received_at=NOW + minutes(1))
    assert put(late) == PutResult(repeated=1)
    assert queue.get(store.id(), now=NOW).post["text"] == MASK
    assert put(store.entry(text="drie", received_at=NOW + minutes(3))) == PutResult(edited=1)


def test_a_deletion_that_overtook_its_post_masks_it(store: Store, queue: Queue, put: Put) -> None:
    """Also in one batch, and in a bundle: the post comes, and nobody reads it."""
    put(store.deletion("a", received_at=NOW + minutes(1)))
    assert put(store.copy("a", FIRE), store.copy("b", FIRE)) == PutResult(repeated=1, created=1)
    assert [ticket.id for ticket in listed(queue, store)] == [store.id("b")]
    put(store.deletion("c", received_at=NOW + minutes(1)), store.copy("c", FIRE))
    assert FIRE not in str([queue.get(store.id(post), now=NOW) for post in "ac"])
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 2
