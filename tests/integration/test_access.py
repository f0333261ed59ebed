"""The local account, API tokens and the record, as those who run the machine use them."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.plugins.api_server import ApiServer
from tests.plugins.brokers import KafkaBroker, free_port
from tests.plugins.openid import Browser, OpenIdProvider
from tests.plugins.programs import Program, run_triage, wait_until
from tests.plugins.redis_server import RedisServer
from triage.access import Scope, audit_pages

Make = Callable[..., ApiServer]
MakeOpenId = Callable[..., tuple[ApiServer, OpenIdProvider]]


def command(server: ApiServer, *arguments: str) -> tuple[int, str, str]:
    """Run a command on the store of a server."""
    data = ["--data", str(server.folder / "data")]
    done = run_triage(*arguments, *data, cwd=server.folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# -- the local account ---------------------------------------------------------------------------


def test_up_prints_a_link_that_works_once(tmp_path: Path) -> None:
    """`triage up` shows a link: it opens nothing by itself, signs in once, and makes a lead."""
    port = free_port()
    output = tmp_path / "up.log"
    up = Program(*("up", "--data", str(tmp_path / "data"), "--port", str(port)), output=output)
    with up:
        wait_until(lambda: _answers(port), seconds=60, why=up.said)
        found = re.search(r"http://\S+/aanmelden/link\?code=([\w-]{43})", up.said())
        assert found, up.said()
        link, code = urlsplit(found[0]), found[1]
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits) as browser:
            assert browser.get("/", headers={"Accept": "text/html"}).status_code == 303
            for _ in range(2):  # a preview uses nothing up
                page = browser.get(f"{link.path}?{link.query}")
                assert page.status_code == 200
                assert "<form" in page.text
            guess = browser.post("/aanmelden/link", data={"code": "gegokt"})
            assert guess.status_code == 403
            done = browser.post("/aanmelden/link", data={"code": code})
            assert (done.status_code, done.headers["location"]) == (303, "/")
            assert browser.get("/api/v1/audit").status_code == 200
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits) as late:
            again = late.post("/aanmelden/link", data={"code": code})
            assert again.status_code == 403
            assert "triage link" in again.text
            assert late.get("/api/v1/queues").status_code == 401
        served = [line for line in up.said().splitlines() if line.startswith("{")]
        assert code not in "\n".join(served)
        up.stop()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_links_are_for_loopback(api_server: Make, tmp_path: Path) -> None:
    """Where others reach the server a link signs in only when that was asked for."""
    tokens_file = tmp_path / "tokens.json"
    tokens_file.write_text(
        json.dumps({"tokens": [{"name": "a", "sha256": "0" * 64, "scopes": ["read"]}]})
    )
    host = ("--host", "0.0.0.0")
    statuses = []
    for more in ({}, {"TRIAGE_LOCAL_ACCOUNT": "true"}):
        server = api_server(arguments=host, TRIAGE_API_TOKENS_FILE=str(tokens_file), **more).start()
        status, link, said = command(server, "link")
        assert status == 0, said
        code = link.strip().rpartition("code=")[2]
        statuses.append(server.stranger().post("/aanmelden/link", data={"code": code}).status_code)
    assert statuses == [403, 303]


@pytest.mark.parametrize("program", ["up", "serve"])
def test_no_start_on_a_network_without_sign_in(tmp_path: Path, program: str) -> None:
    """On an address of others, without sign-in: status 2 and what to set, in Dutch."""
    data = str(tmp_path / "data")
    done = run_triage(program, "--host", "0.0.0.0", "--data", data, cwd=tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 2, said
    for word in ("bereikbaar voor anderen", "TRIAGE_OIDC_ISSUER", "luister op 127.0.0.1"):
        assert word in said


# -- tokens --------------------------------------------------------------------------------------


def test_tokens_from_the_command_line(api_server: Make) -> None:
    """Made once and shown once, they open what they say, and end with the next request."""
    server = api_server().start()
    status, token, _ = command(server, "token", "create", "kassa", "--scope", "tickets:read")
    token = token.strip()
    assert status == 0
    assert re.fullmatch(r"triage_[\w-]{43}", token)
    status, listed, _ = command(server, "token", "list")
    assert [json.loads(line)["name"] for line in listed.splitlines()] == ["kassa"]
    assert token not in listed
    assert token not in (server.folder / "data" / "triage.db").read_bytes().decode("latin-1")
    with server.stranger(headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get("/api/v1/queues").status_code == 200
        assert client.post("/api/v1/posts", json={"id": "1", "text": "a"}).status_code == 403
        assert command(server, "token", "revoke", "kassa")[0] == 0
        assert client.get("/api/v1/queues").status_code == 401
    assert command(server, "token", "revoke", "kassa")[0] == 1
    status, _, said = command(server, "token", "create", "b", "--scope", "alles")
    assert status == 2
    assert "posts:write" in said


def test_metrics_may_ask_for_a_token(api_server: Make) -> None:
    """Open as before; guarded, only with metrics:read."""
    assert api_server().start().stranger().get("/metrics").status_code == 200
    guarded = api_server(TRIAGE_GUARD_METRICS="true").start()
    asked = {}
    for scope in (Scope.METRICS_READ, Scope.TICKETS_READ):
        header = {"Authorization": f"Bearer {guarded.token(scope)}"}
        asked[scope.value] = guarded.stranger(headers=header).get("/metrics").status_code
    assert guarded.stranger().get("/metrics").status_code == 401
    assert asked == {"metrics:read": 200, "tickets:read": 403}


# -- the record ----------------------------------------------------------------------------------

#: Stands in posts, notes and names of citizens; never in the record.
MARK: Final = "Zq8Merkteken"


def test_every_view_and_action_is_recorded(openid_server: MakeOpenId) -> None:
    """Each with who, what and which ticket; nothing of what stood there; in both formats."""
    server, _ = openid_server()
    team = next(iter(server.profile.teams))
    one, two = server.fill(2, text=f"{MARK} is boos")
    browser = Browser(server)
    browser.sign_in("mo")
    browser.http.get(f"/teams/{team}")
    browser.http.get(f"/teams/{team}")  # the page that renews itself is no second view
    browser.http.get(f"/api/v1/tickets/{one}")
    token = browser.act(one, "claim").json()["claim"]["token"]
    browser.act(one, "renew", token=token)
    browser.act(two, "correct", topic="afval-schoon", note=MARK)
    browser.act(two, "escalate", note=MARK)
    other = list(server.profile.teams)[1]
    browser.act(two, "reassign", team=other)
    assert browser.act(one, "resolve", token=1, outcome="x").status_code == 409
    browser.act(one, "resolve", token=token, outcome="beantwoord", note=MARK)
    expected = [
        ("session.start", ["medewerker"]),
        ("tickets.view", [one, two]),
        ("ticket.view", [one]),
        ("ticket.claim", [one]),
        ("ticket.renew", [one]),
        ("ticket.correct", [two]),
        ("ticket.escalate", [two]),
        ("ticket.reassign", [two]),
        ("ticket.resolve", [one]),
        ("ticket.resolve.refused", [one]),
        ("ticket.resolve", [one]),
    ]
    status, lines, _ = command(server, "audit", "export")
    rows = [json.loads(line) for line in lines.splitlines()]
    assert status == 0
    assert {row["subject"] for row in rows[:-1]} == {"sub-mo"}
    assert [(row["action"], sorted(row["targets"])) for row in rows[:-1]] == [
        (action, sorted(targets)) for action, targets in expected
    ]
    assert rows[-1]["action"] == "audit.export"
    status, text, _ = command(server, "audit", "export", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["action"] for row in table][: len(rows)] == [row["action"] for row in rows]
    assert MARK not in lines + text
    assert "Jan Jansen" not in lines + text
    empty = command(server, "audit", "export", "--until", "2020-01-01")[1]
    assert empty == ""


def test_the_record_is_read_page_by_page(api_server: Make) -> None:
    """GET /api/v1/audit gives all of it, oldest first, to who may; reading is recorded too."""
    server = api_server().start()
    tickets = server.fill(5)
    with server.client() as client:
        for ticket in tickets:
            client.get(f"/api/v1/tickets/{ticket}")
        seen, after = [], ""
        while True:
            page = client.get("/api/v1/audit", params={"limit": 2, "after": after}).json()
            seen += [target for entry in page["entries"] for target in entry["targets"]]
            after = page["after"]
            if not after:
                break
    assert seen == tickets


def check_kills(server: ApiServer) -> None:
    """View and act, and kill the server the moment each answer is in; the record has them all."""
    server.start()
    tickets = server.fill(12)
    done: list[tuple[str, str]] = []
    for number, ticket in enumerate(tickets):
        with server.client() as client:
            if number % 2:
                answer = client.get(f"/api/v1/tickets/{ticket}")
                done.append(("ticket.view", ticket))
            else:
                body: dict[str, Any] = {"owner": "anna", "topic": "afval-schoon"}
                answer = client.post(f"/api/v1/tickets/{ticket}/correct", json=body)
                done.append(("ticket.correct", ticket))
            assert server.program.process is not None
            server.program.process.send_signal(signal.SIGKILL)
        assert answer.status_code == 200, answer.text
        server.program.kill()
        if number % 3 == 2:
            server.start()
        else:
            server.program.start()
            wait_until(server.ready, seconds=60)
    recorded = [(entry.action, *entry.targets) for entry in audit_pages(server.access)]
    assert recorded == done


def test_the_record_outlives_kills(api_server: Make) -> None:
    """After each 200 and a kill -9 at once, the view or action is in the record."""
    check_kills(api_server())


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_the_record_outlives_kills_on_redis(
    api_server: Make,
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
) -> None:
    """The same with Redis."""
    redis = new_redis_server()
    redis.start()
    check_kills(api_server(broker=new_kafka_broker().start(), redis=redis))


# -- garbage -------------------------------------------------------------------------------------

#: What nobody in their right mind sends.
GARBAGE: Final = ("", "%00", "a" * 5000, "\\", "'\"<script>", "%ff%fe", "../../etc/passwd", "𝔘")


def test_garbage_gets_no_server_error(openid_server: MakeOpenId) -> None:
    """Whatever stands in addresses, forms, cookies and headers: an answer below 500."""
    server, _ = openid_server()
    with server.stranger(headers={"Accept": "text/html"}) as client:
        for number, junk in enumerate(GARBAGE):
            answers = [
                client.get("/aanmelden", params={"next": junk, "uit": junk}),
                client.get("/aanmelden/start", params={"next": junk}),
                client.get("/aanmelden/link", params={"code": junk}),
                client.get(f"/aanmelden/{junk.replace('?', '')}"),
                client.get("/", headers={b"Cookie": f"triage-sessie={junk[:100]}".encode()}),
                client.get("/", headers={b"Authorization": f"Bearer x{junk[:100]}".encode()}),
                client.get("/api/v1/audit", params={"after": junk, "limit": junk}),
                client.post("/aanmelden/uit", data={"csrf": junk}),
            ]
            if number < 6:  # then the limit on failures speaks
                back = {"code": junk, "state": junk, "iss": junk, "error": junk}
                answers.append(client.get("/aanmelden/terug", params=back))
                answers.append(client.post("/aanmelden/link", data={"code": junk}))
            for answer in answers:
                assert answer.status_code < 500, (answer.request.url, answer.text)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for body in (b"\xff\xfe", b"&" * 5000, b"code=%ff", b"="):
            answer = client.post("/aanmelden/link", content=body, headers=form)
            assert answer.status_code < 500, body
