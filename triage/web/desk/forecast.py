"""How many will come in the next hours, and how many people that takes.

Arrivals: what came in the same hour of earlier days, else the last hour's. People: Erlang C, on
the mean handle time that was measured from claim to answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from triage.web.desk.activity import Tally

#: How many answers must have been measured before a handle time is trusted.
MEASURED: Final = 5
#: The handle time until then, in seconds.
ASSUMED_SECONDS: Final = 240.0
#: The most people that are ever advised.
PEOPLE_LIMIT: Final = 500
_HOUR_SECONDS: Final = 3600.0


def erlang_c(agents: int, load: float) -> float:
    """Give the probability that somebody has to wait: ``load`` in erlang, less than ``agents``.

    >>> round(erlang_c(2, 1.0), 4), round(erlang_c(10, 7.0), 4)
    (0.3333, 0.2217)
    """
    if load <= 0:
        return 0.0
    if load >= agents:
        return 1.0
    blocked = 1.0  # Erlang B, one agent more at a time: no factorial grows too large
    for agent in range(1, agents + 1):
        blocked = load * blocked / (agent + load * blocked)
    return blocked / (1 - load / agents * (1 - blocked))


def answered_in_time(agents: int, arrivals: float, seconds: float, target: float) -> float:
    """Give the part that is picked up within ``target`` seconds; ``arrivals`` an hour.

    >>> round(answered_in_time(3, 20, 300, 60), 3)
    0.77
    """
    load = arrivals * seconds / _HOUR_SECONDS
    if load >= agents:
        return 0.0
    return 1 - erlang_c(agents, load) * math.exp(-(agents - load) * target / seconds)


def agents_needed(arrivals: float, seconds: float, *, target: float, service: float = 0.9) -> int:
    """Give the least people with whom the part ``service`` is picked up within ``target`` seconds.

    >>> agents_needed(60, 240, target=900), agents_needed(0, 240, target=900)
    (5, 0)
    """
    if arrivals <= 0:
        return 0
    agents = max(1, math.ceil(arrivals * seconds / _HOUR_SECONDS))
    while agents < PEOPLE_LIMIT and answered_in_time(agents, arrivals, seconds, target) < service:
        agents += 1
    return agents


def handle_seconds(tallies: Mapping[tuple[str, datetime], Tally]) -> tuple[float, int]:
    """Give the mean handle time and on how many answers it rests."""
    measured = sum(tally.measured for tally in tallies.values())
    seconds = sum(tally.seconds for tally in tallies.values())
    return (seconds / measured if measured >= MEASURED else ASSUMED_SECONDS), measured


def expected(
    hours: Mapping[datetime, int],
    start: datetime,
    count: int,
    *,
    since: datetime | None,
    last: int | None,
) -> list[tuple[datetime, float | None]]:
    """Give how many will arrive in each of the next hours, from the whole hour ``start`` on.

    ``hours``: what arrived in each whole hour, counted from ``since`` on; ``last``: what arrived in
    the last hour, None where less than an hour was counted. None where too little is known.
    """
    coming: list[tuple[datetime, float | None]] = []
    for ahead in range(count):
        hour = start + timedelta(hours=ahead)
        same = [hour - timedelta(days=day) for day in range(1, 8)]
        before = [hours.get(one, 0) for one in same if since is not None and one >= since]
        coming.append((hour, sum(before) / len(before) if before else last))
    return coming
