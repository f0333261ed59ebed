"""Word lists of bundling, as text files, and the one way to read them."""

from __future__ import annotations

from importlib.resources import files


def lines(name: str) -> list[list[str]]:
    """Give the words of each line of a data file, without comments and blank lines."""
    text = files(__name__).joinpath(name).read_text("utf-8")
    return [line.split() for line in text.splitlines() if line.strip() and line[0] != "#"]


def words(name: str) -> list[str]:
    """Give the words of a data file in order, however many stand on a line."""
    return [word for line in lines(name) for word in line]
