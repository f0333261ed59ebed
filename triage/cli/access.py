"""People, machines and the record, from the command line of the machine that runs triage."""

from __future__ import annotations

import csv
import getpass
import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Final

import typer

from triage.access import (
    FOREVER,
    Access,
    AuditEntry,
    Drawer,
    Identity,
    Kind,
    Role,
    Scope,
    audit_pages,
    between,
    digest,
    new_secret,
    tokens,
)
from triage.access.open import open_access
from triage.cli.process import now
from triage.cli.whereabouts import told
from triage.errors import Refused
from triage.settings import Settings

#: How long a one-time link works.
LINK_TIME: Final = timedelta(hours=1)
#: The subject of who signs in with a link: whoever may run commands on this machine.
LOCAL: Final = "lokaal"


def store_of(settings: Settings, stack: ExitStack) -> Access:
    """Open the store of sessions, tokens and the record."""
    if settings.queue_url.startswith("sqlite"):
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return stack.enter_context(open_access(settings.queue_url))


def address_of(settings: Settings, port: int | None = None) -> str:
    """Give the address under which browsers reach the server; ``port``: the one it really got."""
    if settings.public_url:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port if port is None else port}"


# -- the local account ---------------------------------------------------------------------------


def print_link(settings: Settings, *, chosen: bool) -> None:
    """Print a link to the server that runs on the data folder.

    ``chosen``: somebody named its address, which then counts.
    """
    running = None if chosen else told(settings.data)
    with ExitStack() as stack:
        link = make_link(store_of(settings, stack), running or address_of(settings))
    if not (running or chosen or settings.public_url):
        typer.echo(
            f"triage: in {settings.data} draait nu geen server; dit is het ingestelde adres",
            err=True,
        )
    typer.echo(link)


def make_link(store: Access, address: str) -> str:
    """Give a link that signs in once, as the local account with all rights."""
    code, at = new_secret(), now()
    identity = Identity(
        subject=LOCAL, name=_user(), roles=frozenset({Role.BEHEERDER}), kind=Kind.LOCAL
    )
    store.put(Drawer.LINK, digest(code), identity.to_mapping(), until=at + LINK_TIME)
    note(store, "link.create")
    return f"{address}/aanmelden/link?code={code}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return LOCAL


def note(store: Access, action: str, *targets: str) -> None:
    """Record what somebody did on this machine."""
    entry = AuditEntry(
        at=now(), subject=LOCAL, name=_user(), kind=Kind.LOCAL, action=action, targets=targets
    )
    store.record([entry])


# -- tokens --------------------------------------------------------------------------------------


def create_token(
    settings: Settings, name: str, scopes: list[str], teams: list[str], days: float | None
) -> None:
    """Make an API token and show it once."""
    unknown = [scope for scope in scopes if scope not in frozenset(Scope)]
    if unknown:
        raise Refused(f"onbekend recht; wel: {', '.join(Scope)}")
    with ExitStack() as stack:
        store, at = store_of(settings, stack), now()
        token = tokens.create(
            store,
            name,
            frozenset(map(Scope, scopes)),
            now=at,
            teams=frozenset(teams) if teams else None,
            until=at + timedelta(days=days) if days else FOREVER,
        )
        note(store, "token.create", name, *scopes)
    typer.echo("dit token is hierna niet meer te zien:", err=True)
    typer.echo(token)


def list_tokens(settings: Settings) -> None:
    """Show the tokens that are valid, one JSON object a line; not the tokens themselves."""
    with ExitStack() as stack:
        for token in tokens.listed(store_of(settings, stack), now=now()):
            shown = {
                "name": token.name,
                "scopes": sorted(token.scopes),
                "teams": None if token.teams is None else sorted(token.teams),
                "created": token.created.isoformat(timespec="seconds"),
                "until": None if token.until == FOREVER else token.until.isoformat(),
            }
            typer.echo(json.dumps(shown, ensure_ascii=False))


def revoke_token(settings: Settings, name: str) -> bool:
    """End a token at once. False: there is none of that name."""
    with ExitStack() as stack:
        store = store_of(settings, stack)
        found = tokens.revoke(store, name, now=now())
        if found:
            note(store, "token.revoke", name)
        return found


def end_sessions(settings: Settings, subject: str) -> int:
    """End all sessions of one person at once; give how many."""
    with ExitStack() as stack:
        store, ended = store_of(settings, stack), 0
        for key, value in store.all(Drawer.SESSION, now=now()):
            if subject in {value["identity"]["subject"], value["identity"]["name"]}:
                ended += store.take(Drawer.SESSION, key, now=now()) is not None
        note(store, "session.revoke", subject)
        return ended


# -- the record ----------------------------------------------------------------------------------


def export_audit(
    settings: Settings, kind: str, since: datetime | None, until: datetime | None
) -> None:
    """Write the record to stdout as JSON Lines or CSV."""
    zone = now().astimezone().tzinfo
    since, until = (at and at.replace(tzinfo=zone) for at in (since, until))
    with ExitStack() as stack:
        store = store_of(settings, stack)
        note(store, "audit.export")
        entries = between(audit_pages(store), since, until)
        if kind == "csv":
            _write_csv(entries)
        else:
            for entry in entries:
                sys.stdout.write(json.dumps(entry.to_mapping(), ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _write_csv(entries: Iterable[AuditEntry]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["id", "at", "subject", "name", "kind", "action", "targets"])
    for entry in entries:
        row = [*entry.to_mapping().values()]
        row[-1] = " ".join(entry.targets)
        writer.writerow(map(_cell, row))


def _cell(value: str) -> str:
    """Give a cell that no spreadsheet takes for a formula.

    >>> _cell("=1+1"), _cell("ticket.view")
    ("'=1+1", 'ticket.view')
    """
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
