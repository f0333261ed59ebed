"""What is known of languages, as text files, and the one way to read them."""

from __future__ import annotations

import re
from importlib.resources import files


def lines(name: str) -> list[str]:
    """Give the lines of a data file without comments and blank lines."""
    text = files(__name__).joinpath(name).read_text("utf-8")
    return [line for line in map(str.strip, text.splitlines()) if line and line[0] != "#"]


def words(name: str) -> frozenset[str]:
    """Give the words of a data file, however many stand on a line."""
    return frozenset(word for line in lines(name) for word in line.split())


def ranked(name: str) -> list[str]:
    """Give the words of a data file in their order, each once."""
    return list(dict.fromkeys(word for line in lines(name) for word in line.split()))


def sections(name: str) -> dict[str, frozenset[str]]:
    """Give the sets of a data file of which each line is a key, a colon and words."""
    found: dict[str, frozenset[str]] = {}
    for line in lines(name):
        key, _, said = line.partition(": ")
        found[key] = found.get(key, frozenset()) | frozenset(said.split())
    return found


def either(name: str) -> str:
    """Give a pattern that matches each word of a data file, longest first."""
    return any_of(words(name))


def any_of(found: frozenset[str]) -> str:
    """Give a pattern that matches each of some words, longest first; an underscore is a blank."""
    ordered = sorted(found, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace("_", "[ ]+") for word in ordered)
