"""Who may come in and what was done: people, machines, their rights, and the record of it.

One idea of rights for all: an :class:`Identity` holds scopes. A person has those of their roles, a
machine those of its token. Sessions, sign-ins under way, one-time links and API tokens are secrets;
the store knows each by its digest only. The record (audit) is append-only.

``Access`` is kept by the queue's store (``triage.access.sqlite``, ``triage.access.redis``), so all
servers of a deployment share it, and it answers whenever tickets can be read at all.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Protocol, Self


class Scope(StrEnum):
    """What an identity may do."""

    #: Send posts.
    POSTS_WRITE = "posts:write"
    #: See queues, tickets and events.
    TICKETS_READ = "tickets:read"
    #: Claim, resolve, correct, reassign and escalate.
    TICKETS_ACT = "tickets:act"
    #: Read ``/metrics`` where that asks for a token.
    METRICS_READ = "metrics:read"
    #: Get labelled exports and service levels.
    EXPORT_READ = "export:read"
    #: Read the record of who saw and did what.
    AUDIT_READ = "audit:read"


#: Names of before there were so many, as they may still stand in files of tokens.
OLD_SCOPES: Final[Mapping[str, Scope]] = {
    "ingest": Scope.POSTS_WRITE,
    "read": Scope.TICKETS_READ,
    "act": Scope.TICKETS_ACT,
}


class Role(StrEnum):
    """What a person is here, from least to most; each may do what those before it may."""

    LEZER = "lezer"
    MEDEWERKER = "medewerker"
    TEAMLEIDER = "teamleider"
    BEHEERDER = "beheerder"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return tuple(Role).index(self)


_ADDED: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.LEZER: frozenset({Scope.TICKETS_READ}),
    Role.MEDEWERKER: frozenset({Scope.TICKETS_ACT}),
    Role.TEAMLEIDER: frozenset({Scope.EXPORT_READ}),
    Role.BEHEERDER: frozenset({Scope.AUDIT_READ, Scope.METRICS_READ}),
}


class Kind(StrEnum):
    """How somebody came in."""

    PERSON = "persoon"  # signed in at the organisation's provider
    LOCAL = "lokaal"  # signed in with a one-time link
    MACHINE = "machine"  # shows a token, or signs


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is and what they may do.

    >>> lead = Identity(subject="1", name="Sam", roles=frozenset({Role.TEAMLEIDER}))
    >>> lead.has(Role.MEDEWERKER), lead.has(Role.BEHEERDER), lead.may_work("leiden", "kcc")
    (True, False, True)
    >>> one = Identity(subject="2", name="Bo", teams=frozenset({"leiden/kcc", "piket"}))
    >>> one.may_work("leiden", "kcc"), one.may_work("borne", "kcc"), one.may_work("borne", "piket")
    (True, False, True)
    """

    #: Never changes and is unique; stands in the audit, in logs and nowhere else.
    subject: str
    #: What colleagues see.
    name: str
    roles: frozenset[Role] = frozenset()
    #: ``team`` (of any organisation) or ``org/team``; None: all teams.
    teams: frozenset[str] | None = None
    kind: Kind = Kind.PERSON
    #: Of a machine; a person's come from its roles.
    granted: frozenset[Scope] = frozenset()
    #: Posts a minute; 0: no limit.
    posts_per_minute: int = 0

    @property
    def scopes(self) -> frozenset[Scope]:
        """All that it may do."""
        parts = (scopes for role, scopes in _ADDED.items() if self.has(role))
        return self.granted.union(*parts)

    def has(self, role: Role) -> bool:
        """Tell whether it has a role, or one above it."""
        return any(own.rank >= role.rank for own in self.roles)

    @property
    def role(self) -> str | None:
        """The highest role it has; None: it is a machine."""
        return max(self.roles, key=lambda role: role.rank).value if self.roles else None

    def may_work(self, org: str, team: str) -> bool:
        """Tell whether it may see and do what waits for a team."""
        return self.teams is None or team in self.teams or f"{org}/{team}" in self.teams

    def to_mapping(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        return {
            "subject": self.subject,
            "name": self.name,
            "roles": sorted(self.roles),
            "teams": None if self.teams is None else sorted(self.teams),
            "kind": self.kind.value,
            "granted": sorted(self.granted),
            "posts_per_minute": self.posts_per_minute,
        }

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_mapping`` gave."""
        teams = data["teams"]
        return cls(
            subject=data["subject"],
            name=data["name"],
            roles=frozenset(map(Role, data["roles"])),
            teams=None if teams is None else frozenset(teams),
            kind=Kind(data["kind"]),
            granted=frozenset(map(Scope, data["granted"])),
            posts_per_minute=data["posts_per_minute"],
        )


class Drawer(StrEnum):
    """What the store keeps, each kind apart; values are JSON."""

    SESSION = "session"
    #: A sign-in that was begun at the provider.
    ATTEMPT = "attempt"
    #: A one-time link of the local account.
    LINK = "link"
    TOKEN = "token"  # noqa: S105 - the name of a drawer


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did or saw what, and when; never what stood there."""

    at: datetime
    subject: str
    name: str
    kind: Kind
    #: ``ticket.claim``, ``tickets.view``, ``session.start`` …
    action: str
    #: Ids of what it was done to: tickets, a team, a token.
    targets: tuple[str, ...] = ()
    #: Its place in the record, given by the store; empty before.
    id: str = ""

    def to_mapping(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        return {
            "id": self.id,
            "at": self.at.isoformat(timespec="milliseconds"),
            "subject": self.subject,
            "name": self.name,
            "kind": self.kind.value,
            "action": self.action,
            "targets": list(self.targets),
        }

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_mapping`` gave."""
        return cls(
            id=data["id"],
            at=datetime.fromisoformat(data["at"]).astimezone(UTC),
            subject=data["subject"],
            name=data["name"],
            kind=Kind(data["kind"]),
            action=data["action"],
            targets=tuple(data["targets"]),
        )


class Access(Protocol):
    """What every store of sessions, tokens and the record can do.

    A call may raise :class:`triage.errors.Unavailable`. ``key`` is a digest, times are aware.
    What has outlived its ``until`` is not there.
    """

    def put(self, drawer: Drawer, key: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Keep a value under a new key; it is on disk on return."""
        ...

    def renew(self, drawer: Drawer, key: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Replace a value that is there; one that was taken meanwhile does not come back."""
        ...

    def get(self, drawer: Drawer, key: str, *, now: datetime) -> dict[str, Any] | None:
        """Give a value."""
        ...

    def take(self, drawer: Drawer, key: str, *, now: datetime) -> dict[str, Any] | None:
        """Give a value and forget it: of all who ask at once, one gets it."""
        ...

    def all(self, drawer: Drawer, *, now: datetime) -> Sequence[tuple[str, dict[str, Any]]]:
        """Give all keys and values of a drawer."""
        ...

    def record(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the record; on disk on return."""
        ...

    def audit(self, after: str = "", *, limit: int = 1000) -> Sequence[AuditEntry]:
        """Read the record from after an entry's id, oldest first."""
        ...

    def expire(self, *, now: datetime, audit_before: datetime) -> None:
        """Drop what has outlived its time, and entries of before a moment.

        No entry younger than thirty days is ever dropped.
        """
        ...

    def close(self) -> None:
        """Close the connections."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


#: How long an entry of the record is kept at least, in days.
AUDIT_DAYS: Final = 30
#: For what has no end of its own.
FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


def new_secret() -> str:
    """Give a secret nobody can guess: 256 random bits, safe in addresses."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Give what a secret is known by. It is random and long, so a plain SHA-256 hides it."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def audit_pages(store: Access) -> Iterator[AuditEntry]:
    """Read the whole record."""
    after = ""
    while page := store.audit(after):
        yield from page
        after = page[-1].id


def between(
    entries: Iterable[AuditEntry], since: datetime | None, until: datetime | None
) -> Iterator[AuditEntry]:
    """Give the entries from ``since`` to before ``until``."""
    for entry in entries:
        if (since is None or entry.at >= since) and (until is None or entry.at < until):
            yield entry
