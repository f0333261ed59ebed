"""Near-duplicates: which posts say the same, so that they stand in one ticket."""

from __future__ import annotations

from triage.bundle.compare import Comparison, compare, conflict
from triage.bundle.signature import ANY_LENGTH, Signature, exact, length, sign, sign_all
from triage.bundle.words import Words, read

__all__ = [
    "ANY_LENGTH",
    "Comparison",
    "Signature",
    "Words",
    "compare",
    "conflict",
    "exact",
    "length",
    "read",
    "sign",
    "sign_all",
]
