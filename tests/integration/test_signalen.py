"""A ticket that is handed over stands in Signalen once, whatever happens on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.plugins.api_server import ApiServer, now
from tests.plugins.brokers import KafkaBroker
from tests.plugins.programs import wait_until
from tests.plugins.redis_server import RedisServer
from tests.servers.signalen import SignalenServer
from triage.queue import Change
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
        wait_until(lambda: noted(server, ticket), seconds=90)
        assert len(signalen.signals) == 1
        assert signalen.asked == ["POST", "GET"]


def test_it_outlives_the_server_and_its_folder_on_sqlite(api_server: Make, tmp_path: Path) -> None:
    """Killed after its 200, and started with nothing but the file of the queue: sent once."""
    folder = tmp_path / "later"

    def move(first: ApiServer) -> ApiServer:
        (folder / "data").mkdir(parents=True)
        for file in (first.folder / "data").glob("triage.db*"):
            shutil.copy(file, folder / "data")
        return ApiServer(folder, **signalen_at(tmp_path))

    check_it_outlives(api_server, tmp_path, {}, move)


@pytest.mark.kafka
@pytest.mark.redis
def test_it_outlives_the_server_and_its_folder_on_redis(
    api_server: Make,
    tmp_path: Path,
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
) -> None:
    """The same with an empty folder beside the same Redis; nothing else comes of the first."""
    redis = new_redis_server()
    redis.start()
    stores: dict[str, Any] = {"broker": new_kafka_broker().start(), "redis": redis}

    def move(_: ApiServer) -> ApiServer:
        return ApiServer(tmp_path / "later", **stores, **signalen_at(tmp_path))

    check_it_outlives(api_server, tmp_path, stores, move)


def signalen_at(tmp_path: Path) -> dict[str, Any]:
    """Give the settings of a hand-over to the Signalen whose address a test wrote down."""
    url = (tmp_path / "signalen").read_text()
    return {"TRIAGE_SIGNALEN_URL": url, "TRIAGE_SIGNALEN_TOKEN": TOKEN}


def check_it_outlives(
    make: Make, tmp_path: Path, stores: dict[str, Any], move: Callable[[ApiServer], ApiServer]
) -> None:
    """Hand two tickets over while Signalen is away, and one of which the answer gets lost."""
    with SignalenServer(TOKEN, ["lost"]) as signalen:
        (tmp_path / "signalen").write_text(signalen.url)
        first = make(**stores, **signalen_at(tmp_path)).start()
        lost, *waiting = first.fill(3, text="Kapotte lantaarn")
        assert hand_over(first, lost).status_code == 200
        wait_until(lambda: signalen.signals)
        # Until its answer is given up nothing else is sent.
        assert [hand_over(first, one, one).status_code for one in waiting] == [200, 200]
        first.program.kill()
        assert len(signalen.signals) == 1
        second = move(first)
        assert not (second.folder / "data" / "signalen.db").exists()
        second.start()
        try:
            tickets = (*waiting, lost)
            wait_until(lambda: all(noted(second, ticket) for ticket in tickets), seconds=120)
            assert {len(noted(second, ticket)) for ticket in tickets} == {1}
            texts = [signal["text"] for signal in signalen.signals]
            assert sorted(texts) == sorted({*texts})
            assert len(texts) == 3
            assert all("Dorpsplein 1" in text for text in texts)
        finally:
            second.close()


def test_many_servers_send_it_once(
    api_server: Make,
    tmp_path: Path,
) -> None:
    """Two servers on one store take turns: each ticket stands in Signalen once."""
    with SignalenServer(TOKEN) as signalen:
        (tmp_path / "signalen").write_text(signalen.url)
        settings = signalen_at(tmp_path)
        first = api_server(**settings).start()
        second = ApiServer(first.folder, **settings).start()
        try:
            tickets = first.fill(12)
            for place, ticket in enumerate(tickets):
                assert hand_over((first, second)[place % 2], ticket, ticket).status_code == 200
            wait_until(lambda: all(noted(first, ticket) for ticket in tickets), seconds=60)
            assert len(signalen.signals) == 12
            assert {len(noted(first, ticket)) for ticket in tickets} == {1}
        finally:
            second.close()


def test_what_was_taken_back_or_withdrawn_is_not_sent(api_server: Make) -> None:
    """Undone before it was sent: nothing. Withdrawn by its sender: nothing, and a note of it.

    What a colleague only opened again is sent: it was given away.
    """
    with SignalenServer(TOKEN) as signalen:
        server = api_server().start()  # sends nothing
        undone, withdrawn, opened = server.fill(3)
        for ticket in (undone, withdrawn, opened):
            held = server.queue.claim(ticket, owner="a", seconds=60, now=now(), request=ticket)
            assert held.claim
            change = Change(outcome="signalen", note="Dorpsplein", hand_over="Dorpsplein")
            more: dict[str, Any] = {
                "token": held.claim.token,
                "by": "a",
                "now": now(),
                "request": f"r{ticket}",
            }
            server.queue.resolve(ticket, change, **more)
        server.queue.undo(undone, by="a", now=now(), request="u")
        server.queue.reopen(opened, Change(), by="b", now=now(), request="o")
        gone = server.entry("p-1", text="", deleted=True)
        server.queue.put(server.org, [gone], now=now(), request="weg")
        server.program.stop()
        (server.folder / "signalen").write_text(signalen.url)
        later = ApiServer(server.folder, **signalen_at(server.folder)).start()
        try:
            wait_until(lambda: noted(later, withdrawn) and noted(later, opened), seconds=40)
            assert noted(later, withdrawn) == [
                "ingetrokken door de afzender voor het verstuurd was"
            ]
            assert noted(later, opened) == ["melding 1000"]
            at = now() + timedelta(days=1)
            wait_until(
                lambda: later.queue.take_hand_over(later.org, now=at, until=at) is None, seconds=40
            )
            assert noted(later, undone) == []
            assert len(signalen.signals) == 1
        finally:
            later.close()


def test_taken_back_it_is_as_free_as_it_was(api_server: Make) -> None:
    """Handing over and taking back leaves no claim in a colleague's way."""
    with SignalenServer(TOKEN, ["busy"] * 9) as signalen:
        server = serve(api_server, signalen)
        ticket = server.fill(1)[0]
        assert hand_over(server, ticket).status_code == 200
        server.queue.undo(ticket, by="anna", now=now(), request="u")
        stands = get(server, ticket)
        assert (stands.state, stands.claim) == (State.OPEN, None)


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
