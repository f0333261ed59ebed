"""Puts the web part together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.routing import BaseRoute

from triage import __version__
from triage.access import Access
from triage.errors import Refused
from triage.labels.said import Said
from triage.lane import Lane, Look
from triage.log import Log
from triage.metrics import Metrics
from triage.queue import Queue
from triage.relay import Relay
from triage.route import Profile
from triage.web import audit, docs, handling, ingest, mutes, ops, problems, queues, signin, tickets
from triage.web.assets import Assets
from triage.web.background import Chores, Publisher, keep_up
from triage.web.config import WebConfig
from triage.web.desk import handover, labelling, labels, lead, pages, show
from triage.web.desk import mutes as desk_mutes
from triage.web.desk import tickets as desk_tickets
from triage.web.desk.activity import Activity
from triage.web.desk.answers import load_answers
from triage.web.desk.judge import Judge
from triage.web.desk.lists import Lists
from triage.web.desk.muted import Muted
from triage.web.desk.signalen import Signalen
from triage.web.desk.texts import texts
from triage.web.door import Door
from triage.web.events import Hub
from triage.web.limits import Buckets
from triage.web.oidc import OpenId
from triage.web.openapi import complete
from triage.web.seen import Seen, Views
from triage.web.state import Service
from triage.web.threads import Pools

_HERE: Final = Path(__file__).parent
_PARTS: Final = (
    *(ingest, queues, tickets, handling, mutes, audit, ops, docs, signin),
    *(pages, desk_tickets, desk_mutes, lead, labels, labelling, handover),
)
_DESCRIPTION: Final = """\
Berichten van burgers aanleveren, de wachtrijen van teams lezen en tickets behandelen.

Fouten komen als `application/problem+json` en herhalen nooit wat er gestuurd is.
"""


class App(FastAPI):
    """Our app; its OpenAPI tells of errors, credentials and examples too."""

    def openapi(self) -> dict[str, Any]:
        """Give the description of the API."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def create_app(
    config: WebConfig,
    *,
    log: Log,
    queue: Queue,
    access: Access,
    profiles: Mapping[str, Profile],
    metrics: Metrics,
    look: Look,
) -> FastAPI:
    """Make the app on open stores; who opened them closes them. Raises Refused.

    ``look`` finds what is critical among the posts that come in here.
    """
    if config.default_org not in profiles:
        raise Refused(f"geen profiel voor de organisatie {config.default_org}")
    pools = Pools()
    lists, activity = Lists(queue, pools.desk), Activity()
    muted = Muted(queue, pools.desk)
    assets = Assets(_HERE / "static", config.tokens_css)
    service = Service(
        config=config,
        log=log,
        lane=Lane(log, look),
        queue=queue,
        access=access,
        profiles=profiles,
        metrics=metrics,
        pools=pools,
        publisher=Publisher(
            Relay(log, queue, tuple(profiles), metrics=metrics), metrics, pools.background
        ),
        hub=Hub(
            queue,
            tuple(profiles),
            pools.background,
            listeners=(
                lists.note,
                muted.note,
                lambda org, events: activity.note(org, [event.data for event in events]),
            ),
        ),
        buckets=Buckets(),
        seen=Seen(),
        views=Views(),
        lists=lists,
        activity=activity,
        muted=muted,
        answers=load_answers(config.answers_file),
        said=Said(),
        judge=Judge(config, look),
        templates=_templates(assets),
    )
    app = App(
        title="triage",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        # Its spans and records would hold what was sent.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.service = service
    provider = config.provider
    address = f"{config.public_url}{signin.BACK}"
    app.state.openid = OpenId(provider, address) if provider else None
    app.add_middleware(Door, metrics=metrics)
    problems.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    app.mount(assets.root, assets, name="static")
    metrics.allow(routes=_paths(app.routes))
    return app


def _paths(routes: list[BaseRoute]) -> set[str]:
    found = {getattr(route, "path", "") for route in routes}
    found.update(getattr(route, "path", "") for part in _PARTS for route in part.router.routes)
    return found - {""}


def _templates(assets: Assets) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {}  # keys stay in our order
    environment.filters |= show.FILTERS
    environment.globals |= {"static": assets.address, "t": texts("nl"), "me": None}
    return environment


def _senders(service: Service) -> Iterator[Coroutine[Any, Any, None]]:
    config = service.config
    if config.signalen_url:
        yield handover.send_all(service, Signalen(config.signalen_url, config.signalen_token))


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the background tasks while the app serves; then publish what is left."""
    service: Service = app.state.service
    config = service.config
    chores = Chores(
        service.queue,
        service.metrics,
        service.pools.background,
        orgs=tuple(service.profiles),
        retention_seconds=config.retention_seconds,
        access=service.access,
        audit_seconds=config.audit_seconds,
    )
    running = [
        asyncio.create_task(work)
        for work in (
            service.publisher.run(),
            chores.figures(),
            chores.sweep(),
            keep_up(service.said, service.log, service.metrics, service.pools.background),
            *(service.hub.tail(org) for org in service.profiles),
            *_senders(service),
        )
    ]
    try:
        yield
        service.hub.stop()
        await service.publisher.flush()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
