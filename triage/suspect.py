"""Posts that bring a process down: found by the mark it left, and isolated.

Before a batch is judged its offsets go into a small file, and out of it afterwards. A process that
finds a mark at its start knows that its forerunner died (or was killed because it hung) while it
judged those posts: it judges them one at a time, each with a mark of its own. A post on which two
processes in a row died alone goes to the fallback team unjudged.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# The supervisor, which only looks at marks, starts without the language step.
if TYPE_CHECKING:
    from triage.pipeline import Pipeline, Received
    from triage.queue import Entry


#: How often a process may die on one post, judged alone, before the post is isolated.
DEATHS: Final = 2
#: A mark older than this means that judging hangs, in seconds.
HANG_SECONDS: Final = 30.0
#: The most worker processes in one folder.
_MOST: Final = 256


class Suspects:
    """The mark of one worker process; ``path`` None keeps none."""

    def __init__(self, path: Path | None) -> None:
        """Take over the mark at ``path``. Raises BlockingIOError where a live process has it."""
        self.path = path or Path(os.devnull)
        self._file: int | None = None
        self._ranges: dict[str, tuple[int, int]] = {}
        self._deaths = 0
        if path is None:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise
        left = _left_behind(path)
        self._ranges = {name: (low, high) for name, (low, high) in left.get("ranges", {}).items()}
        self._deaths = int(left.get("deaths", 0))
        self._write(b"")

    @classmethod
    def first_free(cls, folder: Path) -> Suspects:
        """Take over the first mark in a folder that no live process has."""
        for number in range(_MOST):
            try:
                return cls(folder / f"worker-{number}.mark")
            except BlockingIOError:
                continue
        return cls(None)

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
