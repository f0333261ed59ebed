"""How many tokens of a stream the model has never seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from triage.classify import ModelFiles, default_models_dir
from triage.classify.features import words
from triage.language import Reader
from triage.post import Post
from triage.settings import load_settings

_BATCH: Final = 500


def share_unseen(posts: Iterable[Mapping[str, Any]], model: Path | None = None) -> dict[str, float]:
    """Give the share of ``tokens`` that are not in the model's table, and of ``posts`` with one.

    Their rows are made from character n-grams when they are first met. Without ``model``, a
    version's folder, the live one is asked.
    """
    known = frozenset(ModelFiles.load(model or _live()).tokens)
    reader, now = Reader(), datetime.now(UTC)
    rest = iter(posts)
    tokens = unseen = texts = touched = 0
    while batch := list(islice(rest, _BATCH)):
        for reading in reader.read([Post.from_mapping(post, received_at=now) for post in batch]):
            counted = words(reading.tokens)
            new = sum(token not in known for token in counted)
            tokens += len(counted)
            unseen += new
            texts += 1
            touched += new > 0
    return {"tokens": unseen / max(1, tokens), "posts": touched / max(1, texts)}


def _live() -> Path:
    settings = load_settings()
    models = settings.models or default_models_dir()
    version = settings.model or (models / "current").read_text(encoding="utf-8").strip()
    return models / version
