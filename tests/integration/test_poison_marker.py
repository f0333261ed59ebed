"""What a citizen wrote is in no log line, metric, event, reason or error, whatever goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.programs import wait_until
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene
from triage.log import NewRecord, Topic

#: Stands in every field; nothing of it may come out anywhere but in tickets and payloads.
MARKER = "Zqxmerk06Vertrouwelijk"


def whole(identity: str) -> dict[str, Any]:
    """Give a good post with the marker in each field that takes one."""
    return {
        "id": f"{identity}-{MARKER}",
        "text": f"{MARKER} heeft een gat in de weg gezien",
        "channel": MARKER,
        "org": MARKER,
        "author": {"id": MARKER, "name": MARKER, "followers": 3, MARKER: MARKER},
        "in_reply_to": MARKER,
        "url": f"https://example.org/{MARKER}",
        "attachments": [f"https://example.org/{MARKER}.jpg"],
        "geo": {"lat": 52.1, "lon": 4.3, MARKER: MARKER},
        MARKER: {MARKER: [MARKER]},
    }


def spoiled() -> Iterator[bytes]:
    """Give posts that can't be decoded, each in another way, with the marker at the wrong place."""
    wrong: list[dict[str, Any]] = [
        {"id": [MARKER]},
        {"id": MARKER * 30},
        {"text": {MARKER: MARKER}},
        {"text": None},
        {"channel": MARKER * 30},
        {"channel": [MARKER]},
        {"org": {MARKER: 1}},
        {"author": MARKER},
        {"author": {"id": {MARKER: 1}}},
        {"author": {"name": MARKER * 30}},
        {"author": {"followers": MARKER}},
        {"in_reply_to": {MARKER: MARKER}},
        {"url": MARKER * 200},
        {"reach": MARKER},
        {"reach": {"shares": MARKER}},
        {"attachments": MARKER},
        {"attachments": [{MARKER: MARKER}]},
        {"attachments": [MARKER] * 40},
        {"geo": MARKER},
        {"geo": {"lat": MARKER, "lon": 1}},
        {"deleted": MARKER},
        {"created_at": MARKER},
    ]
    for number, change in enumerate(wrong):
        post = {**whole(f"spoiled-{number}"), **change}
        if change == {"text": None}:
            del post["attachments"]
        yield json.dumps(post).encode()
    yield f'{{"{MARKER}": 1, "text": "a", "{MARKER}": 2}}'.encode()
    yield f'{{"text": "{MARKER}" "{MARKER}"}}'.encode()
    yield f'{{"text": "{MARKER}", "geo": {{"lat": NaN}}}}'.encode()
    yield f'{{"text": "{MARKER}", "{MARKER}": {"9" * 5000}}}'.encode()
    yield f'["{MARKER}"]'.encode()
    yield f'"{MARKER}"'.encode()
    yield f"{MARKER} {MARKER}".encode()
    yield MARKER.encode() + b"\xff"
    yield MARKER.encode() * 5000


@pytest.fixture
def servers(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Scene, Callable[[], None]]]:
    """Give a deployment, and what takes its stores away for a moment."""
    if request.param == "sqlite":
        scene = Scene(tmp_path)
        yield scene, lambda: None
        scene.close()
        return
    broker: KafkaBroker = request.getfixturevalue("new_kafka_broker")()
    redis: RedisServer = request.getfixturevalue("new_redis_server")("--appendfsync", "everysec")
    broker.start()
    redis.start()
    scene = Scene(tmp_path, broker=broker, redis=redis)

    def interrupt() -> None:
        redis.kill()
        time.sleep(1)
        broker.kill()
        redis.start()
        time.sleep(1)
        broker.start()

    yield scene, interrupt
    scene.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "servers",
    ["sqlite", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])],
    indirect=True,
)
def test_a_marker_in_every_field_comes_out_nowhere(
    servers: tuple[Scene, Callable[[], None]],
) -> None:
    """Good posts, spoiled ones and stores that go away: no output of ours holds the marker."""
    scene, interrupt = servers
    worker = scene.worker(TRIAGE_LOG_LEVEL="DEBUG").start()
    bad = list(spoiled())
    good = [json.dumps(whole(f"good-{number}")).encode() for number in range(60)]
    records = [NewRecord(value=value, key=MARKER.encode()) for value in (*good[:30], *bad)]
    scene.log.append(Topic.POSTS, records)
    wait_until(
        lambda: worker.figure("triage_posts_rejected_total") == len(bad),
        why=lambda: worker.said()[-3000:],
    )
    late = [NewRecord(value=value, key=MARKER.encode()) for value in good[30:]]
    scene.log.append(Topic.POSTS, late)
    interrupt()
    for number in range(60):
        scene.await_ticket(f"good-{number}-{MARKER}", worker)
    wait_until(lambda: not scene.queue.unpublished(scene.org, limit=1), why=worker.said)

    # A worker judged them all: what follows looks at something.
    ticket = scene.ticket(f"good-0-{MARKER}")
    assert ticket is not None
    assert MARKER in ticket.post["text"]
    listed = scene.run("dead-letter", "list", *scene.log_options)
    assert len(listed.stdout.splitlines()) == len(bad)
    given = b"\n".join([*bad, *good])
    ingested = scene.run("ingest", "-", *scene.log_options, given=given)
    assert ingested.returncode == 1
    classified = scene.run("classify", given=b"\n".join(bad))
    replayed = scene.run("dead-letter", "replay", "--all", *scene.log_options)
    assert replayed.returncode == 1
    events = [record.value or b"" for record in scene.log.scan(Topic.ASSESSED)]
    headers = [letter.headers for letter in scene.log.scan(Topic.DEAD_LETTER)]
    assert events
    outputs = {
        "the worker's log": worker.said(),
        "its metrics": worker.metrics(),
        "dead-letter list": listed.stdout.decode() + listed.stderr.decode(),
        "dead-letter headers": repr(headers),
        "dead-letter replay": (replayed.stdout + replayed.stderr).decode(),
        "ingest": (ingested.stdout + ingested.stderr).decode(),
        "classify": (classified.stdout + classified.stderr).decode(),
        "events": b"\n".join(events).decode(),
        "marks": "".join(path.read_text(errors="replace") for path in scene.folder.rglob("*.mark")),
    }
    for name, output in outputs.items():
        assert MARKER.lower() not in output.lower(), f"{name}: {_around(output)}"
    assert worker.stop() == 0
    assert MARKER not in worker.said()


def _around(output: str) -> str:
    at = output.lower().index(MARKER.lower())
    return output[max(0, at - 300) : at + 300]
