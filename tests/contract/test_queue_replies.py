"""Replies, on every backend: whose ticket they join, what they open, and that none is hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.plugins.queue_stores import IN_AN_HOUR, NOW, Store, minutes, request
from triage.errors import Conflict, NotFound
from triage.post import Author
from triage.queue import Change, Entry, PutResult, Queue
from triage.ticket import State, Ticket, Urgency

TEAM = "openbare-ruimte"
TEXT = "De lantaarnpaal in de Dorpsstraat bij de bushalte doet het al een week niet meer"
OTHER = Author(id="u-2", name="Piet")
LATER = NOW + minutes(30)

Put = Callable[..., PutResult]


def listed(queue: Queue, store: Store) -> list[Ticket]:
    """Give the open tickets of the team."""
    return list(queue.list(store.org, TEAM, now=LATER))


def reply(store: Store, post: str, to: str = "a", text: str = "En nu?", **more: Any) -> Entry:
    """Give a post that answers another one, by the same author unless said otherwise."""
    return store.copy(post, text, in_reply_to=to, **{"due": IN_AN_HOUR + minutes(60), **more})


def resolved(queue: Queue, ticket: str, by: str = "an") -> None:
    """Take a ticket and close it."""
    claimed = queue.claim(ticket, owner=by, seconds=600, now=NOW, request=request())
    assert claimed.claim
    queue.resolve(
        ticket,
        Change(outcome="beantwoord"),
        token=claimed.claim.token,
        by=by,
        now=NOW,
        request=request(),
    )


def events(queue: Queue, store: Store, kind: str) -> list[dict[str, Any]]:
    """Give the events of a kind."""
    return [dict(e.data) for e in queue.events(store.org) if e.data["type"] == kind]


def thread(queue: Queue, ticket: str) -> list[str]:
    """Give the texts of the replies in a ticket, oldest first."""
    found = queue.members(ticket, now=LATER, replies=True)
    assert all(member.reply and member.within == ticket for member in found)
    return [str(member.post["text"]) for member in found]


def replies_of(ticket: Ticket) -> int:
    """Give how many replies a ticket counts."""
    return int(ticket.bundle["replies"]) if ticket.bundle else 0


def test_a_reply_joins_its_ticket(store: Store, queue: Queue, put: Put) -> None:
    """Also a reply to a reply, in one batch too; it's in the thread, and no copy."""
    put(store.copy("a", TEXT))
    assert put(reply(store, "r1")).replied == 1
    result = put(
        reply(store, "r2", "r1", "Hallo?", received_at=NOW + minutes(2)),
        reply(store, "r3", "r2", "Hoort u mij", received_at=NOW + minutes(3)),
    )
    assert (result.replied, result.created, result.joined) == (2, 0, 0)
    (ticket,) = listed(queue, store)
    assert ticket.id == store.id("a")
    assert thread(queue, ticket.id) == ["En nu?", "Hallo?", "Hoort u mij"]
    assert ticket.bundle
    assert (ticket.bundle["count"], ticket.bundle["replies"]) == (1, 3)
    assert [variant["text"] for variant in ticket.bundle["variants"]] == [TEXT]
    assert queue.members(ticket.id, now=NOW, replies=False) == []
    assert len(events(queue, store, "replied")) == 3
    assert queue.get(ticket.id, now=NOW).history == ()
    assert put(store.copy("x", "En nu?", author=OTHER)).created == 1
    assert put(reply(store, "r1"), reply(store, "r2", "r1", "Hallo?")) == PutResult(repeated=2)
    (depth,) = queue.stats(store.org, now=NOW)
    assert depth.depth == 2


def test_a_reply_opens_what_was_resolved(store: Store, queue: Queue, put: Put) -> None:
    """Its time counts from the reply; who resolves it next sees the whole thread."""
    put(store.copy("a", TEXT))
    resolved(queue, store.id("a"))
    assert listed(queue, store) == []
    result = put(reply(store, "r1"), at=LATER)
    assert (result.replied, result.raised) == (1, 1)
    (ticket,) = listed(queue, store)
    assert (ticket.id, ticket.state, ticket.claim) == (store.id("a"), State.OPEN, None)
    assert ticket.due_at == IN_AN_HOUR + minutes(60)
    (event,) = events(queue, store, "replied")
    assert (event["ticket"], event["reopened"], event["state"]) == (ticket.id, True, "open")
    assert queue.get(ticket.id, now=NOW).history[-1]["action"] == "replied"


def urgency_and_due(queue: Queue, store: Store) -> tuple[Urgency, datetime]:
    """Give how pressing the only open ticket is."""
    (ticket,) = listed(queue, store)
    return ticket.urgency, ticket.due_at


SOON = NOW + minutes(15)
LATE = NOW + minutes(7200)


@pytest.mark.parametrize("answered", [False, True])
def test_urgency_and_due_time_are_of_one_post(
    store: Store, queue: Queue, put: Put, *, answered: bool
) -> None:
    """What was answered is over: a mild reply opens a mild ticket; in an open one alarm stays."""
    put(store.copy("a", TEXT))
    put(reply(store, "r1", text="Nu rookt het", urgency=Urgency.KRITIEK, due=SOON))
    if answered:
        resolved(queue, store.id("a"))
    put(reply(store, "r2", text="Dank u", urgency=Urgency.NORMAAL, due=LATE), at=LATER)
    mild, alarm = (Urgency.NORMAAL, LATE), (Urgency.KRITIEK, SOON)
    assert urgency_and_due(queue, store) == (mild if answered else alarm)
    (depth,) = queue.stats(store.org, now=NOW)
    assert (depth.urgency, depth.oldest_due) == (mild if answered else alarm)
    put(reply(store, "r3", text="Nu brandt het", urgency=Urgency.KRITIEK, due=SOON), at=LATER)
    put(reply(store, "r4", text="Hallo", urgency=Urgency.LAAG, due=LATE), at=LATER)
    assert urgency_and_due(queue, store) == alarm


@pytest.mark.parametrize(("first", "then"), [("kritiek", "laag"), ("laag", "kritiek")])
def test_a_rebuilt_ticket_is_as_urgent_as_it_was(
    store: Store, queue: Queue, put: Put, first: str, then: str
) -> None:
    """What opened it after it was resolved tells how pressing it is, not what was answered."""
    dues = {"kritiek": SOON, "laag": LATE}
    said: list[dict[str, Any]] = [
        {"post": "r1", "urgency": Urgency(first), "due": dues[first], "text": "Eerst"},
        {"post": "r2", "urgency": Urgency(then), "due": dues[then], "text": "Daarna"},
    ]
    for number, more in enumerate(said):
        more["received_at"] = NOW + minutes(number)
    put(store.copy("a", TEXT), reply(store, **said[0]))
    resolved(queue, store.id("a"))
    put(reply(store, **said[1]), at=LATER)
    assert urgency_and_due(queue, store) == (Urgency(then), dues[then])
    acts = events(queue, store, "resolved")
    anew = Store(store.kind, store.url)
    rebuilt = anew.open()
    made = [anew.copy("a", TEXT), *(reply(anew, **more) for more in said)]
    rebuilt.put(anew.org, made, now=NOW, request=request())
    rebuilt.restore(anew.org, moved(store, anew, acts), now=NOW)
    assert urgency_and_due(rebuilt, anew) == (Urgency(then), dues[then])
    anew.close()


def test_a_reply_tells_the_holder_and_ends_a_rest(store: Store, queue: Queue, put: Put) -> None:
    """A claimed ticket stays with who has it, a new version says so; set aside ends."""
    put(store.copy("a", TEXT), store.copy("b", "Heel iets anders aan de hand in het park"))
    claimed = queue.claim(store.id("a"), owner="an", seconds=600, now=NOW, request=request())
    queue.snooze(
        store.id("b"),
        until=NOW + minutes(120),
        token=None,
        by="an",
        now=NOW,
        request=request(),
    )
    put(reply(store, "r1"), reply(store, "r2", "b"))
    ticket = queue.get(store.id("a"), now=NOW)
    assert ticket.claim == claimed.claim
    assert ticket.version > claimed.version
    assert queue.get(store.id("b"), now=NOW).snoozed_until is None


@pytest.mark.parametrize("state", ["open", "claimed", "set aside", "resolved"])
def test_an_urgent_reply_raises_its_ticket(
    store: Store, queue: Queue, put: Put, state: str
) -> None:
    """In whatever state it stood: it's as urgent and as soon due as the reply, and open."""
    put(store.copy("a", TEXT))
    if state == "claimed":
        queue.claim(store.id("a"), owner="an", seconds=600, now=NOW, request=request())
    elif state == "set aside":
        queue.snooze(
            store.id("a"),
            until=NOW + minutes(90),
            token=None,
            by="an",
            now=NOW,
            request=request(),
        )
    elif state == "resolved":
        resolved(queue, store.id("a"))
    soon = NOW + minutes(15)
    result = put(
        reply(store, "r1", text="Nu staat hij onder stroom", urgency=Urgency.KRITIEK, due=soon)
    )
    assert (result.replied, result.raised) == (1, 1)
    (ticket,) = listed(queue, store)
    assert (ticket.urgency, ticket.due_at) == (Urgency.KRITIEK, soon)
    assert ticket.snoozed_until is None
    assert bool(queue.get(store.id("a"), now=NOW).claim) == (state == "claimed")


def test_undo_takes_no_rise_along(store: Store, queue: Queue, put: Put) -> None:
    """What a copy or a reply made more urgent since stays so; what changes nothing is no reason."""
    put(store.copy("a", TEXT), store.copy("b", "Heel iets anders aan de hand in het park"))
    for name, entry in (
        ("a", store.copy("c", TEXT, urgency=Urgency.KRITIEK, due=NOW + minutes(9))),
        ("b", reply(store, "r", "b", urgency=Urgency.KRITIEK, due=NOW + minutes(9))),
    ):
        change, ticket = Change(urgency=Urgency.LAAG), store.id(name)
        queue.correct(ticket, change, token=None, by="an", now=NOW, request=request())
        put(reply(store, f"{name}1", name, urgency=Urgency.LAAG))
        queue.undo(ticket, by="an", now=NOW, request=request())
        queue.correct(ticket, change, token=None, by="an", now=NOW, request=request())
        put(entry)
        with pytest.raises(Conflict):
            queue.undo(ticket, by="an", now=NOW, request=request())
        assert queue.get(ticket, now=NOW).urgency is Urgency.KRITIEK


def test_what_others_reply(store: Store, queue: Queue, put: Put) -> None:
    """The same subject and no alarm joins an open ticket; all else stands by itself."""
    put(store.copy("a", TEXT))
    by_another: dict[str, Entry] = {
        "same": reply(store, "same", text="Bij ons ook", author=OTHER),
        "subject": reply(store, "subject", text="Is de markt open?", author=OTHER, topic="markt"),
        "urgent": reply(store, "urgent", text="Snel", author=OTHER, urgency=Urgency.HOOG),
        "nobody": reply(store, "nobody", text="Wie is dit", author=None, topic="markt"),
        "closed": reply(store, "closed", text="Ook hier", author=OTHER, others=False),
    }
    unsure = reply(store, "unsure", text="Tja", author=OTHER)
    by_another["unsure"] = replace(unsure, assessment=replace(unsure.assessment, abstained=True))
    put(*by_another.values())
    assert thread(queue, store.id("a")) == ["Bij ons ook"]
    assert {ticket.id for ticket in listed(queue, store)} == {
        store.id("a"),
        *(store.id(name) for name in by_another if name != "same"),
    }
    resolved(queue, store.id("a"))
    put(reply(store, "late", text="Hier is het ook zo", author=OTHER))
    assert queue.get(store.id("a"), now=NOW).state is State.RESOLVED
    assert queue.get(store.id("late"), now=NOW).within == ""
    # Who wrote the reply goes on in the thread that it is in.
    put(reply(store, "more", "same", "Nog steeds", author=OTHER, topic="markt"))
    assert queue.get(store.id("a"), now=NOW).state is State.OPEN


def test_a_critical_reply_of_another_stands_beside(store: Store, queue: Queue, put: Put) -> None:
    """It is a ticket of its own, also beside a critical one, and the other one names it."""
    put(store.copy("a", TEXT, urgency=Urgency.KRITIEK))
    alarm = reply(store, "r1", text="Er ligt iemand onder", author=OTHER, urgency=Urgency.KRITIEK)
    also = replace(
        alarm, ticket_id=store.id("r2"), post=replace(alarm.post, id="r2"), bundling=None
    )
    for again in (0, 2):
        assert put(alarm, also).repeated == again
    assert {t.id: t.urgency for t in listed(queue, store)} == {
        store.id("a"): Urgency.KRITIEK,
        store.id("r1"): Urgency.KRITIEK,
        store.id("r2"): Urgency.KRITIEK,
    }
    beside = [item.get("beside") for item in queue.get(store.id("a"), now=NOW).history]
    assert beside == [store.id("r1"), store.id("r2")]


def test_a_reply_to_a_copy_is_in_its_bundle(store: Store, queue: Queue, put: Put) -> None:
    """Copies and replies are counted apart; a copy that was answered is no reason to hide one."""
    put(store.copy("a", TEXT), store.copy("b", TEXT, author=OTHER))
    assert put(reply(store, "r1", "b", author=OTHER, topic="markt")).replied == 1
    (ticket,) = listed(queue, store)
    assert ticket.bundle
    assert (ticket.bundle["count"], ticket.bundle["replies"]) == (2, 1)
    assert [m.id for m in queue.members(ticket.id, now=NOW)] == [store.id("b"), store.id("r1")]
    in_one = [store.copy("c", TEXT, author=OTHER), reply(store, "r2", "c", author=OTHER)]
    assert put(*in_one).replied == 1
    assert replies_of(queue.get(ticket.id, now=NOW)) == 2


def test_a_reply_to_nothing_known(store: Store, queue: Queue, put: Put) -> None:
    """What it answers is unknown, or retention took it: it gets a ticket of its own."""
    assert put(reply(store, "r1", "nooit gezien")).created == 1
    put(store.copy("a", TEXT))
    resolved(queue, store.id("a"))
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 1
    assert put(reply(store, "r2", text="En nu dan?")).created == 1


def test_retention_takes_the_thread(store: Store, queue: Queue, put: Put) -> None:
    """A resolved ticket goes with the replies in it."""
    put(store.copy("a", TEXT), reply(store, "r1"))
    resolved(queue, store.id("a"))
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 1
    with pytest.raises(NotFound):
        queue.get(store.id("r1"), now=NOW)
    assert put(store.copy("a", TEXT), reply(store, "r1")).repeated == 2


def test_an_edited_reply(store: Store, queue: Queue, put: Put) -> None:
    """It raises and opens its ticket as a new one does; of another author it may leave."""
    put(store.copy("a", TEXT), reply(store, "r1"), reply(store, "r2", text="Ook", author=OTHER))
    assert replies_of(queue.get(store.id("a"), now=NOW)) == 2
    resolved(queue, store.id("a"))
    put(reply(store, "r1", text="Er komt rook uit", urgency=Urgency.HOOG))
    (ticket,) = listed(queue, store)
    assert (ticket.id, ticket.urgency, replies_of(ticket)) == (store.id("a"), Urgency.HOOG, 2)
    put(reply(store, "r2", text="Brand", author=OTHER, urgency=Urgency.KRITIEK))
    assert {t.id: t.urgency for t in listed(queue, store)} == {
        store.id("a"): Urgency.HOOG,
        store.id("r2"): Urgency.KRITIEK,
    }
    assert replies_of(queue.get(store.id("a"), now=NOW)) == 1
    assert not queue.get(store.id("r2"), now=NOW).reply


def test_a_withdrawn_reply(store: Store, queue: Queue, put: Put) -> None:
    """It is masked in the thread, and its ticket hears of it; other texts stay."""
    put(store.copy("a", TEXT), reply(store, "r1", text=TEXT))
    before = queue.get(store.id("a"), now=NOW)
    put(store.deletion("r1"))
    assert thread(queue, store.id("a")) == ["[verwijderd door de afzender]"]
    after = queue.get(store.id("a"), now=NOW)
    assert after.version > before.version
    assert after.bundle
    assert [variant["text"] for variant in after.bundle["variants"]] == [TEXT]
    assert events(queue, store, "deleted")[0]["bundle"] == store.id("a")


def test_copies_are_compared_with_the_edited_text(store: Store, queue: Queue, put: Put) -> None:
    """A ticket with replies is still found by what its post says now."""
    put(store.copy("a", TEXT), reply(store, "r1"))
    put(store.copy("a", "Het park is afgesloten vanwege een omgewaaide boom bij de ingang"))
    assert put(store.copy("b", TEXT, author=OTHER)).created == 1


def test_each_reply_has_an_outcome_of_its_own(store: Store, queue: Queue, put: Put) -> None:
    """It names its ticket, and has its own labels: nobody has said anything of them."""
    put(store.copy("a", TEXT), reply(store, "r1", topic="markt"))
    change = Change(topic="wegen", urgency=Urgency.HOOG)
    queue.correct(store.id("a"), change, token=None, by="an", now=NOW, request=request())
    resolved(queue, store.id("a"))
    for act in (*events(queue, store, "corrected"), *events(queue, store, "resolved")):
        own = act["ticket"] == store.id("a")
        assert (act["topic"], act["urgency"]) == (
            ("wegen", "hoog") if own else ("markt", "normaal")
        )
        assert act["bundle"] == store.id("a")
        assert act.get("reply", False) is not own
        assert own or not act["said"]
    assert {act["replies"] for act in events(queue, store, "resolved") if "replies" in act} == {1}


def test_a_reply_can_be_taken_out_and_put_back(store: Store, queue: Queue, put: Put) -> None:
    """Taken out it is a ticket of its own; merged again it is a reply again."""
    put(store.copy("a", TEXT), reply(store, "r1"), reply(store, "r2", text="Nog iets"))
    lead, out = store.id("a"), store.id("r1")
    queue.split(lead, [out], token=None, by="an", now=NOW, request=request())
    assert thread(queue, lead) == ["Nog iets"]
    assert {t.id for t in listed(queue, store)} == {lead, out}
    assert put(reply(store, "r1")).repeated == 1
    queue.merge(lead, [out], token=None, by="an", now=NOW, request=request())
    (ticket,) = listed(queue, store)
    assert sorted(thread(queue, lead)) == ["En nu?", "Nog iets"]
    assert ticket.bundle
    assert (ticket.bundle["count"], ticket.bundle["replies"]) == (1, 2)


def moved(store: Store, anew: Store, acts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give what was done in one store as if it was done in another."""
    return [
        {k: v.replace(store.org, anew.org) if isinstance(v, str) else v for k, v in act.items()}
        for act in acts
    ]


def again(store: Store, acts: list[dict[str, Any]], *batches: list[str]) -> tuple[Store, Queue]:
    """Fill a store anew as ``rebuild`` does: each batch, then all that was done to its tickets."""
    anew = Store(store.kind, store.url)
    queue = anew.open()
    made = {
        "a": anew.copy("a", TEXT),
        **{name: reply(anew, name, text=f"Reactie {name}") for name in ("r1", "r2", "r3")},
    }
    for batch in batches:
        queue.put(anew.org, [made[name] for name in batch], now=NOW, request=request())
        own = [
            act
            for act in moved(store, anew, acts)
            if act["ticket"] in {anew.id(name) for name in batch}
        ]
        queue.restore(anew.org, own, now=NOW)
    return anew, queue


def test_a_rebuilt_store_knows_which_replies_were_seen(
    store: Store, queue: Queue, put: Put
) -> None:
    """Resolved with its replies it comes back resolved; one reply more and it comes back open."""
    put(store.copy("a", TEXT), reply(store, "r1"), reply(store, "r2", text="Nog iets"))
    resolved(queue, store.id("a"))
    acts = events(queue, store, "resolved")
    for batches in ([["a", "r1", "r2"]], [["a"], ["r1"], ["r2"]], [["a", "r2"], ["r1"]]):
        anew, rebuilt = again(store, acts, *batches)
        assert rebuilt.get(anew.id("a"), now=NOW).state is State.RESOLVED
        assert replies_of(rebuilt.get(anew.id("a"), now=NOW)) == 2
        anew.close()
    for batches in ([["a", "r1", "r2", "r3"]], [["a"], ["r3"], ["r2", "r1"]]):
        anew, rebuilt = again(store, acts, *batches)
        assert rebuilt.get(anew.id("a"), now=NOW).state is State.OPEN
        anew.close()


def test_replies_put_at_the_same_moment(store: Store) -> None:
    """Two workers, one thread each round: all replies are inside, and counted exactly."""
    rounds, start = 60, threading.Barrier(2)
    queues = [store.open(), store.open()]

    def race(worker: int) -> None:
        for n in range(rounds):
            post = f"p{n}"
            start.wait()
            if worker == 0:
                entries = [store.entry(post, f"Melding nummer {n}")]
            else:
                entries = [reply(store, f"{post}-w", post, f"En nu met nummer {n}")]
            queues[worker].put(store.org, entries, now=NOW, request=request())
            start.wait()
            entries = [reply(store, f"{post}-{worker}-{k}", post) for k in range(3)]
            queues[worker].put(store.org, entries, now=NOW, request=request())

    threads = [threading.Thread(target=race, args=(worker,)) for worker in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for n in range(rounds):
        ticket = queues[0].get(store.id(f"p{n}"), now=NOW)
        early = queues[0].get(store.id(f"p{n}-w"), now=NOW)
        assert replies_of(ticket) == 6 + bool(early.within)
        assert len(queues[0].members(ticket.id, now=NOW)) == replies_of(ticket)
