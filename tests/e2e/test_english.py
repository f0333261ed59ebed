"""The desk in English: also what is refused while somebody works."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.plugins.desk import Desk
from triage.ticket import Urgency
from triage.web.desk.texts import texts

pytestmark = pytest.mark.browser
TEAM = "openbare-ruimte"
EN = texts("en")


def test_a_refusal_comes_in_the_language_that_was_chosen(desk: Desk) -> None:
    """The button changes it; then a refused action, a page that is not there and signing out."""
    (ticket,) = desk.server.fill(1, team=TEAM, urgency=Urgency.KRITIEK)
    page = desk.person("Anna", f"/teams/{TEAM}")
    page.wait_for_function("globalThis.desk !== undefined")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator(".line").first.click()
    expect(page.locator(f'#pane[data-ticket="{ticket}"]')).to_be_visible()
    page.locator("#list").focus()
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    told = EN("js.failed", why=EN("problem.critical"))
    expect(page.locator("#toasts")).to_contain_text(told)
    page.goto(f"{desk.server.address}/teams/nergens")
    expect(page.locator("[role=alert]")).to_contain_text(EN("problem.no-team")[1:])
    expect(page.get_by_role("link", name=EN("problem_page.back"))).to_be_visible()
    page.goto(f"{desk.server.address}/teams/{TEAM}")
    page.get_by_role("button", name=EN("base.sign_out")).click()
    expect(page.get_by_text(EN("signin.uit"))).to_be_visible()


def test_who_is_not_signed_in_chooses_a_language_too(desk: Desk) -> None:
    """On the sign-in page, which goes on to where one was going; and it holds from then on."""
    page = desk.browser.new_context().new_page()
    page.goto(f"{desk.server.address}/teams/{TEAM}")
    expect(page.get_by_role("heading", level=1)).to_have_text(texts("nl")("signin.title"))
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("signin.title"))
    assert page.url.endswith("/aanmelden?next=%2Fteams%2Fopenbare-ruimte")
    page.goto(f"{desk.server.address}/bestaat-niet")
    page.goto(f"{desk.server.address}/aanmelden?uit=1")
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("signin.title_out"))
    page.get_by_role("link", name="Nederlands").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(texts("nl")("signin.title_out"))
    for target in ("//kwaad.example", "https://kwaad.example", "/\\kwaad.example"):
        page.goto(f"{desk.server.address}/aanmelden/taal?taal=en&next={target}")
        assert page.url.startswith(desk.server.address)
    page.context.close()
