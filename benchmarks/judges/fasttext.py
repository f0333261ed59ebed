"""fastText, supervised: words, word pairs and character n-grams, a model a head.

The wheel is fasttext-community: the original has had none since 2024. It is no dependency of ours
(``pip install -r requirements-bench.lock``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import fasttext

from benchmarks.judges.base import CRITICAL, HEADS, Row, Verdict, labels_of, texts_of

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_LABEL: Final = "__label__"
_SETTINGS: Final = {
    "lr": 0.5,
    "epoch": 25,
    "dim": 50,
    "wordNgrams": 2,
    "minn": 3,
    "maxn": 5,
    "bucket": 200_000,
    "thread": 1,  # more would write over each other's weights: no two runs alike
    "seed": 1,
    "verbose": 0,
}


def _line(text: str) -> str:
    """Give a text as fastText's guide prepares it: lower case, marks apart, one line."""
    return " ".join(_WORD.findall(text.lower()))


class FastText:
    """A model a head."""

    def __init__(self, heads: dict[str, Any]) -> None:
        self._heads = heads
        self._urgencies = len(heads["urgency"].labels)

    def prepare(self, rows: Sequence[Row]) -> list[str]:
        """Give the texts; cutting them is part of the work."""
        return texts_of(rows)

    def judge(self, posts: Sequence[str]) -> list[Verdict]:
        """Judge topic and urgency."""
        lines = [_line(text) for text in posts]
        topics, _ = self._heads["topic"].predict(lines)
        urgencies, likely = self._heads["urgency"].predict(lines, k=self._urgencies)
        return [
            Verdict(
                topic[0].removeprefix(_LABEL),
                urgency[0].removeprefix(_LABEL),
                float(p[list(urgency).index(_LABEL + CRITICAL)]),
            )
            for topic, urgency, p in zip(topics, urgencies, likely, strict=True)
        ]


def train(rows: Sequence[Row], folder: Path, *, quick: bool) -> None:
    """Train both heads."""
    settings = {**_SETTINGS, "epoch": 3} if quick else _SETTINGS
    for head in HEADS:
        told = folder / "told.txt"
        pairs = zip(labels_of(rows, head), texts_of(rows), strict=True)
        told.write_text("".join(f"{_LABEL}{label} {_line(text)}\n" for label, text in pairs))
        fasttext.train_supervised(str(told), **settings).save_model(str(folder / f"{head}.bin"))
        told.unlink()


def load(folder: Path) -> FastText:
    """Load both heads."""
    return FastText({head: fasttext.load_model(str(folder / f"{head}.bin")) for head in HEADS})
