"""What a judge of the reading benchmark is: a module with ``train`` and ``load``.

Each judge stands in a module of its own that imports its library, so that a process pays, in
memory and at its start, for the one judge that it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

#: A labelled post, as the corpus has it; only its text, channel and organisation are looked at.
Row = Mapping[str, Any]


class Verdict(NamedTuple):
    """What a judge says of a post."""

    topic: str
    urgency: str
    #: How sure it is that the post is critical; only the order counts.
    critical: float


class Judge(Protocol):
    """A trained judge."""

    def prepare(self, rows: Sequence[Row]) -> Sequence[Any]:
        """Give posts as the judge takes them: not a part of what is measured."""
        ...

    def judge(self, posts: Sequence[Any]) -> list[Verdict]:
        """Judge prepared posts as one batch, in order."""
        ...


class JudgeModule(Protocol):
    """The module of a judge."""

    def train(self, rows: Sequence[Row], folder: Path, *, quick: bool) -> None:
        """Train on the rows and write the model into an empty folder; ``quick``: badly."""
        ...

    def load(self, folder: Path) -> Judge:
        """Load a model that ``train`` wrote."""
        ...


#: The two heads that every judge has.
HEADS = ("topic", "urgency")
CRITICAL = "kritiek"


def labels_of(rows: Sequence[Row], head: str) -> list[str]:
    """Give what each row is: its primary topic, or its urgency."""
    return [row["topics"][0] if head == "topic" else row["urgency"] for row in rows]


def texts_of(rows: Sequence[Row]) -> list[str]:
    """Give the texts."""
    return [row["text"] for row in rows]
