"""What is written to tickets, and what a post's arrival or edit makes of one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from triage.bundle import ANY_LENGTH
from triage.queue import Action, Entry, PutResult
from triage.queue.checks import check_name, check_org
from triage.queue.document import (
    HISTORY_LIMIT,
    SEEN_LIMIT,
    Created,
    Stored,
    document,
    from_ms,
    history_item,
    is_deleted,
    is_late,
    text_of,
    to_ms,
    without_expired_lease,
)
from triage.queue.mute import Mute

#: The most earlier texts that a ticket keeps, and their bytes together.
REVISION_LIMIT: Final = 20
REVISION_BYTES: Final = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A change of one ticket, to be written only if ``before`` still stands.

    ``before`` None: only if the store knows no such ticket. ``after`` None: write nothing, only
    see to it that the rest of the batch rests on the truth.
    """

    id: str
    before: Stored | None
    after: Stored | None
    #: Items that are added to the history; ``rewritten`` says that it is replaced as a whole.
    appended: tuple[bytes, ...] = ()
    rewritten: bool = False
    events: tuple[bytes, ...] = ()
    #: It is put on its way to another system, which has to know this; None: it is not.
    hand_over: str | None = None
    #: Under which further keys its copies find it, and for how many seconds.
    keys: tuple[str, ...] = ()
    shared: int = 1
    #: The length of its first text, as a signature tells it.
    length: str = ANY_LENGTH
    window: int = 0
    #: Changes of other tickets that happen with this one or not at all.
    also: tuple[Write, ...] = ()
    #: Mutes that begin or end with it.
    mutes: tuple[Mute, ...] = ()
    #: The mute that took it.
    taken: str = ""

    @property
    def whole(self) -> tuple[Write, ...]:
        """This change and those that happen with it."""
        return (self, *self.also)


@dataclass(slots=True, kw_only=True)
class Plan:
    """What one ``put`` will write, and how it counts."""

    creations: list[Created] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    #: Tickets that replies are about and that the store is not known to have.
    replied_to: Iterable[str] = ()
    created: int = 0
    edited: int = 0
    repeated: int = 0
    deleted: int = 0
    joined: int = 0
    raised: int = 0
    replied: int = 0
    muted: int = 0
    sizes: list[int] = field(default_factory=list)

    @property
    def events(self) -> list[bytes]:
        """Events of what is not created on the fast path."""
        return [event for write in self.writes for event in write.events]


def fresh(entry: Entry, memory: Stored | None) -> Stored:
    """Make a ticket; ``memory`` is what is left of an earlier one that retention took."""
    route, judged = entry.route, entry.assessment
    return Stored(
        id=entry.ticket_id,
        version=memory.version + 1 if memory else 1,
        team=route.team,
        urgency=judged.urgency,
        topic=judged.topic,
        intent=judged.intent,
        due=to_ms(route.due_at),
        outcome=memory.outcome if memory else (0, 0),
        doc=document(entry),
        seen=(*(memory.seen if memory else ()), entry.post.digest)[-SEEN_LIMIT:],
    )


def edited(stored: Stored, entry: Entry, now: int) -> Stored:
    """Judge a ticket anew by its post's new content: urgency only rises, due only comes forward.

    The new route's team takes it over when nobody holds it, and nobody chose its team by hand or
    the urgency rose. A content that comes after a later one only goes into the history, unless it
    is more urgent. One that a person saw who resolved the ticket leaves it so (``Entry.decided``).
    """
    judged, due = entry.assessment, to_ms(entry.route.due_at)
    held = stored.held(now)
    decided = bool(stored.resolved) and stored.revision < (entry.decided or 0)
    rose = judged.urgency.rank < stored.urgency.rank and not decided
    late = is_late(stored.doc, entry)
    settled = late or stored.touched
    rerouted = not held and (rose or not settled)
    relabelled = rerouted or not settled
    doc = stored.doc if late else document(entry)
    item = history_item(
        now,
        Action.EDITED,
        "",
        text=entry.post.text if late else text_of(stored.doc),
        team=stored.team,
        urgency=stored.urgency,
        due_at=from_ms(stored.due),
    )
    return replace(
        without_expired_lease(stored, now),
        version=stored.version + 1,
        team=entry.route.team if rerouted else stored.team,
        urgency=judged.urgency if rose else stored.urgency,
        topic=judged.topic if relabelled else stored.topic,
        intent=judged.intent if relabelled else stored.intent,
        due=stored.due if decided else min(stored.due, due),
        resolved=stored.resolved if decided or (late and not rose) else 0,
        revision=stored.revision + 1,
        doc=doc,
        bundle=stored.bundle and stored.bundle.about(doc, returns=is_deleted(stored.doc)),
        seen=(*stored.seen, entry.post.digest)[-SEEN_LIMIT:],
        history=bound_history((*stored.history, item)),
    )


def bound_history(history: Sequence[bytes]) -> tuple[bytes, ...]:
    """Let go of the oldest items, and of the oldest texts, that are over the limits."""
    texts = size = 0
    kept: list[bytes] = []
    for raw in reversed(history[-HISTORY_LIMIT:]):
        item = orjson.loads(raw)
        if "text" not in item:
            kept.append(raw)
            continue
        texts += 1
        size += len(raw)
        if texts > REVISION_LIMIT or size > REVISION_BYTES:
            del item["text"]
            kept.append(orjson.dumps(item))
        else:
            kept.append(raw)
    return tuple(reversed(kept))


# -- around a put --------------------------------------------------------------------------------


def check_batch(org: str, entries: Sequence[Entry]) -> None:
    """Refuse entries that are not of this organisation. Raises NotFound and ValueError."""
    check_org(org)
    own = f"{org}."
    if not all(entry.ticket_id.startswith(own) for entry in entries):
        message = "ticket_id: niet van deze organisatie"
        raise ValueError(message)
    for team in {entry.route.team for entry in entries}:
        check_name("team", team)


def counts_of(plan: Plan, moved: Mapping[str, int | None]) -> bytes:
    """Encode the answer to a put, so that the same request gets it again."""
    return orjson.dumps(
        {
            "created": plan.created,
            "edited": plan.edited,
            "repeated": plan.repeated,
            "deleted": plan.deleted,
            "joined": plan.joined,
            "raised": plan.raised,
            "replied": plan.replied,
            "muted": plan.muted,
            "sizes": plan.sizes,
            "moved": dict(moved),
        }
    )


def put_result(counts: bytes, repeated: int = 0) -> PutResult:
    """Read such an answer; ``repeated`` creations turned out to be there already."""
    said = orjson.loads(counts)
    said["created"] -= repeated
    said["repeated"] += repeated
    said["sizes"] = tuple(said["sizes"])
    return PutResult(**said)


def with_history(shown: Stored, write: Write) -> Stored:
    """Give a ticket as answered together with what its history has become."""
    before = () if write.rewritten or write.before is None else write.before.history
    return replace(shown, history=(*before, *write.appended) or shown.history)
