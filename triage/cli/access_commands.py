"""The commands for people, machines and the record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from triage.cli.app import (
    WRONG_INPUT,
    Data,
    Host,
    Port,
    Queue,
    app,
    errors_told,
    settings_of,
)

token_app = typer.Typer(help="Tokens van programma's.", no_args_is_help=True)
session_app = typer.Typer(help="Aanmeldingen van mensen.", no_args_is_help=True)
audit_app = typer.Typer(help="Het logboek van inzage en handelingen.", no_args_is_help=True)
app.add_typer(token_app, name="token")
app.add_typer(session_app, name="session")
app.add_typer(audit_app, name="audit")

When = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])]


@app.command()
def link(queue: Queue = None, data: Data = None, host: Host = None, port: Port = None) -> None:
    """Maak een link waarmee u zich één keer aanmeldt, als beheerder van deze machine."""
    from triage.cli.access import print_link  # noqa: PLC0415

    with errors_told():
        settings = settings_of(queue=queue, data=data, host=host, port=port)
        print_link(settings, chosen=not (host is None and port is None))


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="Van welk programma het is.")],
    scope: Annotated[list[str], typer.Option(help="Een recht, zoals posts:write; vaker mag.")],
    team: Annotated[
        list[str] | None, typer.Option(help="Alleen dit team; vaker mag. Zonder: alle.")
    ] = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="Hoe lang het geldt.")] = None,
    queue: Queue = None,
    data: Data = None,
) -> None:
    """Maak een token en toon het één keer."""
    from triage.cli.access import create_token  # noqa: PLC0415

    with errors_told():
        create_token(settings_of(queue=queue, data=data), name, scope, team or [], days)


@token_app.command("list")
def token_list(queue: Queue = None, data: Data = None) -> None:
    """Toon per regel (JSON) welke tokens gelden."""
    from triage.cli.access import list_tokens  # noqa: PLC0415

    with errors_told():
        list_tokens(settings_of(queue=queue, data=data))


@token_app.command("revoke")
def token_revoke(
    name: Annotated[str, typer.Argument(help="De naam uit `list`.")],
    queue: Queue = None,
    data: Data = None,
) -> None:
    """Trek een token in; het eerstvolgende verzoek ermee wordt geweigerd."""
    from triage.cli.access import revoke_token  # noqa: PLC0415

    with errors_told():
        if not revoke_token(settings_of(queue=queue, data=data), name):
            typer.echo(f"triage: er is geen token {name}", err=True)
            raise typer.Exit(WRONG_INPUT)


@session_app.command("revoke")
def session_revoke(
    person: Annotated[str, typer.Argument(help="`subject` of `name` uit het logboek.")],
    queue: Queue = None,
    data: Data = None,
) -> None:
    """Meld iemand overal af."""
    from triage.cli.access import end_sessions  # noqa: PLC0415

    with errors_told():
        typer.echo(f"afgemeld: {end_sessions(settings_of(queue=queue, data=data), person)}")


@audit_app.command("export")
def audit_export(
    kind: Annotated[
        Literal["jsonl", "csv"], typer.Option("--format", help="jsonl of csv.")
    ] = "jsonl",
    since: When = None,
    until: When = None,
    queue: Queue = None,
    data: Data = None,
) -> None:
    """Schrijf het logboek naar stdout: wie zag en deed wat, en wanneer."""
    from triage.cli.access import export_audit  # noqa: PLC0415

    with errors_told():
        export_audit(settings_of(queue=queue, data=data), kind, since, until)
