"""Who calls, and what they may do.

A caller shows a token (``Authorization: Bearer``, or in a browser as the password of ``Basic``), a
source shows its token or signs the body. On a loopback address without tokens set up, whoever is on
this machine may do all (:mod:`triage.web.origin` keeps other web sites out).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from triage.web.config import Scope, Source, WebConfig
from triage.web.limits import Buckets
from triage.web.problems import Problem
from triage.web.state import service_of

#: How far a signature's time may be off, in seconds.
SIGNATURE_SECONDS: Final = 300
#: Wrong credentials a minute from one address before it has to wait.
FAILURES_PER_MINUTE: Final = 60
_TIMESTAMP: Final = re.compile(r"\d{1,12}")
_SIGNATURE: Final = re.compile("sha256=([0-9a-fA-F]{64})")
_ALL: Final = frozenset(Scope)
_CHALLENGE: Final = 'Bearer realm="triage", Basic realm="triage", charset="UTF-8"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls."""

    #: Stands in logs and names the caller's requests; no secret.
    name: str
    scopes: frozenset[Scope]
    #: Posts a minute; 0: no limit.
    posts_per_minute: int = 0


ANYONE: Final = Caller(name="deze-machine", scopes=_ALL)


def needs(scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
    """Give a dependency that lets in callers with a scope."""

    async def caller(request: Request) -> Caller:
        found = identify(request)
        if scope not in found.scopes:
            raise Problem(403, f"hiervoor is het recht '{scope}' nodig")
        return found

    return caller


def identify(request: Request) -> Caller:
    """Tell who calls, by the headers alone. Raises Problem 401 and 429."""
    service = service_of(request)
    config, buckets = service.config, service.buckets
    token = _token(request)
    if token is None:
        if config.open:
            return ANYONE
        raise Problem(401, "dit vraagt om een token", headers={"WWW-Authenticate": _CHALLENGE})
    found = _holder(config, token)
    if found is None:
        raise refused(request, buckets)
    request.state.caller = found.name
    wait = buckets.take(f"token:{found.name}", config.requests_per_minute, now=time.monotonic())
    if wait:
        raise slow_down(wait)
    return found


def signed_by(request: Request) -> Source | None:
    """Give the source that says it signed this; None: it uses a token. Raises Problem 401."""
    name = request.headers.get("x-triage-source")
    if name is None:
        return None
    service = service_of(request)
    source = service.config.sources.get(name)
    if source is None or not source.hmac_secret:
        raise refused(request, service.buckets)
    stamp = request.headers.get("x-triage-timestamp", "")
    if not _TIMESTAMP.fullmatch(stamp) or abs(time.time() - int(stamp)) > SIGNATURE_SECONDS:
        raise refused(request, service.buckets)
    return source


def check_signature(request: Request, source: Source, body: bytes) -> Caller:
    """Give the caller when the body is signed with the source's secret. Raises Problem 401."""
    given = _SIGNATURE.fullmatch(request.headers.get("x-triage-signature", ""))
    stamp = request.headers.get("x-triage-timestamp", "")
    expected = signature(source.hmac_secret, stamp, body)
    if not given or not hmac.compare_digest(given[1].lower(), expected):
        raise refused(request, service_of(request).buckets)
    request.state.caller = source.name
    return _caller(source)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Sign a body: HMAC-SHA256 over the time, a dot and the body, in hex."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def refused(request: Request, buckets: Buckets) -> Problem:
    """Give the answer to wrong credentials; without saying what is wrong with them."""
    address = request.client.host if request.client else ""
    wait = buckets.take(f"fout:{address}", FAILURES_PER_MINUTE, now=time.monotonic())
    if wait:
        return slow_down(wait)
    detail = "deze aanmelding klopt niet (token, bron, tijd of handtekening)"
    return Problem(401, detail, headers={"WWW-Authenticate": _CHALLENGE})


def slow_down(wait: float) -> Problem:
    """Say how long to wait."""
    seconds = max(1, math.ceil(wait))
    headers = {"Retry-After": str(seconds)}
    return Problem(
        429, f"te veel in korte tijd; probeer het over {seconds} s weer", headers=headers
    )


def _token(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _holder(config: WebConfig, token: str) -> Caller | None:
    """Find whose token it is; looks at all of them, so that time tells nothing."""
    digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
    found: Caller | None = None
    for one in config.tokens:
        if hmac.compare_digest(one.sha256, digest):
            found = Caller(
                name=one.name, scopes=one.scopes, posts_per_minute=config.posts_per_minute
            )
    for source in config.sources.values():
        if source.sha256 and hmac.compare_digest(source.sha256, digest):
            found = _caller(source)
    return found


def _caller(source: Source) -> Caller:
    return Caller(
        name=source.name,
        scopes=frozenset({Scope.INGEST}),
        posts_per_minute=source.rate_per_minute,
    )
