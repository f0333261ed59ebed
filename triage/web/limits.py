"""Token buckets: how much one caller may ask for, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

#: The most callers that are remembered; the one not heard of longest goes first.
CALLER_LIMIT: Final = 10_000
#: How much a caller may save up: what it gets in so many seconds.
BURST_SECONDS: Final = 30.0


@dataclass(slots=True)
class Buckets:
    """One bucket a caller; time is an argument (seconds, growing).

    A caller with anything left may take as much as it likes and is then in debt, so that a list
    larger than the bucket passes, and the callers after it wait the longer.

    >>> buckets = Buckets()
    >>> buckets.take("a", 60, cost=31, now=0.0)  # 60 a minute: 30 saved up
    0.0
    >>> buckets.take("a", 60, now=0.5)  # still 0.5 in debt
    0.5
    >>> buckets.take("a", 60, now=1.5)
    0.0
    """

    limit: int = CALLER_LIMIT
    _levels: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, caller: str, per_minute: int, *, cost: int = 1, now: float) -> float:
        """Take from a caller's bucket; give 0, or how many seconds it has to wait."""
        wait = self.wait(caller, per_minute, now=now)
        if not wait and per_minute:
            level, at = self._levels[caller]
            self._levels[caller] = (level - cost, at)
        return wait

    def wait(self, caller: str, per_minute: int, *, now: float) -> float:
        """Give how many seconds a caller has to wait before it may take anything."""
        if not per_minute:
            return 0.0
        a_second = per_minute / 60
        full = max(1.0, a_second * BURST_SECONDS)
        level, at = self._levels.pop(caller, (full, now))
        level = min(full, level + max(0.0, now - at) * a_second)
        self._levels[caller] = (level, now)
        if len(self._levels) > self.limit:
            self._levels.popitem(last=False)
        return 0.0 if level > 0 else max(1e-3, -level / a_second)
