"""Entities are sought only where they can be, and nothing is missed by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage.language.entities import find
from triage.language.entities.sought import AtDigits, Cued
from triage.language.entities.view import _WORD, View, look
from triage.reading import Entity

CORPUS = Path(__file__).resolve().parents[2] / "models" / "corpus"
AT = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
#: By name: the package has functions that are called like some of its modules.
MODULES: dict[str, ModuleType] = {
    name: import_module(f"triage.language.entities.{name}")
    for name in (
        *("clocks", "numbers", "persons", "places", "roads", "signatures", "stays", "streets"),
        "times",
    )
}
SOUGHT: dict[str, Cued | AtDigits] = {
    f"{module}.{name}": value
    for module, contents in MODULES.items()
    for name, value in vars(contents).items()
    if isinstance(value, Cued | AtDigits)
}
#: What patterns are made of, so that a text of it often holds a match, or nearly one.
PIECES = st.sampled_from(
    [*"0123456789 .,-/:()+€\n'ABNLanx", "12", "2026", "06", "NL", "uur", "euro", "A28", " in "]
)


class Everything(frozenset[str]):
    """A set that holds every word."""

    def __contains__(self, _word: object) -> bool:
        return True

    def isdisjoint(self, _other: object) -> bool:
        """Say that it is not."""
        return False


def spans(matches: Iterator[re.Match[str]]) -> list[tuple[int, int]]:
    return [match.span() for match in matches]


@pytest.mark.parametrize("name", SOUGHT)
@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_what_a_pattern_matches_is_found(name: str, data: st.DataObject) -> None:
    """Whatever a pattern can match, and whatever looks like it, is found as by the pattern alone."""
    sought = SOUGHT[name]
    made = st.from_regex(sought.pattern)
    mixed = st.lists(PIECES, max_size=40).map("".join)
    seen = look(data.draw(st.one_of(made, mixed, st.tuples(mixed, made, mixed).map("".join))))
    assert spans(sought.among(seen)) == spans(sought.pattern.finditer(seen.text))
    assert spans(sought.among_lower(seen)) == spans(sought.pattern.finditer(seen.lower))


@given(st.text(alphabet=st.sampled_from("aZéİı'-ſß 1\nstnk.ŉ"), max_size=30))
def test_words_of_plain_texts_are_those_of_all_texts(text: str) -> None:
    """The quick way to the words of a text without other letters gives the same words."""
    seen = look(text)
    found = [(match[0], *match.span()) for match in _WORD.finditer(seen.text)]
    assert [(word.text, word.start, word.end) for word in seen.words] == found
    assert all(word.capital == word.text[0].isupper() for word in seen.words)
    assert seen.lowers == {word.lower for word in seen.words}


def test_the_corpus_read_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """In no post of the corpus is anything found with all patterns tried everywhere that is not."""
    texts = [
        json.loads(line)["text"]
        for folder in ("posts", "frozen")
        for path in sorted((CORPUS / folder).glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    quick = _found(texts)
    _try_everything(monkeypatch)
    assert quick == _found(texts)


def _found(texts: list[str]) -> list[tuple[Entity, ...]]:
    return [find(text, at=AT) for text in texts]


def _try_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    def matches(self: AtDigits, text: str, _view: View) -> Iterator[re.Match[str]]:
        return self.pattern.finditer(text)

    def always(*_arguments: Any) -> bool:
        return True

    monkeypatch.setattr(Cued, "tried", always)
    monkeypatch.setattr(AtDigits, "_matches", matches)
    monkeypatch.setattr(MODULES["signatures"], "_may_close", always)
    for name in ("_DOTTED", "_SPACED"):
        monkeypatch.setattr(MODULES["persons"], name, re.compile(""))
    monkeypatch.setattr(MODULES["stays"], "_FIRST_WORDS", Everything())
    monkeypatch.setattr(MODULES["places"], "_LONG", Everything())
