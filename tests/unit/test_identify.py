"""What telling languages promises, on sentences that are not in the corpus."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from triage.language import Reader
from triage.post import Post, clean

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
DATA = Path(__file__).parents[1] / "data" / "language"
DUTCH = {"nl", "fy"}
LEAST_WORDS = 5


@pytest.fixture(scope="module")
def told() -> list[tuple[dict[str, Any], str]]:
    rows = [
        json.loads(line)
        for name in ("languages.jsonl", "languages_holdout.jsonl")
        for line in (DATA / name).read_text("utf-8").splitlines()
    ]
    posts = [Post(id=row["id"], text=clean(row["text"]), created_at=NOW) for row in rows]
    readings = Reader(entities=False).read(posts)
    return [(row, reading.lang) for row, reading in zip(rows, readings, strict=True)]


def test_tells_languages(told: list[tuple[dict[str, Any], str]]) -> None:
    """Of posts of five words or more, 97 in 100 get their language; in each language 9 in 10."""
    right: dict[str, list[bool]] = defaultdict(list)
    for row, lang in told:
        if len(row["text"].split()) >= LEAST_WORDS:
            same = lang == row["lang"] or {lang, row["lang"]} <= DUTCH
            right[row["lang"]].append(same)
    every = [same for answers in right.values() for same in answers]
    assert sum(every) >= 0.97 * len(every)
    for lang, answers in right.items():
        assert sum(answers) >= 0.9 * len(answers), lang


def test_dutch_is_not_misrouted(told: list[tuple[dict[str, Any], str]]) -> None:
    """Frisian, dialects, street language and Dutch with English words stay with Dutch teams."""
    dutch = [(row, lang) for row, lang in told if row["lang"] in DUTCH]
    assert len(dutch) >= 150
    wrong = [row["text"] for row, lang in dutch if lang not in DUTCH]
    assert len(wrong) <= 0.01 * len(dutch), wrong


@pytest.mark.parametrize("text", ["", "🔥🔥", "...", "12345", "@piet", "Up", "ok"])
def test_says_dutch_where_nothing_is_said(text: str) -> None:
    """What holds no words of a language counts as Dutch, so that it is read."""
    (reading,) = Reader(entities=False).read([Post(id="1", text=text, created_at=NOW)])
    assert reading.lang == "nl"
