"""spaCy's ``textcat`` ensemble: the counts, and word vectors through a small convolution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.judges import spacy_textcat
from benchmarks.judges.base import Row

_MODEL: Final = {
    "@architectures": "spacy.TextCatEnsemble.v2",
    "tok2vec": {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": 64,
            "rows": [2000, 2000, 500, 1000, 500],
            "attrs": ["NORM", "LOWER", "PREFIX", "SUFFIX", "SHAPE"],
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": 64,
            "window_size": 1,
            "maxout_pieces": 3,
            "depth": 2,
        },
    },
    "linear_model": {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 1,
        "no_output_layer": False,
        "length": 262_144,
    },
}
_EPOCHS: Final = 3

load = spacy_textcat.load


def train(rows: Sequence[Row], folder: Path, *, quick: bool) -> None:
    """Train both heads."""
    spacy_textcat.train(rows, folder, _MODEL, epochs=1 if quick else _EPOCHS)
