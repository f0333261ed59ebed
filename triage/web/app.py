"""Puts the server together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from triage import __version__
from triage.log import Log
from triage.metrics import Metrics
from triage.queue import Queue
from triage.relay import Relay
from triage.route import Profile
from triage.web import events, ingest, operations, pages, problems, queues, tickets
from triage.web.background import background
from triage.web.config import WebConfig
from triage.web.context import Context
from triage.web.guard import Guard
from triage.web.openapi import describe
from triage.web.outbox import Outbox
from triage.web.tail import Tails

_STATIC: Final = Path(__file__).parent / "static"


def create_app(
    config: WebConfig,
    *,
    log: Log,
    queue: Queue,
    profiles: Mapping[str, Profile],
    metrics: Metrics,
) -> FastAPI:
    """Give the application. Who made the stores closes them; they are used from threads."""
    orgs = tuple(profiles)
    context = Context(
        config=config,
        log=log,
        queue=queue,
        profiles=profiles,
        metrics=metrics,
        outbox=Outbox(Relay(log, queue, orgs, metrics.outcomes_published)),
        tails=Tails(queue, orgs),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background(context):
            yield

    app = FastAPI(
        title="triage",
        version=__version__,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    problems.install(app)
    for part in (ingest, queues, tickets, events, operations, pages):
        app.include_router(part.router)
    app.mount("/static", _Static(directory=_STATIC), name="static")
    app.openapi = describe(app)  # type: ignore[method-assign] # as FastAPI's manual says
    app.add_middleware(Guard, config=config, metrics=metrics)
    metrics.allow(routes=_templates(app))
    return app


def _templates(app: FastAPI) -> Iterable[str]:
    paths = app.openapi()["paths"]
    return [*paths, "/", "/teams/{team}", "/static"]


class _Static(StaticFiles):
    """Our own files; a browser asks again whether they changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Give a file."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
