"""Publishing what people decided, before the answer where the log lets us.

The store has the outcome on disk, in its outbox, in the same step as the action. So an answer of
200 is safe without the log: while that does not answer, requests don't wait for it, and the
background loop publishes what is left when it is back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Final

import structlog

from triage.errors import StoreLost, Unavailable
from triage.relay import Relay

_log = structlog.get_logger()

#: A request publishes so many pages of events at most, so that it isn't held up by a backlog.
_PAGES: Final = 3


class Outbox:
    """The relay, and whether the log takes what it gives; call it from any thread."""

    def __init__(
        self, relay: Relay, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._relay = relay
        self._clock = clock
        self._blocked = Event()

    def flush(self) -> None:
        """Publish after an action; in silence not, where the log does not answer."""
        if self._blocked.is_set():
            return
        try:
            self._relay.step(self._clock(), pages=_PAGES)
        except (Unavailable, StoreLost):
            self._blocked.set()
            _log.warning("outcomes_wait", reason="log antwoordt niet")

    def drain(self) -> int:
        """Publish all that waits; give the number of events. Raises Unavailable."""
        try:
            count = self._relay.step(self._clock())
        except (Unavailable, StoreLost):
            self._blocked.set()
            raise
        self._blocked.clear()
        return count
