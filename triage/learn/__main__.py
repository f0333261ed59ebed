"""``python -m triage.learn``: train on ``models/corpus``, check the result, say what it is worth.

The same corpus gives the same version. ``models/current`` is not touched: what is live is decided
by a person, who writes the version there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from triage.classify import ModelFiles, default_models_dir
from triage.learn.corpus import load_examples
from triage.learn.dataset import assemble
from triage.learn.train import FOLDS, train
from triage.learn.training import describe
from triage.learn.verify import verify
from triage.models.live import TRAINING


def main() -> None:
    """Train, verify, print."""
    models = Path(sys.argv[1]) if len(sys.argv) > 1 else default_models_dir()
    corpus = default_models_dir() / "corpus"
    version = train(corpus, models)
    record = describe(assemble(corpus), models / version, seed=0, folds=FOLDS)
    text = json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True)
    (models / version / TRAINING).write_text(text, encoding="utf-8")
    model = ModelFiles.load(models / version)
    difference = verify(model, load_examples(corpus))
    answer = {"version": version, "differs_from_scikit_learn": difference, **model.meta["metrics"]}
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
