"""The id under which an action is done once, however often it is sent."""

from __future__ import annotations

import hashlib
import uuid
from typing import Annotated

from fastapi import Header

from triage.web.auth import Caller

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=128,
        description="Dezelfde sleutel nog eens gestuurd geeft het eerste antwoord terug",
        examples=["5f1c8f0e-6c0b-4a6e-9d0f-0d6a3e3b6f10"],
    ),
]


def request_id(caller: Caller, action: str, subject: str, key: str | None) -> str:
    """Name a request: by the client's key, which counts per client, action and ticket only."""
    if key is None:
        return uuid.uuid4().hex
    parts = "\x00".join((caller.key, action, subject, key))
    return hashlib.blake2b(parts.encode("utf-8", "replace"), digest_size=16).hexdigest()
