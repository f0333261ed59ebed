"""Steps of a long computation: each is done once, and its result stays on disk.

Stopped half-way and started again with the same input, it goes on after the last finished step.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.models.pointers import replace_file

Arrays = Mapping[str, NDArray[Any]]
#: Called with what is done, how many steps are finished and how many there are.
Progress = Callable[[str, int, int], None]

_WORK: Final = ".work"


def ignore(_step: str, _done: int, _total: int) -> None:
    """Show nothing."""


class Steps:
    """The steps of one computation, kept in ``folder``; None keeps nothing."""

    def __init__(
        self, folder: Path | None = None, *, total: int = 0, progress: Progress = ignore
    ) -> None:
        self._folder = folder
        self._total = total
        self._progress = progress
        self._done = 0

    @classmethod
    def of(cls, models: Path, digest: str, *, total: int, progress: Progress) -> Steps:
        """Keep steps under a models folder, by a digest of all that they depend on."""
        return cls(models / _WORK / digest, total=total, progress=progress)

    def once(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Give the arrays of a step: from disk where it was done before, else computed and kept."""
        self._progress(name, self._done, self._total)
        arrays = self._read(name)
        if arrays is None:
            arrays = compute()
            if self._folder is not None:
                packed = io.BytesIO()
                parts: dict[str, Any] = dict(arrays)
                np.savez(packed, **parts)
                replace_file(self._folder / f"{name}.npz", packed.getvalue())
        self._done += 1
        self._progress(name, self._done, self._total)
        return arrays

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let ``once`` keep its results here."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)

    def finish(self) -> None:
        """Throw the results of the steps away: what they were for is done."""
        self._done = self._total
        self._progress("klaar", self._done, self._total)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, name: str) -> Arrays | None:
        if self._folder is None:
            return None
        try:
            with np.load(self._folder / f"{name}.npz", allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (OSError, ValueError, EOFError):
            return None


_running: ContextVar[Steps | None] = ContextVar("running", default=None)


def once(name: str, compute: Callable[[], Arrays]) -> Arrays:
    """Do a step of the computation that is running, if one is; else simply compute.

    A trainer calls it for each fold, and need not know who keeps the results.
    """
    steps = _running.get()
    return compute() if steps is None else steps.once(name, compute)
