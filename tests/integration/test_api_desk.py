"""Working a queue over the API: order, claims, refusals, decisions and the stream of events."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tests.plugins.api_server import ApiServer, now
from tests.plugins.programs import wait_until
from triage.cli.web import web_config
from triage.lane import Look
from triage.log import Topic
from triage.metrics import Metrics
from triage.post import Author
from triage.queue import Queue
from triage.settings import Settings
from triage.ticket import Urgency
from triage.web.app import create_app

Make = Callable[..., ApiServer]


@pytest.fixture
def server(api_server: Make) -> ApiServer:
    """Give a running server without tokens, on loopback."""
    return api_server().start()


@pytest.fixture
def client(server: ApiServer) -> Iterator[httpx.Client]:
    """Give a client of the server."""
    with server.client() as client:
        yield client


def act(client: httpx.Client, ticket: str, action: str, **body: Any) -> httpx.Response:
    return client.post(f"/api/v1/tickets/{ticket}/{action}", json={"owner": "anna", **body})


def claim(client: httpx.Client, ticket: str, owner: str = "anna", **more: Any) -> int:
    answer = act(client, ticket, "claim", owner=owner, **more)
    assert answer.status_code == 200, answer.text
    token: int = answer.json()["claim"]["token"]
    return token


def outcomes(server: ApiServer) -> list[tuple[str, str]]:
    found = [json.loads(record.value or b"") for record in server.log.scan(Topic.OUTCOMES)]
    return [(data["ticket"], data["type"]) for data in found]


def test_queues_show_every_team_in_the_order_of_the_profile(
    server: ApiServer, client: httpx.Client
) -> None:
    """Every team is there, also an empty one; depth and breaches per urgency add up."""
    first, second = list(server.profile.teams)[:2]
    server.fill(2, prefix="a", team=first, urgency=Urgency.KRITIEK, minutes=-5)
    server.fill(1, prefix="b", team=second)
    found = client.get("/api/v1/queues").json()
    assert found["org"] == server.org
    assert [team["team"] for team in found["teams"]] == list(server.profile.teams)
    by_team = {team["team"]: team for team in found["teams"]}
    assert by_team[first]["name"] == server.profile.teams[first].name
    critical = next(u for u in by_team[first]["urgencies"] if u["urgency"] == "kritiek")
    assert (critical["depth"], critical["breached"]) == (2, 2)
    assert datetime.fromisoformat(critical["oldest_due"]) < now()
    assert sum(u["depth"] for u in by_team[second]["urgencies"]) == 1
    assert client.get("/api/v1/queues", params={"org": "nergens"}).status_code == 404


def test_claim_next_gives_the_most_urgent_and_nobody_the_same(
    server: ApiServer, client: httpx.Client
) -> None:
    """Tickets come in the order of the list, each to one person; then 204."""
    team = next(iter(server.profile.teams))
    late = server.fill(1, prefix="laat", minutes=90)
    soon = server.fill(1, prefix="snel", minutes=10)
    critical = server.fill(1, prefix="nood", minutes=300, urgency=Urgency.KRITIEK)
    listed = client.get(f"/api/v1/queues/{team}/tickets").json()["tickets"]
    assert [ticket["id"] for ticket in listed] == [*critical, *soon, *late]
    page = client.get(f"/api/v1/queues/{team}/tickets", params={"limit": 1, "offset": 1})
    assert [ticket["id"] for ticket in page.json()["tickets"]] == soon
    path = f"/api/v1/queues/{team}/claim"
    taken = [client.post(path, json={"owner": f"p{n}"}) for n in range(4)]
    assert [answer.status_code for answer in taken] == [200, 200, 200, 204]
    ids = [
        ticket["id"]
        for ticket in client.get(f"/api/v1/queues/{team}/tickets").json()["tickets"]
        if ticket["claim"]["owner"] in {"p0", "p1", "p2"}
    ]
    assert ids == [*critical, *soon, *late]
    assert "token" not in json.dumps(client.get(f"/api/v1/tickets/{soon[0]}").json()["claim"])


def test_a_key_sent_again_gets_its_first_answer(server: ApiServer, client: httpx.Client) -> None:
    """The same Idempotency-Key claims one ticket, however often its answer was lost."""
    team = next(iter(server.profile.teams))
    server.fill(3)
    path, key = f"/api/v1/queues/{team}/claim", {"Idempotency-Key": "verloren-antwoord"}
    answers = [client.post(path, json={"owner": "anna"}, headers=key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["claim"]["token"] for answer in answers}) == 1
    listed = client.get(f"/api/v1/queues/{team}/tickets").json()["tickets"]
    assert sum(ticket["claim"] is not None for ticket in listed) == 1


def test_a_conflict_tells_who_has_the_ticket(server: ApiServer, client: httpx.Client) -> None:
    """409 with its code and the holder: claimed, stale token, not claimed, resolved."""
    ticket = server.fill(1)[0]
    token = claim(client, ticket)
    taken = act(client, ticket, "claim", owner="bert")
    assert taken.status_code == 409
    assert taken.json()["code"] == "claimed"
    assert taken.json()["holder"]["owner"] == "anna"
    assert "token" not in taken.text
    without = act(client, ticket, "correct", topic="overig")
    assert (without.status_code, without.json()["code"]) == (409, "claimed")
    released = client.post(f"/api/v1/tickets/{ticket}/release", json={"token": token})
    assert released.status_code in {200, 204}
    newer = claim(client, ticket, owner="bert")
    assert newer > token
    stale = act(client, ticket, "resolve", token=token, outcome="beantwoord")
    assert (stale.status_code, stale.json()["code"]) == (409, "stale-token")
    assert stale.json()["holder"]["owner"] == "bert"
    renewed = client.post(f"/api/v1/tickets/{ticket}/renew", json={"token": newer, "seconds": 60})
    assert renewed.status_code == 200
    done = act(client, ticket, "resolve", owner="bert", token=newer, outcome="beantwoord")
    assert done.status_code == 200
    again = act(client, ticket, "claim")
    assert (again.status_code, again.json()["code"]) == (409, "resolved")


def test_an_expired_claim_is_free_again(server: ApiServer, client: httpx.Client) -> None:
    """A lease of a second ends by itself; the old token is refused after a new claim."""
    ticket = server.fill(1)[0]
    token = claim(client, ticket, seconds=1)
    wait_until(lambda: act(client, ticket, "claim", owner="bert").status_code == 200, seconds=5)
    late = act(client, ticket, "resolve", token=token, outcome="beantwoord")
    assert (late.status_code, late.json()["code"]) == (409, "stale-token")


def test_decisions_are_in_the_outcomes_log_before_the_answer(
    server: ApiServer, client: httpx.Client
) -> None:
    """Right after each 200 the outcome stands in its log."""
    one, two, three, four = server.fill(4)
    other = list(server.profile.teams)[1]
    token = claim(client, one)
    steps = [
        (one, "resolved", act(client, one, "resolve", token=token, outcome="beantwoord")),
        (two, "corrected", act(client, two, "correct", topic="afval-schoon", intent="klacht")),
        (three, "reassigned", act(client, three, "reassign", team=other)),
        (four, "escalated", act(client, four, "escalate")),
    ]
    for ticket, kind, answer in steps:
        assert answer.status_code == 200, answer.text
        assert (ticket, kind) in outcomes(server)
    assert steps[1][2].json()["topic"] == "afval-schoon"
    assert steps[2][2].json()["team"] == other
    assert steps[3][2].json()["urgency"] == "kritiek"


def test_a_confirmation_is_of_what_was_seen(server: ApiServer, client: httpx.Client) -> None:
    """409 names the labels that are others by now; without labels it is about what stands."""
    (ticket,) = server.fill(1)
    shown = client.get(f"/api/v1/tickets/{ticket}").json()
    seen = {head: shown[head] for head in ("topic", "urgency", "intent")}
    assert act(client, ticket, "confirm", **seen).status_code == 200
    token = claim(client, ticket, owner="bo")
    changed = act(client, ticket, "correct", owner="bo", token=token, urgency="hoog")
    assert changed.status_code == 200, changed.text
    answer = act(client, ticket, "confirm", owner="bo", token=token, **seen)
    assert answer.status_code == 409
    told = answer.json()
    assert told["code"] == "labels-changed"
    assert [one["field"] for one in told["errors"]] == ["urgency"]
    again = {**seen, "urgency": "hoog"}
    assert act(client, ticket, "confirm", owner="bo", token=token, **again).status_code == 200
    assert act(client, ticket, "confirm", owner="bo", token=token).status_code == 200
    assert act(client, ticket, "confirm", owner="bo", token=token, urgency="x").status_code == 422
    assert [kind for _, kind in outcomes(server)] == ["confirmed", "corrected", *["confirmed"] * 2]


def test_more_urgent_means_sooner_due(server: ApiServer, client: httpx.Client) -> None:
    """A correction to a higher urgency, and an escalation, bring the due time forward."""
    corrected, escalated = server.fill(2, minutes=6000, urgency=Urgency.LAAG)
    higher = act(client, corrected, "correct", urgency="hoog").json()
    assert datetime.fromisoformat(higher["due_at"]) < now() + timedelta(minutes=6000)
    critical = act(client, escalated, "escalate").json()
    assert datetime.fromisoformat(critical["due_at"]) < now() + timedelta(days=1)


def test_what_does_not_exist_is_told(server: ApiServer, client: httpx.Client) -> None:
    """Unknown tickets are 404; unknown teams, topics, urgencies and intents are 422 or 404."""
    ticket = server.fill(1)[0]
    assert client.get(f"/api/v1/tickets/{server.org}.bestaatniet").status_code == 404
    assert client.get("/api/v1/tickets/nergens.abc").status_code == 404
    assert act(client, f"{server.org}.bestaatniet", "claim").status_code == 404
    assert act(client, ticket, "reassign", team="nergens").status_code == 422
    assert client.get("/api/v1/queues/nergens/tickets").status_code in {404, 422}
    for wrong in ({"topic": "nergens"}, {"urgency": "nergens"}, {"intent": "nergens"}, {}):
        assert act(client, ticket, "correct", **wrong).status_code == 422, wrong
    assert act(client, ticket, "claim", owner="x" * 101).status_code == 422
    assert act(client, ticket, "claim", seconds=0).status_code == 422
    assert act(client, ticket, "claim", onbekend=1).status_code == 422


def test_who_gives_a_ticket_away_may_say_so_again_and_take_it_back(
    server: ApiServer, client: httpx.Client
) -> None:
    """Also into a team one does not work for; nothing else, and not once a colleague is on it."""
    own, other = list(server.profile.teams)[:2]
    bearer = {"Authorization": f"Bearer {server.token(teams=frozenset({own}))}"}
    key = {**bearer, "Idempotency-Key": "verloren-antwoord"}

    def may(ticket: str, action: str, headers: Any = bearer, **body: Any) -> int:
        path, sent = f"/api/v1/tickets/{ticket}/{action}", {"owner": "anna", **body}
        with server.stranger(headers=headers) as one:
            return one.post(path, json=sent).status_code

    for action in ("reassign", "escalate"):
        (ticket,) = server.fill(1, prefix=action, team=own)
        assert [may(ticket, action, key, team=other) for _ in range(2)] == [200, 200]
        assert client.get(f"/api/v1/tickets/{ticket}").json()["team"] == other
        assert may(ticket, "correct", topic="overig") == 403
        assert may(ticket, "undo", owner="bert") == 403
        assert may(ticket, "undo") == 200
        assert client.get(f"/api/v1/tickets/{ticket}").json()["team"] == own
        assert may(ticket, action, team=other) == 200
        claim(client, ticket, owner="bert")
        assert may(ticket, "undo") == 403
    tickets = server.fill(2, prefix="veel", team=own)
    many = {"owner": "anna", "tickets": tickets}
    with server.stranger(headers=bearer) as one:
        for more in ({"action": "reassign", "team": other}, {"action": "undo"}):
            assert one.post("/api/v1/tickets/bulk", json=many | more).json()["done"] == 2


def test_a_list_of_tickets_names_each_once(server: ApiServer, client: httpx.Client) -> None:
    """A ticket with itself or twice the same is refused by the field, not by an error of ours."""
    lead, other = server.fill(2)
    for action in ("merge", "split"):
        for tickets in ([lead], [other, other]):
            answer = act(client, lead, action, tickets=tickets)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "tickets")


def test_the_longest_list_of_tickets_comes_in(server: ApiServer, client: httpx.Client) -> None:
    """Five hundred tickets fit, also of the organisation with the longest name."""
    (lead,) = server.fill(1)
    tickets = [f"{'o' * 40}.{number:016}" for number in range(500)]
    assert act(client, lead, "merge", tickets=tickets).status_code == 404  # not: too large


def test_many_at_once_get_no_label_that_one_would_not(
    server: ApiServer, client: httpx.Client
) -> None:
    """A topic that the profile does not know is refused in bulk too, before anything is done."""
    tickets = server.fill(2)
    many = {"owner": "anna", "action": "correct", "tickets": tickets, "topic": "nergens"}
    answer = client.post("/api/v1/tickets/bulk", json=many)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "topic")
    assert outcomes(server) == []


@pytest.mark.parametrize("outcome", ["gedempt", "signalen"])
def test_what_another_action_says_is_not_chosen(
    server: ApiServer, client: httpx.Client, outcome: str
) -> None:
    """Nobody says that a ticket went to Signalen, or was muted, without doing it."""
    (ticket,) = server.fill(1)
    token = claim(client, ticket)
    body = {"owner": "anna", "outcome": outcome}
    many = {"action": "resolve", "tickets": [ticket]}
    for answer in (
        act(client, ticket, "resolve", token=token, outcome=outcome),
        client.post("/api/v1/tickets/bulk", json=body | many),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "outcome")
        assert "Signalen" in answer.json()["errors"][0]["reason"]
    assert client.get(f"/api/v1/tickets/{ticket}").json()["state"] == "open"


def test_one_answer_to_many_names_each_by_their_own_name(
    server: ApiServer, client: httpx.Client
) -> None:
    """Variables get the values of each ticket; other braces, also in a name, are nobody's."""
    names = ("Marieke", "{team}", "")
    authors = [Author(id="@a", name=name) if name else None for name in names]
    tickets = [server.fill(1, prefix=f"p{n}", author=author)[0] for n, author in enumerate(authors)]
    many = {"owner": "anna", "action": "resolve", "tickets": tickets, "outcome": "beantwoord"}
    text = "Dag {naam}, kenmerk {kenmerk} {zo} {{ {}. Groet, {medewerker}"
    answer = client.post("/api/v1/tickets/bulk", json=many | {"reply": text})
    assert answer.json()["done"] == 3, answer.text
    for name, ticket in zip(names, tickets, strict=True):
        mark = ticket.partition(".")[2]
        assert client.get(f"/api/v1/tickets/{ticket}").json()["history"][-1]["reply"] == (
            f"Dag {name or 'inwoner'}, kenmerk {mark} {{zo}} {{{{ {{}}. Groet, anna"
        )


def test_taking_back_an_answer_to_many_leaves_claims_as_they_were(
    server: ApiServer, client: httpx.Client
) -> None:
    """What nobody had is free for a colleague at once; what one had oneself is one's own still."""
    free, own = server.fill(2)
    claim(client, own)
    many = {"owner": "anna", "tickets": [free, own]}
    for more in ({"action": "resolve", "outcome": "geen-actie"}, {"action": "undo"}):
        assert client.post("/api/v1/tickets/bulk", json=many | more).json()["done"] == 2
    assert client.get(f"/api/v1/tickets/{own}").json()["claim"]["owner"] == "anna"
    claim(client, free, owner="bert")


def test_an_answer_that_is_too_long_once_filled_in_is_refused(
    server: ApiServer, client: httpx.Client
) -> None:
    """It stays open, and the rest of the chosen tickets get theirs."""
    (long,) = server.fill(1, prefix="lang", author=Author(id="@a", name="Een lange naam"))
    (short,) = server.fill(1, prefix="kort", author=Author(id="@b", name="Jo"))
    many = {"owner": "anna", "action": "resolve", "tickets": [long, short], "outcome": "beantwoord"}
    answer = client.post("/api/v1/tickets/bulk", json=many | {"reply": "{naam}" + "x" * 3990})
    assert [(one["done"], one["code"]) for one in answer.json()["results"]] == [
        (False, "too-long"),
        (True, None),
    ]
    assert client.get(f"/api/v1/tickets/{long}").json()["state"] == "open"


# -- events --------------------------------------------------------------------------------------


class Stream(threading.Thread):
    """Reads server-sent events; ``seen`` holds (name, id, data)."""

    def __init__(self, server: ApiServer, last_id: str = "") -> None:
        super().__init__(daemon=True)
        self._server = server
        self._headers = {"Last-Event-ID": last_id} if last_id else {}
        self.opened = threading.Event()
        self.ended = threading.Event()
        self.seen: list[tuple[str, str, dict[str, Any]]] = []

    def run(self) -> None:
        """Read until the server ends it."""
        try:
            with (
                self._server.client(headers=self._headers) as client,
                client.stream("GET", "/api/v1/events", timeout=60) as answer,
            ):
                assert answer.headers["content-type"].startswith("text/event-stream")
                self.opened.set()
                self._read(answer)
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()

    def _read(self, answer: httpx.Response) -> None:
        frame: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(":")
                frame[name] = value.strip()
            elif "event" in frame:
                data = json.loads(frame.get("data") or "{}")
                self.seen.append((frame["event"], frame.get("id", ""), data))
                frame = {}
            else:
                frame = {}

    def await_types(self, ticket: str, *types: str) -> None:
        """Return when exactly this happened to a ticket."""
        wait_until(lambda: self.types(ticket) == list(types), why=lambda: str(self.seen))

    def types(self, ticket: str) -> list[str]:
        """Give what happened to a ticket, in order."""
        return [data["type"] for _, _, data in list(self.seen) if data.get("ticket") == ticket]


def test_events_reach_every_listener_in_order_and_without_text(
    server: ApiServer, client: httpx.Client
) -> None:
    """Two listeners see the same changes in order; no event holds a text or a citizen's name."""
    streams = [Stream(server), Stream(server)]
    for stream in streams:
        stream.start()
        assert stream.opened.wait(10)
    time.sleep(0.6)  # the tail's first look: what was there before is no news
    ticket = server.fill(1, text="Geheime tekst")[0]
    token = claim(client, ticket)
    act(client, ticket, "resolve", token=token, outcome="beantwoord")
    for stream in streams:
        stream.await_types(ticket, "created", "claimed", "resolved")
        assert "Geheime" not in str(stream.seen)
        assert "Jan Jansen" not in str(stream.seen)
    missed_from = streams[0].seen[0][1]
    late = Stream(server, last_id=missed_from)
    late.start()
    wait_until(
        lambda: late.types(ticket) == ["claimed", "resolved"] or "resync" in str(late.seen),
        why=lambda: str(late.seen),
    )


def test_sigterm_ends_open_streams_at_once(server: ApiServer) -> None:
    """Listeners that hold on are let go within three seconds, and the server ends in order."""
    streams = [Stream(server) for _ in range(3)]
    for stream in streams:
        stream.start()
        assert stream.opened.wait(10)
    assert server.program.process is not None
    started = time.monotonic()
    server.program.process.send_signal(signal.SIGTERM)
    for stream in streams:
        assert stream.ended.wait(max(0.0, started + 3 - time.monotonic()))
    assert server.program.wait(20) == 0, server.program.said()
    for stream in streams:
        assert stream.ended.wait(5)


def test_the_page_shows_the_queues(server: ApiServer, client: httpx.Client) -> None:
    """Without JavaScript: a table of all teams with depth, and a page per team with its tickets."""
    team = next(iter(server.profile.teams))
    server.fill(2, text="Boom op de weg bij de brug")
    page = client.get("/").text
    assert "<table" in page
    assert '<html lang="nl"' in page
    for one in server.profile.teams.values():
        assert one.name in page
    assert f'href="/teams/{team}' in page
    tickets = client.get(f"/teams/{team}").text
    assert tickets.count("Boom op de weg bij de brug") >= 2
    docs = client.get("/api/docs")
    assert docs.status_code == 200
    assert "/api/v1/posts" in docs.text
    assert "<script" not in docs.text


def test_metrics_count_requests_by_template(server: ApiServer, client: httpx.Client) -> None:
    """Requests are counted under the template of their route: ids and junk make no series."""
    ticket = server.fill(1)[0]
    for path in (f"/api/v1/tickets/{ticket}", "/api/v1/queues", "/nergens/1", "/nergens/2"):
        client.get(path)
    wait_until(lambda: "triage_queue_tickets{" in client.get("/metrics").text)
    text = client.get("/metrics").text
    assert 'route="/api/v1/tickets/{ticket}",status="2xx"} 1.0' in text
    assert 'route="/api/v1/queues",status="2xx"} 1.0' in text
    assert 'route="other",status="4xx"} 2.0' in text
    assert ticket not in text


class _WithColleague:
    """The queue, with somebody who takes a ticket once it's listed, before anybody can open it."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.wants = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def list(self, org: str, team: str, **more: Any) -> Any:
        """List, and then claim."""
        found = self._queue.list(org, team, **more)
        if self.wants in [ticket.id for ticket in found]:
            self._queue.claim(self.wants, owner="bert", seconds=300, now=now(), request="bert")
        return found


def test_a_post_that_was_just_taken_leaves_the_page_to_the_next(
    api_server: Make, tmp_path: Path
) -> None:
    """The page to label shows the next post when the first one's been taken meanwhile."""
    server = api_server()
    tickets = [
        *server.fill(1, prefix="a", text="Lantaarnpaal kapot bij de Kerkstraat"),
        *server.fill(1, prefix="b", text="Wanneer is het loket open met Pinksteren?"),
    ]
    queue = _WithColleague(server.queue)
    app = create_app(
        web_config(Settings(data=tmp_path), None),
        log=server.log,
        queue=cast("Queue", queue),
        access=server.access,
        profiles={server.org: server.profile},
        metrics=Metrics(),
        look=Look(),
    )

    async def labelled() -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url=server.address, headers=server.bearer
        ) as client:
            page = await client.get("/labels/een-voor-een")
        assert page.status_code == 200, page.text
        (shown,) = [ticket for ticket in tickets if f'data-ticket="{ticket}"' in page.text]
        return shown

    queue.wants = asyncio.run(labelled())
    assert asyncio.run(labelled()) in set(tickets) - {queue.wants}
