"""An assessment of a post, and the ticket in which it waits for a team."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

#: The topic of a post that could not be assessed.
UNKNOWN: Final = "onbekend"
#: How an organisation is spelled: it is the hash tag of its keys and part of its ticket ids.
ORG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Urgency(StrEnum):
    """How soon a person must have acted, most urgent first."""

    KRITIEK = "kritiek"
    HOOG = "hoog"
    NORMAAL = "normaal"
    LAAG = "laag"

    @property
    def rank(self) -> int:
        """0 for the most urgent; lower comes first."""
        return URGENCIES.index(self)


URGENCIES: Final = tuple(Urgency)


class State(StrEnum):
    """Where a ticket stands; a claim is a lease on an open ticket, not a state of its own."""

    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A token that weighed, with its exact contribution to the score of a class."""

    token: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a post is about, how soon it needs a person, and what its writer wants."""

    #: (key, probability), the three best, best first.
    topics: tuple[tuple[str, float], ...]
    urgency: Urgency
    #: Probability per urgency, in the order of ``URGENCIES``.
    urgency_p: tuple[float, float, float, float]
    intent: str
    intent_p: float
    #: Probability that the first topic is right.
    confidence: float
    #: Too unsure to route by topic: the fallback team decides.
    abstained: bool
    reasons: tuple[Reason, ...]
    #: The safety rule that raised the urgency; None where none did.
    safety_rule: str | None
    #: The version that judged.
    model: str
    #: The same for the urgency, where it cannot wait (kritiek, hoog).
    urgency_reasons: tuple[Reason, ...] = ()

    @property
    def topic(self) -> str:
        """The first topic."""
        return self.topics[0][0]

    def to_mapping(self) -> dict[str, Any]:
        """Give the assessment as JSON-ready values, as ``triage classify`` prints them."""
        return {
            "topics": [{"key": key, "p": p} for key, p in self.topics],
            "urgency": {
                "key": self.urgency.value,
                "p": dict(zip(_URGENCY_KEYS, self.urgency_p, strict=True)),
            },
            "intent": {"key": self.intent, "p": self.intent_p},
            "confidence": self.confidence,
            "abstained": self.abstained,
            "reasons": [{"token": r.token, "weight": r.weight} for r in self.reasons],
            "urgency_reasons": [
                {"token": r.token, "weight": r.weight} for r in self.urgency_reasons
            ],
            "safety_rule": self.safety_rule,
            "model": self.model,
        }

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Assessment:
        """Read what ``to_mapping`` gave; what came to it since is left."""
        p = data["urgency"]["p"]
        return cls(
            topics=tuple((topic["key"], topic["p"]) for topic in data["topics"]),
            urgency=Urgency(data["urgency"]["key"]),
            urgency_p=(p["kritiek"], p["hoog"], p["normaal"], p["laag"]),
            intent=data["intent"]["key"],
            intent_p=data["intent"]["p"],
            confidence=data["confidence"],
            abstained=data["abstained"],
            reasons=tuple(Reason(**reason) for reason in data["reasons"]),
            safety_rule=data["safety_rule"],
            model=data["model"],
            urgency_reasons=tuple(Reason(**reason) for reason in data.get("urgency_reasons", ())),
        )


_URGENCY_KEYS: Final = tuple(urgency.value for urgency in URGENCIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which team must act, and when at the latest."""

    team: str
    due_at: datetime
    #: Whole minutes from receipt to ``due_at``.
    due_minutes: int
    #: The rule that fired, as named in the profile.
    rule: str
    #: Why people are asked to look at how it was judged (``audit``); empty: not in particular.
    sampled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a ticket: who holds it, until when, and the token that fences it."""

    owner: str
    #: Grows with every claim of the store and never repeats.
    token: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The unit of work in a queue."""

    id: str
    org: str
    team: str
    urgency: Urgency
    topic: str
    intent: str
    due_at: datetime
    created_at: datetime
    state: State
    post: Mapping[str, Any]
    #: ``Assessment.to_mapping()`` and the route's ``rule``, as judged; corrections don't change it.
    assessment: Mapping[str, Any]
    #: Grows with every change; a reader that has seen version n drops older events.
    version: int
    claim: Claim | None = None
    #: A person corrected, confirmed, reassigned, escalated or resolved it.
    touched: bool = False
    #: Set aside until then; None: it waits like any other.
    snoozed_until: datetime | None = None
    #: The ticket of the bundle that it stands inside; empty: it stands in a queue.
    within: str = ""
    #: Its copies: ``count`` (its own post included), ``authors``, ``channels``, ``first``,
    #: ``last``, ``reach`` and the distinct texts (``variants``); None for one post alone.
    bundle: Mapping[str, Any] | None = None
    #: What happened, oldest first: ``{"at", "action", "by", ...}``.
    history: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def ticket_id(org: str, post_id: str) -> str:
    """Name the ticket of a post: the same post always meets the same ticket.

    A digest, so that no sender's id (which may be a phone number) stands in an address.

    >>> ticket_id("leiden", "A1-0001")
    'leiden.lyd75vaw3bgzowvj'
    """
    digest = hashlib.blake2b(post_id.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return f"{org}.{base64.b32encode(digest).decode().lower()}"


def org_of(ticket: str) -> str:
    """Give the organisation that a ticket's id names."""
    return ticket.partition(".")[0]
