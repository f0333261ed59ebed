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


def either(name: str) -> str:
    """Give a pattern that matches each word of a data file, longest first."""
    return "|".join(map(re.escape, sorted(words(name), key=lambda word: (-len(word), word))))
