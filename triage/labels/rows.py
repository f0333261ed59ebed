"""A row of an export: a masked post, what the model said, what a person said, and how sure we are.

Keys and values are slugs, never display names. No row holds a name, an id of a sender or of a
colleague, or an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

#: What can be labelled.
HEADS: Final = ("topic", "urgency", "intent")
#: The version of this format.
FORMAT: Final = 1


class Status(StrEnum):
    """What a label is worth."""

    #: A person said something else than the model.
    CORRECTED = "corrected"
    #: A person named the label that the model gave.
    CONFIRMED = "confirmed"
    #: A person handled the ticket and let the label stand, perhaps without a look.
    UNTOUCHED = "untouched"
    #: Nobody has said anything yet: picked to be labelled.
    UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One labelled (or picked) post."""

    #: The ticket's id: it names no sender.
    id: str
    org: str
    #: Masked.
    text: str
    channel: str
    lang: str
    #: When it was written, to the hour, ISO 8601 in UTC.
    created_at: str
    #: Posts of one author share it, and no author can be found by it.
    author_group: str
    #: Posts of one thread share it.
    thread: str
    #: The ticket of the bundle that it belongs to; empty: none. Copies count once in training.
    bundle: str = ""
    #: Per head, what the model said.
    predicted: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.0
    abstained: bool = False
    model: str = ""
    #: A digest of the codebook by which that model was made; empty: not known.
    codebook: str = ""
    #: Per head, what holds now; empty for what is picked to be labelled.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Per head, what that is worth.
    heads: Mapping[str, Status] = field(default_factory=dict)
    #: The best of the heads: corrected, else confirmed, else untouched.
    status: Status = Status.UNLABELLED
    #: Another team than the rules chose, by hand: the topic may be wrong though nobody said so.
    reassigned: bool = False
    #: Why people were asked to look (``audit``, ``uncertain``, ``critical-border`` ...).
    sampled: str = ""
    #: The role of who decided last; empty: not known.
    role: str = ""
    #: When that was, ISO 8601; empty: nobody has.
    at: str = ""
    format: int = FORMAT

    def to_mapping(self) -> dict[str, Any]:
        """Give the row as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> Row:
        """Read a row. Raises ValueError, which names the field."""
        unknown = data.keys() - cls.__dataclass_fields__.keys()
        if unknown:
            message = f"onbekend veld {min(unknown)!r}"
            raise ValueError(message)
        for name in ("id", "text"):
            if not isinstance(data.get(name), str):
                message = f"{name}: geen tekst"
                raise ValueError(message)  # noqa: TRY004 - wrong data, no wrong call
        labels, heads = dict(data.get("labels") or {}), dict(data.get("heads") or {})
        values = {name: value for name, value in data.items() if value is not None}
        values["labels"] = {head: label for head, label in labels.items() if label}
        values["heads"] = {head: Status(status) for head, status in heads.items() if status}
        values["predicted"] = dict(data.get("predicted") or {})
        values["status"] = Status(data.get("status", Status.UNLABELLED))
        for name in _TEXTS:
            values.setdefault(name, "")
        return cls(**values)

    @property
    def labelled(self) -> bool:
        """Whether every head has a label."""
        return all(self.labels.get(head) for head in HEADS)


_TEXTS: Final = ("org", "channel", "lang", "created_at", "author_group", "thread")
