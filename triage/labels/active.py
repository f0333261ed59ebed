"""Active learning: the posts that are most worth a person's label.

Four reasons take turns, so that none of them fills the list: posts that the model hesitates on,
posts at the border of ``kritiek``, posts of topics with few labels, and posts whose words it does
not know. Near-copies and more than two posts of one author are passed over.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from triage.post import Post
from triage.reading import Reading
from triage.ticket import UNKNOWN, Assessment, Urgency

#: The most posts of one author among the picked.
OF_AUTHOR: Final = 2
#: Texts with fewer known tokens than this say nothing about new words.
_LEAST_TOKENS: Final = 5
#: Where the border of ``kritiek`` is taken to be when no post of the lot shows it.
_BORDER: Final = 0.5
_WORD: Final = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A post that nobody has labelled, as the model judges it."""

    ticket: str
    post: Post
    reading: Reading
    assessment: Assessment


def pick(
    candidates: Iterable[Candidate],
    count: int,
    *,
    known: frozenset[str],
    labelled: Mapping[str, int],
) -> list[tuple[Candidate, str]]:
    """Choose ``count`` posts, each with why; ``known``: the model's words, ``labelled``: per topic.

    The same candidates give the same choice.
    """
    lot = [candidate for candidate in candidates if candidate.assessment.topic != UNKNOWN]
    queues = {
        "uncertain": _ranked(lot, lambda c: -_margin(c.assessment)),
        "critical-border": _ranked(lot, _near_border(lot)),
        "rare": _ranked(lot, _rareness(lot, labelled)),
        "novel": _ranked(lot, lambda c: _novelty(c, known)),
    }
    picked: list[tuple[Candidate, str]] = []
    seen_texts: set[frozenset[str]] = set()
    tickets: set[str] = set()
    authors: Counter[str] = Counter()
    turns = {reason: iter(queue) for reason, queue in queues.items()}
    while turns and len(picked) < count:
        for reason in list(turns):
            if len(picked) == count:
                break
            for candidate in turns[reason]:
                words = frozenset(_WORD.findall(candidate.post.text.lower()))
                author = candidate.post.author.id if candidate.post.author else candidate.ticket
                if (
                    candidate.ticket not in tickets
                    and words not in seen_texts
                    and authors[author] < OF_AUTHOR
                ):
                    tickets.add(candidate.ticket)
                    seen_texts.add(words)
                    authors[author] += 1
                    picked.append((candidate, reason))
                    break
            else:
                del turns[reason]
    return picked


def _ranked(lot: Sequence[Candidate], worth: Callable[[Candidate], float]) -> list[Candidate]:
    return sorted(lot, key=lambda candidate: (-worth(candidate), candidate.ticket))


def _margin(assessment: Assessment) -> float:
    """Give by how much the first topic is ahead of the second."""
    first, *rest = [p for _, p in assessment.topics]
    return float(first - (rest[0] if rest else 0.0))


def _near_border(lot: Sequence[Candidate]) -> Callable[[Candidate], float]:
    """Rank by how near a post is to where the model begins to say ``kritiek``."""
    said = [
        c.assessment.urgency_p[0]
        for c in lot
        if c.assessment.urgency is Urgency.KRITIEK and c.assessment.safety_rule is None
    ]
    border = min(said, default=_BORDER)
    return lambda candidate: -abs(candidate.assessment.urgency_p[0] - border)


def _rareness(
    lot: Sequence[Candidate], labelled: Mapping[str, int]
) -> Callable[[Candidate], float]:
    """Rank by how few labels a post's likely topics have, for how often they come in."""
    coming = Counter(candidate.assessment.topic for candidate in lot)

    def worth(candidate: Candidate) -> float:
        return max(
            float(p * (1 + coming[topic]) ** 0.5 / (1 + labelled.get(topic, 0)))
            for topic, p in candidate.assessment.topics
        )

    return worth


def _novelty(candidate: Candidate, known: frozenset[str]) -> float:
    tokens = [token for token in candidate.reading.tokens if token.isalpha()]
    if len(tokens) < _LEAST_TOKENS:
        return 0.0
    return sum(token not in known for token in tokens) / len(tokens)
