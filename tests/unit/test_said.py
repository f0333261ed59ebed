"""What people said of labels, read on from where it was; and what is offered to be labelled."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from triage.classify import Classifier, default_models_dir
from triage.labels.agreement import agreement_of, compared
from triage.labels.export import read_acts, said_of, standing
from triage.labels.masking import PersonalMasker, Pseudonyms
from triage.labels.offer import offer
from triage.labels.said import Said
from triage.labels.selection import select
from triage.language import Reader
from triage.log import Log, NewRecord, Topic
from triage.log.open import open_log
from triage.log.posts import new_record
from triage.models import Registry
from triage.models.live import load_live
from triage.pipeline import Pipeline, Received
from triage.post import Post
from triage.queue import Change, Queue
from triage.queue.open import open_queue
from triage.relay import Relay
from triage.route import Profile
from triage.web.desk.words import spanned, words_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ORG = "gemeente"
TOPICS = ("wonen", "afval-schoon", "groen-water", "onbekend")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with open_log(f"sqlite:///{tmp_path / 'triage.db'}") as log:
        yield log


def acts(count: int, seed: int) -> list[dict[str, Any]]:
    """Make what people did to a few tickets: corrections, confirmations, undoings, repeats."""
    drawn = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(count):
        ticket = f"{drawn.choice((ORG, 'leiden'))}.{drawn.randrange(25)}"
        own = [act for act in made if act["ticket"] == ticket]
        kind = drawn.choice(("corrected", "confirmed", "resolved", "undone"))
        undoes = drawn.choice(own)["id"] if own and kind == "undone" else None
        topic = drawn.choice(TOPICS)
        said = {"topic": topic} if kind in {"corrected", "confirmed"} else {}
        labels = {"topic": topic, "urgency": "laag", "intent": "vraag"}
        assessed = {**labels, "topic": drawn.choice(TOPICS)}
        made.append(
            {
                "id": f"act-{number}",
                "type": "undone" if undoes else "corrected" if said else "resolved",
                "undoes": undoes,
                "ticket": ticket,
                "org": ticket.partition(".")[0],
                "version": len(own) + 2,
                "at": (NOW + timedelta(minutes=number)).isoformat(),
                "said": said,
                "before": {**labels, "assessed": assessed},
                **labels,
            }
        )
        if drawn.random() < 0.2:
            made.append(drawn.choice(made))  # published twice
    return made


def records(made: list[dict[str, Any]]) -> list[NewRecord]:
    return [NewRecord(value=orjson.dumps(act), key=act["ticket"].encode()) for act in made]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_read_bit_by_bit_is_what_the_whole_log_says(log: Log, seed: int) -> None:
    """However the log grew between two looks: agreement, labelled tickets and topics are alike."""
    said, made = Said(), acts(150, seed)
    for start in range(0, len(made), 37):
        log.append(Topic.OUTCOMES, records(made[start : start + 37]))
        said.update(log)
    for since in (None, NOW + timedelta(minutes=60)):
        whole = read_acts(log, org=ORG, since=since)
        assert said.agreement(ORG, since) == agreement_of(map(compared, whole.values()))
    labelled = {ticket: own for ticket, own in read_acts(log, org=ORG).items() if named(own)}
    assert said.labelled(ORG) == labelled.keys()
    topics = [own[-1]["topic"] for own in labelled.values()]
    assert said.topics(ORG) == {topic: topics.count(topic) for topic in topics}


def named(own: list[Mapping[str, Any]]) -> bool:
    return any(label != "onbekend" for label in said_of(standing(own)).values())


def test_what_is_remembered_is_bounded(log: Log) -> None:
    """Of more tickets than the limit those that nobody touched longest are forgotten."""
    made = acts(150, 9)
    log.append(Topic.OUTCOMES, records(made))
    said, every = Said(limit=5), Said()
    said.update(log)
    every.update(log)
    assert len(said._told) == 5
    assert said.labelled() <= every.labelled()
    assert list(every._told)[-5:] == list(said._told)


# -- what is offered -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_live(Registry(Path("no-such-folder"), default_models_dir()))


@pytest.fixture
def pipeline(classifier: Classifier) -> Pipeline:
    return Pipeline(Reader(), classifier, {ORG: Profile.builtin(ORG)})


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with open_queue(f"sqlite:///{tmp_path / 'triage.db'}") as queue:
        queue.check()
        yield queue


TEXTS = (
    "Wanneer wordt het grofvuil opgehaald in de Kerkstraat?",
    "Er hangt een vreemde lucht in de flat, iemand anders ook last?",
    "Boom omgewaaid op het fietspad bij het station",
    "Ik wil me inschrijven als orgaandonor, hoe werkt dat?",
    "Wat een kwibus van een flapdrol zeg, hahaha",
    "Dank voor het snelle opruimen van het zwerfvuil!",
)


def filled(log: Log, queue: Queue, pipeline: Pipeline) -> list[str]:
    posts = [Post(id=str(n), text=text, created_at=NOW) for n, text in enumerate(TEXTS)]
    log.append(Topic.POSTS, [new_record(post) for post in posts])
    entries = pipeline.judge([Received(post=post, received_at=NOW) for post in posts])
    queue.put(ORG, entries, now=NOW, request="fill")
    return [entry.ticket_id for entry in entries]


def picked(log: Log, pipeline: Pipeline) -> list[tuple[str, str]]:
    rows = select(
        log,
        pipeline,
        10,
        known=frozenset(pipeline.classifier.words),
        masker=PersonalMasker(b"k" * 32),
        names=Pseudonyms(b"k" * 32),
        org=ORG,
    )
    return [(row.id, row.sampled) for row in rows]


def test_labelled_posts_are_not_picked_again(log: Log, queue: Queue, pipeline: Pipeline) -> None:
    """Corrected and confirmed ones are out; undone and merely resolved ones are not labelled."""
    tickets = filled(log, queue, pipeline)
    corrected, confirmed, undone, resolved = tickets[:4]
    queue.correct(
        corrected, Change(topic="wonen"), token=None, by="anna", now=NOW, request="corrected"
    )
    queue.confirm(confirmed, Change(), token=None, by="anna", now=NOW, request="confirmed")
    queue.confirm(undone, Change(), token=None, by="anna", now=NOW, request="undone")
    queue.undo(undone, by="anna", now=NOW, request="undo")
    claim = queue.claim(resolved, owner="anna", seconds=60, now=NOW, request="claim").claim
    assert claim
    done = Change(outcome="geen-actie")
    queue.resolve(resolved, done, token=claim.token, by="anna", now=NOW, request="resolve")
    Relay(log, queue, [ORG]).step(NOW)
    assert {ticket for ticket, _ in picked(log, pipeline)} == set(tickets) - {corrected, confirmed}


def test_the_desk_offers_what_the_export_picks(log: Log, queue: Queue, pipeline: Pipeline) -> None:
    """The same posts, in the same order, for the same reasons; what was withdrawn is passed over."""
    filled(log, queue, pipeline)
    teams = Profile.builtin(ORG).teams
    waiting = [ticket for team in teams for ticket in queue.list(ORG, team, now=NOW)]
    offered = offer(
        waiting,
        10,
        read=Reader(entities=False).read,
        known=frozenset(pipeline.classifier.words),
        labelled={},
    )
    assert len(offered) == len(TEXTS)
    assert offered == picked(log, pipeline)
    gone = Post(id="0", text="", created_at=NOW, deleted=True)
    queue.put(ORG, pipeline.judge([Received(post=gone, received_at=NOW)]), now=NOW, request="gone")
    left = [ticket for team in teams for ticket in queue.list(ORG, team, now=NOW)]
    again = offer(left, 10, read=Reader().read, known=frozenset(), labelled={})
    assert len(again) == len(TEXTS) - 1


# -- the words that weighed ----------------------------------------------------------------------


@pytest.mark.parametrize("label", ["topic", "urgency"])
def test_told_words_and_the_rest_sum_to_the_score(
    queue: Queue, log: Log, pipeline: Pipeline, label: Any
) -> None:
    """Of any text: the pieces join to it, and the parts with the rest are the score."""
    for ticket in [queue.get(one, now=NOW) for one in filled(log, queue, pipeline)]:
        post = Post.from_mapping(ticket.post, received_at=NOW)
        (entry, reading), *_ = pipeline.judge_with_readings([Received(post=post, received_at=NOW)])
        words = words_of(ticket, label, pipeline.explain(entry, reading))
        assert "".join(piece for piece, _ in words.pieces) == post.text
        assert words.rest is not None
        assert sum(weight for _, weight in words.parts) + words.rest == pytest.approx(words.score)
        kept = words_of(ticket, label)
        assert kept.key == words.key
        assert "".join(piece for piece, _ in kept.pieces) == post.text
    assert spanned("", []) == []
