"""Shadow: a candidate judges live posts beside the model that decides, and only is counted.

What it would have said never reaches a ticket. Where the two differ, the ticket's id and both
labels are kept (never a text), so that people can look at what would change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Protocol

import structlog

from triage.models.tally import Tally, merged
from triage.post import Post
from triage.reading import Reading
from triage.ticket import UNKNOWN, Assessment

_log = structlog.get_logger()

#: What is compared.
HEADS: Final = ("topic", "urgency", "intent")
#: How many tickets are named a day and process.
NAMED: Final = 300
#: So many batches on which it fails in a row, and it is given up.
_FAILURES: Final = 3
_TO: Final = ">"


class Judged(Protocol):
    """What we need of ``triage.queue.Entry``."""

    @property
    def ticket_id(self) -> str:
        """The ticket."""
        ...

    @property
    def post(self) -> Post:
        """The post."""
        ...

    @property
    def assessment(self) -> Assessment:
        """What the model said that decides."""
        ...


class Judge(Protocol):
    """What we need of a classifier."""

    version: str

    def assess(self, posts: Sequence[Post], readings: Sequence[Reading]) -> list[Assessment]:
        """Judge a batch."""
        ...


class Shadow:
    """One candidate in one process.

    ``adapt`` brings an assessment into the organisation's own topics; ``count`` is called with a
    head, whether both agree, and on how many posts.
    """

    def __init__(
        self,
        judge: Judge,
        tally: Tally,
        *,
        adapt: Callable[[Post, Assessment], Assessment],
        count: Callable[[str, bool, int], None],
    ) -> None:
        self.version = judge.version
        self._judge = judge
        self._tally = tally
        self._adapt = adapt
        self._count = count
        self._failures = 0
        self._named: tuple[date | None, int] = (None, 0)

    @property
    def given_up(self) -> bool:
        """Whether it failed so often that it is not asked any more."""
        return self._failures >= _FAILURES

    def see(self, pairs: Sequence[tuple[Judged, Reading]], day: date) -> None:
        """Judge a batch once more and compare; whatever happens here stays here."""
        if self.given_up:
            return
        try:
            said = self._judge.assess([e.post for e, _ in pairs], [r for _, r in pairs])
            compared = [
                (entry, self._adapt(entry.post, theirs))
                for (entry, _), theirs in zip(pairs, said, strict=True)
                if entry.assessment.topic != UNKNOWN
            ]
        except Exception as error:  # noqa: BLE001 - a candidate must not hurt the stream
            self._failures += 1
            _log.error("shadow_failed", model=self.version, error=type(error).__name__)
            return
        self._failures = 0
        self._compare(compared, day)

    def tick(self, at: float) -> None:
        """Write the counts when due; ``at`` is a monotonic time in seconds."""
        self._tally.tick(at)

    def close(self) -> None:
        """Write what is left."""
        self._tally.flush()

    def _compare(self, compared: Sequence[tuple[Judged, Assessment]], day: date) -> None:
        differing: dict[str, list[str]] = {}
        for head in HEADS:
            moves = []
            for entry, theirs in compared:
                now, then = _label(entry.assessment, head), _label(theirs, head)
                moves.append(f"{now}{_TO}{then}")
                if now != then:
                    differing.setdefault(entry.ticket_id, []).append(f"{head}:{now}{_TO}{then}")
            self._tally.add(day, head, moves)
            same = sum(move.partition(_TO)[0] == move.partition(_TO)[2] for move in moves)
            self._count(head, True, same)
            self._count(head, False, len(moves) - same)
        named = self._named[1] if self._named[0] == day else 0
        some = [f"{ticket} {' '.join(how)}" for ticket, how in differing.items()][: NAMED - named]
        if some:
            self._tally.add(day, "tickets", some)
        self._named = (day, named + len(some))


def _label(assessment: Assessment, head: str) -> str:
    return str(getattr(assessment, head))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a candidate and the current model compare on live posts."""

    posts: int
    #: Per head, the part on which they agree.
    agree: Mapping[str, float]
    #: Per head, ("now", "then", count) of what would change, most often first.
    changes: Mapping[str, Sequence[tuple[str, str, int]]]
    #: Tickets on which they differ, each with how (``topic:a>b``).
    tickets: Sequence[tuple[str, str]]
    #: Posts that would become ``kritiek``, and that would no longer be.
    critical_gained: int
    critical_lost: int


def file_name(version: str) -> str:
    """Name the files of a candidate's counts."""
    return f"shadow-{version}"


def agreement(folder: Path, version: str) -> Agreement:
    """Read what all processes counted for a candidate."""
    total: dict[str, Counter[str]] = {}
    for counts in merged(folder, file_name(version)).values():
        for what, counter in counts.items():
            total.setdefault(what, Counter()).update(counter)
    moves = {head: _moves(total.get(head, Counter())) for head in HEADS}
    posts = sum(count for _, _, count in moves["topic"])
    urgency = moves["urgency"]
    return Agreement(
        posts=posts,
        agree={
            head: sum(n for a, b, n in moves[head] if a == b) / posts if posts else 0.0
            for head in HEADS
        },
        changes={head: [move for move in moves[head] if move[0] != move[1]] for head in HEADS},
        tickets=[
            (ticket, how)
            for line in total.get("tickets", ())
            for ticket, _, how in [line.partition(" ")]
        ],
        critical_gained=sum(n for a, b, n in urgency if b == "kritiek" != a),
        critical_lost=sum(n for a, b, n in urgency if a == "kritiek" != b),
    )


def _moves(counter: Counter[str]) -> list[tuple[str, str, int]]:
    return [
        (now, then, count)
        for move, count in counter.most_common()
        for now, _, then in [move.partition(_TO)]
    ]
