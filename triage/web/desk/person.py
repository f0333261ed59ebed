"""Who works at the screen: the one place where pages learn it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastapi import Request

#: Who works on a machine where nobody signs in, and the cookie in which another name stands.
ANYONE: Final = "medewerker"
NAME_COOKIE: Final = "naam"
_NAME: Final = re.compile(r"[\w.@ -]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who looks at a page."""

    #: As it stands in claims and histories.
    name: str


def person_of(request: Request) -> Person:
    """Give who asks for a page."""
    named = request.cookies.get(NAME_COOKIE, "")
    return Person(name=named if _NAME.fullmatch(named) else ANYONE)
