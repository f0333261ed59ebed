"""``dead-letter``: what could not be decoded, and bringing it through after all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import typer

from triage.cli.build import make_log
from triage.errors import InvalidPost, NotFound, Refused
from triage.log import Log, Record, Topic
from triage.log.dead_letter import replayed, was_cut
from triage.post import Post
from triage.settings import Settings


def letter_id(letter: Record) -> str:
    """Name a dead letter: its partition and offset."""
    return f"{letter.partition.rpartition('-')[2]}-{letter.offset}"


def list_letters(settings: Settings) -> None:
    """Print one JSON object a dead letter, without its payload."""
    with make_log(settings) as log:
        for letter in _letters(log):
            sys.stdout.buffer.write(orjson.dumps(_described(letter)) + b"\n")


def show_letter(settings: Settings, wanted: str) -> None:
    """Write the bytes of one dead letter to stdout. Raises NotFound."""
    with make_log(settings) as log:
        (letter,) = _chosen(log, [wanted])
        sys.stdout.buffer.write(letter.value or b"")


def replay_letters(
    settings: Settings, wanted: list[str], *, everything: bool, file: Path | None
) -> bool:
    """Append dead letters to the stream again; False where one still can't be decoded."""
    if everything == bool(wanted) or (file and len(wanted) != 1):
        message = "noem ids, of --all; met --file precies één id"
        raise Refused(message)
    good, sent = True, 0
    with make_log(settings) as log:
        letters = _letters(log) if everything else _chosen(log, wanted)
        for letter in letters:
            mended = replace(letter, value=_bytes(file)) if file else letter
            if reason := _still_wrong(mended):
                good = False
                typer.echo(f"triage: {letter_id(letter)}: {reason}", err=True)
                continue
            log.append(Topic.POSTS, [replayed(mended)])
            sent += 1
    typer.echo(f"{sent} berichten opnieuw in de stroom", err=True)
    return good


def _letters(log: Log) -> Iterator[Record]:
    return (letter for letter in log.scan(Topic.DEAD_LETTER) if not letter.erased)


def _described(letter: Record) -> dict[str, Any]:
    said = {name: value.decode("utf-8", "replace") for name, value in letter.headers}
    return {"id": letter_id(letter), "at": letter.at.isoformat(), **said, "cut": was_cut(letter)}


def _chosen(log: Log, wanted: list[str]) -> Iterator[Record]:
    missing = set(wanted)
    for letter in _letters(log):
        if (name := letter_id(letter)) in missing:
            missing.discard(name)
            yield letter
    if missing:
        message = f"geen dode brief {', '.join(sorted(missing))}"
        raise NotFound(message)


def _still_wrong(letter: Record) -> str:
    """Say why a replay would end here again; empty where it would not."""
    try:
        Post.decode(letter.value or b"", received_at=datetime.now(UTC))
    except InvalidPost as error:
        return str(error)
    return ""


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise Refused(message) from None
