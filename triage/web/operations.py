"""For who keeps the service running: figures, and whether it lives and is ready."""

from __future__ import annotations

from typing import Final

import anyio
import anyio.to_thread
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from triage.errors import TriageError
from triage.metrics import CONTENT_TYPE, exposition
from triage.web.context import Context, Ctx
from triage.web.openapi import errors
from triage.web.problems import RETRY_SECONDS, Problem

router: Final = APIRouter(tags=["beheer"])

#: Threads of their own: probes answer also when all others wait for a store.
_THREADS: Final = 4
_limiter: Final = anyio.CapacityLimiter(_THREADS)


@router.get("/healthz", summary="Leeft het proces", response_class=PlainTextResponse)
async def healthz() -> PlainTextResponse:
    """Answer while the event loop turns."""
    return PlainTextResponse("ok\n")


@router.get(
    "/readyz",
    summary="Antwoorden log en wachtrij",
    response_class=PlainTextResponse,
    responses=errors(503),
)
async def readyz(context: Ctx) -> PlainTextResponse:
    """Answer 200 while both stores do; the 503 names which do not."""
    silent = await anyio.to_thread.run_sync(_silent, context, limiter=_limiter)
    if silent:
        raise Problem(
            503,
            f"geen antwoord van: {', '.join(silent)}",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    return PlainTextResponse("ok\n")


def _silent(context: Context) -> list[str]:
    silent = []
    for name, store in (("log", context.log), ("queue", context.queue)):
        try:
            store.ping()
        except TriageError:
            silent.append(name)
    return silent


@router.get(
    "/metrics",
    summary="Cijfers voor Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Tekst van Prometheus",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def metrics(context: Ctx) -> Response:
    """Give the figures of this process, or of all that write in the same folder."""
    source = context.config.metrics_folder or context.metrics.registry
    text = await anyio.to_thread.run_sync(exposition, source, limiter=_limiter)
    return Response(text, media_type=CONTENT_TYPE)
