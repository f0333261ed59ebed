"""For those who run the service: figures and probes. Nothing here holds personal data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from triage.errors import TriageError
from triage.metrics import CONTENT_TYPE, exposition
from triage.web.identity import Scope, needs
from triage.web.problems import Problem
from triage.web.state import AService, Service

router: Final = APIRouter(tags=["beheer"])

#: How long a store may take to answer, in seconds.
READY_SECONDS: Final = 2.0


@router.get(
    "/metrics",
    summary="Cijfers voor Prometheus",
    operation_id="metrics",
    response_class=PlainTextResponse,
)
async def metrics(request: Request, service: AService) -> Response:
    """Geef de cijfers van alle processen van deze dienst."""
    if service.config.guard_metrics:
        await needs(Scope.METRICS_READ)(request)
    source = service.config.metrics_dir or service.metrics.registry
    return Response(await service.pools.probe(exposition, source), media_type=CONTENT_TYPE)


@router.get(
    "/healthz", summary="Leeft het proces", operation_id="healthz", response_class=PlainTextResponse
)
async def healthz() -> PlainTextResponse:
    """Antwoord `ok` zolang het proces leeft."""
    return PlainTextResponse("ok\n")


@router.get(
    "/readyz",
    summary="Antwoordt de opslag",
    operation_id="readyz",
    response_class=PlainTextResponse,
)
async def readyz(request: Request, service: AService) -> PlainTextResponse:
    """Antwoord `ok` als de stroom en de wachtrijen binnen twee seconden antwoorden."""
    del request
    log, queue = await asyncio.gather(
        _answers(service, service.log.ping), _answers(service, service.queue.ping)
    )
    failing = [name for name, good in (("log", log), ("queue", queue)) if not good]
    if failing:
        raise Problem(
            503,
            "not-ready",
            values={"what": ", ".join(failing)},
            headers={"Retry-After": "2"},
            failing=failing,
        )
    return PlainTextResponse("ok\n")


async def _answers(service: Service, ping: Callable[[], None]) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await service.pools.probe(ping)
    except (TriageError, TimeoutError):
        return False
    return True
