"""What the desk needs of a queue besides deciding: undo, notes, setting aside, opening again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.errors import Conflict
from triage.queue import UNDO_SECONDS, Change, Queue
from triage.ticket import State, Ticket, Urgency

Put = Callable[..., Any]
TEAM = "openbare-ruimte"
TEXT = "De lantaarnpaal in de Dorpsstraat bij de bushalte doet het al een week niet meer"
SOON = NOW + minutes(1 / 12)


def claim(queue: Queue, ticket: str, owner: str = "ans") -> int:
    held = queue.claim(ticket, owner=owner, seconds=300, now=NOW, request=request())
    assert held.claim
    return held.claim.token


def act(queue: Queue, action: str, ticket: str, change: Change, **more: Any) -> Ticket:
    more = {"by": "ans", "now": NOW, "request": request(), **more}
    done = getattr(queue, action)(ticket, change, **more)
    assert isinstance(done, Ticket)
    return done


def undo(queue: Queue, ticket: str, **more: Any) -> Ticket:
    return queue.undo(ticket, **{"by": "ans", "now": SOON, "request": request(), **more})


def events(store: Store, queue: Queue) -> list[Any]:
    return [event.data for event in queue.events(store.org)]


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(Conflict) as found:
        call()
    assert found.value.code == code


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("resolve", Change(outcome="beantwoord", reply="Dank, we komen langs")),
        ("correct", Change(topic="wegen", urgency=Urgency.LAAG, due_at=NOW + minutes(900))),
        ("reassign", Change(team="wijkteam")),
        ("escalate", Change(urgency=Urgency.KRITIEK, team="piket", due_at=NOW + minutes(5))),
        ("confirm", Change()),
    ],
)
def test_undo_brings_back_what_stood(
    store: Store, queue: Queue, put: Put, action: str, change: Change
) -> None:
    """Labels, team, due time, state and lease are as before; the outcomes say what fell away."""
    put(store.entry())
    token = claim(queue, store.id())
    before = queue.get(store.id(), now=NOW)
    act(queue, action, store.id(), change, token=token)
    outcome = events(store, queue)[-1]
    back = undo(queue, store.id())
    for field in ("team", "topic", "urgency", "intent", "due_at", "state", "claim"):
        assert getattr(back, field) == getattr(before, field), field
    assert [ticket.id for ticket in queue.list(store.org, TEAM, now=SOON)] == [store.id()]
    event = events(store, queue)[-1]
    assert (event["type"], event["undoes"], event["by"]) == ("undone", outcome["id"], "ans")
    assert [item["action"] for item in back.history[-2:]] == [outcome["type"], "undone"]
    assert "undo" not in back.history[-2]
    done = act(queue, "resolve", store.id(), Change(outcome="beantwoord"), token=token, now=SOON)
    assert done.state is State.RESOLVED


def test_undo_names_what_it_takes_back(store: Store, queue: Queue, put: Put) -> None:
    """Also when the lease was prolonged since and a copy joined; for each member its own."""
    put(store.copy("p1", TEXT), store.copy("p2", TEXT))
    token = claim(queue, store.id())
    act(queue, "correct", store.id(), Change(topic="wegen"), token=token)
    corrected = {event["ticket"]: event["id"] for event in events(store, queue)[-2:]}
    queue.renew(store.id(), token=token, seconds=300, now=NOW, request=request())
    put(store.copy("p3", TEXT))
    undo(queue, store.id())
    undone = {event["ticket"]: event["undoes"] for event in events(store, queue)[-3:]}
    assert {ticket: undone[ticket] for ticket in corrected} == corrected


@pytest.mark.parametrize("action", ["correct", "confirm", "escalate"])
def test_undo_takes_nothing_of_a_lease_that_was_prolonged(
    store: Store, queue: Queue, put: Put, action: str
) -> None:
    """The lease that stands through it all ends when its holder was told, not before."""
    put(store.entry())
    token = claim(queue, store.id())
    act(queue, action, store.id(), Change(), token=token)
    later = NOW + minutes(1 / 20)
    told = queue.renew(store.id(), token=token, seconds=900, now=later, request=request())
    assert undo(queue, store.id()).claim == told
    assert queue.get(store.id(), now=NOW + minutes(14)).claim == told
    refused(
        "claimed",
        lambda: queue.claim(
            store.id(), owner="bo", seconds=9, now=NOW + minutes(14), request=request()
        ),
    )
    # One that was made shorter is not made longer than it was before the act.
    act(queue, action, store.id(), Change(), token=token)
    queue.renew(store.id(), token=token, seconds=60, now=later, request=request())
    assert undo(queue, store.id()).claim == told


@pytest.mark.parametrize("action", ["resolve", "reassign", "snooze"])
def test_undo_gives_back_the_lease_as_it_was(
    store: Store, queue: Queue, put: Put, action: str
) -> None:
    """Where the act ended the lease its end is that of before; that of a snooze is none."""
    put(store.entry())
    token = claim(queue, store.id())
    before = queue.get(store.id(), now=NOW).claim
    more: dict[str, Any] = {"token": token, "by": "ans", "now": NOW, "request": request()}
    if action == "snooze":
        queue.snooze(store.id(), until=NOW + minutes(500), **more)
    else:
        getattr(queue, action)(store.id(), Change(team="wijkteam", outcome="ok"), **more)
    assert undo(queue, store.id()).claim == before


def test_undo_is_for_who_did_it_just_now(store: Store, queue: Queue, put: Put) -> None:
    """Refused to others, after the time, after anything else, and a second time."""
    put(store.entry())
    refused("not-undoable", lambda: undo(queue, store.id()))
    act(queue, "correct", store.id(), Change(topic="wegen"), token=None)
    late = NOW + minutes((UNDO_SECONDS + 1) / 60)
    refused("not-undoable", lambda: undo(queue, store.id(), by="bob"))
    refused("not-undoable", lambda: undo(queue, store.id(), now=late))
    same = request()
    first = undo(queue, store.id(), request=same)
    assert undo(queue, store.id(), request=same).version == first.version
    refused("not-undoable", lambda: undo(queue, store.id()))
    act(queue, "correct", store.id(), Change(topic="wegen"), token=None)
    claim(queue, store.id(), "bob")
    refused("not-undoable", lambda: undo(queue, store.id()))
    assert queue.get(store.id(), now=NOW).topic == "wegen"


def test_a_restored_outcome_falls_away_with_its_undoing(
    store: Store, queue: Queue, put: Put
) -> None:
    """Rebuilding from the outcomes gives the ticket as it was left: open."""
    put(store.entry())
    token = claim(queue, store.id())
    act(queue, "resolve", store.id(), Change(outcome="beantwoord"), token=token)
    undo(queue, store.id())
    said = [data for data in events(store, queue) if data["type"] in {"resolved", "undone"}]
    put(store.entry("nieuw"))
    moved = [{**data, "ticket": store.id("nieuw")} for data in said]
    assert queue.restore(store.org, moved, now=SOON) == 2
    assert queue.get(store.id("nieuw"), now=SOON).state is State.OPEN


def test_a_ticket_set_aside_is_passed_by(store: Store, queue: Queue, put: Put) -> None:
    """Until its time nobody gets it as the next one; who wants it can still claim it."""
    put(store.entry("a"), store.entry("b", due=NOW + minutes(90)))
    until = NOW + minutes(30)
    token = claim(queue, store.id("a"))
    aside = queue.snooze(
        store.id("a"), until=until, token=token, by="ans", now=NOW, request=request()
    )
    assert (aside.snoozed_until, aside.claim) == (until, None)
    listed = queue.list(store.org, TEAM, now=NOW)
    assert [ticket.snoozed_until for ticket in listed] == [until, None]

    def following(at: Any) -> str:
        held = queue.claim_next(store.org, TEAM, owner="bob", seconds=1, now=at, request=request())
        assert held
        return held.id

    assert following(NOW) == store.id("b")
    assert following(until + minutes(1)) == store.id("a")
    queue.snooze(
        store.id("a"),
        until=NOW + minutes(99),
        token=None,
        by="ans",
        now=until + minutes(2),
        request=request(),
    )
    taken = queue.claim(
        store.id("a"), owner="cor", seconds=60, now=until + minutes(3), request=request()
    )
    assert taken.claim
    assert (taken.claim.owner, taken.snoozed_until) == ("cor", None)


def test_a_ticket_is_set_aside_for_a_week_at_most(store: Store, queue: Queue, put: Put) -> None:
    """A morning may be more than a day away; who sets it aside for ever loses it."""
    put(store.entry("a"))
    week = NOW + timedelta(days=7)
    for until in (week + timedelta(seconds=1), NOW):
        with pytest.raises(ValueError, match="seconds"):
            queue.snooze(
                store.id("a"), until=until, token=None, by="ans", now=NOW, request=request()
            )
    aside = queue.snooze(
        store.id("a"), until=week, token=None, by="ans", now=NOW, request=request()
    )
    assert aside.snoozed_until == week


def test_setting_aside_ends_when_something_happens(store: Store, queue: Queue, put: Put) -> None:
    """An edit wakes it; what is critical is never set aside; an undo wakes it as well."""
    put(store.entry("a"), store.entry("k", urgency=Urgency.KRITIEK))

    def snooze(post: str) -> Ticket:
        until = NOW + minutes(30)
        return queue.snooze(
            store.id(post), until=until, token=None, by="ans", now=NOW, request=request()
        )

    refused("critical", lambda: snooze("k"))
    assert snooze("a").snoozed_until
    assert undo(queue, store.id("a")).snoozed_until is None
    assert snooze("a").snoozed_until
    put(store.entry("a", "Er ligt een boom op de weg, en nu ook een lantaarnpaal"))
    assert queue.get(store.id("a"), now=NOW).snoozed_until is None


def test_a_note_changes_nothing_else(store: Store, queue: Queue, put: Put) -> None:
    """A colleague may note on a ticket that another holds; events have no text of it."""
    put(store.entry())
    token = claim(queue, store.id())
    noted = queue.note(
        store.id(),
        "@bob kijk jij even",
        mentions=["bob"],
        by="cor",
        now=NOW,
        request=request(),
    )
    assert noted.claim
    assert (noted.claim.token, noted.claim.owner) == (token, "ans")
    item = noted.history[-1]
    assert (item["by"], item["note"], item["mentions"]) == ("cor", "@bob kijk jij even", ["bob"])
    event = events(store, queue)[-1]
    assert (event["type"], event["mentions"]) == ("noted", ["bob"])
    assert "kijk" not in str(event)
    assert act(queue, "resolve", store.id(), Change(outcome="x"), token=token).history


def test_a_resolved_ticket_opens_again(store: Store, queue: Queue, put: Put) -> None:
    """It waits in its queue as before, and the outcomes tell."""
    put(store.entry())
    refused("open", lambda: act(queue, "reopen", store.id(), Change()))
    token = claim(queue, store.id())
    act(queue, "resolve", store.id(), Change(outcome="x", reply="a", link="b"), token=token)
    assert queue.get(store.id(), now=NOW).history[-1]["reply"] == "a"
    opened = act(queue, "reopen", store.id(), Change(note="toch niet klaar"))
    assert (opened.state, opened.claim) == (State.OPEN, None)
    assert [ticket.id for ticket in queue.list(store.org, TEAM, now=NOW)] == [store.id()]
    said = events(store, queue)
    assert said[-1]["type"] == "reopened"
    assert not [data for data in said if "reply" in data or "link" in data]


def test_undoing_for_a_bundle_names_the_outcome_of_every_member(
    store: Store, queue: Queue, put: Put
) -> None:
    """What each member got falls away with its bundle's, by its own id."""
    put(store.entry("a"), store.entry("b"))
    queue.merge(store.id("a"), [store.id("b")], token=None, by="ans", now=NOW, request=request())
    token = claim(queue, store.id("a"))
    act(queue, "resolve", store.id("a"), Change(outcome="beantwoord"), token=token)
    said = {data["ticket"]: data["id"] for data in events(store, queue)[-2:]}
    assert undo(queue, store.id("a")).state is State.OPEN
    undone = {data["ticket"]: data["undoes"] for data in events(store, queue)[-2:]}
    assert undone == said
    assert set(said) == {store.id("a"), store.id("b")}
    refused("bundled", lambda: queue.note(store.id("b"), "x", by="a", now=NOW, request=request()))


def test_a_confirmation_names_the_labels(store: Store, queue: Queue, put: Put) -> None:
    """The outcome says that a person stands for each label as it is."""
    put(store.entry())
    act(queue, "confirm", store.id(), Change(), token=None)
    event = events(store, queue)[-1]
    assert event["type"] == "confirmed"
    assert event["said"] == {"topic": "groen", "urgency": "normaal", "intent": "melding"}


def test_labels_that_nobody_saw_are_not_confirmed(store: Store, queue: Queue, put: Put) -> None:
    """Who names what was on the screen confirms that, or learns which labels are others by now."""
    put(store.entry())
    seen = Change(topic="groen", urgency=Urgency.NORMAAL, intent="melding")
    act(queue, "confirm", store.id(), seen, token=None)
    assert events(store, queue)[-1]["said"] == {
        "topic": "groen", "urgency": "normaal", "intent": "melding",
    }  # fmt: skip
    act(queue, "correct", store.id(), Change(topic="wegen", intent="vraag"), token=None, by="bo")
    count = len(events(store, queue))
    with pytest.raises(Conflict) as found:
        act(queue, "confirm", store.id(), seen, token=None)
    assert (found.value.code, found.value.fields) == ("labels-changed", ("topic", "intent"))
    refused(
        "labels-changed",
        lambda: act(queue, "confirm", store.id(), Change(topic="groen"), token=None),
    )
    assert len(events(store, queue)) == count
    act(queue, "confirm", store.id(), Change(urgency=Urgency.NORMAAL), token=None)
    act(queue, "confirm", store.id(), Change(), token=None)
    assert events(store, queue)[-1]["said"] == {
        "topic": "wegen", "urgency": "normaal", "intent": "vraag",
    }  # fmt: skip
