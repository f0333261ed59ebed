"""From settings to the configuration of the server: tokens, sources and where figures lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from triage.cli.build import load_profiles
from triage.errors import InvalidPost, Refused
from triage.jsontext import parse_object
from triage.settings import Settings
from triage.web.config import SCOPES, Source, Token, WebConfig, is_loopback

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
#: The shortest secret to sign with, in characters.
_SECRET_LENGTH: Final = 16
_FILE_LIMIT: Final = 1024 * 1024
_DAY: Final = 86_400


def web_config(settings: Settings, figures: str | None) -> WebConfig:
    """Read how the server is set up; ``figures`` is where several processes write theirs.

    Raises Refused, which names file and field and never a secret, and for an address that others
    can reach without a token that keeps them out.
    """
    tokens = _tokens(settings.api_tokens_file)
    if not tokens and not is_loopback(settings.host):
        message = (
            f"{settings.host} is bereikbaar voor anderen: "
            "zet TRIAGE_API_TOKENS_FILE, of luister op 127.0.0.1"
        )
        raise Refused(message)
    return WebConfig(
        host=settings.host,
        org=next(iter(load_profiles(settings))),
        sources=_sources(settings.sources_file),
        tokens=tokens,
        retention_seconds=settings.retention_days * _DAY,
        metrics_folder=Path(figures) if figures else None,
    )


def _tokens(path: Path | None) -> tuple[Token, ...]:
    tokens = []
    for place, item in _items(path, "tokens", {"name", "sha256", "scopes"}):
        scopes = item.get("scopes")
        if not isinstance(scopes, list) or not scopes or not all(s in _SCOPES for s in scopes):
            raise Refused(f"{place}.scopes: een lijst met een of meer van read, act, ingest")
        digest = _digest(place, item.get("sha256"))
        tokens.append(Token(name=item["name"], sha256=digest, scopes=frozenset(scopes)))
    return tuple(tokens)


def _sources(path: Path | None) -> dict[str, Source]:
    sources = {}
    fields = {"name", "sha256", "hmac_secret", "rate_per_minute"}
    for place, item in _items(path, "sources", fields):
        secret = item.get("hmac_secret")
        if ("sha256" in item) == (secret is not None):
            raise Refused(f"{place}: sha256 of hmac_secret, één van de twee")
        if secret is not None and (not isinstance(secret, str) or len(secret) < _SECRET_LENGTH):
            raise Refused(f"{place}.hmac_secret: tekst van minstens {_SECRET_LENGTH} tekens")
        rate = item.get("rate_per_minute")
        if rate is not None and (type(rate) not in {int, float} or rate <= 0):
            raise Refused(f"{place}.rate_per_minute: een getal boven 0")
        sources[item["name"]] = Source(
            name=item["name"],
            sha256=_digest(place, item["sha256"]) if secret is None else None,
            secret=secret.encode("utf-8", "replace") if secret is not None else None,
            rate_per_minute=rate,
        )
    return sources


_SCOPES: Final[frozenset[str]] = frozenset(SCOPES)


def _items(path: Path | None, name: str, fields: set[str]) -> list[tuple[str, dict[str, Any]]]:
    """Read the list ``name`` of a file; each item with its place, for what may be said of it."""
    if path is None:
        return []
    found = _read(path).get(name)
    if not isinstance(found, list) or not found:
        raise Refused(f"{path}: {name}: een lijst met minstens één")
    items = []
    names: set[str] = set()
    for number, item in enumerate(found):
        place = f"{path}: {name}[{number}]"
        if not isinstance(item, dict):
            raise Refused(f"{place}: geen JSON-object")
        if unknown := len(item.keys() - fields):
            raise Refused(f"{place}: {unknown} onbekend veld; wel: {', '.join(sorted(fields))}")
        if not isinstance(item.get("name"), str) or not _NAME.fullmatch(item["name"]):
            raise Refused(f"{place}.name: letters, cijfers, punt, streepje, hooguit 64")
        if item["name"] in names:
            raise Refused(f"{place}.name: staat er twee keer in")
        names.add(item["name"])
        items.append((place, item))
    return items


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise Refused(f"{path}: niet te lezen ({error.strerror})") from None
    if len(raw) > _FILE_LIMIT:
        raise Refused(f"{path}: groter dan {_FILE_LIMIT} bytes")
    try:
        return parse_object(raw)
    except InvalidPost as error:
        at = "" if error.offset is None else f" (byte {error.offset})"
        raise Refused(f"{path}: {error.reason}{at}") from None


def _digest(place: str, value: object) -> bytes:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise Refused(f"{place}.sha256: 64 hexadecimale cijfers, de SHA-256 van het token")
    return bytes.fromhex(value)
