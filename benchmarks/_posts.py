"""Posts to measure with: the corpus varied so that no text repeats, and words nobody ever saw.

Seeded: the same seed gives the same posts.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks._support import ROOT

CORPUS: Final = ROOT / "models" / "corpus" / "posts"
#: How many people write.
AUTHORS: Final = 30_000

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_STREETS: Final = [
    start + end
    for start in (
        *("Kraaien", "Linden", "Molen", "Kerk", "School", "Beuken", "Wilgen", "Haven", "Markt"),
        *("Vijver", "Zwanen", "Lijster", "Merel", "Tulpen", "Rozen", "Anjelier", "Berken"),
        *("Dorps", "Hoofd", "Kanaal", "Spoor", "Stations", "Eiken", "Esdoorn", "Kastanje"),
        *("Wever", "Smids", "Bakkers", "Timmer", "Schippers", "Visser", "Jagers", "Valken"),
        *("Oranje", "Wilhelmina", "Juliana", "Beatrix", "Willem", "Maurits", "Hendrik"),
        *("Polder", "Duin", "Heide", "Veen", "Rietdek", "Hoge", "Lage", "Noorder", "Zuider"),
    )
    for end in ("straat", "laan", "weg", "plein", "hof", "kade", "singel", "pad", "dreef", "gracht")
]
_FIRST: Final = (
    *("Sanne", "Daan", "Fatima", "Youssef", "Lotte", "Bram", "Noor", "Sem", "Marieke", "Henk"),
    *("Ayşe", "Tom", "Ingrid", "Kees", "Joke", "Piet", "Amira", "Thijs", "Femke", "Rachid"),
)
_LAST: Final = (
    *("de Vries", "Jansen", "El Amrani", "Bakker", "Visser", "Yılmaz", "Smit", "Meijer"),
    *("de Boer", "Mulder", "Bos", "Vos", "Peters", "Hendriks", "van Dijk", "Dekker", "Kaya"),
)
_SYLLABLES: Final = tuple(
    onset + nucleus
    for onset in ("b", "br", "d", "dr", "f", "g", "gr", "h", "k", "kl", "l", "m", "n", "p", "pl")
    for nucleus in ("a", "ee", "ie", "oo", "ui", "ei")
)
#: Prime to the number of words of four syllables: consecutive numbers give unlike words.
_STRIDE: Final = 7_654_319


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A post of the corpus."""

    sentences: tuple[str, ...]
    topic: str
    channel: str
    org: str


def corpus() -> list[Source]:
    """Read the shipped corpus."""
    return [
        Source(
            sentences=tuple(part for part in _SENTENCE.split(row["text"]) if part.strip()),
            topic=row["topics"][0],
            channel=row["channel"],
            org=row["org"],
        )
        for path in sorted(CORPUS.glob("*.jsonl"))
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]


@dataclass(slots=True)
class Variations:
    """An endless stream of posts like those of the corpus, as JSON-ready values.

    Sentences are left out, taken over from other posts on the same topic, and given places,
    times, names and slips of the finger that the corpus doesn't have. With ``distinct`` no text
    comes twice, at the price of remembering a number a post.
    """

    seed: int = 0
    distinct: bool = True
    #: The ids begin with it.
    name: str = "b"
    start: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    _random: random.Random = field(init=False)
    _sources: list[Source] = field(init=False)
    _alike: dict[str, list[str]] = field(init=False)
    _seen: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._sources = corpus()
        self._seen = set()
        self._alike = {}
        for source in self._sources:
            self._alike.setdefault(source.topic, []).extend(source.sentences)

    def posts(self, count: int) -> Iterator[dict[str, Any]]:
        """Give so many posts."""
        chance = self._random
        for serial in range(count):
            source = chance.choice(self._sources)
            author = chance.randrange(AUTHORS)
            yield {
                "id": f"{self.name}-{self.seed}-{serial}",
                "text": self._fresh(source),
                "channel": source.channel,
                "org": source.org,
                "author": {"id": f"burger-{author}", "followers": author % 977},
                "created_at": (self.start + timedelta(seconds=serial / 50)).isoformat(),
            }

    def _fresh(self, source: Source) -> str:
        text = self._text(source)
        if not self.distinct:
            return text
        while (known := hash(text)) in self._seen:
            text = f"{text} {self._detail()}"
        self._seen.add(known)
        return text

    def _text(self, source: Source) -> str:
        chance = self._random
        parts = list(source.sentences)
        draw = chance.random()
        if draw < 0.35:
            other = chance.choice(self._alike[source.topic])
            parts.insert(chance.randint(0, len(parts)), other)
        elif draw < 0.6 and len(parts) > 1:
            del parts[chance.randrange(len(parts))]
        if chance.random() < 0.6:
            parts.insert(chance.randint(0, len(parts)), self._detail())
        text = " ".join(parts)
        return self._slip(text) if chance.random() < 0.3 else text

    def _detail(self) -> str:
        chance = self._random
        street, house = chance.choice(_STREETS), chance.randint(1, 480)
        kind = chance.randrange(6)
        if kind == 0:
            return f"Het gaat om de {street} {house}."
        if kind == 1:
            return f"Op de hoek van de {street} en de {chance.choice(_STREETS)}."
        if kind == 2:
            return f"Groet, {chance.choice(_FIRST)} {chance.choice(_LAST)}, {street} {house}"
        if kind == 3:
            return f"Om {chance.randrange(24)}.{chance.randrange(60):02} uur bij nummer {house}."
        if kind == 4:
            days, report = chance.randint(2, 90), chance.randrange(10**6)
            return f"Dit is al {days} dagen zo, zie melding {report}."
        return f"#{street} @{chance.choice(_FIRST).lower()}{house}"

    def _slip(self, text: str) -> str:
        """Swap, double or drop a letter somewhere."""
        chance = self._random
        at = chance.randrange(max(1, len(text) - 1))
        kind = chance.randrange(3)
        if kind == 0:
            return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        if kind == 1:
            return text[: at + 1] + text[at:]
        return (text[:at] + text[at + 1 :]).strip() or text


def new_word(serial: int) -> str:
    """Give a word of four syllables that no other number gives (up to 65 million of them).

    >>> new_word(1) == new_word(2)
    False
    """
    base = len(_SYLLABLES)
    left = serial * _STRIDE % base**4
    word = ""
    for _ in range(4):
        left, syllable = divmod(left, base)
        word += _SYLLABLES[syllable]
    return word


def with_new_words(count: int, *, seed: int = 0) -> Iterator[str]:
    """Give texts of the corpus, each with two words that never came before, in flat memory."""
    chance = random.Random(seed)
    texts = [" ".join(source.sentences) for source in corpus()]
    for serial in range(count):
        words = chance.choice(texts).split(" ")
        for number in (2 * serial, 2 * serial + 1):
            words.insert(chance.randint(0, len(words)), new_word(number))
        yield " ".join(words)


def main() -> None:
    """Show some posts."""
    for post in Variations(seed=1).posts(10):
        print(json.dumps(post, ensure_ascii=False))


if __name__ == "__main__":
    main()
