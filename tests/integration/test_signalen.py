"""A ticket that is handed over stands in Signalen once, whatever happens on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from tests.plugins.api_server import ApiServer, now
from tests.plugins.programs import wait_until
from tests.servers.signalen import SignalenServer
from triage.ticket import State, Ticket

Make = Callable[..., ApiServer]
TOKEN = "geheim-van-signalen"


def serve(api_server: Make, signalen: SignalenServer) -> ApiServer:
    return api_server(
        TRIAGE_SIGNALEN_URL=signalen.url, TRIAGE_SIGNALEN_TOKEN=signalen.token
    ).start()


def hand_over(server: ApiServer, ticket: str, key: str = "een") -> httpx.Response:
    with server.client(headers={"Idempotency-Key": key}) as client:
        return client.post(
            f"/api/v1/tickets/{ticket}/signalen", json={"owner": "anna", "place": "Dorpsplein 1"}
        )


def get(server: ApiServer, ticket: str) -> Ticket:
    return server.queue.get(ticket, now=now())


def noted(server: ApiServer, ticket: str) -> list[str]:
    return [
        item.get("note", "") for item in get(server, ticket).history if item["by"] == "Signalen"
    ]


@pytest.mark.parametrize("script", [[], ["busy"], ["lost"]], ids=["well", "busy", "lost"])
def test_it_stands_there_once(api_server: Make, script: Sequence[str]) -> None:
    """Also when Signalen is busy, or its answer gets lost; the ticket tells the number."""
    with SignalenServer(TOKEN, script) as signalen:
        server = serve(api_server, signalen)
        ticket = server.fill(1, text="Kapotte lantaarn")[0]
        assert hand_over(server, ticket).status_code == 200
        assert hand_over(server, ticket).status_code == 200
        wait_until(lambda: noted(server, ticket), seconds=40)
        assert noted(server, ticket) == ["melding 1000"]
        assert len(signalen.signals) == 1
        signal = signalen.signals[0]
        assert "Kapotte lantaarn" in signal["text"]
        assert signal["location"]["address_text"] == "Dorpsplein 1"
        assert "Jan Jansen" not in str(signal)
        assert get(server, ticket).state is State.RESOLVED


def test_it_is_sent_after_a_restart(api_server: Make) -> None:
    """A server killed before Signalen answered sends it when it is back; once."""
    with SignalenServer(TOKEN, ["lost"]) as signalen:
        server = serve(api_server, signalen)
        ticket = server.fill(1)[0]
        assert hand_over(server, ticket).status_code == 200
        wait_until(lambda: signalen.signals)
        server.program.kill()
        server.start()
        wait_until(lambda: noted(server, ticket), seconds=40)
        assert len(signalen.signals) == 1
        assert signalen.asked == ["POST", "GET"]


def test_a_kill_between_the_steps_loses_and_doubles_nothing(api_server: Make) -> None:
    """Held but not resolved: forgotten. Resolved but still held: sent."""
    with SignalenServer(TOKEN) as signalen:
        server = serve(api_server, signalen)
        given, open_still = server.fill(2)
        assert hand_over(server, given).status_code == 200
        wait_until(lambda: noted(server, given))
        server.program.kill()
        signalen.signals.clear()
        file = sqlite3.connect(Path(server.folder) / "data" / "signalen.db")
        body = '{"text": "t", "location": {}, "incident_date_start": "2026-01-01T00:00:00Z"}'
        file.execute("UPDATE handover SET state = 'held', attempts = 0, body = ?", (body,))
        file.execute(
            "INSERT INTO handover (ticket, body, state, created) VALUES (?, ?, 'held', 0)",
            (open_still, body),
        )
        file.commit()
        file.close()
        server.start()
        wait_until(lambda: signalen.signals)
        assert hand_over(server, open_still, "twee").status_code == 200
        wait_until(lambda: noted(server, open_still))
        assert len(signalen.signals) == 2


def test_what_signalen_refuses_comes_back(api_server: Make) -> None:
    """A refusal opens the ticket again and says so."""
    with SignalenServer(TOKEN, ["refuse"]) as signalen:
        server = serve(api_server, signalen)
        ticket = server.fill(1)[0]
        assert hand_over(server, ticket).status_code == 200
        wait_until(lambda: get(server, ticket).state is State.OPEN)
        assert get(server, ticket).history[-1]["by"] == "Signalen"
        assert signalen.signals == []


def test_a_colleagues_ticket_is_not_handed_over(api_server: Make) -> None:
    """409, and nothing is sent."""
    with SignalenServer(TOKEN) as signalen:
        server = serve(api_server, signalen)
        ticket = server.fill(1)[0]
        server.queue.claim(ticket, owner="bert", seconds=60, now=now(), request="b")
        assert hand_over(server, ticket).status_code == 409
        plain = api_server().start()
        other = plain.fill(1)[0]
        assert hand_over(plain, other).status_code == 404
        assert signalen.asked == []
