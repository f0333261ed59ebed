"""What versions were measured to be worth, kept so that the gate can compare without measuring.

One small JSON file a version and set of rows: figures only, no texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triage.models.gate import BARS, Verdict, judge
from triage.models.pointers import checked, replace_file
from triage.models.registry import Registry

FOLDER: Final = "evaluations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The figures of a version on a set of rows."""

    version: str
    #: A digest of the rows.
    rows: str
    #: How many rows, and how many of them were critical.
    count: int
    critical: int
    figures: Mapping[str, float]


def save(registry: Registry, evaluation: Evaluation) -> None:
    """Keep an evaluation. Raises Refused."""
    data = {
        "version": evaluation.version,
        "rows": evaluation.rows,
        "count": evaluation.count,
        "critical": evaluation.critical,
        "figures": dict(evaluation.figures),
    }
    replace_file(
        _path(registry, evaluation.version, evaluation.rows),
        json.dumps(data, indent=1, sort_keys=True).encode(),
    )


def load(registry: Registry, version: str, rows: str) -> Evaluation | None:
    """Give what a version was measured to be worth on these rows; None where it was not."""
    return _read(_path(registry, version, rows))


def latest_verdict(registry: Registry, version: str) -> Verdict | None:
    """Judge by what was measured: the newest rows on which both versions were.

    None where there are none; then ``triage evaluate`` comes first.
    """
    current = registry.current()
    folder = registry.folder / FOLDER
    paths = sorted(
        folder.glob(f"{checked(version)}@*.json"), key=lambda p: p.stat().st_mtime, reverse=True
    )
    for path in paths:
        mine = _read(path)
        theirs = load(registry, current, mine.rows) if mine else None
        if mine and theirs:
            return verdict(mine, theirs)
    return None


def verdict(candidate: Evaluation, current: Evaluation) -> Verdict:
    """Let the gate compare two evaluations of the same rows."""
    if candidate.rows != current.rows:
        message = "two sets of rows cannot be compared"
        raise ValueError(message)
    return judge(
        candidate.figures,
        current.figures,
        names=(candidate.version, current.version),
        rows=candidate.rows,
    )


def _path(registry: Registry, version: str, rows: str) -> Path:
    return registry.folder / FOLDER / f"{checked(version)}@{checked(rows)}.json"


def _read(path: Path) -> Evaluation | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        evaluation = Evaluation(**data)
    except (OSError, ValueError, TypeError):
        return None
    known = all(bar.figure in evaluation.figures for bar in BARS)
    return evaluation if known else None
