"""API tokens for machines: made once and shown once, listed, revoked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from triage.access import FOREVER, Access, Drawer, Identity, Kind, Scope, digest, new_secret
from triage.errors import Refused

#: How a token is named: it stands in the audit and in logs.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: How every token begins, so that people and scanners of leaked secrets know it.
PREFIX: Final = "triage_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What is known of a token; not the token."""

    name: str
    scopes: frozenset[Scope]
    teams: frozenset[str] | None
    created: datetime
    until: datetime


def create(
    store: Access,
    name: str,
    scopes: frozenset[Scope],
    *,
    now: datetime,
    teams: frozenset[str] | None = None,
    until: datetime = FOREVER,
) -> str:
    """Make a token and give it: nobody can show it again. Raises Refused."""
    if not NAME.fullmatch(name):
        raise Refused("de naam van een token: letters, cijfers, . _ en -, hooguit 64")
    if not scopes:
        raise Refused(f"geef minstens één recht: {', '.join(Scope)}")
    if any(token.name == name for token in listed(store, now=now)):
        raise Refused(f"er is al een token {name}; trek dat eerst in")
    token = PREFIX + new_secret()
    value = {
        "name": name,
        "scopes": sorted(scopes),
        "teams": None if teams is None else sorted(teams),
        "created": now.isoformat(),
        "until": until.isoformat(),
    }
    store.put(Drawer.TOKEN, digest(token), value, until=until)
    return token


def listed(store: Access, *, now: datetime) -> Sequence[ApiToken]:
    """Give the tokens that are valid, by name."""
    found = (_read(value) for _, value in store.all(Drawer.TOKEN, now=now))
    return sorted(found, key=lambda token: token.name)


def revoke(store: Access, name: str, *, now: datetime) -> bool:
    """End a token: the next request with it is refused. False: there is none of that name."""
    ended = [
        store.take(Drawer.TOKEN, key, now=now)
        for key, value in store.all(Drawer.TOKEN, now=now)
        if value["name"] == name
    ]
    return any(value is not None for value in ended)


def holder(
    store: Access, token: str, *, now: datetime, posts_per_minute: int = 0
) -> Identity | None:
    """Give who a token belongs to; None: it is not, or no longer, valid."""
    if not token.startswith(PREFIX):
        return None
    value = store.get(Drawer.TOKEN, digest(token), now=now)
    if value is None:
        return None
    found = _read(value)
    return Identity(
        subject=f"token:{found.name}",
        name=found.name,
        kind=Kind.MACHINE,
        granted=found.scopes,
        teams=found.teams,
        posts_per_minute=posts_per_minute,
    )


def _read(value: Mapping[str, Any]) -> ApiToken:
    teams = value["teams"]
    return ApiToken(
        name=value["name"],
        scopes=frozenset(map(Scope, value["scopes"])),
        teams=None if teams is None else frozenset(teams),
        created=datetime.fromisoformat(value["created"]),
        until=datetime.fromisoformat(value["until"]),
    )
