"""What the server refuses comes in the language of the person: nothing Dutch to who chose English."""

from __future__ import annotations

import html
import re
import string
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest

from tests.plugins.api_server import ApiServer, now
from tests.plugins.desk import Desk
from triage.access import Drawer, Role, digest
from triage.ticket import Urgency
from triage.web.desk.texts import texts

Make = Callable[..., ApiServer]
#: What stands on a page, or in an answer, that refuses.
GROUPS: Final = ("status", "problem", "problem_page", "signin")
PAGE: Final = {"Accept": "text/html"}
FORM: Final = {**PAGE, "Content-Type": "application/x-www-form-urlencoded"}


class Person:
    """Somebody who is signed in and chose English."""

    def __init__(self, server: ApiServer, name: str, **options: Any) -> None:
        secret = Desk(server=server, browser=None).cookie(name, **options)
        session = server.access.get(Drawer.SESSION, digest(secret), now=now())
        assert session is not None
        self.csrf: str = session["csrf"]
        self.http = server.stranger(cookies={"triage-sessie": secret, "taal": "en"})

    def act(self, ticket: str, action: str, **body: Any) -> httpx.Response:
        """Do something to a ticket, as the page does."""
        return self.send(f"/api/v1/tickets/{ticket}/{action}", json=body)

    def send(self, path: str, **more: Any) -> httpx.Response:
        """Send something that changes something."""
        headers = {"X-CSRF-Token": self.csrf, **more.pop("headers", {})}
        return self.http.post(path, headers=headers, **more)

    def page(self, path: str) -> httpx.Response:
        """Ask for a page."""
        return self.http.get(path, headers=PAGE)


@pytest.fixture
def server(api_server: Make) -> ApiServer:
    """Give a running server."""
    return api_server().start()


def literals(language: str) -> dict[str, str]:
    """Give of each text that refuses the longest part that always stands there."""
    t = texts(language)
    found = {
        f"{group}.{key}": max((part[0] for part in string.Formatter().parse(text)), key=len)
        for group in GROUPS
        for key, text in t.group(group).items()
    }
    return {key: text.strip().lower() for key, text in found.items()}


DUTCH, ENGLISH = literals("nl"), literals("en")


def refused(answer: httpx.Response, status: int, key: str) -> None:
    """Check that an answer is this refusal, in English, and holds none of the Dutch texts."""
    said = html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).lower()
    assert answer.status_code == status, (key, said)
    assert ENGLISH[key if "." in key else f"problem.{key}"] in said, said
    for name, text in DUTCH.items():
        if text not in ENGLISH.values() and not any(text in other for other in ENGLISH.values()):
            assert text not in said, (key, name)
    if "html" in answer.headers["content-type"]:
        assert '<html lang="en">' in answer.text
    else:
        assert answer.headers["content-language"] == "en"


def test_refused_actions_come_in_english(server: ApiServer) -> None:
    """What the desk's scripts show of a refusal: its detail, for every code of the queue."""
    anna, bert = Person(server, "anna"), Person(server, "bert")
    first, second = list(server.profile.teams)[:2]
    (ticket, other, copy, loose) = server.fill(4, team=first)
    (critical,) = server.fill(1, prefix="nood", team=first, urgency=Urgency.KRITIEK)
    token = anna.act(ticket, "claim").json()["claim"]["token"]
    refused(bert.act(ticket, "claim"), 409, "claimed")
    refused(bert.act(ticket, "correct", topic="overig"), 409, "claimed")
    assert anna.act(ticket, "release", token=token).is_success
    refused(anna.act(ticket, "release", token=token), 409, "not-claimed")
    newer = bert.act(ticket, "claim").json()["claim"]["token"]
    refused(anna.act(ticket, "resolve", token=token, outcome="spam"), 409, "stale-token")
    refused(anna.act(ticket, "reopen"), 409, "open")
    assert bert.act(ticket, "resolve", token=newer, outcome="spam").is_success
    refused(anna.act(ticket, "claim"), 409, "resolved")
    refused(anna.act(ticket, "undo"), 409, "not-undoable")
    refused(anna.act(critical, "snooze", seconds=3600), 409, "critical")
    refused(anna.act(other, "split", tickets=[loose]), 404, "not-inside")
    assert anna.act(other, "merge", tickets=[copy]).is_success
    refused(anna.act(copy, "claim"), 409, "bundled")
    refused(anna.act(f"{server.org}.bestaatniet", "claim"), 404, "no-ticket")
    refused(anna.act("nergens.abc", "claim"), 404, "no-org")
    refused(anna.act(loose, "signalen", place="Dorpsplein"), 404, "no-signalen")
    refused(anna.act(loose, "reassign", team="nergens"), 422, "fields")
    refused(anna.act(loose, "note", note=""), 422, "fields")
    refused(anna.send("/api/v1/queues/nergens/claim", json={}), 404, "no-team")
    reader = Person(server, "lees", role=Role.LEZER)
    refused(reader.act(loose, "claim"), 403, "right")
    outsider = Person(server, "els", teams=frozenset({f"{server.org}/{second}", second}))
    refused(outsider.act(loose, "claim"), 403, "team")


def test_what_never_reaches_a_ticket_comes_in_english(server: ApiServer) -> None:
    """Bodies, origins, tokens, addresses: refused at the door, and as pages where a page was."""
    anna = Person(server, "anna")
    (ticket,) = server.fill(1)
    path = f"/api/v1/tickets/{ticket}/claim"
    refused(anna.http.post(path, json={}), 403, "old-page")
    refused(
        anna.send(path, json={}, headers={"Origin": "https://kwaad.example"}), 403, "other-site"
    )
    kind = {"Content-Type": "application/json"}
    refused(anna.send(path, content=b"{", headers=kind), 400, "no-json")
    refused(anna.send(path, content=b"{}", headers={"Content-Type": "a/b"}), 415, "no-utf8-json")
    packed = {**kind, "Content-Encoding": "gzip"}
    refused(anna.send(path, content=b"{}", headers=packed), 415, "compressed")
    refused(anna.send(path, content=b" " * 40_000, headers=kind), 413, "too-large")
    refused(anna.http.get("/api/v1/nergens"), 404, "no-address")
    refused(anna.http.get(path), 405, "no-method")
    refused(server.stranger(cookies={"taal": "en"}).get("/api/v1/queues"), 401, "sign-in")

    wrong = anna.http.post("/aanmelden/uit", data={"csrf": "fout"}, headers=PAGE)
    refused(wrong, 403, "old-page")
    elsewhere = {**FORM, "Origin": "https://kwaad.example"}
    refused(anna.send("/aanmelden/uit", content=b"a=b", headers=elsewhere), 403, "other-site")
    big = b"a=" + b"b" * 40_000
    refused(anna.send("/aanmelden/uit", content=big, headers=FORM), 413, "too-large")
    text = {**PAGE, "Content-Type": "text/plain"}
    refused(anna.send("/aanmelden/uit", content=b"a", headers=text), 415, "no-utf8-json")
    refused(anna.page("/nergens"), 404, "no-address")
    refused(anna.page("/teams/nergens"), 404, "no-team")
    refused(anna.page("/?org=nergens"), 404, "no-org")
    refused(anna.page(f"/tickets/{server.org}.bestaatniet"), 404, "no-ticket")
    refused(anna.page(f"/teams/{next(iter(server.profile.teams))}/rows?from=-1"), 422, "fields")
    refused(anna.page("/labels"), 403, "role")


def test_refusals_about_models_come_in_english(server: ApiServer) -> None:
    """Of the labels page: no such version, no gate passed, nothing to go back to, not all teams."""
    boss = Person(server, "bas", role=Role.BEHEERDER)
    team = next(iter(server.profile.teams))

    def step(action: str, **fields: str) -> httpx.Response:
        return boss.send(f"/labels/{action}", data=fields, headers=PAGE)

    refused(step("promote", version="a..b"), 409, "model-name")
    refused(step("promote", version="niet-daar"), 409, "no-such-model")
    live = boss.page("/labels")
    assert live.status_code == 200
    found = re.search(r'<tr><th scope="row">([^<]*)</th><td class="people"', live.text)
    assert found is not None
    version = found[1]
    refused(step("promote", version=version), 409, "gate-unmeasured")
    refused(step("promote", version=version, force="1"), 409, "force-unsaid")
    refused(step("rollback"), 409, "no-earlier-model")
    some = Person(server, "tess", role=Role.TEAMLEIDER, teams=frozenset({team}))
    refused(some.page("/labels.jsonl"), 403, "all-teams")
    (ticket,) = server.fill(1)
    boss.act(
        ticket, "resolve", token=boss.act(ticket, "claim").json()["claim"]["token"], outcome="spam"
    )
    refused(boss.page(f"/labels/een-voor-een/{ticket}"), 409, "not-to-label")


def test_sign_in_is_refused_in_english(server: ApiServer) -> None:
    """A link that is over, a sign-in that nobody began, signing out, and too many tries."""
    with server.stranger(cookies={"taal": "en"}) as browser:
        refused(browser.get("/aanmelden", headers=PAGE), 200, "signin.title")
        refused(browser.get("/aanmelden?uit=1", headers=PAGE), 200, "signin.uit-advice")
        refused(browser.get("/aanmelden/link?code=x", headers=PAGE), 200, "signin.once")
        refused(browser.get("/aanmelden/terug", headers=PAGE), 400, "signin.ongeldig")
        used = browser.post("/aanmelden/link", data={"code": "over"}, headers=PAGE)
        refused(used, 403, "signin.link-advice")
        *_, last = tries(browser)
        refused(last, 429, "slow")


def tries(browser: httpx.Client) -> Iterator[httpx.Response]:
    """Sign in wrongly until it is too often."""
    for _ in range(100):
        answer = browser.post("/aanmelden/link", data={"code": "over"}, headers=PAGE)
        yield answer
        if answer.status_code == 429:
            return


def test_programs_get_dutch_whatever_cookie_they_send(server: ApiServer) -> None:
    """The API speaks one language; a cookie of a browser does not change that."""
    t = texts("nl")
    path = f"/api/v1/tickets/{server.org}.bestaatniet"
    for cookies in ({}, {"taal": "en"}):
        with server.client(cookies=cookies) as client:
            answer = client.get(path)
            assert answer.json()["title"] == t("status.404")
            assert answer.json()["detail"] == t("problem.no-ticket")
            assert answer.headers["content-language"] == "nl"
    with server.stranger(headers={"Authorization": "Bearer x"}, cookies={"taal": "en"}) as client:
        assert client.get(path).json()["detail"] == t("problem.credentials")
