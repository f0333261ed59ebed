"""``models`` and ``drift``: which version judges, what would another say, does the stream move."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from pathlib import Path

import typer

from triage.cli.build import registry_of
from triage.cli.process import now
from triage.models import drift
from triage.models.live import distributions
from triage.models.shadow import agreement
from triage.models.tally import COUNTS, clear, merged
from triage.settings import Settings

#: The most lines of a kind that are printed.
_MOST = 20


def list_models(settings: Settings) -> None:
    """Print every version as one JSON line, newest first."""
    for version in registry_of(settings).versions():
        typer.echo(
            json.dumps(
                {
                    "version": version.version,
                    "current": version.current,
                    "shadow": version.shadow,
                    "shipped": version.shipped,
                    "made_at": version.made_at.isoformat(timespec="seconds"),
                    "metrics": version.metrics,
                }
            )
        )


def show_history(settings: Settings) -> None:
    """Print every promotion and rollback as one JSON line, oldest first."""
    for entry in registry_of(settings).history():
        typer.echo(
            json.dumps(
                {
                    "at": entry.at,
                    "action": entry.action,
                    "version": entry.version,
                    "before": entry.before,
                    "by": entry.by,
                    "why": entry.why,
                    "forced": entry.forced,
                    "refusals": list(entry.refusals),
                },
                ensure_ascii=False,
            )
        )


def promote(
    settings: Settings, version: str, base: str, *, by: str | None, why: str, force: bool
) -> None:
    """Let a version judge, if the gate lets it through; say what the gate saw."""
    from triage.errors import Refused  # noqa: PLC0415
    from triage.learn.dataset import base_folder, frozen_rows  # noqa: PLC0415 - scikit-learn
    from triage.learn.evaluate import verdict_on  # noqa: PLC0415

    registry = registry_of(settings)
    frozen = frozen_rows(base_folder(base), registry.folder)
    try:
        verdict = verdict_on(registry, version, frozen)
    except Refused as error:
        if not force:
            raise
        typer.echo(f"niet gemeten: {error}", err=True)
        verdict = None
    for name, (old, new) in verdict.figures.items() if verdict else ():
        typer.echo(f"{name}: {old:.4f} -> {new:.4f}", err=True)
    entry = registry.promote(
        version, verdict, by=_who(by, force=force), why=why, at=now(), force=force
    )
    forced = " (de poort was ertegen)" if entry.forced else ""
    typer.echo(f"{version} is live{forced}; hiervoor {entry.before}")


def rollback(settings: Settings, *, by: str | None, why: str) -> None:
    """Let the version before the last promotion judge again."""
    entry = registry_of(settings).rollback(by=_who(by), why=why, at=now())
    typer.echo(f"{entry.version} is weer live; hiervoor {entry.before}")


def set_shadow(settings: Settings, version: str | None, *, by: str | None, why: str) -> None:
    """Let a version judge beside the current one, or none."""
    registry_of(settings).set_shadow(version, by=_who(by), why=why, at=now())
    typer.echo(f"{version} oordeelt mee" if version else "er oordeelt niemand mee")


def shadow_report(settings: Settings, version: str | None) -> None:
    """Print, as JSON, on what a shadow and the current model agree."""
    registry = registry_of(settings)
    named = version or registry.shadow()
    if named is None:
        typer.echo("er oordeelt niemand mee", err=True)
        return
    found = agreement(settings.data / COUNTS, named)
    typer.echo(
        json.dumps(
            {
                "version": named,
                "posts": found.posts,
                "agree": {head: round(share, 4) for head, share in found.agree.items()},
                "critical_gained": found.critical_gained,
                "critical_lost": found.critical_lost,
                "changes": {
                    head: [{"now": a, "then": b, "posts": n} for a, b, n in moves[:_MOST]]
                    for head, moves in found.changes.items()
                },
                "tickets": [{"ticket": t, "how": how} for t, how in found.tickets[:_MOST]],
            },
            indent=1,
        )
    )


def collect(settings: Settings, keep: int) -> None:
    """Remove old versions and old counts."""
    gone = registry_of(settings).gc(keep=keep, by=_who(None), at=now())
    clear(settings.data / COUNTS, today=now().date())
    typer.echo(f"weggehaald: {', '.join(gone) or 'niets'}")


def drift_report(settings: Settings, days: int, version: str | None, out: Path | None) -> None:
    """Print, per day as one JSON line, how far the stream is from what was learnt from."""
    registry = registry_of(settings)
    named = version or registry.current()
    reference = distributions(registry.path(named))
    if not reference:
        typer.echo(
            f"{named} heeft geen training.json: vergelijken kan niet (triage train)", err=True
        )
    lines = []
    for day, counts in list(merged(settings.data / COUNTS, "drift").items())[-days:]:
        posts = drift.posts_in(counts)
        far = drift.divergences(counts, reference)
        lines.append(
            json.dumps(
                {
                    "day": day,
                    "posts": posts,
                    "model": named,
                    "enough": posts >= drift.LEAST_POSTS,
                    "divergence": far,
                    "moved": [name for name, value in far.items() if value >= drift.MOVED],
                    "urgency": dict(Counter(counts.get("urgency", {})).most_common()),
                    "topic": dict(Counter(counts.get("topic", {})).most_common()),
                }
            )
        )
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _who(by: str | None, *, force: bool = False) -> str:
    """Name who does it: as given; where nothing is forced, the user of this machine will do."""
    if by is not None or force:
        return by or ""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return "onbekend"
