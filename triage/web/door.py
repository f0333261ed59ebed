"""The outermost layer of our own: what may come in, and what every answer carries.

Pure ASGI, so that streams stay streams. Here an unexpected error ends in an answer and in a log
line that names its kind and place, never its text: that may be a citizen's.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.metrics import Metrics
from triage.web.ingest import read_body
from triage.web.origin import check_origin
from triage.web.problems import Problem, answer

_log = structlog.get_logger()

#: The largest body of any request but those that bring posts, in bytes: five hundred tickets to
#: put together fit, however long the organisation's name.
SMALL_BODY: Final = 32 * 1024
#: Where bodies are read by the route itself, with a limit of its own.
POSTS_PATH: Final = "/api/v1/posts"

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


class Door:
    """Wraps the app: origin, kind and size of what comes in; headers, counts and log of answers."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message)
            await send(message)

        try:
            await self._enter(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = status or _GONE
        except Exception as error:  # noqa: BLE001 - the last place where it can be told
            _log.error("request_failed", kind=type(error).__name__, at=_place(error))
            if not status:
                problem = Problem(500, "broken")
                await answer(Request(scope), problem)(scope, receive, send_with_headers)
        finally:
            self._note(scope, status, time.perf_counter() - start)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            check_origin(scope, headers)
            if scope["method"] in _WITH_BODY:
                _check_kind(headers, form=not scope["path"].startswith("/api/"))
                if scope["path"] != POSTS_PATH:
                    receive = await _read_ahead(scope, receive)
        except Problem as problem:
            await answer(Request(scope), problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", None)
        self._metrics.http_request(path, status or _GONE)
        quiet = scope["method"] not in _WITH_BODY and status < _ERROR
        note = _log.debug if quiet else _log.info
        note(
            "request",
            method=scope["method"] if scope["method"] in _METHODS else "other",
            route=path,
            status=status or _GONE,
            ms=round(seconds * 1000, 1),
            caller=scope.get("state", {}).get("caller"),
        )


_JSON: Final = frozenset({"application/json"})
_ERROR: Final = 400
#: What is noted where nobody was left to answer.
_GONE: Final = 499
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_METHODS: Final = _WITH_BODY | {"GET", "HEAD", "OPTIONS"}


def _add_headers(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)


def _check_kind(headers: Headers, *, form: bool) -> None:
    """Refuse a body that is not JSON in UTF-8, or on a page a form. Raises Problem 415."""
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    kind, _, rest = headers.get("content-type", "").partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    kinds = {"application/json", "application/x-www-form-urlencoded"} if form else _JSON
    if kind.strip().lower() not in kinds or charset not in {"", "utf-8", "utf8"}:
        raise Problem(415, "no-utf8-json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "compressed")


async def _read_ahead(scope: Scope, receive: Receive) -> Receive:
    """Read a small body before anything else happens, and hand it on. Raises Problem."""
    body = await read_body(Request(scope, receive), SMALL_BODY)
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _place(error: BaseException) -> str:
    """Give where it was raised: file and line, no text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
