"""Sessions of people: a random id in a cookie, everything else in the store.

The store knows the id by its digest. Signing in always makes a new id (fixation), ending a session
removes it from the store (revocation), and each has two ends: without requests, and at most.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import Request, Response

from triage.access import Access, Drawer, Identity, digest, new_secret
from triage.web.background import clock
from triage.web.config import WebConfig
from triage.web.problems import Problem
from triage.web.state import service_of

#: How long a session may look idle before its store is told of a request, in seconds.
TOUCH_SECONDS: Final = 60
#: Sent by a page that refreshes itself: nobody is at the keyboard, so it keeps no session alive.
AUTOMATIC: Final = "x-triage-auto"
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A person who is signed in."""

    identity: Identity
    #: What each request that changes something must show besides the cookie.
    csrf: str
    #: The digest of the id.
    key: str
    #: The end, whatever happens.
    until: datetime
    #: When its owner last asked for something; up to a minute behind.
    seen: datetime

    def value(self) -> dict[str, Any]:
        """Give what the store keeps."""
        return {
            "identity": self.identity.to_mapping(),
            "csrf": self.csrf,
            "until": self.until.isoformat(),
            "seen": self.seen.isoformat(),
        }


async def start(request: Request, response: Response, identity: Identity) -> Session:
    """Sign somebody in: a new session in the store and its cookie; one that was there ends."""
    service = service_of(request)
    config, now, secret = service.config, clock(), new_secret()
    await end(request, response)
    session = Session(
        identity=identity,
        csrf=new_secret(),
        key=digest(secret),
        until=now + timedelta(seconds=config.session_seconds),
        seen=now,
    )
    value, until = session.value(), _end(config, session)
    await service.pools.desk(service.access.put, Drawer.SESSION, session.key, value, until=until)
    set_cookie(config, response, cookie_name(config), secret)
    return session


async def end(request: Request, response: Response) -> None:
    """End the session that a request came with, here and in the store."""
    service = service_of(request)
    name = cookie_name(service.config)
    if secret := request.cookies.get(name):
        await service.pools.desk(service.access.take, Drawer.SESSION, digest(secret), now=clock())
        drop_cookie(service.config, response, name)


async def find(request: Request) -> Session | None:
    """Give the session of a request; None: there is none, or not any more."""
    service = service_of(request)
    secret = request.cookies.get(cookie_name(service.config))
    if not secret:
        return None
    now = clock()
    session = await service.pools.desk(_read, service.access, digest(secret), now)
    if session is None:
        return None
    idle = (now - session.seen).total_seconds()
    if idle > TOUCH_SECONDS and AUTOMATIC not in request.headers:
        session = replace(session, seen=now)
        value, end = session.value(), _end(service.config, session)
        # Renewed, not put: one that is ended at this very moment must not come back.
        await service.pools.desk(
            service.access.renew, Drawer.SESSION, session.key, value, until=end
        )
    return session


async def lives(request: Request, key: str) -> bool:
    """Tell whether a session still stands."""
    service = service_of(request)
    return await service.pools.desk(_read, service.access, key, clock()) is not None


async def check_csrf(request: Request, session: Session) -> None:
    """Refuse a change that does not show the session's token. Raises Problem 403."""
    if request.method in _SAFE:
        return
    shown = request.headers.get(CSRF_HEADER) or (await form_of(request)).get(CSRF_FIELD, "")
    if not hmac.compare_digest(shown.encode(), session.csrf.encode()):
        raise Problem(403, "old-page")


async def form_of(request: Request) -> dict[str, str]:
    """Give the fields of a form, the last of each name; empty where the body is no form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return {}
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=100)
    except ValueError:
        raise Problem(400, "unreadable") from None
    return {name: values[-1] for name, values in fields.items()}


# -- cookies -------------------------------------------------------------------------------------


def cookie_name(config: WebConfig, use: str = "sessie") -> str:
    """Name a cookie; the prefix makes browsers keep it to this host, over TLS."""
    return f"{'__Host-' if config.secure else ''}triage-{use}"


def set_cookie(
    config: WebConfig, response: Response, name: str, value: str, *, seconds: int | None = None
) -> None:
    """Set a cookie that no script reads and no other site sends along with a change.

    Lax, not strict: the way back from the provider comes from another site.
    """
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=config.secure, httponly=True, samesite="lax"
    )


def drop_cookie(config: WebConfig, response: Response, name: str) -> None:
    """Take a cookie away."""
    response.delete_cookie(name, path="/", secure=config.secure, httponly=True, samesite="lax")


# -- the store -----------------------------------------------------------------------------------


def _read(store: Access, key: str, now: datetime) -> Session | None:
    value = store.get(Drawer.SESSION, key, now=now)
    if value is None:
        return None
    return Session(
        identity=Identity.from_mapping(value["identity"]),
        csrf=value["csrf"],
        key=key,
        until=datetime.fromisoformat(value["until"]),
        seen=datetime.fromisoformat(value["seen"]),
    )


def _end(config: WebConfig, session: Session) -> datetime:
    idle = session.seen + timedelta(seconds=config.session_idle_seconds)
    return min(idle, session.until)
