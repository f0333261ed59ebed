"""Posts stream through while things are killed; afterwards every post is in exactly one ticket.

The two runs (Kafka with Redis, and the embedded store) for ``benchmarks/chaos.py`` and, smaller,
for the tests. Everything runs as its users run it: the product's command line, a real broker, a
real redis-server.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.plugins.load import BROKEN_EVERY, broken_line, post_id
from triage.errors import Unavailable
from triage.log import Log, Topic
from triage.queue import Queue

#: Nothing moves for so long: the run has failed, in seconds.
STALL_SECONDS: Final = 90.0
#: What a power cut takes of an append-only file that is synced every second.
CUT_SECONDS: Final = 1.0
_PAGE: Final = 100


# -- how far it is -------------------------------------------------------------------------------


class Progress:
    """How many records the queue store has taken, as its positions say."""

    def __init__(self, queue: Queue, org: str) -> None:
        self._queue = queue
        self._org = org
        self._seen: deque[tuple[float, int]] = deque(maxlen=400)
        self.moved_at = time.monotonic()
        #: The longest time without a step forward, in seconds.
        self.longest_pause = 0.0
        #: Records that the store had taken and lost again.
        self.taken_back = 0

    def look(self) -> int:
        """Give how far it is; while the store is away: how far it was."""
        try:
            count = sum(self._queue.positions(self._org).values())
        except Unavailable:
            return self.count
        now = time.monotonic()
        if count > self.count:
            if self._seen and self.count:
                self.longest_pause = max(self.longest_pause, now - self.moved_at)
            self.moved_at = now
        self.taken_back += max(0, self.count - count)
        self._seen.append((now, count))
        return count

    @property
    def count(self) -> int:
        """What the last look saw."""
        return self._seen[-1][1] if self._seen else 0

    @property
    def flowing(self) -> bool:
        """Whether it moves now and has moved for a second."""
        now = time.monotonic()
        before = next((count for at, count in reversed(self._seen) if now - at > CUT_SECONDS), None)
        return before is not None and before < self.count and now - self.moved_at < 0.5


# -- what is done to it --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Something that happens once the store has taken ``at`` records."""

    at: int
    name: str
    strike: Callable[[], None]


def spread(
    count: int, blows: Mapping[str, tuple[int, Callable[[], None]]], *, seed: int
) -> list[Blow]:
    """Spread blows of every kind (how often, what) over a stream of ``count`` records."""
    chance = random.Random(seed)
    planned = [
        Blow(
            at=int(count * (number + chance.uniform(0.3, 0.9)) / (often + 0.5)),
            name=name,
            strike=do,
        )
        for name, (often, do) in blows.items()
        for number in range(often)
    ]
    return sorted(planned, key=lambda blow: blow.at)


def drive(
    progress: Progress,
    blows: Sequence[Blow],
    *,
    total: Callable[[], int | None],
    why: Callable[[], str],
    flowing_only: bool = True,
) -> None:
    """Strike each blow when its time has come, while posts flow, until ``total`` is taken."""
    left = deque(blows)
    while True:
        done, aim = progress.look(), total()
        if left and done >= left[0].at and (progress.flowing or not flowing_only or done == aim):
            left.popleft().strike()
            progress.moved_at = time.monotonic()
        elif not left and done == aim:
            return
        stalled = time.monotonic() - progress.moved_at
        assert stalled < STALL_SECONDS, (
            f"stands at {done} of {aim}, {len(left)} blows left\n{why()}"
        )
        time.sleep(0.02)


class PowerCut:
    """Watches an append-only file grow, and takes its last second as a power cut would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "appendonlydir"
        self._sizes: deque[tuple[float, Path, int]] = deque(maxlen=1000)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="power-cut", daemon=True)
        self._thread.start()
        #: Bytes taken.
        self.taken = 0

    def ready(self, least: int = 1) -> bool:
        """Whether a cut now would take at least so many bytes."""
        try:
            path = self._file()
            size = self._size_before(path)
            return size is not None and path.stat().st_size - size >= least
        except (OSError, ValueError):
            return False  # rewritten, or not there yet

    def cut(self) -> None:
        """Take what was written in the last second before now; the server must be dead."""
        path = self._file()
        size = self._size_before(path)
        assert size is not None, "the file is younger than the cut"
        self.taken += path.stat().st_size - size
        with path.open("r+b") as file:
            file.truncate(size)

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()
        self._thread.join()

    def _file(self) -> Path:
        return max(self._folder.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))

    def _size_before(self, path: Path) -> int | None:
        limit = time.monotonic() - CUT_SECONDS
        sizes = [size for at, name, size in self._sizes if name == path and at <= limit]
        return sizes[-1] if sizes else None

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            try:
                path = self._file()
                self._sizes.append((time.monotonic(), path, path.stat().st_size))
            except (OSError, ValueError):
                continue  # rewritten, or not there yet


# -- what has become of it -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the stores hold afterwards."""

    posts: int
    tickets: int
    #: Posts in no ticket; posts in more than one; tickets of posts that nobody sent.
    lost: int
    double: int
    strange: int
    #: Tickets that the depths count, which must be as many.
    counted: int
    #: ``created`` events by id, and posts without one; events published more than once.
    created: int
    unannounced: int
    repeated_events: int
    #: Records that are no post, and how many of them are in no dead letter.
    broken: int
    broken_lost: int
    #: Posts that went to the fallback team since judging them failed.
    isolated: int

    @property
    def sound(self) -> bool:
        """Whether nothing is lost and nothing double."""
        wrong = (self.lost, self.double, self.strange, self.unannounced, self.broken_lost)
        return not any(wrong) and self.posts == self.tickets == self.counted == self.created


def verdict(
    log: Log, queue: Queue, org: str, teams: Iterable[str], *, count: int, broken: bool = True
) -> Verdict:
    """Count what the stores hold of ``records(count)``; ``broken``: what is no post was sent too."""
    now = datetime.now(UTC)
    found: Counter[str] = Counter()
    tickets: set[str] = set()
    isolated = queued = 0
    for team in teams:
        for ticket in _listed(queue, org, team, now):
            queued += not ticket.within
            found[str(ticket.post["id"])] += 1
            tickets.add(ticket.id)
            isolated += str(ticket.assessment["model"]).startswith("geen")
    sent = {post_id(number) for number in range(count)}
    created, published = _created(log, org)
    letters = {letter.value for letter in log.scan(Topic.DEAD_LETTER)}
    numbers = range(0, count, BROKEN_EVERY) if broken else ()
    wanted = {broken_line(number) for number in numbers}
    return Verdict(
        posts=count,
        tickets=len(tickets),
        lost=len(sent - found.keys()),
        double=sum(times - 1 for times in found.values()),
        strange=len(found.keys() - sent),
        counted=len(tickets) - queued + sum(d.depth for d in queue.stats(org, now=now)),
        created=len(created),
        unannounced=len(tickets - set(created.values())),
        repeated_events=published - len(created),
        broken=len(wanted),
        broken_lost=len(wanted - letters),
        isolated=isolated,
    )


def _listed(queue: Queue, org: str, team: str, now: datetime) -> Iterator[Any]:
    """Give a team's tickets, and those inside bundles."""
    offset = 0
    while page := queue.list(org, team, now=now, limit=_PAGE, offset=offset):
        for ticket in page:
            yield ticket
            inside = 0
            while members := ticket.bundle and queue.members(
                ticket.id, now=now, limit=500, offset=inside
            ):
                yield from members
                inside += len(members)
        offset += len(page)


def _created(log: Log, org: str) -> tuple[dict[str, str], int]:
    """Give the tickets by the ids of their ``created`` events, and how many were published."""
    tickets: dict[str, str] = {}
    published = 0
    for record in log.scan(Topic.ASSESSED):
        for event in events_in(record.value or b"[]"):
            if event["type"] in {"created", "joined"} and event["org"] == org:
                tickets[event["id"]] = event["ticket"]
                published += 1
    return tickets, published


def events_in(value: bytes) -> list[Mapping[str, Any]]:
    """Read a record of ``triage.assessed``: a batch of events."""
    said = json.loads(value)
    return said if isinstance(said, list) else [said]


@dataclass(slots=True, kw_only=True)
class Report:
    """A run: what was done, what became of it, and how it went."""

    backend: str
    seconds: float = 0.0
    blows: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        assert self.verdict is not None
        return {**asdict(self), "sound": self.verdict.sound}
