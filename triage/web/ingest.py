"""The front door: posts come in over HTTP and are answered once the log has them on disk."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from triage.errors import InvalidPost, Unavailable
from triage.schema import POST
from triage.web.auth import SIGNATURE_SECONDS, check_signature, signed_by, slow_down
from triage.web.background import clock
from triage.web.body import decode
from triage.web.identity import Identity, Scope, needs
from triage.web.problems import Problem, unavailable
from triage.web.state import AService

router: Final = APIRouter(prefix="/api/v1", tags=["berichten"])

#: How long a sender may take for its body, in seconds.
BODY_SECONDS: Final = 30.0
#: How much over the limit is read and dropped, in bytes: a sender that still sends would find its
#: connection reset instead of our answer.
DRAIN_BYTES: Final = 8 * 1024 * 1024


class Accepted(BaseModel):
    """Posts that are in the log."""

    ids: Annotated[
        list[str],
        Field(
            description="De id's van de berichten, in de volgorde van de lijst.",
            examples=[["x-1812"]],
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Sent:
    """Who sent which body; ``signature`` is empty where a token vouches for it."""

    caller: Identity
    body: bytes
    signature: bytes


async def _sender(request: Request, service: AService) -> _Sent:
    """Give who sends and what: tokens are checked before the body is read, signatures after."""
    source = signed_by(request)
    caller = None if source else await needs(Scope.POSTS_WRITE)(request)
    body = await read_body(request, service.config.body_limit)
    if source:
        caller = check_signature(request, source, body)
    assert caller is not None
    signature = request.headers["x-triage-signature"].lower().encode() if source else b""
    return _Sent(caller, body, signature)


_POST_SCHEMA: Final[dict[str, Any]] = {
    name: value for name, value in POST.items() if not name.startswith("$")
}
_EXAMPLE: Final = POST["examples"][0]
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        _POST_SCHEMA,
                        {"type": "array", "items": _POST_SCHEMA, "minItems": 1, "maxItems": 1000},
                    ]
                },
                "examples": {
                    "een": {"summary": "Eén bericht", "value": _EXAMPLE},
                    "lijst": {"summary": "Een lijst", "value": [_EXAMPLE]},
                    "intrekking": {
                        "summary": "De afzender trekt een bericht in",
                        "value": {"id": "x-1812", "deleted": True},
                    },
                },
            }
        },
    }
}


@router.post(
    "/posts",
    status_code=202,
    summary="Berichten aanleveren",
    openapi_extra=_BODY,
    operation_id="send_posts",
)
async def send(sent: Annotated[_Sent, Depends(_sender)], service: AService) -> Accepted:
    """Neem één bericht of een lijst van berichten aan.

    Het antwoord 202 komt pas als alle berichten op schijf in de stroom staan. Is er in een lijst
    één bericht onjuist, dan wordt er geen enkel bericht aangenomen en noemt het antwoord elke
    fout. Dezelfde berichten nog eens sturen kan geen kwaad: zelfde id en zelfde inhoud telt als
    herhaling, zelfde id en andere inhoud als wijziging. Wat hier al kritiek blijkt, gaat voor alles
    wat nog wacht.
    """
    caller, body = sent.caller, sent.body
    bucket, rate = f"berichten:{caller.subject}", caller.posts_per_minute
    if wait := service.buckets.wait(bucket, rate, now=time.monotonic()):
        raise slow_down(wait)
    limit = service.config.list_limit
    decoded = await service.pools.ingest(decode, body, received_at=clock(), limit=limit)
    cost = max(1, len(decoded.records), len(decoded.faults))
    service.buckets.take(bucket, rate, cost=cost, now=time.monotonic())
    if decoded.faults:
        raise _refusal(decoded.malformed, decoded.faults)
    # A signed request that somebody sends again must not bring back the text of before an edit.
    if sent.signature and service.seen.has(sent.signature, now=time.monotonic()):
        return Accepted(ids=decoded.ids)
    try:
        went = await service.pools.ingest(service.lane.append, decoded.posts, decoded.records)
    except Unavailable:
        service.metrics.backoff("log")
        raise unavailable("stream") from None
    except InvalidPost:
        raise Problem(422, "post-too-large") from None
    service.metrics.door(urgent=went.urgent, ordinary=went.ordinary, unseen=went.unseen)
    if sent.signature:
        service.seen.add(sent.signature, until=time.monotonic() + 2 * SIGNATURE_SECONDS)
    return Accepted(ids=decoded.ids)


def _refusal(malformed: bool, faults: tuple[Any, ...]) -> Problem:  # noqa: FBT001 - one caller
    if malformed:
        return Problem(400, "no-json", errors=faults)
    return Problem(422, "no-post", errors=faults)


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body and count while it comes, whatever the sender announced. Raises Problem."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit + DRAIN_BYTES:
        raise too_large(limit)
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit:
                    body += chunk
                elif size > limit + DRAIN_BYTES:
                    break
    except TimeoutError:
        raise Problem(408, "slow-body") from None
    if size > limit:
        raise too_large(limit)
    return bytes(body)


def too_large(limit: int) -> Problem:
    """Say that a body is too large; the connection ends, the rest is not read."""
    return Problem(413, "too-large", values={"bytes": limit}, headers={"Connection": "close"})
