"""``classify`` and ``ingest``: posts in, one JSON object a line."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson
import typer

from triage.cli.build import load_pipeline, load_profiles, make_log, make_look
from triage.errors import InvalidPost, Refused
from triage.lane import Lane
from triage.log.posts import new_record
from triage.pipeline import Pipeline, Received
from triage.post import SIZE_LIMIT, Post
from triage.queue import Entry
from triage.reading import Reading
from triage.settings import Settings

#: How much is read at a time, in bytes: what is there is worked on, so that a pipe flows.
_CHUNK: Final = 256 * 1024

#: A line: its number from 1, and its bytes (never more than one over the limit).
Line = tuple[int, bytes]


def lines(stream: BinaryIO) -> Iterator[list[Line]]:
    """Give the lines of a stream as they come, in batches; a line of any length costs 64 KiB."""
    number, rest = 1, b""
    while chunk := _available(stream):
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[: SIZE_LIMIT + 1]
        yield [(number + index, line) for index, line in enumerate(whole)]
        number += len(whole)
    if rest:
        yield [(number, rest)]


def _available(stream: BinaryIO) -> bytes:
    """Give what can be read now, without waiting for more."""
    return cast("io.BufferedReader", stream).read1(_CHUNK)


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin for ``-``."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise Refused(message) from None
    with stream:
        yield stream


def classify_lines(settings: Settings, file: str) -> bool:
    """Print what each post is judged to be, in input order; False where a line was wrong."""
    pipeline = load_pipeline(settings, load_profiles(settings))
    good = True
    with opened(file) as stream:
        for batch in lines(stream):
            for answer in _classified(pipeline, batch):
                good &= "error" not in answer
                sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
            sys.stdout.buffer.flush()
    return good


def _classified(pipeline: Pipeline, batch: list[Line]) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    read: list[Received | dict[str, Any]] = []
    for number, line in batch:
        if not line.strip():
            continue
        try:
            read.append(Received(post=Post.decode(line, received_at=now), received_at=now))
        except InvalidPost as error:
            read.append({"id": None, "error": str(error), "line": number})
    received = [item for item in read if isinstance(item, Received)]
    judged = iter(pipeline.judge_with_readings(received))
    for item in read:
        if isinstance(item, dict):
            yield item
            continue
        entry, reading = next(judged)
        explanation = pipeline.explain(entry, reading)
        yield {
            **judgement(entry, reading),
            "explanation": explanation.to_mapping() if explanation else None,
        }


def judgement(entry: Entry, reading: Reading) -> dict[str, Any]:
    """Give the answer of ``triage classify`` for one post."""
    assessment = entry.assessment.to_mapping()
    return {
        "id": entry.post.id,
        "topics": assessment["topics"],
        "urgency": assessment["urgency"],
        "intent": assessment["intent"],
        "lang": reading.lang,
        "entities": [
            {
                "kind": entity.kind,
                "text": entry.post.text[entity.start : entity.end],
                "start": entity.start,
                "end": entity.end,
                "value": entity.value,
            }
            for entity in reading.entities
        ],
        "team": entry.route.team,
        "due_minutes": entry.route.due_minutes,
        "confidence": assessment["confidence"],
        "abstained": assessment["abstained"],
        "reasons": assessment["reasons"],
        "urgency_reasons": assessment["urgency_reasons"],
        "rule": entry.route.rule,
        "safety_rule": assessment["safety_rule"],
        "model": assessment["model"],
    }


def ingest_lines(settings: Settings, file: str) -> bool:
    """Append posts to the log; False where a line was wrong (the others are appended)."""
    good, appended = True, 0
    with ExitStack() as stack:
        log = stack.enter_context(make_log(settings))
        lane = Lane(log, make_look(settings, load_profiles(settings)))
        stream = stack.enter_context(opened(file))
        for batch in lines(stream):
            posts, records, errors = [], [], []
            for number, line in batch:
                if not line.strip():
                    continue
                try:
                    post = Post.decode(line, received_at=datetime.now(UTC))
                    records.append(new_record(post))
                    posts.append(post)
                except InvalidPost as error:
                    errors.append(f"regel {number}: {error}")
            if records:
                lane.append(posts, records)
            appended += len(records)
            good &= not errors
            for error_line in errors:
                typer.echo(f"triage: {error_line}", err=True)
    typer.echo(f"{appended} berichten in de stroom", err=True)
    return good
