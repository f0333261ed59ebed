"""How often people and the model name the same label, from the outcomes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from triage.labels.export import Acts, said_of, standing
from triage.labels.rows import HEADS
from triage.ticket import UNKNOWN


@dataclass(slots=True)
class Agreed:
    """Of the tickets on which a person named this label: how often it was the model's."""

    head: str
    said: int = 0
    same: int = 0

    @property
    def corrected(self) -> int:
        """How often the person named another one."""
        return self.said - self.same

    @property
    def share(self) -> float | None:
        """The part on which both agree; None where nobody said anything."""
        return self.same / self.said if self.said else None


def compared(acts: Acts) -> Mapping[str, bool]:
    """Say, per head that people named, whether it is what the model said.

    What was merely resolved says nothing.

    >>> act = {"id": "a", "type": "corrected", "said": {"topic": "afval"}}
    >>> act["before"] = {"assessed": {"topic": "verkeer", "urgency": "laag", "intent": "vraag"}}
    >>> compared([act])
    {'topic': False}
    """
    left = standing(acts)
    if not left:
        return {}
    assessed = left[-1]["before"]["assessed"]
    return {
        head: label == str(assessed[head])
        for head, label in said_of(left).items()
        if head in HEADS and UNKNOWN not in {label, assessed[head]}
    }


def agreement_of(tickets: Iterable[Mapping[str, bool]]) -> list[Agreed]:
    """Count per head what ``compared`` says of tickets.

    >>> [(a.head, a.said, a.same) for a in agreement_of([{"topic": False}, {"topic": True}])]
    [('topic', 2, 1), ('urgency', 0, 0), ('intent', 0, 0)]
    """
    found = {head: Agreed(head) for head in HEADS}
    for ticket in tickets:
        for head, same in ticket.items():
            found[head].said += 1
            found[head].same += same
    return list(found.values())
