"""One ticket on the screen: to read, to decide on, and what is near it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from triage.errors import NotFound
from triage.profiles import TOPICS
from triage.queue import Queue
from triage.queue.authors import NOTED_LIMIT
from triage.queue.mute import author_key
from triage.ticket import State, Ticket, ticket_id
from triage.web.audit import audit, audit_list
from triage.web.background import clock
from triage.web.desk.answers import offered
from triage.web.desk.rows import Row, row_of
from triage.web.desk.screen import ATicketScreen, Screen
from triage.web.desk.values import values_of
from triage.web.desk.words import Label, words_of
from triage.web.identity import Scope, check_team, needs
from triage.web.queues import TicketPath, name_of

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ))],
)

#: Tickets of the same author or place that are shown, at most.
NEAR_LIMIT: Final = 20
#: Replies, and copies, that are shown of one ticket, at most.
INSIDE_LIMIT: Final = 200


@router.get("/tickets/{ticket}")
async def ticket_page(screen: ATicketScreen, ticket: TicketPath) -> HTMLResponse:
    """Show one ticket on a page of its own."""
    found = await _seen(screen, ticket, "ticket.view")
    context = (
        _context(screen, found, clock()) | await _talk(screen, found) | await _mute(screen, found)
    )
    settings = screen.settings(page="ticket", team=found.team, ticket=found.id)
    return screen.page("ticket.html", settings=settings, **context)


@router.get("/tickets/{ticket}/pane")
async def pane(screen: ATicketScreen, ticket: TicketPath) -> HTMLResponse:
    """Show one ticket as a part of the queue's page."""
    found = await _seen(screen, ticket, "ticket.view")
    context = (
        _context(screen, found, clock()) | await _talk(screen, found) | await _mute(screen, found)
    )
    return screen.page("_pane.html", **context)


@router.get("/tickets/{ticket}/copies")
async def copies(screen: ATicketScreen, ticket: TicketPath) -> HTMLResponse:
    """Show the copies inside a bundle, to take some out."""
    found = await _seen(screen, ticket, "ticket.view")
    inside = await _inside(screen, found, replies=False)
    row = row_of(found)
    return screen.page(
        "_members.html", ticket=found, members=inside, more=row.count - 1 - len(inside)
    )


@router.get("/tickets/{ticket}/words")
async def words(screen: ATicketScreen, ticket: TicketPath, label: Label) -> HTMLResponse:
    """Show the text of a ticket with the words that weighed for one of its labels."""
    found = await _seen(screen, ticket, "ticket.view")
    if found.post.get("deleted"):
        raise NotFound("de afzender heeft dit bericht ingetrokken", code="withdrawn")
    explanation = await screen.service.pools.judge(screen.service.judge.explain, found)
    chosen = {"words": words_of(found, label, explanation)}
    return screen.page("_words.html", **{**_context(screen, found, clock()), **chosen})


@router.get("/tickets/{ticket}/author")
async def same_author(screen: ATicketScreen, ticket: TicketPath) -> HTMLResponse:
    """Show other tickets of the same author: the open ones, and those resolved last."""
    found = row_of(await _seen(screen, ticket, "author.view"))
    resolved = await _resolved(screen, found)
    closed = {one.id: _outcome(one) for one in resolved}
    rows = [row_of(one) for one in resolved] + [
        row
        for row in await _all_rows(screen)
        if row.author_id
        and row.author_id == found.author_id
        and row.id != found.id
        and row.id not in closed
    ]
    return await _near(screen, rows, closed)


@router.get("/tickets/{ticket}/place")
async def same_place(screen: ATicketScreen, ticket: TicketPath) -> HTMLResponse:
    """Show other open tickets about the same place."""
    found = row_of(await _seen(screen, ticket, "place.view"))
    street = _street(found.place)
    rows = [
        row
        for row in await _all_rows(screen)
        if street and _street(row.place) == street and row.id != found.id
    ]
    return await _near(screen, rows)


def _street(place: str) -> str:
    """Give a place without its house number.

    >>> _street("Kerkstraat 12, 1234AB")
    'kerkstraat'
    """
    return place.partition(",")[0].rstrip("0123456789 -").casefold()


async def _near(
    screen: Screen, rows: list[Row], closed: Mapping[str, str] | None = None
) -> HTMLResponse:
    """Show tickets, the newest first; ``closed``: with what outcome some were resolved."""
    rows.sort(key=lambda row: row.created_at, reverse=True)
    await audit_list(screen.request, (row.id for row in rows[:NEAR_LIMIT]))
    more = max(0, len(rows) - NEAR_LIMIT)
    return screen.page("_near.html", rows=rows[:NEAR_LIMIT], more=more, closed=closed or {})


async def _all_rows(screen: Screen) -> list[Row]:
    org, now = screen.profile.org, clock()
    return [
        row
        for team in screen.profile.teams
        if screen.me.may_work(org, team)
        for row in await screen.service.lists.rows(org, team, now=now)
    ]


async def _seen(screen: Screen, ticket: str, what: str) -> Ticket:
    """Read a ticket for who may see it; what was looked at is in the record."""
    found = await screen.service.pools.desk(screen.service.queue.get, ticket, now=clock())
    check_team(screen.me, found.org, found.team)
    await audit(screen.request, what, ticket)
    return found


async def _mute(screen: Screen, ticket: Ticket) -> dict[str, Any]:
    """Give the mute of a ticket's author, and whether the one who looks may end it."""
    found = await screen.service.muted.by(ticket.org, row_of(ticket), now=clock())
    mine = found is not None and found.by == screen.me.name
    return {"mute": found, "may_unmute": mine or Scope.EXPORT_READ in screen.me.scopes}


async def _resolved(screen: Screen, author: Row) -> list[Ticket]:
    """Give other tickets of an author that were resolved, as far as somebody may see them."""
    queue, org, now = screen.service.queue, screen.profile.org, clock()
    if not author.author_id:
        return []
    key = author_key(org, author.channel, author.author_id)

    def read() -> list[Ticket]:
        names = queue.resolved_of(org, key, limit=NOTED_LIMIT)
        return [found for name in names if (found := _get(queue, name, now)) is not None]

    tickets: list[Ticket] = await screen.service.pools.desk(read)
    return [
        one
        for one in tickets
        if one.id != author.id
        and one.state is State.RESOLVED
        and screen.me.may_work(one.org, one.team)
    ]


def _get(queue: Queue, ticket: str, now: datetime) -> Ticket | None:
    try:
        return queue.get(ticket, now=now)
    except NotFound:  # retention took it meanwhile
        return None


def _outcome(ticket: Ticket) -> str:
    """Tell how a ticket was resolved."""
    said = (item.get("outcome") for item in reversed(ticket.history))
    return str(next(filter(None, said), ""))


async def _talk(screen: Screen, ticket: Ticket) -> dict[str, Any]:
    """Give the replies in a ticket, and the ticket that it is a reply in or beside."""
    count = row_of(ticket).replies
    replies = await _inside(screen, ticket, replies=True) if count else []
    return {"replies": replies, "answers_to": await _answered(screen, ticket)}


async def _inside(screen: Screen, ticket: Ticket, *, replies: bool) -> list[Ticket]:
    """Read posts inside a ticket: so many of the replies, or of the copies."""
    members = await screen.service.pools.desk(
        screen.service.queue.members, ticket.id, now=clock(), limit=INSIDE_LIMIT, replies=replies
    )
    await audit_list(screen.request, (member.id for member in members))
    return [replace(member, post=_POST | dict(member.post)) for member in members]


async def _answered(screen: Screen, ticket: Ticket) -> str:
    """Name the ticket of the post that this one answers; empty where it is not to be seen."""
    to = ticket.post.get("in_reply_to")
    if ticket.within or not to:
        return ticket.within
    try:
        found = await screen.service.pools.desk(
            screen.service.queue.get, ticket_id(ticket.org, str(to)), now=clock()
        )
    except NotFound:
        return ""
    name = found.within or found.id
    return name if name != ticket.id and screen.me.may_work(found.org, found.team) else ""


def _context(screen: Screen, ticket: Ticket, now: datetime) -> dict[str, Any]:
    row = row_of(ticket)
    mine = ticket.claim is not None and ticket.claim.owner == screen.me.name
    said = ticket.assessment
    best = [topic["key"] for topic in said["topics"] if topic["key"] in TOPICS][:3]
    values = values_of(ticket, screen.profile, screen.t, by=screen.me.name, now=now)
    answers = offered(
        screen.service.answers, org=ticket.org, topic=ticket.topic, intent=ticket.intent
    )
    return {
        "ticket": ticket,
        "post": _POST | dict(ticket.post),
        "history": [_ITEM | dict(item) for item in ticket.history],
        "row": row,
        "now": now,
        "mine": mine,
        "token": ticket.claim.token if mine and ticket.claim else None,
        "team_name": name_of(screen.profile, ticket.team),
        "said": {"safety_rule": None, "abstained": False} | dict(said),
        "best": best,
        "reasons": said.get("reasons") or (),
        "replies": (),
        "answers_to": "",
        "words": words_of(ticket, "topic"),
        "mute": None,
        "may_unmute": False,
        "bundle": {"variants": (), "authors": 0, "count": row.count}
        | dict(getattr(ticket, "bundle", None) or {}),
        "answers": [(answer, answer.filled(values), fits) for answer, fits in answers],
        "signalen": screen.service.config.signalen_url,
    }


#: What a post and an item of history may lack; templates refuse what is not there.
_POST: Final[dict[str, Any]] = {
    "text": "",
    "author": None,
    "in_reply_to": None,
    "url": None,
    "attachments": (),
}
_ITEM: Final[dict[str, Any]] = dict.fromkeys(
    ("by", "outcome", "note", "reply", "link", "text", "until", "beside", "muted_by")
)
