"""Our own, with entities sought too: the same model."""

from __future__ import annotations

from pathlib import Path

from benchmarks.judges import ours

train = ours.train


def load(folder: Path) -> ours.Ours:
    """Load the one version in the folder."""
    return ours.load(folder, entities=True)
