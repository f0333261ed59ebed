"""What came by before: signed requests that were taken, and views that were recorded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Final

#: Signatures that are kept; over this the oldest go first.
SIGNATURES: Final = 50_000

#: For how long a ticket that somebody saw in a list counts as one view, in seconds: lists renew
#: themselves every few seconds.
VIEW_SECONDS: Final = 600.0
#: Views that are remembered for that; over it the oldest are recorded once more.
VIEWS: Final = 200_000


class Seen:
    """Remembers signatures for as long as their time stamp is accepted.

    >>> seen = Seen()
    >>> seen.add(b"signature", until=300.0)
    >>> seen.has(b"signature", now=299.0), seen.has(b"signature", now=301.0)
    (True, False)
    """

    def __init__(self, limit: int = SIGNATURES) -> None:
        self._limit = limit
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = Lock()

    def add(self, signature: bytes, *, until: float) -> None:
        """Remember a signature until its time stamp is too old anyway."""
        with self._lock:
            self._until[signature] = until
            if len(self._until) > self._limit:
                self._until.popitem(last=False)

    def has(self, signature: bytes, *, now: float) -> bool:
        """Tell whether it was taken before."""
        with self._lock:
            return self._until.get(signature, -1.0) >= now


class Views:
    """Who saw which ticket in a list lately; time is an argument (seconds, growing).

    >>> views = Views()
    >>> views.add("sam", ["a", "b"], now=0)
    >>> views.new("sam", ["b", "c"], now=1), views.new("bo", ["b"], now=2)
    (['c'], ['b'])
    >>> views.new("sam", ["b"], now=600)
    ['b']
    """

    def __init__(self, limit: int = VIEWS) -> None:
        self._limit = limit
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def new(self, subject: str, tickets: Iterable[str], *, now: float) -> list[str]:
        """Give the tickets that are news for somebody."""
        return [
            ticket
            for ticket in tickets
            if now - self._seen.get((subject, ticket), -VIEW_SECONDS) >= VIEW_SECONDS
        ]

    def add(self, subject: str, tickets: Iterable[str], *, now: float) -> None:
        """Remember what somebody saw, once that is recorded."""
        for ticket in tickets:
            self._seen[subject, ticket] = now
            self._seen.move_to_end((subject, ticket))
        while len(self._seen) > self._limit:
            self._seen.popitem(last=False)
