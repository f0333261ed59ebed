"""A mute: for a while the posts of one author are not put before people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import orjson

from triage.ticket import Ticket, Urgency, org_of

if TYPE_CHECKING:
    from triage.queue.entry import Entry

#: Why somebody is muted: it is spam, or something else that is told in words.
REASONS: Final = ("spam", "anders")
#: The outcome of what a mute took, and who is named for it.
MUTED_OUTCOME: Final = "gedempt"
BY_MUTE: Final = "demping"
#: The most mutes of an organisation that stand at a time: all are looked through in memory.
MUTE_LIMIT: Final = 500
#: The longest mute, in days.
MUTE_DAYS: Final = 30
#: What a mute may take. Critical posts are never missed when they are judged ``hoog`` by mistake.
_TAKEN: Final = frozenset({Urgency.NORMAAL, Urgency.LAAG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Who is muted, from when until when, by whom and why."""

    #: ``ORG.`` and a digest; it names nobody.
    id: str
    #: By what the author's posts are known; see :func:`author_key`.
    author: str
    #: The ticket from which the author was muted: there stands who it is.
    ticket: str
    #: The team that had it.
    team: str
    by: str
    at: datetime
    until: datetime
    reason: str
    #: What else was said of it; for people, never in events.
    words: str = ""
    #: Ended by hand, before its time.
    ended_at: datetime | None = None
    ended_by: str = ""
    #: How many tickets it took.
    taken: int = 0

    def stands(self, now: datetime) -> bool:
        """Whether it takes what comes in now."""
        return self.ended_at is None and self.at <= now < self.until

    @property
    def over(self) -> datetime:
        """When it ends or ended."""
        return self.ended_at or self.until

    def told(self) -> dict[str, Any]:
        """Give what events tell of it; ``rebuild`` makes it again of that and the ticket."""
        told: dict[str, Any] = {
            "id": self.id,
            "team": self.team,
            "by": self.by,
            "at": self.at.isoformat(),
            "until": self.until.isoformat(),
            "reason": self.reason,
        }
        if self.ended_at is not None:
            told |= {"ended_at": self.ended_at.isoformat(), "ended_by": self.ended_by}
        return told

    def to_bytes(self) -> bytes:
        """Encode it for a store."""
        kept = {
            "author": self.author,
            "ticket": self.ticket,
            "words": self.words,
            "over": round(self.over.timestamp() * 1000),
        }
        return orjson.dumps(self.told() | kept)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Make it of what ``told`` gave, with author and ticket."""
        ended = data.get("ended_at")
        return cls(
            id=data["id"],
            author=data["author"],
            ticket=data["ticket"],
            team=data["team"],
            by=data["by"],
            at=datetime.fromisoformat(data["at"]),
            until=datetime.fromisoformat(data["until"]),
            reason=data["reason"],
            words=data.get("words", ""),
            ended_at=datetime.fromisoformat(ended) if ended else None,
            ended_by=data.get("ended_by", ""),
        )

    @classmethod
    def parse(cls, raw: bytes, *, taken: int = 0) -> Self:
        """Read it from a store."""
        return replace(cls.read(orjson.loads(raw)), taken=taken)


#: What stands or stood, by author.
Mutes = Mapping[str, Sequence[Mute]]


def author_key(org: str, channel: str, author: str) -> str:
    """Name an author on one channel of an organisation, without the id.

    Who has the same id on another channel may be somebody else.
    """
    said = f"{channel}\x00{author}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, key=org.encode(), digest_size=15).hexdigest()


def author_key_of(org: str, post: Mapping[str, Any]) -> str:
    """Name the author of a ticket's post; empty where nobody knows."""
    author = (post.get("author") or {}).get("id")
    return author_key(org, str(post.get("channel")), str(author)) if author else ""


def by_author(mutes: Sequence[Mute]) -> Mutes:
    """Sort what may take a post by author; what was ended by hand takes nothing."""
    found: dict[str, list[Mute]] = {}
    for mute in mutes:
        if mute.ended_at is None:
            found.setdefault(mute.author, []).append(mute)
    return found


def taker(mutes: Mutes, entry: Entry) -> Mute | None:
    """Give the mute that takes a post: one that stood when it came in, however late it is put.

    Never what is ``kritiek`` or ``hoog``, nor what a key figure wrote.
    """
    author = entry.post.author
    if author is None or not author.id or entry.assessment.urgency not in _TAKEN:
        return None
    if entry.key_figure or entry.post.deleted:
        return None
    key = author_key(org_of(entry.ticket_id), entry.post.channel, author.id)
    return next((mute for mute in mutes.get(key, ()) if mute.stands(entry.received_at)), None)


def may_take(urgency: Urgency) -> bool:
    """Whether a ticket of this urgency may be taken out of sight at all."""
    return urgency in _TAKEN


class Muting(Protocol):
    """Mute authors, and end that: a part of :class:`triage.queue.Queue`."""

    def mute(
        self,
        ticket: str,
        *,
        until: datetime,
        reason: str,
        by: str,
        now: datetime,
        request: str,
        words: str = "",
    ) -> Mute:
        """Mute the author of a ticket's post until a time.

        What they send from now on becomes a ticket that is resolved at once (``gedempt``), unless
        it is ``kritiek`` or ``hoog`` or a key figure's. Raises Conflict ``muted`` (already),
        ``no-author`` and ``many-mutes``.
        """
        ...

    def unmute(self, mute: str, *, by: str, now: datetime, request: str) -> Mute:
        """End a mute (whose id is given); what it took stays resolved."""
        ...

    def bring_back(self, ticket: str, mute: str, *, by: str, now: datetime, request: str) -> Ticket:
        """Open a ticket that a mute took. Raises Conflict ``open`` for one that it did not."""
        ...

    def mutes(self, org: str) -> Sequence[Mute]:
        """Give the mutes that stand and those of before that are still kept, newest first."""
        ...

    def taken_by(self, mute: str, *, limit: int = 100, offset: int = 0) -> Sequence[str]:
        """Name the tickets that a mute took, newest first."""
        ...
