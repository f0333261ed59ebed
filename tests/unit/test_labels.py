"""Exports: outcomes joined with posts, masked, in three formats; and what to label next."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from triage.errors import Refused
from triage.labels.active import Candidate, pick
from triage.labels.export import Export, export
from triage.labels.formats import encode, format_of, read_rows
from triage.labels.masking import PersonalMasker, Pseudonyms
from triage.labels.rows import Row, Status
from triage.labels.said import Said
from triage.log import Log, Topic
from triage.log.open import open_log
from triage.log.posts import new_record
from triage.post import Post
from triage.queue import Change, Entry, Queue, Reply
from triage.queue.open import open_queue
from triage.reading import Reading
from triage.relay import Relay
from triage.route import AUDIT, Profile
from triage.ticket import Assessment, Route, Urgency, ticket_id

NOW = datetime(2026, 11, 26, 12, 34, tzinfo=UTC)
ORG = "gemeente"
SECRET = Pseudonyms(b"k" * 32)


def assessment(**more: Any) -> Assessment:
    base = Assessment(
        topics=(("groen-water", 0.5), ("wonen", 0.3), ("overig", 0.1)),
        urgency=Urgency.LAAG,
        urgency_p=(0.05, 0.1, 0.25, 0.6),
        intent="melding",
        intent_p=0.9,
        confidence=0.5,
        abstained=False,
        reasons=(),
        safety_rule=None,
        model="nl-1",
    )
    return replace(base, **more)


class Desk:
    """A log and a queue with posts in it, and a person who works them."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'triage.db'}"
        self.log: Log = open_log(url)
        self.queue: Queue = open_queue(url)
        self.queue.check()
        self.relay = Relay(self.log, self.queue, [ORG])
        self._requests = iter(range(1000))

    def put(self, post: dict[str, Any], *, sampled: str = "", to: str = "") -> str:
        made = Post.from_mapping(post, received_at=NOW)
        self.log.append(Topic.POSTS, [new_record(made)])
        route = Route(team="kcc", due_at=NOW, due_minutes=0, rule="r", sampled=sampled)
        ticket = ticket_id(ORG, made.id)
        entry = Entry(
            ticket_id=ticket,
            post=made,
            assessment=assessment(),
            route=route,
            received_at=NOW,
            reply=Reply(to=to, others=True) if to else None,
        )
        self.queue.put(ORG, [entry], now=NOW, request=self.request())
        return ticket

    def request(self) -> str:
        return f"r{next(self._requests)}"

    def correct(self, ticket: str, **change: Any) -> None:
        self.queue.correct(
            ticket,
            Change(role="coordinator", **change),
            token=None,
            by="anna",
            now=NOW,
            request=self.request(),
        )

    def reassign(self, ticket: str, team: str) -> None:
        self.queue.reassign(
            ticket, Change(team=team), token=None, by="anna", now=NOW, request=self.request()
        )

    def resolve(self, ticket: str) -> None:
        claim = self.queue.claim(
            ticket, owner="anna", seconds=60, now=NOW, request=self.request()
        ).claim
        assert claim is not None
        self.queue.resolve(
            ticket,
            Change(outcome="beantwoord"),
            token=claim.token,
            by="anna",
            now=NOW,
            request=self.request(),
        )

    def export(self, **more: Any) -> Export:
        self.relay.step(NOW)
        return export(
            self.log, lambda _post: ORG, masker=PersonalMasker(b"k" * 32), names=SECRET, **more
        )

    def rows(self, **more: Any) -> dict[str, Row]:
        return {row.id: row for row in self.export(**more).rows}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.queue.close()
    desk.log.close()


def test_what_a_mute_took_is_no_label(desk: Desk) -> None:
    """Muted posts give no row, nor does giving them back; what a person says of one then does."""
    author = {"author": {"id": "@winst"}}
    first = desk.put({"id": "1", "text": "koop nu horloges", **author})
    asked: dict[str, Any] = {"by": "anna", "now": NOW}
    until = NOW + timedelta(days=1)
    mute = desk.queue.mute(first, until=until, reason="spam", request=desk.request(), **asked)
    taken = [desk.put({"id": f"m{n}", "text": "koop nog meer", **author}) for n in range(3)]
    assert desk.export().rows == []
    desk.queue.unmute(mute.id, request=desk.request(), **asked)
    for ticket in taken[:2]:
        desk.queue.bring_back(ticket, mute.id, request=desk.request(), **asked)
    assert desk.export().rows == []
    desk.correct(taken[0], topic="wonen")
    said = Said()
    said.update(desk.log)
    rows = desk.rows()
    assert set(rows) == {taken[0]}
    assert rows[taken[0]].labels["topic"] == "wonen"
    desk.relay.step(NOW)
    said.update(desk.log)
    assert said.labelled(ORG) == {taken[0]}
    assert sum(one.said for one in said.agreement(ORG, None)) == 1


def test_each_row_says_what_its_labels_are_worth(desk: Desk) -> None:
    """Corrected, confirmed and merely untouched are told apart, per head."""
    corrected = desk.put({"id": "1", "text": "de bus reed door"})
    desk.correct(corrected, topic="openbaar-vervoer", intent="melding")
    confirmed = desk.put({"id": "2", "text": "eend in de vijver"})
    desk.correct(confirmed, topic="groen-water")
    untouched = desk.put({"id": "3", "text": "tak op het pad"})
    desk.resolve(untouched)
    desk.put({"id": "4", "text": "niemand keek"})
    rows = desk.rows(codebook_of=lambda model: f"codeboek van {model}")
    assert set(rows) == {corrected, confirmed, untouched}
    row = rows[corrected]
    assert row.labels == {"topic": "openbaar-vervoer", "urgency": "laag", "intent": "melding"}
    assert row.heads == {
        "topic": Status.CORRECTED,
        "urgency": Status.UNTOUCHED,
        "intent": Status.CONFIRMED,
    }
    assert row.predicted["topic"] == "groen-water"
    assert (row.model, row.codebook, row.role) == ("nl-1", "codeboek van nl-1", "coordinator")
    assert row.created_at == "2026-11-26T12:00Z"
    statuses = [rows[ticket].status for ticket in (corrected, confirmed, untouched)]
    assert statuses == [Status.CORRECTED, Status.CONFIRMED, Status.UNTOUCHED]


def test_a_handed_over_ticket_is_marked(desk: Desk) -> None:
    """A team chosen by hand says that the topic may be wrong, though nobody named another."""
    ticket = desk.put({"id": "1", "text": "boom tegen de gevel"})
    desk.reassign(ticket, "wonen")
    row = desk.rows()[ticket]
    assert row.reassigned
    assert row.status is Status.UNTOUCHED


def test_the_last_word_counts(desk: Desk) -> None:
    """Of two corrections the later one is the label; what resolves after leaves it."""
    ticket = desk.put({"id": "1", "text": "de bus reed door"})
    desk.correct(ticket, topic="wonen")
    desk.correct(ticket, topic="openbaar-vervoer")
    desk.resolve(ticket)
    row = desk.rows()[ticket]
    assert row.labels["topic"] == "openbaar-vervoer"
    assert row.heads["topic"] is Status.CORRECTED


def test_no_person_is_in_an_export(desk: Desk) -> None:
    """Names, numbers, accounts, senders and colleagues: nothing of them, in any format."""
    ticket = desk.put(
        {
            "id": "whatsapp-31612345678",
            "text": "Piet Snot hier, bel 06 12 34 56 78 of mail piet@snot.nl, "
            "Kerkstraat 12, 3512 AB. gr piet",
            "author": {"id": "31612345678", "name": "Piet Snot"},
            "in_reply_to": "whatsapp-31687654321",
        }
    )
    desk.correct(ticket, topic="wonen")
    rows = desk.export().rows
    for kind in ("jsonl", "csv"):
        raw = encode(rows, kind).decode("utf-8-sig").lower()
        for secret in (
            "31612345678",
            "31687654321",
            "12 34",
            "piet",
            "snot",
            "kerkstr",
            "3512",
            "anna",
        ):
            assert secret not in raw


def test_authors_and_threads_stay_together_and_unknown(desk: Desk) -> None:
    """Posts of one author share a group, an answer shares the thread of what it answers."""
    tickets = [
        desk.put({"id": "a", "text": "eerste", "author": {"id": "jan"}}),
        desk.put({"id": "b", "text": "tweede", "author": {"id": "jan"}, "in_reply_to": "a"}),
        desk.put({"id": "c", "text": "derde", "author": {"id": "els"}}),
    ]
    for ticket in tickets:
        desk.correct(ticket, topic="wonen")
    one, two, three = (desk.rows()[ticket] for ticket in tickets)
    assert one.author_group == two.author_group != three.author_group
    assert one.thread == two.thread != three.thread
    other = Pseudonyms(b"x" * 32)
    assert other.name("author", "jan") != one.author_group


def test_what_is_said_of_a_ticket_is_not_said_of_its_replies(desk: Desk) -> None:
    """A reply is in the export with its own labels, which nobody looked at, and its ticket."""
    ticket = desk.put({"id": "a", "text": "eerste", "author": {"id": "jan"}})
    reply = {"id": "b", "text": "en nu?", "author": {"id": "jan"}, "in_reply_to": "a"}
    inside = desk.put(reply, to=ticket)
    desk.correct(ticket, topic="wonen", urgency=Urgency.HOOG)
    desk.resolve(ticket)
    rows = desk.rows()
    assert rows[ticket].labels["topic"] == "wonen"
    assert rows[ticket].status is Status.CORRECTED
    assert rows[inside].labels == rows[inside].predicted
    assert rows[inside].status is Status.UNTOUCHED
    assert (rows[inside].bundle, rows[inside].thread) == (ticket, rows[ticket].thread)


def test_the_text_is_the_one_that_the_person_saw(desk: Desk) -> None:
    """An edit after the correction does not change what was labelled."""
    ticket = desk.put({"id": "1", "text": "de bus reed door"})
    desk.correct(ticket, topic="openbaar-vervoer")
    desk.put({"id": "1", "text": "laat maar, het was een tram"})
    assert desk.rows()[ticket].text == "de bus reed door"
    desk.correct(ticket, topic="openbaar-vervoer")
    assert desk.rows()[ticket].text == "laat maar, het was een tram"


def test_what_was_withdrawn_gives_no_row(desk: Desk) -> None:
    """A text that its sender took back is not exported, and is counted as missing."""
    ticket = desk.put({"id": "1", "text": "dit wil ik terug"})
    desk.correct(ticket, topic="wonen")
    desk.put({"id": "1", "deleted": True})
    done = desk.export()
    assert (done.rows, done.missing) == ([], 1)


def test_audit_and_time_are_told_and_chosen(desk: Desk) -> None:
    """Why people looked is in the row; ``since`` leaves out what was decided before."""
    ticket = desk.put({"id": "1", "text": "mooi weer"}, sampled=AUDIT)
    desk.resolve(ticket)
    assert desk.rows()[ticket].sampled == AUDIT
    assert desk.rows(since=NOW) == {}
    assert ticket in desk.rows(since=NOW - timedelta(seconds=1))
    assert desk.rows(org="elders") == {}


def row(**more: Any) -> Row:
    base = Row(
        id="gemeente.x",
        org=ORG,
        text='=1+1 "quotes"\nregel; twee',
        channel="x",
        lang="nl",
        created_at="2026-11-26T12:00Z",
        author_group="a",
        thread="t",
        confidence=0.25,
        predicted={"topic": "wonen", "urgency": "laag", "intent": "vraag"},
        labels={"topic": "wonen", "urgency": "laag", "intent": "vraag"},
        heads=dict.fromkeys(("topic", "urgency", "intent"), Status.CONFIRMED),
        status=Status.CONFIRMED,
        reassigned=True,
    )
    return replace(base, **more)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_what_is_written_is_read_back(kind: str, tmp_path: Path) -> None:
    """Every format gives the same rows again, formulas and line breaks included."""
    if kind == "parquet" and importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(Refused, match=r"triage\[parquet\]"):
            encode([row()], kind)
        return
    rows = [
        row(),
        row(
            id="gemeente.y",
            text="'s avonds\u2028laat",
            labels={},
            heads={},
            status=Status.UNLABELLED,
        ),
    ]
    path = tmp_path / f"labels.{kind}"
    path.write_bytes(encode(rows, kind))
    assert read_rows(path) == rows
    if kind == "csv":
        assert b"\"'=1+1" in path.read_bytes()


def test_a_wrong_file_is_told_by_its_row(tmp_path: Path) -> None:
    """The message names file, row and field, and not what stands there."""
    path = tmp_path / "labels.jsonl"
    path.write_bytes(encode([row()], "jsonl") + b'{"id": 5, "text": "geheim"}\n')
    with pytest.raises(Refused, match=r"rij 2: id: geen tekst"):
        read_rows(path)
    with pytest.raises(Refused, match="kies een naam op"):
        format_of(Path("labels.xlsx"))


def test_the_audit_sample_is_drawn_by_post_and_day() -> None:
    """About the rate of what is ``laag``, alike for every worker, other posts the next day."""
    profile = Profile.builtin("gemeente")
    assert profile.audit_rate == 0.02

    def drawn(at: datetime, urgency: Urgency = Urgency.LAAG) -> set[str]:
        posts = [Post(id=str(number), text="mooi weer", created_at=at) for number in range(5000)]
        routes = {
            post.id: profile.route(post, assessment(urgency=urgency), lang="nl", received_at=at)
            for post in posts
        }
        return {post for post, route in routes.items() if route.sampled == AUDIT}

    today = drawn(NOW)
    assert 60 < len(today) < 140
    assert drawn(NOW) == today
    assert drawn(NOW + timedelta(days=1)) != today
    assert drawn(NOW, Urgency.NORMAAL) == set()


def test_an_audited_post_is_due_as_if_normaal() -> None:
    """It stands among today's work, not behind all that can wait."""
    profile = Profile.builtin("gemeente")
    always, never = replace(profile, audit_rate=1.0), replace(profile, audit_rate=0.0)
    post = Post(id="1", text="mooi weer", created_at=NOW)
    due = [
        p.route(post, assessment(urgency=urgency), lang="nl", received_at=NOW).due_at
        for p, urgency in ((always, Urgency.LAAG), (never, Urgency.NORMAAL), (never, Urgency.LAAG))
    ]
    assert due[0] == due[1] < due[2]


def candidate(number: int, text: str = "", author: str = "", **more: Any) -> Candidate:
    words = tuple((text or f"bericht nummer {'x' * number}").split())
    post = Post.from_mapping(
        {"id": str(number), "text": " ".join(words), "author": {"id": author or str(number)}},
        received_at=NOW,
    )
    return Candidate(
        ticket=f"t{number:03d}",
        post=post,
        reading=Reading(tokens=words),
        assessment=assessment(**more),
    )


def test_what_to_label_next_is_picked_for_four_reasons() -> None:
    """The hesitant, the nearly critical, the rare and the strange come before the plain ones."""
    plain = (("groen-water", 0.98), ("wonen", 0.01), ("overig", 0.01))
    lot = [candidate(n, topics=plain, urgency_p=(0.001, 0, 0, 0.999)) for n in range(1, 40)]
    lot.append(candidate(50, topics=(("wonen", 0.4), ("overig", 0.39), ("groen-water", 0.1))))
    lot.append(candidate(51, topics=plain, urgency_p=(0.49, 0.5, 0.01, 0.0)))
    lot.append(candidate(52, topics=(("orgaandonatie", 0.9), ("wonen", 0.05), ("overig", 0.01))))
    strange = "wat een kwibus van een flapdrol zeg"
    lot.append(candidate(53, strange, topics=plain, urgency_p=(0.001, 0, 0, 0.999)))
    known = frozenset({"bericht", "nummer", "wat", "een", "van", "zeg"})
    picked = pick(lot, 4, known=known, labelled={"groen-water": 500, "wonen": 90, "overig": 90})
    assert {(one.ticket, why) for one, why in picked} == {
        ("t050", "uncertain"),
        ("t051", "critical-border"),
        ("t052", "rare"),
        ("t053", "novel"),
    }


def test_copies_and_one_author_do_not_fill_the_list() -> None:
    """The same words come once, one author twice at most."""
    lot = [candidate(n, "help de brug staat open") for n in range(5)]
    lot += [candidate(n, f"van {'y' * n} weer niets", author="jan") for n in range(5, 15)]
    picked = pick(lot, 20, known=frozenset(), labelled={})
    assert len(picked) == 3
