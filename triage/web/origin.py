"""Which requests may come in at all: no other web site may act through somebody's browser."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from triage.web.problems import Problem

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what another site sends through a browser. Raises Problem 403.

    The first of two locks: what comes with a session also needs its CSRF token
    (:mod:`triage.web.sessions`).
    """
    if scope["method"] in _SAFE:
        return
    site = headers.get("sec-fetch-site", "none")
    if site not in {"same-origin", "none"}:
        raise Problem(403, "other-site")
    origin = headers.get("origin")
    if origin is not None and _netloc(origin) != headers.get("host", "").lower():
        raise Problem(403, "other-site")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
