"""What claims, actions, events and restores promise, on every backend."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.errors import Conflict, NotFound, Unavailable
from triage.queue import Change, PutResult, Queue
from triage.ticket import Claim, State, Ticket, Urgency

Put = Callable[..., PutResult]
TEAM = "openbare-ruimte"


def claim(
    queue: Queue, ticket: str, owner: str = "ans", seconds: float = 60, at: datetime = NOW
) -> Claim:
    """Claim a ticket and give the lease."""
    found = queue.claim(ticket, owner=owner, seconds=seconds, now=at, request=request())
    assert found.claim
    return found.claim


def refused(code: str, call: Callable[[], Any]) -> None:
    """Expect a conflict of this kind."""
    with pytest.raises(Conflict) as caught:
        call()
    assert caught.value.code == code


def resolve(queue: Queue, ticket: str, token: int | None, at: datetime = NOW) -> Ticket:
    """Resolve a ticket."""
    change = Change(outcome="beantwoord")
    return queue.resolve(ticket, change, token=token, by="ans", now=at, request=request())


def test_a_claim_is_a_lease(store: Store, queue: Queue, put: Put) -> None:
    """A claim names owner, token and end; while it stands nobody else gets the ticket."""
    put(store.entry())
    held = claim(queue, store.id())
    assert (held.owner, held.until) == ("ans", NOW + minutes(1))
    assert queue.get(store.id(), now=NOW).claim == held
    assert queue.list(store.org, TEAM, now=NOW)[0].claim == held
    refused("claimed", lambda: claim(queue, store.id(), "bob"))
    refused("claimed", lambda: claim(queue, store.id(), "ans"))
    call = queue.claim_next(store.org, TEAM, owner="bob", seconds=9, now=NOW, request=request())
    assert call is None
    with pytest.raises(NotFound):
        claim(queue, store.id("ander"))


def test_an_expired_claim_is_claimable_again(store: Store, queue: Queue, put: Put) -> None:
    """After its time a lease counts as none: another claims, and the old token is refused."""
    put(store.entry())
    first = claim(queue, store.id())
    later = NOW + minutes(1)
    assert queue.get(store.id(), now=later).claim is None
    second = queue.claim_next(
        store.org, TEAM, owner="bob", seconds=60, now=later, request=request()
    )
    assert second
    assert second.claim
    assert second.claim.token > first.token
    refused("stale-token", lambda: resolve(queue, store.id(), first.token, later))
    assert resolve(queue, store.id(), second.claim.token, later).state is State.RESOLVED


def test_an_answer_a_moment_late_counts(store: Store, queue: Queue, put: Put) -> None:
    """An expired lease still resolves a ticket that nobody touched; after a touch it does not."""
    later = NOW + minutes(5)
    put(store.entry("a"), store.entry("b"), store.entry("c"))
    assert resolve(queue, store.id("a"), claim(queue, store.id("a")).token, later).version == 3
    token = claim(queue, store.id("b")).token
    put(store.entry("b", text="anders"), at=later)
    refused("not-claimed", lambda: resolve(queue, store.id("b"), token, later))
    token = claim(queue, store.id("c")).token
    change = Change(topic="wegen")
    queue.correct(store.id("c"), change, token=None, by="bob", now=later, request=request())
    refused("not-claimed", lambda: resolve(queue, store.id("c"), token, later))


def test_renew_prolongs_what_stands(store: Store, queue: Queue, put: Put) -> None:
    """A standing lease is prolonged under its token; an expired or another's is not."""
    put(store.entry())
    held = claim(queue, store.id())

    def renew(token: int, at: datetime) -> Claim:
        return queue.renew(store.id(), token=token, seconds=120, now=at, request=request())

    longer = renew(held.token, NOW + timedelta(seconds=30))
    assert longer == Claim(owner="ans", token=held.token, until=NOW + timedelta(seconds=150))
    assert queue.get(store.id(), now=NOW + minutes(2)).claim == longer
    refused("stale-token", lambda: renew(held.token - 1, NOW + minutes(2)))
    refused("not-claimed", lambda: renew(held.token, NOW + minutes(3)))


def test_a_put_takes_nothing_off_a_lease(store: Store, queue: Queue, put: Put) -> None:
    """A lease prolonged while an edit came in stands as its holder was told."""
    put(store.entry())
    token, other = claim(queue, store.id()).token, store.open()
    with ThreadPoolExecutor(1) as worker:
        for turn in range(50):
            edit = store.entry(text=f"keer {turn}")
            edits = worker.submit(other.put, store.org, [edit], now=NOW, request=request())
            told = queue.renew(
                store.id(), token=token, seconds=60 + turn, now=NOW, request=request()
            )
            assert edits.result().edited == 1
            assert queue.get(store.id(), now=NOW).claim == told


def test_release_gives_back(store: Store, queue: Queue, put: Put) -> None:
    """A released ticket is free at once, and its token is over."""
    put(store.entry())
    token = claim(queue, store.id()).token
    refused(
        "stale-token",
        lambda: queue.release(store.id(), token=token + 1, now=NOW, request=request()),
    )
    queue.release(store.id(), token=token, now=NOW, request=request())
    assert queue.get(store.id(), now=NOW).claim is None
    refused("not-claimed", lambda: resolve(queue, store.id(), token))
    assert claim(queue, store.id(), "bob").token > token


def test_what_nobody_has_is_resolved_at_once(store: Store, queue: Queue, put: Put) -> None:
    """Without a claim of its own, so undo leaves none; not what a colleague has."""
    put(store.entry())
    ticket = store.id()
    bobs = claim(queue, ticket, "bob")
    refused("claimed", lambda: resolve(queue, ticket, None))
    queue.release(ticket, token=bobs.token, now=NOW, request=request())
    assert resolve(queue, ticket, None).state is State.RESOLVED
    refused("resolved", lambda: resolve(queue, ticket, None))
    back = queue.undo(ticket, by="ans", now=NOW, request=request())
    assert (back.state, back.claim) == (State.OPEN, None)
    assert [item["action"] for item in back.history[-2:]] == ["resolved", "undone"]
    assert claim(queue, ticket, "bob").token > bobs.token


def test_resolve_closes(store: Store, queue: Queue, put: Put) -> None:
    """A resolved ticket leaves its queue and refuses every further action."""
    put(store.entry())
    ticket = store.id()
    refused("not-claimed", lambda: resolve(queue, ticket, 1))
    token = claim(queue, ticket).token
    done = resolve(queue, ticket, token)
    assert (done.state, done.claim, done.version) == (State.RESOLVED, None, 3)
    assert queue.get(ticket, now=NOW) == done
    assert [item["action"] for item in done.history] == ["claimed", "resolved"]
    assert (done.history[-1]["by"], done.history[-1]["outcome"]) == ("ans", "beantwoord")
    assert queue.list(store.org, TEAM, now=NOW) == []
    assert queue.stats(store.org, now=NOW) == []
    refused("resolved", lambda: resolve(queue, ticket, token))
    refused("resolved", lambda: claim(queue, ticket))
    refused("resolved", lambda: queue.release(ticket, token=token, now=NOW, request=request()))


@pytest.mark.parametrize("action", ["correct", "reassign", "escalate"])
def test_a_lease_guards_every_action(store: Store, queue: Queue, put: Put, action: str) -> None:
    """A claimed ticket is changed with its token only; an unclaimed one without any."""
    put(store.entry("a"), store.entry("b"))
    change = Change(team="wijkteam", urgency=Urgency.HOOG)

    def act(post: str, token: int | None) -> Ticket:
        called = getattr(queue, action)
        done = called(store.id(post), change, token=token, by="bob", now=NOW, request=request())
        assert isinstance(done, Ticket)
        return done

    held = claim(queue, store.id("a"))
    refused("claimed", lambda: act("a", None))
    refused("stale-token", lambda: act("a", held.token - 1))
    assert act("a", held.token).urgency is Urgency.HOOG
    assert act("b", None).urgency is Urgency.HOOG
    refused("not-claimed", lambda: act("b", held.token))
    kept = queue.get(store.id("a"), now=NOW).claim
    assert kept == (held if action == "correct" else None)


def test_correct_sets_and_reorders(store: Store, queue: Queue, put: Put) -> None:
    """A correction sets topic, urgency, intent and due time, and the order follows."""
    put(store.entry("a", due=NOW + minutes(1)), store.entry("b", due=NOW + minutes(9)))
    change = Change(
        urgency=Urgency.KRITIEK, topic="gevaar", intent="klacht", due_at=NOW + minutes(3)
    )
    done = queue.correct(store.id("b"), change, token=None, by="ans", now=NOW, request=request())
    assert (done.urgency, done.topic, done.intent) == (Urgency.KRITIEK, "gevaar", "klacht")
    assert done.assessment["urgency"]["key"] == "normaal"
    assert [t.id for t in queue.list(store.org, TEAM, now=NOW)] == [store.id("b"), store.id("a")]
    change = Change(urgency=Urgency.LAAG, due_at=NOW + minutes(90))
    queue.correct(store.id("b"), change, token=None, by="ans", now=NOW, request=request())
    assert [t.id for t in queue.list(store.org, TEAM, now=NOW)] == [store.id("a"), store.id("b")]
    assert [d.urgency for d in queue.stats(store.org, now=NOW)] == [Urgency.NORMAAL, Urgency.LAAG]


def test_reassign_moves(store: Store, queue: Queue, put: Put) -> None:
    """A reassigned ticket waits, unclaimed, with the other team."""
    put(store.entry())
    token = claim(queue, store.id()).token
    change = Change(team="nacht", note="hoort bij jullie")
    done = queue.reassign(store.id(), change, token=token, by="ans", now=NOW, request=request())
    assert (done.team, done.claim) == ("nacht", None)
    assert done.history[-1]["note"] == "hoort bij jullie"
    assert queue.list(store.org, TEAM, now=NOW) == []
    assert [ticket.id for ticket in queue.list(store.org, "nacht", now=NOW)] == [store.id()]


def test_escalate_never_lowers(store: Store, queue: Queue, put: Put) -> None:
    """An escalation raises urgency and brings the due time forward, and does no less."""
    put(store.entry(urgency=Urgency.HOOG))

    def escalate(urgency: Urgency, due: datetime) -> Ticket:
        change = Change(urgency=urgency, due_at=due)
        return queue.escalate(store.id(), change, token=None, by="ans", now=NOW, request=request())

    done = escalate(Urgency.LAAG, NOW + minutes(999))
    assert (done.urgency, done.due_at) == (Urgency.HOOG, NOW + minutes(60))
    done = escalate(Urgency.KRITIEK, NOW + minutes(5))
    assert (done.urgency, done.due_at) == (Urgency.KRITIEK, NOW + minutes(5))


def test_every_action_answers_a_request_once(store: Store, queue: Queue, put: Put) -> None:
    """The same request again gets the first answer, whatever happened since, and does nothing."""
    put(store.entry())
    ticket, same = store.id(), request()

    def again() -> list[Any]:
        change = Change(topic="wegen")
        held = queue.claim_next(store.org, TEAM, owner="a", seconds=60, now=NOW, request=same)
        assert held
        assert held.claim
        token = held.claim.token
        answers = [
            (held.id, held.claim, held.version),
            queue.renew(ticket, token=token, seconds=90, now=NOW, request=same),
            queue.correct(ticket, change, token=token, by="a", now=NOW, request=same).version,
        ]
        queue.release(ticket, token=token, now=NOW, request=same)
        change = Change(team="nacht")
        raised = queue.escalate(ticket, Change(), token=None, by="a", now=NOW, request=same)
        moved = queue.reassign(ticket, change, token=None, by="a", now=NOW, request=same)
        return [*answers, raised.version, moved.team]

    first = again()
    events = len(queue.events(store.org))
    assert again() == first
    assert len(queue.events(store.org)) == events == 6
    token = claim(queue, ticket).token
    change = Change(outcome="beantwoord")
    done = queue.resolve(ticket, change, token=token, by="a", now=NOW, request=same)
    assert queue.resolve(ticket, change, token=token, by="a", now=NOW, request=same) == done
    assert again() == first


def test_an_answer_given_again_shows_no_withdrawn_text(
    store: Store, queue: Queue, put: Put
) -> None:
    """A repeated request after a deletion gets its answer with the text masked."""
    put(store.entry(text="Geheim"))
    same = request()
    queue.claim(store.id(), owner="a", seconds=60, now=NOW, request=same)
    put(store.deletion())
    again = queue.claim(store.id(), owner="a", seconds=60, now=NOW, request=same)
    assert again.version == 2
    assert "Geheim" not in str(again)


def test_no_two_hold_one_ticket(store: Store) -> None:
    """50 claimers with connections of their own share 1,000 tickets; each is held once."""
    seed = store.open()
    for start in range(0, 1000, 250):
        batch = [store.entry(f"p{number}") for number in range(start, start + 250)]
        seed.put(store.org, batch, now=NOW, request=request())
    begin = threading.Barrier(50)

    def work(owner: str) -> list[tuple[str, int]]:
        queue = store.open()
        mine: list[tuple[str, int]] = []
        begin.wait()
        while True:
            asked = request()
            try:
                held = queue.claim_next(
                    store.org, TEAM, owner=owner, seconds=60, now=NOW, request=asked
                )
            except Unavailable:  # the caller's duty: the same again
                continue
            if held is None:
                return mine
            assert held.claim
            assert held.claim.owner == owner
            mine.append((held.id, held.claim.token))

    with ThreadPoolExecutor(50) as pool:
        held = [pair for mine in pool.map(work, map(str, range(50))) for pair in mine]
    assert len(held) == 1000
    assert max(Counter(ticket for ticket, _ in held).values()) == 1
    assert max(Counter(token for _, token in held).values()) == 1


def test_one_queue_serves_many_threads(store: Store, queue: Queue, put: Put) -> None:
    """Threads that share one queue do not disturb each other, and no correction gets lost."""
    put(store.entry())

    def work(number: int) -> int:
        change = Change(topic=f"t{number}")
        done = queue.correct(store.id(), change, token=None, by="a", now=NOW, request=request())
        return done.version

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(work, range(40)))
    assert sorted(versions) == list(range(2, 42))
    assert len(queue.get(store.id(), now=NOW).history) == 40


def test_a_store_that_is_gone_is_unavailable(store: Store) -> None:
    """A closed or unreachable store raises Unavailable, which tells the caller to try again."""
    url = "sqlite:////dev/null/triage.db" if store.kind == "sqlite" else "redis://127.0.0.1:1"
    queue = Store(store.kind, url).open()
    for call in (queue.ping, queue.check, lambda: queue.positions("org")):
        with pytest.raises(Unavailable):
            call()
    queue.close()
