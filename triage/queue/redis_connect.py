"""The connection to Redis: addresses, time-outs, retries, and errors without anyone's text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import RedisCluster
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
)
from redis.retry import Retry

from triage.errors import Refused, TriageError, Unavailable

#: The schemes of addresses that we take; ``+cluster`` is ours, for Redis Cluster.
SCHEMES: Final = frozenset({"redis", "rediss", "redis+cluster", "rediss+cluster"})
#: How long a call may take, and a connection; in seconds.
CALL_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0
#: How long ``ping`` may take, for the connection and for the call each, in seconds.
PING_SECONDS: Final = 0.9
#: How often the client sends a command again before we say Unavailable. Each change carries a
#: request id: one that was done already is answered again, not done again.
RETRIES: Final = 3

#: One script in three files: its parts share the local functions of those before them.
_SCRIPT: Final = b"\n".join(
    Path(__file__).with_name(name).read_bytes()
    for name in ("redis.lua", "redis_put.lua", "redis_desk.lua")
)
# Redis names scripts by this digest; it guards nothing.
_SCRIPT_SHA: Final = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_T = TypeVar("_T")
_Client = Redis | RedisCluster


class Denied(Unavailable):
    """Redis knows us but lets us in no further: wait, and tell the operator of the password."""


class Connection:
    """One address of Redis, for all threads of a process; connects at the first call."""

    def __init__(self, url: str) -> None:
        self._cluster, self._url = _parse(url)
        self._lock = Lock()
        self._clients: dict[str, _Client] = {}

    def run(self, prefix: str, *args: Any) -> Any:  # noqa: ANN401 - redis-py types no replies
        """Run our script on the keys of a prefix. Raises Unavailable."""
        return _answer(partial(self._evaluate, prefix, args))

    def call(self, *args: Any) -> Any:  # noqa: ANN401 - redis-py types no replies
        """Send one command. Raises Unavailable."""
        return _answer(lambda: self._client().execute_command(*args))  # type: ignore[no-untyped-call]

    def ping(self) -> None:
        """Return when Redis answers; raise Unavailable within 2 seconds when it does not."""
        _answer(lambda: self._client("ping", retries=0, call=PING_SECONDS).ping())

    def info(self, section: str) -> list[Mapping[str, Any]]:
        """Give a section of INFO, of each node. Raises Unavailable."""
        return _answer(partial(self._info, section))

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()

    def _evaluate(self, prefix: str, args: tuple[Any, ...]) -> Any:  # noqa: ANN401 - as above
        client = self._client()
        try:
            return client.evalsha(_SCRIPT_SHA, 1, prefix, *args)
        except NoScriptError:  # a server that is new to us, or was restarted
            client.script_load(_SCRIPT)
            return client.evalsha(_SCRIPT_SHA, 1, prefix, *args)

    def _info(self, section: str) -> list[Mapping[str, Any]]:
        client = self._client()
        if isinstance(client, RedisCluster):
            found = client.info(section, target_nodes=RedisCluster.ALL_NODES)
            return list(found.values()) if section not in found else [found]
        return [client.info(section)]

    def _client(
        self, use: str = "work", *, retries: int = RETRIES, call: float = CALL_SECONDS
    ) -> _Client:
        with self._lock:
            if use not in self._clients:
                kind = RedisCluster if self._cluster else Redis
                self._clients[use] = kind.from_url(
                    self._url,
                    socket_timeout=call,
                    socket_connect_timeout=min(call, CONNECT_SECONDS),
                    retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries),
                    health_check_interval=30,
                    protocol=2,
                )
            return self._clients[use]


def _parse(url: str) -> tuple[bool, str]:
    """Tell a cluster's address from a server's. Raises Refused, without the password."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        message = "het adres van de queue is geen redis:// of rediss://host[:poort][/nummer]"
        raise Refused(message)
    scheme, _, rest = url.partition("://")
    return scheme.endswith("+cluster"), f"{scheme.removesuffix('+cluster')}://{rest}"


def _answer(call: Callable[[], _T]) -> _T:
    """Make one call; its errors become ours, which hold nothing of what was sent or stored.

    Raised outside of the handler, so that the first error does not travel along as a context.
    """
    failure: TriageError
    try:
        return call()
    except (AuthenticationError, NoPermissionError) as error:
        failure = Denied(f"Redis weigert de toegang ({type(error).__name__})")
    except (RedisError, RedisClusterException, OSError) as error:
        failure = Unavailable(f"Redis geeft geen antwoord ({type(error).__name__})")
    raise failure
