"""Muting authors over the API: who may, whom never, what it takes, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.plugins.api_server import ApiServer, now
from tests.plugins.desk import Desk
from tests.plugins.programs import wait_until
from triage.access import Role, Scope, audit_pages
from triage.log import Topic
from triage.post import Author
from triage.ticket import Urgency

Make = Callable[..., ApiServer]
SPAMMER = Author(id="@geheime-naam", name="Geheime Naam", followers=2)


@pytest.fixture
def server(api_server: Make) -> ApiServer:
    """Give a running server."""
    return api_server().start()


@pytest.fixture
def client(server: ApiServer) -> Iterator[httpx.Client]:
    """Give a program that may do all."""
    with server.client() as client:
        yield client


def mute(client: httpx.Client, ticket: str, **body: Any) -> httpx.Response:
    body = {"owner": "anna", "days": 7, "reason": "spam"} | body
    return client.post(f"/api/v1/tickets/{ticket}/mute", json=body)


def end(client: httpx.Client, mute: str, owner: str = "anna", **body: Any) -> httpx.Response:
    return client.post(f"/api/v1/mutes/{mute}/end", json={"owner": owner, **body})


def state(client: httpx.Client, ticket: str) -> str:
    found: str = client.get(f"/api/v1/tickets/{ticket}").json()["state"]
    return found


def team_client(server: ApiServer, *scopes: Scope, team: str) -> httpx.Client:
    token = server.token(*scopes, teams=frozenset({team}))
    return server.client(headers={"Authorization": f"Bearer {token}"})


def test_a_mute_takes_what_comes_and_gives_it_back(server: ApiServer, client: httpx.Client) -> None:
    """Muted posts stand resolved and are listed; ended with bring_back they wait again."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    made = mute(client, first)
    assert made.status_code == 200, made.text
    said = made.json()
    assert (said["stands"], said["by"], said["taken"]) == (True, "anna", 0)
    taken = server.fill(3, prefix="spam", author=SPAMMER)
    urgent = server.fill(1, prefix="nood", author=SPAMMER, urgency=Urgency.KRITIEK)
    others = server.fill(2, prefix="ander")
    assert [state(client, ticket) for ticket in taken] == ["resolved"] * 3
    assert [state(client, ticket) for ticket in (first, *urgent, *others)] == ["open"] * 4
    team = next(iter(server.profile.teams))
    waiting = client.get(f"/api/v1/queues/{team}/tickets").json()["tickets"]
    signs = {one["id"]: one["muted_until"] for one in waiting}
    assert signs == {**dict.fromkeys((first, *urgent), said["until"]), **dict.fromkeys(others)}
    assert client.get(f"/api/v1/tickets/{urgent[0]}").json()["muted_until"] == said["until"]
    (listed,) = client.get("/api/v1/mutes").json()["mutes"]
    assert (listed["id"], listed["taken"]) == (said["id"], 3)
    rows = client.get(f"/api/v1/mutes/{said['id']}/tickets").json()
    assert {row["id"] for row in rows} == set(taken)
    page = client.get(f"/api/v1/mutes/{said['id']}/tickets", params={"limit": 1, "offset": 1})
    assert len(page.json()) == 1
    ended = end(client, said["id"], owner="lea", bring_back=False).json()
    assert (ended["brought_back"], ended["mute"]["ended_by"]) == (0, "lea")
    assert state(client, taken[0]) == "resolved"
    back = end(client, said["id"], owner="lea", bring_back=True).json()
    assert (back["brought_back"], back["next"]) == (3, None)
    assert [state(client, ticket) for ticket in taken] == ["open"] * 3
    assert end(client, said["id"], owner="lea", bring_back=True).json()["brought_back"] == 0


def test_taken_back_at_once_it_is_as_if_it_never_was(
    server: ApiServer, client: httpx.Client
) -> None:
    """Who ends a mute within seconds of making it gets all back without asking."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    said = mute(client, first).json()
    taken = server.fill(2, prefix="spam", author=SPAMMER)
    assert end(client, said["id"], owner="anna").json()["brought_back"] == 2
    assert [state(client, ticket) for ticket in taken] == ["open"] * 2
    assert state(client, server.fill(1, prefix="later", author=SPAMMER)[0]) == "open"


def test_many_come_back_in_parts(server: ApiServer, client: httpx.Client) -> None:
    """Two hundred a request; `next` goes on."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    said = mute(client, first).json()
    server.fill(230, prefix="spam", author=SPAMMER)
    part = end(client, said["id"], bring_back=True).json()
    assert (part["brought_back"], part["next"]) == (200, 200)
    rest = end(client, said["id"], bring_back=True, offset=part["next"]).json()
    assert (rest["brought_back"], rest["next"]) == (30, None)


def test_whom_it_never_takes(server: ApiServer, client: httpx.Client) -> None:
    """A key figure, an unknown sender and somebody muted already are refused, and why is said."""
    figure = next(iter(server.profile.key_figures))
    known = replace(SPAMMER, id=figure)
    (ticket,) = server.fill(1, prefix="figuur", author=known)
    refused = mute(client, ticket)
    assert (refused.status_code, refused.json()["code"]) == (409, "key-figure")
    assert "sleutelfiguur" in refused.json()["detail"]
    (nobody,) = server.fill(1, prefix="naamloos", author=None)
    assert mute(client, nobody).json()["code"] == "no-author"
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    assert mute(client, first).status_code == 200
    assert mute(client, first).json()["code"] == "muted"
    assert mute(client, first, days=2).status_code == 422
    assert mute(client, first, reason="anders").status_code == 422
    assert mute(client, f"{server.org}.bestaatniet").status_code == 404
    assert end(client, f"{server.org}.0123456789abcdef0123").status_code == 404
    assert end(client, "nergens.0123456789abcdef0123").status_code == 404


def test_a_key_repeated_mutes_once(server: ApiServer, client: httpx.Client) -> None:
    """The same request sent again gets its first answer."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    body = {"owner": "anna", "days": 1, "reason": "anders", "words": "steeds hetzelfde"}
    answers = [
        client.post(
            f"/api/v1/tickets/{first}/mute", json=body, headers={"Idempotency-Key": "een"}
        ).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0]["words"] == "steeds hetzelfde"
    assert len(client.get("/api/v1/mutes").json()["mutes"]) == 1


def test_who_may(server: ApiServer, client: httpx.Client) -> None:
    """Whoever works a ticket may mute its author; to end that of another takes a lead's right."""
    team, other = list(server.profile.teams)[:2]
    (ticket,) = server.fill(1, prefix="eerst", author=SPAMMER, team=team)
    with team_client(server, Scope.TICKETS_READ, team=team) as reader:
        assert mute(reader, ticket).status_code == 403
    act = (Scope.TICKETS_READ, Scope.TICKETS_ACT)
    with team_client(server, *act, team=other) as stranger:
        assert mute(stranger, ticket).status_code == 403
    with team_client(server, *act, team=team) as agent:
        said = mute(agent, ticket).json()
        assert agent.get("/api/v1/mutes").status_code == 403
        assert end(agent, said["id"], owner="bo").status_code == 403
        assert end(agent, said["id"], owner="anna").status_code == 200
    said = mute(client, ticket).json()
    lead = (*act, Scope.EXPORT_READ)
    with team_client(server, *lead, team=other) as elsewhere:
        assert elsewhere.get("/api/v1/mutes").json()["mutes"] == []
        assert end(elsewhere, said["id"], owner="lea").status_code == 404
    with team_client(server, *lead, team=team) as leader:
        assert leader.get("/api/v1/mutes").json()["mutes"][0]["id"] == said["id"]
        assert end(leader, said["id"], owner="lea").status_code == 200


def test_it_is_in_the_record_and_names_nobody(server: ApiServer, client: httpx.Client) -> None:
    """Who muted and ended stands in the record, by ids; no name in it, in logs, events or metrics."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    said = mute(client, first, reason="anders", words="Geheime Naam scheldt").json()
    server.fill(1, prefix="spam", author=SPAMMER)
    end(client, said["id"], bring_back=True)
    entries = [e for e in audit_pages(server.access) if "mute" in e.action]
    assert [(e.action, e.targets[0]) for e in entries] == [
        ("ticket.mute", first),
        ("mute.end", said["id"]),
        ("mute.bring-back", server.entry("spam-0").ticket_id),
    ]
    wait_until(lambda: len(list(server.log.scan(Topic.OUTCOMES))) == 4)
    told = [json.loads(record.value or b"") for record in server.log.scan(Topic.OUTCOMES)]
    kinds = sorted(one["type"] for one in told)
    assert kinds == ["muted", "reopened", "resolved", "unmuted"]
    metrics = client.get("/metrics").text
    everything = json.dumps(told) + repr(entries) + metrics + server.program.said()
    assert "eheime" not in everything
    assert "@" not in json.dumps(told)


def test_pages_show_it(server: ApiServer) -> None:
    """Leads see who is muted and what it took; agents see the sign, and what was taken."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)
    with server.client() as client:
        said = mute(client, first, reason="anders", words="<b>reclame</b>").json()
    server.fill(1, prefix="spam", author=SPAMMER, text="Koop nu mijn <i>horloges</i>")
    (alarm,) = server.fill(1, prefix="nood", author=SPAMMER, urgency=Urgency.KRITIEK)
    people = Desk(server=server, browser=None)
    lead = {"triage-sessie": people.cookie("lea", role=Role.TEAMLEIDER)}
    agent = {"triage-sessie": people.cookie("bo")}
    with server.stranger(cookies=lead) as window:
        page = window.get("/dempingen").text
        assert "Geheime Naam" in page
        assert "&lt;b&gt;reclame" in page
        assert f'data-end="{said["id"]}"' in page
        took = window.get(f"/dempingen/{said['id']}").text
        assert "Koop nu mijn &lt;i&gt;horloges" in took
        assert window.get(f"/dempingen/{server.org}.0123456789abcdef").status_code == 404
    with server.stranger(cookies=lead | {"taal": "en"}) as window:
        assert "Unmute" in window.get("/dempingen").text
    with server.stranger(cookies=agent) as window:
        assert window.get("/dempingen").status_code == 403
        team = next(iter(server.profile.teams))
        rows = window.get(f"/teams/{team}/rows").json()["rows"]
        assert {row["id"]: "afzender gedempt" in row["html"] for row in rows} == {
            first: True,
            alarm: True,
        }
        assert window.get(f"/teams/{team}").text.count("badge--muted") == 2
        pane = window.get(f"/tickets/{alarm}/pane").text
        assert "omdat het niet kan wachten" in pane
        assert 'data-act="unmute"' not in pane
        near = window.get(f"/tickets/{alarm}/author").text
        assert "Koop nu" in near
        assert "Gedempt" in near


def test_the_sign_follows_what_other_servers_do(server: ApiServer, client: httpx.Client) -> None:
    """A mute that another process made or ended shows at what stands here, without a new start."""
    (first,) = server.fill(1, prefix="eerst", author=SPAMMER)

    def sign() -> str | None:
        found: str | None = client.get(f"/api/v1/tickets/{first}").json()["muted_until"]
        return found

    assert sign() is None
    asked: dict[str, Any] = {"by": "bo", "now": now()}
    until = now() + timedelta(days=1)
    made = server.queue.mute(first, until=until, reason="spam", request="een", **asked)
    wait_until(lambda: sign() is not None)
    server.queue.unmute(made.id, by="bo", now=now(), request="twee")
    wait_until(lambda: sign() is None)
