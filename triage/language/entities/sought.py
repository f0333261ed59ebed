"""Patterns that are tried only where they can match: most of a text is nowhere near one.

A cheap look at the text decides, and it never changes what is found: a test makes matches of every
pattern and asks whether they would have been tried, and reads the corpus both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from triage.language.entities.view import View

#: With more rows of digits than this, looking at each costs more than looking everywhere.
_MANY_ROWS: Final = 32
_NOTHING: Final[tuple[re.Match[str], ...]] = ()


class Cued:
    """A pattern of which every match holds, in lower case, one of some words."""

    def __init__(self, pattern: str, *cues: str) -> None:
        self.pattern: Final = re.compile(pattern)
        self.cues: Final = tuple(cue for cue in cues if not _held(cue, cues))

    def tried(self, view: View) -> bool:
        """Say whether the pattern can match in a text."""
        lower = view.lower
        for cue in self.cues:  # noqa: SIM110 - a generator costs more than the look
            if cue in lower:
                return True
        return False

    def among(self, view: View) -> Iterator[re.Match[str]]:
        """Give the matches in the text."""
        return self.pattern.finditer(view.text) if self.tried(view) else iter(_NOTHING)

    def among_lower(self, view: View) -> Iterator[re.Match[str]]:
        """Give the matches in the text in lower case."""
        return self.pattern.finditer(view.lower) if self.tried(view) else iter(_NOTHING)


def _held(cue: str, cues: tuple[str, ...]) -> bool:
    """Say whether another, shorter cue is in every text that holds this one."""
    return any(other != cue and other in cue for other in cues)


class AtDigits:
    """A pattern of which every match starts at a row of digits, or a little before one."""

    def __init__(self, pattern: str, *, before: int = 0, flags: int = 0) -> None:
        """Take a pattern; ``before``: how many characters, at most, stand before the digits."""
        self.pattern: Final = re.compile(pattern, flags)
        self.before: Final = before

    def among(self, view: View) -> Iterator[re.Match[str]]:
        """Give the matches in the text."""
        return self._matches(view.text, view)

    def among_lower(self, view: View) -> Iterator[re.Match[str]]:
        """Give the matches in the text in lower case."""
        return self._matches(view.lower, view)

    def _matches(self, text: str, view: View) -> Iterator[re.Match[str]]:
        if len(view.rows) > _MANY_ROWS:
            yield from self.pattern.finditer(text)
            return
        match, before = self.pattern.match, self.before
        since = 0
        for row, _ in view.rows:
            for at in range(max(since, row - before), row + 1):
                if found := match(text, at):
                    yield found
                    since = found.end()
                    break
            else:
                since = max(since, row + 1)
