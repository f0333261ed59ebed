"""From a dataset to a version in the registry: resumable, seeded, with a record beside it.

The record (``training.json``) says what was learnt from: how many posts of each label, whose (by
code), by which codebook, and what the posts looked like, which live posts are compared with.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from threadpoolctl import threadpool_limits

from triage import __version__
from triage.classify import Classifier, ModelFiles
from triage.language import Reader
from triage.learn.corpus import Example, example_of
from triage.learn.dataset import Dataset
from triage.learn.steps import Progress, Steps, ignore
from triage.learn.train import train
from triage.models import Registry
from triage.models.drift import seen
from triage.models.live import TRAINING
from triage.reading import Reading
from triage.ticket import Assessment

#: As what part of all posts a topic with few examples is weighed, and the most that is added.
LIFT_TO: Final = 0.03
LIFT_MOST: Final = 5.0
#: Posts judged at a time.
BATCH: Final = 500


def fit(
    dataset: Dataset, out: Path, *, seed: int = 0, folds: int = 5, steps: Steps | None = None
) -> str:
    """Train on a dataset, write the model into ``out`` and give its version.

    The one door to the trainer: everything here that needs a model goes through it.
    """
    corpus = out / "corpus"
    dataset.write(corpus)
    try:
        # More threads would sum in another order.
        with threadpool_limits(limits=1), (steps or Steps()).running():
            version = train(corpus, out, seed=seed, folds=folds)
        return lifted(out, version, dataset)
    finally:
        shutil.rmtree(corpus)


def lifted(out: Path, version: str, dataset: Dataset) -> str:
    """Let topics with few examples speak up; give the version that does.

    A head that saw thirty examples among thousands of others stays so shy that it is never heard:
    its bias is raised to what it would be if ``LIFT_TO`` of the posts were of its topic.
    """
    model = ModelFiles.load(out / version)
    topics = model.meta["labels"]["topics"]
    bias = model.arrays["bias"].copy()
    # Scores are not log odds until they are multiplied by this.
    warmth = model.meta["calibration"]["temperatures"][0]
    for topic, count in dataset.new_topics.items():
        share = count / len(dataset.rows)
        if topic in topics and share < LIFT_TO:
            raised = math.log(LIFT_TO / (1 - LIFT_TO)) - math.log(share / (1 - share))
            bias[topics.index(topic)] += min(raised, LIFT_MOST) / warmth
    if (bias == model.arrays["bias"]).all():
        return version
    name = f"nl-{hashlib.sha256(version.encode() + bias.tobytes()).hexdigest()[:12]}"
    ModelFiles(version=name, meta=model.meta, arrays={**model.arrays, "bias": bias}).save(
        out / name
    )
    shutil.rmtree(out / version)
    return name


def train_version(
    dataset: Dataset,
    registry: Registry,
    *,
    seed: int = 0,
    folds: int = 5,
    progress: Progress = ignore,
) -> str:
    """Train, describe, and take the version into the registry; give its name.

    Stopped half-way, the same call goes on after the last finished fold. Raises Refused.
    """
    digest = f"{dataset.digest}-{seed}-{folds}-{__version__}"
    work = registry.folder / ".work" / digest
    work.mkdir(parents=True, exist_ok=True)
    steps = Steps(work, total=folds + 1, progress=progress)
    made = work / "model"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    version = fit(dataset, made, seed=seed, folds=folds, steps=steps)
    record = describe(dataset, made / version, seed=seed, folds=folds)
    text = json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True)
    (made / version / TRAINING).write_text(text, encoding="utf-8")

    def move(aside: Path) -> str:
        shutil.move(made / version, aside / version)
        return version

    registry.add(move)
    steps.finish()
    return version


def describe(dataset: Dataset, model: Path, *, seed: int, folds: int) -> dict[str, Any]:
    """Say what a model was trained on, and what those posts look like to it."""
    classifier = Classifier.load(model)
    distributions: dict[str, Counter[str]] = {}
    known = frozenset(classifier.words)
    for pairs in judged(classifier, list(map(example_of, dataset.rows))):
        batch = [(_Judged(example, said), reading) for example, said, reading in pairs]
        for name, values in seen(batch, known):
            distributions.setdefault(name, Counter()).update(values)
    return {
        "triage": __version__,
        "seed": seed,
        "folds": folds,
        "dataset": dataset.digest,
        "codebook": dataset.codebook,
        "examples": len(dataset.rows),
        "authors": sorted(dataset.authors),
        "left_out": dict(dataset.left_out),
        "labels": {
            "topic": dict(Counter(topic for row in dataset.rows for topic in row["topics"][:1])),
            "urgency": dict(Counter(row["urgency"] for row in dataset.rows)),
            "intent": dict(Counter(row["intent"] for row in dataset.rows)),
        },
        "distributions": {name: dict(counter) for name, counter in distributions.items()},
    }


def judged(
    classifier: Classifier, examples: Sequence[Example]
) -> list[list[tuple[Example, Assessment, Reading]]]:
    """Judge examples as live posts are, in batches."""
    reader = Reader(entities=False)
    reader.learn(classifier.words)
    batches = []
    for start in range(0, len(examples), BATCH):
        some = examples[start : start + BATCH]
        posts = [example.post for example in some]
        readings = reader.read(posts)
        said = classifier.assess(posts, readings)
        batches.append(list(zip(some, said, readings, strict=True)))
    return batches


class _Judged:
    """A post and what a model said of it, as drift looks at it."""

    def __init__(self, example: Example, assessment: Assessment) -> None:
        self.post = example.post
        self.assessment = assessment
