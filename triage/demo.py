"""A stream to look at: posts drawn from the shipped sample, with authors, replies and bursts.

Seeded: the same seed gives the same stream. The texts are the corpus's own; who writes, when, and
who answers or passes on is made up around them.
"""

from __future__ import annotations

import json
import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

#: A burst begins once in so many posts, on average.
BURST_EVERY: Final = 120
#: How many posts a burst has, at least and at most.
BURST_SIZE: Final = (8, 25)
#: What part of the other posts answers an earlier one.
REPLIES: Final = 0.08

_FIRST: Final = (
    *("Sanne", "Daan", "Fatima", "Youssef", "Lotte", "Bram", "Noor"),
    *("Sem", "Marieke", "Henk", "Ayşe", "Tom", "Ingrid", "Kees"),
)
_LAST: Final = (
    *("de Vries", "Jansen", "El Amrani", "Bakker", "Visser", "Yılmaz"),
    *("Smit", "Meijer", "de Boer", "Mulder", "Bos"),
)


@dataclass(slots=True)
class Demo:
    """An endless stream of posts, as JSON-ready values."""

    sample: Sequence[dict[str, Any]]
    seed: int = 0
    _random: random.Random = field(init=False)
    _recent: deque[str] = field(init=False)
    _burst: list[dict[str, Any]] = field(init=False)
    _authors: list[dict[str, Any]] = field(init=False)
    _sent: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a repeatable stream, no secret
        self._recent = deque(maxlen=50)
        self._burst = []
        self._authors = [self._author(number) for number in range(400)]

    def posts(self) -> Iterator[dict[str, Any]]:
        """Give posts for ever; ids differ from seed to seed."""
        while True:
            yield self._next()

    def due(self, elapsed: float, rate: float) -> int:
        """Give how many posts should have been sent after ``elapsed`` seconds at ``rate`` a second.

        The rate breathes by a third around its mean, as a day's stream does.
        """
        return math.floor(rate * elapsed + rate / 3 * (1 - math.cos(elapsed / 10)) * 10 / math.pi)

    def _next(self) -> dict[str, Any]:
        chance = self._random
        if not self._burst and chance.random() < 1 / BURST_EVERY:
            self._burst = self._storm()
        source = self._burst.pop() if self._burst else chance.choice(self.sample)
        post = {
            "id": f"demo-{self.seed}-{self._sent}",
            "text": source["text"],
            "channel": source["channel"],
            "author": chance.choice(self._authors),
        }
        if chance.random() < 0.2:  # noqa: PLR2004 - one in five travels
            post["reach"] = {"shares": int(chance.expovariate(0.2)), "likes": chance.randrange(90)}
        if "in_reply_to" in source or (self._recent and chance.random() < REPLIES):
            post["in_reply_to"] = source.get("in_reply_to") or chance.choice(self._recent)
        self._recent.append(post["id"])
        self._sent += 1
        return post

    def _storm(self) -> list[dict[str, Any]]:
        """Give one event as many people tell it: the same subject, some of them passing it on."""
        chance = self._random
        seed = chance.choice([post for post in self.sample if post["urgency"] in _STORMY])
        alike = [post for post in self.sample if post["topics"][:1] == seed["topics"][:1]]
        told = chance.sample(alike, min(len(alike), chance.randint(*BURST_SIZE)))
        passed_on = [{**seed, "text": f"RT: {seed['text']}", "channel": "x"} for _ in range(3)]
        return [*passed_on, *told, seed]

    def _author(self, number: int) -> dict[str, Any]:
        chance = self._random
        name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
        followers = int(chance.paretovariate(0.9) * 40)
        return {"id": f"demo-author-{number}", "name": name, "followers": min(followers, 250_000)}


_STORMY: Final = frozenset({"kritiek", "hoog"})


def load_sample(path: Path) -> list[dict[str, Any]]:
    """Read the shipped sample: JSON Lines with text, channel, topics and urgency."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def seed_of(now: datetime) -> int:
    """Give each start of the demo ids of its own, so that none is taken for a repeat."""
    return int(now.timestamp())
