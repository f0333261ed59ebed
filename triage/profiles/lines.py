"""Where each value of a TOML file stands; ``tomllib`` reads the values but forgets the places.

Only for text that ``tomllib`` has accepted: the grammar is not checked again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Final

#: The way to a value: keys of tables and indexes of arrays.
Path = tuple[str | int, ...]

_TOKEN: Final = re.compile(
    r"""
      (?P<skip>[ \t]+|\#[^\n]*)
    | (?P<newline>\r?\n)
    | (?P<string>\"\"\"(?:[^\\]|\\.)*?\"{3,5}|'''.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    | (?P<mark>[\[\]{}=,.])
    | (?P<bare>[^\s\[\]{}=,.#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)
_END: Final = ("end", "")


def lines_of(text: str) -> Mapping[Path, int]:
    r"""Give the line (from 1) of every table, key and array element.

    >>> lines_of('a = 1\n[[b]]\nc = ["x",\n  "y"]')[("b", 0, "c", 1)]
    4
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {(): 1}
        self._tables: dict[Path, int] = {}
        self._tokens: list[tuple[str, str, int]] = []
        line = 1
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or ""
            if kind != "skip":
                self._tokens.append((kind, match[0], line))
            line += match[0].count("\n")
        self._last = line
        self._next = 0

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._peek() != _END:
            if self._take("newline"):
                continue
            if self._take("mark", "["):
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _header(self) -> Path:
        line = self._line()
        many = self._take("mark", "[")
        path = self._resolve(self._key())
        if many:
            count = self._tables.get(path, 0)
            self._tables[path] = count + 1
            self.lines.setdefault(path, line)
            path = (*path, count)
        self._note(path, line)
        while self._take("mark", "]"):
            pass
        return path

    def _resolve(self, keys: list[str]) -> Path:
        """Point each array of tables that is passed through at its latest table."""
        path: Path = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            if index < len(keys) - 1 and path in self._tables:
                path = (*path, self._tables[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path: Path = (*table, *self._key())
        self._note(path, line)
        self._take("mark", "=")
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("mark", "["):
            self._array(path)
        elif self._take("mark", "{"):
            while self._peek() != _END and not self._take("mark", "}"):
                if not (self._take("newline") or self._take("mark", ",")):
                    self._pair(path)
        else:  # a scalar; a number with a point is three tokens
            while self._peek()[1] not in (",", "]", "}") and self._peek()[0] not in (
                "newline",
                "end",
            ):
                self._next += 1

    def _array(self, path: Path) -> None:
        index = 0
        while self._peek() != _END and not self._take("mark", "]"):
            if self._take("newline") or self._take("mark", ","):
                continue
            self._note((*path, index), self._line())
            self._value((*path, index))
            index += 1

    def _key(self) -> list[str]:
        keys: list[str] = []
        while self._peek()[0] in ("bare", "string"):
            kind, text = self._peek()
            self._next += 1
            keys.append(_unquote(text) if kind == "string" else text)
            if not self._take("mark", "."):
                break
        return keys

    def _note(self, path: Path, line: int) -> None:
        for length in range(1, len(path)):
            self.lines.setdefault(path[:length], line)
        self.lines[path] = line

    def _take(self, kind: str, text: str | None = None) -> bool:
        if self._peek()[0] == kind and text in (None, self._peek()[1]):
            self._next += 1
            return True
        return False

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next][:2] if self._next < len(self._tokens) else _END

    def _line(self) -> int:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else self._last


def _unquote(key: str) -> str:
    return str(next(iter(tomllib.loads(f"{key} = 0"))))
