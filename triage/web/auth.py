"""Machines that call: by a token (``Authorization: Bearer``), or by signing what they send.

Tokens come from ``triage token create`` and, as before there was that, from files; sources, which
may only send posts, from a file. All become an :class:`triage.access.Identity` with scopes.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
from typing import Final

from fastapi import Request

from triage.access import Identity, Kind, Scope, tokens
from triage.web.background import clock
from triage.web.config import Source, WebConfig
from triage.web.limits import Buckets
from triage.web.problems import Problem
from triage.web.state import service_of

#: How far a signature's time may be off, in seconds.
SIGNATURE_SECONDS: Final = 300
#: Wrong credentials a minute from one address before it has to wait.
FAILURES_PER_MINUTE: Final = 60
_TIMESTAMP: Final = re.compile(r"\d{1,12}")
_SIGNATURE: Final = re.compile("sha256=([0-9a-fA-F]{64})")
CHALLENGE: Final = 'Bearer realm="triage"'


async def machine(request: Request) -> Identity | None:
    """Tell who shows a token; None: nobody shows one. Raises Problem 401 and 429."""
    token = _token(request)
    if token is None:
        return None
    service = service_of(request)
    config = service.config
    found = _holder(config, token) or await service.pools.desk(
        tokens.holder,
        service.access,
        token,
        now=clock(),
        posts_per_minute=config.posts_per_minute,
    )
    if found is None:
        raise refused(request, service.buckets)
    wait = service.buckets.take(found.subject, config.requests_per_minute, now=time.monotonic())
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


def check_signature(request: Request, source: Source, body: bytes) -> Identity:
    """Give the source when it signed the body. Raises Problem 401."""
    given = _SIGNATURE.fullmatch(request.headers.get("x-triage-signature", ""))
    stamp = request.headers.get("x-triage-timestamp", "")
    expected = signature(source.hmac_secret, stamp, body)
    if not given or not hmac.compare_digest(given[1].lower(), expected):
        raise refused(request, service_of(request).buckets)
    found = _source(source)
    request.state.caller = found.subject
    return found


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Sign a body: HMAC-SHA256 over the time, a dot and the body, in hex."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def refused(request: Request, buckets: Buckets) -> Problem:
    """Give the answer to wrong credentials; without saying what is wrong with them."""
    address = request.client.host if request.client else ""
    wait = buckets.take(f"fout:{address}", FAILURES_PER_MINUTE, now=time.monotonic())
    if wait:
        return slow_down(wait)
    return Problem(401, "credentials", headers={"WWW-Authenticate": CHALLENGE})


def slow_down(wait: float) -> Problem:
    """Say how long to wait."""
    seconds = max(1, math.ceil(wait))
    headers = {"Retry-After": str(seconds)}
    return Problem(429, "slow", values={"seconds": seconds}, headers=headers)


def _token(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _holder(config: WebConfig, token: str) -> Identity | None:
    """Find whose token of a file it is; looks at all of them, so that time tells nothing."""
    sha256 = hashlib.sha256(token.encode(errors="replace")).hexdigest()
    found: Identity | None = None
    for one in config.tokens:
        if hmac.compare_digest(one.sha256, sha256):
            found = Identity(
                subject=f"token:{one.name}",
                name=one.name,
                kind=Kind.MACHINE,
                granted=one.scopes,
                teams=one.teams,
                posts_per_minute=config.posts_per_minute,
            )
    for source in config.sources.values():
        if source.sha256 and hmac.compare_digest(source.sha256, sha256):
            found = _source(source)
    return found


def _source(source: Source) -> Identity:
    return Identity(
        subject=f"bron:{source.name}",
        name=source.name,
        kind=Kind.MACHINE,
        granted=frozenset({Scope.POSTS_WRITE}),
        posts_per_minute=source.rate_per_minute,
    )
