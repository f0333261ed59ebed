"""A ticket that a ``put`` has in hand: how it stood, how it will, and what goes out with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.bundle import ANY_LENGTH
from triage.queue import Bundling
from triage.queue.document import Stored, window_of
from triage.queue.merge import Write


@dataclass(slots=True, kw_only=True)
class Draft:
    """A ticket that is written otherwise than on the fast path."""

    before: Stored | None
    now: Stored | None
    rewritten: bool = False
    events: list[bytes] = field(default_factory=list)
    #: What its history gets; where that is rewritten it's in there.
    appended: list[bytes] = field(default_factory=list)
    #: Under which further keys its copies find it.
    keys: dict[str, None] = field(default_factory=dict)
    shared: int = 1
    length: str = ANY_LENGTH
    window: int = 0
    #: A copy joined it.
    joined: bool = False
    #: The mute that took it.
    taken: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything became of it."""
        return self.now is not self.before

    def find_by(self, bundling: Bundling | None) -> None:
        """Let copies find it by its own post."""
        if bundling is not None:
            self.keys.update(dict.fromkeys(bundling.signature.keys))
            self.shared = bundling.signature.shared
            self.length = bundling.signature.length
        self.window = window_of(bundling)

    def write(self, ticket: str) -> Write:
        """Give what is to be written."""
        return Write(
            id=ticket,
            before=self.before,
            after=self.now if self.changed else None,
            rewritten=self.rewritten,
            appended=() if self.rewritten else tuple(self.appended),
            events=tuple(self.events),
            keys=tuple(self.keys),
            shared=self.shared,
            length=self.length,
            window=self.window,
            taken=self.taken,
        )
