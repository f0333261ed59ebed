"""Signed requests that were taken: one sent again changes nothing and gets its answer again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

#: Signatures that are kept; over this the oldest go first.
SIGNATURES: Final = 50_000


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
