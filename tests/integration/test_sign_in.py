"""Signing in at a real provider: who comes in, what they may, and which attacks are refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.plugins.api_server import ApiServer
from tests.plugins.openid import PEOPLE, Browser, OpenIdProvider
from tests.plugins.programs import run_triage

Make = Callable[..., tuple[ApiServer, OpenIdProvider]]
SESSION: Final = "triage-sessie"


@pytest.fixture
def site(openid_server: Make) -> tuple[ApiServer, OpenIdProvider]:
    """Give a running server and its provider."""
    return openid_server()


def liar(**wrong: Any) -> dict[str, Any]:
    """Give somebody of whom the provider says something wrong."""
    return {"claims": {"sub": "x", "name": "X", "roles": ["beheerder"]}, "wrong": wrong}


def audit(server: ApiServer) -> list[tuple[str, str]]:
    return [(entry.subject, entry.action) for entry in server.access.audit()]


def test_people_sign_in_and_out(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """From the page asked for to the provider and back; out ends it on the server as well."""
    server, provider = site
    team = next(iter(server.profile.teams))
    browser = Browser(server)
    asked = browser.http.get(f"/teams/{team}?offset=0")
    assert asked.status_code == 303
    where = urlsplit(asked.headers["location"])
    assert where.path == "/aanmelden"
    target = parse_qs(where.query)["next"][0]
    page = browser.http.get(asked.headers["location"]).text
    assert "/aanmelden/start?next=" in page
    answer = browser.sign_in("mo", target)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/teams/{team}?offset=0")
    assert browser.http.get(answer.headers["location"]).status_code == 200
    assert "Mo de Vries" in browser.http.get("/").text
    secret = browser.http.cookies[SESSION]
    out = browser.http.post("/aanmelden/uit", data={"csrf": browser.csrf})
    assert out.status_code == 303
    assert SESSION not in browser.http.cookies
    assert f"{provider.issuer}/logout?" in browser.http.get(out.headers["location"]).text
    with server.stranger(cookies={SESSION: secret}) as thief:
        assert thief.get("/api/v1/queues").status_code == 401
    assert audit(server) == [("sub-mo", "session.start"), ("sub-mo", "session.end")]


def test_cookies_are_for_us_alone(openid_server: Make) -> None:
    """HttpOnly and SameSite=Lax; behind TLS also Secure and bound to the host by its name."""
    server, _ = openid_server()
    answer = Browser(server).sign_in("mo")
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "secure" not in flags
    assert "domain" not in flags
    tls, _ = openid_server(TRIAGE_PUBLIC_URL="https://triage.example.nl")
    begun = Browser(tls).http.get("/aanmelden/start")
    flags = begun.headers["set-cookie"]
    assert flags.startswith("__Host-triage-aanmelden=")
    assert "; Secure" in flags
    assert "Path=/" in flags


def test_roles_open_what_they_say(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Reading, acting and the record open with the role that has them, and not before."""
    server, _ = site
    tickets = dict(zip(PEOPLE, server.fill(4), strict=True))
    found: dict[str, tuple[int, int, int]] = {}
    for name in PEOPLE:
        browser = Browser(server)
        browser.sign_in(name)
        read = browser.http.get(f"/api/v1/tickets/{tickets[name]}").status_code
        acted = browser.act(tickets[name], "claim").status_code
        record = browser.http.get("/api/v1/audit").status_code
        found[name] = (read, acted, record)
    assert found == {
        "lotte": (200, 403, 403),
        "mo": (200, 200, 403),
        "tess": (200, 200, 403),
        "bas": (200, 200, 200),
    }


def test_people_act_under_their_own_name(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Whatever name a page sends along, a claim is of who is signed in."""
    server, _ = site
    (ticket,) = server.fill(1)
    browser = Browser(server)
    browser.sign_in("mo")
    answer = browser.act(ticket, "claim", owner="Tess de Vries")
    assert answer.json()["claim"]["owner"] == "Mo de Vries"


#: What a provider may say that must not be believed.
LIES: Final[dict[str, dict[str, Any]]] = {
    "another audience": {"aud": "een-andere-dienst"},
    "an audience without us first": {"aud": ["ander", "triage"], "azp": "ander"},
    "another issuer": {"iss": "https://kwaad.example"},
    "expired": {"exp": "@-3600", "iat": "@-7200"},
    "from the future": {"iat": "@7200", "nbf": "@7200"},
    "a nonce of before": {"nonce": "een-oude"},
    "no nonce": {"nonce": None},
    "no audience": {"aud": None},
    "no end": {"exp": None},
    "no subject": {"sub": None},
    "unsigned": {"alg": "none"},
    "signed with the public key": {"alg": "HS256"},
    "signed by another key": {"key": "other"},
    "of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


def test_tokens_that_lie_are_refused(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Wrong audience, issuer, time, nonce, signature: no session, a Dutch page, 400, on record."""
    server, provider = site
    provider.people(
        **{f"u{n}": liar(**wrong) for n, wrong in enumerate(LIES.values())}, goed=liar()
    )
    for number, lie in enumerate(LIES):
        browser = Browser(server)
        answer = browser.sign_in(f"u{number}")
        assert answer.status_code == 400, lie
        assert "Deze aanmelding is niet geldig" in answer.text, lie
        assert "Begin opnieuw" in answer.text
        assert SESSION not in browser.http.cookies, lie
    assert audit(server) == [("", "session.refused")] * len(LIES)
    assert Browser(server).sign_in("goed").status_code == 303


def test_who_has_no_role_is_told_whom_to_ask(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Without a role, with an unknown one or one that is no text: 403 with what to do."""
    server, provider = site
    none: list[Any] = [None, [], ["stagiair"], [{"beheerder": 1}], {"beheerder": True}, 7]
    provider.people(
        **{f"u{n}": {"claims": {"sub": "x", "roles": roles}} for n, roles in enumerate(none)}
    )
    for number in range(len(none)):
        browser = Browser(server)
        answer = browser.sign_in(f"u{number}")
        assert answer.status_code == 403
        assert "nog geen rol" in answer.text
        assert "Vraag uw beheerder" in answer.text
        assert SESSION not in browser.http.cookies


def test_the_way_back_works_once_and_in_one_browser(
    site: tuple[ApiServer, OpenIdProvider],
) -> None:
    """A replayed, invented or stolen way back, and one with another issuer, are refused."""
    server, _ = site
    browser, thief = Browser(server), Browser(server)
    back = browser.consent(browser.go_to_provider(), "mo")
    assert thief.http.get(back).status_code == 400  # log-in CSRF: not the browser that began
    assert browser.http.get(back).status_code == 400  # and now it is used up
    back = browser.consent(browser.go_to_provider(), "mo")
    assert browser.http.get(back).status_code == 303
    assert browser.http.get(back).status_code == 400
    browser = Browser(server)
    back = browser.consent(browser.go_to_provider(), "mo")
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert browser.http.get(back.replace(state, "verzonnen")).status_code == 400
    mixed = browser.consent(browser.go_to_provider(), "mo")
    other = httpx.QueryParams(urlsplit(mixed).query).set("iss", "https://kwaad.example")
    assert browser.http.get(f"/aanmelden/terug?{other}").status_code == 400
    denied = browser.http.get(browser.consent(browser.go_to_provider(), "niemand"))
    assert denied.status_code == 403
    assert "niet goedgekeurd" in denied.text


def test_a_code_of_another_sign_in_is_refused(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """PKCE: a code that somebody else got fits no attempt of ours."""
    server, _ = site
    victim, thief = Browser(server), Browser(server)
    stolen = parse_qs(urlsplit(victim.consent(victim.go_to_provider(), "bas")).query)["code"][0]
    back = urlsplit(thief.consent(thief.go_to_provider(), "lotte"))
    query = httpx.QueryParams(back.query).set("code", stolen)
    assert thief.http.get(f"{back.path}?{query}").status_code == 400
    assert SESSION not in thief.http.cookies


def test_a_session_of_before_is_not_taken_over(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Fixation: an id that was planted is replaced at sign-in, and an old session ends."""
    server, _ = site
    browser = Browser(server)
    browser.http.cookies.set(SESSION, "geplant", domain="127.0.0.1")
    browser.sign_in("mo")
    first = browser.http.cookies[SESSION]
    assert first != "geplant"
    browser.sign_in("mo")
    assert browser.http.cookies[SESSION] != first
    for secret in ("geplant", first):
        with server.stranger(cookies={SESSION: secret}) as thief:
            assert thief.get("/api/v1/queues").status_code == 401


@pytest.mark.parametrize(
    "target",
    ["https://kwaad.example", "//kwaad.example", "/\\kwaad.example", "\\/kwaad", "javascript:1",
     "/\t/kwaad.example", "http:kwaad.example", "/%0d%0aSet-Cookie:a=b", "kwaad.example", ""],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(site: tuple[ApiServer, OpenIdProvider], target: str) -> None:
    """After signing in a browser goes on to a path of ours only."""
    server, _ = site
    answer = Browser(server).sign_in("mo", target)
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    assert (where.scheme, where.netloc) == ("", "")
    assert answer.headers["location"].startswith("/")
    assert not answer.headers["location"].startswith(("//", "/\\"))
    assert len(answer.headers.get_list("set-cookie")) == 2


def test_a_change_needs_the_token_of_its_page(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """CSRF: without the token, with a wrong one, of another session or from another site: 403."""
    server, _ = site
    (ticket,) = server.fill(1)
    browser, other = Browser(server), Browser(server)
    browser.sign_in("mo")
    other.sign_in("tess")
    path = f"/api/v1/tickets/{ticket}/claim"
    refused: list[dict[str, str]] = [
        {},
        {"X-CSRF-Token": "fout"},
        {"X-CSRF-Token": other.csrf},
        {"X-CSRF-Token": browser.csrf, "Origin": "https://kwaad.example"},
        {"X-CSRF-Token": browser.csrf, "Sec-Fetch-Site": "same-site"},
    ]
    for headers in refused:
        assert browser.http.post(path, json={}, headers=headers).status_code == 403, headers
    out = browser.http.post("/aanmelden/uit", data={"csrf": other.csrf})
    assert out.status_code == 403
    assert browser.http.post(path, json={}, headers={"X-CSRF-Token": browser.csrf}).is_success


def test_sessions_end_by_themselves(openid_server: Make) -> None:
    """After some time without requests, and at most after its whole time, whatever is asked."""
    server, _ = openid_server(
        TRIAGE_SESSION_IDLE_MINUTES=str(1.5 / 60), TRIAGE_SESSION_HOURS=str(60 / 3600)
    )
    browser = Browser(server)
    browser.sign_in("mo")
    assert browser.http.get("/api/v1/queues").status_code == 200
    time.sleep(1.7)
    assert browser.http.get("/api/v1/queues").status_code == 401
    short, _ = openid_server(TRIAGE_SESSION_HOURS=str(2 / 3600))
    busy = Browser(short)
    busy.sign_in("mo")
    end = time.monotonic() + 10
    while busy.http.get("/api/v1/queues").status_code == 200:
        assert time.monotonic() < end, "a busy session never ends"
        time.sleep(0.2)


def test_a_revoked_session_ends_its_stream(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Whoever is signed out elsewhere hears nothing more on a stream that stood open."""
    server, _ = site
    browser = Browser(server)
    browser.sign_in("mo")
    csrf = browser.csrf
    with browser.http.stream("GET", "/api/v1/events", timeout=40) as stream:
        chunks = stream.iter_text()
        next(chunks)
        cookies = httpx.Cookies(browser.http.cookies)
        with server.stranger(cookies=cookies) as elsewhere:
            elsewhere.post("/aanmelden/uit", data={"csrf": csrf})
        time.sleep(5.5)
        server.fill(1, prefix="later")
        heard = "".join(chunks)
    assert "event: ticket" not in heard


def test_servers_share_what_they_know(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """A sign-in begun at one server ends at another; signing out or revoking counts at both."""
    first, provider = site
    settings: dict[str, Any] = {**provider.settings(first.port)}
    second = ApiServer(first.folder, **settings)
    second.start()
    try:
        browser = Browser(first)
        back = browser.consent(browser.go_to_provider(), "mo")
        elsewhere = second.stranger(cookies=dict(browser.http.cookies))
        assert elsewhere.get(urlsplit(back).path + "?" + urlsplit(back).query).status_code == 303
        assert browser.http.get(back).status_code == 400  # that one was used
        browser.sign_in("mo")
        cookies = {SESSION: browser.http.cookies[SESSION]}
        assert second.stranger(cookies=cookies).get("/api/v1/queues").status_code == 200
        arguments = ("session", "revoke", "sub-mo", "--data", str(first.folder / "data"))
        done = run_triage(*arguments, cwd=first.folder)
        assert done.stdout.decode().strip() == "afgemeld: 2"
        for server in (first, second):
            with server.stranger(cookies=cookies) as client:
                assert client.get("/api/v1/queues").status_code == 401
    finally:
        second.close()


def test_teams_see_their_own_tickets(openid_server: Make) -> None:
    """Somebody of one team gets 403 for another's queue, ticket and page, also as a machine."""
    server, provider = openid_server(
        TRIAGE_OIDC_TEAMS_CLAIM="groepen", TRIAGE_OIDC_TEAM_MAP=json.dumps({"GG-1": "eigen"})
    )
    own, other = list(server.profile.teams)[:2]
    provider.people(
        kim={"claims": {"sub": "k", "name": "Kim", "roles": "medewerker", "groepen": [own]}},
        geen={"claims": {"sub": "g", "name": "G", "roles": "medewerker"}},
    )
    mine, theirs = server.fill(1, prefix="a", team=own), server.fill(1, prefix="b", team=other)
    kim, none = Browser(server), Browser(server)
    kim.sign_in("kim")
    none.sign_in("geen")
    for path in ("/api/v1/queues/{0}/tickets", "/teams/{0}"):
        assert kim.http.get(path.format(own)).status_code == 200
        assert kim.http.get(path.format(other)).status_code == 403
        assert none.http.get(path.format(own)).status_code == 403
    assert kim.http.get(f"/api/v1/tickets/{theirs[0]}").status_code == 403
    assert kim.act(theirs[0], "claim").status_code == 403
    assert kim.act(mine[0], "claim").status_code == 200
    bearer = {"Authorization": f"Bearer {server.token(teams=frozenset({own}))}"}
    with server.stranger(headers=bearer) as machine:
        assert machine.get(f"/api/v1/queues/{other}/tickets").status_code == 403
        assert machine.get(f"/api/v1/queues/{own}/tickets").status_code == 200
        claim = machine.post(f"/api/v1/queues/{other}/claim", json={"owner": "x"})
        assert claim.status_code == 403


def test_too_many_sign_ins_wait(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Whoever goes on trying links or attempts gets 429 with the seconds to wait."""
    server, _ = site
    with server.stranger() as client:
        answers = [
            client.post("/aanmelden/link", data={"code": f"gok-{number}"}) for number in range(60)
        ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 403
    assert statuses[-1] == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_provider_that_is_away_is_told(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """503 with what to do, no trace; sessions that stand go on; and it comes back."""
    server, provider = site
    browser = Browser(server)
    browser.sign_in("mo")
    late = Browser(server)
    back = late.consent(late.go_to_provider(), "mo")
    provider.stop()
    answer = late.http.get(back)
    assert answer.status_code == 503
    assert "antwoordt niet" in answer.text
    assert browser.http.get("/api/v1/queues").status_code == 200
    provider.start(server.port)
    assert "Traceback" not in server.program.said()
    # Its keys are new: a token signed with one that we don't know makes us read them again.
    time.sleep(10)
    assert Browser(server).sign_in("mo").status_code == 303


def test_no_secret_is_logged(site: tuple[ApiServer, OpenIdProvider]) -> None:
    """Codes, states, cookies, tokens and names of people are in no line of the log."""
    server, provider = site
    browser = Browser(server)
    away = browser.go_to_provider()
    back = browser.consent(away, "mo")
    browser.http.get(back)
    token = server.token()
    with server.stranger(headers={"Authorization": f"Bearer {token}"}) as client:
        client.get("/api/v1/queues")
        client.get("/api/v1/queues", headers={"Authorization": "Bearer triage_fout-token"})
    csrf, cookie = browser.csrf, browser.http.cookies[SESSION]
    browser.http.post("/aanmelden/uit", data={"csrf": csrf})
    query = {**parse_qs(urlsplit(back).query), **parse_qs(urlsplit(away).query)}
    hidden = [query["code"][0], query["state"][0], query["nonce"][0], token, csrf, cookie]
    server.program.stop()
    said = server.program.said()
    for secret in (*hidden, "fout-token", "Mo de Vries", "geheim-van-de-client"):
        assert secret not in said
    del provider
