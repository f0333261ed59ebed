"""Our own: trained by ``triage.learn``, read and assessed by the parts that a worker uses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.judges.base import CRITICAL, Row, Verdict
from triage.classify import Classifier
from triage.language import Reader
from triage.post import Post
from triage.ticket import URGENCIES

_CRITICAL: Final = [urgency.value for urgency in URGENCIES].index(CRITICAL)
_NOW: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
#: Folds of authors on which the bars are chosen, as ``triage train`` has them.
FOLDS: Final = 5


class Ours:
    """Reader and classifier."""

    def __init__(self, classifier: Classifier, *, entities: bool) -> None:
        self._classifier = classifier
        self._reader = Reader(entities=entities)
        self._reader.learn(classifier.words)

    def prepare(self, rows: Sequence[Row]) -> list[Post]:
        """Decode: the bare loop does it too."""
        names = ("id", "text", "channel", "org")
        return [
            Post.from_mapping({name: row[name] for name in names}, received_at=_NOW) for row in rows
        ]

    def judge(self, posts: Sequence[Post]) -> list[Verdict]:
        """Read and assess."""
        return [
            Verdict(said.topic, said.urgency.value, said.urgency_p[_CRITICAL])
            for said in self._classifier.assess(posts, self._reader.read(posts))
        ]


def train(rows: Sequence[Row], folder: Path, *, quick: bool) -> None:
    """Train as ``triage train`` does, bars and temperatures on folds of authors included."""
    from triage.classify import default_models_dir  # noqa: PLC0415 - who judges has no trainer
    from triage.learn.dataset import Dataset  # noqa: PLC0415 - as above
    from triage.learn.training import fit  # noqa: PLC0415 - as above

    lexicon = default_models_dir() / "corpus"
    dataset = Dataset(rows=rows, lexicon=lexicon, codebook="", left_out={})
    fit(dataset, folder, folds=0 if quick else FOLDS)


def load(folder: Path, *, entities: bool = False) -> Ours:
    """Load the one version in the folder."""
    return Ours(Classifier.load(version_in(folder)), entities=entities)


def version_in(folder: Path) -> Path:
    """Give the folder of the version that was trained."""
    (version,) = folder.glob("nl-*")
    return version
