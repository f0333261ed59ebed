"""Muting a sender in a real browser: by keyboard, with the spam that it is about, and back again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk, violations
from tests.plugins.programs import wait_until
from triage.access import Role
from triage.post import Author
from triage.queue import Mute
from triage.ticket import State, Ticket, Urgency

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)  # a shared machine may be slow
TEAM = "openbare-ruimte"
SPAMMER = Author(id="@winst", name="Snel Rijk", followers=2)


def get(desk: Desk, ticket: str) -> Ticket:
    return desk.server.queue.get(ticket, now=now())


def mutes(desk: Desk) -> list[Mute]:
    return list(desk.server.queue.mutes(desk.server.org))


def fill(desk: Desk, count: int, prefix: str, **fields: Any) -> list[str]:
    return desk.server.fill(count, prefix=prefix, team=TEAM, **fields)


def queue_page(desk: Desk, **options: Any) -> Any:
    page = desk.person("Anna", f"/teams/{TEAM}", **options)
    expect(page.locator(".line").first).to_be_visible()
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator("#list").focus()
    return page


def test_a_sender_is_muted_and_heard_again_by_keyboard(desk: Desk) -> None:
    """`d`, how long, why: what comes next is out of sight; critical stands with a sign; `z` undoes."""
    (first,) = fill(desk, 1, "eerst", author=SPAMMER)
    page = queue_page(desk)
    page.keyboard.press("j")
    expect(page.locator("#pane")).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator("#palette-list")).to_contain_text("7 dagen")
    page.keyboard.press("2")
    expect(page.locator("#palette-list")).to_contain_text("Spam")
    page.keyboard.press("1")
    expect(page.locator("#toasts")).to_contain_text("Afzender gedempt: 7 dagen")
    expect(page.locator("#muted")).to_contain_text("gedempt door Anna")
    expect(page.locator("#history")).to_contain_text("afzender gedempt")
    assert violations(page) == []
    (spam,) = fill(desk, 1, "spam", author=SPAMMER)
    (alarm,) = fill(desk, 1, "nood", author=SPAMMER, urgency=Urgency.KRITIEK)
    expect(page.locator("#total")).to_have_text("2")
    assert get(desk, spam).state is State.RESOLVED
    expect(page.locator(f"#row-{alarm.replace('.', chr(92) + '.')}")).to_contain_text(
        "afzender gedempt"
    )
    page.keyboard.press("z")
    wait_until(lambda: get(desk, spam).state is State.OPEN)
    expect(page.locator("#total")).to_have_text("3")
    expect(page.locator("#muted")).to_have_count(0)
    assert [mute.ended_by for mute in mutes(desk)] == ["Anna"]
    assert get(desk, first).state is State.OPEN


def test_spam_and_its_sender_in_one_go(desk: Desk) -> None:
    """The outcome spam offers to mute the sender; one key takes both back."""
    (first,) = fill(desk, 1, "eerst", author=SPAMMER)
    page = queue_page(desk)
    page.keyboard.press("j")
    expect(page.locator("#mute-days")).to_be_hidden()
    page.select_option("#outcome", "spam")
    expect(page.locator("#mute-days")).to_be_visible()
    for choice in ("#outcome", "#bulk-outcome"):
        offered = page.locator(f"{choice} option").evaluate_all("all => all.map(one => one.value)")
        assert "spam" in offered
        assert not {"gedempt", "signalen"} & set(offered)
    page.select_option("#mute-days", "30")
    page.locator("#reply").focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("afzender gedempt")
    wait_until(lambda: get(desk, first).state is State.RESOLVED)
    (mute,) = mutes(desk)
    assert round((mute.until - mute.at) / timedelta(days=1)) == 30
    (spam,) = fill(desk, 1, "spam", author=SPAMMER)
    assert get(desk, spam).state is State.RESOLVED
    page.locator("#list").focus()
    page.keyboard.press("z")
    wait_until(lambda: get(desk, first).state is State.OPEN)
    wait_until(lambda: get(desk, spam).state is State.OPEN)
    assert [mute.ended_by for mute in mutes(desk)] == ["Anna"]


def test_a_lead_ends_a_mute_in_one_press(desk: Desk) -> None:
    """The list tells who, by whom and how much; ending it offers to bring back what it took."""
    (first,) = fill(desk, 1, "eerst", author=SPAMMER)
    agent = queue_page(desk)
    agent.keyboard.press("j")
    expect(agent.locator("#pane")).to_be_visible()
    agent.keyboard.press("Control+k")
    agent.keyboard.type("dempen")
    expect(agent.locator("#palette-list li")).to_have_count(1)
    agent.keyboard.press("Enter")
    agent.keyboard.press("1")
    agent.once("dialog", lambda dialog: dialog.accept("Reclame voor horloges"))
    agent.keyboard.press("2")
    expect(agent.locator("#muted")).to_contain_text("Reclame voor horloges")
    taken = fill(desk, 3, "spam", author=SPAMMER)
    lead = desk.person("Lea", "/sturing", role=Role.TEAMLEIDER)
    lead.get_by_role("link", name="Gedempte afzenders").click()
    line = lead.locator("#mutes tbody tr")
    expect(line).to_have_count(1)
    for told in ("Snel Rijk", "Anna", "Reclame voor horloges", "3"):
        expect(line).to_contain_text(told)
    assert violations(lead) == []
    lead.get_by_role("link", name="3", exact=True).click()
    expect(lead.locator(".near li")).to_have_count(3)
    lead.go_back()
    lead.get_by_role("button", name="Dempen opheffen").focus()
    lead.keyboard.press("Enter")
    expect(lead.locator("#toasts")).to_contain_text("gedempt waren 3 berichten")
    expect(line).to_contain_text("opgeheven door Lea")
    assert [get(desk, ticket).state for ticket in taken] == [State.RESOLVED] * 3
    lead.locator("#toasts").get_by_role("button", name="Breng terug").click()
    expect(lead.locator("#toasts")).to_contain_text("3 berichten staan weer open")
    assert [get(desk, ticket).state for ticket in taken] == [State.OPEN] * 3
    expect(agent.locator("#total")).to_have_text("4")
    assert get(desk, first).state is State.OPEN
