"""spaCy's ``textcat_bow``: counts of words and word pairs, linear."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.judges import spacy_textcat
from benchmarks.judges.base import Row

_MODEL: Final = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "ngram_size": 2,
    "no_output_layer": False,
    "length": 262_144,
}
_EPOCHS: Final = 6

load = spacy_textcat.load


def train(rows: Sequence[Row], folder: Path, *, quick: bool) -> None:
    """Train both heads."""
    spacy_textcat.train(rows, folder, _MODEL, epochs=1 if quick else _EPOCHS)
