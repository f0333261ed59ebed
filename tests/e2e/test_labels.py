"""The labels page in a real browser: what people said, the export, and the switch of a model."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.plugins.api_server import now
from tests.plugins.desk import Desk, violations
from tests.plugins.programs import wait_until
from triage.access import Role
from triage.classify import default_models_dir
from triage.log import Topic
from triage.log.posts import new_record
from triage.models import Registry
from triage.queue import Change

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)
TEAM = "openbare-ruimte"


def registry(desk: Desk) -> Registry:
    return Registry(desk.server.folder / "data" / "models", default_models_dir())


def copied(desk: Desk) -> str:
    """Put a second version into the registry, which nobody measured."""
    models = registry(desk)
    models.folder.mkdir(exist_ok=True)
    name = f"{models.current()}-2"
    shutil.copytree(models.path(models.current()), models.folder / name)
    return name


def actions(desk: Desk) -> list[str]:
    return [entry.action for entry in desk.server.access.audit("", limit=1000)]


def act(page: Any, button: str) -> None:
    page.get_by_role("button", name=button).click()
    page.wait_for_load_state()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_violations(desk: Desk, scheme: str) -> None:
    """All of the page, with something uncertain on it and a version to promote."""
    ticket = desk.server.fill(2, team=TEAM)[0]
    change = Change(topic="overig", note="zo")
    desk.server.queue.correct(ticket, change, token=None, by="Bert", now=now(), request="r")
    copied(desk)
    page = desk.person("Bea", "/labels", role=Role.BEHEERDER, color_scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_have_text("Labels")
    measured = page.get_by_role("region", name="Wat de modellen waard zijn")
    expect(measured.get_by_role("row", name="gevonden kritieke berichten")).to_contain_text("0,950")
    assert not violations(page)
    if folder := os.environ.get("TRIAGE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"labels-{scheme}.png"), full_page=True)


def test_only_who_may_sees_and_switches(desk: Desk) -> None:
    """An agent sees nothing, a lead no buttons; the gate refuses, and force asks for a reason."""
    version, before = copied(desk), registry(desk).current()
    page = desk.person("Anna", "/labels")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Labels")
    page = desk.person("Leo", "/labels", role=Role.TEAMLEIDER)
    expect(page.get_by_role("heading", level=1)).to_have_text("Labels")
    expect(page.get_by_role("button", name="Live zetten")).to_have_count(0)
    page = desk.person("Lea", "/labels", role=Role.TEAMLEIDER, teams=frozenset({TEAM}))
    expect(page.get_by_role("link", name="Labels downloaden")).to_have_count(0)
    assert page.request.get(f"{desk.server.address}/labels.jsonl").status == 403

    page = desk.person("Bea", "/labels", role=Role.BEHEERDER)
    act(page, "Live zetten")
    expect(page.locator("main")).to_contain_text("niet gemeten op de vaste toetsset")
    assert registry(desk).current() == before
    page.goto(f"{desk.server.address}/labels")
    page.get_by_label("Ook als de poort").check()
    act(page, "Live zetten")
    expect(page.locator("main")).to_contain_text("waarom")
    assert registry(desk).current() == before
    page.goto(f"{desk.server.address}/labels")
    page.get_by_label("Ook als de poort").check()
    page.locator("#why").fill("proef op een rustige dag")
    act(page, "Live zetten")
    expect(page.locator("main")).to_contain_text("tegen de poort in")
    assert registry(desk).current() == version
    act(page, "Terug naar het vorige model")
    expect(page.locator("main")).to_contain_text("teruggezet")
    assert registry(desk).current() == before
    assert [entry.by for entry in registry(desk).history()] == ["Bea", "Bea"]
    assert {"labels.view", "model.force", "model.rollback"} <= set(actions(desk))


def test_the_export_is_a_file_of_rows(desk: Desk) -> None:
    """A lead of all teams gets what people labelled, masked, and that is in the record."""
    entry = desk.server.entry("p", text="Boom op de weg, bel Jan op 06-12345678", team=TEAM)
    desk.server.log.append(Topic.POSTS, [new_record(entry.post)])
    desk.server.queue.put(desk.server.org, [entry], now=now(), request="put")
    change = Change(topic="overig", note="zo")
    desk.server.queue.correct(
        entry.ticket_id, change, token=None, by="Bert", now=now(), request="r"
    )
    wait_until(lambda: any(desk.server.log.scan(Topic.OUTCOMES)))
    page = desk.person("Leo", "/labels", role=Role.TEAMLEIDER)
    expect(
        page.get_by_role("region", name="Eens met het model").get_by_role("row", name="Onderwerp")
    ).to_contain_text("0%")
    answer = page.request.get(f"{desk.server.address}/labels.jsonl")
    (row,) = [json.loads(line) for line in answer.text().splitlines()]
    assert (row["id"], row["labels"]["topic"]) == (entry.ticket_id, "overig")
    assert row["heads"]["topic"] == "corrected"
    assert "06-12345678" not in answer.text()
    assert "Bert" not in answer.text()
    assert "labels.export" in actions(desk)
