"""Bundles, on every backend: who joins, what is never hidden, and what people do to them."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugins.queue_stores import IN_AN_HOUR, NOW, Store, minutes, request
from tests.plugins.redis_server import RedisServer
from triage.bundle import compare, read
from triage.errors import Conflict, NotFound
from triage.queue import Change, PutResult, Queue
from triage.ticket import State, Ticket, Urgency

TEAM = "openbare-ruimte"
FIRE = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, veel rook boven de wijk"
EDITED = "Grote brand bij het oude pakhuis aan de Havenkade in Borne, heel veel rook boven de buurt"
ELSEWHERE = "Grote brand bij het oude pakhuis aan de Havenkade in Hengelo, veel rook boven de wijk"

Put = Callable[..., PutResult]


def listed(queue: Queue, store: Store) -> list[Ticket]:
    """Give the open tickets of the team."""
    return list(queue.list(store.org, TEAM, now=NOW))


def taken(queue: Queue, ticket: str, owner: str = "an") -> int:
    """Claim a ticket; give the token."""
    claimed = queue.claim(ticket, owner=owner, seconds=600, now=NOW, request=request())
    assert claimed.claim
    return claimed.claim.token


def outcomes(queue: Queue, store: Store, kind: str = "resolved") -> list[dict[str, Any]]:
    """Give the events of a kind."""
    return [dict(e.data) for e in queue.events(store.org) if e.data["type"] == kind]


def test_copies_stand_in_one_ticket(store: Store, queue: Queue, put: Put) -> None:
    """A retweet, an equal text and an edit join; another place doesn't; all is counted."""
    assert put(store.copy("a", FIRE)).created == 1
    result = put(
        store.copy("b", f'RT @jan: "{FIRE}" https://t.example/1', channel="mastodon"),
        store.copy("c", EDITED),
        store.copy("d", ELSEWHERE),
    )
    assert (result.joined, result.created, result.sizes) == (2, 1, (3,))
    first, other = sorted(listed(queue, store), key=lambda ticket: ticket.bundle is None)
    assert (first.id, other.id) == (store.id("a"), store.id("d"))
    assert first.bundle
    assert first.bundle["count"] == 3
    assert first.bundle["channels"] == {"x": 2, "mastodon": 1}
    assert [(v["count"], v["text"]) for v in first.bundle["variants"]] == [(2, FIRE), (1, EDITED)]
    member = queue.get(store.id("b"), now=NOW)
    assert member.within == first.id
    assert {m.id for m in queue.members(first.id, now=NOW)} == {store.id("b"), store.id("c")}
    (depth,) = queue.stats(store.org, now=NOW)
    assert depth.depth == 2


def test_a_bundle_in_one_batch(store: Store, queue: Queue, put: Put) -> None:
    """Copies that come in one batch meet as well."""
    entries = [store.copy(f"p{n}", FIRE) for n in range(50)]
    assert put(*entries).joined == 49
    assert put(*entries) == PutResult(repeated=50)
    (ticket,) = listed(queue, store)
    assert ticket.bundle
    assert ticket.bundle["count"] == 50


def test_a_more_urgent_copy_raises_its_bundle(store: Store, queue: Queue, put: Put) -> None:
    """Also while it's claimed, and when it was resolved."""
    put(store.copy("a", FIRE), store.copy("b", FIRE))
    token = taken(queue, store.id("a"))
    result = put(store.copy("c", FIRE, urgency=Urgency.KRITIEK, due=NOW + minutes(15)))
    assert (result.joined, result.raised) == (1, 1)
    (ticket,) = listed(queue, store)
    assert (ticket.urgency, ticket.due_at) == (Urgency.KRITIEK, NOW + minutes(15))
    assert ticket.claim
    queue.resolve(ticket.id, Change(outcome="x"), token=token, by="an", now=NOW, request=request())
    assert listed(queue, store) == []
    result = put(store.copy("d", FIRE, urgency=Urgency.KRITIEK, due=NOW + minutes(5)))
    assert (result.joined, result.raised) == (1, 1)
    (ticket,) = listed(queue, store)
    assert ticket.state is State.OPEN
    assert ticket.due_at == NOW + minutes(5)


@pytest.mark.parametrize(
    ("first", "copy", "stands"),
    [
        ("kritiek", "kritiek", "copy"),
        ("normaal", "hoog", "copy"),
        ("kritiek", "hoog", "first"),
    ],
)
def test_the_time_of_a_bundle_that_opens_counts_from_its_copy(
    store: Store, queue: Queue, put: Put, first: str, copy: str, stands: str
) -> None:
    """What was answered in time is not late again; urgency and due time are of one post."""
    dues = {"first": NOW + minutes(15), "copy": NOW + minutes(75)}
    put(store.copy("a", FIRE, urgency=Urgency(first), due=dues["first"]))
    token = taken(queue, store.id("a"))
    queue.resolve(
        store.id("a"), Change(outcome="x"), token=token, by="an", now=NOW, request=request()
    )
    assert put(store.copy("b", FIRE, urgency=Urgency(copy), due=dues["copy"])).raised == 1
    (ticket,) = listed(queue, store)
    urgency = Urgency(copy if stands == "copy" else first)
    assert (ticket.urgency, ticket.due_at) == (urgency, dues[stands])


def test_new_critical_detail_stands_on_its_own(store: Store, queue: Queue, put: Put) -> None:
    """A copy with other words that is critical is not put away inside a lesser bundle."""
    put(store.copy("a", FIRE))
    put(store.copy("b", EDITED, urgency=Urgency.KRITIEK))
    assert {t.id: t.urgency for t in listed(queue, store)} == {
        store.id("a"): Urgency.NORMAAL,
        store.id("b"): Urgency.KRITIEK,
    }


def test_an_equal_copy_of_what_was_answered(store: Store, queue: Queue, put: Put) -> None:
    """It gets the same answer, with an outcome of its own; a near copy goes to a person."""
    put(store.copy("a", FIRE))
    token = taken(queue, store.id("a"))
    queue.resolve(
        store.id("a"), Change(outcome="beantwoord"), token=token, by="an", now=NOW, request="r1"
    )
    assert put(store.copy("b", FIRE)).joined == 1
    assert listed(queue, store) == []
    assert queue.get(store.id("b"), now=NOW).state is State.RESOLVED
    own = outcomes(queue, store)[-1]
    assert (own["ticket"], own["outcome"], own["by"]) == (store.id("b"), "beantwoord", "bundel")
    assert put(store.copy("c", EDITED)).created == 1
    assert [t.id for t in listed(queue, store)] == [store.id("c")]
    assert put(store.copy("d", FIRE, key_figure=True)).raised == 1
    assert {t.id for t in listed(queue, store)} == {store.id("a"), store.id("c")}


def test_every_member_gets_the_outcome(store: Store, queue: Queue, put: Put) -> None:
    """Resolved once; each post has an outcome with an id of its own that names the bundle."""
    put(*(store.copy(f"p{n}", FIRE) for n in range(20)))
    lead = store.id("p0")
    token = taken(queue, lead)
    change = Change(topic="wegen")
    queue.correct(lead, change, token=token, by="an", now=NOW, request="r2")
    queue.resolve(lead, Change(outcome="ok"), token=token, by="an", now=NOW, request="r3")
    for kind in ("corrected", "resolved"):
        found = outcomes(queue, store, kind)
        assert {one["ticket"] for one in found} == {store.id(f"p{n}") for n in range(20)}
        assert len({one["id"] for one in found}) == 20
        assert {one["bundle"] for one in found} == {lead}
        assert {one["before"]["assessed"]["topic"] for one in found} == {"groen"}
        assert {one["topic"] for one in found} == {"wegen"}


def test_a_member_is_worked_in_its_bundle(store: Store, queue: Queue, put: Put) -> None:
    """Nobody can take a post that stands inside a bundle."""
    put(store.copy("a", FIRE), store.copy("b", FIRE))
    with pytest.raises(Conflict, match="bundel"):
        taken(queue, store.id("b"))
    with pytest.raises(Conflict, match="bundel"):
        queue.correct(
            store.id("b"), Change(topic="x"), token=None, by="an", now=NOW, request=request()
        )


def test_split_stays_apart(store: Store, queue: Queue, put: Put) -> None:
    """Members taken out have one ticket together; no copy joins it, and it joins none."""
    put(*(store.copy(f"p{n}", FIRE) for n in range(5)))
    lead, out = store.id("p0"), [store.id("p1"), store.id("p2")]
    token = taken(queue, lead)
    with pytest.raises(Conflict):
        queue.split(lead, out, token=token + 1, by="an", now=NOW, request=request())
    with pytest.raises(NotFound):
        queue.split(lead, [store.id("x")], token=token, by="an", now=NOW, request=request())
    for _ in range(2):
        queue.split(lead, out, token=token, by="an", now=NOW, request="s1")
    counts = {t.id: t.bundle["count"] for t in listed(queue, store) if t.bundle}
    assert counts == {lead: 3, out[0]: 2}
    assert len(outcomes(queue, store, "split")) == 2
    put(store.copy("p9", FIRE))
    counts = {t.id: t.bundle["count"] for t in listed(queue, store) if t.bundle}
    assert counts == {lead: 4, out[0]: 2}
    assert put(store.copy("p1", FIRE)).repeated == 1
    assert put(store.copy("p2", EDITED)).edited == 1
    assert queue.get(store.id("p2"), now=NOW).within == out[0]


def test_merge_by_hand(store: Store, queue: Queue, put: Put) -> None:
    """Tickets put together count as one, as urgent as the most urgent; a held one is refused."""
    put(store.copy("a", FIRE), store.copy("b", FIRE))
    put(
        store.copy("c", "Iets heel anders over dezelfde zaak", urgency=Urgency.HOOG),
        store.copy("d", "En nog een bericht dat hier bij hoort"),
    )
    token = taken(queue, store.id("d"))
    with pytest.raises(Conflict):
        queue.merge(store.id("a"), [store.id("d")], token=None, by="an", now=NOW, request=request())
    queue.release(store.id("d"), token=token, now=NOW, request=request())
    queue.merge(
        store.id("c"),
        [store.id("a"), store.id("d")],
        token=None,
        by="an",
        now=NOW,
        request=request(),
    )
    (ticket,) = listed(queue, store)
    assert ticket.bundle
    assert (ticket.id, ticket.urgency, ticket.bundle["count"]) == (
        store.id("c"),
        Urgency.HOOG,
        4,
    )
    inside = {member.id for member in queue.members(ticket.id, now=NOW)}
    assert inside == {store.id("a"), store.id("b"), store.id("d")}
    put(store.copy("e", FIRE))
    assert queue.get(store.id("e"), now=NOW).within == store.id("c")


def test_regrouping_is_restored(store: Store, queue: Queue, put: Put) -> None:
    """What people split and merged stands in the outcomes, and a store filled anew gets it back."""
    put(
        *(store.copy(f"p{n}", FIRE) for n in range(3)),
        store.copy("q", "Iets anders, vandaag gezien"),
    )
    queue.split(store.id("p0"), [store.id("p2")], token=None, by="an", now=NOW, request="s")
    queue.merge(store.id("p0"), [store.id("q")], token=None, by="an", now=NOW, request="m")
    acts = outcomes(queue, store, "split") + outcomes(queue, store, "merged")
    anew = Store(store.kind, store.url)
    again = anew.open()
    moved = [
        {**act, **{k: str(act[k]).replace(store.org, anew.org) for k in ("ticket", "within")}}
        for act in acts
    ]
    entries = [anew.copy(f"p{n}", FIRE) for n in range(3)]
    entries.append(anew.copy("q", "Iets anders, vandaag gezien"))
    again.put(anew.org, entries, now=NOW, request=request())
    assert again.restore(anew.org, moved, now=NOW) == 2
    assert again.restore(anew.org, moved, now=NOW) == 0
    tickets = {t.id: t for t in again.list(anew.org, TEAM, now=NOW)}
    assert set(tickets) == {anew.id("p0"), anew.id("p2")}
    bundle = tickets[anew.id("p0")].bundle
    assert bundle
    assert bundle["count"] == 3
    anew.close()


def test_an_edit_leaves_the_bundle_when_it_says_something_else(
    store: Store, queue: Queue, put: Put
) -> None:
    """A member edited to another fact gets a ticket of its own; one that still fits stays."""
    put(*(store.copy(f"p{n}", FIRE) for n in range(3)))
    assert put(store.copy("p1", ELSEWHERE), store.copy("p2", EDITED)).edited == 2
    tickets = {t.id: t for t in listed(queue, store)}
    assert set(tickets) == {store.id("p0"), store.id("p1")}
    bundle = tickets[store.id("p0")].bundle
    assert bundle
    assert (bundle["count"], len(bundle["variants"])) == (2, 2)


def test_a_withdrawn_text_is_not_shown(store: Store, queue: Queue, put: Put) -> None:
    """A text that only one member had goes with it."""
    put(store.copy("a", FIRE), store.copy("b", EDITED), store.copy("c", FIRE))
    put(store.deletion("b"))
    ticket = queue.get(store.id("a"), now=NOW)
    assert ticket.bundle
    assert EDITED not in str(ticket.bundle)
    assert ticket.bundle["count"] == 3


def test_the_window(store: Store, queue: Queue, put: Put) -> None:
    """A copy after the window begins anew; short texts wait for an hour."""
    later = NOW + minutes(25 * 60)
    put(store.copy("a", FIRE), store.copy("k", "ja hoor"))
    assert put(store.copy("l", "Ja hoor!", received_at=NOW + minutes(59))).joined == 1
    assert (
        put(
            store.copy("m", "ja, hoor", received_at=NOW + minutes(121)), at=NOW + minutes(121)
        ).created
        == 1
    )
    assert put(store.copy("b", FIRE, received_at=later), at=later).created == 1
    assert put(store.copy("c", FIRE, received_at=later), at=later).joined == 1
    assert queue.get(store.id("c"), now=later).within == store.id("b")


def test_a_copy_that_was_cut_off_joins(store: Store, queue: Queue, put: Put) -> None:
    """Half of a text with an ellipsis is a copy of it, whichever came first."""
    cut = "Grote brand bij het oude pakhuis aan de Havenkade in Borne..."
    put(store.copy("a", FIRE))
    assert put(store.copy("b", cut)).joined == 1
    longer = "Er ligt sinds vanochtend een omgewaaide kastanje over het fietspad langs de Vecht"
    put(store.copy("c", longer[:60] + "…"))
    assert put(store.copy("d", longer)).joined == 1


@pytest.mark.redis
def test_keys_of_the_day_before_are_found_and_old_ones_go(
    redis_store: Store, redis_server: RedisServer
) -> None:
    """Over midnight copies meet; days that no window reaches any more are let go."""
    queue, prefix = redis_store.open(), f"triage:{{{redis_store.org}}}:"

    def put(post: str, text: str) -> PutResult:
        entry = redis_store.copy(post, text)
        return queue.put(redis_store.org, [entry], now=NOW, request=request())

    put("a", FIRE)
    with redis_server.client() as client:
        (today,) = client.zrange(f"{prefix}keydays", 0, -1)
        before = str(int(today) - 1)
        client.rename(f"{prefix}keys:{today.decode()}", f"{prefix}keys:{before}")
        assert put("b", EDITED).joined == 1
        assert put("c", f"{EDITED} hoor").joined == 1
        client.zadd(f"{prefix}keydays", {before: 1})
        queue.sweep(redis_store.org, now=NOW, retention_seconds=3600)
        assert not client.exists(f"{prefix}keys:{before}")
        assert client.zrange(f"{prefix}keydays", 0, -1) == [today]
    assert put("d", EDITED).joined == 1


def test_retention_takes_the_members(store: Store, queue: Queue, put: Put) -> None:
    """A resolved bundle goes with all that is inside it."""
    put(*(store.copy(f"p{n}", FIRE) for n in range(3)))
    token = taken(queue, store.id("p0"))
    queue.resolve(
        store.id("p0"), Change(outcome="ok"), token=token, by="an", now=NOW, request=request()
    )
    assert queue.sweep(store.org, now=NOW + minutes(90), retention_seconds=3600) == 1
    for post in ("p0", "p1"):
        with pytest.raises(NotFound):
            queue.get(store.id(post), now=NOW)
    assert put(*(store.copy(f"p{n}", FIRE) for n in range(3))).repeated == 3


def test_copies_put_at_the_same_moment_make_one_bundle(store: Store) -> None:
    """Thousands of races of two workers: one bundle each, with exact counts."""
    rounds, start = 300, threading.Barrier(2)
    queues = [store.open(), store.open()]

    def race(worker: int) -> None:
        for n in range(rounds):
            entries = [
                store.copy(f"{worker}-{n}-{k}", f"{FIRE}, zo zag ik in straat {2 * n + k % 2}")
                for k in range(6)
            ]
            start.wait()
            queues[worker].put(store.org, entries, now=NOW, request=request())

    threads = [threading.Thread(target=race, args=(worker,)) for worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tickets: list[Ticket] = []
    while page := queues[0].list(store.org, TEAM, now=NOW, limit=500, offset=len(tickets)):
        tickets += page
    assert [t.bundle["count"] for t in tickets if t.bundle] == [6] * (2 * rounds)
    for ticket in tickets[::50]:
        assert len(queues[0].members(ticket.id, now=NOW)) == 5


def test_a_due_time_comes_forward(store: Store, queue: Queue, put: Put) -> None:
    """A copy with a shorter term shortens its bundle's, at the same urgency."""
    put(store.copy("a", FIRE))
    put(store.copy("b", FIRE, due=IN_AN_HOUR - minutes(30)))
    (ticket,) = listed(queue, store)
    assert ticket.due_at == IN_AN_HOUR - minutes(30)


def test_long_bundles_hide_no_other(store: Store, queue: Queue, put: Put) -> None:
    """Bundles that got copies all day take no place from a ticket that looks like them."""
    flood = (
        "Sinds vanochtend vroeg staat de hele kelder van ons appartementencomplex onder water door "
        "een gesprongen leiding, wie kan de bewoners helpen, in Borne"
    )
    put(store.copy("a", flood))
    for hour in range(20):
        at = NOW + minutes(60 * hour + 1)
        for place in ("Hengelo", "Delden"):
            text = flood.replace("Borne", place)
            put(store.copy(f"{place}-{hour}", text, received_at=at), at=at)
    at = NOW + minutes(60 * 20)
    edited = flood.replace("vroeg ", "").replace("hele ", "")
    assert put(store.copy("b", edited, received_at=at), at=at).joined == 1
    assert queue.get(store.id("b"), now=at).within == store.id("a")


def test_no_undo_lets_a_due_time_fall_back(store: Store, queue: Queue, put: Put) -> None:
    """What was done before a copy shortened the term can't be taken back with it."""
    put(store.copy("a", FIRE))
    lead, later = store.id("a"), Change(due_at=IN_AN_HOUR + minutes(600))
    queue.correct(lead, later, token=None, by="an", now=NOW, request=request())
    put(store.copy("b", FIRE, due=IN_AN_HOUR - minutes(55)))
    with pytest.raises(Conflict):
        queue.undo(lead, by="an", now=NOW, request=request())
    ticket = queue.get(lead, now=NOW)
    assert ticket.due_at == IN_AN_HOUR - minutes(55)
    assert ticket.history[-1]["action"] == "joined"


TEXTS = (FIRE, EDITED, ELSEWHERE, "Lantaarnpaal kapot in de Dorpsstraat bij de bushalte", "ja hoor")


@given(
    picks=st.lists(st.integers(0, len(TEXTS) - 1), min_size=2, max_size=12),
    rng=st.randoms(use_true_random=False),
    cut=st.integers(1, 6),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_gives_the_same_bundles(
    store: Store, picks: list[int], rng: random.Random, cut: int
) -> None:
    """Equal texts end together in whatever order and batches they come; put twice is put once."""
    queue = store.open()
    groups = []
    for _ in range(2):
        here = Store(store.kind, store.url)
        entries = [here.copy(f"p{n}", TEXTS[pick]) for n, pick in enumerate(picks)]
        order = rng.sample(entries, len(entries))
        for _ in range(2):
            for start in range(0, len(order), cut):
                queue.put(here.org, order[start : start + cut], now=NOW, request=request())
        tickets = [queue.get(entry.ticket_id, now=NOW) for entry in entries]
        leads = [ticket.within or ticket.id for ticket in tickets]
        listed_counts = Counter(leads)
        for ticket in queue.list(here.org, TEAM, now=NOW):
            assert (ticket.bundle["count"] if ticket.bundle else 1) == listed_counts[ticket.id]
        together = {
            (a, b)
            for a in range(len(picks))
            for b in range(len(picks))
            if leads[a] == leads[b] and picks[a] == picks[b]
        }
        groups.append(together)
        assert together == {
            (a, b) for a in range(len(picks)) for b in range(len(picks)) if picks[a] == picks[b]
        }
    assert groups[0] == groups[1]
    queue.close()


def test_no_chain_drifts(store: Store, queue: Queue, put: Put) -> None:
    """Edits of edits join only as long as they are near the first text."""
    words = FIRE.split()
    for step in range(len(words)):
        words[step] = f"woord{'abcdefghijklmnopqrst'[step]}"
        put(store.copy(f"p{step}", " ".join(words)))
    put(store.copy("first", FIRE))
    for ticket in listed(queue, store):
        first = read(str(ticket.post["text"]))
        for member in queue.members(ticket.id, now=NOW):
            assert compare(first, read(str(member.post["text"]))).same
