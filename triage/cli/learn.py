"""``train``, ``evaluate`` and ``corpus``: from people's labels to a version."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from triage.cli.build import registry_of
from triage.cli.export import write_private
from triage.cli.process import now
from triage.labels.masking import masker_of
from triage.learn import corpus_tool, report
from triage.learn.dataset import (
    Dataset,
    assemble,
    base_folder,
    frozen_rows,
    labels_from,
)
from triage.learn.evaluate import cross_validate, evaluate_version, learning_curve, verdict_on
from triage.learn.steps import Progress
from triage.learn.training import train_version
from triage.models import Registry
from triage.models.live import training_of
from triage.settings import Settings


def run_train(
    settings: Settings, labels: Path | None, base: str, *, seed: int, folds: int, untouched: bool
) -> str:
    """Train a version, put it in the registry, print what it is; it is not live by that."""
    registry = registry_of(settings)
    dataset = _dataset(registry, labels, base, untouched=untouched)
    typer.echo(f"{len(dataset.rows)} berichten van {len(dataset.authors)} auteurs", err=True)
    for reason, count in dataset.left_out.items():
        typer.echo(f"  {count} weggelaten: {reason}", err=True)
    with shown() as progress:
        version = train_version(dataset, registry, seed=seed, folds=folds, progress=progress)
    record = training_of(registry.path(version))
    answer = {"version": version, **{k: record[k] for k in ("dataset", "codebook", "examples")}}
    typer.echo(json.dumps(answer, ensure_ascii=False))
    return version


def run_evaluate(
    settings: Settings,
    version: str | None,
    base: str,
    *,
    labels: Path | None,
    out: Path,
    folds: int,
    curve: bool,
    seed: int,
) -> None:
    """Measure a version on the frozen set (or a recipe by folds), write HTML and JSON."""
    registry = registry_of(settings)
    folder = base_folder(base)
    frozen = frozen_rows(folder, registry.folder)
    verdict = None
    points: Sequence[tuple[int, Mapping[str, float]]] = ()
    with shown() as progress:
        if folds:
            dataset = _dataset(registry, labels, base, untouched=False)
            measured = cross_validate(
                dataset, folds=folds, seed=seed, work=registry.folder, progress=progress
            )
        else:
            named = version or registry.current()
            measured = evaluate_version(registry, named, frozen)
            if named != registry.current():
                verdict = verdict_on(registry, named, frozen)
        if curve:
            dataset = _dataset(registry, labels, base, untouched=False)
            points = learning_curve(
                dataset, frozen, seed=seed, work=registry.folder, progress=progress
            )
    at = now()
    data = report.as_json(measured, at=at, curve=points, verdict=verdict)
    page = report.as_html(measured, masker_of(), at=at, curve=points, verdict=verdict)
    write_private(out.with_suffix(".html"), page.encode())
    write_private(out.with_suffix(".json"), json.dumps(data, ensure_ascii=False, indent=1).encode())
    typer.echo(json.dumps({"model": measured.name, **measured.figures}))
    typer.echo(f"verslag in {out.with_suffix('.html')} en {out.with_suffix('.json')}", err=True)


# -- the corpus ----------------------------------------------------------------------------------


def check_corpus(base: str) -> bool:
    """Print what is wrong with a corpus; False where something is."""
    found = corpus_tool.check(base_folder(base))
    for finding in found:
        mark = "fout" if finding.wrong else "kijk"
        typer.echo(f"{mark}: {finding.where}: {finding.what}")
    wrong = sum(finding.wrong for finding in found)
    typer.echo(f"{wrong} fouten, {len(found) - wrong} om te bekijken", err=True)
    return not wrong


def corpus_stats(base: str) -> None:
    """Print what a corpus holds, as JSON."""
    typer.echo(json.dumps(corpus_tool.stats(base_folder(base)), ensure_ascii=False, indent=1))


def corpus_curve(settings: Settings, base: str, *, seed: int) -> None:
    """Print a learning curve: what more posts of the same kind would still bring."""
    registry = registry_of(settings)
    folder = base_folder(base)
    dataset = assemble(folder)
    test: Sequence[Mapping[str, Any]] = frozen_rows(folder, registry.folder)
    if not test:  # a fifth of the authors, always the same
        authors = sorted(dataset.authors)[::5]
        test = [row for row in dataset.rows if str(row["id"]).partition("-")[0] in authors]
    with shown() as progress:
        points = learning_curve(dataset, test, seed=seed, work=registry.folder, progress=progress)
    for posts, figures in points:
        typer.echo(json.dumps({"posts": posts, **figures}))


# -- inside --------------------------------------------------------------------------------------


def _dataset(registry: Registry, labels: Path | None, base: str, *, untouched: bool) -> Dataset:
    folder = base_folder(base)
    return assemble(
        folder,
        labels_from(labels),
        frozen=frozen_rows(folder, registry.folder),
        untouched=untouched,
    )


@contextmanager
def shown() -> Iterator[Progress]:
    """Show how far a long computation is: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():

        def line(step: str, done: int, total: int) -> None:
            typer.echo(f"{done}/{total} {step}", err=True)

        yield line
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("begint", total=None)

        def move(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=total)

        yield move
