"""The commands and their options; what they do stands in the modules beside this one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from triage import __version__
from triage.errors import TooManyRejected, TriageError
from triage.settings import Settings, load_settings

app = typer.Typer(
    name="triage",
    help="Berichten van burgers lezen, beoordelen en bij het juiste team leggen.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
dead_letter_app = typer.Typer(help="Wat niet te lezen was.", no_args_is_help=True)
profile_app = typer.Typer(help="Profielen van organisaties.", no_args_is_help=True)
app.add_typer(dead_letter_app, name="dead-letter")
app.add_typer(profile_app, name="profile")
bundle_app = typer.Typer(help="Wat in één ticket komt.", no_args_is_help=True)
app.add_typer(bundle_app, name="bundle")

Profile = Annotated[
    str | None, typer.Option(help="Naam van een meegeleverd profiel, of een TOML-bestand.")
]
Data = Annotated[Path | None, typer.Option(help="Map voor de ingebouwde opslag.")]
Log = Annotated[str | None, typer.Option(help="kafka://host:9092 of sqlite:///pad")]
Queue = Annotated[str | None, typer.Option(help="redis://host:6379/0 of sqlite:///pad")]
Host = Annotated[str | None, typer.Option(help="Adres waarop geluisterd wordt.")]
Port = Annotated[int | None, typer.Option(help="Poort waarop geluisterd wordt.")]
File = Annotated[str, typer.Argument(help="Bestand met één bericht per regel, of - voor stdin.")]
Model = Annotated[str | None, typer.Option(help="Versie van het model.")]
Volatile = Annotated[
    bool | None,
    typer.Option("--allow-volatile", help="Sta een Redis toe die berichten kan verliezen."),
]
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]

#: Packages that only training needs.
_OPTIONAL = frozenset({"sklearn", "scipy", "threadpoolctl"})
#: Exit statuses.
WRONG_INPUT = 1
OPERATOR = 2
STOPPED = 3


@contextmanager
def errors_told() -> Iterator[None]:
    """Show our own errors as one message, without a trace."""
    try:
        yield
    except TooManyRejected as error:
        typer.echo(f"triage: {error}", err=True)
        raise typer.Exit(STOPPED) from None
    except TriageError as error:
        typer.echo(f"triage: {error}", err=True)
        raise typer.Exit(OPERATOR) from None
    except ModuleNotFoundError as error:
        if error.name not in _OPTIONAL:
            raise
        typer.echo("triage: hiervoor is meer nodig: pip install 'triage[learn]'", err=True)
        raise typer.Exit(OPERATOR) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(WRONG_INPUT) from None


def settings_of(**options: object) -> Settings:
    """Read settings and set up logging as they say."""
    from triage.cli.build import logging_to_stderr  # noqa: PLC0415 - keeps `triage --help` quick

    settings = load_settings(**options)
    logging_to_stderr(settings.log_level)
    return settings


def _hold_on(supervised: bool) -> None:
    """End with the supervisor that started us, where one did."""
    if supervised:
        from triage.supervisor import end_with_supervisor  # noqa: PLC0415

        end_with_supervisor()


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Toon de versie.")] = False,
) -> None:
    """Berichten van burgers lezen, beoordelen en bij het juiste team leggen."""
    if version:
        typer.echo(f"triage {__version__}")
        raise typer.Exit


@app.command()
def classify(
    file: File = "-", profile: Profile = None, model: Model = None, models: Data = None
) -> None:
    """Beoordeel berichten en druk per regel het oordeel af (JSON Lines)."""
    from triage.cli.posts import classify_lines  # noqa: PLC0415

    with errors_told():
        settings = settings_of(profile=profile, model=model, models=models)
        if not classify_lines(settings, file):
            raise typer.Exit(WRONG_INPUT)


@app.command()
def ingest(file: File = "-", log: Log = None, data: Data = None) -> None:
    """Zet berichten (JSON Lines) in de stroom."""
    from triage.cli.posts import ingest_lines  # noqa: PLC0415

    with errors_told():
        if not ingest_lines(settings_of(log=log, data=data), file):
            raise typer.Exit(WRONG_INPUT)


@app.command()
def mask(
    file: File = "-",
    secret_file: Annotated[
        Path | None, typer.Option(help="Bestand met een geheim: daarmee zijn pseudoniemen gelijk.")
    ] = None,
) -> None:
    """Druk berichten af zonder persoonsgegevens (JSON Lines)."""
    from triage.cli.mask import mask_lines  # noqa: PLC0415

    with errors_told():
        if not mask_lines(file, secret_file):
            raise typer.Exit(WRONG_INPUT)


@app.command()
def work(  # noqa: PLR0917 - one parameter an option
    log: Log = None,
    queue: Queue = None,
    profile: Profile = None,
    data: Data = None,
    processes: Annotated[int | None, typer.Option(help="Aantal processen.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Poort voor /metrics.")] = None,
    allow_volatile: Volatile = None,
    mark: Annotated[Path | None, typer.Option(hidden=True)] = None,
    supervised: Supervised = False,
) -> None:
    """Lees de stroom en leg berichten in de wachtrijen, tot SIGTERM."""
    from triage.cli.work import run_work  # noqa: PLC0415

    _hold_on(supervised)
    with errors_told():
        settings = settings_of(
            log=log,
            queue=queue,
            profile=profile,
            data=data,
            processes=processes,
            metrics_port=metrics_port,
            allow_volatile=allow_volatile,
        )
        status = run_work(settings, mark)
    raise typer.Exit(status)


@app.command()
def serve(
    log: Log = None,
    queue: Queue = None,
    profile: Profile = None,
    data: Data = None,
    host: Host = None,
    port: Port = None,
    allow_volatile: Volatile = None,
    supervised: Supervised = False,
) -> None:
    """Bied de webpagina en de API aan, tot SIGTERM."""
    from triage.cli.serve import run_serve  # noqa: PLC0415

    _hold_on(supervised)
    with errors_told():
        settings = settings_of(
            log=log,
            queue=queue,
            profile=profile,
            data=data,
            host=host,
            port=port,
            allow_volatile=allow_volatile,
        )
        run_serve(settings)


@app.command()
def up(
    profile: Profile = None,
    data: Data = None,
    host: Host = None,
    port: Port = None,
    processes: Annotated[int | None, typer.Option(help="Aantal lezende processen.")] = None,
    demo: Annotated[
        float, typer.Option(min=0, max=500, help="Berichten per seconde om naar te kijken.")
    ] = 0,
) -> None:
    """Draai alles op deze machine, met ingebouwde opslag, tot Ctrl-C."""
    from triage.cli.up import run_up  # noqa: PLC0415

    with errors_told():
        settings = settings_of(
            profile=profile, data=data, host=host, port=port, processes=processes
        )
        status = run_up(settings, demo)
    raise typer.Exit(status)


@app.command()
def rebuild(
    log: Log = None,
    queue: Queue = None,
    profile: Profile = None,
    data: Data = None,
    allow_volatile: Volatile = None,
) -> None:
    """Vul een lege wachtrij-opslag opnieuw uit de stroom en de uitkomsten."""
    from triage.cli.work import run_rebuild  # noqa: PLC0415

    with errors_told():
        settings = settings_of(
            log=log, queue=queue, profile=profile, data=data, allow_volatile=allow_volatile
        )
        run_rebuild(settings)


@app.command()
def forget(
    author: Annotated[str, typer.Argument(help="Het id van de schrijver, of - voor stdin.")],
    org: Annotated[str, typer.Option(help="De organisatie waaraan de berichten gericht zijn.")],
    log: Log = None,
    queue: Queue = None,
    profile: Profile = None,
    data: Data = None,
    allow_volatile: Volatile = None,
) -> None:
    """Vergeet een schrijver: de tekst en wie het was gaan weg, het ticket blijft."""
    from triage.cli.forget import run_forget  # noqa: PLC0415

    with errors_told():
        settings = settings_of(
            log=log, queue=queue, profile=profile, data=data, allow_volatile=allow_volatile
        )
        if not run_forget(settings, org, author):
            raise typer.Exit(OPERATOR)


@app.command()
def schema(name: Annotated[str, typer.Argument(help="post")] = "post") -> None:
    """Druk het JSON-schema van een bericht af."""
    import json  # noqa: PLC0415

    from triage.schema import SCHEMAS  # noqa: PLC0415

    if name not in SCHEMAS:
        typer.echo(f"triage: geen schema {name!r}; wel: {', '.join(SCHEMAS)}", err=True)
        raise typer.Exit(OPERATOR)
    typer.echo(json.dumps(SCHEMAS[name], ensure_ascii=True, indent=2))


@dead_letter_app.command("list")
def dead_letter_list(log: Log = None, data: Data = None) -> None:
    """Toon per regel (JSON) wat niet te lezen was, en waarom; zonder de inhoud."""
    from triage.cli.dead_letters import list_letters  # noqa: PLC0415

    with errors_told():
        list_letters(settings_of(log=log, data=data))


@dead_letter_app.command("show")
def dead_letter_show(
    letter: Annotated[str, typer.Argument(help="Het id uit `list`.")],
    log: Log = None,
    data: Data = None,
) -> None:
    """Schrijf de bytes van één bericht naar stdout (let op: persoonsgegevens)."""
    from triage.cli.dead_letters import show_letter  # noqa: PLC0415

    with errors_told():
        show_letter(settings_of(log=log, data=data), letter)


@dead_letter_app.command("replay")
def dead_letter_replay(
    letters: Annotated[list[str] | None, typer.Argument(help="Ids uit `list`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Alles opnieuw.")] = False,
    file: Annotated[
        Path | None, typer.Option(help="Het herstelde bericht, in plaats van het oude.")
    ] = None,
    log: Log = None,
    data: Data = None,
) -> None:
    """Zet berichten opnieuw in de stroom, zo nodig hersteld (`--file`)."""
    from triage.cli.dead_letters import replay_letters  # noqa: PLC0415

    with errors_told():
        settings = settings_of(log=log, data=data)
        if not replay_letters(settings, letters or [], everything=everything, file=file):
            raise typer.Exit(WRONG_INPUT)


@bundle_app.command("group")
def bundle_group(
    file: File = "-", profile: Profile = None, model: Model = None, models: Data = None
) -> None:
    """Druk per bericht (JSON Lines) af in welke bundel het zou komen; raakt geen wachtrij."""
    from triage.cli.bundles import group_lines  # noqa: PLC0415

    with errors_told():
        settings = settings_of(profile=profile, model=model, models=models)
        if not group_lines(settings, file):
            raise typer.Exit(WRONG_INPUT)


@bundle_app.command("explain")
def bundle_explain(
    first: Annotated[str, typer.Argument(help="Een bericht: bestand, JSON, of de tekst zelf.")],
    second: Annotated[str, typer.Argument(help="Het andere bericht.")],
    as_json: Annotated[bool, typer.Option("--json", help="Als JSON.")] = False,
) -> None:
    """Leg uit waarom twee berichten in één ticket komen, of niet."""
    from triage.cli.bundles import print_explanation  # noqa: PLC0415

    with errors_told():
        print_explanation(first, second, as_json=as_json)


@profile_app.command("check")
def profile_check(file: Annotated[Path, typer.Argument(help="Een profiel in TOML.")]) -> None:
    """Zoek fouten in een profiel; druk ze af met regelnummers."""
    from triage.route import check  # noqa: PLC0415

    with errors_told():
        problems = check(file)
    for problem in problems:
        typer.echo(f"{file}:{problem}")
    if problems:
        raise typer.Exit(WRONG_INPUT)
    typer.echo(f"{file}: in orde")
