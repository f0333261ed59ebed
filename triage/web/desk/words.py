"""The words that weighed for a label: marked in the text, and told with their part of the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from triage.classify import Account, Explanation, Piece
from triage.ticket import Ticket
from triage.web.desk.show import marked

#: The labels of which the parts are known.
Label = Literal["topic", "urgency"]
#: The most parts that are marked and told, the heaviest.
PARTS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text in pieces, with what weighed for one of its labels."""

    label: Label
    #: The label's value as the model gave it.
    key: str
    #: The pieces join to the text; each with its weight, None where it has none.
    pieces: Sequence[tuple[str, float | None]]
    #: The heaviest words, heaviest first.
    parts: Sequence[tuple[str, float]]
    #: What else the score is made of, and the score; None where only the heaviest words were kept.
    rest: float | None = None
    score: float | None = None


def words_of(ticket: Ticket, label: Label, explanation: Explanation | None = None) -> Words:
    """Give what weighed: by the whole account where there is one, else by what was kept of it."""
    text, said = str(ticket.post.get("text") or ""), ticket.assessment
    if explanation is not None:
        return _accounted(text, label, getattr(explanation, label))
    key = said["topics"][0]["key"] if label == "topic" else said["urgency"]["key"]
    kept: Sequence[Mapping[str, Any]] = said.get(_KEPT[label]) or ()
    parts = [(str(reason["token"]), float(reason["weight"])) for reason in kept]
    return Words(label=label, key=key, pieces=marked(text, kept), parts=parts)


_KEPT: Final[Mapping[Label, str]] = {"topic": "reasons", "urgency": "urgency_reasons"}


def _accounted(text: str, label: Label, account: Account) -> Words:
    spoken = [piece for piece in account.pieces if piece.start is not None]
    heaviest = sorted(spoken, key=lambda piece: -abs(piece.weight))[:PARTS]
    told = sum(piece.weight for piece in heaviest)
    return Words(
        label=label,
        key=account.key,
        pieces=spanned(text, heaviest),
        parts=sorted(((p.token, p.weight) for p in heaviest), key=lambda part: -part[1]),
        rest=account.score - told,
        score=account.score,
    )


def spanned(text: str, parts: Sequence[Piece]) -> list[tuple[str, float | None]]:
    """Cut a text where parts begin and end; parts that overlap weigh together.

    >>> spanned("een gaslek", [Piece(token="gaslek", weight=1.5, start=4, end=10)])
    [('een ', None), ('gaslek', 1.5)]
    """
    spans = [(p.start, p.end, p.weight) for p in parts if p.start is not None and p.end is not None]
    edges = sorted({0, len(text), *(edge for start, end, _ in spans for edge in (start, end))})
    pieces: list[tuple[str, float | None]] = []
    for start, end in pairwise(edges):
        over = [weight for first, last, weight in spans if first <= start and end <= last]
        said = text[start:end]
        pieces.append((said, sum(over) if over and not said.isspace() else None))
    return pieces
