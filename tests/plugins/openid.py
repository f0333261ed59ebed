"""People at a real OpenID provider, and browsers in which they sign in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.plugins.api_server import ApiServer
from tests.plugins.brokers import free_port
from tests.plugins.programs import environment, wait_until
from tests.servers.openid_provider import CLIENT, SECRET

#: One of each role, as the provider knows them.
PEOPLE: Final[dict[str, dict[str, Any]]] = {
    name: {"claims": {"sub": f"sub-{name}", "name": f"{name.title()} de Vries", "roles": [role]}}
    for name, role in (
        ("lotte", "lezer"),
        ("mo", "medewerker"),
        ("tess", "teamleider"),
        ("bas", "beheerder"),
    )
}


class OpenIdProvider:
    """The provider's process and its people."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._users = folder / "users.json"
        self._secret = folder / "client-secret"
        self._secret.write_text(SECRET)
        self._output = folder / "provider.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.people(**PEOPLE)

    def people(self, **users: dict[str, Any]) -> None:
        """Set who there is."""
        self._users.write_text(json.dumps(users))

    def settings(self, port: int, **more: str) -> dict[str, str]:
        """Give the settings of a server on ``port`` at which these people sign in."""
        return {
            "TRIAGE_OIDC_ISSUER": self.issuer,
            "TRIAGE_OIDC_CLIENT_ID": CLIENT,
            "TRIAGE_OIDC_CLIENT_SECRET_FILE": str(self._secret),
            "TRIAGE_PUBLIC_URL": f"http://127.0.0.1:{port}",
            **more,
        }

    def start(self, port: int) -> None:
        """Start, with a server on ``port`` as the registered client."""
        back = f"http://127.0.0.1:{port}/aanmelden/terug"
        module = "tests.servers.openid_provider"
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(self.port), str(self._users), back],
                stdout=output,
                stderr=output,
                env=environment(),
                cwd=Path(__file__).parents[2],
            )
        wait_until(self._ready, why=lambda: self._output.read_text()[-2000:])

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _ready(self) -> bool:
        try:
            httpx.get(f"{self.issuer}/.well-known/openid-configuration", timeout=2)
        except httpx.HTTPError:
            return False
        return True


class Browser:
    """A browser at a server: cookies, and no redirect that is not looked at."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.http = server.stranger(headers={"Accept": "text/html"})

    def go_to_provider(self, target: str = "/") -> str:
        """Begin to sign in; give the provider's address."""
        answer = self.http.get("/aanmelden/start", params={"next": target})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def consent(self, address: str, user: str) -> str:
        """Sign in at the provider; give where it sends the browser back to."""
        assert httpx.get(address).status_code == 200
        answer = httpx.post(address, data={"user": user})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def sign_in(self, user: str, target: str = "/") -> httpx.Response:
        """Go all the way; give our answer to the way back."""
        return self.http.get(self.consent(self.go_to_provider(target), user))

    @property
    def csrf(self) -> str:
        """The token on the page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.http.get("/").text)
        assert found, "nobody is signed in"
        return found[1]

    def act(self, ticket: str, action: str, **body: Any) -> httpx.Response:
        """Do something to a ticket, as a page does."""
        headers = {"X-CSRF-Token": self.csrf, "Accept": "application/json"}
        return self.http.post(f"/api/v1/tickets/{ticket}/{action}", json=body, headers=headers)


@pytest.fixture
def openid_server(
    api_server: Callable[..., ApiServer], tmp_path: Path
) -> Iterator[Callable[..., tuple[ApiServer, OpenIdProvider]]]:
    """Give a maker of servers at which people sign in, with their provider; both run."""
    providers: list[OpenIdProvider] = []

    def make(**env: str) -> tuple[ApiServer, OpenIdProvider]:
        folder = tmp_path / f"provider-{len(providers)}"
        folder.mkdir()
        provider = OpenIdProvider(folder)
        providers.append(provider)
        port = free_port()
        server = api_server(port=port, **provider.settings(port, **env))
        provider.start(port)
        server.start()
        return server, provider

    yield make
    for provider in providers:
        provider.stop()
