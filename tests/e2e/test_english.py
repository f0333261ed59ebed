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
    page.get_by_role("link", name=EN("problem_page.back")).click()
    page.get_by_role("button", name=EN("base.sign_out")).click()
    expect(page.get_by_text(EN("signin.uit"))).to_be_visible()
