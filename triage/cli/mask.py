"""``mask``: posts in, the same posts without personal data out, one JSON object a line."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from triage.cli.posts import Line, lines, opened
from triage.errors import InvalidPost, Refused
from triage.language.entities import find
from triage.post import Post
from triage.privacy import Masker

_SECRET_BYTES: Final = 32


def mask_lines(file: str, secret_file: Path | None) -> bool:
    """Print each post masked, in input order; False where a line was wrong.

    Without a secret the pseudonyms of this run are those of no other run.
    """
    masker = Masker(_secret(secret_file), find)
    good = True
    with opened(file) as stream:
        for batch in lines(stream):
            for answer in _masked(masker, batch):
                good &= "error" not in answer
                sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
            sys.stdout.buffer.flush()
    return good


def _secret(file: Path | None) -> bytes:
    if file is None:
        return secrets.token_bytes(_SECRET_BYTES)
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise Refused(message) from None
    if not secret:
        message = f"{file}: leeg"
        raise Refused(message)
    return secret


def _masked(masker: Masker, batch: list[Line]) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for number, line in batch:
        if not line.strip():
            continue
        try:
            post = Post.decode(line, received_at=now)
        except InvalidPost as error:
            yield {"id": None, "error": str(error), "line": number}
            continue
        known = (post.author.name,) if post.author else ()
        masked = masker.mask(post.text, known=known)
        yield {
            "id": post.id,
            "text": masked.text,
            "masked": [
                {
                    "kind": span.kind,
                    "start": span.start,
                    "end": span.end,
                    "pseudonym": span.pseudonym,
                }
                for span in masked.spans
            ],
        }
