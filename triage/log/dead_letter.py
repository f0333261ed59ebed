"""The dead letter: the bytes that are no post, with where they came from and why.

A dead letter always fits its topic: a payload that is too large is cut, the reason is bounded,
and nothing of an earlier round is carried on but the number of attempts.
"""

from __future__ import annotations

from typing import Final

from triage.errors import REASON_LIMIT, InvalidPost
from triage.log import NewRecord, Record

#: The largest dead letter, in bytes, with its key and headers.
SIZE_LIMIT: Final = 256 * 1024
#: What we keep free for key and headers, in bytes.
_HEADERS_LIMIT: Final = 8 * 1024
#: The longest key and field that travel along, in bytes and in characters.
_KEY_LIMIT: Final = 1024
_FIELD_LIMIT: Final = 200
#: The header in which a replay counts, on posts and on dead letters.
ATTEMPT: Final = "attempt"


def dead_letter(record: Record, error: InvalidPost) -> NewRecord:
    """Give the dead letter of a record that could not be decoded."""
    value = record.value or b""
    topic, _, partition = record.partition.rpartition("-")
    said = {
        "origin-topic": topic,
        "origin-partition": partition,
        "origin-offset": str(record.offset),
        "origin-at": record.at.isoformat(),
        "reason": error.reason[:REASON_LIMIT],
        "field": error.field[:_FIELD_LIMIT],
        "byte-offset": "" if error.offset is None else str(error.offset),
        ATTEMPT: str(attempt(record.headers) + 1),
        # Larger than what follows: the payload was cut.
        "size": str(len(value)),
    }
    return NewRecord(
        value=value[: SIZE_LIMIT - _HEADERS_LIMIT],
        # A key that is too long to carry is none: order among dead letters means nothing.
        key=record.key if record.key and len(record.key) <= _KEY_LIMIT else None,
        headers=tuple((name, text.encode("utf-8", "replace")) for name, text in said.items()),
    )


def without_payload(letter: NewRecord) -> NewRecord:
    """Give the same dead letter without its bytes, for a topic that allows less than we do."""
    return NewRecord(value=b"", key=letter.key, headers=letter.headers)


def replayed(letter: Record) -> NewRecord:
    """Give the post to append again; its only header is how often it was tried."""
    count = str(attempt(letter.headers)).encode()
    return NewRecord(value=letter.value or b"", key=letter.key, headers=((ATTEMPT, count),))


def was_cut(letter: Record) -> bool:
    """Tell whether a dead letter lacks part of its payload (a replay would fail again)."""
    size = dict(letter.headers).get("size", b"")
    return size.isdigit() and int(size) > len(letter.value or b"")


def origin_of(letter: Record) -> tuple[str, str, str]:
    """Give the partition, offset and time of the record that a dead letter holds."""
    said = {name: value.decode("utf-8", "replace") for name, value in letter.headers}
    partition = f"{said.get('origin-topic')}-{said.get('origin-partition')}"
    return partition, said.get("origin-offset", ""), said.get("origin-at", "")


def attempt(headers: tuple[tuple[str, bytes], ...]) -> int:
    """Give how often a record was tried before; 0 where no header says so."""
    text = dict(headers).get(ATTEMPT, b"")
    return min(int(text), 1_000_000) if text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004
