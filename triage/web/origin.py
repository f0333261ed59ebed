"""Which requests may come in at all: no other web site may act through somebody's browser."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from triage.web.config import is_loopback
from triage.web.problems import Problem

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def check_origin(scope: Scope, headers: Headers, *, is_open: bool) -> None:
    """Refuse what another site sends through a browser. Raises Problem 403.

    ``is_open``: no credentials are asked for, so a request must come from this machine and name
    it: a foreign host name that points to 127.0.0.1 (DNS rebinding) is refused, and so is what a
    proxy hands on.
    """
    if is_open:
        client = scope.get("client")
        if client is None or not is_loopback(client[0]):
            raise Problem(403, "zonder tokens alleen vanaf deze machine")
        if not is_loopback(_hostname(headers.get("host", ""))):
            raise Problem(403, "zonder tokens alleen onder de naam localhost of 127.0.0.1")
        if any(name in headers for name in _FORWARDED):
            raise Problem(403, "zonder tokens niet achter een proxy")
    if scope["method"] in _SAFE:
        return
    site = headers.get("sec-fetch-site", "none")
    if site not in {"same-origin", "none"}:
        raise Problem(403, "een andere website mag hier niets doen")
    origin = headers.get("origin")
    if origin is not None and _netloc(origin) != headers.get("host", "").lower():
        raise Problem(403, "een andere website mag hier niets doen")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
