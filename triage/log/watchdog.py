"""A watchdog for partitions that are assigned and give nothing, and a meter of rebalances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class _Watched:
    position: int
    #: When it moved, or was last seen without anything to read.
    still_since: float
    #: When we last asked for its end.
    asked_at: float


class Watchdog:
    """Bites when a partition has had records for ``seconds`` and its position did not move.

    Times are seconds of any one clock.

    >>> dog = Watchdog(seconds=30)
    >>> dog.moved("posts-0", 5, now=0)
    >>> dog.due(now=10)
    ['posts-0']
    >>> dog.ends({"posts-0": 5}, now=10)  # nothing to read: it may stand still
    []
    >>> dog.ends({"posts-0": 9}, now=20), dog.ends({"posts-0": 9}, now=40)
    ([], ['posts-0'])
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._watched: dict[str, _Watched] = {}

    def moved(self, partition: str, position: int, *, now: float) -> None:
        """Note the next offset to read of a partition."""
        self._watched[partition] = _Watched(position=position, still_since=now, asked_at=now)

    def forget(self, partitions: Iterable[str]) -> None:
        """Stop watching partitions that are not ours or wait for a seek."""
        for partition in partitions:
            self._watched.pop(partition, None)

    def rest(self, *, now: float) -> None:
        """Start all times again: nobody polled for a while, so nothing could move."""
        for watched in self._watched.values():
            watched.still_since = watched.asked_at = now

    def due(self, *, now: float) -> list[str]:
        """Give the partitions that stood still long enough to ask for their ends."""
        due = [
            partition
            for partition, watched in self._watched.items()
            if now - watched.asked_at >= self.seconds / 4
        ]
        for partition in due:
            self._watched[partition].asked_at = now
        return due

    def ends(self, ends: dict[str, int], *, now: float) -> list[str]:
        """Take the ends that ``due`` asked for; give the partitions that are stuck."""
        stuck = []
        for partition, end in ends.items():
            watched = self._watched.get(partition)
            if watched is None:
                continue
            if end <= watched.position:
                watched.still_since = now
            elif now - watched.still_since >= self.seconds:
                stuck.append(partition)
        return stuck


class PauseMeter:
    """Measures how long a rebalance stopped a reader that had partitions.

    A reader may join before the group's leader knows the topic; then it joins once more.

    >>> meter = PauseMeter()
    >>> meter.see(generation=1, owns=False, flows=True, started=0.0, now=0.5)
    >>> meter.see(generation=2, owns=True, flows=True, started=0.5, now=1.0)
    >>> meter.see(generation=2, owns=True, flows=False, started=5.0, now=5.25)
    >>> meter.see(generation=3, owns=True, flows=True, started=7.0, now=7.5)
    2.5
    """

    def __init__(self) -> None:
        self._generation: int | None = None
        self._since: float | None = None

    def see(
        self, *, generation: int, owns: bool, flows: bool, started: float, now: float
    ) -> float | None:
        """Take what one poll saw, from ``started`` to ``now``; give the length of an ended pause.

        ``generation``: of the group; ``owns``: the reader has partitions; ``flows``: its
        membership is settled and all is sought.
        """
        if self._generation is None and not owns:
            return None
        moved = self._generation is not None and generation != self._generation
        if self._since is None and (moved or not flows):
            self._since = started
        if not flows:
            return None
        since, self._since = self._since, None
        first, self._generation = self._generation is None, generation
        return None if first or since is None else now - since
