"""A lost Redis is filled again from the log; a post that kills its reader is isolated."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.chaos import CUT_SECONDS, PowerCut
from tests.plugins.programs import Program, environment, wait_until
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene, now, post, posts
from triage.log import Topic
from triage.queue import Change
from triage.ticket import State, Ticket, Urgency, ticket_id

COUNT = 300
DONE = 20


@pytest.fixture
def scene(
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
    tmp_path: Path,
) -> Iterator[Scene]:
    """Give a deployment on Kafka and Redis."""
    broker, redis = new_kafka_broker(), new_redis_server("--appendfsync", "everysec")
    broker.start()
    redis.start()
    scene = Scene(tmp_path, broker=broker, redis=redis)
    yield scene
    scene.close()


def all_taken(scene: Scene, worker: Program, count: int = COUNT) -> None:
    wait_until(lambda: scene.taken() == count, why=lambda: worker.said()[-3000:])


def work_on(scene: Scene, worker: Program) -> tuple[list[str], list[str], list[str]]:
    """Let people resolve some tickets, correct others and move a few; give which."""
    resolved, corrected, moved = ([f"p-{3 * n + k}" for n in range(DONE)] for k in range(3))
    for number in (*resolved, *corrected, *moved):
        ticket = ticket_id(scene.org, number)
        claimed = scene.queue.claim(
            ticket, owner="sanne", seconds=60, now=now(), request=f"c{number}"
        )
        assert claimed.claim is not None
        token = claimed.claim.token
        if number in resolved:
            scene.queue.resolve(
                ticket,
                Change(outcome="beantwoord", note="gebeld"),
                token=token,
                by="sanne",
                now=now(),
                request=f"r{number}",
            )
        elif number in corrected:
            change = Change(topic="afval", urgency=Urgency.HOOG)
            scene.queue.correct(
                ticket, change, token=token, by="sanne", now=now(), request=f"k{number}"
            )
            scene.queue.release(ticket, token=token, now=now(), request=f"l{number}")
        else:
            change = Change(team=other_team(scene, claimed))
            scene.queue.reassign(
                ticket, change, token=token, by="sanne", now=now(), request=f"m{number}"
            )
    wait_until(lambda: not scene.queue.unpublished(scene.org, limit=1), why=worker.said)
    return resolved, corrected, moved


def other_team(scene: Scene, ticket: Ticket) -> str:
    return min(set(scene.profile.teams) - {ticket.team})


def check(scene: Scene, worked: tuple[list[str], list[str], list[str]]) -> None:
    resolved, corrected, moved = worked
    for number in range(COUNT):
        ticket = scene.ticket(f"p-{number}")
        assert ticket is not None, f"p-{number} is lost"
        done = f"p-{number}" in resolved
        assert ticket.state is (State.RESOLVED if done else State.OPEN), f"p-{number}"
        if f"p-{number}" in corrected:
            assert (ticket.topic, ticket.urgency) == ("afval", Urgency.HOOG)
        if f"p-{number}" in moved:
            assert ticket.team != ticket.assessment["team"]
    depths = scene.queue.stats(scene.org, now=now())
    assert sum(depth.depth for depth in depths) == COUNT - len(resolved)


def flush(scene: Scene) -> None:
    assert scene.redis is not None
    with scene.redis.client() as client:
        client.flushall()


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_rebuild_fills_a_lost_redis(scene: Scene) -> None:
    """``triage rebuild`` and a restarted worker bring back tickets, outcomes and corrections."""
    worker = scene.worker().start()
    scene.append(*posts("p", COUNT))
    all_taken(scene, worker)
    worked = work_on(scene, worker)
    check(scene, worked)
    assert worker.stop() == 0
    scene.append(b"no worker has read this")
    flush(scene)
    done = scene.run("rebuild", *scene.store_options)
    assert done.returncode == 0, done.stderr.decode()
    assert f"{COUNT} berichten, {3 * DONE} uitkomsten".encode() in done.stderr
    check(scene, worked)
    # The same again changes nothing.
    assert scene.run("rebuild", *scene.store_options).returncode == 0
    check(scene, worked)
    flush(scene)
    worker.start()
    all_taken(scene, worker, COUNT + 1)
    wait_until(lambda: '"rebuilt"' in worker.said(), why=worker.said)
    (letter,) = scene.log.scan(Topic.DEAD_LETTER)
    assert letter.value == b"no worker has read this"
    check(scene, worked)
    scene.append(post("p-new"))
    scene.await_ticket("p-new", worker)


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_a_redis_lost_under_a_running_worker(scene: Scene) -> None:
    """A worker whose store was emptied fills it again by itself, whether people worked or not."""
    worker = scene.worker().start()
    scene.append(*posts("p", COUNT))
    all_taken(scene, worker)
    flush(scene)
    all_taken(scene, worker)
    check(scene, ([], [], []))
    worked = work_on(scene, worker)
    flush(scene)
    scene.append(post("p-new"))
    scene.await_ticket("p-new", worker)
    all_taken(scene, worker, COUNT + 1)
    wait_until(lambda: worker.said().count('"rebuilt"') == 2, why=worker.said)
    assert scene.ticket("p-new") is not None
    with_new = scene.queue.stats(scene.org, now=now())
    assert sum(depth.depth for depth in with_new) == COUNT + 1 - DONE
    assert worker.running
    assert worked[0]


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_what_people_did_outlives_a_power_cut(scene: Scene) -> None:
    """A decision that stands in the outcomes log comes back when Redis loses its last second."""
    assert scene.redis is not None
    worker = scene.worker().start()
    scene.append(*posts("p", 50))
    all_taken(scene, worker, 50)
    cut = PowerCut(scene.redis.folder)
    time.sleep(2 * CUT_SECONDS)  # the posts are on disk, and stay
    ticket = ticket_id(scene.org, "p-7")
    claimed = scene.queue.claim(ticket, owner="sanne", seconds=60, now=now(), request="c")
    assert claimed.claim is not None
    done = Change(outcome="beantwoord")
    scene.queue.resolve(ticket, done, token=claimed.claim.token, by="sanne", now=now(), request="r")
    wait_until(lambda: len(list(scene.log.scan(Topic.OUTCOMES))) == 1, why=worker.said)
    assert cut.ready()
    scene.redis.kill()
    cut.cut()
    cut.end()
    time.sleep(1.0)
    scene.redis.start()
    assert cut.taken > 0

    def resolved() -> bool:
        found = scene.ticket("p-7")
        return found is not None and found.state is State.RESOLVED

    wait_until(resolved, why=worker.said)
    assert '"outcomes_restored"' in worker.said()
    assert scene.taken() == 50


#: A worker on the embedded store whose pipeline dies, as a crash in native code would.
DEADLY = """
import os, sys
from contextlib import ExitStack
from pathlib import Path
from triage.cli.build import load_pipeline, logging_to_stderr, open_parts
from triage.pipeline import Pipeline
from triage.settings import load_settings
from triage.suspect import Suspects
from triage.worker import Worker

class Deadly(Pipeline):
    def judge(self, batch):
        if any("BOEM" in received.post.text for received in batch):
            os._exit(9)
        return super().judge(batch)

folder, count = Path(sys.argv[1]), int(sys.argv[2])
settings = load_settings(data=folder, session_seconds=1)
logging_to_stderr("INFO")
with ExitStack() as stack:
    parts = open_parts(settings, stack)
    whole = load_pipeline(settings, parts.profiles)
    pipeline = Deadly(whole._reader, whole._classifier, parts.profiles)
    suspects = Suspects.first_free(folder)
    worker = Worker(parts.log, parts.queue, pipeline, parts.metrics, suspects=suspects)
    org = pipeline.orgs[0]
    while sum(parts.queue.positions(org).values()) < count:
        worker.step()
"""


@pytest.mark.slow
def test_a_post_that_kills_its_reader_is_isolated(tmp_path: Path) -> None:
    """It goes to the fallback team as ``onbekend`` after three deaths; the others are judged."""
    scene = Scene(tmp_path)
    try:
        texts = [f"Lantaarnpaal {number} brandt niet" for number in range(40)]
        texts[17] = "Deze tekst doet BOEM. Er is brand in de flat!"
        scene.append(*(post(f"p-{number}", text) for number, text in enumerate(texts)))
        data, deaths = tmp_path / "data", 0
        while deaths < 10:
            done = subprocess.run(
                [sys.executable, "-c", DEADLY, str(data), "40"],
                capture_output=True,
                env=environment(),
                cwd=tmp_path,
                timeout=60,
                check=False,
            )
            if done.returncode == 0:
                break
            assert done.returncode == 9, done.stderr.decode()
            deaths += 1
        assert deaths == 3
        for number in range(40):
            ticket = scene.ticket(f"p-{number}")
            assert ticket is not None
            assert (ticket.topic == "onbekend") == (number == 17)
        isolated = scene.ticket("p-17")
        assert isolated is not None
        fallback = scene.profile.fallback
        # The program reads the real clock: in the evening the night team takes it over.
        assert isolated.team in {fallback, scene.profile.night_team(fallback)}
        # The safety rules saw the raw text.
        assert isolated.urgency is Urgency.KRITIEK
    finally:
        scene.close()


def test_rebuild_of_a_store_that_lost_nothing(tmp_path: Path) -> None:
    """``triage rebuild`` on a store that is whole changes nothing, on the embedded one too."""
    scene = Scene(tmp_path)
    worker = scene.worker().start()
    try:
        scene.append(*posts("p", COUNT))
        all_taken(scene, worker)
        worked = work_on(scene, worker)
        assert len(list(scene.log.scan(Topic.OUTCOMES))) > 0
        done = scene.run("rebuild", *scene.store_options)
        assert done.returncode == 0, done.stderr.decode()
        check(scene, worked)
    finally:
        scene.close()
