"""Who is muted, as Redis keeps it and as a process knows it."""

from __future__ import annotations

from collections.abc import Sequence

from triage.queue.checks import check_org, check_ticket
from triage.queue.mute import Mute, Mutes, by_author
from triage.queue.redis_connect import Connection
from triage.queue.redis_wire import mute_args, prefix_of
from triage.ticket import org_of


class RedisMutes:
    """A part of :class:`triage.queue.redis.RedisQueue`."""

    _redis: Connection

    def mutes(self, org: str) -> Sequence[Mute]:
        """Give the mutes that are kept, newest first."""
        check_org(org)
        rows = self._redis.run(prefix_of(org), "mutes")
        found = [Mute.parse(raw, taken=int(count)) for raw, count in rows]
        return sorted(found, key=lambda mute: (mute.at, mute.id), reverse=True)

    def taken_by(self, mute: str, *, limit: int = 100, offset: int = 0) -> Sequence[str]:
        """Name the tickets that a mute took, newest first."""
        start, most = max(0, offset), min(limit, 1000)
        if most <= 0:
            return []
        taken = f"{prefix_of(check_ticket(mute))}taken:{mute}"
        found = self._redis.call("ZREVRANGE", taken, start, start + most - 1)
        return [ticket.decode() for ticket in found]

    def _keep_mute(self, mute: Mute) -> None:
        self._redis.run(prefix_of(org_of(mute.id)), "keep_mute", mute_args([mute], []))


class Heard:
    """The mutes of organisations as a process knows them.

    A write tells by what it decided; where others stand now it is refused and gets those, so what
    is known here may be old, but nothing is decided by it. Without mutes that costs one comparison
    a batch.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, Mutes]] = {}

    def of(self, org: str) -> tuple[bytes, Mutes]:
        """Give by what the mutes are named, and the mutes."""
        return self._known.get(org, (b"", {}))

    def update(self, org: str, told: Sequence[bytes]) -> None:
        """Take in what a write was refused with."""
        if told:
            mark, *mutes = told
            self._known[org] = mark, by_author([Mute.parse(raw) for raw in mutes])
