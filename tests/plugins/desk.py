"""The desk in a real browser: people who are signed in, and pages that may show no error."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import sync_playwright

from tests.plugins.api_server import ApiServer, now
from triage.access import Drawer, Identity, Role, digest, new_secret

#: Debian's own browser; it comes with no driver to download.
CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
AXE: Final = Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js"
#: What WCAG 2.2 at level AA asks, as axe names it.
WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Desk:
    """One server and one browser; each person gets a window of their own."""

    server: ApiServer
    browser: Any
    #: What pages complained of: scripts that failed, policies that were broken.
    complaints: list[str] = field(default_factory=list)
    _contexts: list[Any] = field(default_factory=list)

    def cookie(self, name: str, *, role: Role = Role.MEDEWERKER, teams: Any = None) -> str:
        """Sign somebody in, as the server would; give what stands in their cookie."""
        identity = Identity(subject=f"sub-{name}", name=name, roles=frozenset({role}), teams=teams)
        secret, at = new_secret(), now()
        value = {
            "identity": identity.to_mapping(),
            "csrf": new_secret(),
            "until": (at + timedelta(hours=9)).isoformat(),
            "seen": at.isoformat(),
        }
        until = at + timedelta(hours=8)
        self.server.access.put(Drawer.SESSION, digest(secret), value, until=until)
        return secret

    def person(self, name: str, path: str = "/", **options: Any) -> Any:
        """Give a window in which somebody is signed in, at a page."""
        chosen = {key: options.pop(key) for key in ("role", "teams") if key in options}
        options.setdefault("viewport", {"width": 1366, "height": 820})
        options.setdefault("timezone_id", "Europe/Amsterdam")
        context = self.browser.new_context(locale="nl-NL", **options)
        context.set_default_timeout(15_000)
        self._contexts.append(context)
        secret = self.cookie(name, **chosen)
        context.add_cookies(
            [{"name": "triage-sessie", "value": secret, "url": self.server.address}]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._console)
        page.goto(self.server.address + path)
        return page

    def _console(self, message: Any) -> None:
        # A lost connection and a refusal are told by the browser too; tests make both on purpose.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close all windows."""
        for context in self._contexts:
            context.close()


def violations(page: Any) -> list[str]:
    """Run axe-core on a page as it stands; give each violation with the elements it is about."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", WCAG
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Give Debian's Chromium; skip where it is not there, fail in CI."""
    if not Path(CHROMIUM).exists():
        message = "NO CHROMIUM, ITS TESTS DID NOT RUN: apt-get install -y chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def desk(browser: Any, api_server: Callable[..., ApiServer]) -> Iterator[Desk]:
    """Give a running server and a browser; no page may have complained at the end."""
    desk = Desk(server=api_server().start(), browser=browser)
    yield desk
    desk.close()
    assert not desk.complaints
