"""The queue: where tickets wait for a team, and how people take them.

One protocol and two backends: Redis (``triage.queue.redis``) and SQLite
(``triage.queue.sqlite``). Both promise the same, and ``tests/contract/test_queue.py`` holds both
to it:

- ``put`` writes tickets and the positions of the log they came from in one atomic step. A
  position that is not where the worker thought it was is refused with its entries, and the
  answer says where it stands: tickets and positions always rewind together.
- A post id is in exactly one ticket. The same id and the same content again is a repeat and
  changes nothing; the same id with other content is an edit: urgency may rise and the due time
  come forward (neither ever falls back), the earlier text stays in the history, a resolved ticket
  opens again. A deletion masks the text, also in the history, and keeps the ticket. Of two contents
  the one that came in last stands, in whatever order they are put: an urgent one overtakes.
- Copies of a post stand in one ticket, a bundle (``bundling``): the look-up is part of ``put``, so
  that two workers that put two copies at the same moment make one bundle. A bundle is never less
  urgent than a post in it; every member gets the outcome of its bundle, under an id of its own.
- Order is due time; tickets that are ``kritiek`` come before all others, so that they overtake a
  backlog whose due times have passed.
- A claim is a lease with a fencing token. Tokens grow and never repeat, not even after the store
  lost its last second. An expired lease counts as none. A stale token is refused.
- Each action has a ``request`` id: the same request sent again gets its first answer again.
- Every change writes its event to the outbox in the same step. ``events`` reads it, the relay
  publishes it and says so with ``published``.
- Every call may raise :class:`triage.errors.Unavailable`; actions raise
  :class:`~triage.errors.NotFound` and :class:`~triage.errors.Conflict`.

Times are arguments (aware datetimes); no backend reads a clock, but for the floor of the fencing
token in Redis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, Self

from triage.queue.entry import Bundling as Bundling
from triage.queue.entry import Entry as Entry
from triage.queue.entry import Reply as Reply
from triage.queue.hand_over import HandOvers
from triage.queue.handling import Handling
from triage.queue.mute import Mute as Mute
from triage.queue.mute import Muting
from triage.ticket import Claim, Ticket, Urgency

#: How long the id of a post is remembered after its ticket is gone, in seconds.
REMEMBER_SECONDS: Final = 48 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """A position that ``put`` compares and moves: from ``expected`` to ``next``.

    ``expected`` None: the store has no position for this partition yet.
    """

    partition: str
    expected: int | None
    next: int


def advances_to(ends: Mapping[str, int], stored: Mapping[str, int | None]) -> list[Advance]:
    """Give the moves that bring stored positions up to ``ends``; none where they are there.

    >>> advances_to({"p-0": 5, "p-1": 7}, {"p-0": 5})
    [Advance(partition='p-1', expected=None, next=7)]
    """
    return [
        Advance(partition=partition, expected=stored.get(partition), next=end)
        for partition, end in ends.items()
        if (stored.get(partition) or 0) < end
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """What a ``put`` did."""

    created: int = 0
    edited: int = 0
    repeated: int = 0
    deleted: int = 0
    #: Posts that joined a bundle, and bundles that one of them made more urgent or opened again.
    joined: int = 0
    raised: int = 0
    #: Replies that joined the ticket of what they answer.
    replied: int = 0
    #: Posts that a mute took: their tickets stand resolved from the start.
    muted: int = 0
    #: How many posts each bundle that one of them joined holds now.
    sizes: Sequence[int] = ()
    #: Partitions whose position was not as expected: where it stands. Their entries were not put.
    moved: Mapping[str, int | None] = field(default_factory=dict)


class Action(StrEnum):
    """What can happen to a ticket; also the ``type`` of its events."""

    CREATED = "created"
    EDITED = "edited"
    DELETED = "deleted"
    CLAIMED = "claimed"
    RELEASED = "released"
    RESOLVED = "resolved"
    CORRECTED = "corrected"
    REASSIGNED = "reassigned"
    ESCALATED = "escalated"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"
    UNDONE = "undone"
    NOTED = "noted"
    SNOOZED = "snoozed"
    #: A post joined the bundle of another; its ticket stands inside that one from then on.
    JOINED = "joined"
    #: A copy made its bundle more urgent, or opened it again.
    RAISED = "raised"
    #: A reply joined a ticket, or one that is critical stands beside it.
    REPLIED = "replied"
    #: A post was taken out of a bundle by hand, or put into one.
    SPLIT = "split"
    MERGED = "merged"
    #: The author of its post was muted from here, or heard again.
    MUTED = "muted"
    UNMUTED = "unmuted"


#: Actions of people that end in the outcomes log: exports read them, ``rebuild`` replays them.
OUTCOMES: Final = frozenset(
    {
        Action.RESOLVED,
        Action.CORRECTED,
        Action.REASSIGNED,
        Action.ESCALATED,
        Action.CONFIRMED,
        Action.REOPENED,
        Action.UNDONE,
        Action.SPLIT,
        Action.MERGED,
        Action.MUTED,
        Action.UNMUTED,
    }
)
#: How long the person who did something may take it back, in seconds; the screen says ten, the
#: rest is for the way from there to here.
UNDO_SECONDS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What ``correct``, ``reassign``, ``escalate`` and ``resolve`` set; None leaves it as it is."""

    team: str | None = None
    topic: str | None = None
    urgency: Urgency | None = None
    intent: str | None = None
    due_at: datetime | None = None
    #: How a ticket was resolved (``beantwoord``, ``geen-actie``, ``doorgezet`` ...).
    outcome: str | None = None
    note: str | None = None
    #: In what role the person acts; exports tell it, and never who it was.
    role: str | None = None
    #: What was answered, or where that can be read. They stand in the history, never in events.
    reply: str | None = None
    link: str | None = None
    #: Of ``resolve``: put the ticket on its way to another system too (``hand_over.py``), and say
    #: what that has to know.
    hand_over: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one ticket, as published; holds no text and no names.

    ``data`` is JSON-ready: ``id`` (by which readers drop repeats), ``type`` (an Action),
    ``ticket``, ``org``, ``team``, ``urgency``, ``topic``, ``intent``, ``due_at``, ``state``,
    ``version``, ``at``; of leases ``by``; of outcomes ``by``, ``outcome``, ``revision`` (how many
    edits of the post the person had seen), ``role``, ``said`` (the labels that the person named:
    corrected, or confirmed where one is what it was) and ``before``: what labels and team were, and
    in ``assessed`` what the model had said. ``undone`` names in ``undoes`` the ``id`` of what no
    longer counts; ``noted`` has ``mentions``; ``mute`` names the mute that took a ticket, and tells
    of one that began or ended there.
    """

    #: Where it stands in the organisation's stream of events; pass it to ``events`` to go on.
    cursor: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How one team stands at one urgency."""

    team: str
    urgency: Urgency
    #: Open tickets, claimed or not.
    depth: int
    #: Open tickets past their due time.
    breached: int
    oldest_due: datetime | None


class Queue(Handling, HandOvers, Muting, Protocol):
    """Where tickets wait; see the module's docstring for what every backend promises."""

    def check(self) -> None:
        """See that the store keeps what it answers. Raises Refused and Unavailable."""
        ...

    def put(
        self,
        org: str,
        entries: Sequence[Entry],
        advances: Sequence[Advance] = (),
        *,
        now: datetime,
        request: str,
    ) -> PutResult:
        """Put a batch and move its positions, in one atomic step."""
        ...

    def positions(self, org: str) -> Mapping[str, int]:
        """Give the next offset to read, per partition."""
        ...

    def get(self, ticket: str, *, now: datetime) -> Ticket:
        """Give one ticket, with its history."""
        ...

    def list(
        self, org: str, team: str, *, now: datetime, limit: int = 100, offset: int = 0
    ) -> Sequence[Ticket]:
        """Give a team's open tickets in order, claimed ones too (without history)."""
        ...

    def posts_by(self, org: str, author: str) -> Sequence[Mapping[str, Any]]:
        """Give all posts of an author (its id), wherever their tickets stand. Reads everything."""
        ...

    def claim(
        self, ticket: str, *, owner: str, seconds: float, now: datetime, request: str
    ) -> Ticket:
        """Lease a ticket (whose id is given) to ``owner``."""
        ...

    def claim_next(
        self, org: str, team: str, *, owner: str, seconds: float, now: datetime, request: str
    ) -> Ticket | None:
        """Lease the first unclaimed ticket of a team; None where there is none."""
        ...

    def renew(
        self, ticket: str, *, token: int, seconds: float, now: datetime, request: str
    ) -> Claim:
        """Prolong a lease that still stands."""
        ...

    def release(self, ticket: str, *, token: int, now: datetime, request: str) -> None:
        """Give a lease back."""
        ...

    def resolve(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Close a ticket; token as in ``correct``."""
        ...

    def correct(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Set topic, urgency or intent; a claimed ticket needs its token, an unclaimed one none."""
        ...

    def reassign(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Move a ticket to another team and end its lease; token as in ``correct``."""
        ...

    def escalate(
        self,
        ticket: str,
        change: Change,
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Raise a ticket's urgency, and with it its due time and team; token as in ``correct``."""
        ...

    def split(
        self,
        ticket: str,
        members: Sequence[str],
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Take members (their tickets) out of a bundle, together into one ticket.

        They stay apart: no copy joins them, they join no bundle. Token as in ``correct``.
        """
        ...

    def merge(
        self,
        ticket: str,
        others: Sequence[str],
        *,
        token: int | None,
        by: str,
        now: datetime,
        request: str,
    ) -> Ticket:
        """Put other tickets, and what is inside them, into this one; nobody may hold them."""
        ...

    def members(
        self,
        ticket: str,
        *,
        now: datetime,
        limit: int = 100,
        offset: int = 0,
        replies: bool | None = None,
    ) -> Sequence[Ticket]:
        """Give the tickets inside one (without history): copies by id, then replies by time.

        ``replies``: only those, or only the others.
        """
        ...

    def events(self, org: str, after: str = "", *, limit: int = 1000) -> Sequence[Event]:
        """Give events after a cursor (empty: the oldest kept), oldest first."""
        ...

    def unpublished(self, org: str, *, limit: int = 1000) -> Sequence[Event]:
        """Give the events that the relay has not published yet, oldest first."""
        ...

    def published(self, org: str, cursor: str, *, now: datetime) -> None:
        """Note that all events up to ``cursor`` are published."""
        ...

    def stats(self, org: str, *, now: datetime) -> Sequence[Depth]:
        """Give every team and urgency that has open tickets."""
        ...

    def restore(self, org: str, outcomes: Sequence[Mapping[str, Any]], *, now: datetime) -> int:
        """Apply outcomes (``Event.data``) to older tickets, without events; count those."""
        ...

    def sweep(self, org: str, *, now: datetime, retention_seconds: float) -> int:
        """Drop old events, and tickets resolved before retention; count those, at most 500."""
        ...

    def ping(self) -> None:
        """Return when the store answers; raise Unavailable within 2 seconds when it does not."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
