"""The model that judges, in this process: for what the desk tells of it.

That is the model of the look at what comes in. Where the rules alone look, one is loaded when
somebody first asks (about a second and a half, and 60 MB), and once more when another version goes
live.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from triage.classify import Classifier, Explanation
from triage.errors import InvalidModel, InvalidPost, Refused
from triage.lane import Look
from triage.language import Reader, spans
from triage.models import Registry
from triage.models.live import load_live
from triage.models.store import default_registry
from triage.post import Post
from triage.reading import Reading
from triage.ticket import Assessment, Ticket
from triage.web.config import WebConfig
from triage.web.problems import Problem

#: How many posts are read at a time, at most.
_CHUNK: Final = 50


def registry_of(config: WebConfig) -> Registry:
    """Open the registry of models. Raises Problem 404 where there is none."""
    if config.data is None:
        raise Problem(404, "no-models")
    return default_registry(config.models, config.data)


class Judge:
    """Cuts texts as the model sees them, and accounts for what it said. Safe among threads."""

    def __init__(self, config: WebConfig, look: Look) -> None:
        self._config = config
        self._look = look
        self._classifier: Classifier | None = None
        self._named = ""
        self._reader: Reader | None = None
        self._lock = threading.Lock()

    def words(self) -> frozenset[str]:
        """Give the words that the model knows. Raises InvalidModel, Refused, Problem."""
        with self._model() as classifier:
            return frozenset(classifier.words)

    def read(self, posts: Sequence[Post]) -> list[Reading]:
        """Give one reading a post, in order; others have their turn in between."""
        readings: list[Reading] = []
        for start in range(0, len(posts), _CHUNK):
            with self._lock:
                readings += self._read(posts[start : start + _CHUNK])
        return readings

    def explain(self, ticket: Ticket) -> Explanation | None:
        """Account for the topic and the urgency that a ticket's post was given.

        None where the model that gave them judges no more, or where what it says has another
        name in the organisation.
        """
        try:
            post = Post.from_mapping(ticket.post, received_at=ticket.created_at)
            said = Assessment.from_mapping(ticket.assessment)
            (reading,) = self.read([post])
            with self._model() as classifier:
                if said.model != classifier.version:
                    return None
                return classifier.explain(post, reading, said, spans(post.text))
        except (InvalidModel, InvalidPost, Refused, Problem, ValueError):
            return None

    def _read(self, posts: Sequence[Post]) -> list[Reading]:
        if self._reader is None:
            self._reader = Reader(entities=False)
        return self._reader.read(posts)

    @contextmanager
    def _model(self) -> Iterator[Classifier]:
        with self._lock, self._look.model() as shared:
            yield shared or self._current()

    def _current(self) -> Classifier:
        registry = registry_of(self._config)
        named = registry.current()
        if self._classifier is None or named != self._named:
            self._classifier, self._named = load_live(registry), named
        return self._classifier
