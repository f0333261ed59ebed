"""What keeps a corpus honest: what is wrong with it, and what it holds."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from triage.learn.dataset import FROZEN, POSTS, author_of, read_rows_of
from triage.profiles import INTENTS, TOPICS
from triage.ticket import ORG, URGENCIES

#: Texts that share so many of their runs of three words are near-duplicates.
NEAR: Final = 0.6
#: How urgencies are spread in life, in the order of ``URGENCIES``.
LIFE: Final = (0.05, 0.13, 0.58, 0.24)
#: The most words of a term of the lexicon.
TERM_WORDS: Final = 4
_WORD: Final = re.compile(r"[^\W_]+")
_ID: Final = re.compile(r"[A-Za-z0-9]+-[A-Za-z0-9]+")
#: A run of words that so many posts share is a turn of phrase, and makes no duplicates.
_COMMON: Final = 40
_SHINGLE: Final = 3
_URGENCIES: Final = tuple(urgency.value for urgency in URGENCIES)
_STYLES: Final = ("urgency:", "intent:", "style:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, at an id or a term."""

    where: str
    what: str
    #: False: it may be meant, somebody should look.
    wrong: bool = True


def check(folder: Path) -> list[Finding]:
    """Find what is wrong with a corpus. Raises Refused where a line is no JSON."""
    posts, frozen = read_rows_of(folder / POSTS), read_rows_of(folder / FROZEN)
    rows = [*posts, *frozen]
    found = [finding for row in rows for finding in _row_findings(row)]
    found += _repeated_ids(rows)
    found += _leaks(posts, frozen)
    found += _near_duplicates([row for row in rows if isinstance(row.get("text"), str)])
    return [*found, *_lexicon(folder)]


def stats(folder: Path) -> dict[str, Any]:
    """Count what a corpus holds, as JSON-ready values."""
    found = {}
    for name in (POSTS, FROZEN):
        rows = read_rows_of(folder / name)
        if rows:
            found[name] = _stats(rows)
    terms = read_rows_of(folder / "lexicon")
    found["lexicon"] = {
        "terms": len(terms),
        "keys": dict(Counter(str(term.get("key")) for term in terms).most_common()),
        "against": sum(_weight(term) < 0 for term in terms),
    }
    return found


def _stats(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lengths = [len(str(row["text"]).split()) for row in rows]
    urgencies = Counter(row["urgency"] for row in rows)
    return {
        "posts": len(rows),
        "authors": dict(sorted(Counter(author_of(row) for row in rows).items())),
        "topics": dict(Counter(topic for row in rows for topic in row["topics"][:1]).most_common()),
        "second_topics": sum(len(row["topics"]) > 1 for row in rows),
        "urgency": {
            key: {
                "posts": urgencies[key],
                "share": round(urgencies[key] / len(rows), 3),
                "in_life": life,
            }
            for key, life in zip(_URGENCIES, LIFE, strict=True)
        },
        "intent": dict(Counter(row["intent"] for row in rows).most_common()),
        "channel": dict(Counter(row.get("channel", "") for row in rows).most_common()),
        "org": dict(Counter(row.get("org", "") for row in rows).most_common()),
        "lang": dict(Counter(row.get("lang", "nl") for row in rows).most_common()),
        "words": {
            "median": median(lengths),
            "under_15": round(sum(length < 15 for length in lengths) / len(rows), 3),  # noqa: PLR2004
            "most": max(lengths),
        },
    }


def _weight(term: Mapping[str, Any]) -> float:
    weight = term.get("w")
    return float(weight) if isinstance(weight, int | float) else 0.0


# -- checks --------------------------------------------------------------------------------------


def _row_findings(row: Mapping[str, Any]) -> Iterator[Finding]:
    where = str(row.get("id", "?"))
    if not _ID.fullmatch(where):
        yield Finding(where=where, what="id: de code van de auteur, een streepje, een nummer")
    if not str(row.get("text") or "").strip():
        yield Finding(where=where, what="text: leeg")
    topics = row.get("topics")
    if not isinstance(topics, list) or not topics:
        yield Finding(where=where, what="topics: minstens één onderwerp")
    else:
        if len(set(topics)) < len(topics):
            yield Finding(where=where, what="topics: twee keer hetzelfde")
        for topic in topics:
            if topic not in TOPICS:
                new = isinstance(topic, str) and ORG.fullmatch(topic) is not None
                yield Finding(
                    where=where, what=f"topics: {topic!r} kent het codeboek niet", wrong=not new
                )
    if row.get("urgency") not in _URGENCIES:
        yield Finding(where=where, what=f"urgency: {row.get('urgency')!r}")
    if row.get("intent") not in INTENTS:
        yield Finding(where=where, what=f"intent: {row.get('intent')!r}")


def _repeated_ids(rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for where, count in Counter(str(row.get("id")) for row in rows).items():
        if count > 1:
            yield Finding(where=where, what=f"id: komt {count} keer voor")


def _leaks(
    posts: Sequence[Mapping[str, Any]], frozen: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    for author in sorted({author_of(r) for r in posts} & {author_of(r) for r in frozen}):
        yield Finding(where=author, what="auteur staat in posts/ en in frozen/")


def _near_duplicates(rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    shingles = [_shingles(str(row["text"])) for row in rows]
    holding: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, own in enumerate(shingles):
        for shingle in own:
            holding[shingle].append(number)
    for number, own in enumerate(shingles):
        shared: Counter[int] = Counter()
        for shingle in own:
            others = holding[shingle]
            if len(others) <= _COMMON:
                shared.update(other for other in others if other < number)
        for other, count in sorted(shared.items()):
            union = len(own) + len(shingles[other]) - count
            if count / union >= NEAR:
                yield _pair(rows[other], rows[number], count / union)


def _pair(one: Mapping[str, Any], other: Mapping[str, Any], alike: float) -> Finding:
    where = f"{one['id']} {other['id']}"
    labels = [(row.get("topics"), row.get("urgency"), row.get("intent")) for row in (one, other)]
    if labels[0] != labels[1]:
        what = f"bijna gelijk ({alike:.0%}), andere labels"
        return Finding(where=where, what=what)
    return Finding(where=where, what=f"bijna gelijk ({alike:.0%})", wrong=False)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    if len(words) < _SHINGLE:
        return frozenset({tuple(words)}) if words else frozenset()
    return frozenset(tuple(words[at : at + _SHINGLE]) for at in range(len(words) - _SHINGLE + 1))


def _lexicon(folder: Path) -> Iterator[Finding]:
    seen: dict[tuple[str, str], float] = {}
    for term in read_rows_of(folder / "lexicon"):
        key, words, weight = str(term.get("key")), str(term.get("term") or ""), term.get("w")
        where = f"{key} {words!r}"
        known = key in TOPICS or key.startswith(_STYLES)
        if not known:
            yield Finding(where=where, what="lexicon: onbekende sleutel")
        if not words.strip():
            yield Finding(where=where, what="lexicon: leeg")
        elif len(words.split()) > TERM_WORDS:
            what = f"lexicon: meer dan {TERM_WORDS} woorden"
            yield Finding(where=where, what=what, wrong=False)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            yield Finding(where=where, what="lexicon: geen gewicht")
            continue
        pair = (key, words.lower().strip())
        if seen.setdefault(pair, float(weight)) != float(weight):
            yield Finding(where=where, what="lexicon: twee gewichten", wrong=False)
