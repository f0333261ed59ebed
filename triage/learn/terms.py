"""Terms of a new topic, from its few examples: a lexicon that nobody had to write.

Thirty posts are too few to weigh thousands of words one by one; each new post shares only some of
them. Terms that several people use, and hardly anyone who writes about something else, are pooled
under the topic's key, as those of a written lexicon are, so that the model weighs them together.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

#: Topics with more examples than this need no such help.
FEW: Final = 150
#: How many authors must use a term.
USERS: Final = 2
#: How much likelier a term must be in the topic than elsewhere, as a natural logarithm.
LIFT: Final = 1.5
#: The most terms of a topic, and the heaviest weight of one.
MOST: Final = 200
HEAVIEST: Final = 3.0
_SHORTEST: Final = 4
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
#: What a mask put there says nothing of a topic.
_MASK: Final = re.compile(r"\[[^\]\s]+\]")

Rows = Sequence[Mapping[str, Any]]


def terms_of(topic: str, examples: Rows, others: Rows) -> list[dict[str, Any]]:
    """Give the telling terms of a topic as rows of a lexicon, heaviest first."""
    users: dict[str, set[str]] = {}
    posts: Counter[str] = Counter()
    for row in examples:
        for term in _terms(row["text"]):
            users.setdefault(term, set()).add(str(row["id"]).partition("-")[0])
            posts[term] += 1
    elsewhere: Counter[str] = Counter()
    for row in others:
        elsewhere.update(_terms(row["text"]) & posts.keys())
    found = []
    for term, count in posts.items():
        if len(users[term]) < USERS:
            continue
        inside = (count + 0.5) / (len(examples) + 1)
        outside = (elsewhere[term] + 0.5) / (len(others) + 1)
        lift = math.log(inside / outside)
        if lift >= LIFT:
            weight = round(min(HEAVIEST, lift / 2), 2)
            found.append({"key": topic, "term": term, "w": weight})
    found.sort(key=lambda row: (-float(str(row["w"])), str(row["term"])))
    return found[:MOST]


def _terms(text: str) -> set[str]:
    """Give the words that are long enough to tell something, and the pairs with one of them."""
    words = [word.lower() for word in _WORD.findall(_MASK.sub(" . ", text))]
    long = {word for word in words if len(word) >= _SHORTEST}
    pairs = {f"{left} {right}" for left, right in pairwise(words) if left in long or right in long}
    return long | pairs
