"""One line of a queue on the screen: what it holds of a ticket, and which lines a filter keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from triage.ticket import Ticket, Urgency

#: The characters of a text that a line holds.
SNIPPET: Final = 240
#: The characters of a text that a search looks at, beside those of author and place.
SEARCHED: Final = 2000
_FAR: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A ticket in a list."""

    id: str
    version: int
    team: str
    urgency: Urgency
    topic: str
    intent: str
    due_at: datetime
    created_at: datetime
    snippet: str
    #: Lower case: text, author, place and id.
    searched: str
    channel: str
    author: str
    author_id: str
    followers: int
    shares: int
    lang: str
    place: str
    topic_p: float
    urgency_p: float
    abstained: bool
    #: A person decided on it since.
    touched: bool
    rule: str
    model: str
    withdrawn: bool
    count: int
    holder: str
    until: datetime
    snoozed_until: datetime

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Where it stands in its queue; the same order as the store's."""
        return (self.urgency is not Urgency.KRITIEK, self.due_at, self.id)

    def held(self, now: datetime) -> bool:
        """Whether a colleague has it."""
        return bool(self.holder) and self.until > now


def row_of(ticket: Ticket) -> Row:
    """Give the line of a ticket."""
    post, said = ticket.post, ticket.assessment
    author, reach = post.get("author") or {}, post.get("reach") or {}
    text, place = str(post.get("text") or ""), place_of(ticket)
    bundle = getattr(ticket, "bundle", None) or {}
    topics = {topic["key"]: topic["p"] for topic in said["topics"]}
    name = str(author.get("name") or author.get("id") or "")
    return Row(
        id=ticket.id,
        version=ticket.version,
        team=ticket.team,
        urgency=ticket.urgency,
        topic=ticket.topic,
        intent=ticket.intent,
        due_at=ticket.due_at,
        created_at=ticket.created_at,
        snippet=" ".join(text[: SNIPPET * 2].split())[:SNIPPET],
        searched=f"{text[:SEARCHED]} {name} {place} {ticket.id}".casefold(),
        channel=str(post.get("channel") or "onbekend"),
        author=name,
        author_id=str(author.get("id") or ""),
        followers=int(author.get("followers") or 0),
        shares=int(reach.get("shares") or 0),
        lang=str(said.get("lang") or ""),
        place=place,
        topic_p=float(topics.get(ticket.topic, 0.0)),
        urgency_p=float(said["urgency"]["p"].get(ticket.urgency.value, 0.0)),
        abstained=bool(said.get("abstained")),
        touched=ticket.touched,
        rule=str(said.get("safety_rule") or said.get("rule") or ""),
        model=str(said.get("model") or ""),
        withdrawn=bool(post.get("deleted")),
        count=int(bundle.get("count", 1)),
        holder=ticket.claim.owner if ticket.claim else "",
        until=ticket.claim.until if ticket.claim else _FAR,
        snoozed_until=ticket.snoozed_until or _FAR,
    )


def place_of(ticket: Ticket) -> str:
    """Give the most exact places that a post names; its coordinates; or nothing."""
    if places := ticket.assessment.get("places"):
        return ", ".join(map(str, places[:2]))
    geo = ticket.post.get("geo")
    return f"{geo['lat']:.4f}, {geo['lon']:.4f}" if geo else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is asked of a list; empty fields ask nothing."""

    q: str = ""
    topic: str = ""
    urgency: str = ""
    intent: str = ""
    channel: str = ""
    lang: str = ""
    place: str = ""
    #: Only what the model was unsure of, and nobody has decided on since.
    unsure: bool = False
    #: ``vrij``, ``mijn`` or ``uitgesteld``; empty: all but what is set aside.
    show: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filter:
        """Read it from the parameters of an address; what is none of ours is left."""
        given: dict[str, Any] = {
            name: query[name].strip()[:200]
            for name in cls.__slots__
            if name != "unsure" and query.get(name)
        }
        return cls(**given, unsure=query.get("unsure") == "1")

    def parameters(self) -> dict[str, str]:
        """Give it back as parameters of an address."""
        given = {name: getattr(self, name) for name in self.__slots__ if name != "unsure"}
        return {name: value for name, value in given.items() if value} | (
            {"unsure": "1"} if self.unsure else {}
        )

    def keeps(self, row: Row, me: str, now: datetime) -> bool:
        """Say whether a line is asked for; ``me`` is who asks."""
        aside = row.snoozed_until > now
        if self.show == "uitgesteld":
            if not aside:
                return False
        elif aside:
            return False
        if self.show == "mijn" and not (row.held(now) and row.holder == me):
            return False
        if self.show == "vrij" and row.held(now):
            return False
        return (
            (not self.urgency or row.urgency == self.urgency)
            and (not self.topic or row.topic == self.topic)
            and (not self.intent or row.intent == self.intent)
            and (not self.channel or row.channel == self.channel)
            and (not self.lang or row.lang == self.lang)
            and (not self.unsure or (row.abstained and not row.touched))
            and (not self.place or self.place.casefold() in row.place.casefold())
            and all(word in row.searched for word in self.q.casefold().split())
        )
