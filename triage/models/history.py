"""What was promoted, when, by whom and why: one JSON line each, never changed, only added to."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from triage.errors import Refused

FILE: Final = "promotions.jsonl"
_LOCK: Final = ".registry.lock"

Step = Literal["promote", "rollback", "shadow", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One step; ``at`` in ISO 8601, ``before`` what the pointer named until then."""

    action: Step
    version: str | None
    before: str | None
    by: str
    why: str
    at: str
    #: Promoted although the gate refused.
    forced: bool = False
    #: What the gate had against it.
    refusals: tuple[str, ...] = ()


def read(folder: Path) -> list[Entry]:
    """Give all steps, oldest first; a line that a power cut halved is left out."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [entry for line in lines if (entry := _entry(line)) is not None]


def append(folder: Path, entry: Entry) -> None:
    """Add a step and return when it is on disk. Raises Refused."""
    raw = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
    try:
        handle = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, raw)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise Refused(f"{folder / FILE}: {error.strerror}", code="models-unwritable") from None


def previous(entries: Sequence[Entry]) -> str | None:
    """Give the version to roll back to: the one before the last promotion that still stands."""
    stood: list[str | None] = []
    for entry in entries:
        if entry.action == "promote":
            stood.append(entry.before)
        elif entry.action == "rollback" and stood:
            stood.pop()
    return stood[-1] if stood else None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the registry, so that two steps do not mix. Raises Refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        message = (
            f"{folder}: hier kan niet geschreven worden ({error.strerror}); "
            "zet TRIAGE_MODELS op een map van uzelf"
        )
        raise Refused(message, code="models-unwritable") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _entry(line: str) -> Entry | None:
    try:
        data: Mapping[str, Any] = json.loads(line)
        return Entry(**{**data, "refusals": tuple(data.get("refusals", ()))})
    except (ValueError, TypeError):
        return None
