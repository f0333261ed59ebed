"""``triage forget``: who asked to be forgotten is nowhere any more, and a rebuild brings nobody back."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest

from tests.plugins.brokers import KafkaBroker
from tests.plugins.programs import Program, wait_until
from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene, now, post
from triage.access import audit_pages
from triage.access.open import open_access
from triage.labels.export import read_posts
from triage.log import NewRecord, Topic
from triage.queue.document import MASK
from triage.ticket import Ticket

MARK: Final = "MERKTEKEN"
AUTHOR: Final = f"{MARK}-id"
LAMP: Final = "De lantaarnpaal in de Dorpsstraat bij de bushalte doet het al een week niet meer"


def theirs(identity: str, text: str, **fields: object) -> bytes:
    """Give a post of the author who will be forgotten."""
    author = {"id": AUTHOR, "name": f"{MARK} naam", "followers": 12}
    return post(
        f"{MARK}-{identity}",
        f"{text} {MARK}",
        author=author,
        url=f"https://x.example/{MARK}",
        handle=f"@{MARK}",
        **fields,
    )


def written(scene: Scene, worker: Program) -> None:
    """Let the author and others write: alone, in a bundle, in a thread, and what is no post."""
    scene.append(
        post("a", LAMP, author={"id": "u-1"}),
        theirs("b", LAMP),
        theirs("c", "De container in de Kerkstraat zit vol"),
        theirs("d", "En wanneer dan?", in_reply_to="a"),
        b'{"id": "x", "author": {"id": "%b"}, "text": "%b' % (AUTHOR.encode(), MARK.encode()),
        b'{"id": "y", "author": {"id": "u-2"}, "text": "' + b"van een ander",
        key=b"k",
    )
    urgent = NewRecord(value=theirs("e", "Gaslucht in het trappenhuis"), key=AUTHOR.encode())
    scene.log.append(Topic.URGENT, [urgent])
    wait_until(lambda: scene.taken() == 7, why=lambda: worker.said()[-3000:])
    wait_until(lambda: not scene.queue.unpublished(scene.org, limit=1), why=worker.said)


def forget(scene: Scene) -> CompletedProcess[bytes]:
    """Run the command; neither it nor what it prints may hold the id."""
    options = [*scene.store_options, *([] if scene.broker is None else ["--data", "here"])]
    done = scene.run("forget", "--org", scene.org, "-", *options, given=f"{AUTHOR}\n".encode())
    assert MARK.encode() not in done.stdout + done.stderr, "the id is told"
    return done


def told(done: CompletedProcess[bytes]) -> tuple[int, ...]:
    """Give the numbers that it prints: tickets, records of the log, mutes."""
    return tuple(int(number) for number in re.findall(r"\d+", done.stdout.decode()))


def check(scene: Scene) -> None:
    """See that the tickets are there, and nobody's words in them but others'."""
    for name in "bcde":
        ticket = masked(scene, name)
        assert ticket.post["text"] == MASK
        assert "author" not in ticket.post
    lead = scene.ticket("a")
    assert lead
    assert lead.post["text"] == LAMP


def masked(scene: Scene, name: str) -> Ticket:
    """Give the ticket of one of the author's posts."""
    ticket = scene.ticket(f"{MARK}-{name}")
    assert ticket is not None
    return ticket


def recorded(scene: Scene) -> list[Any]:
    """Give what stands in the record of it."""
    with open_access(scene.queue_url) as access:
        return [one.targets for one in audit_pages(access) if one.action == "author.forget"]


def values(redis: RedisServer) -> str:
    """Give all that Redis holds, as one text."""
    read: dict[bytes, Callable[[Any, bytes], Any]] = {
        b"string": lambda client, key: client.get(key),
        b"hash": lambda client, key: client.hgetall(key),
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1),
        b"stream": lambda client, key: client.xrange(key),
    }
    with redis.client() as client:
        return repr([(key, read[client.type(key)](client, key)) for key in client.scan_iter()])


def in_files(folder: Path) -> list[str]:
    """Name the files in which the mark stands.

    Read by another process: to close a file of SQLite's would take our own locks on it away.
    """
    done = subprocess.run(
        ["grep", "-rlaF", MARK, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Scene]:
    """Give a deployment on the embedded store."""
    scene = Scene(tmp_path)
    yield scene
    scene.close()


@pytest.mark.slow
def test_nothing_is_left_in_the_file(embedded: Scene) -> None:
    """While all runs on: not in the file, not in its log of writes, not after a rebuild."""
    data, worker = embedded.folder / "data", embedded.worker().start()
    written(embedded, worker)
    embedded.append(theirs("f", "Nog niet gelezen en toch al vergeten") * 2)  # no post at all
    wait_until(lambda: embedded.taken() == 8, why=lambda: worker.said()[-3000:])
    assert in_files(data)
    embedded.queue.mute(
        masked(embedded, "c").id,
        until=now() + timedelta(days=7),
        reason="spam",
        by="Bert",
        now=now(),
        request="m",
    )
    done = forget(embedded)
    assert done.returncode == 0, done.stderr.decode()
    assert told(done) == (4, 8, 1)
    (mute,) = embedded.queue.mutes(embedded.org)
    assert not mute.stands(now())
    assert in_files(data) == []
    check(embedded)
    assert recorded(embedded) == [(embedded.org,)]
    # The dead letter of somebody else is still there, and is the only one.
    (letter,) = embedded.letters()
    assert embedded.run("dead-letter", "show", letter["id"], *embedded.log_options).stdout.endswith(
        b"van een ander"
    )
    # The stream goes on, and a second time there is nothing to do.
    embedded.append(post("later", "De prullenbak is vol"))
    embedded.await_ticket("later", worker)
    assert told(forget(embedded)) == (0, 0, 0)
    assert worker.stop() == 0
    with closing(sqlite3.connect(data / "triage.db")) as db:
        for table in ("ticket", "position", "history", "key", "answer"):
            db.execute(f"DELETE FROM queue_{table}")
        db.commit()
    done = embedded.run("rebuild", *embedded.store_options)
    assert done.returncode == 0, done.stderr.decode()
    assert embedded.ticket("a")
    assert embedded.ticket("later")
    assert [embedded.ticket(f"{MARK}-{name}") for name in "bcde"] == [None] * 4
    assert len(embedded.letters()) == 1
    assert in_files(data) == []


def test_an_unread_backlog_is_forgotten_too(embedded: Scene) -> None:
    """Posts that no worker has read yet come to nobody's desk, and to no dead letter."""
    embedded.append(post("a", LAMP), theirs("b", "De brug staat open"))
    assert forget(embedded).returncode == 0
    assert in_files(embedded.folder / "data") == []
    worker = embedded.worker().start()
    embedded.await_ticket("a", worker)
    wait_until(lambda: embedded.taken() == 2, why=lambda: worker.said()[-3000:])
    assert embedded.letters() == []
    assert sum(depth.depth for depth in embedded.queue.stats(embedded.org, now=now())) == 1
    assert embedded.queue.posts_by(embedded.org, AUTHOR) == []


@pytest.mark.parametrize("given", ["", " \n", "x" * 300])
def test_an_id_that_is_none_is_refused(embedded: Scene, given: str) -> None:
    """Nothing is done, and the message says what an id is."""
    done = embedded.run(
        "forget", "--org", embedded.org, "-", *embedded.store_options, given=given.encode()
    )
    assert done.returncode == 2
    assert "1 tot 256 tekens" in done.stderr.decode()
    assert recorded(embedded) == []


def test_an_unknown_organisation_is_refused(embedded: Scene) -> None:
    """The message names those that there are."""
    done = embedded.run("forget", "--org", "elders", AUTHOR, *embedded.store_options)
    assert done.returncode == 2
    assert embedded.org in done.stderr.decode()


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_kafka_keeps_the_text_and_nobody_reads_it(
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
    tmp_path: Path,
) -> None:
    """The command says that records stay; Redis has nothing, and a rebuild brings nothing back."""
    broker, redis = new_kafka_broker(), new_redis_server("--appendfsync", "everysec")
    broker.start()
    redis.start()
    scene = Scene(tmp_path, broker=broker, redis=redis)
    try:
        worker = scene.worker().start()
        written(scene, worker)
        assert MARK in values(redis)
        done = forget(scene)
        assert done.returncode == 2, done.stderr.decode()
        assert told(done) == (4, 0, 0)
        assert "6 berichten blijven in Kafka staan" in done.stderr.decode()
        assert "retention.ms" in done.stderr.decode()
        check(scene)
        # The worker reads the withdrawals that the log got, which change nothing.
        wait_until(lambda: scene.taken() == 11, why=lambda: worker.said()[-3000:])
        assert MARK not in values(redis)
        # Once more: the log has its withdrawals and gets no others.
        assert forget(scene).returncode == 2
        assert sum(1 for _ in scene.log.scan(Topic.POSTS)) == 10
        assert worker.stop() == 0
        with redis.client() as client:
            client.flushall()
        done = scene.run("rebuild", *scene.store_options, "--data", "here")
        assert done.returncode == 0, done.stderr.decode()
        check(scene)
        assert MARK not in values(redis)
        # An export gives no row of a post that was withdrawn.
        read = read_posts(scene.log, lambda _: scene.org)
        gone = {found.id for _, found, _ in read if found.deleted}
        assert gone == {f"{MARK}-{name}" for name in "bcde"}
    finally:
        scene.close()
