"""``export``: what people labelled, or what they had better label next."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import typer

from triage.cli.build import load_pipeline, load_profiles, make_log, registry_of
from triage.errors import Refused
from triage.labels.export import export
from triage.labels.formats import encode, format_of
from triage.labels.masking import Pseudonyms, masker_of
from triage.labels.selection import select
from triage.models.live import codebook_of
from triage.post import Post
from triage.settings import Settings


def run_export(
    settings: Settings,
    out: Path | None,
    kind: str | None,
    *,
    org: str | None,
    since: datetime | None,
    uncertain: int,
) -> None:
    """Write what people labelled, or what they had better label next."""
    chosen = kind or (format_of(out) if out else "jsonl")
    profiles = load_profiles(settings)
    registry = registry_of(settings)
    names, masker = Pseudonyms.of(settings.data), masker_of()
    default = next(iter(profiles))

    def org_of(post: Post) -> str:
        return post.org if post.org in profiles else default

    with ExitStack() as stack:
        log = stack.enter_context(make_log(settings))
        if uncertain:
            pipeline = load_pipeline(settings, profiles, entities=False)
            known = frozenset(pipeline.classifier.words)
            rows = select(
                log, pipeline, uncertain, known=known, masker=masker, names=names, org=org
            )
            told = f"{len(rows)} berichten om te labelen"
        else:
            done = export(
                log,
                org_of,
                masker=masker,
                names=names,
                codebook_of=lambda model: codebook_of(registry, model),
                org=org,
                since=since,
            )
            rows = done.rows
            told = f"{len(rows)} gelabelde berichten, {done.missing} zonder bericht overgeslagen"
    raw = encode(rows, chosen)
    if out is None:
        sys.stdout.buffer.write(raw)
    else:
        write_private(out, raw)
    typer.echo(told, err=True)


def write_private(path: Path, raw: bytes) -> None:
    """Write a file that only its owner can read: masked as it is, it holds citizens' words."""
    try:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(raw)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
