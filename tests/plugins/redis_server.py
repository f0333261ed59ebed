"""A real redis-server, with an append-only file in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

_START_SECONDS = 20.0


class RedisServer:
    """One server on a free port of the loopback."""

    def __init__(
        self, folder: Path, *, cluster: bool = False, config: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._cluster = cluster
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, as a queue is given it."""
        scheme = "redis+cluster" if self._cluster else "redis"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def log_of_writes(self) -> Path:
        """The append-only file."""
        (found,) = (self.folder / "appendonlydir").glob("*.incr.aof")
        return found

    def start(self) -> None:
        """Start and wait until it answers."""
        cluster = ("--cluster-enabled", "yes") if self._cluster else ()
        command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log",
            *cluster, *self._config,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.folder / "redis.log"
                pytest.fail(f"redis-server did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> Redis:
        """Give a plain client, to look inside and to break things."""
        return Redis(port=self.port, socket_timeout=5)

    def _ready(self) -> bool:
        try:
            with self.client() as client:
                client.ping()
                if not self._cluster:
                    return True
                if client.execute_command("CLUSTER INFO").get("cluster_state") == "ok":
                    return True
                if not client.execute_command("CLUSTER SLOTS"):
                    client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        except RedisError:
            pass
        return False


def free_port() -> int:
    """Give a port that nobody listens on, with room for the cluster bus 10,000 above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:
            return port


@pytest.fixture(scope="session")
def redis_installed() -> None:
    """Need redis-server. Missing: skip locally with a loud message, fail when CI is set."""
    if shutil.which("redis-server"):
        return
    message = "NO REDIS, ITS TESTS DID NOT RUN: apt-get install -y redis-server"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def redis_server(
    redis_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """Give a running server that all tests share; use an organisation of your own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_cluster(
    redis_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """Give a running cluster of one node: it refuses scripts that leave their slot."""
    server = RedisServer(tmp_path_factory.mktemp("redis-cluster"), cluster=True)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def new_redis_server(
    redis_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RedisServer]]:
    """Give a maker of servers of one's own (not started), to kill and restart."""
    made: list[RedisServer] = []

    def make(*config: str) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp("redis"), config=config)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()
