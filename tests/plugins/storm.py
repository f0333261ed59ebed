"""Storms of posts with truth: copies and edits of originals, look-alikes, and what else comes in.

Edits are made of words that carry no fact (fillers, articles, typing errors); a look-alike differs
from its original in one fact that matters, and has copies of its own.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

CORPUS: Final = Path(__file__).parents[2] / "models" / "corpus" / "posts"
FILLERS: Final = (
    *("echt", "nou", "pff", "zeg", "jongens", "mensen", "help", "serieus", "gewoon", "wauw"),
    *("mijn", "hemel", "bizar", "delen", "aub", "graag", "even", "dus", "trouwens", "heel"),
)
_LOOSE: Final = frozenset(
    ("de", "het", "een", "heel", "erg", "ook", "even", "maar", "wel", "gewoon", "echt", "dus")
)
_HOSTS: Final = ("jan_de_b", "nieuws071", "anja.k", "regio_live", "buurtapp")
_CHANNELS: Final = ("x", "facebook", "whatsapp", "instagram", "mastodon", "email")
_TOWNS: Final = ("Zwolle", "Dokkum", "Venlo", "Zierikzee", "Coevorden", "Oss", "Weert", "Hulst")
_STREETS: Final = ("Lindelaan", "Nieuwstraat", "Havenweg", "Molenpad", "Parkdreef", "Spoorlaan")
_LEAST_WORDS: Final = 9


@dataclass(frozen=True, slots=True)
class Told:
    """A post of a storm, and the truth: which ones say the same as it."""

    post: dict[str, Any]
    group: str
    #: ``copy`` (the original too), ``lookalike`` or ``other``.
    kind: str


def storm(seed: int, *, posts: int, originals: int, copied: float = 0.6) -> list[Told]:
    """Give a storm, in order of arrival; a ``copied`` share of it are copies of the originals."""
    rng = random.Random(seed)
    everything = _corpus()
    corpus = [post for post in everything if len(post["text"].split()) >= _LEAST_WORDS]
    rng.shuffle(corpus)
    chosen = _distinct(corpus, originals)
    texts = {post["text"] for post in chosen}
    rest = [post for post in everything if post["text"] not in texts]
    told: list[Told] = []
    # A few originals get most of the copies, as in life (Zipf), and each one at least four.
    copies = int(posts * copied)
    weights = list(accumulate(1 / (rank + 10) for rank in range(originals)))
    picks = [*range(originals)] * 5 + rng.choices(
        range(originals), cum_weights=weights, k=max(0, copies - 5 * originals)
    )
    for serial, number in enumerate(picks[:copies]):
        text = chosen[number]["text"]
        if serial >= originals:
            text = edited(rng, text)
        told.append(Told(_post(rng, chosen[number], text), f"o{number}", "copy"))
    facts = [(n, made) for n in range(originals) if (made := lookalikes(rng, chosen[n]["text"]))]
    for n, made in facts:
        for index, text in enumerate(made):
            for again in range(rng.choice((1, 1, 2))):
                shown = edited(rng, text) if again else text
                told.append(Told(_post(rng, chosen[n], shown), f"l{n}-{index}", "lookalike"))
    for serial in range(max(0, posts - len(told))):
        post = rest[serial % len(rest)]
        text = post["text"] if serial < len(rest) else varied(rng, post["text"], serial)
        told.append(Told(_post(rng, post, text), f"b{_plain(text)}", "other"))
    told = told[:posts]
    # Copies come after their original, all within a day.
    firsts = [one for one in told if one.kind == "copy"][:originals]
    later = told[len(firsts) :]
    rng.shuffle(later)
    order = [*firsts, *later]
    return [
        Told({**one.post, "id": f"s{seed}-{n}"}, one.group, one.kind) for n, one in enumerate(order)
    ]


def _corpus() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def _distinct(corpus: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Choose originals that are no near copies of each other, by their words."""
    chosen: list[dict[str, Any]] = []
    seen: set[frozenset[str]] = set()
    for post in corpus:
        words = frozenset(_plain(post["text"]).split())
        if words in seen or "?" in post["text"][:-1]:
            continue
        seen.add(words)
        chosen.append(post)
        if len(chosen) == count:
            break
    return chosen


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _post(rng: random.Random, source: dict[str, Any], text: str) -> dict[str, Any]:
    author = f"u{rng.randrange(10**6)}"
    return {
        "text": text,
        "channel": rng.choice(_CHANNELS),
        "author": {"id": author, "followers": int(rng.paretovariate(1) * 20)},
        "org": source.get("org", ""),
    }


# -- copies --------------------------------------------------------------------------------------


def edited(rng: random.Random, text: str) -> str:
    """Copy a text: as it is, shared, decorated, or with up to a fifth of its words edited."""
    way = rng.random()
    if way < 0.25:
        return text
    if way < 0.45:
        return f"RT @{rng.choice(_HOSTS)}: {text}"
    if way < 0.55:
        return f"\u201c{text}\u201d {rng.choice(('', '👀', '😱😱', 'https://t.example/a1b2'))}"
    if way < 0.65:
        return rng.choice((text.lower(), text.upper(), text + " @gemeente", text + " 🙏🏽"))
    words = text.split()
    budget = max(1, len(words) // 5)
    for _ in range(rng.randint(1, budget)):
        rng.choice((_insert, _insert, _typo, _drop))(rng, words)
    return " ".join(words)


def _insert(rng: random.Random, words: list[str]) -> None:
    words.insert(rng.randrange(len(words) + 1), rng.choice(FILLERS))


def _typo(rng: random.Random, words: list[str]) -> None:
    places = [
        n for n, word in enumerate(words) if word.isalpha() and word.islower() and len(word) > 6
    ]
    if places:
        place = rng.choice(places)
        word = words[place]
        at = rng.randrange(1, len(word) - 2)
        words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(rng: random.Random, words: list[str]) -> None:
    places = [n for n, word in enumerate(words) if word in _LOOSE]
    if places:
        del words[rng.choice(places)]


# -- look-alikes ---------------------------------------------------------------------------------


def lookalikes(rng: random.Random, text: str) -> list[str]:
    """Give texts that differ from a text in one fact: a number, a place, a time, a negation."""
    made = []
    for change in rng.sample(_CHANGES, k=len(_CHANGES)):
        other = change(rng, text)
        if other is not None and other != text:
            made.append(other)
        if len(made) == 2:
            break
    return made


def _other_number(rng: random.Random, text: str) -> str | None:
    found = list(re.finditer(r"\b\d{1,4}\b", text))
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + str(int(match[0]) + rng.randint(2, 40)) + text[match.end() :]


def _other_place(rng: random.Random, text: str) -> str | None:
    found = list(re.finditer(r"(?<=\b[io][np] )[A-Z][a-z]{3,}\b", text))
    if not found:
        found = list(re.finditer(r"\b[A-Z][a-z]+(?:straat|laan|weg|plein|kade)\b", text))
        return _replaced(text, found, rng, _STREETS)
    return _replaced(text, found, rng, _TOWNS)


def _replaced(
    text: str, found: list[re.Match[str]], rng: random.Random, names: tuple[str, ...]
) -> str | None:
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(names) + text[match.end() :]


_DAYS: Final = ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag")


def _other_day(rng: random.Random, text: str) -> str | None:
    pairs = {"vandaag": "morgen", "gisteren": "vorige week", "vanavond": "morgenavond"}
    for word, other in pairs.items():
        if re.search(rf"\b{word}\b", text):
            return re.sub(rf"\b{word}\b", other, text, count=1)
    for day in _DAYS:
        if re.search(rf"\b{day}\b", text):
            others = [other for other in _DAYS if other != day]
            return re.sub(rf"\b{day}\b", rng.choice(others), text, count=1)
    return None


def _negated(rng: random.Random, text: str) -> str | None:
    del rng
    match = re.search(r"\b(is|zijn|was|kan|werkt|moet|mag)\b(?! niet| geen)", text)
    return text[: match.end()] + " niet" + text[match.end() :] if match else None


_CHANGES: Final[list[Callable[[random.Random, str], str | None]]] = [
    _other_number,
    _other_place,
    _other_day,
    _negated,
]


def varied(rng: random.Random, text: str, serial: int) -> str:
    """Make another message of a corpus text: the half of its words, and a number of its own."""
    words = text.split()
    kept = [word for word in words if rng.random() < 0.6] or words
    return f"{' '.join(kept)} {rng.choice(FILLERS)} nr {serial}"


def batches(told: list[Told], size: int) -> Iterator[list[Told]]:
    """Give a storm in batches."""
    for start in range(0, len(told), size):
        yield told[start : start + size]
