"""Why a post was judged so: every part of its scores, with where it stands in the text.

The parts of an account sum to its score, the bias and what is told by organisation, channel and
manner included; nothing is left out and nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from triage.classify.features import is_picture
from triage.classify.table import Hits

#: A token with its start and end in the text, in characters, as the language step gives them.
Span = tuple[str, int, int]
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a score: a stretch of the text, or something told by the post as a whole.

    ``start`` and ``end`` are offsets into ``Post.text``, in characters; None for what is no text
    (``(basis)``, ``org=…``, ``channel=…`` and other cues).
    """

    token: str
    weight: float
    start: int | None = None
    end: int | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Give the piece as JSON-ready values."""
        return {"token": self.token, "start": self.start, "end": self.end, "weight": self.weight}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a score is made of: ``pieces``, heaviest first, sum to ``score``."""

    key: str
    score: float
    pieces: tuple[Piece, ...]

    def to_mapping(self) -> dict[str, Any]:
        """Give the account as JSON-ready values."""
        parts = [piece.to_mapping() for piece in self.pieces]
        return {"key": self.key, "score": self.score, "parts": parts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Accounts of the first topic and of the urgency that was given."""

    topic: Account
    urgency: Account

    def to_mapping(self) -> dict[str, Any]:
        """Give the explanation as JSON-ready values."""
        return {"topic": self.topic.to_mapping(), "urgency": self.urgency.to_mapping()}


def account(
    key: str, column: int, hits: Hits, norm: float, told: Sequence[tuple[str, float]], text: Text
) -> Account:
    """Sum up what the hits of one text say for a class, beside what is ``told`` by no token."""
    at: dict[tuple[int, int], float] = {}
    for part in hits.parts:
        weights = part.scores[part.row, column].astype(float) / norm
        for first, weight in zip(part.token.tolist(), weights.tolist(), strict=True):
            # A pair with the mark of the beginning or the end is the token beside that mark.
            stretch = (max(first, 0), min(first + part.length, len(text.spans)))
            if stretch[0] < stretch[1]:
                at[stretch] = at.get(stretch, 0.0) + weight
    pieces = [*text.pieces(at), *(Piece(token=name, weight=round(w, _DIGITS)) for name, w in told)]
    kept = sorted((p for p in pieces if p.weight), key=lambda p: (-p.weight, p.start or 0, p.token))
    score = sum(at.values()) + sum(weight for _, weight in told)
    return Account(key=key, score=round(score, _DIGITS), pieces=tuple(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text and where its counted tokens stand in it."""

    text: str
    spans: Sequence[Span]

    @classmethod
    def of(cls, text: str, spans: Sequence[Span], count: int) -> Text:
        """Take the first ``count`` tokens that weigh: all but pictures."""
        return cls(text=text, spans=[span for span in spans if not is_picture(span[0])][:count])

    def pieces(self, at: dict[tuple[int, int], float]) -> Iterator[Piece]:
        """Give a piece for each stretch of tokens."""
        for (first, last), weight in at.items():
            covered = self.spans[first:last]
            start, end = min(s for _, s, _ in covered), max(e for _, _, e in covered)
            said = self.text[start:end]
            yield Piece(token=said, start=start, end=end, weight=round(weight, _DIGITS))
