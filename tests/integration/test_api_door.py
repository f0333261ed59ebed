"""What the server lets in and what it tells: limits, signatures, tokens, other sites, privacy."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.plugins.api_server import ApiServer, json_file, sha256
from tests.plugins.programs import run_triage, wait_until
from triage.log import scan_posts

Make = Callable[..., ApiServer]

#: Planted wherever a sender may write; no answer of 4xx and no log line may hold it.
MARK: Final = "Zq7Merkteken"
SECRET: Final = "een-geheim-van-genoeg-tekens"
POST: Final = {"id": "1", "text": "Er hangt een losse kabel op straat"}
MIB: Final = 1024 * 1024


@pytest.fixture
def server(api_server: Make) -> ApiServer:
    """Give a running server without tokens, on loopback."""
    return api_server().start()


@pytest.fixture
def guarded(api_server: Make, tmp_path: Path) -> ApiServer:
    """Give a running server with tokens and sources."""
    tokens = [
        {"name": "lezer", "sha256": sha256("lees"), "scopes": ["read"]},
        {"name": "kcc", "sha256": sha256("werk"), "scopes": ["read", "act"]},
        {"name": "koppeling", "sha256": sha256("breng"), "scopes": ["ingest"]},
    ]
    sources = [
        {"name": "formulier", "hmac_secret": SECRET},
        {"name": "traag", "sha256": sha256("traag"), "rate_per_minute": 1},
    ]
    return api_server(
        TRIAGE_API_TOKENS_FILE=json_file(tmp_path / "tokens.json", {"tokens": tokens}),
        TRIAGE_SOURCES_FILE=json_file(tmp_path / "sources.json", {"sources": sources}),
    ).start()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(body: bytes, *, at: float, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Triage-Source": "formulier",
        "X-Triage-Timestamp": stamp,
        "X-Triage-Signature": f"sha256={digest}",
    }


def logged(server: ApiServer) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in scan_posts(server.log)]


def test_posts_are_in_the_log_before_the_answer(server: ApiServer) -> None:
    """One or a list: 202 with the ids in order, the cleaned posts in the log, keyed by author."""
    with server.client() as client:
        one = client.post("/api/v1/posts", json={**POST, "author": {"id": "@jan"}})
        assert one.status_code == 202
        assert one.json() == {"ids": ["1"]}
        many = client.post(
            "/api/v1/posts", json=[{"id": str(n), "text": f"Lamp\u200b {n} stuk"} for n in (2, 3)]
        )
        assert many.json() == {"ids": ["2", "3"]}
    posts = {post["id"]: post for post in logged(server)}
    assert posts.keys() == {"1", "2", "3"}
    assert posts["2"]["text"] == "Lamp 2 stuk"
    assert all("created_at" in post for post in posts.values())
    keys = {json.loads(r.value or b"")["id"]: r.key for r in scan_posts(server.log)}
    assert keys == {"1": b"@jan", "2": None, "3": None}


def test_one_bad_post_keeps_out_the_whole_list(server: ApiServer) -> None:
    """Every error of a list is told with its index and field, and nothing is appended."""
    bad = [POST, {"text": ""}, "geen bericht", {"id": "4", "text": "ja", "geo": {"lat": 91}}]
    with server.client() as client:
        answer = client.post("/api/v1/posts", json=bad)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    faults = [(fault["index"], fault["field"]) for fault in answer.json()["errors"]]
    assert faults == [(1, "text"), (2, ""), (3, "geo.lat")]
    assert logged(server) == []


#: Bad bodies, and with what each is answered.
BAD: Final = (
    (b'{"id": "1", "text": "half', 400),
    (b'{"id": "1", "text": "\xed\xa0\xbd"}', 400),
    (b'[{"id": "1", "text": "a"}', 400),
    (b"", 422),
    (b"[]", 422),
    (b"7", 422),
    (b'{"text": "a", "text": "b"}', 422),
    (b'{"id": "1", "text": "a", "n": NaN}', 422),
    (b'{"id": "1", "text": "a", "n": ' + b"[" * 200 + b"]" * 200 + b"}", 422),
    (json.dumps({"id": "1", "text": "x" * 70_000}).encode(), 422),
    (json.dumps([POST] * 1001).encode(), 422),
)


def test_what_is_no_post_gets_its_own_error(server: ApiServer) -> None:
    """Each kind of bad body has a 4xx with a reason of its own, and leaves nothing in the log."""
    kind = {"Content-Type": "application/json"}
    reasons = []
    with server.client() as client:
        for body, status in BAD:
            answer = client.post("/api/v1/posts", content=body, headers=kind)
            assert answer.status_code == status, (body[:50], answer.text)
            (fault,) = answer.json()["errors"]
            reasons.append((fault["reason"], fault["offset"]))
        assert client.post("/api/v1/posts", json=POST).status_code == 202
    assert len(set(reasons)) == len(BAD), reasons
    assert [post["id"] for post in logged(server)] == ["1"]


def test_odd_but_good_posts_are_taken(server: ApiServer) -> None:
    """Half an emoji, a huge number and unknown fields cost nobody their post."""
    odd = (
        b'{"id": "1", "text": "kabel \\ud83d", "n": 123456789012345678901234567890, "x\\udc00": 1}'
    )
    kind = {"Content-Type": "application/json"}
    with server.client() as client:
        answer = client.post("/api/v1/posts", content=odd, headers=kind)
    assert answer.status_code == 202, answer.text
    assert [post["text"] for post in logged(server)] == ["kabel "]


def test_a_large_body_is_refused_while_it_comes(server: ApiServer) -> None:
    """10 MB gets 413, with and without Content-Length; other routes take far less."""

    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * MIB

    kind = {"Content-Type": "application/json"}
    ticket = server.fill(1)[0]
    for path, body in (
        ("/api/v1/posts", b" " * (10 * MIB)),
        ("/api/v1/posts", chunks()),
        (f"/api/v1/tickets/{ticket}/claim", b" " * MIB),
    ):
        with server.client() as client:
            answer = client.post(path, content=body, headers=kind)
        assert answer.status_code == 413, path
        assert answer.headers["content-type"] == "application/problem+json"
    with server.client() as client:
        assert (
            client.post(
                "/api/v1/posts", content=b"x", headers={"Content-Type": "text/plain"}
            ).status_code
            == 415
        )


def test_nobody_comes_in_without_a_token(server: ApiServer) -> None:
    """On loopback too: a program needs a token, and a page of another site may do nothing."""
    with server.stranger() as stranger:
        assert stranger.get("/api/v1/queues").status_code == 401
        assert stranger.post("/api/v1/posts", json=POST).status_code == 401
        assert stranger.get("/").status_code == 401
        assert stranger.get("/", headers={"Accept": "text/html"}).status_code == 303
    with server.client() as client:
        assert client.get("/api/v1/queues").status_code == 200
        for headers in (
            {"Origin": "https://kwaad.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert client.post("/api/v1/posts", json=POST, headers=headers).status_code == 403
        own = {"Origin": server.address, "Sec-Fetch-Site": "same-origin"}
        assert client.post("/api/v1/posts", json=POST, headers=own).status_code == 202


def test_tokens_open_what_their_scopes_say(guarded: ApiServer) -> None:
    """No token 401, a wrong one 401, one without the scope 403; each scope opens its own part."""
    ticket = guarded.fill(1)[0]
    asks: dict[str, tuple[str, str, dict[str, Any] | None]] = {
        "read": ("GET", "/api/v1/queues", None),
        "act": ("POST", f"/api/v1/tickets/{ticket}/claim", {"owner": "ik"}),
        "ingest": ("POST", "/api/v1/posts", POST),
    }
    rights = {"lees": {"read"}, "werk": {"read", "act"}, "breng": {"ingest"}}
    with guarded.stranger() as client:
        for scope, (method, path, body) in asks.items():
            assert client.request(method, path, json=body).status_code == 401
            wrong = client.request(method, path, json=body, headers=bearer("fout"))
            assert wrong.status_code == 401
            assert "WWW-Authenticate" in wrong.headers
            for token, scopes in rights.items():
                answer = client.request(method, path, json=body, headers=bearer(token))
                assert (answer.status_code < 300) is (scope in scopes), (token, scope)
                assert answer.status_code in {200, 202, 403}
        for path in ("/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        assert client.get("/").status_code == 401
        assert client.get("/", headers=bearer("lees")).status_code == 200
        assert client.get("/", auth=("wie-dan-ook", "lees")).status_code == 401


def test_a_signature_vouches_for_one_body_for_five_minutes(guarded: ApiServer) -> None:
    """Good: 202. Another body, another secret, another time, an old time: 401."""
    body = json.dumps(POST).encode()
    at = time.time()
    good = signed(body, at=at)
    with guarded.client() as client:
        assert client.post("/api/v1/posts", content=body, headers=good).status_code == 202
        bad = [
            (body + b" ", good),
            (body, signed(body, at=at, secret="een-ander-geheim-van-genoeg")),
            (body, {**good, "X-Triage-Timestamp": str(int(at) + 1)}),
            (body, {**good, "X-Triage-Source": "niemand"}),
            (body, {**good, "X-Triage-Signature": "sha256=" + "0" * 64}),
            (body, signed(body, at=at - 301)),
            (body, signed(body, at=at + 320)),
        ]
        for content, headers in bad:
            answer = client.post("/api/v1/posts", content=content, headers=headers)
            assert answer.status_code == 401
        again = client.post("/api/v1/posts", content=body, headers=good)
        assert (again.status_code, again.json()) == (202, {"ids": ["1"]})
    assert [post["id"] for post in logged(guarded)] == ["1"], "a replay changes nothing"


def test_a_source_over_its_rate_waits(guarded: ApiServer) -> None:
    """A source that sends more than it may gets 429 with the seconds to wait; others go on."""
    with guarded.client() as client:
        posts = [{"id": f"t-{number}", "text": "Lamp stuk"} for number in range(30)]
        answers = [
            client.post("/api/v1/posts", json=post, headers=bearer("traag")) for post in posts
        ]
        statuses = [answer.status_code for answer in answers]
        assert statuses[0] == 202
        assert statuses[-1] == 429
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert client.post("/api/v1/posts", json=POST, headers=bearer("breng")).status_code == 202


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (None, "TRIAGE_API_TOKENS_FILE"),
        ("{", "tokens.json"),
        ({"tokens": [{"name": "a", "sha256": MARK, "scopes": ["read"]}]}, "sha256"),
        ({"tokens": [{"name": "a", "sha256": "0" * 64, "scopes": [MARK]}]}, "scopes"),
        ({"tokens": [{"name": "", "sha256": "0" * 64, "scopes": ["read"]}]}, "na"),
    ],
)
def test_a_wrong_set_up_is_refused_at_start(tmp_path: Path, tokens: object, told: str) -> None:
    """Open to others without tokens, or a bad file: status 2, the field is named, no secret is."""
    env = {}
    if tokens is not None:
        path = tmp_path / "tokens.json"
        path.write_text(tokens if isinstance(tokens, str) else json.dumps(tokens))
        env = {"TRIAGE_API_TOKENS_FILE": str(path)}
    data = str(tmp_path / "data")
    done = run_triage("serve", "--host", "0.0.0.0", "--data", data, cwd=tmp_path, env=env)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 2, said
    assert told in said
    assert MARK not in said
    assert "Traceback" not in said


def test_no_error_repeats_what_was_sent(server: ApiServer) -> None:
    """A mark in every field of bad posts and actions is in no 4xx body and no line of the log."""
    ticket = server.fill(1)[0]
    post: dict[str, Any] = {
        "id": MARK,
        "text": MARK,
        "channel": MARK,
        "org": MARK,
        "author": {"id": MARK, "name": MARK, "followers": 1},
        "in_reply_to": MARK,
        "url": MARK,
        "attachments": [MARK],
        MARK: {MARK: MARK},
    }
    wrong: list[Any] = [
        {**post, name: {MARK: [MARK]}} for name in post if name not in {MARK, "author"}
    ]
    wrong += [{**post, name: MARK} for name in ("created_at", "geo", "reach", "deleted")]
    wrong += [{**post, "author": {"id": MARK, "followers": MARK}}, {**post, "text": 1}, MARK]
    texts = [json.dumps(body) for body in (*wrong, wrong)]
    texts += [json.dumps(post)[:-9], f'{{"{MARK}": 1, "{MARK}": 2}}', MARK, f'{{"text": {MARK}}}']
    act: dict[str, Any] = {
        "owner": MARK,
        "token": MARK,
        "seconds": MARK,
        "outcome": MARK,
        "x": MARK,
    }
    kind = {"Content-Type": "application/json"}
    answers: list[httpx.Response] = []
    with server.client() as client:
        answers += [
            client.post("/api/v1/posts", content=text.encode(), headers=kind) for text in texts
        ]
        for action in ("claim", "renew", "release", "resolve", "correct", "reassign", "escalate"):
            for name in ("", *act):
                body = {key: value for key, value in act.items() if key != name}
                path = f"/api/v1/tickets/{ticket}/{action}"
                answers.append(client.post(path, json=body))
                answers.append(client.post(path, content=f"{{{MARK}".encode(), headers=kind))
        for known in (
            {"topic": MARK}, {"urgency": MARK}, {"intent": MARK},
        ):  # fmt: skip
            path = f"/api/v1/tickets/{ticket}/correct"
            answers.append(client.post(path, json={"owner": "ik", **known}))
        answers.append(
            client.post(f"/api/v1/tickets/{ticket}/reassign", json={"owner": "ik", "team": MARK})
        )
        paths = (
            f"/api/v1/queues?org={MARK}",
            f"/api/v1/queues/{MARK}/tickets?limit={MARK}&offset={MARK}",
            f"/api/v1/tickets/{MARK}",
            f"/teams/{MARK}",
            f"/{MARK}",
        )
        answers += [client.get(path) for path in paths]
    for answer in answers:
        assert 400 <= answer.status_code < 500, (answer.request.url, answer.status_code)
        assert MARK not in answer.text, answer.text
        assert MARK not in str(answer.headers)
    assert logged(server) == []
    server.program.stop()
    assert MARK not in server.program.said()


def test_every_answer_has_its_security_headers(server: ApiServer) -> None:
    """Pages, JSON, errors and files: no scripts of others, no framing, no guessing of types."""
    with server.client() as client:
        page = client.get("/")
        answers = [page, *(client.get(path) for path in ("/api/v1/queues", "/nergens", "/metrics"))]
        answers.append(client.get("/", headers={"Authorization": "Bearer fout"}))
        answers += [client.get("/aanmelden"), client.get("/aanmelden/start")]
        answers.append(client.post("/api/v1/posts", content=b"x"))
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in answer.headers
    assert "<script>" not in page.text
    assert "style=" not in page.text


def test_what_a_citizen_wrote_stays_text(server: ApiServer) -> None:
    """Markup in a post, its author and its link is shown as text, never as markup."""
    attack = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    team = next(iter(server.profile.teams))
    server.fill(1, text=attack, url="javascript:alert(3)", channel='x"><b>')
    with server.client() as client:
        page = client.get(f"/teams/{team}")
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert 'href="javascript:' not in page.text
    assert '"><b>' not in page.text


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_readiness_names_what_is_silent(
    api_server: Make,
    tmp_path: Path,
    new_redis_server: Callable[..., Any],
    new_kafka_broker: Callable[..., Any],
) -> None:
    """Without Redis: 503 naming the queue on /readyz, 503 with Retry-After on the API; then 200.

    Tokens of a file need no Redis: who brings posts with one goes on.
    """
    tokens = [{"name": "alles", "sha256": sha256("alles"), "scopes": ["read", "ingest"]}]
    file = json_file(tmp_path / "tokens.json", {"tokens": tokens})
    redis = new_redis_server()
    redis.start()
    broker = new_kafka_broker().start()
    server = api_server(redis=redis, broker=broker, TRIAGE_API_TOKENS_FILE=file).start()
    with server.stranger(headers=bearer("alles")) as client:
        redis.kill()
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert "queue" in ready.text
        assert "log" not in ready.json()["detail"].replace("queue", "")
        asked = client.get("/api/v1/queues")
        assert asked.status_code == 503
        assert "Retry-After" in asked.headers
        assert client.post("/api/v1/posts", json=POST).status_code == 202
        assert client.get("/healthz").status_code == 200
        redis.start()
        wait_until(lambda: client.get("/readyz").status_code == 200)
