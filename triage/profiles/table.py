"""A table of a profile's TOML: hands out checked values and notes what is wrong, with its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from triage.profiles import Problem
from triage.profiles.lines import Path

#: The longest text in a profile, in characters.
TEXT_LIMIT: Final = 300
#: The most values in one list, and the most tables of one kind.
LIST_LIMIT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """The problems found so far, and where each value stands."""

    lines: Mapping[Path, int]
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path, message: str, *, fatal: bool = True) -> None:
        """Note a problem at the nearest place that is in the file."""
        self.problems.append(Problem(line=self.line(path), message=message, fatal=fatal))

    def line(self, path: Path) -> int:
        """Give the line of a value, or of what should have held it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class Table:
    """Values by key; what is missing or wrong becomes its default, and a problem."""

    def __init__(self, notes: Notes, data: Mapping[str, Any], path: Path = ()) -> None:
        self.notes = notes
        self.data = data
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self.data

    @property
    def line(self) -> int:
        """Where the table starts."""
        return self.notes.line(self.path)

    def wrong(self, key: str, message: str, *more: str | int, fatal: bool = True) -> None:
        """Note a problem with the value of a key, or with a part of it."""
        self.notes.add((*self.path, key, *more), f"{key}: {message}", fatal=fatal)

    def only(self, known: Sequence[str]) -> None:
        """Note every key that is not known: most are typing errors."""
        for key in self.data:
            if key not in known:
                self.notes.add((*self.path, key), f"onbekende sleutel {meant(key, known)}")

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """Give a text, without blanks around it."""
        value = self.data.get(key)
        if value is None:
            if required:
                self.notes.add(self.path, f"{key} ontbreekt")
            return default
        if not isinstance(value, str):
            self.wrong(key, "moet tekst zijn")
        elif not value.strip() or not value.isprintable() or len(value) > TEXT_LIMIT:
            self.wrong(key, f"moet 1 tot {TEXT_LIMIT} gewone tekens zijn")
        else:
            return value.strip()
        return default

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Give a whole number from ``low`` to ``high``."""
        value = self.data.get(key)
        if value is None or (type(value) is int and low <= value <= high):
            return value
        self.wrong(key, f"moet een geheel getal van {low} tot {high} zijn")
        return None

    def number(self, key: str, low: float, high: float) -> float | None:
        """Give a number from ``low`` to ``high``."""
        value = self.data.get(key)
        if value is None or (type(value) in (int, float) and low <= value <= high):
            return None if value is None else float(value)
        self.wrong(key, f"moet een getal van {low:g} tot {high:g} zijn")
        return None

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Give true or false."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "moet true of false zijn")
        return value is True

    def flags(self, key: str, default: frozenset[bool]) -> frozenset[bool]:
        """Give one or a list of true and false."""
        return (
            frozenset(v for _, v in self._items(key, bool, "true of false"))
            if key in self.data
            else default
        )

    def texts(self, key: str, known: Iterable[str] | None = None) -> list[str]:
        """Give one or a list of texts; each must be one of ``known``, where that is given."""
        allowed = None if known is None else list(known)
        values: list[str] = []
        for index, value in self._items(key, str, "tekst"):
            bare = value.removeprefix("!")
            if not bare.strip() or not value.isprintable() or len(value) > TEXT_LIMIT:
                self.wrong(key, f"moet 1 tot {TEXT_LIMIT} gewone tekens zijn", index)
            elif allowed is not None and bare not in allowed:
                self.wrong(key, f"onbekende waarde {meant(bare, allowed)}", index)
            elif value in values:
                self.wrong(key, f'"{value}" staat er twee keer in', index, fatal=False)
            else:
                values.append(value)
        return values

    def _items(self, key: str, kind: type, kind_name: str) -> Iterator[tuple[int, Any]]:
        value = self.data.get(key)
        if value is None:
            return
        items = value if isinstance(value, list) else [value]
        if not items:
            self.wrong(key, "lege lijst")
        elif len(items) > LIST_LIMIT:
            self.wrong(key, f"meer dan {LIST_LIMIT} waarden")
            return
        for index, item in enumerate(items):
            if isinstance(item, kind):
                yield index, item
            else:
                self.wrong(key, f"moet {kind_name} zijn, of een lijst daarvan", index)

    def table(self, key: str) -> Table:
        """Give the table under a key; an empty one where there is none."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.wrong(key, "moet een tabel zijn")
            value = {}
        return Table(self.notes, value, (*self.path, key))

    def tables(self, key: str) -> list[Table]:
        """Give the list of tables under a key."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(key, f"moet een lijst van tabellen zijn: [[{key}]]")
            return []
        if len(value) > LIST_LIMIT:
            self.wrong(key, f"meer dan {LIST_LIMIT}")
        return [
            Table(self.notes, item, (*self.path, key, index))
            for index, item in enumerate(value[:LIST_LIMIT])
        ]


def meant(word: str, known: Sequence[str]) -> str:
    """Quote a word that is not known, with the known one that it is nearest to.

    >>> meant("urgancy", ["topic", "urgency"])
    '"urgancy" (bedoeld: "urgency"?)'
    """
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'"{word[:60]}"' + (f' (bedoeld: "{near[0]}"?)' if near else "")
