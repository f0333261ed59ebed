#!/usr/bin/env python3
"""Measure what the safety rules alone find and what they raise for nothing, without any model.

``tools/safety_rules.py [--frozen] [--rules]``: on the posts of the corpus, or on the frozen sets.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from triage.classify import safety
from triage.learn.figures import interval
from triage.ticket import Urgency

_CORPUS: Final = Path(__file__).resolve().parents[1] / "models" / "corpus"


def main() -> None:
    """Print the figures of one folder of posts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frozen", action="store_true", help="the frozen sets, not the posts")
    parser.add_argument("--rules", action="store_true", help="each rule of its own too")
    args = parser.parse_args()
    for name, rows in _sets(_CORPUS / ("frozen" if args.frozen else "posts"), apart=args.frozen):
        _print(name, rows, each=args.rules)


def _sets(folder: Path, *, apart: bool) -> list[tuple[str, list[Mapping[str, Any]]]]:
    files = [
        (path.stem, [json.loads(line) for line in path.read_text("utf-8").splitlines()])
        for path in sorted(folder.glob("*.jsonl"))
    ]
    return files if apart else [(folder.name, [row for _, rows in files for row in rows])]


def _print(name: str, rows: Sequence[Mapping[str, Any]], *, each: bool) -> None:
    found: Counter[str] = Counter()
    for_nothing: Counter[str] = Counter()
    critical = 0
    for row in rows:
        raised = safety.check(row["text"])
        is_critical = row["urgency"] == Urgency.KRITIEK
        critical += is_critical
        if raised:
            (found if is_critical else for_nothing)[raised[1]] += 1
    _say(f"{name}: {len(rows)} posts, {critical} critical")
    _print_share("critical posts found", found.total(), critical)
    _print_share("other posts raised", for_nothing.total(), len(rows) - critical)
    if each:
        for rule in sorted(found.keys() | for_nothing.keys()):
            _say(f"  {rule:<20} found {found[rule]:4} for nothing {for_nothing[rule]:4}")


def _print_share(what: str, part: int, whole: int) -> None:
    share = part / whole if whole else 0.0
    low, high = interval(share, whole)
    _say(f"  {what:<22} {part:4} of {whole:5}: {share:.4f} ({low:.4f}-{high:.4f})")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
