"""Measuring versions: on a frozen set, or by folds of authors; nobody stands on both sides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from triage.classify import Classifier
from triage.errors import Refused
from triage.learn.corpus import example_of
from triage.learn.dataset import Dataset, author_of
from triage.learn.figures import Pair, measure
from triage.learn.steps import Arrays, Progress, Steps, ignore
from triage.learn.training import fit, judged
from triage.models import Registry
from triage.models.evaluations import Evaluation, load, save, verdict
from triage.models.gate import Verdict
from triage.models.live import training_of
from triage.ticket import Assessment, Urgency

#: The parts of the posts with which a learning curve is drawn.
PARTS: Final = (0.1, 0.25, 0.5, 0.75, 1.0)

_Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A version, or folds of one recipe, on rows."""

    name: str
    pairs: Sequence[Pair]
    figures: Mapping[str, float]
    #: How it was measured, for the report.
    how: str

    @property
    def critical(self) -> int:
        """How many of the rows are critical."""
        return sum(example.urgency == Urgency.KRITIEK for example, _ in self.pairs)


def unseen_rows(rows: _Rows, registry: Registry, *versions: str) -> list[Mapping[str, Any]]:
    """Leave out rows of authors from whom one of the versions has learnt."""
    authors = {
        author
        for version in versions
        for author in training_of(registry.path(version)).get("authors", ())
    }
    return [row for row in rows if author_of(row) not in authors]


def evaluate_version(registry: Registry, version: str, rows: _Rows) -> Measured:
    """Measure a version on rows by authors whom it does not know. Raises Refused, InvalidModel."""
    return _measured(registry, version, unseen_rows(rows, registry, version))


def verdict_on(registry: Registry, version: str, rows: _Rows) -> Verdict:
    """Let the gate judge a version against the one that is live, on rows that neither knows.

    What was measured before is not measured again. Raises Refused, InvalidModel.
    """
    current = registry.current()
    shared = unseen_rows(rows, registry, version, current)
    return verdict(_evaluation(registry, version, shared), _evaluation(registry, current, shared))


def cross_validate(
    dataset: Dataset,
    *,
    folds: int = 5,
    inner: int = 3,
    seed: int = 0,
    work: Path | None = None,
    progress: Progress = ignore,
) -> Measured:
    """Train a model for each fold of authors and measure it on the others' posts.

    ``inner``: the folds by which each is calibrated. With ``work`` finished folds stay on disk.
    """
    split = folds_of(dataset.rows, folds)
    digest = f"cv-{dataset.digest}-{folds}-{inner}-{seed}"
    steps = (
        Steps.of(work, digest, total=folds, progress=progress)
        if work
        else Steps(total=folds, progress=progress)
    )
    pairs: list[Pair] = []
    for number, held in enumerate(split, 1):
        seen = [row for row in dataset.rows if author_of(row) not in held]
        unseen = [row for row in dataset.rows if author_of(row) in held]
        pairs += _fold_pairs(dataset, seen, unseen, steps, f"vouw-{number}", inner, seed)
    return Measured(
        name=f"{folds} vouwen",
        pairs=pairs,
        figures=measure(pairs),
        how=f"{folds} vouwen van auteurs: van wie het model leerde, staat niets aan de andere kant",
    )


def learning_curve(
    dataset: Dataset,
    test: _Rows,
    *,
    inner: int = 0,
    seed: int = 0,
    work: Path | None = None,
    progress: Progress = ignore,
) -> Sequence[tuple[int, Mapping[str, float]]]:
    """Train on growing parts of the posts and measure each on the same rows: (posts, figures)."""
    authors = {author_of(row) for row in test}
    rows = [row for row in dataset.rows if author_of(row) not in authors]
    if not rows or not test:
        raise Refused("een leercurve vraagt om auteurs aan beide kanten")
    order = np.random.default_rng(seed).permutation(len(rows))
    digest = f"curve-{dataset.digest}-{_digest(test)}-{inner}-{seed}"
    steps = (
        Steps.of(work, digest, total=len(PARTS), progress=progress)
        if work
        else Steps(total=len(PARTS), progress=progress)
    )
    points = []
    for part in PARTS:
        some = [rows[at] for at in sorted(order[: max(1, int(part * len(rows)))].tolist())]
        pairs = _fold_pairs(dataset, some, test, steps, f"{part:.0%} van de berichten", inner, seed)
        points.append((len(some), measure(pairs)))
    return points


def folds_of(rows: _Rows, folds: int) -> list[frozenset[str]]:
    """Share authors over folds of about the same number of posts; the same rows, the same folds."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[author_of(row)] = counts.get(author_of(row), 0) + 1
    if len(counts) < folds:
        raise Refused(f"{len(counts)} auteurs zijn te weinig voor {folds} vouwen")
    split: list[set[str]] = [set() for _ in range(folds)]
    sizes = [0] * folds
    for author in sorted(counts, key=lambda author: (-counts[author], author)):
        smallest = sizes.index(min(sizes))
        split[smallest].add(author)
        sizes[smallest] += counts[author]
    return [frozenset(authors) for authors in split]


# -- inside --------------------------------------------------------------------------------------


def _evaluation(registry: Registry, version: str, rows: _Rows) -> Evaluation:
    digest = _digest(rows)
    if found := load(registry, version, digest):
        return found
    measured = _measured(registry, version, rows)
    evaluation = Evaluation(
        version=version,
        rows=digest,
        count=len(measured.pairs),
        critical=measured.critical,
        figures=measured.figures,
    )
    save(registry, evaluation)
    return evaluation


def _measured(registry: Registry, version: str, rows: _Rows) -> Measured:
    if not rows:
        raise Refused(
            "er zijn geen rijen om op te meten van auteurs die het model niet kent: "
            "zet ze in frozen/ van het corpus of van de map met modellen"
        )
    pairs = judge(Classifier.load(registry.path(version)), rows)
    return Measured(
        name=version,
        pairs=pairs,
        figures=measure(pairs),
        how="vaste toetsset, van auteurs van wie het model niets leerde",
    )


def judge(classifier: Classifier, rows: _Rows) -> list[Pair]:
    """Judge labelled rows as live posts are; give each with what was said of it."""
    examples = list(map(example_of, rows))
    return [(example, said) for batch in judged(classifier, examples) for example, said, _ in batch]


def _fold_pairs(
    dataset: Dataset, seen: _Rows, unseen: _Rows, steps: Steps, name: str, inner: int, seed: int
) -> list[Pair]:
    def compute() -> Arrays:
        with TemporaryDirectory(prefix="triage-") as work:
            out = Path(work)
            version = fit(replace(dataset, rows=seen), out, seed=seed, folds=inner)
            pairs = judge(Classifier.load(out / version), unseen)
        return {"said": np.array([_packed(said) for _, said in pairs])}

    said = steps.once(name, compute)["said"].tolist()
    return list(zip(map(example_of, unseen), map(_unpacked, said), strict=True))


def _packed(said: Assessment) -> str:
    """Give what figures need of an assessment as one line."""
    return json.dumps([said.to_mapping(), list(said.urgency_p)])


def _unpacked(line: str) -> Assessment:
    data, urgency_p = json.loads(line)
    return Assessment(
        topics=tuple((topic["key"], topic["p"]) for topic in data["topics"]),
        urgency=Urgency(data["urgency"]["key"]),
        urgency_p=tuple(urgency_p),
        intent=data["intent"]["key"],
        intent_p=data["intent"]["p"],
        confidence=data["confidence"],
        abstained=data["abstained"],
        reasons=(),
        safety_rule=data["safety_rule"],
        model=data["model"],
    )


def _digest(rows: _Rows) -> str:
    text = json.dumps([dict(row) for row in rows], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
