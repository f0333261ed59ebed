"""What was found so far: stretches of a view, of which the first that claims a place has it."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

from triage.language.entities.view import View
from triage.reading import Entity

#: The most entities of a text that are kept.
ENTITY_LIMIT: Final = 100
#: Claims a place for what is no entity: an organisation that is called like a person.
STAYS: Final = ""


class Found:
    """Collects entities without overlap; what is added first stays."""

    def __init__(self, view: View) -> None:
        self.view = view
        #: Start, end, kind and value in the view, in order of start.
        self._kept: list[tuple[int, int, str, str]] = []

    def free(self, start: int, end: int) -> bool:
        """Say whether nothing was found yet between two offsets of the view."""
        at = bisect_left(self._kept, (start,))
        if at and self._kept[at - 1][1] > start:
            return False
        return at == len(self._kept) or self._kept[at][0] >= end

    def add(self, kind: str, start: int, end: int, value: str = "") -> bool:
        """Keep an entity if its place is free; say whether it was."""
        if start >= end or not self.free(start, end):
            return False
        insort(self._kept, (start, end, kind, value))
        return True

    def ending(self, end: int, kind: str) -> bool:
        """Say whether an entity of a kind ends at an offset of the view."""
        return any(kept[1] == end and kept[2] == kind for kept in self._kept)

    def of(self, *kinds: str) -> list[tuple[int, int]]:
        """Give the stretches of some kinds, in order."""
        return [(start, end) for start, end, kind, _ in self._kept if kind in kinds]

    def entities(self) -> tuple[Entity, ...]:
        """Give what was found as entities of the given text, in order."""
        made = []
        kept = [entity for entity in self._kept if entity[2] != STAYS]
        for start, end, kind, value in kept[:ENTITY_LIMIT]:
            since, until = self.view.span(start, end)
            made.append(Entity(kind=kind, start=since, end=until, value=value))
        return tuple(made)
