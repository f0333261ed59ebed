"""The look at the door: what it finds, how long it takes, and which way a post goes then."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.cli.build import load_pipeline, make_look
from triage.lane import Appended, Lane, Look
from triage.log import Log, Topic
from triage.log.open import open_log
from triage.log.posts import new_record
from triage.pipeline import Pipeline, Received
from triage.post import Post
from triage.queue.open import open_queue
from triage.route import Profile
from triage.settings import Settings
from triage.web.config import WebConfig
from triage.web.desk.judge import Judge

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ORDINARY = "Hoe laat is het gemeentehuis open op zaterdag?"
BY_RULE = "Er is een gaslucht in de kelder"
#: Critical by the model, and by no safety rule.
BY_MODEL = "Er hangt een spanningskabel los boven het schoolplein, kinderen lopen eronder"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Give what a worker judges with."""
    profile = Profile.builtin("gemeente")
    return load_pipeline(Settings(), {profile.org: profile}, entities=False, spare=False)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Give an empty log."""
    with open_log(f"sqlite:///{tmp_path / 'triage.db'}") as opened:
        yield opened


def posts(*texts: str) -> list[Post]:
    return [Post(id=str(at), text=text, created_at=NOW) for at, text in enumerate(texts)]


def append(log: Log, look: Look, sent: Sequence[Post]) -> Appended:
    return Lane(log, look).append(sent, list(map(new_record, sent)))


def ids(log: Log, topic: Topic) -> set[str]:
    return {Post.decode(r.value or b"", received_at=r.at).id for r in log.scan(topic)}


def test_critical_posts_go_by_the_urgent_stream(log: Log, pipeline: Pipeline) -> None:
    """What the model or a safety rule finds critical is in the urgent stream, all else is not."""
    sent = posts(ORDINARY, BY_MODEL, "Wanneer gaat de bibliotheek open?", BY_RULE)
    went = append(log, Look(pipeline), sent)
    assert went == Appended(urgent=2, ordinary=2, unseen=0)
    assert ids(log, Topic.URGENT) == {"1", "3"}
    assert ids(log, Topic.POSTS) == {"0", "2"}


def test_without_a_model_the_safety_rules_look(log: Log) -> None:
    """A server that has no model still lets danger to life go first."""
    append(log, Look(), posts(ORDINARY, BY_MODEL, BY_RULE))
    assert (ids(log, Topic.URGENT), ids(log, Topic.POSTS)) == ({"2"}, {"0", "1"})


def test_a_look_is_bounded_in_time(log: Log, pipeline: Pipeline) -> None:
    """When its time is up the rest of a list goes the ordinary way, and that is told."""
    ticks = iter(range(100))
    look = Look(pipeline, seconds=3, clock=lambda: float(next(ticks)))
    sent = posts(*([BY_RULE] * 120))
    # Fifty posts, and fifty more, before the clock says three.
    assert append(log, look, sent) == Appended(urgent=100, ordinary=20, unseen=20)
    assert len(ids(log, Topic.POSTS)) == 20


def test_long_texts_count_for_more(pipeline: Pipeline) -> None:
    """The clock is looked at after so much text, so that long posts take no longer than short."""
    ticks = iter(range(100))
    look = Look(pipeline, seconds=3, clock=lambda: float(next(ticks)))
    assert look.at(posts(*([f"{ORDINARY}. " * 500] * 9))) == [False, False]


def test_who_finds_the_model_busy_looks_by_the_rules(pipeline: Pipeline) -> None:
    """A request that others keep waiting is looked at by the rules, within its time."""
    busy, enough = threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        assert enough.wait(60)

    look = Look(pipeline, between=hold, seconds=0.2)
    thread = threading.Thread(target=look.at, args=(posts(ORDINARY),))
    thread.start()
    try:
        assert busy.wait(60)
        assert look.at(posts(BY_MODEL, BY_RULE)) in ([False, True], [])
    finally:
        enough.set()
        thread.join()


def test_a_look_follows_what_it_is_told(pipeline: Pipeline) -> None:
    """A model that is exchanged is exchanged between two looks, never during one."""
    seen: list[str] = []
    look = Look(pipeline, between=lambda: seen.append(pipeline.model))
    look.at(posts(BY_RULE))
    look.at(posts(ORDINARY))
    assert seen == [pipeline.model] * 2


def test_what_the_desk_tells_is_of_the_model_that_looks(pipeline: Pipeline, tmp_path: Path) -> None:
    """No second one is loaded, nor another version than the one that was set by hand."""
    seen: list[str] = []
    look = Look(pipeline, between=lambda: seen.append(pipeline.model))
    judge = Judge(WebConfig(default_org="gemeente"), look)  # no folder with models
    assert judge.words() == frozenset(pipeline.classifier.words)
    (entry,) = pipeline.judge([Received(post=posts(BY_MODEL)[0], received_at=NOW)])
    with open_queue(f"sqlite:///{tmp_path / 'queue.db'}") as queue:
        queue.put("gemeente", [entry], now=NOW, request="een")
        assert judge.explain(queue.get(entry.ticket_id, now=NOW)) is not None
    assert seen == [pipeline.model] * 2


def test_a_door_opens_without_its_model(log: Log, tmp_path: Path) -> None:
    """Where no model can be loaded the safety rules look, and posts are taken as always."""
    look = make_look(Settings(model="nl-none", data=tmp_path), {})
    assert append(log, look, posts(ORDINARY, BY_RULE)) == Appended(urgent=1, ordinary=1, unseen=0)
