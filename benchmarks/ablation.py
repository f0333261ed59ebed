"""What each part of the model gives: everything, then each part left out, on folds of authors.

All that a model chooses (vocabulary, document frequencies, temperature) it chooses inside each
fold, as the trainer does. The safety rules and the bars play no part. See README.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, f1_score, precision_recall_curve

from benchmarks._support import Figure, clean_exit_on_sigterm, progress, report
from triage.classify import default_models_dir
from triage.classify.classifier import softmax
from triage.language import Reader
from triage.learn.calibrate import held_out, temperature_of
from triage.learn.corpus import Example, load_examples, load_terms
from triage.learn.train import SHIPPED, Labels, Lexicon, Recipe
from triage.learn.vectors import Text, phrases_of, texts_of

FOLDS: Final = 5
RECALL: Final = 0.95
EVERYTHING: Final = "everything"
_TEXTS: Final = "no lexicon as texts"
_NO_LEXICON: Final = "no lexicon at all"

#: What is left out, and the recipe that is left.
VARIANTS: Final[Mapping[str, Recipe]] = {
    EVERYTHING: SHIPPED,
    "no words": replace(SHIPPED, words=0),
    "no grams": replace(SHIPPED, grams=0),
    "no pairs": replace(SHIPPED, pairs=0),
    "no lexicon as features": replace(SHIPPED, lexicon=0),
    _TEXTS: SHIPPED,
    _NO_LEXICON: replace(SHIPPED, lexicon=0),
    "no cues": replace(SHIPPED, cues=0),
    "no ordinal urgency": replace(SHIPPED, ordinal=0),
    "words alone": Recipe(grams=0, pairs=0, lexicon=0, cues=0, ordinal=0),
}
#: Those that learn from no phrase as a text either.
_WITHOUT_TEXTS: Final = frozenset({_TEXTS, _NO_LEXICON, "words alone"})
COLUMNS: Final = ("topic", "first three", "macro-F1", "kappa", "P@R95", "intent", "seconds")


def figures_of(
    scores: NDArray[np.float64], targets: NDArray[np.int8], labels: Labels
) -> dict[str, float]:
    """Measure held-out scores (posts, classes) against what the posts are."""
    topic_scores, urgency_scores, intent_scores = (scores[:, head] for head in labels.heads)
    topics, urgencies, intents = (targets[:, head] for head in labels.heads)
    rows = np.arange(len(scores))
    first = topic_scores.argmax(axis=1)
    three = np.argsort(-topic_scores, axis=1)[:, :3]
    urgency = urgencies.argmax(axis=1)
    temperature = temperature_of(urgency_scores, urgencies.astype(bool))
    critical = softmax(urgency_scores * temperature)[:, 0]
    precision, recall, _ = precision_recall_curve(urgency == 0, critical)
    return {
        "topic": float(topics[rows, first].mean()),
        "first three": float(topics[rows[:, None], three].any(axis=1).mean()),
        "macro-F1": float(f1_score(topics.argmax(axis=1), first, average="macro")),
        "kappa": float(
            cohen_kappa_score(urgency, urgency_scores.argmax(axis=1), weights="quadratic")
        ),
        "P@R95": float(precision[recall >= RECALL].max()),
        "intent": float((intent_scores.argmax(axis=1) == intents.argmax(axis=1)).mean()),
    }


def ablate(examples: list[Example], folds: int, seed: int) -> dict[str, dict[str, float]]:
    """Measure every variant on the same folds."""
    folder = default_models_dir() / "corpus"
    reader = Reader()
    texts: list[Text] = texts_of(examples, reader.read([example.post for example in examples]))
    labels = Labels.of(examples)
    targets = labels.targets(examples)
    phrases = phrases_of(load_terms(folder, reader))
    lexicon = Lexicon.of(phrases, labels)
    bare = replace(lexicon, texts=[], targets=lexicon.targets[:0], weight=lexicon.weight[:0])
    found = {}
    for name, recipe in VARIANTS.items():
        begun = time.process_time()
        taught = bare if name in _WITHOUT_TEXTS else lexicon
        scores = held_out(
            examples, texts, labels, targets, taught, seed=seed, folds=folds, recipe=recipe
        )
        seconds = time.process_time() - begun
        found[name] = {**figures_of(scores, targets, labels), "seconds": seconds}
        progress(f"{name}: {_row(found[name])}")
    return found


def _row(figures: Mapping[str, float]) -> str:
    return " | ".join(
        f"{figures[column]:.0f}" if column == "seconds" else f"{figures[column]:.3f}"
        for column in COLUMNS
    )


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two folds: does it run?")
    parser.add_argument("--strict", action="store_true", help="no target: it always passes")
    options = parser.parse_args()
    clean_exit_on_sigterm()
    folds = 2 if options.quick else FOLDS
    examples = load_examples(default_models_dir() / "corpus")
    found = ablate(examples, folds, options.seed)
    print(f"\n| model | {' | '.join(COLUMNS)} |\n|{' --- |' * (1 + len(COLUMNS))}")
    for name, row in found.items():
        print(f"| {name} | {_row(row)} |")
    whole = found[EVERYTHING]
    figures = [Figure(name=f"{column}, {EVERYTHING}", value=whole[column]) for column in COLUMNS]
    figures += [
        Figure(name=f"{column}, {name}", value=row[column] - whole[column], note="difference")
        for name, row in found.items()
        if name != EVERYTHING
        for column in COLUMNS[:-1]
    ]
    details: dict[str, Any] = {"folds": folds, "posts": len(examples), "variants": found}
    return report("ablation", figures, details=details, strict=options.strict)


if __name__ == "__main__":
    sys.exit(main())
