"""From settings to the configuration of the server: tokens, sources and where figures lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from triage.access import OLD_SCOPES, Scope
from triage.cli.build import load_profiles
from triage.errors import InvalidPost, Refused
from triage.jsontext import parse_object
from triage.settings import Settings
from triage.web.config import (
    SECRET_BYTES,
    Provider,
    Source,
    Token,
    WebConfig,
    check_exposure,
    is_loopback,
)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256: Final = re.compile("[0-9a-fA-F]{64}")
_SCOPES: Final[Mapping[str, Scope]] = {**{scope.value: scope for scope in Scope}, **OLD_SCOPES}
_FILE_LIMIT: Final = 1024 * 1024
#: Posts a minute where a source names none.
_RATE: Final = 6_000
_RATE_LIMIT: Final = 10_000_000
_DAY: Final = 86_400


def web_config(settings: Settings, figures: str | None) -> WebConfig:
    """Read how the server is set up; ``figures`` is where several processes write theirs.

    Raises Refused, which names file and field and never a secret, and for an address that others
    can reach while there is no sign-in to keep them out.
    """
    tokens = tuple(_tokens(settings.api_tokens_file))
    config = WebConfig(
        default_org=next(iter(load_profiles(settings))),
        tokens=tokens,
        sources={source.name: source for source in _sources(settings.sources_file)},
        provider=_provider(settings),
        local_account=settings.local_account or is_loopback(settings.host),
        public_url=settings.public_url,
        session_idle_seconds=settings.session_idle_minutes * 60,
        session_seconds=settings.session_hours * 3600,
        guard_metrics=settings.guard_metrics,
        audit_seconds=settings.audit_days * _DAY,
        answers_file=settings.answers_file,
        tokens_css=settings.tokens_css,
        signalen_url=settings.signalen_url,
        signalen_token=_secret(settings.signalen_token, settings.signalen_token_file),
        data=settings.data,
        models=settings.models,
        retention_seconds=settings.retention_days * _DAY,
        metrics_dir=Path(figures) if figures else None,
    )
    check_exposure(config, settings.host)
    return config


def _secret(given: SecretStr, path: Path | None) -> str:
    if path is None:
        return given.get_secret_value()
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Refused(f"{path}: niet te lezen ({error.strerror})") from None


def _provider(settings: Settings) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        scope=settings.oidc_scope,
        roles_claim=settings.oidc_roles_claim,
        role_map=settings.oidc_role_map,
        teams_claim=settings.oidc_teams_claim,
        team_map=settings.oidc_team_map,
        name_claim=settings.oidc_name_claim,
    )


def _tokens(path: Path | None) -> Iterator[Token]:
    for place, item in _items(path, "tokens", {"name", "sha256", "scopes"}):
        scopes = item.get("scopes")
        known = isinstance(scopes, list) and all(
            isinstance(scope, str) and scope in _SCOPES for scope in scopes
        )
        if not scopes or not known:
            raise Refused(f"{place}.scopes: een lijst met een of meer van {', '.join(Scope)}")
        yield Token(
            name=item["name"],
            sha256=_digest(place, item.get("sha256")),
            scopes=frozenset(_SCOPES[scope] for scope in scopes),
        )


def _sources(path: Path | None) -> Iterator[Source]:
    fields = {"name", "sha256", "hmac_secret", "rate_per_minute"}
    for place, item in _items(path, "sources", fields):
        secret, name = item.get("hmac_secret"), item["name"]
        if ("sha256" in item) == ("hmac_secret" in item):
            raise Refused(f"{place}: geef sha256 of hmac_secret, een van beide")
        rate = item.get("rate_per_minute", _RATE)
        if type(rate) is not int or not 1 <= rate <= _RATE_LIMIT:
            raise Refused(f"{place}.rate_per_minute: een geheel getal van 1 tot {_RATE_LIMIT}")
        if "sha256" in item:
            digest = _digest(place, item["sha256"])
            yield Source(name=name, sha256=digest, rate_per_minute=rate)
            continue
        raw = secret.encode("utf-8", "replace") if isinstance(secret, str) else b""
        if len(raw) < SECRET_BYTES:
            raise Refused(f"{place}.hmac_secret: tekst van minstens {SECRET_BYTES} bytes")
        yield Source(name=name, hmac_secret=raw, rate_per_minute=rate)


def _items(path: Path | None, name: str, fields: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the list ``name`` of a file; each item with its place, for what may be said of it."""
    if path is None:
        return
    found = _read(path).get(name)
    if not isinstance(found, list) or not found:
        raise Refused(f"{path}: {name}: een lijst met minstens één")
    names: set[str] = set()
    for number, item in enumerate(found):
        place = f"{path}: {name}[{number}]"
        if not isinstance(item, dict):
            raise Refused(f"{place}: geen JSON-object")
        if item.keys() - fields:
            raise Refused(f"{place}: een onbekend veld; wel: {', '.join(sorted(fields))}")
        if not isinstance(item.get("name"), str) or not _NAME.fullmatch(item["name"]):
            raise Refused(f"{place}.name: letters, cijfers, . _ en -, hooguit 64")
        if item["name"] in names:
            raise Refused(f"{place}.name: staat er twee keer in")
        names.add(item["name"])
        yield place, item


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


def _digest(place: str, value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise Refused(f"{place}.sha256: 64 hexadecimale cijfers, de SHA-256 van het token")
    return value.lower()
