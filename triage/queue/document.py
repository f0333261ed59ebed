"""A ticket as both backends store it: the same bytes, the same order, the same events.

Three parts, by how often they change: ``state`` (a short JSON list; what decides), the ``doc``
(the post and its assessment; written once and at edits) and the history (JSON items). Times are
whole milliseconds since 1970 in UTC; fencing tokens are microseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from triage.bundle import ANY_LENGTH
from triage.jsontext import storable
from triage.queue import Action, Bundling, Entry
from triage.ticket import State, Urgency, org_of

if TYPE_CHECKING:
    from triage.queue.summary import Summary

#: What stands where the sender withdrew a text.
MASK: Final = "[verwijderd door de afzender]"
#: The most items of history that a ticket keeps.
HISTORY_LIMIT: Final = 200
#: How long a published event is kept for readers that come back, in seconds.
KEEP_EVENTS_SECONDS: Final = 3600
#: How long the answer to a request is kept, in seconds.
ANSWER_SECONDS: Final = 600
#: The most contents of one post that are remembered, to tell repeats from edits.
SEEN_LIMIT: Final = 64

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A ticket as it stands in a store."""

    id: str
    version: int
    team: str
    urgency: Urgency
    topic: str
    intent: str
    due: int
    #: When it was resolved; 0 while it is open.
    resolved: int = 0
    #: How many edits of its post it has seen.
    revision: int = 0
    #: A person corrected, reassigned, escalated or resolved it.
    touched: bool = False
    #: Version and time of the last outcome: an older one is not restored over it.
    outcome: tuple[int, int] = (0, 0)
    doc: bytes = b""
    #: Digests of the contents that were put under this id, oldest first.
    seen: tuple[str, ...] = ()
    #: Who holds or held the lease; empty where there is none or it was undone.
    owner: str = ""
    #: The last token that was given out for this ticket.
    token: int = 0
    until: int = 0
    #: Only the memory of its id is left; retention took the rest.
    gone: bool = False
    #: The ticket of the bundle that it stands inside; empty: it stands in a queue of its own.
    within: str = ""
    #: It stands there as a reply, not as a copy.
    reply: bool = False
    #: What is known of its copies and replies; None where there were none.
    bundle: Summary | None = None
    #: The tickets inside it, where they were asked for.
    members: tuple[Stored, ...] = ()
    history: tuple[bytes, ...] = ()

    @property
    def state(self) -> bytes:
        """The part that decides, as JSON."""
        return orjson.dumps(
            [
                self.team,
                self.urgency,
                self.topic,
                self.intent,
                self.due,
                self.resolved,
                self.revision,
                self.touched,
                *self.outcome,
                *_mark(self.reply),
            ]
        )

    def held(self, now: int) -> bool:
        """Whether a lease stands."""
        return bool(self.owner) and self.until > now

    def snoozed(self, now: int) -> bool:
        """Whether it is set aside: a time without an owner."""
        return not self.owner and self.until > now


#: To make one by calling its class costs ten times the look-up.
_URGENCY: Final = {urgency.value: urgency for urgency in Urgency}


def from_state(ticket: str, version: int, state: bytes, **rest: Any) -> Stored:  # noqa: ANN401 - fields of Stored
    """Read a ticket's deciding part; ``rest`` are further fields of :class:`Stored`."""
    said = orjson.loads(state)
    team, urgency, topic, intent, due, resolved, revision, touched, by, at, *reply = said
    return Stored(
        id=ticket,
        version=version,
        team=team,
        urgency=_URGENCY[urgency],
        topic=topic,
        intent=intent,
        due=due,
        resolved=resolved,
        revision=revision,
        touched=touched,
        outcome=(by, at),
        reply=bool(reply),
        **rest,
    )


def _mark(reply: bool) -> tuple[int, ...]:  # noqa: FBT001 - what it is about
    """Give what ends the state of a reply; other tickets have nothing there."""
    return (1,) if reply else ()


class Created(NamedTuple):
    """A new ticket on the fast path of ``put``: what a backend writes, already encoded."""

    id: str
    digest: str
    team: str
    rank: int
    due: int
    state: bytes
    doc: bytes
    event: bytes
    #: The bundle that it joins; empty: it goes into its team's queue.
    within: str = ""
    #: Under which keys its copies find it, and for how many seconds.
    keys: tuple[str, ...] = ()
    #: How many of them a ticket must share that it may be a copy of.
    shared: int = 1
    length: str = ANY_LENGTH
    window: int = 0


def create(
    entry: Entry, now: datetime, *, lead: Stored | None = None, reply: bool = False
) -> Created:
    """Encode a ticket of a post that the store has not met.

    ``lead``: the ticket that it joins, as a copy or as a ``reply``.
    """
    route, judged = entry.route, entry.assessment
    urgency, digest, due = judged.urgency, entry.post.digest, to_ms(route.due_at)
    topic, intent = judged.topic, judged.intent
    state = orjson.dumps(
        [route.team, urgency, topic, intent, due, 0, 0, False, 0, 0, *_mark(reply)]
    )
    action = Action.JOINED if lead else Action.CREATED
    event = {
        "id": event_id(entry.ticket_id, action, entry.post.id, digest),
        "type": action,
        "ticket": entry.ticket_id,
        "org": org_of(entry.ticket_id),
        "team": route.team,
        "urgency": urgency,
        "topic": topic,
        "intent": intent,
        "due_at": from_ms(due),
        "state": State.OPEN,
        "version": 1,
        "at": now,
    }
    if lead is not None:
        event |= {
            "team": lead.team,
            "urgency": lead.urgency,
            "due_at": from_ms(lead.due),
            "state": State.RESOLVED if lead.resolved else State.OPEN,
            "bundle": lead.id,
        }
    return Created(
        entry.ticket_id,
        digest,
        route.team,
        urgency.rank,
        due,
        state,
        document(entry),
        orjson.dumps(event),
        within=lead.id if lead else "",
        keys=entry.bundling.signature.keys if entry.bundling and not lead else (),
        shared=entry.bundling.signature.shared if entry.bundling else 1,
        length=entry.bundling.signature.length if entry.bundling else ANY_LENGTH,
        window=window_of(entry.bundling),
    )


#: How long texts under five words wait for an equal one, in seconds.
SHORT_WINDOW: Final = 3600


def window_of(bundling: Bundling | None) -> int:
    """Give how long a post's copies find it, in seconds; 0 where they never do."""
    if bundling is None:
        return 0
    return min(bundling.window, SHORT_WINDOW) if bundling.signature.short else bundling.window


def document(entry: Entry) -> bytes:
    """Encode what a reader of the ticket needs to see: the post and how it was judged."""
    data = {
        "post": entry.post.to_mapping(),
        "assessment": {
            **entry.assessment.to_mapping(),
            "rule": entry.route.rule,
            "team": entry.route.team,
            "lang": entry.lang,
            **({"sampled": entry.route.sampled} if entry.route.sampled else {}),
            **({"places": entry.places} if entry.places else {}),
        },
        "created_at": entry.received_at,
    }
    try:
        return orjson.dumps(data)
    except TypeError:  # a post that was not decoded at our door may hold half an emoji
        data["created_at"] = entry.received_at.isoformat()
        return orjson.dumps(storable(data))


def event_data(ticket: Stored, action: Action, at: int, identity: str) -> dict[str, Any]:
    """Build the common part of an event; it holds no text and no name of a citizen."""
    return {
        "id": identity,
        "type": action.value,
        "ticket": ticket.id,
        "org": org_of(ticket.id),
        "team": ticket.team,
        "urgency": ticket.urgency.value,
        "topic": ticket.topic,
        "intent": ticket.intent,
        "due_at": from_ms(ticket.due).isoformat(),
        "state": (State.RESOLVED if ticket.resolved else State.OPEN).value,
        "version": ticket.version,
        "at": from_ms(at).isoformat(),
    }


def event_id(*parts: str) -> str:
    """Name an event by what it is made of: the same change named again gets the same id."""
    return hashlib.blake2b("\x00".join(parts).encode(), digest_size=10).hexdigest()


def answer_key(request: str, *scope: str) -> str:
    """Name the answer to a request; ``scope`` keeps one id for two actions apart."""
    return event_id(request, *scope)


def history_item(at: int, action: Action, by: str, **more: Any) -> bytes:  # noqa: ANN401 - JSON values
    """Encode one item of a ticket's history."""
    known = {name: value for name, value in more.items() if value is not None}
    return orjson.dumps({"at": from_ms(at), "action": action, "by": by, **known})


def as_answered(ticket: Stored, now: int) -> Stored:
    """Leave out a lease that has expired: it counts as none."""
    return ticket if ticket.until > now else replace(ticket, owner="", until=0)


def answer_of(ticket: Stored) -> bytes:
    """Encode what an action answered, so that the same request gets it again.

    Without the post and the history: they are read anew, so that an answer never brings back a
    text that was withdrawn since.
    """
    return orjson.dumps(
        {
            "id": ticket.id,
            "version": ticket.version,
            "owner": ticket.owner,
            "token": ticket.token,
            "until": ticket.until,
            "state": orjson.Fragment(ticket.state),
        }
    )


def answered(answer: bytes, ticket: Stored) -> Stored:
    """Rebuild the ticket of an earlier answer; ``ticket`` is how it stands now."""
    said = orjson.loads(answer)
    return from_state(
        said["id"],
        said["version"],
        orjson.dumps(said["state"]),
        owner=said["owner"],
        token=said["token"],
        until=said["until"],
        doc=ticket.doc,
        history=ticket.history,
    )


def without_expired_lease(stored: Stored, now: int) -> Stored:
    """End a lease that has expired: who held it did not see what happens now."""
    return stored if stored.held(now) else replace(stored, owner="", until=0)


def assessed(doc: bytes) -> Mapping[str, Any]:
    """Give what the model said, for outcomes: they are what the next model learns from."""
    said = orjson.loads(doc)["assessment"]
    return {
        "topic": said["topics"][0]["key"],
        "urgency": said["urgency"]["key"],
        "intent": said["intent"]["key"],
        "team": said["team"],
        "rule": said["rule"],
        "confidence": said["confidence"],
        "abstained": said["abstained"],
        "lang": said["lang"],
        "sampled": said.get("sampled", ""),
        "model": said["model"],
    }


def labels_of(stored: Stored) -> dict[str, str]:
    """Give a ticket's team and labels."""
    return {
        "team": stored.team,
        "topic": stored.topic,
        "urgency": stored.urgency,
        "intent": stored.intent,
    }


def before_of(stored: Stored) -> dict[str, Any]:
    """Give what an outcome tells of before: team and labels, and what the model had said."""
    return {**labels_of(stored), "assessed": assessed(stored.doc)}


def mark_of(outcome: Mapping[str, Any]) -> tuple[int, int]:
    """Give version and time of an outcome from the log."""
    return int(outcome["version"]), to_ms(datetime.fromisoformat(outcome["at"]))


def is_deleted(doc: bytes) -> bool:
    """Whether the sender withdrew the post."""
    return bool(orjson.loads(doc)["post"].get("deleted"))


def is_late(doc: bytes, entry: Entry) -> bool:
    """Whether an entry is older than what stands: urgent posts overtake what came in before."""
    data = orjson.loads(doc)
    stands_since = data.get("withdrawn_at", data["created_at"])
    return entry.received_at < datetime.fromisoformat(stands_since)


@lru_cache(maxsize=16)
def text_of(doc: bytes) -> str:
    """Give the post's text; of the last few documents it is remembered."""
    return str(orjson.loads(doc)["post"]["text"])


def to_ms(at: datetime) -> int:
    """Give whole milliseconds since 1970 of an aware time, rounded down."""
    return (at - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """Give the time, in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)
