"""spaCy's text classifier: what its two variants share. A component a head, one tokenizer."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed

from benchmarks.judges.base import CRITICAL, HEADS, Row, Verdict, labels_of, texts_of

_BATCH: Final = 32
_DROP: Final = 0.2
_SEED: Final = 0
#: Posts from which sizes are inferred.
_SAMPLE: Final = 200
#: Texts that spaCy judges at a time: its own choice for small models.
_JUDGED: Final = 256


class TextCat:
    """One pipeline with both heads."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self._topics, self._urgencies = (list(_component(nlp, head).labels) for head in HEADS)

    def prepare(self, rows: Sequence[Row]) -> list[str]:
        """Give the texts."""
        return texts_of(rows)

    def judge(self, posts: Sequence[str]) -> list[Verdict]:
        """Judge topic and urgency."""
        verdicts = []
        for doc in self._nlp.pipe(posts, batch_size=_JUDGED):
            likely = doc.cats.__getitem__
            topic = max(self._topics, key=likely)
            urgency = max(self._urgencies, key=likely)
            verdicts.append(Verdict(topic, urgency, likely(CRITICAL)))
        return verdicts


def train(rows: Sequence[Row], folder: Path, model: Mapping[str, Any], *, epochs: int) -> None:
    """Train both heads, each by itself, and keep them as one pipeline."""
    heads = [_trained(rows, head, model, epochs) for head in HEADS]
    whole = heads[0]
    whole.add_pipe(HEADS[1], source=heads[1])
    whole.to_disk(folder / "nlp")


def load(folder: Path) -> TextCat:
    """Load the pipeline."""
    return TextCat(spacy.load(folder / "nlp"))


def _trained(rows: Sequence[Row], head: str, model: Mapping[str, Any], epochs: int) -> Language:
    fix_random_seed(_SEED)
    nlp = spacy.blank("nl")
    nlp.add_pipe("textcat", name=head, config={"model": dict(model)})
    labels = labels_of(rows, head)
    for label in sorted(set(labels)):
        _component(nlp, head).add_label(label)
    examples = [
        Example.from_dict(
            nlp.make_doc(text),
            {"cats": {other: float(other == label) for other in _component(nlp, head).labels}},
        )
        for text, label in zip(texts_of(rows), labels, strict=True)
    ]
    chance = random.Random(_SEED)
    optimizer = nlp.initialize(lambda: chance.sample(examples, min(_SAMPLE, len(examples))))
    for _ in range(epochs):
        chance.shuffle(examples)
        for start in range(0, len(examples), _BATCH):
            nlp.update(examples[start : start + _BATCH], sgd=optimizer, drop=_DROP)
    return nlp


def _component(nlp: Language, head: str) -> Any:  # noqa: ANN401 - spaCy's own, without types
    return nlp.get_pipe(head)
