"""Who is asking, for routes and pages: the one way in.

==========================  =====================================================================
``SignedIn``                as a parameter of a route: the identity; 401 or the sign-in page without
``requires(Role.X)``        a dependency: a person with that role or one above it, else 403
``needs(Scope.X)``          a dependency: whoever has that scope, person or machine, else 403
``check_team(...)``         403 for who may not work for a team; call it before showing a ticket
``audit`` (triage.web.audit)  writes who saw or did what, before the answer
``page_context(request)``   ``me`` and ``csrf`` for every template
==========================  =====================================================================

A change that comes with a session must show its CSRF token: the form field ``csrf`` or the header
``X-CSRF-Token``. A request with a token in ``Authorization`` never uses the cookie.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from triage.access import Identity, Kind, Role, Scope
from triage.web import sessions
from triage.web.auth import CHALLENGE, machine
from triage.web.problems import Problem, wrong

__all__ = [
    "Identity",
    "Kind",
    "Role",
    "Scope",
    "SignedIn",
    "acting",
    "check_team",
    "needs",
    "page_context",
    "requires",
    "signed_in",
    "still_signed_in",
]


async def signed_in(request: Request) -> Identity:
    """Give who is asking. Raises Problem 401, 403 (no CSRF token) and 429."""
    known: Identity | None = getattr(request.state, "identity", None)
    if known is not None:
        return known
    found = await machine(request) or await _person(request)
    if found is None:
        raise Problem(401, "sign-in", headers={"WWW-Authenticate": CHALLENGE})
    request.state.identity = found
    # What stands in our log: a person's subject may be an address.
    request.state.caller = found.subject if found.kind is Kind.MACHINE else found.kind.value
    return found


async def _person(request: Request) -> Identity | None:
    session = await sessions.find(request)
    if session is None:
        return None
    await sessions.check_csrf(request, session)
    request.state.session = session
    return session.identity


async def still_signed_in(request: Request) -> bool:
    """Tell whether what a request came in with still stands: a stream outlives its request."""
    session: sessions.Session | None = getattr(request.state, "session", None)
    if session is not None:
        return await sessions.lives(request, session.key)
    try:
        return await machine(request) is not None
    except Problem:
        return False


#: As a parameter of a route.
SignedIn = Annotated[Identity, Depends(signed_in)]


def requires(role: Role) -> Callable[[Request], Awaitable[Identity]]:
    """Give a dependency that lets in people with a role, or one above it."""

    async def person(request: Request) -> Identity:
        found = await signed_in(request)
        if not found.has(role):
            raise Problem(403, "role", values={"role": role.value})
        return found

    return person


def needs(scope: Scope) -> Callable[[Request], Awaitable[Identity]]:
    """Give a dependency that lets in who has a scope: by a role, or by a token."""

    async def holder(request: Request) -> Identity:
        found = await signed_in(request)
        if scope not in found.scopes:
            raise Problem(403, "right", values={"right": scope.value})
        return found

    return holder


def check_team(identity: Identity, org: str, team: str) -> None:
    """Refuse who may not work for a team. Raises Problem 403."""
    if not identity.may_work(org, team):
        raise Problem(403, "team")


def acting(identity: Identity, named: str | None) -> str:
    """Give the name under which something is done: people act as themselves, programs for others.

    Raises Problem 422 for a program that does not say for whom.
    """
    if identity.kind is not Kind.MACHINE:
        return identity.name
    if named is None:
        raise wrong("owner", "ontbreekt")
    return named


def page_context(request: Request) -> dict[str, Any]:
    """Give what every template may show: ``me`` (None: nobody signed in) and ``csrf``."""
    session: sessions.Session | None = getattr(request.state, "session", None)
    return {
        "me": getattr(request.state, "identity", None),
        "csrf": session.csrf if session else "",
    }
