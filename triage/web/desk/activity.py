"""What happens in the queues, counted: arrivals, answers, service levels, who is at work.

Folded from the events of the store, so that every server process counts the same from the oldest
event that the store still holds; nothing is counted of before. An event counts once, by its id.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from triage.queue import Action
from triage.queue.bundling import BY_BUNDLE
from triage.queue.mute import BY_MUTE
from triage.ticket import State
from triage.web.desk.signalen import SENDER

#: How long somebody counts as at work after the last thing done.
AT_WORK: Final = timedelta(minutes=15)
#: How long hours are kept.
KEEP: Final = timedelta(days=8)
#: Ids of events that are remembered, to count none twice.
SEEN_LIMIT: Final = 50_000
#: A handling that took longer was interrupted; it says nothing of the work.
LONGEST_HANDLING: Final = timedelta(hours=2)
#: Who acts in the queues and is nobody.
AUTOMATIC: Final = frozenset({BY_BUNDLE, BY_MUTE, SENDER})
_HOUR: Final = timedelta(hours=1)
_DEEDS: Final = frozenset(
    {
        *(Action.CLAIMED, Action.RESOLVED, Action.CORRECTED, Action.REASSIGNED),
        *(Action.ESCALATED, Action.CONFIRMED, Action.NOTED, Action.SNOOZED, Action.UNDONE),
    }
)


@dataclass(slots=True)
class Tally:
    """What happened to one team in one hour."""

    arrived: int = 0
    handled: int = 0
    #: Of those handled: before and after they were due.
    met: int = 0
    missed: int = 0
    reopened: int = 0
    corrected: int = 0
    #: Handlings that were measured from claim to answer, and their seconds.
    measured: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Count another one in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def take(self, other: Tally) -> None:
        """Count one out that was counted in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) - getattr(other, name))


@dataclass(slots=True, kw_only=True)
class _Counted:
    """What one event added: what its undoing takes back."""

    tally: Tally
    added: Tally
    team: str
    #: Who answered, and when; and the claim that the answer ended.
    by: str = ""
    at: datetime | None = None
    claim: tuple[str, datetime] | None = None
    correction: tuple[str, str] | None = None


@dataclass(slots=True)
class _Org:
    #: The oldest event that was counted.
    since: datetime | None = None
    hours: dict[tuple[str, datetime], Tally] = field(default_factory=dict)
    #: Per team: when tickets came, and when they were handled, of the last hour.
    arrivals: dict[str, deque[datetime]] = field(default_factory=dict)
    handled: dict[str, deque[datetime]] = field(default_factory=dict)
    #: Who did something last when, and for which team.
    people: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    claims: OrderedDict[str, tuple[str, datetime]] = field(default_factory=OrderedDict)
    #: (what the model said, what a person said) of topics.
    corrections: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Answers per person in the hours kept.
    answers: Counter[str] = field(default_factory=Counter)
    #: By the id of an event: what it added, where that can be taken back.
    seen: OrderedDict[str, _Counted | None] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """How busy an organisation is; per team."""

    arrived: Mapping[str, int]
    handled: Mapping[str, int]
    people: Mapping[str, list[str]]


class Activity:
    """The counts of all organisations. For one thread."""

    def __init__(self) -> None:
        self._orgs: dict[str, _Org] = {}

    def note(self, org: str, events: Iterable[Mapping[str, Any]]) -> None:
        """Count events (``Event.data``)."""
        known = self._orgs.setdefault(org, _Org())
        for data in events:
            if data["id"] in known.seen or _is_nobodys(data):
                continue
            known.seen[data["id"]] = _count(known, data)
            if len(known.seen) > SEEN_LIMIT:
                known.seen.popitem(last=False)

    def of(self, org: str, *, now: datetime | None = None) -> Busy:
        """Tell how busy the last hour was, and who is at work."""
        known = self._orgs.get(org) or _Org()
        now = now or _latest(known)
        people: dict[str, list[str]] = {}
        for name, (at, team) in sorted(known.people.items()):
            if now is not None and now - at < AT_WORK:
                people.setdefault(team, []).append(name)
        return Busy(
            arrived={team: _since(at, now) for team, at in known.arrivals.items()},
            handled={team: _since(at, now) for team, at in known.handled.items()},
            people=people,
        )

    def since(self, org: str) -> datetime | None:
        """Give from when on is counted; None where nothing was."""
        known = self._orgs.get(org)
        return known.since if known else None

    def hours(self, org: str, *, since: datetime) -> dict[tuple[str, datetime], Tally]:
        """Give the tallies per team and hour from a time on."""
        known = self._orgs.get(org) or _Org()
        return {key: tally for key, tally in known.hours.items() if key[1] >= since}

    def corrections(self, org: str) -> list[tuple[str, str, int]]:
        """Give how often which topic became which, most often first."""
        known = self._orgs.get(org) or _Org()
        return [(was, now, count) for (was, now), count in (+known.corrections).most_common()]

    def answers(self, org: str) -> Mapping[str, int]:
        """Give how many tickets each person handled."""
        known = self._orgs.get(org) or _Org()
        return dict((+known.answers).most_common())


def _since(times: deque[datetime], now: datetime | None) -> int:
    if now is None:
        return 0
    while times and now - times[0] > _HOUR:
        times.popleft()
    return len(times)


def _latest(known: _Org) -> datetime | None:
    times = [at for at, _ in known.people.values()]
    times += [at[-1] for at in (*known.arrivals.values(), *known.handled.values()) if at]
    return max(times, default=None)


def _is_nobodys(data: Mapping[str, Any]) -> bool:
    """Whether a mute took a ticket, or gave it back: that is nobody's work."""
    new = data["type"] == Action.CREATED
    return bool(data.get("mute")) or (new and data["state"] == State.RESOLVED)


def _count(known: _Org, data: Mapping[str, Any]) -> _Counted | None:
    at, team, kind = datetime.fromisoformat(data["at"]), data["team"], data["type"]
    known.since = min(known.since or at, at)
    tally, by = _tally(known, team, at), data.get("by") or ""
    if kind == Action.CREATED:
        tally.arrived += 1
        known.arrivals.setdefault(team, deque(maxlen=200_000)).append(at)
        return None
    if kind in _DEEDS and by and by not in AUTOMATIC:
        known.people[by] = (at, team)
    counted = _Counted(tally=tally, added=Tally(), team=team)
    if kind == Action.CLAIMED:
        known.claims[data["ticket"]] = (by, at)
        if len(known.claims) > SEEN_LIMIT:
            known.claims.popitem(last=False)
    elif kind == Action.RESOLVED:
        _resolved(known, counted, data, at)
    elif kind == Action.REOPENED or data.get("reopened"):
        counted.added.reopened = 1
    elif kind == Action.CORRECTED:
        counted.added.corrected = 1
        said = data.get("before", {}).get("topic", "")
        if said and said != data["topic"]:
            counted.correction = (said, data["topic"])
            known.corrections[counted.correction] += 1
    elif kind == Action.UNDONE:
        _take_back(known, data)
    tally.add(counted.added)
    return counted if counted.added != Tally() else None


def _resolved(known: _Org, counted: _Counted, data: Mapping[str, Any], at: datetime) -> None:
    added = counted.added
    added.handled = 1
    counted.at = at
    known.handled.setdefault(counted.team, deque(maxlen=200_000)).append(at)
    if data["by"] not in AUTOMATIC:
        counted.by = data["by"]
        known.answers[counted.by] += 1
    if at <= datetime.fromisoformat(data["due_at"]):
        added.met = 1
    else:
        added.missed = 1
    counted.claim = known.claims.pop(data["ticket"], None)
    by, since = counted.claim or ("", at)
    if by == data["by"] and timedelta(0) < at - since < LONGEST_HANDLING:
        added.measured = 1
        added.seconds = (at - since).total_seconds()


def _take_back(known: _Org, data: Mapping[str, Any]) -> None:
    """Count out what the act added that was undone."""
    undone = data.get("undoes", "")
    counted = known.seen.get(undone)
    if counted is None:
        return
    known.seen[undone] = None
    counted.tally.take(counted.added)
    if counted.correction:
        known.corrections[counted.correction] -= 1
    if counted.by:
        known.answers[counted.by] -= 1
    if counted.claim:
        known.claims[data["ticket"]] = counted.claim
    if counted.at:
        with contextlib.suppress(ValueError):  # over an hour ago
            known.handled[counted.team].remove(counted.at)


def _tally(known: _Org, team: str, at: datetime) -> Tally:
    hour = at.replace(minute=0, second=0, microsecond=0)
    found = known.hours.get((team, hour))
    if found is None:
        found = known.hours[team, hour] = Tally()
        newest = max(hour for _, hour in known.hours)
        for old in [key for key in known.hours if newest - key[1] > KEEP]:
            del known.hours[old]
    return found
