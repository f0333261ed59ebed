"""The models at work: noticing between batches that another version is named, and switching.

A look costs a comparison of times, and once a second two ``stat`` calls. A version that cannot be
loaded leaves the old one at work, is told in the log and counted, and is tried again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from triage.classify import Classifier
from triage.errors import InvalidModel
from triage.metrics import Metrics
from triage.models.drift import Drift
from triage.models.pointers import mark_of
from triage.models.registry import Registry
from triage.models.shadow import Shadow, file_name
from triage.models.tally import Counts, Tally
from triage.pipeline import Pipeline
from triage.queue import Entry
from triage.reading import Reading

_log = structlog.get_logger()

#: How often pointers are looked at, in seconds.
LOOK_SECONDS: Final = 1.0
#: How long until a version that could not be loaded is tried again, in seconds.
RETRY_SECONDS: Final = 30.0
#: What stands beside a model about its training; see ``triage.learn.training``.
TRAINING: Final = "training.json"

_Mark = tuple[tuple[int, int, int], ...]


class Follower:
    """Keeps a pipeline on the version that is live, for who judges beside other work."""

    def __init__(
        self,
        registry: Registry,
        pipeline: Pipeline,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._pipeline = pipeline
        self._monotonic = monotonic
        self._due = 0.0
        self._seen: object = None

    def look(self) -> None:
        """Switch where another version is named; one that can't be loaded is tried again."""
        now = self._monotonic()
        if now < self._due:
            return
        self._due = now + LOOK_SECONDS
        mark = mark_of(self._registry.folder, "current")
        if mark == self._seen:
            return
        try:
            newer = _newer(self._registry, self._pipeline)
            if newer is not None:
                self._pipeline.use(newer)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one goes on
            _log.error("model_reload_failed", reason=type(error).__name__)
            self._due = now + RETRY_SECONDS
        else:
            self._seen = mark


class LiveModels:
    """Keeps a pipeline on the version that is named, and a shadow beside it where one is.

    ``folder`` is where counts of drift and shadow go; ``pinned``: the version was set by hand, so
    the pointers are not followed.
    """

    def __init__(
        self,
        registry: Registry,
        pipeline: Pipeline,
        metrics: Metrics,
        folder: Path,
        *,
        pinned: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._pipeline = pipeline
        self._metrics = metrics
        self._folder = folder
        self._pinned = pinned
        self._monotonic = monotonic
        self._due = 0.0
        self._seen: _Mark | None = None
        self._retry_at: float | None = None
        self._tally = Tally(folder, "drift")
        self._drift: Drift = self._drift_of(pipeline.classifier)
        self._shadow: Shadow | None = None
        pipeline.watch(self._see)

    def look(self) -> None:
        """Switch where another version is named; call it between batches."""
        now = self._monotonic()
        if now < self._due:
            return
        self._due = now + LOOK_SECONDS
        self._drift.tick(now)
        if self._shadow is not None:
            self._shadow.tick(now)
        if self._pinned:
            return
        mark = (
            mark_of(self._registry.folder, "current"),
            mark_of(self._registry.folder, "shadow"),
        )
        if mark == self._seen and (self._retry_at is None or now < self._retry_at):
            return
        self._seen = mark
        good = [self._follow_current(), self._follow_shadow()]
        self._retry_at = None if all(good) else now + RETRY_SECONDS

    def close(self) -> None:
        """Write the counts that are left."""
        self._tally.flush()
        if self._shadow is not None:
            self._shadow.close()

    # -- inside ----------------------------------------------------------------------------------

    def _follow_current(self) -> bool:
        try:
            classifier = _newer(self._registry, self._pipeline)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one goes on
            self._failed(error)
            return False
        if classifier is None:
            return True
        before = self._pipeline.model
        self._pipeline.use(classifier)
        self._drift = self._drift_of(classifier)
        self._metrics.model(classifier.version)
        _log.info("model_switched", model=classifier.version, before=before)
        return True

    def _follow_shadow(self) -> bool:
        try:
            version = self._registry.shadow()
            if version == (self._shadow.version if self._shadow else None):
                return True
            if self._shadow is not None:
                self._shadow.close()
                self._shadow = None
            if version is None or version == self._pipeline.model:
                return True
            classifier = Classifier.load(self._registry.path(version))
        except Exception as error:  # noqa: BLE001 - the same
            self._failed(error)
            return False
        self._shadow = Shadow(
            classifier,
            Tally(self._folder, file_name(version)),
            adapt=self._pipeline.adapt,
            count=self._metrics.shadow,
        )
        _log.info("shadow_set", model=version)
        return True

    def _failed(self, error: Exception) -> None:
        # Our own errors name files and versions; of others only the kind is told.
        reason = str(error) if isinstance(error, InvalidModel) else type(error).__name__
        _log.error("model_reload_failed", reason=reason, kept=self._pipeline.model)
        self._metrics.model_reload_failed()

    def _drift_of(self, classifier: Classifier) -> Drift:
        return Drift(
            self._tally,
            known=frozenset(classifier.words),
            reference=self._reference(classifier.version),
            show=self._metrics.drift,
        )

    def _reference(self, version: str) -> Counts:
        try:
            return distributions(self._registry.path(version))
        except InvalidModel:
            return {}

    def _see(self, pairs: Sequence[tuple[Entry, Reading]], at: datetime) -> None:
        day = at.date()
        try:
            self._drift.see(pairs, day)
        except Exception as error:  # noqa: BLE001 - counting must not hurt the stream
            _log.error("drift_failed", error=type(error).__name__)
        if self._shadow is not None:
            self._shadow.see(pairs, day)


def _newer(registry: Registry, pipeline: Pipeline) -> Classifier | None:
    """Load the version that is named; None where it judges already."""
    version = registry.current()
    return None if version == pipeline.model else Classifier.load(registry.path(version))


def training_of(folder: Path) -> dict[str, Any]:
    """Give what stands beside a model about its training; empty where nothing does."""
    try:
        data = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def codebook_of(registry: Registry, version: str) -> str:
    """Give the codebook by which a version was made; empty where nobody wrote it down."""
    try:
        return str(training_of(registry.path(version)).get("codebook", ""))
    except InvalidModel:
        return ""


def distributions(folder: Path) -> Counts:
    """Give what the posts looked like that a model was trained on."""
    found: Counts = training_of(folder).get("distributions", {})
    return found


def load_live(registry: Registry, metrics: Metrics | None = None) -> Classifier:
    """Load the version that judges; where it is damaged, the one before it, and say so.

    A stream that stands still is worse than one judged by last week's model. Raises InvalidModel
    where none can be loaded.
    """
    wrong: InvalidModel | None = None
    for version in registry.candidates():
        try:
            return Classifier.load(registry.path(version))
        except InvalidModel as error:
            wrong = wrong or error
            _log.error("model_damaged", reason=str(error))
            if metrics is not None:
                metrics.model_reload_failed()
    raise wrong or InvalidModel(f"{registry.folder}: geen model", code="no-model")
