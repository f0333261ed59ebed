"""What holds for every request, before and after everything else.

Bodies are counted as they come in, answers get their security headers, an error that nobody
expected is told by its kind and place only, and each answer is counted.
"""

from __future__ import annotations

import asyncio
import traceback
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.metrics import Metrics
from triage.web.config import BODY_LIMIT, WebConfig, is_loopback
from triage.web.problems import Problem

_log = structlog.get_logger()

#: Where posts come in; the largest bodies are theirs.
POSTS_PATH: Final = "/api/v1/posts"
#: How long a body may take to come in, in seconds.
BODY_SECONDS: Final = 30.0
#: Asked by machines that know us by address: of no use to a browser.
_PROBES: Final = frozenset({"/healthz", "/readyz"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, config: WebConfig, metrics: Metrics) -> None:
        self._app = app
        self._config = config
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _secure(MutableHeaders(scope=message))
            await send(message)

        limit = self._config.posts_limit if scope["path"] == POSTS_PATH else BODY_LIMIT
        try:
            problem = self._refusal(scope, limit)
            if problem is None:
                await self._app(scope, _bounded(receive, limit), sending)
            else:
                await problem.response()(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - its text may be a citizen's: no trace, no re-raise
            _log.error("request_failed", kind=type(error).__name__, place=_place(error))
            if not status:
                await Problem(500, "dit is gemeld").response()(scope, receive, sending)
        finally:
            self._metrics.http_request(_template(scope), status or 499)

    def _refusal(self, scope: Scope, limit: int) -> Problem | None:
        headers = Headers(scope=scope)
        if self._config.open_on_loopback and scope["path"] not in _PROBES:
            # Anyone on this machine may do all, so a page from elsewhere in a browser on this
            # machine may do nothing: not by its own name for our address, not across sites.
            if not is_loopback(_without_port(headers.get("host", ""))):
                return Problem(403, "alleen bereikbaar als localhost")
            if scope["method"] not in _SAFE and _from_elsewhere(headers):
                return Problem(403, "verzoek van een andere site")
        if scope["method"] in _SAFE:
            return None
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            return too_large(limit)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return Problem(415, "Content-Type: application/json")
        return None


def too_large(limit: int) -> Problem:
    """Give the 413 of a body over its limit; the rest of it is not read."""
    return Problem(413, f"hooguit {limit} bytes", headers={"Connection": "close"})


def _bounded(receive: Receive, limit: int) -> Receive:
    """Count a body as it comes in, and give it a time."""
    size = 0
    whole = False
    deadline = asyncio.get_running_loop().time() + BODY_SECONDS

    async def bounded() -> Message:
        nonlocal size, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise Problem(408, headers={"Connection": "close"}) from None
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > limit:
            raise too_large(limit)
        return message

    return bounded


def _secure(headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0]
    return host.partition(":")[0]


def _from_elsewhere(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin != f"http://{headers.get('host', '')}"


def _template(scope: Scope) -> str | None:
    route: Any = scope.get("route")
    return getattr(route, "path", None)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
