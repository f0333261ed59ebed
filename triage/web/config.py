"""How the web part is set up: plain values, filled by ``settings``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from triage.errors import Refused

_DIGEST: Final = re.compile("[0-9a-f]{64}")
#: How a source or token is named: it stands in logs.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: The shortest secret of a signature, in bytes.
SECRET_BYTES: Final = 16


class Scope(StrEnum):
    """What a caller may do."""

    #: See queues, tickets and events.
    READ = "read"
    #: Claim, resolve, correct, reassign and escalate.
    ACT = "act"
    #: Send posts.
    INGEST = "ingest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token of the API, known by its digest only."""

    name: str
    #: SHA-256 of the token, in hex.
    sha256: str = field(repr=False)
    scopes: frozenset[Scope]

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
class WebConfig:
    """Everything that the web part needs to know of its deployment."""

    #: The organisation of requests that name none.
    default_org: str
    tokens: tuple[Token, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    #: Serve anyone on this machine while no tokens are set; only ever True on a loopback address.
    open_on_loopback: bool = False
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
    #: Where its bearer token stands; None: it asks for none.
    signalen_token_file: Path | None = None
    #: Where what goes to Signalen waits, on disk.
    outbox: Path | None = None
    #: How long resolved tickets stay in the store, in seconds.
    retention_seconds: float = 7 * 86_400.0
    #: Where the processes of this deployment write their figures; None: those of this process.
    metrics_dir: Path | None = None

    @property
    def open(self) -> bool:
        """Whether callers need no credentials."""
        return self.open_on_loopback and not self.tokens


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
    if is_loopback(host):
        return
    if not config.tokens and not config.sources:
        raise Refused(
            f"{host} is voor anderen bereikbaar: stel tokens of bronnen in "
            "(TRIAGE_API_TOKENS_FILE, TRIAGE_SOURCES_FILE) of luister op 127.0.0.1"
        )
    if config.open:
        raise Refused(f"{host} is voor anderen bereikbaar: zonder tokens staat de dienst open")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused("de naam van een token of bron bestaat uit letters, cijfers, . _ en -")


def _check_digest(name: str, digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise Refused(f"{name}: sha256 is geen SHA-256 in 64 kleine hexadecimale tekens")
