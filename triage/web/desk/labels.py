"""The labels page: what people said of the model, what to label next, and which model judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from triage.errors import InvalidModel, Refused
from triage.labels.agreement import Agreed
from triage.labels.export import export
from triage.labels.formats import encode
from triage.labels.masking import Pseudonyms, masker_of
from triage.models import Registry
from triage.models.evaluations import latest_verdict
from triage.models.gate import Shortfall
from triage.models.history import Entry, previous
from triage.models.live import codebook_of
from triage.models.shadow import Agreement, agreement
from triage.models.tally import COUNTS
from triage.web.audit import audit
from triage.web.background import clock
from triage.web.desk.judge import registry_of
from triage.web.desk.rows import Filter, Row
from triage.web.desk.screen import AScreen, Screen
from triage.web.identity import Role, Scope, needs, requires
from triage.web.problems import Problem
from triage.web.queues import name_of
from triage.web.sessions import form_of
from triage.web.state import Service

router: Final = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(needs(Scope.TICKETS_READ)), Depends(requires(Role.TEAMLEIDER))],
)

#: Steps of the history that are shown.
STEPS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A version with what the gate says of it; ``shortfalls`` None: it was not measured."""

    version: str
    made_at: datetime
    current: bool
    shadow: bool
    shortfalls: Sequence[Shortfall] | None
    #: Figures of its training.
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What the registry and the outcomes tell."""

    current: str
    since: datetime | None
    lines: Sequence[Line]
    history: Sequence[Entry]
    shadow: str | None
    #: The version to go back to, where there is one.
    earlier: str | None
    compared: Agreement | None
    agreed: Sequence[Agreed]


@router.get("/labels")
async def labels(screen: AScreen) -> HTMLResponse:
    """Show what people said, what is uncertain, and the models."""
    service = screen.service
    try:
        models = await service.pools.desk(_models, service, screen.profile.org)
    except (InvalidModel, Refused) as error:
        raise Problem(409, error.code) from None
    await audit(screen.request, "labels.view")
    return screen.page(
        "labels.html",
        models=models,
        queues=await _unsure(screen),
        may_export=_all_teams(screen),
        may_promote=screen.me.has(Role.BEHEERDER),
        settings=screen.settings(page="labels"),
    )


@router.get("/labels.jsonl")
async def download(screen: AScreen) -> Response:
    """Give what people labelled, masked: the same rows as ``triage export``."""
    if not _all_teams(screen):
        raise Problem(403, "all-teams")
    await audit(screen.request, "labels.export")
    service = screen.service
    try:
        raw = await service.pools.desk(_rows, service, screen.profile.org)
    except Refused as error:
        raise Problem(409, error.code) from None
    return Response(
        raw,
        media_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="labels.jsonl"'},
    )


@router.post("/labels/promote", dependencies=[Depends(requires(Role.BEHEERDER))])
async def promote(request: Request, screen: AScreen) -> Response:
    """Let a version judge, if the gate lets it through or somebody says why it must."""
    form = await form_of(request)
    version, why = form.get("version", "").strip(), form.get("why", "").strip()[:500]
    force = form.get("force") == "1"
    step = partial(_promote, version=version, why=why, force=force)
    return await _step(screen, "model.force" if force else "model.promote", step, version)


@router.post("/labels/rollback", dependencies=[Depends(requires(Role.BEHEERDER))])
async def rollback(request: Request, screen: AScreen) -> Response:
    """Let the version before the last promotion judge again."""
    why = (await form_of(request)).get("why", "").strip()[:500]
    return await _step(screen, "model.rollback", partial(_rollback, why=why))


async def _step(
    screen: Screen, action: str, step: Callable[..., Entry], *targets: str
) -> RedirectResponse:
    registry, service = registry_of(screen.service.config), screen.service
    try:
        for target in targets:
            registry.path(target)  # only what is a version comes into the record
        await audit(screen.request, action, *targets)
        await service.pools.desk(partial(step, registry, by=screen.me.name, at=clock()))
    except (InvalidModel, Refused) as error:
        raise Problem(409, error.code) from None
    return RedirectResponse(screen.address("/labels"), status_code=303)


def _promote(
    registry: Registry, *, version: str, why: str, force: bool, by: str, at: datetime
) -> Entry:
    verdict = latest_verdict(registry, version)
    return registry.promote(version, verdict, by=by, why=why, at=at, force=force)


def _rollback(registry: Registry, *, why: str, by: str, at: datetime) -> Entry:
    return registry.rollback(by=by, why=why, at=at)


def _models(service: Service, org: str) -> Models:
    config, registry = service.config, registry_of(service.config)
    assert config.data is not None
    history, shadow = registry.history(), registry.shadow()
    live = [entry for entry in history if entry.action in {"promote", "rollback"}]
    since = datetime.fromisoformat(live[-1].at) if live else None
    lines = []
    for version in registry.versions():
        verdict = None if version.current else latest_verdict(registry, version.version)
        lines.append(
            Line(
                version=version.version,
                made_at=version.made_at,
                current=version.current,
                shadow=version.shadow,
                shortfalls=verdict.shortfalls if verdict else None,
                metrics=version.metrics,
            )
        )
    service.said.update(service.log)
    return Models(
        current=registry.current(),
        since=since,
        lines=lines,
        history=history[::-1][:STEPS],
        shadow=shadow,
        earlier=previous(history),
        compared=agreement(config.data / COUNTS, shadow) if shadow else None,
        agreed=service.said.agreement(org, since),
    )


def _rows(service: Service, org: str) -> bytes:
    config, log, profiles = service.config, service.log, service.profiles
    registry = registry_of(config)
    assert config.data is not None
    done = export(
        log,
        lambda post: post.org if post.org in profiles else config.default_org,
        masker=masker_of(),
        names=Pseudonyms.of(config.data),
        codebook_of=partial(codebook_of, registry),
        org=org,
    )
    return encode(done.rows, "jsonl")


def _all_teams(screen: Screen) -> bool:
    org = screen.profile.org
    return all(screen.me.may_work(org, team) for team in screen.profile.teams)


async def _unsure(screen: Screen) -> list[dict[str, Any]]:
    """Give per team of this person how many tickets are uncertain, and the least certain ones."""
    now, asked = clock(), Filter(unsure=True)
    found: list[dict[str, Any]] = []
    for team in screen.profile.teams:
        if not screen.me.may_work(screen.profile.org, team):
            continue
        rows = await screen.service.lists.rows(screen.profile.org, team, now=now)
        unsure: list[Row] = [row for row in rows if asked.keeps(row, screen.me.name, now)]
        if unsure:
            unsure.sort(key=lambda row: (row.topic_p, row.id))
            name = name_of(screen.profile, team)
            found.append({"team": team, "name": name, "count": len(unsure), "least": unsure[0]})
    return found
