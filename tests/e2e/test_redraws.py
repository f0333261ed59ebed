"""What changes under somebody's hands: nothing that was pressed, opened, chosen or read gets lost."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk
from tests.plugins.programs import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)  # a shared machine may be slow
TEAM = "openbare-ruimte"
PANE = "**/pane*"


def put(desk: Desk, text: str, post: str = "p-0", **fields: Any) -> None:
    entry = desk.server.entry(post, text=text, team=TEAM, **fields)
    desk.server.queue.put(desk.server.org, [entry], now=now(), request=uuid.uuid4().hex)


def opened(desk: Desk, ticket: str) -> Any:
    page = desk.person("Anna", f"/tickets/{ticket}")
    expect(page.locator("#pane")).to_be_visible()
    page.wait_for_load_state("networkidle")
    return page


def test_what_was_opened_and_chosen_stays(desk: Desk) -> None:
    """A redraw keeps which parts are open, what was read in them, choices and the focus."""
    tickets = desk.server.fill(3, team=TEAM)
    queue = desk.server.queue
    queue.merge(tickets[0], tickets[1:], token=None, by="Bert", now=now(), request="m")
    page = opened(desk, tickets[0])
    page.locator("#copies summary").click()
    page.locator(f"input[value='{tickets[1]}']").check()
    page.locator("#why summary").click()
    page.locator(f"input[value='{tickets[2]}']").focus()
    queue.claim(tickets[0], owner="Bert", seconds=300, now=now(), request="c")
    expect(page.locator("#claim-state")).to_contain_text("bij Bert")
    expect(page.locator(f"input[value='{tickets[2]}']")).to_be_focused()
    page.keyboard.press("Space")
    put(desk, "Nu ook brand")
    expect(page.locator("[id^=earlier-]").first).to_be_attached()  # one part more
    for ticket in tickets[1:]:
        expect(page.locator(f"input[value='{ticket}']")).to_be_checked()
    expect(page.locator("#copies")).to_have_attribute("open", "")
    expect(page.locator("#why")).to_have_attribute("open", "")
    page.locator("#why summary").focus()
    put(desk, "De brand is uit")
    expect(page.locator("#post-text")).to_have_text("De brand is uit")
    expect(page.locator("#why summary")).to_be_focused()


def test_a_press_ends_on_what_it_began_on(desk: Desk) -> None:
    """What comes in between button down and button up is shown after it, and the click counts."""
    (ticket,) = desk.server.fill(1, team=TEAM)
    page = opened(desk, ticket)
    page.get_by_role("button", name="Klopt").hover()
    page.mouse.down()
    with page.expect_response(PANE):
        put(desk, "Nu ook brand")
    page.mouse.up()
    wait_until(
        lambda: desk.server.queue.get(ticket, now=now()).history[-1]["action"] == "confirmed"
    )
    expect(page.locator("#post-text")).to_have_text("Nu ook brand")


def test_an_older_answer_does_not_replace_a_newer(desk: Desk) -> None:
    """Of two readings that cross each other the last that was asked for stands."""
    (ticket,) = desk.server.fill(1, team=TEAM)
    page = opened(desk, ticket)
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route(PANE, hold, times=1)
    with page.expect_request(PANE):
        put(desk, "Versie twee")
    older = page.request.get(f"{desk.server.address}/tickets/{ticket}/pane").text()
    assert "Versie twee" in older
    put(desk, "Versie drie")
    expect(page.locator("#post-text")).to_have_text("Versie drie")
    with page.expect_event("requestfinished"):
        held[0].fulfill(body=older, content_type="text/html")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert page.locator("#post-text").inner_text() == "Versie drie"


def test_nothing_falls_between_page_and_stream(desk: Desk) -> None:
    """What changes after the page was made and before its stream is there shows all the same."""
    (ticket,) = desk.server.fill(1, team=TEAM)
    page = desk.person("Anna", "/")

    def late(route: Any) -> None:
        put(desk, "Nu ook brand")
        route.continue_()

    page.route("**/events*", late, times=1)
    page.goto(f"{desk.server.address}/tickets/{ticket}")
    expect(page.locator("#post-text")).to_have_text("Nu ook brand")
