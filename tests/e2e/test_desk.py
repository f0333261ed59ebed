"""The desk in a real browser: a day of work, races, lost connections, and everything by keyboard."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk, violations
from tests.plugins.programs import wait_until
from tests.servers.signalen import SignalenServer
from triage.access import Role
from triage.post import Author
from triage.queue import Change
from triage.ticket import State, Ticket, Urgency

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)  # a shared machine may be slow
TEAM = "openbare-ruimte"


def get(desk: Desk, ticket: str) -> Ticket:
    return desk.server.queue.get(ticket, now=now())


def queue_page(
    desk: Desk, name: str = "Anna", team: str = TEAM, query: str = "", **options: Any
) -> Any:
    page = desk.person(name, f"/teams/{team}{query}", **options)
    expect(page.locator(".line").first).to_be_visible()
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator("#list").focus()
    return page


def shown(page: Any, ticket: str) -> None:
    expect(page.locator(f'#pane[data-ticket="{ticket}"]')).to_be_visible()


def held(page: Any) -> None:
    expect(page.locator("#pane[data-token]")).to_be_visible()


def actions(ticket: Ticket) -> list[str]:
    return [item["action"] for item in ticket.history]


def test_the_day_of_an_agent(desk: Desk) -> None:
    """Board, queue, claim, correct, answer, resolve, undo, escalate, hand over: all of it lands."""
    tickets = [
        *desk.server.fill(
            1, prefix="a", team=TEAM, minutes=10, text="Losse stoeptegel, gevaarlijk"
        ),
        *desk.server.fill(3, prefix="b", team=TEAM, minutes=30),
    ]
    page = desk.person("Anna")
    page.get_by_role("link", name="Beheer openbare ruimte").click()
    expect(page.locator(".line")).to_have_count(4)
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator(".line").first.click()
    shown(page, tickets[0])
    page.get_by_role("button", name=re.compile("^Oppakken")).click()
    held(page)
    claim = get(desk, tickets[0]).claim
    assert claim
    assert claim.owner == "Anna"
    page.get_by_role("button", name=re.compile("^Hoog")).click()
    wait_until(lambda: get(desk, tickets[0]).urgency is Urgency.HOOG)
    page.get_by_role("button", name=re.compile("^Wegen en straat")).click()
    wait_until(lambda: get(desk, tickets[0]).topic == "wegen-straatmeubilair")
    page.locator("#canned").select_option(index=1)
    answer = page.locator("#reply").input_value()
    assert "Jan Jansen" in answer
    assert "Anna" in answer
    page.get_by_role("button", name=re.compile("^Afhandelen")).click()
    wait_until(lambda: get(desk, tickets[0]).state is State.RESOLVED)
    item = get(desk, tickets[0]).history[-1]
    assert (item["outcome"], item["reply"], item["by"]) == ("beantwoord", answer, "Anna")
    expect(page.locator("#total")).to_have_text("3")
    expect(page.locator("#pane")).not_to_have_attribute("data-ticket", tickets[0])
    page.get_by_role("button", name=re.compile("^Ongedaan maken")).last.click()
    wait_until(lambda: get(desk, tickets[0]).state is State.OPEN)
    shown(page, tickets[0])
    expect(page.locator("#total")).to_have_text("4")
    held(page)
    page.get_by_role("button", name=re.compile("^Escaleren")).click()
    wait_until(lambda: get(desk, tickets[0]).urgency is Urgency.KRITIEK)
    assert actions(get(desk, tickets[0]))[-3:] == ["resolved", "undone", "escalated"]


def test_everything_by_keyboard(desk: Desk) -> None:  # noqa: PLR0915 - one path, key after key
    """j, k, c, 1-4, 5-7, t, i, r, m, y, s, a, z, x, /, ? and Ctrl+K do what the map says."""
    tickets = desk.server.fill(5, team=TEAM)
    page = queue_page(desk)
    press = page.keyboard.press
    order = [ticket.id for ticket in desk.server.queue.list(desk.server.org, TEAM, now=now())]
    assert set(order) == set(tickets)
    press("j")
    shown(page, order[0])
    press("j")
    shown(page, order[1])
    press("k")
    shown(page, order[0])
    press("c")
    held(page)
    press("4")
    wait_until(lambda: get(desk, order[0]).urgency is Urgency.LAAG)
    press("z")
    wait_until(lambda: get(desk, order[0]).urgency is Urgency.NORMAAL)
    expect(page.locator(".chip.normaal")).to_have_attribute("aria-pressed", "true")
    press("6")
    wait_until(lambda: get(desk, order[0]).topic == "wegen-straatmeubilair")
    press("t")
    page.keyboard.type("burgerz")
    press("Enter")
    wait_until(lambda: get(desk, order[0]).topic == "burgerzaken")
    press("i")
    press("v")
    wait_until(lambda: get(desk, order[0]).intent == "vraag")
    press("y")
    wait_until(lambda: actions(get(desk, order[0]))[-1] == "confirmed")
    press("m")
    page.keyboard.type("@Bert weet jij dit?")
    press("Tab")
    press("Enter")
    wait_until(lambda: actions(get(desk, order[0]))[-1] == "noted")
    assert get(desk, order[0]).history[-1]["mentions"] == ["Bert"]
    press("Escape")
    press("r")
    page.keyboard.type("Dank, we kijken ernaar")
    press("Control+Enter")
    wait_until(lambda: get(desk, order[0]).state is State.RESOLVED)
    press("Escape")
    expect(page.locator("#total")).to_have_text("4")
    current = page.locator("#pane").get_attribute("data-ticket")
    press("s")
    press("2")
    wait_until(lambda: get(desk, current).snoozed_until)
    expect(page.locator("#total")).to_have_text("3")
    current = page.locator("#pane").get_attribute("data-ticket")
    press("a")
    page.keyboard.type("burgerzaken")
    press("Enter")
    wait_until(lambda: get(desk, current).team == "burgerzaken")
    press("/")
    page.keyboard.type("komt nergens voor")
    expect(page.locator("#total")).to_have_text("0")
    expect(page.locator("#nothing-fits")).to_be_visible()
    press("Control+a")
    press("Delete")
    expect(page.locator("#total")).to_have_text("2")
    press("Escape")
    press("Home")
    press("x")
    press("Shift+ArrowDown")
    expect(page.locator("#bulk-count")).to_have_text("2")
    press("Escape")
    expect(page.locator("#bulk")).to_be_hidden()
    press("?")
    expect(page.locator("#keys")).to_be_visible()
    press("Escape")
    press("Control+k")
    page.keyboard.type("alle wachtrijen")
    press("Enter")
    page.wait_for_url(re.compile(r"/$"))


def test_tomorrow_at_nine_is_that_of_the_organisation(desk: Desk) -> None:
    """Also more than a day ahead, where the browser is elsewhere, and when the clocks change."""
    desk.server.fill(1, team=TEAM)
    page = queue_page(desk, timezone_id="Pacific/Auckland")
    nights = {
        "2026-03-02T06:00:00+01:00": "2026-03-03T09:00:00+01:00",
        "2026-03-02T23:59:00+01:00": "2026-03-03T09:00:00+01:00",
        "2026-03-28T12:00:00+01:00": "2026-03-29T09:00:00+02:00",
        "2026-10-24T08:00:00+02:00": "2026-10-25T09:00:00+01:00",
    }
    for evening, morning in nights.items():
        found = page.evaluate(
            "async (at) => (await import(new URL('menu.js', document.querySelector("
            "'script[type=module]').src))).morningAfter(Date.parse(at), 'Europe/Amsterdam')",
            evening,
        )
        assert found == datetime.fromisoformat(morning).timestamp() * 1000, evening
    (ticket,) = desk.server.queue.list(desk.server.org, TEAM, now=now())
    page.keyboard.press("j")
    shown(page, ticket.id)
    page.keyboard.press("s")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.press("4")
    wait_until(lambda: get(desk, ticket.id).snoozed_until)
    until = get(desk, ticket.id).snoozed_until
    assert until
    there = until.astimezone(desk.server.profile.timezone)
    assert f"{there:%H:%M}" == "09:00"
    assert timedelta(hours=8) < until - now() < timedelta(hours=34)


def test_back_in_the_queue_and_open_again(desk: Desk) -> None:
    """What was set aside waits again by key and by command; so does what was resolved."""
    (ticket,) = desk.server.fill(1, team=TEAM)
    queue = desk.server.queue
    more: dict[str, Any] = {"by": "Bert", "now": now()}
    queue.snooze(ticket, until=now() + timedelta(hours=9), token=None, request="s", **more)
    page = queue_page(desk, query="?show=uitgesteld")
    press = page.keyboard.press
    press("j")
    shown(page, ticket)
    press("Control+k")
    page.keyboard.type("terug in de rij")
    press("Enter")
    wait_until(lambda: actions(get(desk, ticket))[-2:] == ["claimed", "released"])
    assert get(desk, ticket).snoozed_until is None
    expect(page.locator("[data-act=wake]")).to_have_count(0)
    queue.snooze(ticket, until=now() + timedelta(hours=9), token=None, request="t", **more)
    expect(page.locator("[data-act=wake]")).to_be_visible()
    press("b")
    wait_until(lambda: actions(get(desk, ticket))[-3:] == ["snoozed", "claimed", "released"])
    page.goto(f"{desk.server.address}/tickets/{ticket}")
    held = queue.claim(ticket, owner="Bert", seconds=60, now=now(), request="c").claim
    assert held
    queue.resolve(ticket, Change(outcome="geen-actie"), token=held.token, request="r", **more)
    expect(page.get_by_role("button", name=re.compile("^Heropenen"))).to_be_visible()
    press("h")
    wait_until(lambda: get(desk, ticket).state is State.OPEN)
    press("?")
    for does in ("naar Signalen", "heropenen", "terug in de rij"):
        expect(page.locator("#keys")).to_contain_text(does)


def test_letters_can_be_switched_off(desk: Desk) -> None:
    """Who dictates or has a tremor switches single letters off; arrows go on working."""
    tickets = desk.server.fill(2, team=TEAM)
    page = queue_page(desk)
    page.keyboard.press("?")
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.locator("#list").focus()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#pane")).to_be_visible()
    page.keyboard.press("c")
    page.wait_for_timeout(300)
    assert all(get(desk, ticket).claim is None for ticket in tickets)


def test_two_agents_race_for_a_ticket(desk: Desk) -> None:
    """One gets it; the other sees who has it, without a reload, and her click is taken back."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    anna, bert = queue_page(desk, "Anna"), queue_page(desk, "Bert")
    for page in (anna, bert):
        page.keyboard.press("j")
        shown(page, ticket)
    bert.route("**/events*", lambda route: route.abort())
    anna.keyboard.press("c")
    held(anna)
    bert.keyboard.press("c")
    expect(bert.locator("#toasts")).to_contain_text("Anna heeft dit ticket")
    expect(bert.locator("#claim-state")).to_contain_text("bij Anna")
    assert bert.locator("#pane[data-token]").count() == 0
    assert get(desk, ticket).claim
    anna.keyboard.press("u")
    expect(bert.locator("#claim-state")).to_contain_text("Nog niet opgepakt")


def test_a_colleagues_claim_shows_at_once(desk: Desk) -> None:
    """The list and the open ticket follow what others do; focus and what is typed stay."""
    ticket = desk.server.fill(2, team=TEAM)[0]
    page = queue_page(desk)
    page.goto(f"{desk.server.address}/teams/{TEAM}#{ticket}")
    shown(page, ticket)
    page.locator("#reply").fill("Half geschreven")
    page.locator("#note").fill("ook dit")
    page.locator("#reply").focus()
    held_by = desk.server.queue.claim(
        ticket, owner="Bert", seconds=300, now=now(), request="bert-1"
    )
    assert held_by.claim
    expect(page.locator("#claim-state")).to_contain_text("bij Bert")
    expect(page.locator(f"#row-{ticket.replace('.', chr(92) + '.')}")).to_contain_text("bij Bert")
    assert page.evaluate("document.activeElement.id") == "reply"
    assert page.locator("#reply").input_value() == "Half geschreven"
    assert page.locator("#note").input_value() == "ook dit"
    page.reload()
    shown(page, ticket)
    assert page.locator("#reply").input_value() == "Half geschreven"


def test_an_edit_and_a_withdrawal_show_at_once(desk: Desk) -> None:
    """Who has the ticket open is told, and the text on the screen is the one that stands."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    page = queue_page(desk)
    page.keyboard.press("j")
    page.keyboard.press("c")
    held(page)
    put, org = desk.server.queue.put, desk.server.org
    put(org, [desk.server.entry("p-0", text="Nu ook brand", team=TEAM)], now=now(), request="e")
    expect(page.locator("#toasts")).to_contain_text("zojuist gewijzigd")
    expect(page.locator("#post-text")).to_have_text("Nu ook brand")
    put(org, [desk.server.entry("p-0", text="", deleted=True, team=TEAM)], now=now(), request="d")
    expect(page.locator("#toasts")).to_contain_text("beantwoord het niet")
    expect(page.locator("#reader")).to_contain_text("De afzender heeft dit bericht ingetrokken")
    assert "brand" not in page.locator("#pane").inner_text()
    assert get(desk, ticket).claim


def test_an_expired_lease_is_shown_and_a_late_answer_refused(desk: Desk) -> None:
    """A lease that ran out and went to a colleague: the answer is refused, and what was typed stays."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    page = queue_page(desk)
    page.keyboard.press("j")
    page.keyboard.press("c")
    held(page)
    token = get(desk, ticket).claim
    assert token
    page.context.set_offline(True)
    later = now()
    desk.server.queue.release(ticket, token=token.token, now=later, request="weg")
    desk.server.queue.claim(ticket, owner="Bert", seconds=300, now=later, request="bert")
    page.locator("#reply").fill("Te laat")
    page.keyboard.press("Control+Enter")
    page.context.set_offline(False)
    expect(page.locator("#toasts")).to_contain_text("Bert heeft dit ticket", timeout=30_000)
    assert get(desk, ticket).state is State.OPEN
    shown(page, ticket)
    expect(page.locator("#claim-state")).to_contain_text("bij Bert")
    assert page.locator("#reply").input_value() == "Te laat"


def test_an_open_ticket_keeps_its_lease(desk: Desk) -> None:
    """While it is open the lease is renewed by itself."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    page = queue_page(desk)
    page.keyboard.press("j")
    shown(page, ticket)
    desk.server.queue.claim(ticket, owner="Anna", seconds=12, now=now(), request="kort")
    held(page)
    first = get(desk, ticket).claim
    assert first
    wait_until(lambda: (kept := get(desk, ticket).claim) and kept.until > first.until, seconds=20)
    kept = get(desk, ticket).claim
    assert kept
    assert kept.token == first.token


def test_no_click_is_lost_with_the_connection(desk: Desk) -> None:
    """A server that is killed: the banner tells, what was done is sent once it is back, once."""
    tickets = desk.server.fill(3, team=TEAM)
    page = queue_page(desk)
    page.keyboard.press("j")
    expect(page.locator("#pane")).to_be_visible()
    ticket = page.locator("#pane").get_attribute("data-ticket")
    desk.server.program.kill()
    page.keyboard.press("4")
    expect(page.locator("#offline")).to_be_visible()
    expect(page.locator("#waiting")).to_contain_text("1")
    desk.server.queue.claim(tickets[-1], owner="Bert", seconds=300, now=now(), request="x")
    desk.server.start()
    wait_until(lambda: get(desk, ticket).urgency is Urgency.LAAG, seconds=40)
    expect(page.locator("#offline")).to_be_hidden(timeout=30_000)
    expect(page.locator("#list")).to_contain_text("bij Bert", timeout=20_000)
    assert actions(get(desk, ticket)) == ["corrected"]


def test_a_click_survives_a_reload(desk: Desk) -> None:
    """What was not answered when the page was left is sent by the next page of the tab."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    page = queue_page(desk)
    page.keyboard.press("j")
    shown(page, ticket)
    page.route("**/correct*", lambda route: route.abort())
    page.keyboard.press("4")
    expect(page.locator("#waiting")).to_contain_text("1")
    page.unroute("**/correct*")
    page.reload()
    wait_until(lambda: get(desk, ticket).urgency is Urgency.LAAG)
    assert actions(get(desk, ticket)) == ["corrected"]


def test_an_answer_whose_reply_is_lost_happens_once(desk: Desk) -> None:
    """The request arrives, its answer does not: the same key again, and one event."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    page = queue_page(desk)
    page.keyboard.press("j")
    shown(page, ticket)
    lost: list[int] = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/confirm*", lose)
    page.keyboard.press("y")
    expect(page.locator("#toasts")).to_contain_text("Bevestigd")
    wait_until(lambda: lost == [200])
    wait_until(lambda: actions(get(desk, ticket)) == ["confirmed"])


def test_nobody_confirms_labels_that_they_do_not_see(desk: Desk) -> None:
    """What a colleague changed while it was on its way to the screen is told, and not confirmed."""
    ticket = desk.server.fill(1, team=TEAM)[0]
    page = queue_page(desk)
    page.keyboard.press("j")
    shown(page, ticket)
    page.wait_for_load_state("networkidle")
    sent: list[Any] = []

    def late(route: Any) -> None:
        if not sent:
            desk.server.queue.correct(
                ticket, Change(topic="afval"), token=None, by="Bert", now=now(), request="b"
            )
        sent.append(route.request.post_data_json)
        route.continue_()

    page.route("**/confirm*", late)
    page.keyboard.press("y")
    expect(page.locator("#toasts")).to_contain_text("de labels zijn intussen veranderd")
    assert sent[0].keys() >= {"topic", "urgency", "intent"}
    assert actions(get(desk, ticket)) == ["corrected"]
    expect(page.locator("#pane")).to_have_attribute("data-topic", "afval")
    page.unroute("**/confirm*")
    page.keyboard.press("y")
    wait_until(lambda: actions(get(desk, ticket)) == ["corrected", "confirmed"])


def test_one_answer_for_many(desk: Desk) -> None:
    """All in a filter get one answer; a colleague's ticket stays hers; undo opens the rest again."""
    tickets = desk.server.fill(120, team=TEAM, text="Stroom uit in de Kerkstraat")
    other = desk.server.fill(2, prefix="anders", team=TEAM, text="Iets heel anders")
    desk.server.queue.claim(tickets[7], owner="Bert", seconds=300, now=now(), request="b")
    page = queue_page(desk)
    page.locator("#q").fill("stroom kerkstraat")
    expect(page.locator("#total")).to_have_text("120")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator("#bulk-all").click()
    expect(page.locator("#bulk-count")).to_have_text("120")
    page.locator("#bulk-answer").click()
    page.locator("#bulk-reply").fill("De stroom is er om 12 uur weer.")
    page.locator("#bulk-send").click()
    expect(page.locator("#toasts")).to_contain_text("119 gelukt, 1 niet", timeout=40_000)
    assert get(desk, tickets[7]).state is State.OPEN
    done = get(desk, tickets[8])
    assert (done.state, done.history[-1]["reply"]) == (
        State.RESOLVED,
        "De stroom is er om 12 uur weer.",
    )
    assert all(get(desk, ticket).state is State.OPEN for ticket in other)
    expect(page.locator("#total")).to_have_text("1")
    page.keyboard.press("z")
    wait_until(lambda: all(get(desk, ticket).state is State.OPEN for ticket in tickets), seconds=40)


def test_a_canned_answer_for_many_names_each(desk: Desk) -> None:
    """It is there with no ticket open; each gets it with their own name."""
    names = ("Marieke Jansen", "Piet Post")
    tickets = [
        desk.server.fill(1, prefix=name[:1], team=TEAM, author=Author(id=name, name=name))[0]
        for name in names
    ]
    page = queue_page(desk)
    page.locator(".line").first.click(modifiers=["Control"])
    page.locator("#bulk-all").click()
    expect(page.locator("#bulk-count")).to_have_text("2")
    expect(page.locator("#pane")).to_have_count(0)
    page.locator("#bulk-answer").click()
    page.locator("#bulk-canned").select_option("klacht-gehoord")
    expect(page.locator("#bulk-reply")).to_have_value(re.compile("^Dag {naam}, wat vervelend"))
    page.locator("#bulk-send").click()
    wait_until(lambda: all(get(desk, ticket).state is State.RESOLVED for ticket in tickets))
    for name, ticket in zip(names, tickets, strict=True):
        reply = get(desk, ticket).history[-1]["reply"]
        assert reply.startswith(f"Dag {name}, wat vervelend")
        assert reply.endswith("Groet, Anna")
    expect(page.locator("#bulk-reply")).to_have_value("")  # the next answer begins empty


def test_a_canned_answer_takes_nothing_away(desk: Desk) -> None:
    """It goes to the cursor in what somebody wrote; another one replaces it while it is as it was."""
    desk.server.fill(1, team=TEAM)
    page = queue_page(desk)
    page.keyboard.press("j")
    expect(page.locator("#pane")).to_be_visible()
    page.keyboard.press("x")
    page.locator("#bulk-answer").click()
    for start, choice, field in (
        ("bulk", page.locator("#bulk-canned"), page.locator("#bulk-reply")),
        ("reply", page.locator("#canned"), page.locator("#reply")),
    ):
        if start == "reply":
            page.locator("#bulk-dialog [data-close]").click()
        choice.select_option("compliment")
        choice.select_option("klacht-gehoord")
        canned = field.input_value()
        assert canned.startswith("Dag ")
        assert "wat vervelend" in canned
        assert "wat fijn" not in canned
        field.fill("Voor. Na.")
        field.evaluate("field => field.setSelectionRange(5, 5)")
        choice.select_option("")
        choice.select_option("klacht-gehoord")
        expect(field).to_have_value(f"Voor.\n{canned} Na.")


def test_undo_is_offered_for_what_can_be_taken_back(desk: Desk) -> None:
    """Not for a label once the ticket was claimed; a refusal tells why, and names nobody."""
    (ticket,) = desk.server.fill(1, team=TEAM)
    page = queue_page(desk)
    page.keyboard.press("j")
    shown(page, ticket)
    page.keyboard.press("4")
    wait_until(lambda: get(desk, ticket).urgency is Urgency.LAAG)
    undo = page.locator("#toasts button", has_text="Ongedaan maken")
    expect(undo).to_have_count(1)
    page.keyboard.press("c")
    held(page)
    expect(undo).to_have_count(0)
    page.keyboard.press("z")
    expect(page.locator("#toasts")).to_contain_text("Er is niets om ongedaan te maken")
    page.keyboard.press("2")
    wait_until(lambda: get(desk, ticket).urgency is Urgency.HOOG)
    expect(undo).to_have_count(1)
    desk.server.queue.note(ticket, "Let op", by="Bert", now=now(), request="n")
    page.keyboard.press("z")
    expect(page.locator("#toasts")).to_contain_text("er is intussen iets anders gebeurd")
    assert "heeft dit ticket" not in page.locator("#toasts").inner_text()


def test_a_hand_over_is_taken_back_as_such(browser: Any, api_server: Any) -> None:
    """After a label and a hand-over, `z` takes back the hand-over, as the message says."""
    with SignalenServer("geheim", ["busy"] * 20) as signalen:
        server = api_server(TRIAGE_SIGNALEN_URL=signalen.url, TRIAGE_SIGNALEN_TOKEN=signalen.token)
        desk = Desk(server=server.start(), browser=browser)
        (ticket,) = desk.server.fill(1, team=TEAM)
        page = queue_page(desk)
        page.keyboard.press("j")
        shown(page, ticket)
        page.keyboard.press("4")
        wait_until(lambda: get(desk, ticket).urgency is Urgency.LAAG)
        page.keyboard.press("g")
        page.locator("#handover-place").fill("Dorpsplein")
        page.keyboard.press("Enter")
        wait_until(lambda: get(desk, ticket).state is State.RESOLVED)
        offer = page.locator(".toast", has=page.locator("button", has_text="Ongedaan maken"))
        expect(offer).to_have_count(1)
        expect(offer).to_contain_text("Gaat naar Signalen")
        page.keyboard.press("z")
        wait_until(lambda: get(desk, ticket).state is State.OPEN)
        found = get(desk, ticket)
        assert (found.urgency, found.claim) == (Urgency.LAAG, None)
        desk.close()
        assert not desk.complaints


def test_filters_and_saved_views(desk: Desk) -> None:
    """Filters see the whole queue, stand in the address, and can be kept under a name."""
    desk.server.fill(30, prefix="n", team=TEAM)
    desk.server.fill(4, prefix="h", team=TEAM, urgency=Urgency.HOOG, channel="facebook")
    page = queue_page(desk)
    page.locator("#filters-open").click()
    page.locator("select[name=urgency]").select_option("hoog")
    expect(page.locator("#total")).to_have_text("4")
    expect(page.locator(".line")).to_have_count(4)
    assert "urgency=hoog" in page.url
    page.once("dialog", lambda dialog: dialog.accept("Haast"))
    page.locator("#view-save").click()
    page.locator("#filters-clear").click()
    expect(page.locator("#total")).to_have_text("34")
    page.reload()
    page.locator("#filters-open").click()
    page.locator("#views").select_option("Haast")
    expect(page.locator("#total")).to_have_text("4")


def test_the_next_one_is_of_the_filter(desk: Desk) -> None:
    """Claiming the next keeps to what is shown; where nothing fits, it says so and can be undone."""
    desk.server.fill(2, prefix="n", team=TEAM, minutes=10)
    first, second = desk.server.fill(2, prefix="h", team=TEAM, channel="facebook")
    order = [one.id for one in desk.server.queue.list(desk.server.org, TEAM, now=now())]
    first, second = sorted((first, second), key=order.index)
    page = queue_page(desk, query="?channel=facebook")
    expect(page.locator(".line")).to_have_count(2)
    page.keyboard.press("n")
    shown(page, first)
    held(page)
    desk.server.queue.claim(second, owner="Bert", seconds=300, now=now(), request="b")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("#toasts")).to_contain_text("Niets wat vrij is past bij dit filter")
    claims = [get(desk, ticket).claim for ticket in order]
    assert [claim and claim.owner for claim in claims] == [None, None, "Anna", "Bert"]


def test_no_hits_are_no_empty_queue(desk: Desk) -> None:
    """With open filters the words lie across nothing; the button beside them clears the filter."""
    desk.server.fill(2, team=TEAM)
    page = desk.person("Anna", f"/teams/{TEAM}?q=bestaatniet&urgency=hoog")
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator("#filters-open").click()
    expect(page.locator("#nothing")).to_be_hidden()
    expect(page.locator("#nothing-fits")).to_contain_text("Niets past bij dit filter")
    filters, words = (page.locator(one).bounding_box() for one in ("#filters", "#nothing-fits"))
    assert filters
    assert words
    assert words["y"] >= filters["y"] + filters["height"]
    page.locator("#nothing-fits button").click()
    expect(page.locator(".line")).to_have_count(2)
    expect(page.locator("#nothing-fits")).to_be_hidden()
    expect(page.locator("#list")).to_be_focused()
    empty = desk.person("Bert", f"/teams/{list(desk.server.profile.teams)[-1]}")
    expect(empty.locator("#nothing")).to_have_text("Er wacht niets.")


def test_the_board_follows_and_tells_of_critical_tickets(desk: Desk) -> None:
    """New tickets show without a reload; a critical one is said politely; focus stays."""
    page = desk.person("Anna")
    row = page.locator("tr", has_text="Beheer openbare ruimte")
    row.get_by_role("link").focus()
    before = page.evaluate("document.activeElement.id")
    desk.server.fill(2, prefix="k", team=TEAM, urgency=Urgency.KRITIEK)
    expect(row.locator(".count.kritiek")).to_have_text("2")
    expect(page.locator("#announce")).to_have_text("2 nieuwe kritieke berichten")
    page.evaluate("document.title = '(2!) Wachtrijen'")
    desk.server.fill(1, prefix="m", team=TEAM)
    expect(page.locator("#board .sum strong").first).to_have_text("3")
    assert page.title() == "(2!) Wachtrijen"
    assert page.evaluate("document.activeElement.id") == before
    desk.server.queue.claim_next(
        desk.server.org, TEAM, owner="Bert", seconds=60, now=now(), request="b"
    )
    expect(row.locator(".people")).to_have_text("Bert")


def test_a_lead_is_told_what_is_measured_and_what_is_not(desk: Desk) -> None:
    """No forecast from minutes of counting; the file has the page's words, in either language."""
    desk.server.fill(3, team=TEAM)
    page = desk.person("Lea", "/sturing", role=Role.TEAMLEIDER)
    address = f"{desk.server.address}/sturing"
    wait_until(lambda: "Beheer openbare ruimte;" in page.request.get(f"{address}.csv").text())
    page.reload()
    coming = page.locator("table", has_text="Medewerkers nodig")
    expect(coming).to_contain_text("met de aangenomen behandeltijd")
    expect(coming).to_contain_text("nog te weinig gemeten")
    assert set(coming.locator("td.number").all_inner_texts()) == {"–"}
    dutch = page.request.get(f"{address}.csv").text().removeprefix("\ufeff").splitlines()
    assert dutch[0].startswith("Team;Uur;Binnengekomen;Afgehandeld;Op tijd;Te laat;Heropend;")
    page.locator("#language").click()
    expect(page.locator("h1")).to_have_text("Planning")
    english = page.request.get(f"{address}.csv").text().removeprefix("\ufeff").splitlines()
    assert english[0].startswith("Team;Hour;Arrived;Handled;In time;Overdue;Reopened;")
    assert english[1:] == dutch[1:]


def test_on_a_phone(desk: Desk) -> None:
    """At 320 pixels: one pane at a time, nothing to scroll sideways, back leads to the list."""
    desk.server.fill(3, team=TEAM, text="Een lang bericht " * 30)
    page = queue_page(desk, viewport={"width": 320, "height": 640}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    expect(page.locator("#reader")).to_be_hidden()
    page.locator(".line").first.tap()
    expect(page.locator("#pane")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert not violations(page)
    page.go_back()
    expect(page.locator("#list")).to_be_visible()


def test_a_reader_may_look_and_a_stranger_may_not(desk: Desk) -> None:
    """Who may only read gets no buttons to act with; who works elsewhere does not see the queue."""
    desk.server.fill(1, team=TEAM)
    page = queue_page(desk, "Lea", role=Role.LEZER)
    page.keyboard.press("j")
    expect(page.locator("#pane")).to_be_visible()
    assert page.locator("[data-act=claim]").count() == 0
    other = desk.person("Piet", f"/teams/{TEAM}", teams=frozenset({"burgerzaken"}))
    expect(other.get_by_role("alert")).to_contain_text("niet voor dit team")


XSS = [
    "<script>document.title='kwaad'</script>",
    "<img src=x onerror=\"document.title='kwaad'\">",
    "</textarea></script><svg onload=document.title='kwaad'>",
    '"><iframe srcdoc="<script>parent.document.title=\'kwaad\'</script>">',
    "{{7*7}} ${7*7} <%= 7*7 %> {% raw %}",
    "javascript:document.title='kwaad'",
    "]]></x><!--<script>document.title='kwaad'//-->",
    "' autofocus onfocus=document.title='kwaad' x='",
]


@pytest.mark.parametrize("where", ["text", "name", "link"])
def test_nothing_that_a_citizen_sends_is_run(desk: Desk, where: str) -> None:
    """Script in a text, name, link, note or answer stays text on every page."""
    for number, evil in enumerate(XSS):
        fields: dict[str, Any] = {"text": "gewoon"}
        if where == "text":
            fields["text"] = evil
        elif where == "name":
            fields["author"] = Author(id=evil[:200], name=evil[:200])
        else:
            fields |= {"url": evil, "attachments": (evil, f"https://goed.example/{evil}")}
        ticket = desk.server.fill(1, prefix=f"x{number}", team=TEAM, **fields)[0]
        held_by = desk.server.queue.claim(
            ticket, owner="Anna", seconds=300, now=now(), request=f"c{number}"
        )
        desk.server.queue.note(ticket, evil, by=evil[:60], now=now(), request=f"n{number}")
        assert held_by.claim
    page = queue_page(desk)
    page.evaluate("document.title = 'goed'")
    for _ in XSS:
        page.keyboard.press("j")
        page.wait_for_timeout(150)
    tickets = page.evaluate("[...document.querySelectorAll('.line')].map((l) => l.dataset.id)")
    assert page.title() == "goed"
    assert page.locator("iframe, .line img, .pane img, .pane script").count() == 0
    for ticket in tickets[:3]:
        page.goto(f"{desk.server.address}/tickets/{ticket}")
        assert "kwaad" not in page.title()
        hrefs = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.protocol)")
        assert set(hrefs) <= {"http:", "https:"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_on_any_page(desk: Desk, scheme: str) -> None:
    """axe-core finds no violation of WCAG 2.2 AA, light and dark, with dialogs open too."""
    for urgency in Urgency:
        desk.server.fill(3, prefix=urgency, team=TEAM, urgency=urgency, minutes=-5)
    ticket = desk.server.queue.list(desk.server.org, TEAM, now=now())[0].id
    desk.server.queue.correct(
        ticket,
        Change(topic="overig", note="zo"),
        token=None,
        by="Bert",
        now=now(),
        request="r",
    )
    page = desk.person("Anna", color_scheme=scheme, role=Role.TEAMLEIDER)
    found = violations(page)
    for path in ("/sturing", "/api/docs", f"/tickets/{ticket}", "/bestaat-niet", "/aanmelden"):
        page.goto(desk.server.address + path)
        found += violations(page)
    page.goto(f"{desk.server.address}/teams/{TEAM}")
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator("#list").focus()
    page.keyboard.press("j")
    page.keyboard.press("c")
    held(page)
    page.locator("#filters-open").click()
    page.evaluate(
        "for (const part of document.querySelectorAll('#reader details')) part.open = true"
    )
    expect(page.locator(".loaded").last).not_to_contain_text("Even laden")
    found += violations(page)
    for keys in ("Control+k", "?", "t"):
        page.locator("#list").focus()
        page.keyboard.press(keys)
        expect(page.locator("dialog[open]")).to_be_visible()
        found += violations(page)
        page.keyboard.press("Escape")
    page.keyboard.press("x")
    page.locator("#bulk-answer").dispatch_event("click")  # the list moves it about
    found += violations(page)
    assert found == []


def test_it_works_at_twice_the_size(desk: Desk) -> None:
    """At 200% (half the width and height) all is there and nothing hides behind something else."""
    desk.server.fill(3, team=TEAM)
    page = queue_page(desk, viewport={"width": 683, "height": 410})
    assert page.evaluate("document.documentElement.scrollWidth") <= 683
    page.locator(".line").first.click()
    page.locator("#resolve").scroll_into_view_if_needed()
    expect(page.locator("#resolve")).to_be_in_viewport()


@pytest.mark.parametrize("width", [320, 683, 1366])
def test_nothing_is_cut_off_at_any_width(desk: Desk, width: int) -> None:
    """No page is wider than its window; figures of a team fit their cells; chips keep to a column."""
    tickets = desk.server.fill(3, team=TEAM, urgency=Urgency.KRITIEK)
    desk.server.queue.correct(
        tickets[0],
        Change(topic="cultuur-sport-evenementen"),
        by="Wilhelmina van Oudenaarden",
        token=None,
        now=now(),
        request="c",
    )
    view = {"width": width, "height": 640}
    page = desk.person("Lea", "/", viewport=view, role=Role.BEHEERDER)
    for path in ("/", "/sturing", "/labels", "/labels/een-voor-een", f"/tickets/{tickets[0]}"):
        page.goto(desk.server.address + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        cut = page.evaluate(
            "[...document.querySelectorAll('.queues td')].filter((cell) => cell.scrollWidth >"
            " cell.clientWidth + 1).map((cell) => cell.textContent)"
        )
        assert cut == [], path
    lefts = page.evaluate(
        "[...document.querySelectorAll('.labels .chip')].map((chip) => chip.getBoundingClientRect())"
        ".map(({ left }) => Math.round(left))"
    )
    legends = page.evaluate(
        "[...document.querySelectorAll('.labels legend')].map((one) => one.getBoundingClientRect())"
        ".map(({ left, right }) => [Math.round(left), Math.round(right)])"
    )
    if width > 900:  # beside their heading, also those of a second line
        assert min(lefts) >= max(right for _, right in legends)
    else:
        assert min(lefts) == legends[0][0]


def test_ten_thousand_tickets(desk: Desk) -> None:
    """A long queue holds few elements, scrolls to its end, and the next ticket comes at a key."""
    desk.server.fill(10_000, team=TEAM)
    page = queue_page(desk)
    expect(page.locator("#total")).to_have_text("10.000")
    assert page.locator(".line").count() < 60
    page.keyboard.press("End")
    last = page.locator('.line[aria-posinset="10000"]')
    expect(last).to_be_visible()
    expect(last).to_have_attribute("data-id", re.compile("."))
    page.keyboard.press("Home")
    page.wait_for_timeout(1000)
    taken = []
    for _ in range(10):
        before = page.locator("#pane").get_attribute("data-ticket")
        start = time.perf_counter()
        page.keyboard.press("j")
        expect(page.locator("#pane")).not_to_have_attribute("data-ticket", before or "")
        taken.append(time.perf_counter() - start)
        page.wait_for_timeout(150)
    assert sorted(taken)[5] < 1.0, taken
