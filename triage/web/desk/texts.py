"""All words that people see on the pages, in one catalogue: ``texts.toml``, Dutch and English."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request

#: The languages of the catalogue, in its order; the first is the one for who chose none.
LANGUAGES: Final = ("nl", "en")
#: The cookie in which a browser keeps the language that was chosen.
LANGUAGE_COOKIE: Final = "taal"


class Texts:
    """The catalogue in one language."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """Give a text with its values filled in; a key that is not there is a mistake of ours."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def of(self, group: str, key: str) -> str:
        """Give a text that data names (a topic, an outcome); the key itself where there is none."""
        return self._texts.get(f"{group}.{key}") or key.replace("-", " ")

    def group(self, name: str) -> dict[str, str]:
        """Give the texts of one group by their last part, in the order of the catalogue."""
        start = f"{name}."
        return {
            key.removeprefix(start): text
            for key, text in self._texts.items()
            if key.startswith(start)
        }


@cache
def texts(language: str) -> Texts:
    """Give the catalogue in a language; in Dutch where we don't have it."""
    place = LANGUAGES.index(language) if language in LANGUAGES else 0
    return Texts(LANGUAGES[place], {key: both[place] for key, both in _entries(_catalogue(), "")})


def spoken(request: Request) -> Texts:
    """Give the catalogue in the language of who asks: as chosen in a browser, Dutch to programs."""
    programs = "authorization" in request.headers
    return texts("" if programs else request.cookies.get(LANGUAGE_COOKIE, ""))


#: Where somebody who is not signed in chooses a language.
LANGUAGE_PATH: Final = "/aanmelden/taal"


def other_language(request: Request, here: str = "/") -> str:
    """Give the address that goes on to a page of ours in the other language."""
    other = next(one for one in LANGUAGES if one != spoken(request).language)
    return f"{LANGUAGE_PATH}?{urlencode({'taal': other, 'next': here})}"


@cache
def _catalogue() -> dict[str, Any]:
    with Path(__file__).with_name("texts.toml").open("rb") as file:
        return tomllib.load(file)


def _entries(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
