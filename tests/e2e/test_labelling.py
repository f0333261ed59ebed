"""Labelling one by one in a real browser, and the words that weighed for a label."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk, violations
from tests.plugins.programs import wait_until
from triage.access import Role
from triage.classify import default_models_dir
from triage.language import Reader
from triage.log import Topic
from triage.models import Registry
from triage.models.live import load_live
from triage.pipeline import Pipeline, Received
from triage.post import Post
from triage.queue import Change
from triage.ticket import Ticket, Urgency

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)  # the first page loads the model
TEAM = "openbare-ruimte"
PAGE = "/labels/een-voor-een"
TEXTS = (
    "Lantaarnpaal kapot bij de Kerkstraat, al drie weken donker op de stoep",
    "Er hangt een vreemde geur in de hal van onze flat. Heeft iemand anders daar ook last van?",
    "De wethouder moet zich schamen voor dit plan",
    "Wanneer is het loket open met Pinksteren?",
)


def filled(desk: Desk, texts: tuple[str, ...] = TEXTS) -> list[str]:
    entries = [
        desk.server.entry(f"p{number}", text=text, team=TEAM, author=None)
        for number, text in enumerate(texts)
    ]
    desk.server.queue.put(desk.server.org, entries, now=now(), request="fill")
    return [entry.ticket_id for entry in entries]


def get(desk: Desk, ticket: str) -> Ticket:
    return desk.server.queue.get(ticket, now=now())


def outcomes(desk: Desk) -> list[dict[str, Any]]:
    found = [json.loads(record.value or b"{}") for record in desk.server.log.scan(Topic.OUTCOMES)]
    return sorted(found, key=lambda outcome: outcome["at"])


def shown(page: Any) -> str:
    ticket: str = page.locator("#post").get_attribute("data-ticket")
    return ticket


def place(page: Any, number: int, of: int) -> None:
    expect(page.locator("#post-title")).to_contain_text(f"Bericht {number} van {of}")


def fits(page: Any) -> bool:
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return wide


def test_a_round_by_keyboard(desk: Desk) -> None:
    """Confirm, correct, undo, skip, go back: each label lands once, and is not offered again."""
    tickets = filled(desk)
    due = {ticket: get(desk, ticket).due_at for ticket in tickets}
    page = desk.person("Leo", "/labels", role=Role.TEAMLEIDER)
    page.get_by_role("link", name="Een voor een labelen").click()
    press = page.keyboard.press
    place(page, 1, 4)
    first = shown(page)

    hold(page, "y")
    assert page.evaluate("document.activeElement.id") == "post"
    expect(page.locator("#count")).to_have_text("1 gelabeld in deze zitting")
    expect(page.locator("#last")).to_contain_text("Groen en water · Normaal · Melding")
    wait_until(lambda: [act["type"] for act in outcomes(desk)] == ["confirmed"])

    second = shown(page)
    press("6")
    press("i")
    press("v")
    expect(page.get_by_role("button", name="Bewaar, volgende")).to_be_visible()
    press("y")
    place(page, 3, 4)
    wait_until(lambda: len(outcomes(desk)) == 2)
    said = outcomes(desk)[-1]
    assert (said["type"], said["role"], said["by"]) == ("corrected", "teamleider", "Leo")
    assert said["said"] == {
        "topic": "wegen-straatmeubilair",
        "urgency": "normaal",
        "intent": "vraag",
    }
    assert get(desk, second).due_at == due[second]  # the urgency is what it was

    undone(desk, page, second)
    press("1")
    press("y")
    place(page, 3, 4)
    wait_until(lambda: get(desk, second).urgency is Urgency.KRITIEK)
    skipped = shown(page)
    press("j")
    place(page, 4, 4)
    press("k")
    place(page, 3, 4)
    press("j")
    place(page, 4, 4)
    last = shown(page)
    press("y")
    expect(page.get_by_role("heading", name="Dat waren ze")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "end"
    wait_until(lambda: len(outcomes(desk)) == 5)
    page.get_by_role("link", name="Kijk of er meer zijn").click()
    place(page, 1, 1)
    assert shown(page) == skipped
    expect(page.locator("#count")).to_have_text("3 gelabeld in deze zitting")
    recorded = {(entry.action, entry.targets) for entry in desk.server.access.audit("", limit=500)}
    assert {("ticket.confirm", (first,)), ("ticket.correct", (second,))} <= recorded
    assert ("ticket.view", (last,)) in recorded


def hold(page: Any, key: str) -> None:
    """Hold a key down longer than it takes to the second post, of which it must say nothing."""
    page.keyboard.down(key)
    place(page, 2, 4)
    page.keyboard.down(key)
    page.keyboard.up(key)
    place(page, 2, 4)


def undone(desk: Desk, page: Any, ticket: str) -> None:
    page.keyboard.press("z")
    place(page, 2, 4)
    assert shown(page) == ticket
    expect(page.locator("#count")).to_have_text("1 gelabeld in deze zitting")
    assert get(desk, ticket).topic == "groen-water"


def test_the_next_is_there_before_it_is_asked_for(desk: Desk) -> None:
    """With a server that answers nothing any more the next posts still show; nothing is lost."""
    filled(desk)
    page = desk.person("Leo", PAGE)
    place(page, 1, 4)
    page.wait_for_load_state("networkidle")
    with page.expect_response("**/confirm"):
        page.keyboard.press("y")
    place(page, 2, 4)
    page.route("**/*", lambda route: route.abort())
    page.keyboard.press("y")
    place(page, 3, 4)
    page.keyboard.press("y")
    place(page, 4, 4)
    expect(page.locator("#count")).to_have_text("3 gelabeld in deze zitting")
    page.unroute("**/*")
    wait_until(lambda: len(outcomes(desk)) == 3)


def test_who_may_and_what_colleagues_do(desk: Desk) -> None:
    """Readers may not; a team's own tickets only; what a colleague has or did is not offered."""
    tickets = filled(desk)
    page = desk.person("Rea", PAGE, role=Role.LEZER)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Een voor een labelen")
    assert page.request.get(f"{desk.server.address}{PAGE}/{tickets[0]}").status == 403
    page = desk.person("Kim", PAGE, teams=frozenset({"burgerzaken"}))
    expect(page.get_by_role("heading", name="Er is nu niets te labelen")).to_be_visible()
    assert page.request.get(f"{desk.server.address}{PAGE}/{tickets[0]}").status == 403

    queue = desk.server.queue
    queue.claim(tickets[0], owner="Bert", seconds=300, now=now(), request="c")
    queue.correct(tickets[1], Change(topic="wonen"), token=None, by="Bert", now=now(), request="w")
    wait_until(lambda: len(outcomes(desk)) == 1)
    page = desk.person("Anna", "/")
    page.get_by_role("link", name="Labelen").click()
    place(page, 1, 2)
    taken = shown(page)
    assert taken in tickets[2:]
    queue.confirm(taken, Change(), token=None, by="Bert", now=now(), request="b")
    expect(page.locator("#toasts")).to_contain_text("Een collega was je voor")
    place(page, 1, 1)
    assert shown(page) in set(tickets[2:]) - {taken}
    lead = desk.person("Leo", "/labels", role=Role.TEAMLEIDER)
    expect(
        lead.get_by_role("region", name="Eens met het model").get_by_role("row", name="Onderwerp")
    ).to_contain_text("50%")


def test_nobody_labels_what_nobody_read(desk: Desk) -> None:
    """What changes or comes by itself waits a second; a double click and an old menu label nothing."""
    filled(desk)
    queue = desk.server.queue
    page = desk.person("Leo", PAGE)
    place(page, 1, 4)
    page.wait_for_load_state("networkidle")
    page.locator("[data-step=label]").dblclick()
    place(page, 2, 4)
    expect(page.locator("#count")).to_have_text("1 gelabeld in deze zitting")
    wait_until(lambda: len(outcomes(desk)) == 1)

    at = now()
    page.clock.set_fixed_time(at)
    changed = shown(page)
    queue.escalate(
        changed, Change(urgency=Urgency.KRITIEK), token=None, by="Bert", now=now(), request="e"
    )
    expect(page.locator("#toasts")).to_contain_text("intussen gewijzigd")
    expect(page.locator(".chip[data-urgency=kritiek]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("y")  # meant for what it was
    page.keyboard.press("t")
    queue.claim(changed, owner="Bert", seconds=300, now=now(), request="c")
    expect(page.locator("#toasts")).to_contain_text("Een collega was je voor")
    place(page, 2, 3)
    following = shown(page)
    topic = get(desk, following).topic
    page.keyboard.type("burgerz")
    page.keyboard.press("Enter")
    expect(page.locator("#palette")).to_be_hidden()
    page.keyboard.press("y")  # meant for what was taken
    page.clock.set_fixed_time(at + timedelta(seconds=2))
    page.keyboard.press("y")
    place(page, 3, 3)
    expect(page.locator("#count")).to_have_text("2 gelabeld in deze zitting")
    wait_until(lambda: len(outcomes(desk)) == 3)
    said = outcomes(desk)[-1]
    assert (said["type"], said["ticket"], said["topic"]) == ("confirmed", following, topic)


def test_no_press_is_lost_under_a_look(desk: Desk) -> None:
    """While the page looks whether a post is still the same, a press waits; then it counts."""
    filled(desk)
    page = desk.person("Leo", PAGE)
    place(page, 1, 4)
    first = shown(page)
    card = f"**{PAGE}/{first}*"
    held: list[Any] = []
    holding = True

    def hold_card(route: Any) -> None:
        if holding:
            held.append(route)
        else:
            route.continue_()

    page.route(card, hold_card)
    with page.expect_request(card):
        desk.server.queue.reassign(
            first, Change(team="burgerzaken"), token=None, by="Bert", now=now(), request="r"
        )
    page.keyboard.press("y")
    page.wait_for_timeout(100)
    assert "confirmed" not in [act["type"] for act in outcomes(desk)]
    holding = False
    for route in held:
        route.continue_()
    place(page, 2, 4)
    wait_until(lambda: [act["type"] for act in outcomes(desk)][-1:] == ["confirmed"])
    assert outcomes(desk)[-1]["ticket"] == first


def test_narrow_enlarged_and_without_violations(desk: Desk) -> None:
    """Both pages hold at 320 pixels and at 200%, and axe finds nothing, light and dark."""
    filled(desk)
    for scheme in ("light", "dark"):
        page = desk.person("Leo", PAGE, role=Role.TEAMLEIDER, color_scheme=scheme)
        place(page, 1, 4)
        page.keyboard.press("6")
        assert not violations(page)
        if folder := os.environ.get("TRIAGE_SCREENSHOTS"):
            page.screenshot(path=str(Path(folder) / f"labelling-{scheme}.png"))
        for path in (PAGE, "/labels"):
            page.goto(f"{desk.server.address}{path}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            for width in (320, 640):  # 640 is a window of 1280 at 200%
                page.set_viewport_size({"width": width, "height": 640})
                assert fits(page), (path, width)
            assert not violations(page)


def test_words_are_told_per_label(desk: Desk) -> None:
    """One key or click shows what weighed for the urgency; the parts sum to the score."""
    server = desk.server
    registry = Registry(server.folder / "data" / "models", default_models_dir())
    pipeline = Pipeline(Reader(), load_live(registry), {server.org: server.profile})
    text = "Gaslucht in het trappenhuis van de flat, bewoners worden misselijk. Geen grap!"
    post = Post(id="g", text=text, created_at=now(), channel="x")
    (entry,) = pipeline.judge([Received(post=post, received_at=now())])
    server.queue.put(server.org, [entry], now=now(), request="g")

    page = desk.person("Anna", f"/tickets/{entry.ticket_id}")
    expect(page.locator("#parts")).to_contain_text("Woog voor ‘Crisis en calamiteit’: gaslucht +")
    page.keyboard.press("w")
    expect(page.locator("#parts")).to_contain_text("Woog voor ‘Kritiek’: Gaslucht +")
    expect(page.get_by_role("button", name="Urgentie", exact=False).first).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator("#post-text")).to_have_text(text)
    told = page.locator("#parts").inner_text().replace("Samen", "=").split()
    numbers = [
        float(word.rstrip(".").replace(",", "."))
        for word in told
        if word[0] in "+-" and len(word) > 1
    ]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.06)
    assert not violations(page)
    page.get_by_role("group", name="Woorden die wogen voor").get_by_text("Onderwerp").click()
    expect(page.locator("#parts")).to_contain_text("Woog voor ‘Crisis en calamiteit’")
    expect(page.locator("#parts")).to_contain_text("Samen")
