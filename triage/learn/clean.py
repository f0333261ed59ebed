"""Finding what is wrong in a labelled corpus: doubles, doubtful labels, records that do not hold.

A finding is a candidate. A person settles each by reading the post and the codebook, writes the
label into the file, and puts why into ``changes.jsonl``.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_union
from sklearn.svm import LinearSVC

from triage.learn.corpus import Example

Field = Literal["topics", "urgency", "intent"]

#: Rows of the similarity matrix held at once: some 100 MB for a corpus of 20,000 posts.
_BLOCK: Final = 1000

#: An n-gram in more posts than this (and in more than 2%) tells nothing about two of them.
_FREQUENT: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """Two posts that say the same in nearly the same words."""

    first: str
    second: str
    #: Cosine of the character n-grams, 0 to 1; 1.0 is the same text.
    likeness: float
    #: Whether both carry the same topics, urgency and intent.
    agree: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A label which a model, trained on the other authors, would have given otherwise."""

    id: str
    field: Field
    given: str
    suggested: str
    #: How far the suggested class scores above the given one, in the model's margins.
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A label that was settled: one line of ``changes.jsonl``."""

    id: str
    #: ``post`` for a post that was taken out: its text before, nothing after.
    field: Field | Literal["post"]
    before: str | list[str]
    after: str | list[str]
    why: str


def doubles(examples: Sequence[Example], *, least: float = 0.85) -> list[Double]:
    """Find pairs of posts at least so alike (0 to 1), the most alike first."""
    texts = [_plain(example.post.text) or example.post.text for example in examples]
    frequent = max(_FREQUENT, len(texts) // 50)
    rows = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(4, 5), max_df=frequent, dtype=np.float32
    ).fit_transform(texts)
    found = {
        (left, right): likeness
        for left, right, likeness in _alike(rows, least)
        # The frequent n-grams are left out above: what is left of a text may be one word of it.
        if _overlap(texts[left], texts[right]) >= least
    }
    met: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        earlier = met.setdefault(text, [])
        found.update({(other, index): 1.0 for other in earlier})
        earlier.append(index)
    return [
        Double(
            first=examples[left].post.id,
            second=examples[right].post.id,
            likeness=round(likeness, 3),
            agree=_labels(examples[left]) == _labels(examples[right]),
        )
        for (left, right), likeness in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def doubts(
    examples: Sequence[Example],
    *,
    fields: Sequence[Field] = ("topics", "urgency", "intent"),
    folds: int = 5,
    seed: int = 0,
) -> list[Doubt]:
    """Find labels that the other authors contradict, the surest contradiction first.

    No author stands on both sides of a fold. A post with several topics is doubted only where the
    model would choose none of them.
    """
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32),
        TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), min_df=4, sublinear_tf=True, dtype=np.float32
        ),
    ).fit_transform([f"{example.post.org} {example.post.text}" for example in examples])
    authors = [example.author for example in examples]
    splits = list(GroupKFold(n_splits=folds).split(authors, groups=authors))
    found: list[Doubt] = []
    for field in fields:
        labels = [_classes(example, field) for example in examples]
        found.extend(
            Doubt(
                id=examples[index].post.id,
                field=field,
                given=" ".join(labels[index]),
                suggested=suggested,
                margin=round(margin, 3),
            )
            for index, suggested, margin in _contradicted(features, labels, splits, seed)
        )
    return sorted(found, key=lambda doubt: (-doubt.margin, doubt.id, doubt.field))


def load_changes(path: Path) -> list[Change]:
    """Read the record of settled labels, in order.

    Raises KeyError and ValueError for a line that is no change.
    """
    return [
        Change(
            id=row["id"],
            field=row["field"],
            before=row["from"],
            after=row["to"],
            why=row["why"],
        )
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]


def broken(changes: Sequence[Change], examples: Sequence[Example]) -> list[str]:
    """Name the ids whose label in the corpus is not what the record settled last.

    A post that was taken out must be absent, one whose label was settled present.
    """
    settled = {(change.id, change.field): change.after for change in changes}
    labels = {
        (example.post.id, field): label
        for example in examples
        for field, label in _settled(example).items()
    }
    gone = {post_id for post_id, field in settled if field == "post"}
    return sorted(
        {
            post_id
            for (post_id, field), after in settled.items()
            if (field == "post") == ((post_id, "intent") in labels)
            or (post_id not in gone and labels.get((post_id, field)) != after)
        }
    )


def leaked(examples: Sequence[Example], frozen: Sequence[Example]) -> list[str]:
    """Name the training posts whose id or words stand in the frozen evaluation sets."""
    ids = {example.post.id for example in frozen}
    texts = {_plain(example.post.text) for example in frozen}
    return [
        example.post.id
        for example in examples
        # A word or two ("ok", "dank u wel") will be said again by anybody.
        if example.post.id in ids
        or (len(example.post.text.split()) > 3 and _plain(example.post.text) in texts)  # noqa: PLR2004
    ]


def _alike(rows: Any, least: float) -> Iterator[tuple[int, int, float]]:  # noqa: ANN401 - sparse
    for start in range(0, rows.shape[0], _BLOCK):
        near = (rows[start : start + _BLOCK] @ rows.T).tocoo()
        keep = (near.data >= least) & (near.col > near.row + start)
        yield from zip(
            (near.row[keep] + start).tolist(),
            near.col[keep].tolist(),
            near.data[keep].tolist(),
            strict=True,
        )


def _contradicted(
    features: Any,  # noqa: ANN401 - a sparse matrix
    labels: Sequence[tuple[str, ...]],
    splits: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    seed: int,
) -> Iterator[tuple[int, str, float]]:
    """Yield (row, suggested class, margin) where the best class is none of those given."""
    first = np.array([given[0] for given in labels])
    for seen, unseen in splits:
        model = LinearSVC(C=0.3, class_weight="balanced", random_state=seed)
        model.fit(features[seen], first[seen])
        margins = model.decision_function(features[unseen])
        if margins.ndim == 1:  # of two classes scikit-learn gives the margin of the second alone
            margins = np.column_stack([-margins, margins])
        for row, scores in zip(unseen, margins, strict=True):
            score = dict(zip(model.classes_.tolist(), scores.tolist(), strict=True))
            top, best = max((value, name) for name, value in score.items())
            if best in labels[row]:
                continue
            own = max(score.get(name, min(score.values())) for name in labels[row])
            yield int(row), best, top - own


def _overlap(left: str, right: str) -> float:
    """Share of the character triples of both texts that stand in both, 0 to 1."""
    one, other = _triples(left), _triples(right)
    return len(one & other) / max(1, len(one | other))


def _triples(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(max(1, len(text) - 2))}


def _plain(text: str) -> str:
    """Keep letters, digits and single spaces, in lower case."""
    letters = "".join(
        letter if letter.isalnum() else " " for letter in unicodedata.normalize("NFKC", text)
    )
    return " ".join(letters.casefold().split())


def _labels(example: Example) -> tuple[tuple[str, ...], str, str]:
    return example.topics, example.urgency, example.intent


def _classes(example: Example, field: Field) -> tuple[str, ...]:
    if field == "topics":
        return example.topics
    return (example.urgency if field == "urgency" else example.intent,)


def _settled(example: Example) -> dict[str, str | list[str]]:
    return {
        "topics": list(example.topics),
        "urgency": example.urgency,
        "intent": example.intent,
    }
