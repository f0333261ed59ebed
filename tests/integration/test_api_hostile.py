"""Who means harm at the HTTP door gets 4xx and is left; nobody else notices."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.plugins.api_server import ApiServer, json_file
from tests.plugins.programs import wait_until
from triage.access.open import open_access
from triage.cli.web import web_config
from triage.lane import Look
from triage.log.open import open_log
from triage.metrics import Metrics
from triage.queue.open import open_queue
from triage.settings import Settings
from triage.web import create_app
from triage.web import server as web_server
from triage.web.events import Hub

Make = Callable[..., ApiServer]

SECRET: Final = "een-geheim-van-genoeg-tekens"
#: How long anything may take that is not meant to wait.
PROMPT: Final = 10.0


@pytest.fixture
def server(api_server: Make, tmp_path: Path) -> ApiServer:
    """Give a running server with a source that signs."""
    sources = [{"name": "formulier", "hmac_secret": SECRET}]
    path = json_file(tmp_path / "sources.json", {"sources": sources})
    return api_server(TRIAGE_SOURCES_FILE=path).start()


def ask(address: str, request: bytes) -> bytes:
    """Send bytes as they are and give the answer, until the server ends it or has said enough."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PROMPT) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (some := connection.recv(65536)):
            answer += some
        return answer


def status_of(answer: bytes) -> int:
    """Give the status of an answer; 0 where the connection was ended without one."""
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else 0


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Write a request without a client that would mend it."""
    head = "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""])
    return head.encode("latin-1") + body


PATHS: Final = (
    *("/static/../settings.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/a/%00"),
    *(
        "/%00",
        "/..%2f..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/teams/%ff%fe",
        "/teams/" + "a" * 9000,
    ),
    *("/teams/..%2f..%2f", "/tickets/%0d%0aX-Kwaad:%20ja", "/aanmelden?next=//kwaad.example"),
    *("/aanmelden?next=%0d%0aX-Kwaad:%20ja", "/aanmelden/link/%00", "/api/v1/tickets/%00"),
    *("/api/v1/queues/%00/tickets", "/api/v1/queues/x/tickets?limit=9" + "9" * 5000),
    *("/api/v1/events?org=%00", "/api/v1/audit?after=%00&limit=%ff", "/*", "/;/", "/\u00e9\u00ff"),
)
HEADERS: Final = (
    *("Cookie: triage-sessie=" + "a" * 8000, "Cookie: triage-sessie=\x80\xff", 'Cookie: ;=;;="'),
    *("Authorization: Bearer \x80\xff", "Authorization: Bearer", "Authorization: Basic \xff"),
    *("Host: kwaad.example", "Host: ", "X-Forwarded-Host: kwaad.example", "Upgrade: websocket"),
    *(
        "Last-Event-ID: \xff\x80",
        "Last-Event-ID: " + "9" * 8000,
        "Accept: \xff",
        "Range: bytes=9-1",
    ),
    *(
        "Accept-Language: " + "nl," * 2000,
        "HX-Request: \xff",
        "Origin: http://[::1",
        "Referer: \xff",
    ),
)


def test_no_path_and_no_header_breaks_it(server: ApiServer) -> None:
    """Tricks in paths, queries, cookies and headers get an answer below 500, and no header of theirs."""
    session = f"Authorization: {server.bearer['Authorization']}"
    for path in PATHS:
        for more in ((), (session,), ("Accept: text/html",)):
            answer = ask(server.address, request(f"GET {path}", *more))
            assert status_of(answer) < 500, (path, answer[:300])
            assert b"\r\nx-kwaad" not in answer.lower(), path
            assert b"root:" not in answer
    for header in HEADERS:
        for path in ("/", "/api/v1/queues", "/aanmelden", "/healthz"):
            answer = ask(server.address, request(f"GET {path}", header))
            assert status_of(answer) < 500, (path, header[:40], answer[:300])
            assert b"kwaad.example" not in answer, (path, header)
    assert "request_failed" not in server.program.said()


BODIES: Final = (
    *(b"", b"\xff\xfe\x00", b"null", b"[", b"{" * 4000, b"[" * 100_000, b'{"text":' * 3000),
    *(b'{"id":"1","text":"\\ud800"}', b'{"id":"\\u0000","text":"a"}', b"1" * 100_000),
    *(b'{"id":"1","text":"a","created_at":"9999-12-31T23:59:59+99:99"}', b'{"a":1e999999}'),
)
KINDS: Final = (
    *("text/plain", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "\xff"),
    *("application/x-www-form-urlencoded", "application/json", ";;;", "application/JSON;charset="),
)


def test_no_body_breaks_it(server: ApiServer) -> None:
    """Bodies of every wrong kind and shape, at doors of programs and of pages, are no error of ours."""
    token = f"Authorization: {server.bearer['Authorization']}"
    ticket = server.fill(1)[0]
    doors = (
        "/api/v1/posts",
        f"/api/v1/tickets/{ticket}/claim",
        "/api/v1/tickets/bulk",
        "/afmelden",
    )
    for path in doors:
        for kind in KINDS:
            for body in BODIES if kind.startswith("application/") else BODIES[:2]:
                head = (token, f"Content-Type: {kind}", f"Content-Length: {len(body)}")
                answer = ask(server.address, request(f"POST {path}", *head, body=body))
                assert 200 <= status_of(answer) < 500, (path, kind, body[:40], answer[:300])
    for framing in (
        *("Content-Length: -1", "Content-Length: 9e9", "Content-Length: 99999999999999999999"),
        *(
            "Transfer-Encoding: gzip",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: \xb2",
        ),
    ):
        head = (token, "Content-Type: application/json", framing)
        answer = ask(server.address, request("POST /api/v1/posts", *head, body=b"{}"))
        # What h11 does not know how to frame it says it does not implement.
        assert 400 <= status_of(answer) < 500 or status_of(answer) == 501, (framing, answer[:200])
    assert "request_failed" not in server.program.said()


def test_no_signature_breaks_it(server: ApiServer) -> None:
    """A source, time or signature of any form is refused with 401 or 429, never with an error."""
    body = json.dumps({"id": "1", "text": "a"}).encode()
    now = str(int(time.time()))
    for source, stamp, signature in (
        ("formulier", now, ""),
        ("formulier", now, "sha256="),
        ("formulier", now, "sha256=" + "g" * 64),
        ("formulier", now, "sha256=" + "0" * 9000),
        ("formulier", now, "\xff\x80"),
        ("formulier", "9" * 400, "sha256=" + "0" * 64),
        ("formulier", "-1", "sha256=" + "0" * 64),
        ("formulier", "\xb2\xb3", "sha256=" + "0" * 64),
        ("\xff", now, "sha256=" + "0" * 64),
        ("", now, "sha256=" + "0" * 64),
    ):
        head = (
            *("Content-Type: application/json", f"Content-Length: {len(body)}"),
            *(f"X-Triage-Source: {source}", f"X-Triage-Timestamp: {stamp}"),
            f"X-Triage-Signature: {signature}",
        )
        answer = ask(server.address, request("POST /api/v1/posts", *head, body=body))
        assert status_of(answer) in {401, 429}, (source, stamp, signature[:20], answer[:200])


def test_a_thousand_connections_hold_up_nobody_for_long(server: ApiServer) -> None:
    """With 1,000 connections at once each gets an answer, a good one or 503; after, all is well."""
    host, port = "127.0.0.1", server.port
    with ExitStack() as stack:
        crowd = []
        for _ in range(1000):
            one = stack.enter_context(socket.create_connection((host, port), timeout=60))
            one.sendall(request("GET /healthz"))
            crowd.append(one)
        statuses = [status_of(one.recv(65536)) for one in crowd]
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    wait_until(server.ready, seconds=30)


# -- patience ------------------------------------------------------------------------------------


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[tuple[ApiServer, Hub]]:
    """Give a server in this process, so that a test can shorten its patience, and its hub."""
    with ExitStack() as stack:
        made = ApiServer(tmp_path)  # its stores and entries; it is not started itself
        stack.callback(made.close)
        url = f"sqlite:///{tmp_path / 'data' / 'triage.db'}"
        app = create_app(
            web_config(Settings(data=tmp_path / "data"), None),
            log=stack.enter_context(open_log(url)),
            queue=stack.enter_context(open_queue(url)),
            access=stack.enter_context(open_access(url)),
            profiles={made.org: made.profile},
            metrics=Metrics(),
            look=Look(),
        )
        program = web_server.make_server(app)
        listener = socket.create_server(("127.0.0.1", 0))
        made.port = listener.getsockname()[1]
        made.address = f"http://127.0.0.1:{made.port}"
        thread = threading.Thread(target=program.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: program.started)
            yield made, app.state.service.hub
        finally:
            app.state.service.hub.stop()
            program.should_exit = True
            thread.join(20)


def ends(connection: socket.socket) -> bool:
    """Tell whether the server ends a connection; raise TimeoutError where it does not."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Traag: "])
def test_who_begins_a_request_and_does_not_end_it_is_left(
    inside: tuple[ApiServer, Hub], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A connection without a request, or with half the head of one, gives its place back."""
    monkeypatch.setattr(web_server, "HEAD_SECONDS", 2.0)
    server, _ = inside
    with socket.create_connection(("127.0.0.1", server.port), timeout=PROMPT) as connection:
        connection.sendall(sent)
        assert ends(connection)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PROMPT) as connection:
        connection.sendall(request("GET /healthz"))
        assert status_of(connection.recv(65536)) == 200
        connection.sendall(sent or b"G")
        assert ends(connection)


def test_who_does_not_read_is_left_and_catches_up(
    inside: tuple[ApiServer, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that takes nothing loses its place; back with its last id it misses no event."""
    monkeypatch.setattr(web_server, "STALL_SECONDS", 0.5)
    server, hub = inside
    head = (f"Authorization: {server.bearer['Authorization']}",)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PROMPT)
    connection.connect(("127.0.0.1", server.port))
    with connection:
        connection.sendall(request("GET /api/v1/events", *head))
        heard = connection.recv(4096)
        server.fill(1)
        while b"\nid: " not in heard:
            heard += connection.recv(4096)
        last_id = re.findall(rb"\nid: ([^\n]+)\n", heard)[-1].decode()
        tickets = server.fill(600, prefix="meer")  # far more than what sockets hold
        wait_until(lambda: hub.clients == 0, seconds=30)
        assert ends(connection)
    headers = {**server.bearer, "Last-Event-ID": last_id}
    told: set[str] = set()
    with httpx.stream("GET", f"{server.address}/api/v1/events", headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and line != "data: {}":
                told.add(json.loads(line.removeprefix("data: "))["ticket"])
            if told >= set(tickets):
                break
    assert told == set(tickets)


def test_who_comes_back_too_late_is_told_to_read_anew(inside: tuple[ApiServer, Hub]) -> None:
    """An id that is no longer known, or never was, gets resync at once and then what happens."""
    for last_id in ("lang-geleden", "1764000000:12.0", "\u00ff"):
        answer = ask_events(inside[0], last_id)
        assert b"event: resync" in answer, last_id


def ask_events(server: ApiServer, last_id: str) -> bytes:
    """Follow events until the first frame that is one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PROMPT) as connection:
        token = f"Authorization: {server.bearer['Authorization']}"
        connection.sendall(request("GET /api/v1/events", token, f"Last-Event-ID: {last_id}"))
        answer = b""
        while b"\nevent: " not in answer and (some := connection.recv(65536)):
            answer += some
        return answer
