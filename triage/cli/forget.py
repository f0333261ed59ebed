"""``forget``: take an author out of the queues and the log."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import typer

from triage.cli.access import note, store_of
from triage.cli.build import load_pipeline, open_parts
from triage.cli.process import now
from triage.errors import Refused
from triage.forget import Forgotten, forget
from triage.post import ID_LIMIT, clean
from triage.settings import Settings


def run_forget(settings: Settings, org: str, given: str) -> bool:
    """Forget an author and print how much; False where the operator must do something more.

    ``given``: the author's id, or ``-`` to read it from stdin, out of sight of who lists processes.
    """
    author = clean(sys.stdin.readline() if given == "-" else given).strip()
    if not 0 < len(author) <= ID_LIMIT:
        raise Refused(f"het id van een schrijver heeft 1 tot {ID_LIMIT} tekens")
    with ExitStack() as stack:
        parts = open_parts(settings, stack)
        if org not in parts.profiles:
            raise Refused(f"--org: onbekende organisatie; wel: {', '.join(parts.profiles)}")
        pipeline = load_pipeline(settings, parts.profiles, entities=False)
        # Without the tickets: together they would say what one person wrote.
        note(store_of(settings, stack), "author.forget", org)
        done = forget(
            parts.log,
            parts.queue,
            org,
            author,
            org_of=pipeline.org_of,
            judge=pipeline.judge,
            clock=now,
        )
    return _told(done)


def _told(done: Forgotten) -> bool:
    gone = done.records if done.erased else 0
    typer.echo(
        f"{done.tickets} tickets gemaskeerd, {gone} berichten uit de stroom gewist, "
        f"{done.mutes} dempingen beëindigd"
    )
    stays = not done.erased and done.records > 0
    if stays:
        typer.echo(
            f"triage: {done.records} berichten blijven in Kafka staan tot hun bewaartermijn om is "
            "(retention.ms van triage.posts, triage.posts.urgent en triage.dead-letter); "
            "`triage rebuild` en exports slaan ze over",
            err=True,
        )
    if done.left:
        typer.echo(
            f"triage: {done.left} berichten kwamen intussen binnen: doe het nog een keer", err=True
        )
    return not (stays or done.left)
