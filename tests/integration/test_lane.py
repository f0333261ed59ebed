"""A critical post overtakes: twenty thousand before it in the stream, and it is in its queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.plugins.api_server import ApiServer
from tests.plugins.programs import Program, run_triage, wait_until
from tests.plugins.scene import Scene, now, posts
from triage.lane import Lane, Look
from triage.log import POST_TOPICS, Topic, scan_posts
from triage.log.posts import new_record
from triage.post import Post
from triage.ticket import Urgency

BACKLOG = 20_000
#: How long a critical post may take to its queue, on a machine that does other things as well.
SOON = 10.0
#: By a safety rule, and by the model alone.
CRITICAL = (
    "Er is een gaslucht in het trappenhuis",
    "Er hangt een spanningskabel los boven het schoolplein, kinderen lopen eronder",
)


def backlog(scene: Scene, count: int = BACKLOG) -> None:
    for start in range(0, count, 2000):
        scene.append(*posts(f"b{start}", 2000))


def all_taken(scene: Scene, worker: Program, count: int) -> None:
    wait_until(lambda: scene.taken() == count, seconds=180, why=lambda: worker.said()[-3000:])


def counted(scene: Scene) -> int:
    return sum(depth.depth for depth in scene.queue.stats(scene.org, now=now()))


def test_a_critical_post_overtakes_twenty_thousand(scene: Scene) -> None:
    """Sent through the door it is in its queue within seconds, while the backlog is not done."""
    backlog(scene)
    api = ApiServer(
        scene.folder,
        broker=scene.broker,
        redis=scene.redis,
        TRIAGE_KAFKA_PARTITIONS="4",
        TRIAGE_URGENT_LOOK="model",
    )
    try:
        api.start()
        worker = scene.worker().start()
        wait_until(lambda: scene.taken() > 0, seconds=60, why=worker.said)
        sent = [{"id": f"k{at}", "text": text} for at, text in enumerate(CRITICAL)]
        with api.client() as client:
            answer = client.post(
                "/api/v1/posts",
                json=[{"id": "n", "text": "Hoe laat is de bibliotheek open?"}, *sent],
            )
            assert answer.status_code == 202, answer.text
        for post in sent:
            ticket = scene.await_ticket(post["id"], worker, seconds=SOON)
            assert ticket.urgency is Urgency.KRITIEK
        assert scene.taken() < BACKLOG
        assert 'triage_door_posts_total{way="urgent"} 2.0' in client_metrics(api)
    finally:
        api.close()


def client_metrics(api: ApiServer) -> str:
    with api.client() as client:
        return client.get("/metrics").text


def test_kills_lose_and_double_nothing_in_either_stream(scene: Scene) -> None:
    """Posts sent by both ways while the worker is killed: each is in one ticket, none lost."""
    lane = Lane(scene.log, Look())
    worker = scene.worker(TRIAGE_BATCH="20").start()
    count = 0
    for _ in range(4):
        sent = [
            Post(id=f"p-{count + at}", text=text_of(count + at), created_at=datetime.now(UTC))
            for at in range(200)
        ]
        count += len(sent)
        lane.append(sent, list(map(new_record, sent)))
        before = scene.taken()
        wait_until(lambda before=before: scene.taken() > before + 40, seconds=60, why=worker.said)  # type: ignore[misc] # bound now
        worker.kill()
        worker.start()
    all_taken(scene, worker, count)
    check(scene, count)
    assert worker.stop() == 0
    if scene.redis is not None:
        with scene.redis.client() as client:
            client.flushall()
        done = scene.run("rebuild", *scene.store_options)
        assert done.returncode == 0, done.stderr.decode()
        assert scene.taken() == count
        check(scene, count)


def text_of(number: int) -> str:
    return (
        f"Gaslucht in de kelder van nummer {number}" if number % 4 == 0 else f"Lamp {number} stuk"
    )


def check(scene: Scene, count: int) -> None:
    """See that every post is in one ticket, and that both streams were used."""
    assert len(list(scene.log.scan(Topic.URGENT))) == count // 4
    assert len(list(scan_posts(scene.log))) == count
    stored = {name.rpartition("-")[0] for name in scene.positions()}
    assert stored == set(POST_TOPICS)
    assert counted(scene) == count
    for number in range(count):
        ticket = scene.ticket(f"p-{number}")
        assert ticket is not None, f"p-{number} is lost"
        assert ticket.post["text"] == text_of(number)


def test_ingest_is_a_door_too(scene: Scene) -> None:
    """``triage ingest`` sends what is critical by the urgent stream, what is not by the other."""
    lines = [{"id": "n", "text": "Hoe laat is de bibliotheek open?"}]
    lines += [{"id": f"k{at}", "text": text} for at, text in enumerate(CRITICAL)]
    given = "\n".join(map(json.dumps, lines)).encode()
    done = run_triage(
        *("ingest", "-", *scene.log_options),
        given=given,
        cwd=scene.folder,
        env={"TRIAGE_URGENT_LOOK": "model"},
    )
    assert done.returncode == 0, done.stderr.decode()
    urgent = [json.loads(record.value or b"")["id"] for record in scene.log.scan(Topic.URGENT)]
    assert sorted(urgent) == ["k0", "k1"]
    assert len(list(scene.log.scan(Topic.POSTS))) == 1
