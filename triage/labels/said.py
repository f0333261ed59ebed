"""What people said of the model's labels, kept in memory and brought up to date by what is new.

The outcomes log only grows, and a page that reads all of it at each load gets slower every day. So
this reads on from where it was, and keeps of each ticket only what its labels hang on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from triage.labels.agreement import Agreed, agreement_of, compared
from triage.labels.export import named, order_of, said_of, standing
from triage.labels.rows import HEADS
from triage.log import Log, Topic
from triage.ticket import UNKNOWN, org_of

#: The most tickets that are remembered; those that nobody touched longest are forgotten first.
TICKET_LIMIT: Final = 100_000
#: The most acts of one ticket that count, the last ones.
ACT_LIMIT: Final = 100


@dataclass(slots=True)
class _Told:
    """One ticket: what people did, as JSON (which takes the least memory), and what it means."""

    acts: dict[str, bytes] = field(default_factory=dict)
    at: datetime | None = None
    #: What the last decision left as its topic.
    topic: str = ""
    labelled: bool = False
    compared: Mapping[str, bool] = field(default_factory=dict)


class Said:
    """What people said, per ticket. Safe to share among threads."""

    def __init__(self, *, limit: int = TICKET_LIMIT) -> None:
        self._limit = limit
        self._next: dict[str, int] = {}
        #: By ticket; the last one that something was done to stands last.
        self._told: dict[str, _Told] = {}
        self._lock = threading.Lock()

    def update(self, log: Log) -> None:
        """Read what came since the last time. Raises Unavailable; what was read till then stays."""
        with self._lock:
            heard: set[str] = set()
            try:
                for record in log.scan(Topic.OUTCOMES, start=self._next):
                    self._hear(orjson.loads(record.value or b"{}"), heard)
                    self._next[record.partition] = record.offset + 1
            finally:
                for ticket in heard & self._told.keys():
                    _understand(self._told[ticket])

    def agreement(self, org: str, since: datetime | None) -> list[Agreed]:
        """Count how often people agreed, on tickets that they decided on after ``since``."""
        with self._lock:
            return agreement_of(
                told.compared
                for _, told in self._of(org)
                if since is None or (told.at is not None and told.at > since)
            )

    def labelled(self, org: str | None = None) -> frozenset[str]:
        """Name the tickets on which a person named a label that stands."""
        with self._lock:
            return frozenset(ticket for ticket, told in self._of(org) if told.labelled)

    def topics(self, org: str | None = None) -> Counter[str]:
        """Count the labelled tickets per topic."""
        with self._lock:
            return Counter(told.topic for _, told in self._of(org) if told.labelled)

    def _of(self, org: str | None) -> Iterator[tuple[str, _Told]]:
        return (
            (ticket, told)
            for ticket, told in self._told.items()
            if org is None or org_of(ticket) == org
        )

    def _hear(self, act: Mapping[str, Any], heard: set[str]) -> None:
        if not act.get("id"):
            return
        ticket = act["ticket"]
        told = self._told.pop(ticket, None) or _Told()
        self._told[ticket] = told
        told.acts.setdefault(act["id"], orjson.dumps(_kept(act)))
        heard.add(ticket)
        if len(told.acts) > ACT_LIMIT:
            del told.acts[next(iter(told.acts))]
        if len(self._told) > self._limit:
            del self._told[next(iter(self._told))]


def _kept(act: Mapping[str, Any]) -> dict[str, Any]:
    assessed = act["before"]["assessed"]
    kept = {name: act.get(name) for name in ("id", "type", "undoes", "version", "at", "topic")}
    said = {"assessed": {head: assessed[head] for head in HEADS}}
    return {**kept, "said": dict(named(act)), "before": said}


def _understand(told: _Told) -> None:
    acts = sorted(map(orjson.loads, told.acts.values()), key=order_of)
    left = standing(acts)
    told.at = datetime.fromisoformat(acts[-1]["at"])
    told.topic = str(acts[-1]["topic"])
    told.labelled = any(label != UNKNOWN for label in said_of(left).values())
    told.compared = compared(acts)
