"""What ``put`` promises, on every backend: positions, repeats, edits, deletions and order."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, PARTITION, Store, minutes, request
from triage.errors import NotFound, Refused
from triage.queue import REMEMBER_SECONDS, Advance, Change, PutResult, Queue
from triage.queue.document import MASK
from triage.queue.open import open_queue
from triage.ticket import State, Urgency

Put = Callable[..., PutResult]
TEAM = "openbare-ruimte"


def step(expected: int | None, to: int, partition: str = PARTITION) -> Advance:
    """Move a position."""
    return Advance(partition=partition, expected=expected, next=to)


def put_at(queue: Queue, store: Store, expected: int | None, *posts: str) -> PutResult:
    """Put posts and move the position past them."""
    entries = [store.entry(post) for post in posts]
    move = step(expected, (expected or 0) + len(posts))
    return queue.put(store.org, entries, [move], now=NOW, request=request())


def ids(queue: Queue, store: Store, team: str = TEAM, **page: int) -> list[str]:
    """Give a team's tickets in order."""
    return [ticket.id for ticket in queue.list(store.org, team, now=NOW, **page)]


def test_a_post_becomes_a_ticket(store: Store, queue: Queue, put: Put) -> None:
    """A ticket shows the post, how it was judged and where it was routed."""
    assert put(store.entry(extra={"half": "\ud83d", "groot": 10**30})) == PutResult(created=1)
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.team, ticket.urgency, ticket.topic) == (TEAM, Urgency.NORMAAL, "groen")
    assert (ticket.intent, ticket.state, ticket.version) == ("melding", State.OPEN, 1)
    assert (ticket.due_at, ticket.created_at, ticket.claim) == (NOW + minutes(60), NOW, None)
    assert ticket.post["text"] == "Er ligt een boom op de weg"
    assert ticket.assessment["rule"] == "groen-melding"
    assert ticket.assessment["reasons"] == [{"token": "boom", "weight": 1.5}]


def test_positions_move_with_tickets(store: Store, queue: Queue) -> None:
    """A put moves the positions that stand where the worker thought."""
    assert queue.positions(store.org) == {}
    assert put_at(queue, store, None, "a", "b").created == 2
    assert queue.positions(store.org) == {PARTITION: 2}
    assert put_at(queue, store, 2, "c").created == 1
    queue.put(store.org, [], [step(3, 9)], now=NOW, request=request())
    assert queue.positions(store.org) == {PARTITION: 9}


def test_a_moved_position_refuses_its_entries_only(store: Store, queue: Queue) -> None:
    """A position that stands elsewhere is refused with its entries; others go through."""
    put_at(queue, store, None, "a", "b")
    other = "triage.posts-1"
    result = queue.put(
        store.org,
        [store.entry("c"), store.entry("d", partition=other), store.entry("e", partition=None)],
        [step(None, 3), step(None, 1, other)],
        now=NOW,
        request=request(),
    )
    assert result == PutResult(created=2, moved={PARTITION: 2})
    assert queue.positions(store.org) == {PARTITION: 2, other: 1}
    with pytest.raises(NotFound):
        queue.get(store.id("c"), now=NOW)
    assert queue.get(store.id("d"), now=NOW).id == store.id("d")


def test_a_position_that_the_store_lost_is_said_to_be_nowhere(store: Store, queue: Queue) -> None:
    """Where the store has no position, a put that expects one hears None and changes nothing."""
    result = put_at(queue, store, 7, "a")
    assert result == PutResult(moved={PARTITION: None})
    assert queue.positions(store.org) == {}
    assert queue.stats(store.org, now=NOW) == []
    assert queue.events(store.org) == []


def test_organisations_do_not_meet(store: Store, queue: Queue) -> None:
    """Positions, tickets and events of one organisation are not another's."""
    put_at(queue, store, None, "a")
    other = Store(store.kind, store.url)
    assert queue.positions(other.org) == {}
    assert put_at(queue, other, None, "a").created == 1
    assert ids(queue, store) == [store.id("a")]
    assert len(queue.events(other.org)) == 1
    with pytest.raises(ValueError, match="ticket_id"):
        queue.put(store.org, [other.entry("b")], now=NOW, request=request())


def test_a_repeat_changes_nothing(store: Store, queue: Queue, put: Put) -> None:
    """The same id and content again is counted as a repeat, in one batch or in two."""
    assert put(store.entry("a"), store.entry("a")) == PutResult(created=1, repeated=1)
    before = queue.get(store.id("a"), now=NOW)
    assert put(store.entry("a", urgency=Urgency.KRITIEK)) == PutResult(repeated=1)
    assert put(store.entry("a"), store.entry("b")) == PutResult(created=1, repeated=1)
    assert queue.get(store.id("a"), now=NOW) == before
    assert len(queue.events(store.org)) == 2


def test_a_request_gets_its_first_answer_again(store: Store, queue: Queue) -> None:
    """A put whose answer was lost is answered again and not done again."""
    move, same = step(None, 1), request()
    first = queue.put(store.org, [store.entry()], [move], now=NOW, request=same)
    assert queue.put(store.org, [store.entry()], [move], now=NOW, request=same) == first
    assert first == PutResult(created=1)
    assert len(queue.events(store.org)) == 1


def test_an_edit_only_presses(store: Store, queue: Queue, put: Put) -> None:
    """Other content under the same id: urgency rises, due comes forward, neither falls back."""
    put(store.entry())
    due = NOW + minutes(15)
    edit = store.entry(text="Er hangt een stroomkabel", urgency=Urgency.HOOG, due=due, team="nacht")
    assert put(edit) == PutResult(edited=1)
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.urgency, ticket.due_at, ticket.team) == (Urgency.HOOG, due, "nacht")
    assert (ticket.post["text"], ticket.version) == ("Er hangt een stroomkabel", 2)
    assert ids(queue, store, "nacht") == [store.id()]
    assert ids(queue, store) == []

    calm = store.entry(text="Laat maar", urgency=Urgency.LAAG, due=NOW + minutes(999))
    assert put(calm) == PutResult(edited=1)
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.urgency, ticket.due_at) == (Urgency.HOOG, due)
    earlier = [item["text"] for item in ticket.history if item["action"] == "edited"]
    assert earlier == ["Er ligt een boom op de weg", "Er hangt een stroomkabel"]
    kinds = [event.data["type"] for event in queue.events(store.org)]
    assert kinds == ["created", "edited", "edited"]


def test_an_older_content_is_no_new_edit(store: Store, queue: Queue, put: Put) -> None:
    """Contents read again after a rewind do not flip a ticket back and forth."""
    put(store.entry(text="een"))
    put(store.entry(text="twee"))
    before = queue.get(store.id(), now=NOW)
    assert put(store.entry(text="een"), store.entry(text="twee")) == PutResult(repeated=2)
    assert queue.get(store.id(), now=NOW) == before


def test_a_content_that_was_overtaken(store: Store, queue: Queue, put: Put) -> None:
    """An urgent edit that is put before its original stands; the original is in the history."""
    after = NOW + timedelta(minutes=1)
    put(store.entry(text="twee", urgency=Urgency.KRITIEK, team="nacht", received_at=after))
    assert put(store.entry(text="een")) == PutResult(edited=1)
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.post["text"], ticket.urgency, ticket.team) == ("twee", Urgency.KRITIEK, "nacht")
    assert [item.get("text") for item in ticket.history if "text" in item] == ["een"]
    assert put(store.entry(text="een")) == PutResult(repeated=1)
    put(store.entry(text="drie", received_at=NOW + timedelta(minutes=2)))
    assert queue.get(store.id(), now=NOW).post["text"] == "drie"


def test_an_overtaken_content_raises_and_opens_only_what_it_must(
    store: Store, queue: Queue, put: Put
) -> None:
    """A resolved ticket stays so when an older content comes, unless that one is more urgent."""
    after = NOW + timedelta(minutes=1)
    put(store.entry(text="drie", received_at=after))
    claim = queue.claim(store.id(), owner="ans", seconds=60, now=NOW, request=request()).claim
    assert claim
    change = Change(outcome="beantwoord")
    queue.resolve(store.id(), change, token=claim.token, by="ans", now=NOW, request=request())
    put(store.entry(text="een"))
    assert queue.get(store.id(), now=NOW).state is State.RESOLVED
    put(store.entry(text="twee", urgency=Urgency.KRITIEK))
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.state, ticket.urgency) == (State.OPEN, Urgency.KRITIEK)
    assert ticket.post["text"] == "drie"


def test_a_deletion_that_was_overtaken(store: Store, queue: Queue, put: Put) -> None:
    """A deletion takes away what came in before it, and not what its sender wrote since."""
    first, gone, again = (NOW + timedelta(minutes=n) for n in (0, 1, 2))
    put(store.entry(text="weer", urgency=Urgency.KRITIEK, received_at=again))
    put(store.entry(text="eerst", received_at=first))
    assert put(store.entry(deleted=True, received_at=gone)) == PutResult(deleted=1)
    ticket = queue.get(store.id(), now=NOW)
    assert ticket.post["text"] == "weer"
    assert "eerst" not in str(ticket.history)
    assert put(store.entry(deleted=True, received_at=gone)) == PutResult(repeated=1)
    put(store.entry(deleted=True, received_at=again + timedelta(minutes=1)))
    put(store.entry(text="nog ouder", received_at=first))
    ticket = queue.get(store.id(), now=NOW)
    assert "nog ouder" not in f"{ticket.post} {ticket.history}"


def test_an_edit_in_the_batch_of_its_original(store: Store, queue: Queue, put: Put) -> None:
    """Original and edit in one batch, even of two partitions, make one ticket with the edit."""
    first = store.entry(text="een")
    second = store.entry(text="twee", urgency=Urgency.KRITIEK, partition="triage.posts-1")
    assert put(first, store.entry("b"), second) == PutResult(created=2, edited=1)
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.post["text"], ticket.urgency) == ("twee", Urgency.KRITIEK)
    assert [depth.depth for depth in queue.stats(store.org, now=NOW)] == [1, 1]


def test_an_edit_reaches_who_holds_the_claim(store: Store, queue: Queue, put: Put) -> None:
    """An edit of a claimed ticket leaves team and lease, raises it, and is seen by an event."""
    put(store.entry())
    held = queue.claim(store.id(), owner="ans", seconds=600, now=NOW, request=request())
    put(store.entry(text="Brand!", urgency=Urgency.KRITIEK, team="nacht"))
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.team, ticket.urgency, ticket.claim) == (TEAM, Urgency.KRITIEK, held.claim)
    assert queue.events(store.org)[-1].data["type"] == "edited"
    assert queue.events(store.org)[-1].data["version"] == ticket.version == 3


def test_an_edit_leaves_a_team_that_a_person_chose(store: Store, queue: Queue, put: Put) -> None:
    """After a reassignment an edit moves the ticket only when its urgency rose."""
    put(store.entry())
    change = Change(team="wijkteam")
    queue.reassign(store.id(), change, token=None, by="ans", now=NOW, request=request())
    put(store.entry(text="twee", team="nacht", topic="afval"))
    assert queue.get(store.id(), now=NOW).team == "wijkteam"
    assert queue.get(store.id(), now=NOW).topic == "groen"
    put(store.entry(text="drie", team="nacht", topic="afval", urgency=Urgency.KRITIEK))
    assert queue.get(store.id(), now=NOW).team == "nacht"
    assert queue.get(store.id(), now=NOW).topic == "afval"


def test_an_edit_opens_a_resolved_ticket(store: Store, queue: Queue, put: Put) -> None:
    """A resolved ticket whose post changes is open again and claimable."""
    put(store.entry())
    claim = queue.claim(store.id(), owner="ans", seconds=60, now=NOW, request=request()).claim
    assert claim
    change = Change(outcome="beantwoord")
    queue.resolve(store.id(), change, token=claim.token, by="ans", now=NOW, request=request())
    assert ids(queue, store) == []
    put(store.entry(text="Het is er nog steeds"))
    assert queue.get(store.id(), now=NOW).state is State.OPEN
    assert ids(queue, store) == [store.id()]
    later = NOW + timedelta(days=30)
    assert queue.sweep(store.org, now=later, retention_seconds=60) == 0
    assert queue.claim_next(store.org, TEAM, owner="b", seconds=60, now=later, request=request())


def test_history_is_bounded(store: Store, queue: Queue, put: Put) -> None:
    """A post that is edited again and again keeps its last 20 texts, within 128 KiB."""
    for turn in range(30):
        put(store.entry(text=f"versie {turn}"))
    texts = [item["text"] for item in queue.get(store.id(), now=NOW).history if "text" in item]
    assert texts == [f"versie {turn}" for turn in range(9, 29)]
    for turn in range(8):
        put(store.entry(text=f"{turn}" * 40_000))
    texts = [item["text"] for item in queue.get(store.id(), now=NOW).history if "text" in item]
    assert [text[0] for text in texts] == ["4", "5", "6"]


def test_a_deletion_masks_and_keeps(store: Store, queue: Queue, put: Put) -> None:
    """A withdrawn text is gone from post, reasons and history; the ticket stays in its queue."""
    first = store.entry(text="Geheim een", attachments=("https://foto.example/geheim",))
    put(first)
    put(store.entry(text="Geheim twee", extra={"html": "geheim"}))
    assert put(store.deletion()) == PutResult(deleted=1)
    ticket = queue.get(store.id(), now=NOW)
    assert (ticket.post["text"], ticket.post["deleted"]) == (MASK, True)
    assert "eheim" not in str(ticket)
    assert ticket.assessment["reasons"] == []
    assert ids(queue, store) == [store.id()]
    assert put(store.deletion()) == PutResult(repeated=1)
    assert put(first) == PutResult(repeated=1)
    assert queue.get(store.id(), now=NOW) == ticket
    kinds = [event.data["type"] for event in queue.events(store.org)]
    assert kinds == ["created", "edited", "deleted"]


def test_a_deletion_of_an_unknown_post_stands_in_no_queue(
    store: Store, queue: Queue, put: Put
) -> None:
    """It is counted, and told to nobody; new content under that id is shown."""
    assert put(store.deletion()) == PutResult(deleted=1)
    assert queue.stats(store.org, now=NOW) == []
    assert queue.events(store.org) == []
    assert put(store.deletion(), store.entry()) == PutResult(edited=1, repeated=1)
    (ticket,) = queue.list(store.org, TEAM, now=NOW)
    assert ticket.post["text"] == store.entry().post.text


def test_a_text_that_comes_after_a_deletion_is_shown(store: Store, queue: Queue, put: Put) -> None:
    """New content under a withdrawn id is an edit, and can be withdrawn again."""
    put(store.entry(text="een"))
    put(store.deletion())
    assert put(store.entry(text="twee")) == PutResult(edited=1)
    assert queue.get(store.id(), now=NOW).post["text"] == "twee"
    assert put(store.deletion()) == PutResult(deleted=1)
    assert "twee" not in str(queue.get(store.id(), now=NOW))
    names = [event.data["id"] for event in queue.events(store.org)]
    assert len(set(names)) == len(names) == 4


def test_order_is_due_time_with_critical_first(store: Store, queue: Queue, put: Put) -> None:
    """Critical tickets come before all others; otherwise the earliest due time, then the id."""
    late = NOW - minutes(500)
    plan: dict[str, tuple[Urgency, Any]] = {
        "laag-te-laat": (Urgency.LAAG, late),
        "hoog": (Urgency.HOOG, NOW + minutes(30)),
        "kritiek-later": (Urgency.KRITIEK, NOW + minutes(40)),
        "normaal": (Urgency.NORMAAL, NOW + minutes(10)),
        "kritiek": (Urgency.KRITIEK, NOW + minutes(20)),
        "zelfde-1": (Urgency.LAAG, NOW + minutes(50)),
        "zelfde-2": (Urgency.HOOG, NOW + minutes(50)),
    }
    put(*(store.entry(post, urgency=urgency, due=due) for post, (urgency, due) in plan.items()))
    expected = [
        store.id(post) for post in ("kritiek", "kritiek-later", "laag-te-laat", "normaal", "hoog")
    ] + sorted((store.id("zelfde-1"), store.id("zelfde-2")))
    assert ids(queue, store) == expected
    assert ids(queue, store, limit=3, offset=2) == expected[2:5]
    assert ids(queue, store, limit=0) == []
    taken = [
        queue.claim_next(store.org, TEAM, owner="ans", seconds=60, now=NOW, request=request())
        for _ in range(8)
    ]
    assert [ticket and ticket.id for ticket in taken] == [*expected, None]
    assert ids(queue, store) == expected


def test_stats_tell_depth_and_breaches(store: Store, queue: Queue, put: Put) -> None:
    """Figures count open tickets by team and urgency, those past due, and the oldest due time."""
    put(
        store.entry("a", due=NOW - minutes(5)),
        store.entry("b", due=NOW),
        store.entry("c", due=NOW + minutes(5)),
        store.entry("d", team="nacht", urgency=Urgency.KRITIEK, due=NOW + minutes(1)),
    )
    found = [
        (depth.team, depth.urgency, depth.depth, depth.breached, depth.oldest_due)
        for depth in queue.stats(store.org, now=NOW)
    ]
    assert found == [
        ("nacht", Urgency.KRITIEK, 1, 0, NOW + minutes(1)),
        (TEAM, Urgency.NORMAAL, 3, 1, NOW - minutes(5)),
    ]


def test_resolved_tickets_leave_and_their_ids_stay(store: Store, queue: Queue, put: Put) -> None:
    """After retention a resolved ticket is gone; its post's repeat makes no second ticket."""
    put(store.entry("a"), store.entry("b"))
    claim = queue.claim(store.id("a"), owner="ans", seconds=60, now=NOW, request=request()).claim
    assert claim
    queue.resolve(store.id("a"), Change(), token=claim.token, by="ans", now=NOW, request=request())
    day = 24 * 3600.0
    assert queue.sweep(store.org, now=NOW + minutes(60), retention_seconds=day) == 0
    later = NOW + timedelta(seconds=day + 1)
    assert queue.sweep(store.org, now=later, retention_seconds=day) == 1
    assert queue.sweep(store.org, now=later, retention_seconds=day) == 0
    with pytest.raises(NotFound):
        queue.get(store.id("a"), now=later)
    with pytest.raises(NotFound):
        queue.claim(store.id("a"), owner="ans", seconds=60, now=later, request=request())
    assert queue.get(store.id("b"), now=later).state is State.OPEN

    assert put(store.entry("a"), at=later) == PutResult(repeated=1)
    assert put(store.deletion("a"), at=later) == PutResult(deleted=1)
    assert put(store.entry("a", text="Toch nog iets"), at=later) == PutResult(created=1)
    again = queue.get(store.id("a"), now=later)
    assert (again.version, again.post["text"]) == (4, "Toch nog iets")
    assert len(again.history) == 0


def test_sweep_works_in_bounds(store: Store, queue: Queue, put: Put) -> None:
    """One call drops at most 500 tickets and says how many."""
    put(*(store.entry(f"p{number}") for number in range(510)))
    for number in range(510):
        ticket = store.id(f"p{number}")
        claim = queue.claim(ticket, owner="a", seconds=60, now=NOW, request=request()).claim
        assert claim
        queue.resolve(ticket, Change(), token=claim.token, by="a", now=NOW, request=request())
    later = NOW + timedelta(seconds=REMEMBER_SECONDS)
    swept = [queue.sweep(store.org, now=later, retention_seconds=1) for _ in range(3)]
    assert swept == [500, 10, 0]


def test_nonsense_is_refused(store: Store, queue: Queue) -> None:
    """Names of organisations and tickets that could not exist are NotFound; fields have limits."""
    for org in ("", "a b", "{x}", "A" * 50):
        with pytest.raises(NotFound):
            queue.positions(org)
    for ticket in ("", "x", f"{store.org}.", f"{store.org}.a:b", f"{store.org}.{'a' * 99}"):
        with pytest.raises(NotFound):
            queue.get(ticket, now=NOW)
    with pytest.raises(ValueError, match="team"):
        queue.list(store.org, "x" * 1000, now=NOW)
    with pytest.raises(ValueError, match="owner"):
        queue.claim(store.id(), owner="", seconds=60, now=NOW, request=request())
    with pytest.raises(ValueError, match="seconds"):
        queue.claim(store.id(), owner="a", seconds=0, now=NOW, request=request())
    change = Change(note="x" * 5000)
    with pytest.raises(ValueError, match="note"):
        queue.correct(store.id(), change, token=None, by="a", now=NOW, request=request())


def test_addresses_that_are_none_are_refused() -> None:
    """An address that we cannot use is refused without repeating it."""
    for url in ("http://geheim", "redis://:geheim@host:x", "sqlite://", "geheim"):
        with pytest.raises(Refused) as caught:
            open_queue(url)
        assert "geheim" not in str(caught.value)


def test_the_file_is_our_own(sqlite_store: Store) -> None:
    """A SQLite file and what stands beside it can be read by our own user only."""
    sqlite_store.open().check()
    file = Path(sqlite_store.url.removeprefix("sqlite:///"))
    for found in file.parent.glob("triage.db*"):
        assert stat.S_IMODE(found.stat().st_mode) == 0o600
