"""How the earlier tickets of an author are found: only those that were resolved are noted.

Open ones stand in lists that are in memory, and a post that comes in costs nothing more. What
retention takes, what is opened again and who is forgotten is noted no longer.
"""

from __future__ import annotations

from typing import Final

from triage.queue.document import Stored
from triage.queue.muting import author_of

#: The most tickets of one author that are noted, those that were resolved last.
NOTED_LIMIT: Final = 100
#: Says that a change leaves what is noted as it is.
SAME: Final = "="


def noted_under(stored: Stored) -> str:
    """Give under whose key a ticket is noted; empty: it is not."""
    return author_of(stored) if stored.resolved and not (stored.within or stored.gone) else ""


def noted_by(before: Stored | None, after: Stored) -> str:
    """Give under whose key a change notes a ticket; reads nothing where that stays as it was."""
    if before is not None and not before.gone and before.doc == after.doc:
        stood, stands = (bool(one.resolved) and not one.within for one in (before, after))
        if stood == stands:
            return SAME
    return noted_under(after)
