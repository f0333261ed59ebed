"""How the web part is set up: plain values, filled by ``settings``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from triage.access import Role, Scope
from triage.errors import Refused

_DIGEST: Final = re.compile("[0-9a-f]{64}")
#: How a source or token is named: it stands in logs.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: The shortest secret of a signature, in bytes.
SECRET_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token of the API, known by its digest only."""

    name: str
    #: SHA-256 of the token, in hex.
    sha256: str = field(repr=False)
    scopes: frozenset[Scope]
    #: ``team`` or ``org/team``; None: all.
    teams: frozenset[str] | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_digest(self.name, self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who may send posts: with a token of its own, or by signing them with a secret."""

    name: str
    #: SHA-256 of the token, in hex; empty: it signs.
    sha256: str = field(default="", repr=False)
    #: The shared secret of HMAC-SHA256; empty: it uses a token.
    hmac_secret: bytes = field(default=b"", repr=False)
    #: Posts a minute; 0: no limit.
    rate_per_minute: int = 6_000

    def __post_init__(self) -> None:
        _check_name(self.name)
        if bool(self.sha256) == bool(self.hmac_secret):
            raise Refused(f"bron {self.name}: geef sha256 of hmac_secret, een van beide")
        if self.sha256:
            _check_digest(self.name, self.sha256)
        elif len(self.hmac_secret) < SECRET_BYTES:
            raise Refused(f"bron {self.name}: hmac_secret is korter dan {SECRET_BYTES} bytes")
        if self.rate_per_minute < 0:
            raise Refused(f"bron {self.name}: rate_per_minute is kleiner dan 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The organisation's OpenID provider, and how its claims become roles and teams."""

    #: Exactly as its tokens name it.
    issuer: str
    client_id: str
    #: Empty: a public client, by PKCE alone.
    client_secret: str = field(default="", repr=False)
    scope: str = "openid profile"
    #: Where roles stand in the ID token; dots go into objects (``realm_access.roles``).
    roles_claim: str = "roles"
    #: A value of that claim to a role; the roles' own names always count.
    role_map: Mapping[str, Role] = field(default_factory=dict)
    #: Where teams stand; empty: everybody works for all teams.
    teams_claim: str = ""
    #: A value of that claim to ``team`` or ``org/team``; without: the value itself.
    team_map: Mapping[str, str] = field(default_factory=dict)
    name_claim: str = "name"

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        safe = parts.scheme == "https" or is_loopback(parts.hostname or "")
        if not safe or not parts.hostname or parts.query or parts.fragment:
            raise Refused("TRIAGE_OIDC_ISSUER: een adres dat met https:// begint")
        if not self.client_id:
            raise Refused("TRIAGE_OIDC_CLIENT_ID: ontbreekt")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """Everything that the web part needs to know of its deployment."""

    #: The organisation of requests that name none.
    default_org: str
    tokens: tuple[Token, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    #: Where people sign in; None: only with one-time links, where those are allowed.
    provider: Provider | None = None
    #: Whether a one-time link of ``triage link`` signs in.
    local_account: bool = False
    #: How browsers reach us: ``https://triage.example.nl``; empty where that is loopback.
    public_url: str = ""
    #: How long a session lasts without requests of its owner, and at most, in seconds.
    session_idle_seconds: float = 3600.0
    session_seconds: float = 10 * 3600.0
    #: Ask for a token with the scope ``metrics:read`` on ``/metrics``.
    guard_metrics: bool = False
    #: How long the record is kept, in seconds.
    audit_seconds: float = 400 * 86_400.0
    #: The largest body of ``POST /api/v1/posts``, in bytes.
    body_limit: int = 8 * 1024 * 1024
    #: The most posts in one list.
    list_limit: int = 1000
    #: Requests a minute of one token; of callers on this machine there is no limit. 0: none.
    requests_per_minute: int = 6_000
    #: Posts a minute of one token with the scope ``ingest``; 0: no limit.
    posts_per_minute: int = 60_000
    #: How long a claim lasts that names no time, in seconds.
    lease_seconds: float = 300.0
    #: A TOML file of canned answers; None: ours.
    answers_file: Path | None = None
    #: A style sheet of the organisation's own tokens, after ours; None: none.
    tokens_css: Path | None = None
    #: The address of a Signalen API, without a path; empty: none.
    signalen_url: str = ""
    #: Its bearer token; empty: it asks for none.
    signalen_token: str = field(default="", repr=False)
    #: The data folder, and where models are (None: in it); None: the desk shows no labels.
    data: Path | None = None
    models: Path | None = None
    #: How long resolved tickets stay in the store, in seconds.
    retention_seconds: float = 7 * 86_400.0
    #: Where the processes of this deployment write their figures; None: those of this process.
    metrics_dir: Path | None = None

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over TLS: cookies are then for TLS only."""
        return self.public_url.startswith("https://")


def is_loopback(host: str) -> bool:
    """Say whether an address (or ``localhost``) is reachable from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("")
    (True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(config: WebConfig, host: str) -> None:
    """Refuse to listen to a network without knowing who may come in. Raises Refused."""
    if config.public_url and not config.secure and not is_loopback(_hostname(config.public_url)):
        raise Refused("TRIAGE_PUBLIC_URL: begint met https:// (http alleen voor localhost)")
    if config.provider and not config.public_url:
        raise Refused("TRIAGE_OIDC_ISSUER vraagt om TRIAGE_PUBLIC_URL: het adres voor browsers")
    if is_loopback(host) or config.provider or config.tokens or config.local_account:
        return
    raise Refused(
        f"{host} is bereikbaar voor anderen en er is geen aanmelding ingesteld: "
        "zet TRIAGE_OIDC_ISSUER en TRIAGE_OIDC_CLIENT_ID (mensen) of TRIAGE_API_TOKENS_FILE "
        "(programma's), of luister op 127.0.0.1"
    )


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused("de naam van een token of bron bestaat uit letters, cijfers, . _ en -")


def _check_digest(name: str, digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise Refused(f"{name}: sha256 is geen SHA-256 in 64 kleine hexadecimale tekens")
