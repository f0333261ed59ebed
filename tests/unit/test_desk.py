"""The parts of the desk that need no browser: texts, canned answers, filters, lists, counts."""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.plugins.queue_stores import NOW, Store, minutes, request
from triage.errors import Refused, Unavailable
from triage.queue import Change, Queue
from triage.ticket import Urgency
from triage.web.desk.activity import Activity
from triage.web.desk.answers import load_answers, offered
from triage.web.desk.forecast import agents_needed, expected
from triage.web.desk.labelling import team_lot
from triage.web.desk.lists import Lists
from triage.web.desk.rows import Filter, row_of
from triage.web.desk.show import marked, safe_link
from triage.web.desk.texts import LANGUAGES, texts
from triage.web.threads import Pool

WEB: Final = Path(__file__).resolve().parents[2] / "triage" / "web"
TEAM: Final = "openbare-ruimte"
Put = Callable[..., Any]


def test_every_text_is_there_in_every_language() -> None:
    """Each has all languages and the same variables in them, and each that is used is there."""
    catalogues = [texts(language) for language in LANGUAGES]
    first = catalogues[0]._texts
    for other in catalogues[1:]:
        assert other._texts.keys() == first.keys()
        for key, text in other._texts.items():
            assert _variables(text) == _variables(first[key]), key
            assert text.strip(), key
    pages = "".join(path.read_text() for path in (WEB / "templates").glob("*.html"))
    used = set(re.findall(r"\bt\('([\w.-]+)'", pages))
    scripts = "".join(path.read_text() for path in (WEB / "static" / "desk").glob("*.js"))
    used |= {f"js.{key}" for key in re.findall(r"\bt\(\"(\w+)\"", scripts)}
    used |= {f"js.{key}" for key in re.findall(r"\"(cmd_\w+)\"", scripts)}
    assert len(used) > 150
    assert used <= first.keys(), used - first.keys()


def _variables(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_canned_answers_are_checked_and_ranked(tmp_path: Path) -> None:
    """The best fitting first; a wrong variable, key or place in the file is refused by name."""
    ranked = offered(load_answers(None), org="gemeente", topic="groen-water", intent="melding")
    assert ranked[0][0].key == "groen-gemeld"
    assert ranked[-1][1] is False
    file = tmp_path / "antwoorden.toml"
    good = '[[answer]]\nkey = "a"\ntitle = "A"\ntext = "Dag {naam}"\n'
    for bad in (
        good.replace("{naam}", "{onbekend}"),
        good.replace("{naam}", "{naam.__class__}"),
        good.replace("{naam}", "{"),
        good + 'topics = ["bestaat-niet"]\n',
        good + good,
        good.replace("title", "titel"),
        "x = 1",
        "[[answer",
    ):
        file.write_text(bad)
        with pytest.raises(Refused):
            load_answers(file)
    file.write_text(good)
    assert load_answers(file)[0].filled({"naam": "{kwaad}"}) == "Dag {kwaad}"
    with pytest.raises(Refused):
        load_answers(tmp_path / "nergens")


def test_marked_pieces_join_to_the_text() -> None:
    """Words are marked wherever they stand whole, also with signs of regular expressions in them."""
    reasons = [{"token": "c++", "weight": 1}, {"token": "gas lucht", "weight": -2.0}]
    text = "Gas  lucht? c++ (gas luchtig) <b>C++</b>"
    pieces = marked(text, reasons)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, weight in pieces if weight is not None] == ["Gas  lucht", "c++", "C++"]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//x", "https://", "http:\n//x", "ht tp://x"],
)
def test_no_address_but_of_the_web_becomes_a_link(address: str) -> None:
    """Anything else stays text."""
    assert safe_link(address) == ""


def test_a_filter_keeps_what_is_asked(store: Store, queue: Queue, put: Put) -> None:
    """Each field narrows; what is set aside shows only when asked for."""
    put(
        store.entry("a", "Boom om in de Kerkstraat", urgency=Urgency.HOOG),
        store.entry("b", "Vraag over afval", topic="afval-schoon"),
    )
    queue.snooze(
        store.id("b"), until=NOW + minutes(9), token=None, by="x", now=NOW, request=request()
    )
    rows = [row_of(ticket) for ticket in queue.list(store.org, TEAM, now=NOW)]

    def kept(at: datetime = NOW, **asked: Any) -> list[str]:
        return [row.id for row in rows if Filter(**asked).keeps(row, "ans", at)]

    assert kept() == [store.id("a")]
    assert kept(show="uitgesteld") == [store.id("b")]
    assert kept(NOW + minutes(10)) == [store.id("a"), store.id("b")]
    assert kept(NOW + minutes(10), topic="afval-schoon") == [store.id("b")]
    assert kept(q="KERKSTRAAT boom") == [store.id("a")]
    assert kept(q="jan jansen") == [store.id("a")]
    assert kept(urgency="laag") == []
    assert kept(show="mijn") == []
    asked = Filter(q="x", unsure=True)
    assert Filter.read({**asked.parameters(), "onbekend": "1"}) == asked


def test_who_is_decided_on_is_unsure_no_more(store: Store, queue: Queue, put: Put) -> None:
    """What somebody confirmed is not shown as uncertain again; what was undone is."""
    entries = [store.entry(key, f"Bericht {key}") for key in ("a", "b", "c")]
    put(*(replace(one, assessment=replace(one.assessment, abstained=True)) for one in entries))
    for key in ("a", "b"):
        queue.confirm(store.id(key), Change(), token=None, by="x", now=NOW, request=request())
    queue.undo(store.id("b"), by="x", now=NOW, request=request())
    rows = [row_of(ticket) for ticket in queue.list(store.org, TEAM, now=NOW)]
    kept = {row.id for row in rows if Filter(unsure=True).keeps(row, "ans", NOW)}
    assert kept == {store.id("b"), store.id("c")}


def test_a_list_follows_its_queue(store: Store, queue: Queue, put: Put) -> None:
    """Whatever happens to tickets, what is listed is what the store would list."""
    lists = Lists(queue, Pool(4))
    cursor = ""

    async def look() -> None:
        nonlocal cursor
        events = queue.events(store.org, cursor)
        cursor = events[-1].cursor if events else cursor
        lists.note(store.org, events)
        for team in (TEAM, "wijkteam"):
            rows = await lists.rows(store.org, team, now=NOW, fresh=True)
            stands = queue.list(store.org, team, now=NOW)
            assert [(row.id, row.version) for row in rows] == [(t.id, t.version) for t in stands]

    async def play() -> None:
        put(*(store.entry(f"p{n}", due=NOW + minutes(n)) for n in range(30)))
        await look()
        change = Change(urgency=Urgency.KRITIEK, due_at=NOW + minutes(99))
        queue.correct(store.id("p9"), change, token=None, by="a", now=NOW, request=request())
        queue.reassign(
            store.id("p3"), Change(team="wijkteam"), token=None, by="a", now=NOW, request=request()
        )
        held = queue.claim(store.id("p5"), owner="a", seconds=9, now=NOW, request=request())
        assert held.claim
        await look()
        done = queue.resolve(
            store.id("p5"),
            Change(outcome="x"),
            token=held.claim.token,
            by="a",
            now=NOW,
            request=request(),
        )
        lists.changed(done)
        assert done.id not in {r.id for r in await lists.rows(store.org, TEAM, now=NOW)}
        await look()
        queue.undo(store.id("p5"), by="a", now=NOW, request=request())
        put(*(store.entry(f"n{n}", due=NOW + minutes(n / 7)) for n in range(40)))
        await look()
        text = "De brug over de vaart staat al een uur open"
        put(*(store.copy(f"c{n}", text) for n in range(3)))
        await look()
        put(store.copy("c3", text), store.entry("r", "En nu?", in_reply_to="c0"))
        await look()
        (row,) = [r for r in await lists.rows(store.org, TEAM, now=NOW) if r.count > 1]
        assert (row.id, row.count, row.replies) == (store.id("c0"), 4, 1)
        lead = store.id("c0")
        queue.split(lead, [store.id("c3")], token=None, by="a", now=NOW, request=request())
        await look()
        put(store.deletion("c2"), store.entry("r", "En hoe nu?", in_reply_to="c0"))
        await look()
        queue.merge(lead, [store.id("c3")], token=None, by="a", now=NOW, request=request())
        await look()

    asyncio.run(play())


def test_a_list_forgets_no_change_that_it_could_not_read(
    store: Store, queue: Queue, put: Put
) -> None:
    """Where the store fails, the next look reads what changed all the same."""
    put(*(store.entry(key, f"Bericht {key}") for key in ("a", "b")))

    class Flaky(Pool):
        broken = False

        async def __call__(self, call: Any, *args: Any, **more: Any) -> Any:
            if self.broken:
                raise Unavailable
            return await super().__call__(call, *args, **more)

    async def look() -> None:
        pool = Flaky(2)
        lists = Lists(queue, pool)
        assert len(await lists.rows(store.org, TEAM, now=NOW)) == 2
        cursor = queue.events(store.org, "")[-1].cursor
        queue.reassign(
            store.id("a"), Change(team="wijkteam"), token=None, by="x", now=NOW, request=request()
        )
        lists.note(store.org, queue.events(store.org, cursor))
        pool.broken = True
        with pytest.raises(Unavailable):
            await lists.rows(store.org, TEAM, now=NOW, fresh=True)
        pool.broken = False
        rows = await lists.rows(store.org, TEAM, now=NOW, fresh=True)
        assert [row.id for row in rows] == [store.id("b")]

    asyncio.run(look())


def test_a_page_to_label_reads_so_many_tickets_at_most() -> None:
    """However many teams there are, and a few of each."""
    assert [team_lot(teams) for teams in (0, 1, 4, 10, 40)] == [500, 500, 500, 200, 50]


def test_activity_counts_each_event_once() -> None:
    """Arrivals, answers in time and late, handle time and corrections; an undoing takes back."""
    activity = Activity()
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def event(number: int, kind: str, minute: float, **more: Any) -> dict[str, Any]:
        return {
            "id": f"e{number}",
            "type": kind,
            "ticket": "o.t1",
            "team": TEAM,
            "topic": "wonen",
            "state": "open",
            "due_at": (at + timedelta(minutes=30)).isoformat(),
            "at": (at + timedelta(minutes=minute)).isoformat(),
            **more,
        }

    events = [
        event(1, "created", 0),
        event(2, "claimed", 5, by="ans"),
        event(3, "corrected", 6, by="ans", before={"topic": "overig"}),
        event(4, "resolved", 9, by="ans", state="resolved"),
        event(5, "resolved", 40, by="bob", state="resolved"),
    ]
    activity.note("o", events)
    activity.note("o", events)
    tally = activity.hours("o", since=at)[TEAM, at]
    assert (tally.arrived, tally.handled, tally.met, tally.missed) == (1, 2, 1, 1)
    assert (tally.measured, tally.seconds) == (1, 240.0)
    assert activity.corrections("o") == [("overig", "wonen", 1)]
    busy = activity.of("o", now=at + timedelta(minutes=41))
    assert (busy.arrived[TEAM], busy.handled[TEAM]) == (1, 2)
    assert busy.people == {TEAM: ["bob"]}
    taken = event(9, "resolved", 41, by="demping", mute="o.1f", state="resolved")
    activity.note("o", [event(10, "created", 41, state="resolved"), taken])
    activity.note("o", [event(11, "reopened", 41, by="bob", mute="o.1f")])
    tally = activity.hours("o", since=at)[TEAM, at]
    assert (tally.arrived, tally.handled, tally.reopened) == (1, 2, 0)
    assert set(activity.answers("o")) == {"ans", "bob"}
    activity.note("o", [event(7, "replied", 41), event(8, "replied", 41, reopened=True)])
    assert activity.hours("o", since=at)[TEAM, at].reopened == 1
    copy = event(12, "resolved", 41, by="bundel", state="resolved")
    activity.note("o", [copy, event(13, "reopened", 41, by="Signalen")])
    assert activity.hours("o", since=at)[TEAM, at].handled == 3
    assert set(activity.answers("o")) == {"ans", "bob"}
    assert activity.of("o", now=at + timedelta(minutes=41)).people == {TEAM: ["bob"]}


def test_what_is_undone_was_not_done(store: Store, queue: Queue, put: Put) -> None:
    """For every member of a bundle; who answers after all is counted again, from the same claim."""
    posts = [store.id(post) for post in "abcde"]
    put(*(store.entry(post) for post in "abcde"))
    queue.merge(posts[0], posts[1:], token=None, by="ans", now=NOW, request=request())
    activity = Activity()

    def counted(at: datetime) -> tuple[int, ...]:
        activity.note(store.org, [event.data for event in queue.events(store.org)])
        (tally,) = [
            tally
            for (team, _), tally in activity.hours(store.org, since=NOW - minutes(60)).items()
            if team == TEAM
        ]
        corrected = sum(count for _, _, count in activity.corrections(store.org))
        handled = activity.of(store.org, now=at).handled.get(TEAM, 0)
        answers = sum(activity.answers(store.org).values())
        done = (tally.handled, handled, answers, tally.met, tally.measured)
        return (*done, tally.corrected, corrected)

    def more(at: datetime) -> dict[str, Any]:
        return {"by": "ans", "now": at, "request": request()}

    claim = queue.claim(posts[0], owner="ans", seconds=600, now=NOW, request=request()).claim
    assert claim
    token, soon = claim.token, NOW + timedelta(seconds=5)
    queue.correct(posts[0], Change(topic="wonen"), token=token, **more(NOW))
    assert counted(NOW) == (0, 0, 0, 0, 0, 5, 5)
    queue.undo(posts[0], **more(soon))
    assert counted(soon) == (0, 0, 0, 0, 0, 0, 0)
    for _ in range(2):
        queue.resolve(posts[0], Change(outcome="beantwoord"), token=token, **more(soon))
        assert counted(soon) == (5, 5, 5, 5, 1, 0, 0)
        queue.undo(posts[0], **more(soon))
        assert counted(soon) == (0, 0, 0, 0, 0, 0, 0)
    assert activity.answers(store.org) == {}


def test_a_forecast_learns_from_earlier_days() -> None:
    """The same hour of earlier days counts, also an empty one; without them the last hour does."""
    nine = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
    hours = {
        nine - timedelta(days=1): 10,
        nine - timedelta(days=2): 20,
        nine - timedelta(hours=1): 4,
    }
    days = nine - timedelta(days=3)
    coming = expected(hours, nine, 2, since=days, last=4)
    assert [count for _, count in coming] == [10.0, 0.0]
    later = nine - timedelta(hours=23, minutes=30)
    assert [count for _, count in expected(hours, nine, 2, since=later, last=4)] == [4, 0]
    for since in (nine - timedelta(minutes=9), None):
        coming = expected(hours, nine, 2, since=since, last=None)
        assert [count for _, count in coming] == [None, None]
    assert agents_needed(200, 240, target=60) > agents_needed(200, 240, target=3600) >= 14
