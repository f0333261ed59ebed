"""Posts that bring a process down: found by the mark it left, and isolated.

Before a batch is judged its offsets go into a small file, and out of it afterwards. A process that
finds a mark at its start knows that its forerunner died (or was killed because it hung) while it
judged those posts: it judges them one at a time, each with a mark of its own. A post on which two
processes in a row died alone goes to the fallback team unjudged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from triage.pipeline import Pipeline, Received
from triage.queue import Entry

#: How often a process may die on one post, judged alone, before the post is isolated.
DEATHS: Final = 2
#: A mark older than this means that judging hangs, in seconds.
HANG_SECONDS: Final = 30.0


class Suspects:
    """The mark of one worker process; ``path`` None keeps none."""

    def __init__(self, path: Path | None) -> None:
        self._file = None
        self._ranges: dict[str, tuple[int, int]] = {}
        self._deaths = 0
        if path is None:
            return
        left = _left_behind(path)
        self._ranges = {name: (low, high) for name, (low, high) in left.get("ranges", {}).items()}
        self._deaths = int(left.get("deaths", 0))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not self._ranges:
            self._write(b"")

    def judge(self, pipeline: Pipeline, batch: Sequence[Received]) -> list[Entry]:
        """Judge a batch under a mark; suspects one at a time."""
        suspects = [received for received in batch if self._suspected(received)]
        if not suspects:
            self._mark(batch, deaths=0)
            entries = pipeline.judge(batch)
            self._write(b"")
            return entries
        entries = [self._judge_alone(pipeline, received) for received in batch]
        self._ranges, self._deaths = {}, 0
        self._write(b"")
        return entries

    def close(self) -> None:
        """Let go of the file: a process that leaves in order leaves no mark."""
        if self._file is not None:
            self._write(b"")
            os.close(self._file)
            self._file = None

    def _suspected(self, received: Received) -> bool:
        low, high = self._ranges.get(received.partition or "", (0, -1))
        return low <= received.offset <= high

    def _judge_alone(self, pipeline: Pipeline, received: Received) -> Entry:
        only = self._ranges.get(received.partition or "") == (received.offset, received.offset)
        deaths = self._deaths if only and len(self._ranges) == 1 else 0
        if deaths >= DEATHS:
            return pipeline.give_up(received, "het proces brak erop af")
        self._mark([received], deaths=deaths + 1)
        return pipeline.judge([received])[0]

    def _mark(self, batch: Sequence[Received], *, deaths: int) -> None:
        if self._file is None:
            return
        ranges: dict[str, list[int]] = {}
        for received in batch:
            span = ranges.setdefault(received.partition or "", [received.offset, received.offset])
            span[0] = min(span[0], received.offset)
            span[1] = max(span[1], received.offset)
        self._write(json.dumps({"ranges": ranges, "deaths": deaths}).encode())

    def _write(self, mark: bytes) -> None:
        # A write that a crash of this process can't lose; a power cut may, and is no post's fault.
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, mark, 0)


def _left_behind(path: Path) -> dict[str, Any]:
    try:
        left = json.loads(path.read_bytes() or b"{}")
    except (OSError, ValueError):
        return {}
    return left if isinstance(left, dict) else {}


def hangs(path: Path, *, now: float) -> bool:
    """Tell whether the process of this mark has judged one batch for too long (``now``: epoch)."""
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_size > 0 and now - status.st_mtime > HANG_SECONDS
