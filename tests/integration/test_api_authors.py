"""What a ticket's page tells of its author's other tickets, and of an urgency that a reply gave."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from tests.plugins.api_server import ApiServer, now
from tests.plugins.desk import Desk
from triage.access import audit_pages
from triage.post import Author
from triage.queue import Change, Reply
from triage.ticket import Urgency

Make = Callable[..., ApiServer]
PIET = Author(id="@piet", name="Piet")
TEAM, OTHER = "openbare-ruimte", "burgerzaken"


@pytest.fixture
def server(api_server: Make) -> ApiServer:
    """Give a running server."""
    return api_server().start()


@pytest.fixture
def window(server: ApiServer) -> Iterator[httpx.Client]:
    """Give the window of somebody of one team."""
    cookie = Desk(server=server, browser=None).cookie("bo", teams=frozenset({TEAM}))
    with server.stranger(cookies={"triage-sessie": cookie}) as window:
        yield window


def resolve(server: ApiServer, ticket: str, outcome: str) -> None:
    queue, asked = server.queue, uuid.uuid4().hex
    claim = queue.claim(ticket, owner="bo", seconds=60, now=now(), request=asked).claim
    assert claim
    change = Change(outcome=outcome)
    queue.resolve(ticket, change, token=claim.token, by="bo", now=now(), request=asked)


def test_earlier_tickets_of_an_author_stay(server: ApiServer, window: httpx.Client) -> None:
    """Open and resolved, with the outcome; not of others or of teams that one isn't of; on record."""
    (first,) = server.fill(1, prefix="een", author=PIET, team=TEAM, text="De eerste <b>keer</b>")
    (second,) = server.fill(1, prefix="twee", author=PIET, team=TEAM, text="De tweede keer")
    (third,) = server.fill(1, prefix="drie", author=PIET, team=TEAM, text="De derde keer")
    (hidden,) = server.fill(1, prefix="vier", author=PIET, team=OTHER, text="Een paspoort")
    (jan,) = server.fill(1, prefix="jan", team=TEAM, text="Van Jan zelf")
    for ticket in (first, hidden, jan):
        resolve(server, ticket, "beantwoord")
    near = window.get(f"/tickets/{second}/author").text
    assert "De eerste &lt;b&gt;keer" in near
    assert "Beantwoord" in near
    assert "De derde keer" in near
    for unseen in ("Een paspoort", "Van Jan", "De tweede"):
        assert unseen not in near
    assert "Van Jan" not in window.get(f"/tickets/{jan}/author").text
    told = repr(list(audit_pages(server.access)))
    assert "author.view" in told
    assert first in told
    assert third in told
    assert hidden not in told
    assert "@piet" not in told


def test_the_share_of_an_urgency_is_that_of_its_own_post(
    server: ApiServer, window: httpx.Client
) -> None:
    """Where a reply gave the urgency, what the model said of the first post isn't told of it."""
    (ticket,) = server.fill(1, team=TEAM)

    def chip(urgency: str) -> str:
        pane = window.get(f"/tickets/{ticket}/pane").text
        return pane.partition(f'data-urgency="{urgency}" aria-pressed')[2].partition("</button>")[0]

    assert "%" in chip("normaal")
    assert "%" in chip("kritiek")
    entry = server.entry("r", text="Brand", team=TEAM, in_reply_to="p-0", urgency=Urgency.KRITIEK)
    reply = replace(entry, reply=Reply(to=ticket, others=True))
    server.queue.put(server.org, [reply], now=now(), request="r")
    assert chip("kritiek").startswith('="true"')
    assert "%" not in chip("kritiek")
    assert "%" in chip("normaal")
