"""Threads and bundles in a real browser: replies come in live, messages go out and tickets together."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk, violations
from tests.plugins.programs import wait_until
from triage.post import Author
from triage.queue import Change, Reply
from triage.ticket import State, Ticket, Urgency, ticket_id

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)  # a shared machine may be slow
TEAM = "openbare-ruimte"


def get(desk: Desk, ticket: str) -> Ticket:
    return desk.server.queue.get(ticket, now=now())


def queue_page(desk: Desk) -> Any:
    page = desk.person("Anna", f"/teams/{TEAM}")
    expect(page.locator(".line").first).to_be_visible()
    page.wait_for_function("globalThis.desk !== undefined")
    page.locator("#list").focus()
    return page


def put_reply(desk: Desk, post: str, to: str, text: str, **fields: Any) -> str:
    """Put a reply; give the ticket that it stands in, or its own."""
    entry = desk.server.entry(post, text=text, team=TEAM, in_reply_to=to, **fields)
    reply = Reply(to=ticket_id(desk.server.org, to), others=True)
    entries = [replace(entry, reply=reply)]
    desk.server.queue.put(desk.server.org, entries, now=now(), request=uuid.uuid4().hex)
    found = get(desk, entry.ticket_id)
    return found.within or found.id


def bundle(desk: Desk, count: int) -> list[str]:
    """Give a ticket with others inside it, itself first."""
    tickets = desk.server.fill(count, team=TEAM)
    desk.server.queue.merge(
        tickets[0], tickets[1:], token=None, by="Bert", now=now(), request=uuid.uuid4().hex
    )
    return tickets


def test_a_reply_shows_at_once_and_opens_a_resolved_ticket(desk: Desk) -> None:
    """The holder sees it come in; resolved, the ticket comes back into the queue, and only once."""
    (ticket,) = desk.server.fill(1, team=TEAM)
    page = queue_page(desk)
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#pane[data-token]")).to_be_visible()
    assert put_reply(desk, "r1", "p-0", "Er ligt nu ook een tak") == ticket
    expect(page.locator("#toasts")).to_contain_text("zojuist een reactie")
    expect(page.locator("#thread")).to_contain_text("Er ligt nu ook een tak")
    expect(page.locator("#thread")).to_contain_text("Jan Jansen")
    expect(page.locator(".line .badge").first).to_contain_text("1")
    expect(page.locator("#total")).to_have_text("1")
    beside = put_reply(
        desk,
        "r2",
        "p-0",
        "Er ligt iemand onder",
        author=Author(id="@piet"),
        urgency=Urgency.KRITIEK,
    )
    expect(page.locator("#toasts")).to_contain_text("kritieke reactie")
    expect(page.locator(f"#pane a[href='/tickets/{beside}']")).to_be_visible()
    expect(page.locator("#total")).to_have_text("2")
    token = get(desk, ticket).claim
    assert token
    desk.server.queue.resolve(
        ticket,
        Change(outcome="beantwoord"),
        token=token.token,
        by="Anna",
        now=now(),
        request="r",
    )
    expect(page.locator("#total")).to_have_text("1")
    put_reply(desk, "r3", "r1", "Nog steeds niet weg")
    expect(page.locator("#total")).to_have_text("2")
    expect(page.locator("#thread")).to_contain_text("Nog steeds niet weg")
    page.goto(f"{desk.server.address}/tickets/{beside}")
    expect(page.locator(f"#pane a[href='/tickets/{ticket}']")).to_be_visible()


def test_messages_are_taken_out_by_keyboard(desk: Desk) -> None:
    """`l` goes to where they are chosen, `l` again takes them out; undo puts them back."""
    tickets = bundle(desk, 4)
    put_reply(desk, "r1", "p-0", "En nu?")
    page = queue_page(desk)
    page.keyboard.press("j")
    expect(page.locator("#thread")).to_be_visible()
    page.locator("#copies summary").click()
    expect(page.locator("#copies input[name=member]")).to_have_count(3)
    assert violations(page) == []
    page.keyboard.press("l")
    expect(page.locator("#thread input[name=member]")).to_be_focused()
    page.locator(f"input[value='{tickets[1]}']").focus()
    page.keyboard.press("Space")
    page.locator(f"input[value='{tickets[2]}']").focus()
    page.keyboard.press("Space")
    page.keyboard.press("l")
    expect(page.locator("#toasts")).to_contain_text("2 losgemaakt")
    wait_until(lambda: not get(desk, tickets[1]).within)
    assert get(desk, tickets[2]).within == tickets[1]
    expect(page.locator("#total")).to_have_text("2")
    page.keyboard.press("z")
    wait_until(lambda: get(desk, tickets[1]).within == tickets[0])
    expect(page.locator("#total")).to_have_text("1")
    count = get(desk, tickets[0]).bundle
    assert count
    assert (count["count"], count["replies"]) == (4, 1)


def test_tickets_are_put_together(desk: Desk) -> None:
    """The one that is read leads; it is asked first, one answer resolves all, undo parts them."""
    desk.server.fill(3, team=TEAM)
    order = [ticket.id for ticket in desk.server.queue.list(desk.server.org, TEAM, now=now())]
    page = queue_page(desk)
    press = page.keyboard.press
    press("j")
    press("x")
    press("v")
    expect(page.locator("#toasts")).to_contain_text("ten minste twee")
    press("j")
    expect(page.locator(f'#pane[data-ticket="{order[1]}"]')).to_be_visible()
    press("x")
    press("c")
    expect(page.locator("#pane[data-token]")).to_be_visible()
    page.locator("#list").focus()
    press("v")
    expect(page.locator("#merge-dialog")).to_contain_text("2 tickets gaan samen")
    assert violations(page) == []
    press("Escape")
    expect(page.locator("#merge-dialog")).to_be_hidden()
    assert not get(desk, order[0]).within
    page.locator("#bulk-merge").click()
    page.locator("#merge-send").click()
    expect(page.locator("#toasts")).to_contain_text("2 tickets samengevoegd")
    assert get(desk, order[0]).within == order[1]
    expect(page.locator("#total")).to_have_text("2")
    press("z")
    wait_until(lambda: not get(desk, order[0]).within)
    expect(page.locator("#total")).to_have_text("3")
    assert get(desk, order[0]).state is State.OPEN


def test_an_answered_ticket_stays_with_its_author(desk: Desk) -> None:
    """On the second ticket of somebody the first one is found, also when it was answered."""
    first, second = desk.server.fill(2, team=TEAM, author=Author(id="@piet", name="Piet"))
    claim = desk.server.queue.claim(first, owner="Anna", seconds=60, now=now(), request="c").claim
    assert claim
    change = Change(outcome="beantwoord")
    desk.server.queue.resolve(first, change, token=claim.token, by="Anna", now=now(), request="r")
    page = queue_page(desk)
    page.keyboard.press("j")
    expect(page.locator(f"#pane[data-ticket='{second}']")).to_be_visible()
    page.locator("#same-author summary").click()
    expect(page.locator("#same-author li")).to_have_count(1)
    expect(page.locator("#same-author .badge")).to_have_text("Beantwoord")
    assert violations(page) == []
    page.locator("#same-author a").click()
    expect(page.locator(f"#pane[data-ticket='{first}']")).to_be_visible()
    assert desk.complaints == []
