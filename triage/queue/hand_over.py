"""Tickets on their way to another system: a part of :class:`triage.queue.Queue`.

A ticket that is resolved with ``Change.hand_over`` is put on its way in the same atomic step. Any
number of senders take them in turn; who takes one has it alone for a while, so that a sender that
is killed leaves it to the others. Retention leaves a ticket that is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """One ticket on its way."""

    ticket: str
    #: The version that handing it over made: doing that again later is another one.
    version: int
    #: How often it was taken before.
    attempts: int
    #: When it was handed over, and what the receiver has to know besides: ``Change.hand_over``.
    at: datetime
    said: str


class HandOvers(Protocol):
    """What waits to be sent."""

    def take_hand_over(self, org: str, *, now: datetime, until: datetime) -> HandOver | None:
        """Take the one that waits longest; nobody else gets it before ``until``."""
        ...

    def retry_hand_over(self, one: HandOver, *, at: datetime) -> None:
        """Let it be taken again from a time on, unless it was put on its way anew."""
        ...

    def end_hand_over(self, one: HandOver) -> None:
        """Forget it, unless it was put on its way anew."""
        ...
