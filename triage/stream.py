"""The log as the queue store sees it: read where the store stands, put and move on in one step.

The store keeps one position an organisation and partition. A worker reads a partition from the
lowest of them and leaves out, for each organisation, what its queues already have. When the store
turns out to stand elsewhere (a power cut took its last second, another worker went ahead), reading
goes on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from triage.errors import StoreLost, Unavailable
from triage.log import Gap, Log, Record
from triage.pipeline import Received
from triage.queue import Advance, Entry, PutResult, Queue, advances_to
from triage.ticket import org_of

_log = structlog.get_logger()
_T = TypeVar("_T")


class Observer(Protocol):
    """Who wants to know what happens (the metrics)."""

    def gap(self, gap: Gap) -> None:
        """Count records that could not be read."""
        ...

    def rewind(self, partition: str) -> None:
        """Count a position that was not where we thought."""
        ...

    def put_result(self, result: PutResult) -> None:
        """Count what a put did."""
        ...


@dataclass(slots=True)
class Stream:
    """One worker's way from the log into the queues.

    ``patiently`` calls a function until the store answers; it raises Unavailable only when the
    worker is asked to stop.
    """

    log: Log
    queue: Queue
    orgs: Sequence[str]
    observer: Observer
    clock: Callable[[], datetime]
    patiently: Callable[[Callable[[], _T]], _T]
    #: Per organisation and partition: the store's position.
    _stored: dict[str, dict[str, int | None]] = field(default_factory=dict, init=False)
    #: The next offset to read, per partition, of what was put.
    _ends: dict[str, int] = field(default_factory=dict, init=False)
    #: Where the store had stood, per partition, before it fell back.
    _fallen: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._stored = {org: {} for org in self.orgs}

    def read(self, *, timeout: float, limit: int) -> Sequence[Record]:
        """Poll; partitions that are new to us go on where the store stands."""
        polled = self.log.poll(timeout=timeout, limit=limit)
        if polled.fresh:
            self._align(polled.fresh)
        return polled.records

    def realign(self) -> None:
        """Go on where the store stands: it was lost, and filled again behind our back."""
        partitions = {name for own in self._stored.values() for name in own}
        self._stored = {org: {} for org in self.orgs}
        self._align(partitions)

    def has(self, org: str, received: Received) -> bool:
        """Tell whether an organisation's queues already have this post."""
        stored = self._stored[org].get(received.partition or "")
        return stored is not None and received.offset < stored

    def put(self, entries: Sequence[Entry], records: Sequence[Record]) -> None:
        """Put what a batch of records became, move the positions, then commit."""
        if not records:
            return
        ends = {record.partition: record.offset + 1 for record in records}
        moved: set[str] = set()
        by_org: dict[str, list[Entry]] = {}
        for entry in entries:
            by_org.setdefault(org_of(entry.ticket_id), []).append(entry)
        for org, own in by_org.items():
            moved |= self._put(org, own, ends)
        if moved:
            self._align(moved)
        self._ends.update({name: end for name, end in ends.items() if name not in moved})
        self.patiently(lambda: self.log.commit(self._ends))

    def settle(self) -> None:
        """Bring the positions of organisations that got no posts up to the others'."""
        for org in self.orgs:
            if advances_to(self._ends, self._stored[org]) and (
                moved := self._put(org, [], self._ends)
            ):
                self._align(moved)

    def check(self) -> None:
        """Look whether the store fell back while nothing came in (then its tickets did too)."""
        for org in self.orgs:
            stored = self._positions(org)
            fallen = {
                partition
                for partition, position in self._stored[org].items()
                if position is not None and (stored.get(partition) or 0) < position
            }
            if fallen:
                self._note_rewinds(fallen)
                self._align(fallen)

    def recovered(self) -> bool:
        """Tell, once, that all that the store lost has been put again, by us or by others."""
        if not self._fallen:
            return False
        for org in self.orgs:
            stored = self._positions(org)
            if any(stored.get(name, 0) < had for name, had in self._fallen.items()):
                return False
        self._fallen.clear()
        return True

    # -- inside ----------------------------------------------------------------------------------

    def _put(self, org: str, entries: Sequence[Entry], ends: Mapping[str, int]) -> set[str]:
        own = self._stored[org]
        advances = advances_to(ends, own)
        result = self._ask(org, entries, advances)
        self.observer.put_result(result)
        for advance in advances:
            if advance.partition not in result.moved:
                own[advance.partition] = advance.next
        if result.moved:
            self._note_rewinds(result.moved)
        return set(result.moved)

    def _ask(self, org: str, entries: Sequence[Entry], advances: Sequence[Advance]) -> PutResult:
        """Put, under one request however often it has to be sent."""
        request = uuid.uuid4().hex
        result: PutResult = self.patiently(
            lambda: self.queue.put(org, entries, advances, now=self.clock(), request=request)
        )
        return result

    def _note_rewinds(self, partitions: Iterable[str]) -> None:
        for partition in partitions:
            self.observer.rewind(partition)
            _log.warning("position_moved", partition=partition)

    def _align(self, partitions: Iterable[str]) -> None:
        stored = {org: self._positions(org) for org in self.orgs}
        for partition in sorted(partitions):
            for org in self.orgs:
                had, stands = self._stored[org].get(partition), stored[org].get(partition)
                if had is not None and stands is not None and stands < had:
                    self._fallen[partition] = max(had, self._fallen.get(partition, 0))
                self._stored[org][partition] = stands
            self._ends.pop(partition, None)
            self._seek(partition)

    def _positions(self, org: str) -> Mapping[str, int]:
        """Give the store's positions. Raises StoreLost where one that it had is gone.

        Positions only ever grow; a power cut takes the last of them, a lost store all. (It may
        have new ones since, of partitions in which nothing had been before.)
        """
        stored: Mapping[str, int] = self.patiently(lambda: self.queue.positions(org))
        had = {name for name, offset in self._stored[org].items() if offset is not None}
        if not had <= stored.keys():
            raise StoreLost
        return stored

    def _seek(self, partition: str) -> None:
        known = [self._stored[org][partition] for org in self.orgs]
        start = min((offset for offset in known if offset is not None), default=None)
        if None in known:
            start = None  # an organisation is new here: from the oldest record that is left
        gap: Gap | None = self.patiently(lambda: self.log.seek(partition, start))
        if gap is not None:
            self._accept(gap)

    def _accept(self, gap: Gap) -> None:
        """Say in the store that these offsets are gone for good.

        Otherwise a topic made anew, whose offsets start again, would be taken for read.
        """
        self.observer.gap(gap)
        _log.error(
            "gap", partition=gap.partition, start=gap.start, resume=gap.resume, missing=gap.count
        )
        for org in self.orgs:
            expected = self._stored[org][gap.partition]
            if expected is None:
                continue
            move = Advance(partition=gap.partition, expected=expected, next=gap.resume)
            self._ask(org, [], [move])
            self._stored[org][gap.partition] = gap.resume


def until_answered(
    call: Callable[[], _T], *, pause: Callable[[Unavailable], None], stopped: Callable[[], bool]
) -> _T:
    """Call until the store answers; give up (raise Unavailable) only when asked to stop."""
    while True:
        try:
            return call()
        except Unavailable as error:
            if stopped():
                raise
            pause(error)
