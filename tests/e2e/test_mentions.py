"""Who is named in a note learns of it, on whatever page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk

pytestmark = pytest.mark.browser


def test_who_is_named_is_told(desk: Desk) -> None:
    """By the first name or all of it; nobody else is told, and a press leads to the ticket."""
    entry = desk.server.entry("p1", text="De lamp in de Kerkstraat is stuk")
    desk.server.queue.put(desk.server.org, [entry], now=now(), request="fill")
    named, other = desk.person("Anna de Wit", "/"), desk.person("Bert", "/")

    def noted(mention: str, page: Any) -> None:
        """Name somebody until the page hears: its stream may not be there yet."""
        for turn in range(60):
            desk.server.queue.note(
                entry.ticket_id,
                "Kijk jij even?",
                mentions=[mention],
                by="Cees",
                now=now(),
                request=f"{mention}-{turn}",
            )
            page.wait_for_timeout(500)
            if page.locator("#toasts .toast").count():
                return

    noted("anna", named)
    expect(named.locator("#toasts")).to_contain_text("Cees noemt u in een notitie")
    expect(other.locator("#toasts .toast")).to_have_count(0)
    noted("Bert", other)
    expect(other.locator("#toasts")).to_contain_text("Cees noemt u in een notitie")
    named.get_by_role("button", name="Toon").first.click()
    expect(named.locator("#reader")).to_contain_text("De lamp in de Kerkstraat is stuk")
