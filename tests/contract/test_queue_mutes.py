"""What a mute promises, on every backend: whose posts it takes, and whose never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.errors import Conflict, NotFound
from triage.post import Author
from triage.queue import Change, Mute, PutResult, Queue
from triage.ticket import State, Urgency

Put = Callable[..., PutResult]
TEAM = "openbare-ruimte"
SPAM = "Verdien snel geld met deze ene truc, klik op de link in mijn profiel"
OTHER = Author(id="u-2", name="Piet Pietersen", followers=3)
DAY = timedelta(days=1)


def later(number: float) -> datetime:
    """Give a time after the mute."""
    return NOW + minutes(number)


def mute(queue: Queue, ticket: str, *, at: datetime = NOW, **more: Any) -> Mute:
    """Mute the author of a ticket for a day."""
    given: dict[str, Any] = {"until": at + DAY, "reason": "spam", "by": "sam", "request": request()}
    return queue.mute(ticket, now=at, **(given | more))


def resolve(queue: Queue, ticket: str, outcome: str, *, at: datetime) -> None:
    """Claim a ticket and close it, as a person does."""
    claim = queue.claim(ticket, owner="sam", seconds=60, now=at, request=request()).claim
    assert claim
    change = Change(outcome=outcome)
    queue.resolve(ticket, change, token=claim.token, by="sam", now=at, request=request())


@pytest.fixture
def muted(store: Store, queue: Queue, put: Put) -> Mute:
    """Give a mute of who wrote the first post."""
    put(store.copy("eerst", SPAM))
    return mute(queue, store.id("eerst"))


def open_ids(store: Store, queue: Queue) -> list[str]:
    """Name what waits."""
    return [ticket.id for ticket in queue.list(store.org, TEAM, now=later(60))]


def outcomes(store: Store, queue: Queue, post: str) -> list[dict[str, Any]]:
    """Give the events of a post that end in the outcomes log, but for what is new."""
    events = [dict(event.data) for event in queue.events(store.org)]
    return [e for e in events if e["ticket"] == store.id(post) and e["type"] != "created"]


def test_a_muted_authors_posts_are_resolved_at_once(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """What a muted author sends next stands in no queue, says which mute took it, and is counted."""
    result = put(store.entry("weer", received_at=later(1)), at=later(1))
    assert (result.created, result.muted) == (1, 1)
    ticket = queue.get(store.id("weer"), now=later(1))
    assert ticket.state is State.RESOLVED
    (item,) = ticket.history
    assert (item["action"], item["by"], item["outcome"]) == ("resolved", "demping", "gedempt")
    assert (item["mute"], item["muted_by"]) == (muted.id, "sam")
    assert open_ids(store, queue) == [store.id("eerst")]
    assert [depth.depth for depth in queue.stats(store.org, now=later(1))] == [1]
    assert queue.taken_by(muted.id) == [store.id("weer")]
    (stands,) = queue.mutes(store.org)
    assert (stands.id, stands.taken, stands.by, stands.reason) == (muted.id, 1, "sam", "spam")
    (outcome,) = outcomes(store, queue, "weer")
    assert (outcome["by"], outcome["outcome"], outcome["mute"]) == ("demping", "gedempt", muted.id)
    assert outcome["said"] == {}
    assert outcome["before"]["assessed"]["topic"] == "groen"


def test_the_ticket_tells_of_the_mute(store: Store, queue: Queue, muted: Mute) -> None:
    """The ticket from which somebody was muted stays where it is, and says who muted whom when."""
    ticket = queue.get(store.id("eerst"), now=NOW)
    assert ticket.state is State.OPEN
    assert not ticket.touched
    (item,) = ticket.history
    assert (item["action"], item["by"], item["mute"]) == ("muted", "sam", muted.id)
    (event,) = outcomes(store, queue, "eerst")
    assert event["mute"]["until"] == (NOW + DAY).isoformat()
    assert "u-1" not in repr(event)
    assert "Jan" not in repr(event)


@pytest.mark.parametrize("urgency", [Urgency.KRITIEK, Urgency.HOOG])
def test_what_cannot_wait_is_never_muted(
    store: Store, queue: Queue, put: Put, muted: Mute, urgency: Urgency
) -> None:
    """A critical post of a muted author stands in its queue as ever, also as a copy; so does hoog."""
    assert muted.stands(later(1))
    result = put(
        store.entry("alarm", "Gaslucht in de flat", urgency=urgency, received_at=later(1)),
        store.copy("kopie", SPAM, urgency=urgency, received_at=later(1)),
        at=later(1),
    )
    assert result.muted == 0
    assert queue.get(store.id("alarm"), now=later(1)).urgency is urgency
    assert queue.get(store.id("kopie"), now=later(1)).within == store.id("eerst")
    assert {store.id("alarm"), store.id("eerst")} == set(open_ids(store, queue))
    assert queue.get(store.id("eerst"), now=later(1)).urgency is urgency
    assert queue.taken_by(muted.id) == []


def test_an_edit_that_becomes_critical_comes_back(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """An edit of a muted post stays muted, until it says something that cannot wait."""
    put(store.entry("m", received_at=later(1)), at=later(1))
    result = put(store.entry("m", "Iets anders", received_at=later(2)), at=later(2))
    assert (result.edited, result.muted) == (1, 1)
    assert queue.get(store.id("m"), now=later(2)).state is State.RESOLVED
    assert [
        one["revision"] for one in outcomes(store, queue, "m") if one["type"] == "resolved"
    ] == [
        0,
        1,
    ]
    alarm = store.entry("m", "Er is brand", urgency=Urgency.KRITIEK, received_at=later(3))
    assert put(alarm, at=later(3)).muted == 0
    ticket = queue.get(store.id("m"), now=later(3))
    assert (ticket.state, ticket.urgency) == (State.OPEN, Urgency.KRITIEK)
    assert open_ids(store, queue)[0] == store.id("m")
    # It was critical once: what is said of it now does not put it out of sight.
    resolve(queue, ticket.id, "geen-actie", at=later(4))
    assert put(store.entry("m", "Toch niet", received_at=later(5)), at=later(5)).muted == 0
    assert queue.get(store.id("m"), now=later(5)).state is State.OPEN
    assert queue.taken_by(muted.id) == [store.id("m")]
    # In one batch it never was out of sight.
    put(
        store.entry("n", received_at=later(6)),
        store.entry("n", "Brand!", urgency=Urgency.KRITIEK, received_at=later(6)),
        at=later(6),
    )
    assert queue.get(store.id("n"), now=later(6)).state is State.OPEN
    assert queue.taken_by(muted.id) == [store.id("m")]


def test_an_open_ticket_stays_open_and_a_closed_one_closed(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """An edit of what is open changes it as ever; one of what was answered opens nothing."""
    put(store.entry("eerst", "Nu met een andere tekst", received_at=later(1)), at=later(1))
    assert open_ids(store, queue) == [store.id("eerst")]
    resolve(queue, store.id("eerst"), "spam", at=later(2))
    result = put(store.entry("eerst", "En nog een keer", received_at=later(3)), at=later(3))
    assert (result.edited, result.muted) == (1, 1)
    assert open_ids(store, queue) == []
    ticket = queue.get(store.id("eerst"), now=later(3))
    assert ticket.post["text"] == "En nog een keer"
    assert queue.taken_by(muted.id) == [store.id("eerst")]


def test_others_are_not_muted_by_a_muted_authors_text(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """Copies by others of what a mute took wait for people, in the same batch and in later ones."""
    text = "De lantaarnpaal bij de school brandt al een week niet meer"
    put(
        store.copy("gedempt", text, received_at=later(1)),
        store.copy("samen", text, author=OTHER, received_at=later(1)),
        at=later(1),
    )
    put(store.copy("later", text, author=OTHER, received_at=later(2)), at=later(2))
    assert queue.get(store.id("samen"), now=later(2)).state is State.OPEN
    assert queue.get(store.id("later"), now=later(2)).within == store.id("samen")
    assert store.id("samen") in open_ids(store, queue)
    # Nor by one that had a queue before, and copies, when an edit of it is taken.
    bulk = "Wie weet waar het loket voor parkeervergunningen nu zit, het is dicht"
    put(store.copy("oud", bulk, received_at=later(3)), at=later(3))
    assert queue.get(store.id("oud"), now=later(3)).state is State.RESOLVED
    put(store.copy("vraag", bulk, author=OTHER, received_at=later(4)), at=later(4))
    assert queue.get(store.id("vraag"), now=later(4)).state is State.OPEN
    assert muted.stands(later(4))


def test_copies_do_not_find_an_answered_post_whose_edit_was_muted(
    store: Store, queue: Queue, put: Put
) -> None:
    """A closed ticket that a mute keeps closed does not swallow the same question of others."""
    text = "Wie weet waar het loket voor parkeervergunningen nu zit, het is dicht"
    put(store.copy("a", text))
    resolve(queue, store.id("a"), "spam", at=NOW)
    mute(queue, store.id("a"))
    assert put(store.copy("a", f"{text}!!", received_at=later(1)), at=later(1)).muted == 1
    put(store.copy("b", text, author=OTHER, received_at=later(2)), at=later(2))
    assert open_ids(store, queue) == [store.id("b")]


def test_a_muted_copy_leaves_others_bundles_alone(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """A muted author's copy of what others wrote neither joins their ticket nor changes it."""
    text = "De lantaarnpaal bij de school brandt al een week niet meer"
    put(store.copy("van-piet", text, author=OTHER, received_at=later(1)), at=later(1))
    before = queue.get(store.id("van-piet"), now=later(1))
    result = put(store.copy("napraat", text, received_at=later(2)), at=later(2))
    assert (result.joined, result.muted) == (0, 1)
    assert queue.get(store.id("van-piet"), now=later(2)) == before
    assert queue.get(store.id("napraat"), now=later(2)).within == ""
    assert queue.taken_by(muted.id) == [store.id("napraat")]


def test_an_edited_copy_of_a_muted_author_leaves_its_bundle(
    store: Store, queue: Queue, put: Put
) -> None:
    """A copy that a muted author edits says no more in a ticket of others, and opens no other."""
    text = "De lantaarnpaal bij de school brandt al een week niet meer"
    put(store.copy("van-piet", text, author=OTHER), store.copy("van-jan", text))
    assert queue.get(store.id("van-jan"), now=NOW).within == store.id("van-piet")
    by = mute(queue, store.id("van-jan"))
    put(store.copy("van-jan", SPAM, received_at=later(1)), at=later(1))
    left = queue.get(store.id("van-jan"), now=later(1))
    assert (left.within, left.state) == ("", State.RESOLVED)
    assert open_ids(store, queue) == [store.id("van-piet")]
    assert queue.taken_by(by.id) == [store.id("van-jan")]


def test_an_edit_inside_a_closed_ticket_opens_nothing(store: Store, queue: Queue, put: Put) -> None:
    """A copy or a reply that a muted author edits does not open the ticket that it stands in."""
    text = "De lantaarnpaal bij de school brandt al een week niet meer"
    low: dict[str, Any] = {"urgency": Urgency.LAAG}
    put(store.copy("van-piet", text, author=OTHER, **low), store.copy("van-jan", text, **low))
    put(store.entry("jan"), store.entry("re", "En nu?", in_reply_to="jan"))
    assert queue.get(store.id("re"), now=NOW).within == store.id("jan")
    for post in ("van-piet", "jan"):
        resolve(queue, store.id(post), "beantwoord", at=NOW)
    by = mute(queue, store.id("jan"))
    put(
        store.copy("van-jan", f"{text}!", received_at=later(1)),
        store.entry("re", "En nu dan?", in_reply_to="jan", received_at=later(1)),
        at=later(1),
    )
    assert open_ids(store, queue) == []
    assert set(queue.taken_by(by.id)) == {store.id("van-jan"), store.id("re")}


def test_a_muted_reply_opens_no_thread(store: Store, queue: Queue, put: Put, muted: Mute) -> None:
    """A reply of a muted author does not join or open what it answers; one of others does."""
    before = queue.get(store.id("eerst"), now=later(1))
    result = put(store.entry("re", in_reply_to="eerst", received_at=later(1)), at=later(1))
    assert (result.replied, result.muted) == (0, 1)
    assert queue.get(store.id("eerst"), now=later(1)) == before
    put(store.entry("re2", in_reply_to="re", author=OTHER, received_at=later(2)), at=later(2))
    assert store.id("re2") in open_ids(store, queue)
    assert queue.taken_by(muted.id) == [store.id("re")]


def test_others_key_figures_and_other_channels_are_heard(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """A mute is of one author on one channel of one organisation; key figures are never muted."""
    elsewhere = Store(store.kind, store.url)
    put(
        store.entry("ander", author=OTHER, received_at=later(1)),
        store.entry("kanaal", channel="email", received_at=later(1)),
        store.entry("figuur", key_figure=True, received_at=later(1)),
        store.entry("naamloos", author=None, received_at=later(1)),
        at=later(1),
    )
    queue.put(elsewhere.org, [elsewhere.entry("x")], now=later(1), request=request())
    assert len(open_ids(store, queue)) == 5
    assert queue.get(elsewhere.id("x"), now=later(1)).state is State.OPEN
    assert queue.taken_by(muted.id) == []


def test_a_mute_counts_from_when_to_when_it_stands(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """It takes what came in while it stood, however late that is put, and nothing of before or after."""
    after = muted.until
    put(
        store.entry("ervoor", received_at=NOW - minutes(1)),
        store.entry("tijdens", received_at=after - minutes(1)),
        store.entry("erna", received_at=after),
        at=after + minutes(5),
    )
    taken = {
        post: queue.get(store.id(post), now=after).state for post in ("ervoor", "tijdens", "erna")
    }
    assert taken == {"ervoor": State.OPEN, "tijdens": State.RESOLVED, "erna": State.OPEN}
    assert [one.stands(after) for one in queue.mutes(store.org)] == [False]
    again = mute(queue, store.id("erna"), at=after)
    assert again.id != muted.id


def test_ended_by_hand_it_takes_nothing_more(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """From an end on all is put before people; what was taken stays, and can be brought back."""
    put(
        store.entry("m1", received_at=later(1)),
        store.entry("m2", received_at=later(1)),
        at=later(1),
    )
    ended = queue.unmute(muted.id, by="lea", now=later(2), request=request())
    assert (ended.ended_by, ended.ended_at, ended.taken) == ("lea", later(2), 2)
    assert queue.unmute(muted.id, by="x", now=later(3), request=request()) == ended
    put(store.entry("m3", received_at=later(3)), at=later(3))
    assert set(open_ids(store, queue)) == {store.id("eerst"), store.id("m3")}
    assert [i["action"] for i in queue.get(store.id("eerst"), now=later(3)).history] == [
        "muted",
        "unmuted",
    ]
    back: dict[str, Any] = {"by": "lea", "now": later(4)}
    opened = queue.bring_back(store.id("m1"), muted.id, request=request(), **back)
    assert (opened.state, opened.touched) == (State.OPEN, False)
    assert store.id("m1") in open_ids(store, queue)
    with pytest.raises(Conflict, match="gedempt"):
        queue.bring_back(store.id("m1"), muted.id, request=request(), **back)
    with pytest.raises(Conflict, match="gedempt"):
        queue.bring_back(store.id("m2"), f"{store.org}.anders", request=request(), **back)
    with pytest.raises(NotFound):
        queue.unmute(f"{store.org}.bestaatniet", by="lea", now=later(5), request=request())


def test_other_processes_hear_of_it_at_once(store: Store, put: Put, queue: Queue) -> None:
    """A mute and its end hold for the very next put of every process."""
    worker = store.open()
    worker.put(store.org, [store.entry("eerst")], now=NOW, request=request())
    for turn in range(3):
        by = mute(queue, store.id("eerst"), at=later(turn * 10))
        at = later(turn * 10 + 1)
        entry = store.entry(f"stil-{turn}", received_at=at)
        assert worker.put(store.org, [entry], now=at, request=request()).muted == 1
        queue.unmute(by.id, by="sam", now=later(turn * 10 + 2), request=request())
        at = later(turn * 10 + 3)
        entry = store.entry(f"luid-{turn}", received_at=at)
        assert worker.put(store.org, [entry], now=at, request=request()).muted == 0
    assert len(open_ids(store, queue)) == 4
    assert put(store.entry("nog", received_at=later(60)), at=later(60)).muted == 0


def test_repeats_count_once(store: Store, queue: Queue, put: Put, muted: Mute) -> None:
    """The same post again, and the same request again, take nothing twice."""
    entry = store.entry("m", received_at=later(1))
    sent: dict[str, Any] = {"now": later(1), "request": request()}
    first = queue.put(store.org, [entry], **sent)
    assert queue.put(store.org, [entry], **sent) == first
    again = put(entry, at=later(2))
    assert (again.created, again.repeated, again.muted) == (0, 1, 0)
    assert [one.taken for one in queue.mutes(store.org)] == [1]
    asked: dict[str, Any] = {
        "until": NOW + DAY,
        "reason": "spam",
        "by": "sam",
        "now": NOW,
        "request": request(),
    }
    other = store.entry("van-piet", author=OTHER)
    put(other)
    made = queue.mute(other.ticket_id, **asked)
    assert queue.mute(other.ticket_id, **asked) == made
    assert len(queue.mutes(store.org)) == 2


def test_refusals(store: Store, queue: Queue, put: Put, muted: Mute) -> None:
    """Somebody is muted once at a time, for some days at most, by name of the author's post."""
    with pytest.raises(Conflict, match="al gedempt") as twice:
        mute(queue, store.id("eerst"), at=later(1))
    assert twice.value.code == "muted"
    put(store.entry("naamloos", author=None))
    with pytest.raises(Conflict) as nobody:
        mute(queue, store.id("naamloos"))
    assert nobody.value.code == "no-author"
    with pytest.raises(NotFound):
        mute(queue, store.id("bestaat-niet"))
    with pytest.raises(ValueError, match="until"):
        mute(queue, store.id("eerst"), until=NOW + timedelta(days=31))
    with pytest.raises(ValueError, match="reason"):
        mute(queue, store.id("eerst"), reason="zomaar")
    assert [one.id for one in queue.mutes(store.org)] == [muted.id]


def test_a_withdrawal_masks_what_was_muted(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """What the sender takes back is masked, muted or not, and stays out of the queues."""
    put(store.entry("m", received_at=later(1)), at=later(1))
    put(store.deletion("m", received_at=later(2)), at=later(2))
    ticket = queue.get(store.id("m"), now=later(2))
    assert (ticket.state, ticket.post.get("deleted")) == (State.RESOLVED, True)
    assert queue.taken_by(muted.id) == [store.id("m")]


def test_retention_takes_mutes_too(store: Store, queue: Queue, put: Put, muted: Mute) -> None:
    """A mute that was over long ago is forgotten, with what it took; one that stands never is."""
    put(store.entry("m", received_at=later(1)), at=later(1))
    week = 7 * 24 * 3600.0
    queue.sweep(store.org, now=muted.until + timedelta(days=6), retention_seconds=week)
    assert [one.id for one in queue.mutes(store.org)] == [muted.id]
    queue.sweep(store.org, now=muted.until + timedelta(days=8), retention_seconds=week)
    assert queue.mutes(store.org) == []
    assert queue.taken_by(muted.id) == []


def test_a_mute_outlives_the_ticket_that_tells_of_it(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """A mute whose ticket retention took still stands, and can still be ended."""
    resolve(queue, store.id("eerst"), "spam", at=NOW)
    assert queue.sweep(store.org, now=later(10), retention_seconds=60) == 1
    assert put(store.entry("m", received_at=later(11)), at=later(11)).muted == 1
    assert queue.unmute(muted.id, by="lea", now=later(12), request=request()).ended_by == "lea"
    assert put(store.entry("n", received_at=later(13)), at=later(13)).muted == 0


def test_the_outcomes_log_brings_mutes_back(
    store: Store, queue: Queue, put: Put, muted: Mute
) -> None:
    """A store filled again knows who is muted, and what was ended stays ended; twice is once."""
    put(
        store.entry("m1", received_at=later(1)),
        store.entry("m2", received_at=later(1)),
        at=later(1),
    )
    acts = [event.data for event in queue.events(store.org) if event.data["type"] != "created"]
    other = Store(store.kind, store.url)

    def there(act: Any) -> dict[str, Any]:
        """Give an act as the other organisation would have had it."""
        said = {**act, "ticket": act["ticket"].replace(store.org, other.org), "org": other.org}
        if isinstance(act["mute"], str):
            said["mute"] = act["mute"].replace(store.org, other.org)
        else:
            said["mute"] = act["mute"] | {"id": act["mute"]["id"].replace(store.org, other.org)}
        return said

    new = [other.copy("eerst", SPAM), other.entry("m1", received_at=later(1))]
    queue.put(other.org, new, now=later(30), request=request())
    assert queue.restore(other.org, [there(act) for act in acts], now=later(30)) == 2
    (again,) = queue.mutes(other.org)
    assert (again.by, again.at, again.until, again.reason) == (
        *(muted.by, muted.at, muted.until),
        muted.reason,
    )
    assert queue.taken_by(again.id) == [other.id("m1")]
    late = other.entry("m2", received_at=later(1))
    assert queue.put(other.org, [late], now=later(30), request=request()).muted == 1
    assert queue.restore(other.org, [there(act) for act in acts], now=later(31)) == 0
    queue.unmute(again.id, by="lea", now=later(32), request=request())
    queue.restore(other.org, [there(act) for act in acts], now=later(33))
    assert [one.ended_by for one in queue.mutes(other.org)] == ["lea"]
    next_one = other.entry("n", received_at=later(34))
    assert queue.put(other.org, [next_one], now=later(34), request=request()).muted == 0
