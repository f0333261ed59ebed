"""How often people and the model name the same label, from the outcomes alone."""

from __future__ import annotations

from collections.abc import Iterable
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


def agreement_of(tickets: Iterable[Acts]) -> list[Agreed]:
    """Count per head what people said of tickets; what was merely resolved says nothing.

    >>> act = {"id": "a", "type": "corrected", "said": {"topic": "afval"}}
    >>> act["before"] = {"assessed": {"topic": "verkeer", "urgency": "laag", "intent": "vraag"}}
    >>> [(a.head, a.said, a.same) for a in agreement_of([[act]])]
    [('topic', 1, 0), ('urgency', 0, 0), ('intent', 0, 0)]
    """
    found = {head: Agreed(head) for head in HEADS}
    for acts in tickets:
        left = standing(acts)
        if not left:
            continue
        assessed = left[-1]["before"]["assessed"]
        for head, label in said_of(left).items():
            if head in found and UNKNOWN not in {label, assessed[head]}:
                found[head].said += 1
                found[head].same += label == str(assessed[head])
    return list(found.values())
