"""``Access`` in Redis, beside the queues.

Keys; the braces keep them in one slot of a cluster:

- ``triage:{access}:DRAWER:KEY`` string: a value as JSON; Redis itself ends it at its time.
- ``triage:{access}:keys:DRAWER`` set: the keys of a drawer, so that all can be listed.
- ``triage:{access}:audit`` stream: the record; field ``e`` holds an entry as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from triage.access import AUDIT_DAYS, AuditEntry, Drawer
from triage.closing import Closing
from triage.queue.redis_connect import Connection

_PREFIX: Final = "triage:{access}:"
_AUDIT: Final = f"{_PREFIX}audit"
_ID: Final = re.compile(r"\d{1,15}-\d{1,15}")


class RedisAccess(Closing):
    """One Redis, for all threads of a process and all servers of a deployment."""

    def __init__(self, url: str) -> None:
        self._redis = Connection(url)

    def put(self, drawer: Drawer, key: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Keep a value."""
        self._redis.call("SADD", _keys(drawer), key)
        self._redis.call("SET", _key(drawer, key), orjson.dumps(value), "PXAT", _ms(until))

    def renew(self, drawer: Drawer, key: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Replace a value that is there."""
        item = (_key(drawer, key), orjson.dumps(value))
        self._redis.call("SET", *item, "XX", "PXAT", _ms(until))

    def get(self, drawer: Drawer, key: str, *, now: datetime) -> dict[str, Any] | None:
        """Give a value; Redis has a clock of its own."""
        del now
        return _read(self._redis.call("GET", _key(drawer, key)))

    def take(self, drawer: Drawer, key: str, *, now: datetime) -> dict[str, Any] | None:
        """Give a value and forget it."""
        del now
        found = _read(self._redis.call("GETDEL", _key(drawer, key)))
        self._redis.call("SREM", _keys(drawer), key)
        return found

    def all(self, drawer: Drawer, *, now: datetime) -> Sequence[tuple[str, dict[str, Any]]]:
        """Give all keys and values of a drawer."""
        del now
        keys = sorted(key.decode() for key in self._redis.call("SMEMBERS", _keys(drawer)))
        found = [(key, _read(self._redis.call("GET", _key(drawer, key)))) for key in keys]
        return [(key, value) for key, value in found if value is not None]

    def record(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the record."""
        for entry in entries:
            self._redis.call("XADD", _AUDIT, "*", "e", orjson.dumps(entry.to_mapping()))

    def audit(self, after: str = "", *, limit: int = 1000) -> Sequence[AuditEntry]:
        """Read the record from after an entry's id."""
        start = f"({after}" if _ID.fullmatch(after) else "-"
        rows = self._redis.call("XRANGE", _AUDIT, start, "+", "COUNT", limit)
        return [
            AuditEntry.from_mapping({**orjson.loads(fields[b"e"]), "id": number.decode()})
            for number, fields in rows
        ]

    def expire(self, *, now: datetime, audit_before: datetime) -> None:
        """Forget keys whose values Redis ended, and old entries."""
        oldest = min(audit_before, now - timedelta(days=AUDIT_DAYS))
        self._redis.call("XTRIM", _AUDIT, "MINID", f"{_ms(oldest)}-0")
        for drawer in Drawer:
            for key in self._redis.call("SMEMBERS", _keys(drawer)):
                if not self._redis.call("EXISTS", _key(drawer, key.decode())):
                    self._redis.call("SREM", _keys(drawer), key)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _key(drawer: Drawer, key: str) -> str:
    return f"{_PREFIX}{drawer}:{key}"


def _keys(drawer: Drawer) -> str:
    return f"{_PREFIX}keys:{drawer}"


def _read(raw: bytes | None) -> dict[str, Any] | None:
    return None if raw is None else dict(orjson.loads(raw))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
