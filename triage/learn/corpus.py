"""The labelled corpus and the lexicon, as they stand in ``models/corpus``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from triage.language import Reader
from triage.post import Post
from triage.reading import Reading

_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A labelled post."""

    post: Post
    topics: tuple[str, ...]
    urgency: str
    intent: str
    #: The author's code: no author stands on both sides of an evaluation.
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A phrase that speaks for a key (a topic, ``urgency:…``, ``intent:…``, ``style:…``)."""

    key: str
    tokens: tuple[str, ...]
    weight: float


def load_examples(folder: Path) -> list[Example]:
    """Read all posts of ``folder/posts``, files and lines in order."""
    return [
        example_of(row)
        for path in sorted((folder / "posts").glob("*.jsonl"))
        for row in _rows(path)
    ]


def load_terms(folder: Path, reader: Reader) -> list[Term]:
    """Read the lexicon of ``folder/lexicon``, its terms cut as posts are."""
    rows = [row for path in sorted((folder / "lexicon").glob("*.jsonl")) for row in _rows(path)]
    readings = read_texts(reader, [row["term"] for row in rows])
    return [
        Term(key=row["key"], tokens=reading.tokens, weight=float(row["w"]))
        for row, reading in zip(rows, readings, strict=True)
    ]


def read_texts(reader: Reader, texts: Sequence[str]) -> list[Reading]:
    """Read plain texts."""
    return reader.read([Post(id="1", text=text, created_at=_EPOCH) for text in texts])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def example_of(row: Mapping[str, Any]) -> Example:
    """Read one row of a corpus."""
    return Example(
        post=Post.from_mapping(
            {name: row[name] for name in ("id", "text", "channel", "org")}, received_at=_EPOCH
        ),
        topics=tuple(row["topics"]),
        urgency=row["urgency"],
        intent=row["intent"],
        author=str(row["id"]).partition("-")[0],
    )
