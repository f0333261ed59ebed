"""Waiting for a store that does not answer: jittered, growing, bounded."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

#: The first and the longest wait, in seconds.
FIRST: Final = 0.1
LONGEST: Final = 10.0


@dataclass(slots=True)
class Backoff:
    """How long to wait next. ``wait`` sleeps (a stop event's ``wait``, so that it can be ended).

    >>> waits = []
    >>> backoff = Backoff(wait=waits.append, draw=lambda low, high: high)
    >>> for _ in range(3):
    ...     backoff.pause()
    >>> waits
    [0.1, 0.2, 0.4]
    >>> backoff.reset()
    >>> backoff.pause()
    >>> waits[-1]
    0.1
    """

    wait: Callable[[float], object]
    draw: Callable[[float, float], float] = random.SystemRandom().uniform
    _next: float = field(default=FIRST, init=False)

    def pause(self) -> None:
        """Wait between half and all of the next span, which doubles up to LONGEST."""
        self.wait(self.draw(self._next / 2, self._next))
        self._next = min(self._next * 2, LONGEST)

    def reset(self) -> None:
        """Start from the first span again: the store answered."""
        self._next = FIRST
