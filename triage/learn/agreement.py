"""How far two people who labelled the same posts agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement on one field, over ``posts`` posts."""

    posts: int
    #: Share of the posts with the same label, 0 to 1.
    same: float
    #: Cohen's kappa: 1 is full agreement, 0 what chance would give.
    kappa: float


def agreement(
    first: Sequence[str], second: Sequence[str], *, order: Sequence[str] | None = None
) -> Agreement:
    """Compare two labellings of the same posts.

    With ``order`` the labels are steps on a ladder and a difference of n steps weighs n squared
    (quadratic weighted kappa); without it every difference weighs the same.

    >>> agreement(["laag", "hoog"], ["laag", "hoog"]).kappa
    1.0
    >>> agreement(["a", "a", "b", "b"], ["a", "b", "a", "b"]).kappa
    0.0
    """
    names = list(order) if order is not None else sorted({*first, *second})
    place = {name: index for index, name in enumerate(names)}
    count = len(first)

    def weight(one: str, other: str) -> int:
        return (place[one] - place[other]) ** 2 if order is not None else int(one != other)

    observed = sum(weight(one, other) for one, other in zip(first, second, strict=True)) / count
    left, right = Counter(first), Counter(second)
    expected = sum(
        weight(one, other) * left[one] * right[other] for one in left for other in right
    ) / (count * count)
    same = sum(one == other for one, other in zip(first, second, strict=True)) / count
    return Agreement(
        posts=count, same=same, kappa=1 - observed / expected if expected else float(same)
    )
