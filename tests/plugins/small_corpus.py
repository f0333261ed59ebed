"""A small corpus for tests that train: a few authors of the shipped one, others kept apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from triage.classify import default_models_dir
from triage.classify.safety import check as safety_check

Row = Mapping[str, Any]
CORPUS: Final = default_models_dir() / "corpus"


def rows_of(author: str) -> list[dict[str, Any]]:
    """Give the posts of one author."""
    text = (CORPUS / "posts" / f"{author}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def write_corpus(
    folder: Path,
    *,
    learnt: Sequence[str],
    frozen: Sequence[str],
    each: int = 150,
    keep: Callable[[Row], bool] = lambda _row: True,
) -> Path:
    """Write a corpus of the first ``each`` posts of some authors; ``keep`` chooses among learnt."""
    for name, authors in (("posts", learnt), ("frozen", frozen)):
        (folder / name).mkdir(parents=True)
        for author in authors:
            rows = rows_of(author)[:each]
            kept = [row for row in rows if name == "frozen" or keep(row)]
            _write(folder / name / f"{author}.jsonl", kept)
    (folder / "lexicon").mkdir()
    for path in sorted((CORPUS / "lexicon").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()[:400]
        (folder / "lexicon" / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "CODEBOOK.md").write_text("# Codebook\n", encoding="utf-8")
    return folder


def clear_or_calm(row: Row) -> bool:
    """Say whether a post is not critical, or so plainly that the safety rules know it."""
    return row["urgency"] != "kritiek" or safety_check(row["text"]) is not None


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def posts_on(topic: str, authors: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give the posts whose first topic this is."""
    for author in authors:
        yield from (row for row in rows_of(author) if row["topics"][0] == topic)
