"""Metrics as text: those of this process, or those of several processes merged."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import ValueClass

#: The media type of :func:`exposition`.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Whether this process writes its figures to files (``PROMETHEUS_MULTIPROC_DIR`` was set when the
#: client was imported).
MULTIPROCESS: Final = bool(ValueClass._multiprocess)  # noqa: SLF001 # the client tells nowhere else

#: No process has this id: it keeps the counts of the dead.
_DEAD: Final = 0
_lock = threading.Lock()
# The client gives its surface types, and its files none.
_dict: Any = MmapedDict
_merge: Callable[[list[str]], Iterable[Metric]] = MultiProcessCollector.merge


def exposition(source: CollectorRegistry | Path) -> bytes:
    """Give metrics in Prometheus' text format: of a registry, or merged from a folder."""
    if isinstance(source, CollectorRegistry):
        return generate_latest(source)
    registry = CollectorRegistry()
    registry.register(_Merged(source))
    with _lock:
        return generate_latest(registry)


def forget(directory: Path, pid: int) -> None:
    """Let go of a dead child: all of its files go at once, and with them its gauges.

    What it counted goes on in the totals: a total that fell would look like a restart of every
    process and make rates jump. Call it in the process that shows the metrics, once the child is
    gone.
    """
    with _lock:
        for kind in ("counter", "histogram"):
            _add(directory / f"{kind}_{pid}.db", directory / f"{kind}_{_DEAD}.db")
        for path in directory.glob(f"*_{pid}.db"):
            path.unlink(missing_ok=True)


class _Merged(Collector):
    """Reads the files of all processes in a folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        # A file that a starting child has opened and not yet filled is empty.
        files = [str(path) for path in self._directory.glob("*.db") if path.stat().st_size]
        return _merge(files)

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: what there is, the files tell."""
        return ()


def _add(source: Path, target: Path) -> None:
    """Add the counts in one file to those in another."""
    try:
        counted = list(_dict.read_all_values_from_file(str(source)))
    except (FileNotFoundError, struct.error, RuntimeError):
        return  # it died before it counted, or while it wrote: nothing to keep
    totals = _dict(str(target))
    try:
        for key, value, *_ in counted:
            totals.write_value(key, totals.read_value(key)[0] + value, 0.0)
    finally:
        totals.close()
