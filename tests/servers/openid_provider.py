"""An OpenID provider as a process of its own: discovery, JWKS, code flow with PKCE, RS256.

``python -m tests.servers.openid_provider PORT USERS.json``. A user is a name with ``claims`` for the
ID token; what stands under ``wrong`` goes into the token in place of what belongs there, so that
a provider that lies can be had as well (``alg`` ``none`` and ``HS256``, ``key`` ``other``, and any claim).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import uvicorn
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core.util import create_half_hash
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT: Final = "triage"
SECRET: Final = "geheim-van-de-client-0123456789"
CODE_SECONDS: Final = 60


class Provider:
    """What is registered, and which codes are out."""

    def __init__(self, issuer: str, users: Path) -> None:
        self.issuer = issuer
        self.users = users
        self.kid = secrets.token_hex(8)
        self.key = RSAKey.generate_key(2048, parameters={"kid": self.kid, "use": "sig"})
        self.other = RSAKey.generate_key(2048, parameters={"kid": self.kid, "use": "sig"})
        self.codes: dict[str, dict[str, Any]] = {}

    def user(self, name: str) -> dict[str, Any] | None:
        """Give a user; the file is read anew, so that tests can change people."""
        found: dict[str, Any] | None = json.loads(self.users.read_text()).get(name)
        return found

    def id_token(self, grant: dict[str, Any], access_token: str) -> str:
        """Sign what is said of a user."""
        user = self.user(grant["user"]) or {}
        at = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": at,
            "exp": at + 300,
            "nonce": grant["nonce"],
            "at_hash": create_half_hash(access_token, "RS256").decode(),
            **user["claims"],
        }
        wrong = dict(user.get("wrong", {}))
        alg, key = wrong.pop("alg", "RS256"), wrong.pop("key", "own")
        claims = {
            name: at + int(value[1:]) if str(value).startswith("@") else value
            for name, value in {**claims, **wrong}.items()
            if value is not None
        }
        if alg != "RS256":  # by hand: no library signs so, but an attacker does
            head = {"alg": alg, "kid": self.kid}
            signed = b".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
            public = self.key.as_pem(private=False)  # which everybody has
            mac = hmac.new(public, signed, hashlib.sha256).digest() if alg == "HS256" else b""
            return b".".join([signed, _base64(mac)]).decode()
        signer = self.other if key == "other" else self.key
        return jwt.encode({"alg": "RS256", "kid": self.kid}, claims, signer)


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def create_app(provider: Provider, redirect_uris: list[str]) -> FastAPI:
    """Make the app."""
    app = FastAPI()

    _describe(app, provider)

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        known = asked.get("client_id") == CLIENT and asked.get("redirect_uri") in redirect_uris
        if not known:
            return JSONResponse({"error": "invalid_request"}, 400)
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        if "openid" not in asked.get("scope", "").split() or not asked.get("code_challenge"):
            return JSONResponse({"error": "invalid_scope"}, 400)
        return HTMLResponse(
            '<form method="post"><input name="user"><button>Inloggen</button></form>'
        )

    @app.post("/authorize")
    async def consent(request: Request) -> Response:
        asked = dict(request.query_params)
        form = dict(parse_qsl((await request.body()).decode()))
        if provider.user(form.get("user", "")) is None:
            back = {"error": "access_denied", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(24)
            provider.codes[code] = {**asked, "user": form["user"], "at": time.time()}
            back = {"code": code, "state": asked["state"], "iss": provider.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)

    @app.post("/token")
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = provider.codes.pop(form.get("code", ""), None)  # a code is good for one time
        good = (
            grant is not None
            and time.time() - grant["at"] < CODE_SECONDS
            and form.get("grant_type") == "authorization_code"
            and form.get("redirect_uri") == grant["redirect_uri"]
            and create_s256_code_challenge(form.get("code_verifier", "")) == grant["code_challenge"]
        )
        if not good or grant is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe(24)
        return JSONResponse(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": 300,
                "id_token": provider.id_token(grant, access_token),
            }
        )

    return app


def _describe(app: FastAPI, provider: Provider) -> None:
    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        return {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
            "jwks_uri": f"{provider.issuer}/jwks",
            "end_session_endpoint": f"{provider.issuer}/logout",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return {"keys": [provider.key.as_dict(private=False)]}


def main() -> None:
    """Serve until ended."""
    port, users, *redirect_uris = sys.argv[1:]
    provider = Provider(f"http://127.0.0.1:{port}", Path(users))
    app = create_app(provider, redirect_uris)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
