"""Whatever a sender sends is read within its bound or ends in the dead letter; nothing stops."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from tests.plugins.brokers import KafkaBroker
from tests.plugins.programs import Program, wait_until
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene, now, post
from triage.cli.build import load_pipeline
from triage.errors import InvalidPost
from triage.log import NewRecord, Record, Topic
from triage.log.dead_letter import replayed
from triage.pipeline import Pipeline, Received
from triage.post import Post
from triage.route import Profile
from triage.settings import Settings
from triage.ticket import Urgency

#: The longest that any post of 64 KiB may take, in seconds of CPU.
BOUND = 0.1
CRITICAL = " Er is brand in de flat en er zitten mensen vast!"
#: What is undecodable: the bytes, and the reason, field and byte offset that the dead letter says.
POISON: dict[str, tuple[bytes | None, str, str, str]] = {
    "no UTF-8 at all": (b'{"id": "x", "text": "a\xff"}', "geen geldige UTF-8", "", "22"),
    "half an emoji in raw bytes": (
        b'{"id": "x", "text": "\xed\xa0\xbd"}',
        "geen geldige UTF-8",
        "",
        "21",
    ),
    "no JSON": (b"Beste gemeente,", "geen geldige JSON", "", "0"),
    "cut short": (b'{"id": "x", "text": "Er l', "geen geldige JSON", "", "20"),
    "a list": (b'["a"]', "geen JSON-object", "", "0"),
    "deep": (
        b'{"id": "x", "text": "a", "b": ' + b"[" * 100 + b"]" * 100 + b"}",
        "dieper genest dan 32",
        "",
        "61",
    ),
    "very deep": (b"[" * 60_000, "dieper genest dan 32", "", "32"),
    "a key twice": (
        b'{"id": "x", "text": "a", "text": "b"}',
        "veld staat er twee keer in",
        "text",
        "",
    ),
    "NaN": (b'{"id": "x", "text": "a", "geo": {"lat": NaN, "lon": 4}}', "NaN en Infinity", "", ""),
    "no text": (b'{"id": "x"}', "ontbreekt", "text", ""),
    "an empty text": (b'{"id": "x", "text": " \\u200b\\n"}', "leeg", "text", ""),
    "a number for a text": (b'{"id": "x", "text": 7}', "geen tekst", "text", ""),
    "more than 64 KiB": (post("x", "a" * 70_000), "groter dan 65536 bytes", "", "65536"),
    "a tombstone": (None, "leeg", "", "0"),
    "no bytes": (b"", "leeg", "", "0"),
}


def filled(unit: str) -> str:
    """Repeat a unit until the post is as large as one may be, and put a critical sentence last."""
    room = 64 * 1024 - len(post("x", CRITICAL, channel="x")) - 200
    size = len(json.dumps(unit, ensure_ascii=False).encode()) - 2
    return unit * (room // size) + CRITICAL


#: Texts that took tokenizers and normalisers seconds to minutes.
HEAVY = {
    "brackets": "(",
    "dotted letters": "a.",
    "colons": "a:",
    "addresses": "http://",
    "e-mail": "a@",
    "marks": "e\u0301\u0323\u0302",
    "only marks": "\u0301\u0323",
    "joined emoji": "\U0001f469\u200d",
    "fire": "\U0001f525",
    "apostrophes": "'",
    "dashes": "-/",
    "digits": "0",
    "one word": "a",
    "zero width": "a\u200b",
    "new words": "abcdefghij ",
    "hashtags": "#a",
    "quotes": "\u201e\u201d",
    "line ends": "\n",
}


def heavy_post(identity: str, unit: str) -> bytes:
    text = filled(unit)
    return json.dumps({"id": identity, "text": text, "channel": "x"}, ensure_ascii=False).encode()


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.redis])],
)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Give a deployment on either backend, shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("scene")
    if request.param == "sqlite":
        scene = Scene(folder)
        yield scene
        scene.close()
        return
    request.getfixturevalue("kafka_installed")
    request.getfixturevalue("redis_installed")
    (folder / "redis").mkdir()
    redis = RedisServer(folder / "redis", config=("--appendfsync", "everysec"))
    with KafkaBroker(folder / "kafka") as broker:
        redis.start()
        scene = Scene(folder, broker=broker, redis=redis)
        yield scene
        scene.close()
        redis.kill()


@pytest.fixture
def worker(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Program]:
    """Give a running worker."""
    worker = scene.worker(f"worker-{request.node.name.partition('[')[0]}").start()
    yield worker
    assert worker.running, worker.said()[-3000:]
    assert worker.stop() == 0


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Give the pipeline that a worker has."""
    profile = Profile.builtin("gemeente")
    return load_pipeline(Settings(), {profile.org: profile})


@pytest.mark.slow
def test_poison_has_a_clear_reason_and_the_stream_goes_on(scene: Scene, worker: Program) -> None:
    """Each kind of poison is in the dead letter with reason, field and offset; the rest is read."""
    before = {letter["id"] for letter in scene.letters()}
    for number, (raw, *_) in enumerate(POISON.values()):
        scene.append(raw, post(f"between-{number}"))
    for number in range(len(POISON)):
        scene.await_ticket(f"between-{number}", worker)
    letters = [letter for letter in scene.letters() if letter["id"] not in before]
    assert len(letters) == len(POISON)
    left = [(letter["reason"], letter["field"], letter["byte-offset"]) for letter in letters]
    for name, (_, reason, field, offset) in POISON.items():
        fits = [said for said in left if said[0].startswith(reason) and said[1:] == (field, offset)]
        assert fits, f"{name}: no dead letter says {reason!r} {field!r} {offset!r}: {left}"
        left.remove(fits[0])
    assert worker.figure("triage_posts_rejected_total") == len(POISON)


@pytest.mark.slow
def test_what_is_odd_but_readable_is_read(scene: Scene, worker: Program) -> None:
    """Half an emoji is dropped, a future date is bounded, numbers of any length are no obstacle."""
    scene.append(
        b'{"id": "half", "text": "Mooi \\ud83d park"}',
        post("future", created_at="2999-01-01T00:00:00Z"),
        b'{"id": "digits", "text": "Mooi park", "extra": %s}' % (b"9" * 300),
        post("nul", "Mooi\x00 park"),
        b'{"id": 12345, "text": "Mooi park"}',
        post("lines", "Mooi\r\npark\u2028hier"),
    )
    half = scene.await_ticket("half", worker)
    assert half.post["text"] == "Mooi  park"
    future = scene.await_ticket("future", worker)
    assert future.post["created_at"] <= now().isoformat()
    assert future.due_at < now() + timedelta(days=60)
    for identity in ("digits", "nul", "12345", "lines"):
        assert "park" in scene.await_ticket(identity, worker).post["text"]


@pytest.mark.slow
def test_heavy_posts_pass_and_their_last_sentence_is_read(scene: Scene, worker: Program) -> None:
    """64 KiB of anything becomes a ticket, critical for the sentence behind the run."""
    started = time.monotonic()
    for name, unit in HEAVY.items():
        scene.append(heavy_post(f"heavy {name}", unit))
    scene.append(post("after"))
    for name in HEAVY:
        ticket = scene.await_ticket(f"heavy {name}", worker)
        assert ticket.urgency is Urgency.KRITIEK, name
        assert ticket.topic != "onbekend", name
    scene.await_ticket("after", worker)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("unit", HEAVY.values(), ids=HEAVY.keys())
def test_no_post_takes_longer_than_its_bound(pipeline: Pipeline, unit: str) -> None:
    """Decoding, reading, judging and routing any post of 64 KiB takes less than 100 ms."""
    raw, taken = heavy_post("x", unit), []
    assert len(raw) > 60_000
    for turn in range(3):
        # Another first word each time: no cache of a whole chunk may hide the cost.
        text = raw.replace(b'"text": "', b'"text": "w%d ' % turn)
        start = time.process_time()
        decoded = Post.decode(text, received_at=now())
        (entry,) = pipeline.judge([Received(post=decoded, received_at=now())])
        taken.append(time.process_time() - start)
        assert entry.assessment.urgency is Urgency.KRITIEK
    assert min(taken) < BOUND, taken


@pytest.mark.slow
def test_a_mended_post_comes_through(scene: Scene, worker: Program, tmp_path: Path) -> None:
    """``dead-letter show`` gives the bytes, ``replay --file`` brings the mended post through."""
    poison = b'{"id": "mended", "text": "Er ligt glas op het fietspad", "text": ""}'
    before = {letter["id"] for letter in scene.letters()}
    scene.append(poison)
    wait_until(lambda: len(list(scene.log.scan(Topic.DEAD_LETTER))) > len(before), why=worker.said)
    (identity,) = {letter["id"] for letter in scene.letters()} - before
    options = scene.log_options
    assert scene.run("dead-letter", "show", identity, *options).stdout == poison
    again = scene.run("dead-letter", "replay", identity, *options)
    assert again.returncode == 1
    assert "veld staat er twee keer in" in again.stderr.decode()
    mended = tmp_path / "mended.json"
    mended.write_bytes(post("mended", "Er ligt glas op het fietspad"))
    done = scene.run("dead-letter", "replay", identity, "--file", str(mended), *options)
    assert done.returncode == 0, done.stderr.decode()
    ticket = scene.await_ticket("mended", worker)
    assert ticket.post["text"] == "Er ligt glas op het fietspad"
    assert scene.run("dead-letter", "show", "9-99999", *options).returncode == 2


@pytest.mark.slow
def test_replays_do_not_make_headers_grow(scene: Scene, worker: Program) -> None:
    """A letter that comes back five times has the headers of the first, and a count."""
    scene.append(b'{"id": "round", "text": 5}')

    def latest() -> Record | None:
        own = [
            letter
            for letter in scene.log.scan(Topic.DEAD_LETTER)
            if (letter.value or b"").startswith(b'{"id": "round"')
        ]
        return max(own, key=attempts, default=None)

    sizes = []
    for attempt in range(1, 6):
        wait_until(partial(_came_back, latest, attempt), why=worker.said)
        letter = latest()
        assert letter is not None
        sizes.append((len(letter.headers), len(letter.value or b"")))
        scene.log.append(Topic.POSTS, [replayed(letter)])
    assert len(set(sizes)) == 1


def attempts(letter: Record) -> int:
    return int(dict(letter.headers)["attempt"])


def _came_back(latest: Callable[[], Record | None], attempt: int) -> bool:
    letter = latest()
    return letter is not None and attempts(letter) == attempt


@pytest.mark.slow
def test_ten_megabytes_are_refused_at_our_door(scene: Scene, worker: Program) -> None:
    """A post of 10 MB is refused by ``ingest`` with its line number; the lines around it pass."""
    large = post("large", "a" * 10_000_000)
    with pytest.raises(InvalidPost, match="groter dan"):
        scene.append(large)
    given = b"\n".join([post("door-1"), large, post("door-2")])
    done = scene.run("ingest", "-", *scene.log_options, given=given)
    assert done.returncode == 1
    assert "regel 2: bericht: groter dan 65536 bytes" in done.stderr.decode()
    scene.await_ticket("door-1", worker)
    scene.await_ticket("door-2", worker)


@pytest.mark.slow
def test_too_much_poison_stops_the_worker_before_the_offset_moves(scene: Scene) -> None:
    """After a bad deploy the worker ends (status 3), and position and dead letter are as before."""
    settled = scene.worker("settled").start()
    scene.append(post("settled"))
    scene.await_ticket("settled", settled)
    wait_until(lambda: _still(scene), why=settled.said)
    assert settled.stop() == 0
    positions, letters = dict(scene.positions()), len(scene.letters())
    scene.append(*(b"Bericht %d" % number for number in range(60)), key=b"same")
    scene.append(post("behind"), key=b"same")
    strict = scene.worker("strict", TRIAGE_REJECT_LIMIT="20", TRIAGE_BATCH="50").start()
    assert strict.wait(40) == 3, strict.said()
    assert "onleesbare berichten achter elkaar" in strict.said()
    assert scene.positions() == positions
    assert len(scene.letters()) == letters
    patient = scene.worker("patient").start()
    scene.await_ticket("behind", patient)
    assert len(scene.letters()) == letters + 60
    assert patient.stop() == 0


def _still(scene: Scene) -> bool:
    before = scene.taken()
    time.sleep(1.0)
    return scene.taken() == before


# -- a foreign producer on Kafka -----------------------------------------------------------------


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_topics_that_others_made(
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
    tmp_path: Path,
) -> None:
    """A record of 10 MB is cut for the dead letter; a topic too small for that takes its origin."""
    broker, redis = new_kafka_broker(), new_redis_server("--appendfsync", "everysec")
    broker.start()
    redis.start()
    admin = KafkaAdminClient(bootstrap_servers=broker.servers)
    for name, limit in (("triage.posts", 12_000_000), ("triage.dead-letter", 20_000)):
        config = {"max.message.bytes": str(limit)}
        admin.create_topics(
            {name: {"num_partitions": 1, "replication_factor": 1, "configs": config}}
        )
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker.servers, max_request_size=12_000_000)
    scene = Scene(tmp_path, broker=broker, redis=redis)
    try:
        for value in (post("large", "a" * 10_000_000), b"x" * 15_000, post("behind")):
            producer.send("triage.posts", value=value).get(timeout=30)
        producer.close()
        worker = scene.worker().start()
        scene.await_ticket("behind", worker)
        large, small = scene.letters()
        assert (large["reason"], large["size"], large["cut"]) == (
            "groter dan 65536 bytes",
            str(len(post("large", "a" * 10_000_000))),
            True,
        )
        assert (small["reason"], small["origin-offset"]) == ("geen geldige JSON", "1")
        assert worker.stop() == 0
    finally:
        scene.close()


def test_append_of_a_tombstone_without_key_is_refused(tmp_path: Path) -> None:
    """A record with neither value nor key says nothing to anybody, and is refused by our door."""
    scene = Scene(tmp_path)
    with pytest.raises(InvalidPost, match="leeg"):
        scene.log.append(Topic.POSTS, [NewRecord(value=None)])
    scene.close()
