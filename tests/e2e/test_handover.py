"""Handing over to Signalen: what is missing is asked for in a form that shows what goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import ApiServer, now
from tests.plugins.desk import Desk, violations
from tests.plugins.programs import wait_until
from tests.servers.signalen import SignalenServer

pytestmark = pytest.mark.browser
TOKEN = "geheim-van-signalen"
TEXT = "Er ligt een gat in de stoep"


@pytest.fixture
def signalen() -> Iterator[SignalenServer]:
    """Give a running Signalen."""
    with SignalenServer(TOKEN) as server:
        yield server


@pytest.fixture
def desk(
    browser: Any, api_server: Callable[..., ApiServer], signalen: SignalenServer
) -> Iterator[Desk]:
    """Give a desk that hands over to it."""
    server = api_server(TRIAGE_SIGNALEN_URL=signalen.url, TRIAGE_SIGNALEN_TOKEN=TOKEN)
    desk = Desk(server=server.start(), browser=browser)
    yield desk
    desk.close()
    assert not desk.complaints


def test_a_missing_place_is_asked_for(desk: Desk, signalen: SignalenServer) -> None:
    """By keyboard: the form shows text and topic; left, nothing goes; sent, it goes with the place."""
    entry = desk.server.entry("p1", text=TEXT)
    desk.server.queue.put(desk.server.org, [entry], now=now(), request="fill")
    page = desk.person("Anna", f"/tickets/{entry.ticket_id}")
    form = page.locator("#handover")
    expect(page.locator("#pane")).to_be_visible()
    page.keyboard.press("g")
    expect(form).to_contain_text(TEXT)
    assert violations(page) == []
    page.keyboard.press("Enter")  # without a place it stays
    expect(form).to_be_visible()
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.type("Dorpsplein 3, Borne")
    page.keyboard.press("Enter")
    wait_until(lambda: signalen.signals)
    assert "Dorpsplein 3, Borne" in str(signalen.signals[0])
