"""What stays when a store, a connection or a process ends at the wrong moment."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.plugins.queue_stores import NOW, PARTITION, Store, minutes, request
from tests.plugins.redis_server import RedisServer
from triage.errors import Refused, Unavailable
from triage.queue import REMEMBER_SECONDS, Advance, Change, PutResult, Queue
from triage.queue.open import open_queue
from triage.ticket import Ticket

ROOT = Path(__file__).resolve().parents[2]
TEAM = "openbare-ruimte"
NewServer = Callable[..., RedisServer]


def put_from(queue: Queue, store: Store, start: int | None, count: int) -> PutResult:
    """Put ``count`` posts that stand at ``start`` and after, and move the position."""
    first = start or 0
    entries = [store.entry(f"p{first + number}") for number in range(count)]
    move = Advance(partition=PARTITION, expected=start, next=first + count)
    return queue.put(store.org, entries, [move], now=NOW, request=request())


def next_claim(queue: Queue, store: Store, same: str = "") -> Ticket:
    """Claim the first free ticket."""
    held = queue.claim_next(
        store.org, TEAM, owner="ans", seconds=60, now=NOW, request=same or request()
    )
    assert held
    return held


def token_of(ticket: Ticket) -> int:
    """Give the token of a claimed ticket."""
    assert ticket.claim
    return ticket.claim.token


@pytest.mark.redis
def test_redis_keeps_all_over_a_kill(new_redis_server: NewServer) -> None:
    """After kill -9 and a restart from its append-only file all that was answered is there."""
    server = new_redis_server()
    server.start()
    store = Store("redis", server.url)
    queue = store.open()
    queue.check()
    put_from(queue, store, None, 20)
    held, told = next_claim(queue, store), queue.events(store.org)
    server.kill()
    with pytest.raises(Unavailable):
        put_from(queue, store, 20, 5)
    server.start()
    assert queue.positions(store.org) == {PARTITION: 20}
    assert queue.get(held.id, now=NOW) == held
    assert queue.events(store.org) == told
    assert queue.stats(store.org, now=NOW)[0].depth == 20
    assert put_from(queue, store, 20, 5).created == 5
    store.close()


@pytest.mark.redis
def test_a_cut_file_rewinds_tickets_and_position_together(new_redis_server: NewServer) -> None:
    """When a power cut takes the end of the file, position and tickets fall back as one."""
    server = new_redis_server()
    server.start()
    store = Store("redis", server.url)
    queue = store.open()
    put_from(queue, store, None, 20)
    safe = server.log_of_writes.stat().st_size
    put_from(queue, store, 20, 20)
    lost = token_of(next_claim(queue, store))
    told = {event.data["id"] for event in queue.events(store.org)}
    server.kill()
    whole = server.log_of_writes.read_bytes()
    cuts = [safe + (len(whole) - safe) * part // 10 for part in (1, 4, 7)]
    for cut in cuts:
        server.log_of_writes.write_bytes(whole[:cut])
        server.start()
        stands = queue.positions(store.org)[PARTITION]
        depth = sum(depth.depth for depth in queue.stats(store.org, now=NOW))
        assert depth == stands == 20, cut
        assert put_from(queue, store, 40, 20) == PutResult(moved={PARTITION: 20})
        assert put_from(queue, store, 20, 20).created == 20
        assert {event.data["id"] for event in queue.events(store.org)} < told
        assert token_of(next_claim(queue, store)) > lost
        server.kill()
    store.close()


def test_tokens_do_not_repeat_after_an_older_file(tmp_path: Path) -> None:
    """A SQLite file restored from a copy gives tokens above those given out since the copy."""
    file, copy = tmp_path / "triage.db", tmp_path / "copy.db"
    store = Store("sqlite", f"sqlite:///{file}")
    queue = store.open()
    put_from(queue, store, None, 3)
    next_claim(queue, store)
    with sqlite3.connect(file) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    lost = token_of(next_claim(queue, store))
    store.close()
    for name in (file, file.with_name("triage.db-wal"), file.with_name("triage.db-shm")):
        name.unlink(missing_ok=True)
    shutil.copy(copy, file)
    queue = store.open()
    later = NOW + minutes(1)
    again = queue.claim_next(store.org, TEAM, owner="bob", seconds=9, now=later, request=request())
    assert again
    assert token_of(again) > lost
    store.close()


@pytest.mark.redis
@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (("--appendonly", "no"), "appendonly yes"),
        (("--appendonly", "no", "--save", "60 1"), "appendonly yes"),
        (("--maxmemory-policy", "allkeys-lru"), "noeviction"),
        (("--maxmemory-policy", "volatile-ttl"), "noeviction"),
    ],
)
def test_a_redis_that_forgets_is_refused(
    new_redis_server: NewServer, setting: tuple[str, ...], says: str
) -> None:
    """A Redis without append-only file, or one that evicts, is refused; the error says what to set."""
    server = new_redis_server(*setting)
    server.start()
    with open_queue(server.url) as queue, pytest.raises(Refused) as caught:
        queue.check()
    assert says in str(caught.value)
    with open_queue(server.url, allow_volatile=True) as queue:
        queue.check()


@pytest.mark.redis
def test_a_password_opens_and_is_not_told(new_redis_server: NewServer) -> None:
    """With the password all works; without or with a wrong one Redis is refused, unnamed."""
    server = new_redis_server()
    server.start()
    with server.client() as client:
        client.config_set("requirepass", "geheim")
    with open_queue(f"redis://:geheim@127.0.0.1:{server.port}/0") as queue:
        queue.check()
    for url in (server.url, f"redis://:fout-woord@127.0.0.1:{server.port}/0"):
        with open_queue(url) as queue, pytest.raises(Refused, match="toegang") as caught:
            queue.check()
        assert "woord" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.redis
def test_a_redis_that_hangs_is_unavailable_in_time(new_redis_server: NewServer) -> None:
    """``ping`` says within 2 seconds that a Redis which hangs does not answer."""
    server = new_redis_server()
    server.start()
    with open_queue(server.url) as queue:
        queue.ping()
        server.pause()
        start = time.monotonic()
        with pytest.raises(Unavailable):
            queue.ping()
        assert time.monotonic() - start < 2
        server.resume()
        queue.ping()


@pytest.mark.redis
def test_a_full_redis_is_unavailable_and_whole(new_redis_server: NewServer) -> None:
    """A Redis out of memory refuses a put as a whole; with room again the same put goes through."""
    server = new_redis_server("--maxmemory-policy", "noeviction")
    server.start()
    store = Store("redis", server.url)
    queue = store.open()
    put_from(queue, store, None, 1)
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(Unavailable, match="OutOfMemoryError"):
            put_from(queue, store, 1, 50)
        client.config_set("maxmemory", "0")
    assert queue.stats(store.org, now=NOW)[0].depth == 1
    assert put_from(queue, store, 1, 50).created == 50
    store.close()


@pytest.mark.redis
def test_a_ticket_made_anew_does_not_expire(redis_store: Store, redis_server: RedisServer) -> None:
    """The memory of an id has a time to live; a ticket that takes its place again has none."""
    queue = redis_store.open()
    put_from(queue, redis_store, None, 1)
    held, key = next_claim(queue, redis_store), f"triage:{{{redis_store.org}}}:ticket:"
    queue.resolve(held.id, Change(), token=token_of(held), by="ans", now=NOW, request=request())
    queue.sweep(redis_store.org, now=NOW + minutes(2), retention_seconds=60)
    with redis_server.client() as client:
        assert 0 < client.ttl(key + held.id) <= REMEMBER_SECONDS
        edit = redis_store.entry("p0", "anders")
        queue.put(redis_store.org, [edit], now=NOW, request=request())
        assert client.ttl(key + held.id) == -1


class LosingProxy:
    """Passes bytes to a Redis and back, but can lose an answer and the connection with it."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.lose = 0
        self.lost = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._target)) as far, suppress(OSError):
            while asked := near.recv(1 << 20):
                far.sendall(asked)
                answer = far.recv(1 << 20)
                if self.lose and b"EVALSHA" in asked:
                    self.lose -= 1
                    self.lost += 1
                    return
                near.sendall(answer)


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[LosingProxy]:
    """Give a proxy before the shared Redis."""
    made = LosingProxy(redis_server.port)
    yield made
    made.close()


@pytest.mark.redis
def test_a_lost_answer_is_given_again(proxy: LosingProxy, redis_store: Store) -> None:
    """When answers get lost the client asks again: no ticket is double, none leased to nobody."""
    sure = redis_store.open()
    queue = open_queue(f"redis://127.0.0.1:{proxy.port}/0")
    queue.ping()
    queue.positions(redis_store.org)
    proxy.lose = 1
    assert put_from(queue, redis_store, None, 3) == PutResult(created=3)
    proxy.lose = 2
    held = next_claim(queue, redis_store)
    assert proxy.lost == 3
    claimed = [t for t in sure.list(redis_store.org, TEAM, now=NOW) if t.claim]
    assert [(ticket.id, ticket.claim) for ticket in claimed] == [(held.id, held.claim)]
    proxy.lose, same = 99, request()
    with pytest.raises(Unavailable):
        next_claim(queue, redis_store, same)
    proxy.lose = 0
    second = next_claim(queue, redis_store, same)
    claimed = [t for t in sure.list(redis_store.org, TEAM, now=NOW) if t.claim]
    assert [ticket.id for ticket in claimed] == [held.id, second.id]
    queue.close()


@pytest.mark.redis
def test_a_script_that_cannot_finish_writes_nothing(
    redis_store: Store, redis_server: RedisServer
) -> None:
    """A key of a wrong type stops a put before its first write, wherever that key is met."""
    queue = redis_store.open()
    put_from(queue, redis_store, None, 2)
    prefix = f"triage:{{{redis_store.org}}}:"
    with redis_server.client() as client:
        before = client.dump(f"{prefix}ticket:{redis_store.id('p0')}")
        for name in (
            "outbox",
            "teams",
            "resolved",
            "keydays",
            "handovers",
            "handing",
            f"queue:{TEAM}",
            f"depth:{TEAM}:2",
            "positions",
        ):
            key = prefix + name
            right = client.dump(key)
            client.set(key, "wrong")
            with pytest.raises(Unavailable, match="ResponseError"):
                put_from(queue, redis_store, 2, 2)
            client.delete(key)
            if right:
                client.restore(key, 0, right)
            assert not client.exists(f"{prefix}ticket:{redis_store.id('p2')}")
            assert client.dump(f"{prefix}ticket:{redis_store.id('p0')}") == before
    assert put_from(queue, redis_store, 2, 2).created == 2


_WRITER = """
import sys
from tests.plugins.queue_stores import NOW, PARTITION, Store, request
from triage.errors import Unavailable
from triage.queue import Advance
store = Store("sqlite", sys.argv[1]); store.org = sys.argv[2]
queue = store.open()
print("ready", flush=True)
while True:
    stands = queue.positions(store.org).get(PARTITION)
    first = stands or 0
    if first >= 3000:
        break
    batch = [store.entry(f"p{first + number}") for number in range(10)]
    move = Advance(partition=PARTITION, expected=stands, next=first + 10)
    queue.put(store.org, batch, [move], now=NOW, request=request() + sys.argv[3])
"""


def test_sqlite_with_processes_that_are_killed(tmp_path: Path) -> None:
    """Processes that share a file and are killed at any moment lose nothing and double nothing."""
    store = Store("sqlite", f"sqlite:///{tmp_path / 'triage.db'}")

    def start(turn: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _WRITER, store.url, store.org, str(turn)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        return process

    for turn in range(3):
        victims = [start(turn * 2), start(turn * 2 + 1)]
        time.sleep(0.05)  # somewhere in the middle of their work; any moment must do
        for victim in victims:
            victim.send_signal(signal.SIGKILL)
        for victim in victims:
            victim.communicate()
    last = [start(8), start(9)]
    for process in last:
        process.communicate(timeout=60)
        assert process.returncode == 0
    queue = store.open()
    assert queue.positions(store.org) == {PARTITION: 3000}
    assert queue.stats(store.org, now=NOW)[0].depth == 3000
    created = [event.data["id"] for event in queue.events(store.org, limit=9999)]
    assert len(created) == len(set(created)) == 3000
    store.close()
