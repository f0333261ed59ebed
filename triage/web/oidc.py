"""OpenID Connect: the code flow with PKCE, and what an ID token must say before we believe it.

Authlib speaks the protocol; what is accepted is decided here. Nothing that the provider or the
browser sent is repeated in an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from triage.access import Identity, Kind, Role, new_secret
from triage.web.config import Provider

#: Signatures that are accepted; never ``none``, never one with a shared secret.
ALGORITHMS: Final = ["RS256", "PS256", "ES256"]
#: How long the provider may take for one answer, in seconds.
ANSWER_SECONDS: Final = 10.0
#: How far its clock and ours may differ, in seconds.
LEEWAY_SECONDS: Final = 60
#: How long its addresses and keys are believed; unknown keys are asked for sooner, but not more
#: often than once in ``REFRESH_SECONDS``.
METADATA_SECONDS: Final = 3600.0
REFRESH_SECONDS: Final = 10.0
#: How long a provider that did not answer is left alone, in seconds.
RETRY_SECONDS: Final = 2.0


class SignInRefused(Exception):
    """This sign-in does not count. Show the page ``reason`` (a key of its texts)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OpenId:
    """One provider, for one address of ours that it sends browsers back to."""

    def __init__(self, provider: Provider, redirect_uri: str) -> None:
        self._provider = provider
        self._redirect_uri = redirect_uri
        self._turn = asyncio.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._failed_at = -RETRY_SECONDS

    async def begin(self) -> tuple[str, dict[str, str]]:
        """Give where to send the browser, and what must be remembered for ``finish``.

        Raises SignInRefused.
        """
        await self._discover(METADATA_SECONDS)
        attempt = {"state": new_secret(), "nonce": new_secret(), "verifier": new_secret()}
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                self._metadata["authorization_endpoint"],
                state=attempt["state"],
                nonce=attempt["nonce"],
                code_verifier=attempt["verifier"],
            )
        return url, attempt

    async def finish(self, code: str, attempt: Mapping[str, str], issuer: str) -> Identity:
        """Give who signed in. ``issuer`` is what came back with the code (RFC 9207), if anything.

        Raises SignInRefused.
        """
        if issuer and issuer != self._provider.issuer:
            raise SignInRefused("ongeldig")
        await self._discover(METADATA_SECONDS)
        answer = await self._redeem(code, attempt["verifier"])
        claims = await self._verified(answer, attempt["nonce"])
        return identity_of(self._provider, claims)

    @property
    def sign_out_url(self) -> str:
        """Where people sign out at the provider as well; empty: unknown."""
        address = self._metadata.get("end_session_endpoint", "")
        safe = isinstance(address, str) and address.startswith(("https://", "http://"))
        return f"{address}?{urlencode({'client_id': self._provider.client_id})}" if safe else ""

    async def _redeem(self, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            async with self._client() as client:
                found: Mapping[str, Any] = await client.fetch_token(
                    self._metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                )
        except AuthlibBaseError:
            raise SignInRefused("ongeldig") from None
        except (httpx2.HTTPError, ValueError):
            raise SignInRefused("onbereikbaar") from None
        return found

    async def _verified(self, answer: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        raw = answer.get("id_token")
        if not isinstance(raw, str):
            raise SignInRefused("ongeldig")
        try:
            token = await self._decoded(raw)
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self._provider.issuer},
                    "aud": {"essential": True, "value": self._provider.client_id},
                    "sub": {"essential": True},
                    "exp": {"essential": True},
                    "iat": {"essential": True},
                    "nonce": {"essential": True, "value": nonce},
                },
                {
                    "nonce": nonce,
                    "client_id": self._provider.client_id,
                    "access_token": answer.get("access_token"),
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError):
            raise SignInRefused("ongeldig") from None
        found: Mapping[str, Any] = claims
        return found

    async def _decoded(self, raw: str) -> jwt.Token:
        assert self._keys is not None
        try:
            return jwt.decode(raw, self._keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the provider changed its keys
            await self._discover(REFRESH_SECONDS)
            return jwt.decode(raw, self._keys, algorithms=ALGORITHMS)

    async def _discover(self, older_than: float) -> None:
        """Read the provider's addresses and keys, unless they were read lately."""
        async with self._turn:
            now = time.monotonic()
            if self._keys is not None and now - self._read_at < older_than:
                return
            if now - self._failed_at < RETRY_SECONDS:  # who waits for us need not wait in turn
                raise SignInRefused("onbereikbaar")
            try:
                async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client:
                    address = (
                        f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration"
                    )
                    metadata = await _json(client, address)
                    keys = KeySet.import_key_set(await _json(client, metadata["jwks_uri"]))
                known = {name: metadata[name] for name in _ENDPOINTS}
                known["end_session_endpoint"] = metadata.get("end_session_endpoint", "")
                if metadata["issuer"] != self._provider.issuer:
                    raise ValueError  # noqa: TRY301 - as wrong as no JSON
            except (httpx2.HTTPError, JoseError, AttributeError, KeyError, TypeError, ValueError):
                self._failed_at = time.monotonic()
                raise SignInRefused("onbereikbaar") from None
            self._metadata, self._keys = known, keys
            self._read_at = time.monotonic()

    def _client(self) -> AsyncOAuth2Client:
        secret = self._provider.client_secret
        return AsyncOAuth2Client(
            client_id=self._provider.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=self._provider.scope,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=ANSWER_SECONDS,
        )


_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint")


async def _json(client: httpx2.AsyncClient, url: str) -> Any:  # noqa: ANN401 - any JSON
    answer = await client.get(url)
    answer.raise_for_status()
    return answer.json()


# -- claims --------------------------------------------------------------------------------------


def identity_of(provider: Provider, claims: Mapping[str, Any]) -> Identity:
    """Give who the claims speak of. Raises SignInRefused for somebody without a role here.

    >>> provider = Provider(issuer="https://sso", client_id="t", roles_claim="realm.roles",
    ...     role_map={"GG-KCC": Role.MEDEWERKER}, teams_claim="groups", team_map={"G1": "kcc"})
    >>> claims = {"sub": "7", "name": "Sam", "realm": {"roles": ["GG-KCC", "x"]}, "groups": ["G1"]}
    >>> found = identity_of(provider, claims)
    >>> sorted(found.roles), found.teams, found.name
    ([<Role.MEDEWERKER: 'medewerker'>], frozenset({'kcc'}), 'Sam')
    """
    known = {**{role.value: role for role in Role}, **provider.role_map}
    values = _values(claims, provider.roles_claim)
    roles = frozenset(known[value] for value in values if value in known)
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_LIMIT:
        raise SignInRefused("ongeldig")
    if not roles:
        raise SignInRefused("geen-rol")
    teams = None
    if provider.teams_claim:
        given = _values(claims, provider.teams_claim)
        teams = frozenset(provider.team_map.get(value, value) for value in given)
    name = claims.get(provider.name_claim)
    shown = name if isinstance(name, str) else ""
    return Identity(
        subject=subject,
        name="".join(filter(str.isprintable, shown)).strip()[:_NAME_LIMIT] or subject[:_NAME_LIMIT],
        roles=roles,
        teams=teams,
        kind=Kind.PERSON,
    )


#: As OpenID Connect has it.
_SUBJECT_LIMIT: Final = 255
#: As long as the name of who has a ticket may be.
_NAME_LIMIT: Final = 100


def _values(claims: Mapping[str, Any], path: str) -> Iterable[str]:
    """Give the texts of a claim: one, or a list; dots go into objects. Nothing else counts."""
    found: Any = claims
    if path not in claims:
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    else:
        found = claims[path]
    many = found if isinstance(found, list) else [found]
    return [value for value in many if isinstance(value, str)]
