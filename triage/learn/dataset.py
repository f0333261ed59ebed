"""What a model is trained on: a base corpus, and the labels of an export, as one corpus folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from triage.classify import default_models_dir
from triage.errors import Refused
from triage.labels.formats import read_rows
from triage.labels.rows import Row, Status
from triage.profiles import INTENTS
from triage.ticket import URGENCIES

#: The corpus that comes with the product.
STARTER: Final = "starter"
#: Where a corpus keeps posts that no model learns from.
FROZEN: Final = "frozen"
POSTS: Final = "posts"
#: A topic that the base lacks needs help up to so many examples.
FEW: Final = 150
#: Rows of one bundle that share so many of their words are copies, and count once.
SAME: Final = 0.8
_WORD: Final = re.compile(r"[^\W_]+")
_FIELDS: Final = ("id", "text", "channel", "org", "topics", "urgency", "intent", "lang")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Labelled posts in the corpus's own form, and where their lexicon stands."""

    #: JSON-ready rows: ``id`` (the author's code, ``-``, a number), ``text``, ``topics`` ...
    rows: Sequence[Mapping[str, Any]]
    #: The folder with ``lexicon/``.
    lexicon: Path
    #: The text by which labels are given, as a digest.
    codebook: str
    #: What was left out, and why: reason to count.
    left_out: Mapping[str, int]
    #: Topics that the base does not have, with so few examples that they need help.
    new_topics: Mapping[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Tell datasets apart: the same rows and lexicon give the same digest."""
        found = hashlib.sha256()
        for row in self.rows:
            found.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
        for path in sorted((self.lexicon / "lexicon").glob("*.jsonl")):
            found.update(path.read_bytes())
        return found.hexdigest()[:16]

    @property
    def authors(self) -> frozenset[str]:
        """The codes of everyone who wrote something in it."""
        return frozenset(author_of(row) for row in self.rows)

    def write(self, folder: Path) -> None:
        """Write it as a corpus: ``posts/`` and ``lexicon/``."""
        (folder / POSTS).mkdir(parents=True, exist_ok=True)
        _write_lines(folder / POSTS / "all.jsonl", self.rows)
        target = folder / "lexicon"
        target.mkdir(exist_ok=True)
        for path in sorted((self.lexicon / "lexicon").glob("*.jsonl")):
            (target / path.name).write_bytes(path.read_bytes())


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def base_folder(name: str) -> Path:
    """Give the folder of a base corpus: ``starter``, or a folder of one's own. Raises Refused."""
    folder = default_models_dir() / "corpus" if name == STARTER else Path(name)
    if not (folder / POSTS).is_dir():
        raise Refused(f"{name}: geen corpus (een map met posts/ en lexicon/)")
    return folder


def author_of(row: Mapping[str, Any]) -> str:
    """Give the code of a row's author."""
    return str(row["id"]).partition("-")[0]


def read_rows_of(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of a folder's ``*.jsonl``, files and lines in order. Raises Refused."""
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                rows.append(json.loads(line))
            except ValueError:
                raise Refused(f"{path}:{number}: geen geldige JSON") from None
    return rows


def frozen_rows(*folders: Path) -> list[dict[str, Any]]:
    """Read the rows that no model learns from, of each corpus or models folder."""
    seen: dict[str, dict[str, Any]] = {}
    for folder in folders:
        for row in read_rows_of(folder / FROZEN):
            seen.setdefault(str(row["id"]), row)
    return list(seen.values())


def codebook_of(folder: Path) -> str:
    """Give a digest of a corpus's codebook; empty where it has none."""
    try:
        return hashlib.sha256((folder / "CODEBOOK.md").read_bytes()).hexdigest()[:12]
    except OSError:
        return ""


def assemble(
    base: Path,
    labels: Sequence[Row] = (),
    *,
    frozen: Iterable[Mapping[str, Any]] = (),
    untouched: bool = False,
) -> Dataset:
    """Put a base corpus and labelled rows together.

    Of the rows count those that a person corrected or confirmed (``untouched``: the others too),
    copies of one bundle once. Nobody who wrote a frozen row is learnt from.
    """
    left_out: Counter[str] = Counter()
    held_back = {author_of(row) for row in frozen}
    rows: list[Mapping[str, Any]] = []
    for row in read_rows_of(base / POSTS):
        if author_of(row) in held_back:
            left_out["auteur van de vaste toetsset"] += 1
        else:
            rows.append({name: row[name] for name in _FIELDS if name in row})
    known = len(rows)
    numbers: Counter[str] = Counter()
    for label in _without_copies(labels, left_out):
        if reason := _unusable(label, untouched=untouched):
            left_out[reason] += 1
        elif label.author_group in held_back:
            left_out["auteur van de vaste toetsset"] += 1
        else:
            numbers[label.author_group] += 1
            rows.append(as_corpus_row(label, numbers[label.author_group]))
    if not rows:
        raise Refused("er is niets om van te leren")
    new = _new_topics(rows[known:], rows[:known])
    return Dataset(
        rows=rows,
        lexicon=base,
        codebook=codebook_of(base),
        left_out=dict(sorted(left_out.items())),
        new_topics=new,
    )


def _new_topics(
    labelled: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Count the examples of topics that the base does not have, where they are few."""
    known = {topic for row in base for topic in row["topics"]}
    counts = Counter(topic for row in labelled for topic in row["topics"])
    return {t: n for t, n in sorted(counts.items()) if t not in known and n <= FEW}


def as_corpus_row(label: Row, number: int) -> dict[str, Any]:
    """Give a labelled row in the corpus's form."""
    return {
        "id": f"{label.author_group or 'x' + label.id.partition('.')[2]}-{number:04d}",
        "text": label.text,
        "channel": label.channel,
        "org": label.org,
        "topics": [label.labels["topic"]],
        "urgency": label.labels["urgency"],
        "intent": label.labels["intent"],
        "lang": label.lang or "nl",
    }


def labels_from(path: Path | None) -> list[Row]:
    """Read an export; none where no file is named. Raises Refused."""
    return [] if path is None else read_rows(path)


def _unusable(row: Row, *, untouched: bool) -> str:
    if row.status is Status.UNLABELLED and not row.labelled:
        return "zonder label"
    if row.status is Status.UNTOUCHED and not untouched:
        return "niet bevestigd"
    if row.reassigned and row.heads.get("topic") is Status.UNTOUCHED:
        return "overgedragen zonder onderwerp"
    if not row.labelled:
        return "zonder label"
    if row.labels["urgency"] not in set(URGENCIES) or row.labels["intent"] not in INTENTS:
        return "onbekend label"
    return ""


def _without_copies(rows: Sequence[Row], left_out: Counter[str]) -> Iterable[Row]:
    """Leave out what says the same as an earlier row of its bundle."""
    kept: dict[str, list[frozenset[str]]] = {}
    for row in rows:
        if not row.bundle:
            yield row
            continue
        words = frozenset(_WORD.findall(row.text.lower()))
        others = kept.setdefault(row.bundle, [])
        if any(_alike(words, other) for other in others):
            left_out["kopie in een bundel"] += 1
            continue
        others.append(words)
        yield row


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    union = one | other
    return not union or len(one & other) / len(union) >= SAME
