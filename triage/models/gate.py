"""The gate: whether a candidate may take the place of the model that judges.

Both are measured on the same rows, by authors whom neither has learnt from; the gate looks at what
people rely on and says by how much a candidate falls short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One figure that must not get worse by more than ``margin``."""

    figure: str
    meaning: str
    margin: float
    #: 1: higher is better; -1: lower is.
    better: int = 1


#: What the gate looks at. Calibration may not get worse at all, but for what rounding does.
BARS: Final = (
    Bar(figure="critical_recall", meaning="gevonden kritieke berichten", margin=0.01),
    Bar(figure="topic_macro_f1", meaning="macro-F1 van het onderwerp", margin=0.01),
    Bar(
        figure="topic_calibration_error",
        meaning="ijkfout van het onderwerp",
        margin=0.005,
        better=-1,
    ),
    Bar(
        figure="urgency_calibration_error",
        meaning="ijkfout van de urgentie",
        margin=0.005,
        better=-1,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """By how much a candidate is worse than the current model on one figure."""

    bar: Bar
    new: float
    old: float

    @property
    def worse(self) -> float:
        """How much worse."""
        return (self.old - self.new) * self.bar.better

    def __str__(self) -> str:
        return (
            f"{self.bar.meaning}: {self.new:.3f} tegen {self.old:.3f} nu, {self.worse:.3f} slechter"
            f" (marge {self.bar.margin:.3f})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of a candidate against the current model."""

    candidate: str
    current: str
    #: A digest of the rows that both were measured on.
    rows: str
    #: Per figure: of the current model, of the candidate.
    figures: Mapping[str, tuple[float, float]]
    #: Why not; empty: it may go live.
    shortfalls: tuple[Shortfall, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why not, in words."""
        return tuple(map(str, self.shortfalls))

    @property
    def passed(self) -> bool:
        """Whether it may go live."""
        return not self.shortfalls


def judge(
    candidate: Mapping[str, float],
    current: Mapping[str, float],
    *,
    names: tuple[str, str],
    rows: str,
) -> Verdict:
    """Compare figures of the same rows; ``names`` are the candidate's and the current version.

    >>> now = {"critical_recall": 0.9, "topic_macro_f1": 0.7}
    >>> errors = {"topic_calibration_error": 0.03, "urgency_calibration_error": 0.03}
    >>> verdict = judge(
    ...     {**now, **errors, "critical_recall": 0.85}, {**now, **errors}, names=("b", "a"), rows=""
    ... )
    >>> verdict.refusals
    ('gevonden kritieke berichten: 0.850 tegen 0.900 nu, 0.050 slechter (marge 0.010)',)
    """
    shortfalls = []
    figures = {}
    for bar in BARS:
        new, old = candidate[bar.figure], current[bar.figure]
        figures[bar.figure] = (old, new)
        shortfall = Shortfall(bar=bar, new=new, old=old)
        if shortfall.worse > bar.margin + 1e-9:
            shortfalls.append(shortfall)
    return Verdict(
        candidate=names[0],
        current=names[1],
        rows=rows,
        figures=figures,
        shortfalls=tuple(shortfalls),
    )
