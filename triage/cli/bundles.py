"""``bundle group`` and ``bundle explain``: what would stand in one ticket, and why."""

from __future__ import annotations

import sys
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
import typer

from triage.bundle import Comparison, Words, compare, read, sign
from triage.cli.build import load_pipeline, load_profiles
from triage.cli.posts import lines, opened
from triage.errors import InvalidPost, NotFound, Refused
from triage.pipeline import Pipeline, Received
from triage.post import SIZE_LIMIT, Post
from triage.queue import Entry, Queue
from triage.queue.open import open_queue
from triage.settings import Settings

#: Posts put at a time: as many as a worker puts.
_BATCH: Final = 500


def group_lines(settings: Settings, file: str) -> bool:
    """Print the bundle of each post, in input order; False where a line was wrong.

    The posts go through a queue of their own, in a file that is gone afterwards. Each counts as
    received when it was written. A bundle is named by its first post.
    """
    good = True
    pipeline = load_pipeline(settings, load_profiles(settings), entities=False)
    answers: list[dict[str, Any]] = []
    tickets: list[tuple[dict[str, Any], Entry]] = []
    with opened(file) as stream, TemporaryDirectory() as folder:
        queue = open_queue(f"sqlite:///{folder}/bundles.db")
        with queue:
            for batch in lines(stream):
                received: list[tuple[dict[str, Any], Received]] = []
                for number, line in batch:
                    if line.strip():
                        answers.append(_read(number, line, received))
                        good &= "error" not in answers[-1]
                for start in range(0, len(received), _BATCH):
                    tickets += _put(pipeline, queue, received[start : start + _BATCH])
            _name_bundles(queue, tickets)
    for answer in answers:
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()
    return good


def _read(
    number: int, line: bytes, received: list[tuple[dict[str, Any], Received]]
) -> dict[str, Any]:
    now = datetime.now(UTC)
    try:
        post = Post.decode(line, received_at=now)
    except InvalidPost as error:
        return {"id": None, "error": str(error), "line": number}
    answer: dict[str, Any] = {"id": post.id, "bundle": post.id}
    received.append((answer, Received(post=post, received_at=post.created_at)))
    return answer


def _put(
    pipeline: Pipeline, queue: Queue, batch: list[tuple[dict[str, Any], Received]]
) -> list[tuple[dict[str, Any], Entry]]:
    judged = pipeline.judge([received for _, received in batch])
    entries = [replace(entry, reply=None) for entry in judged]  # a reply is no copy
    # A stream passes by in the order in which it is given, whatever its clocks say.
    for org in pipeline.orgs:
        own = [entry for entry in entries if entry.ticket_id.startswith(f"{org}.")]
        if own:
            queue.put(org, own, now=max(e.received_at for e in own), request=uuid.uuid4().hex)
    return [(answer, entry) for (answer, _), entry in zip(batch, entries, strict=True)]


def _name_bundles(queue: Queue, tickets: list[tuple[dict[str, Any], Entry]]) -> None:
    posts = {entry.ticket_id: entry.post.id for _, entry in reversed(tickets)}
    for answer, entry in tickets:
        try:
            within = queue.get(entry.ticket_id, now=entry.received_at).within
        except NotFound:  # withdrawn before anyone saw it
            continue
        answer["bundle"] = posts.get(within or entry.ticket_id, entry.post.id)


# -- explain -------------------------------------------------------------------------------------


def explain(first: str, other: str) -> dict[str, Any]:
    """Say whether two posts meet, and why or why not. Raises Refused."""
    texts = [_text(given) for given in (first, other)]
    one, two = map(read, texts)
    signatures = [sign(text) for text in texts]
    keys = [set(signature.keys) if signature else set() for signature in signatures]
    found = compare(one, two)
    shared = sorted(keys[0] & keys[1])
    return {
        "together": found.same and bool(shared),
        "reason": _reason(found, shared),
        "equal": found.equal,
        "words": [len(one.tokens), len(two.tokens)],
        "only_first": _only(one, two),
        "only_second": _only(two, one),
        "adds": {kind: sorted(words) for kind, words in found.adds.items()},
        "shared_keys": len(shared),
        "keys": [len(own) for own in keys],
    }


def _only(words: Words, others: Words) -> list[str]:
    return sorted((Counter(words.tokens) - Counter(others.tokens)).elements())


def _reason(found: Comparison, shared: list[str]) -> str:
    if not found.same:
        return found.reason
    if not shared:
        return "ze lijken op elkaar, maar delen geen sleutel: ze vinden elkaar niet"
    if found.equal:
        return "gelijk op hoofdletters, leestekens, links en vermeldingen na"
    return "ten hoogste een vijfde van de woorden verschilt, en geen feit"


def _text(given: str) -> str:
    """Give the text of a post: in a file, as JSON, or as such."""
    path = Path(given)
    raw = given.encode("utf-8", "surrogateescape")
    try:
        if len(given) < 1024 and path.is_file():  # noqa: PLR2004 - no path is longer
            with path.open("rb") as file:
                raw = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError):
        pass
    if raw.lstrip()[:1] != b"{":
        raw = orjson.dumps({"text": raw.decode("utf-8", "replace").strip()})
    try:
        return Post.decode(raw, received_at=datetime.now(UTC)).text
    except InvalidPost as error:
        raise Refused(str(error)) from None


def print_explanation(first: str, other: str, *, as_json: bool) -> bool:
    """Print why two posts meet or don't; give whether they do."""
    said = explain(first, other)
    if as_json:
        typer.echo(orjson.dumps(said).decode())
    else:
        typer.echo(("samen: " if said["together"] else "apart: ") + said["reason"])
        typer.echo(f"woorden: {said['words'][0]} en {said['words'][1]}")
        for label, key in (
            ("alleen in de eerste", "only_first"),
            ("alleen in de tweede", "only_second"),
        ):
            if said[key]:
                typer.echo(f"{label}: {' '.join(said[key])}")
        for kind, words in said["adds"].items():
            typer.echo(f"voegt toe ({kind}): {', '.join(words)}")
        typer.echo(
            f"gedeelde sleutels: {said['shared_keys']} van {said['keys'][0]} en {said['keys'][1]}"
        )
    return bool(said["together"])
