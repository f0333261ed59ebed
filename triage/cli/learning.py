"""The commands of the training loop and their options; ``register`` adds them to ``triage``."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from triage.cli.app import WRONG_INPUT, Data, Log, Profile, errors_told, settings_of

models_app = typer.Typer(help="Versies van het model.", no_args_is_help=True)
corpus_app = typer.Typer(help="Het corpus waarvan het model leert.", no_args_is_help=True)

Models = Annotated[Path | None, typer.Option(help="Map met modellen.")]
Base = Annotated[
    str, typer.Option(help="Basiscorpus: `starter`, of een map met posts/ en lexicon/.")
]
By = Annotated[str | None, typer.Option(help="Wie dit doet.")]
Why = Annotated[str, typer.Option(help="Waarom.")]
Version = Annotated[str | None, typer.Argument(help="Versie van het model.")]
Seed = Annotated[int, typer.Option(min=0, help="Hetzelfde getal geeft hetzelfde model.")]


class Format(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(export)
    app.command()(train)
    app.command()(evaluate)
    app.command()(drift)
    app.add_typer(models_app, name="models")
    app.add_typer(corpus_app, name="corpus")


def export(  # noqa: PLR0917 - one parameter an option
    out: Annotated[
        Path | None, typer.Option(help="Bestand; de naam zegt de vorm (.jsonl .csv .parquet).")
    ] = None,
    kind: Annotated[Format | None, typer.Option("--format", help="Vorm; anders jsonl.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Alleen wat sindsdien is beslist (UTC).")
    ] = None,
    org: Annotated[str | None, typer.Option(help="Alleen van deze organisatie.")] = None,
    uncertain: Annotated[
        int,
        typer.Option(
            min=0,
            help="Kies zoveel berichten om nu te labelen, in plaats van te geven wat gelabeld is.",
        ),
    ] = 0,
    log: Log = None,
    data: Data = None,
    profile: Profile = None,
    models: Models = None,
) -> None:
    """Schrijf wat mensen labelden, gemaskeerd, om van te leren."""
    with errors_told():
        from triage.cli.export import run_export  # noqa: PLC0415 - keeps `triage --help` quick

        settings = settings_of(log=log, data=data, profile=profile, models=models)
        run_export(
            settings,
            out,
            kind.value if kind else None,
            org=org,
            since=since.replace(tzinfo=UTC) if since else None,
            uncertain=uncertain,
        )


def train(
    labels: Annotated[
        Path | None, typer.Option(help="Een export; zonder: alleen het basiscorpus.")
    ] = None,
    base: Base = "starter",
    seed: Seed = 0,
    folds: Annotated[int, typer.Option(min=0, max=20, help="Vouwen om op te ijken.")] = 5,
    untouched: Annotated[
        bool, typer.Option("--untouched", help="Leer ook van wat niemand heeft bevestigd.")
    ] = False,
    data: Data = None,
    models: Models = None,
) -> None:
    """Leer een nieuwe versie van het model; live gaat die pas met `models promote`."""
    with errors_told():
        from triage.cli.learn import run_train  # noqa: PLC0415

        settings = settings_of(data=data, models=models)
        run_train(settings, labels, base, seed=seed, folds=folds, untouched=untouched)


def evaluate(  # noqa: PLR0917 - one parameter an option
    version: Version = None,
    base: Base = "starter",
    labels: Annotated[
        Path | None, typer.Option(help="Een export, bij vouwen en leercurve.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Verslag: .html en .json.")] = Path("evaluatie.html"),
    folds: Annotated[
        int,
        typer.Option(
            min=0,
            max=20,
            help="Meet het recept op zoveel vouwen van auteurs, in plaats"
            " van een versie op de vaste toetsset.",
        ),
    ] = 0,
    curve: Annotated[bool, typer.Option("--curve", help="Teken ook de leercurve.")] = False,
    seed: Seed = 0,
    data: Data = None,
    models: Models = None,
) -> None:
    """Meet wat een versie waard is; schrijf een verslag."""
    with errors_told():
        from triage.cli.learn import run_evaluate  # noqa: PLC0415

        settings = settings_of(data=data, models=models)
        run_evaluate(
            settings, version, base, labels=labels, out=out, folds=folds, curve=curve, seed=seed
        )


def drift(
    version: Version = None,
    days: Annotated[int, typer.Option(min=1, help="Zoveel dagen terug.")] = 14,
    out: Annotated[Path | None, typer.Option(help="Bestand; zonder: hier.")] = None,
    data: Data = None,
    models: Models = None,
) -> None:
    """Toon per dag hoe ver de stroom staat van waar het model van leerde."""
    from triage.cli.models import drift_report  # noqa: PLC0415

    with errors_told():
        drift_report(settings_of(data=data, models=models), days, version, out)


@models_app.command("list")
def models_list(data: Data = None, models: Models = None) -> None:
    """Toon alle versies, nieuwste eerst."""
    from triage.cli.models import list_models  # noqa: PLC0415

    with errors_told():
        list_models(settings_of(data=data, models=models))


@models_app.command("history")
def models_history(data: Data = None, models: Models = None) -> None:
    """Toon wat er live ging, wanneer, door wie en waarom."""
    from triage.cli.models import show_history  # noqa: PLC0415

    with errors_told():
        show_history(settings_of(data=data, models=models))


@models_app.command("promote")
def models_promote(
    version: Annotated[str, typer.Argument(help="Versie van het model.")],
    base: Base = "starter",
    by: By = None,
    why: Why = "",
    force: Annotated[
        bool, typer.Option("--force", help="Ook als de poort ertegen is; met --by en --why.")
    ] = False,
    data: Data = None,
    models: Models = None,
) -> None:
    """Laat een versie oordelen, als de poort het goedvindt."""
    from triage.cli.models import promote  # noqa: PLC0415

    with errors_told():
        settings = settings_of(data=data, models=models)
        promote(settings, version, base, by=by, why=why, force=force)


@models_app.command("rollback")
def models_rollback(by: By = None, why: Why = "", data: Data = None, models: Models = None) -> None:
    """Laat de vorige versie weer oordelen."""
    from triage.cli.models import rollback  # noqa: PLC0415

    with errors_told():
        rollback(settings_of(data=data, models=models), by=by, why=why)


@models_app.command("shadow")
def models_shadow(
    version: Version = None,
    off: Annotated[bool, typer.Option("--off", help="Laat niemand meer mee oordelen.")] = False,
    by: By = None,
    why: Why = "",
    data: Data = None,
    models: Models = None,
) -> None:
    """Laat een versie mee oordelen; zonder versie: toon wat de schaduw anders had gedaan."""
    from triage.cli.models import set_shadow, shadow_report  # noqa: PLC0415

    with errors_told():
        settings = settings_of(data=data, models=models)
        if version or off:
            set_shadow(settings, None if off else version, by=by, why=why)
        else:
            shadow_report(settings, None)


@models_app.command("report")
def models_report(version: Version = None, data: Data = None, models: Models = None) -> None:
    """Toon waarin een schaduw, ook een eerdere, van het model verschilde."""
    from triage.cli.models import shadow_report  # noqa: PLC0415

    with errors_told():
        shadow_report(settings_of(data=data, models=models), version)


@models_app.command("gc")
def models_gc(
    keep: Annotated[int, typer.Option(min=0, help="Bewaar zoveel van de nieuwste.")] = 5,
    data: Data = None,
    models: Models = None,
) -> None:
    """Haal oude versies weg; wat live is, meeoordeelt of hiervoor live was, blijft."""
    from triage.cli.models import collect  # noqa: PLC0415

    with errors_told():
        collect(settings_of(data=data, models=models), keep)


@corpus_app.command("check")
def corpus_check(base: Base = "starter") -> None:
    """Zoek fouten in een corpus: labels, dubbelen, lekken naar de toetsset, het lexicon."""
    with errors_told():
        from triage.cli.learn import check_corpus  # noqa: PLC0415

        good = check_corpus(base)
    if not good:
        raise typer.Exit(WRONG_INPUT)


@corpus_app.command("stats")
def corpus_stats(base: Base = "starter") -> None:
    """Toon wat een corpus bevat (JSON)."""
    with errors_told():
        from triage.cli import learn  # noqa: PLC0415

        learn.corpus_stats(base)


@corpus_app.command("curve")
def corpus_curve(
    base: Base = "starter", seed: Seed = 0, data: Data = None, models: Models = None
) -> None:
    """Toon een leercurve: wat meer berichten nog zouden brengen."""
    with errors_told():
        from triage.cli import learn  # noqa: PLC0415

        learn.corpus_curve(settings_of(data=data, models=models), base, seed=seed)
