"""Counts per day that outlive the process: each process writes a file of its own, readers add up.

A file is small (labels and numbers, never a text or a name) and is replaced as a whole every few
seconds, so a kill loses the last of the counting and nothing else.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from triage.errors import Refused
from triage.models.pointers import replace_file

#: The folder of counts (drift, what a shadow says), in the data folder.
COUNTS: Final = "counts"
#: How long a process keeps its counts to itself, in seconds.
FLUSH_SECONDS: Final = 5.0
#: How long files stay, in days.
KEEP_DAYS: Final = 60

#: What is counted, then what was seen, then how often.
Counts = Mapping[str, Mapping[str, int]]


class Tally:
    """The counts of one process, in ``folder``; ``name`` begins the names of its files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._own = secrets.token_hex(4)
        self._day = ""
        self._counts: dict[str, Counter[str]] = {}
        self._due = 0.0
        self._changed = False

    @property
    def counts(self) -> Counts:
        """What was counted today."""
        return self._counts

    def add(self, day: date, what: str, seen: Iterable[str]) -> None:
        """Count what was seen on a day; a new day begins a new file."""
        named = day.isoformat()
        if named != self._day:
            self.flush()
            self._day, self._counts = named, {}
        counter = self._counts.get(what)
        if counter is None:
            counter = self._counts[what] = Counter()
        counter.update(seen)
        self._changed = True

    def tick(self, at: float) -> bool:
        """Write to disk when that is due, and say so; ``at`` is a monotonic time in seconds."""
        if not self._changed or at < self._due:
            return False
        self._due = at + FLUSH_SECONDS
        self.flush()
        return True

    def flush(self) -> None:
        """Write what was counted; a disk that is full or read-only costs the counts, no more."""
        if not self._changed:
            return
        self._changed = False
        path = self._folder / f"{self._name}.{self._day}.{self._own}.json"
        try:
            replace_file(path, json.dumps(self._counts, ensure_ascii=False).encode(), durable=False)
        except Refused:
            return


def merged(folder: Path, name: str) -> dict[str, dict[str, Counter[str]]]:
    """Add up the files of all processes: per day, what was counted and seen."""
    days: dict[str, dict[str, Counter[str]]] = {}
    for path in sorted(folder.glob(f"{name}.*.json")):
        day = path.name.removeprefix(f"{name}.").split(".")[0]
        try:
            counts = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for what, seen in counts.items():
            days.setdefault(day, {}).setdefault(what, Counter()).update(seen)
    return dict(sorted(days.items()))


def clear(folder: Path, *, today: date) -> int:
    """Remove files that are older than ``KEEP_DAYS``; give how many."""
    oldest = (today - timedelta(days=KEEP_DAYS)).isoformat()
    gone = [p for p in folder.glob("*.*.*.json") if p.name.split(".")[-3] < oldest]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
