"""``POST /api/v1/posts``: posts come in, and stand in the log before they are answered for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from triage.errors import InvalidPost
from triage.jsontext import parse_list, parse_object
from triage.log import NewRecord, Topic
from triage.log.record import new_record
from triage.post import Post
from triage.schema import post_schema
from triage.web.auth import WINDOW_SECONDS, Sender, signature_of
from triage.web.context import Context, Ctx
from triage.web.openapi import errors
from triage.web.problems import Problem, fault
from triage.web.schemas import Accepted

router: Final = APIRouter(prefix="/api/v1", tags=["berichten"])

#: Posts in one request.
POSTS_LIMIT: Final = 1000
_NO_POST: Final = "geen JSON-object"
_EXAMPLE: Final = {
    "id": "x-1733",
    "text": "Er hangt een losse kabel boven het fietspad bij de Lindelaan",
    "channel": "x",
    "created_at": "2026-11-26T09:15:00+01:00",
    "author": {"id": "@fietser", "name": "Een fietser", "followers": 120},
}


@dataclass(frozen=True, slots=True)
class _Read:
    """A body that was read: what to answer and what to append."""

    ids: list[str]
    records: list[NewRecord]


@router.post(
    "/posts",
    status_code=202,
    summary="Lever een bericht of een lijst berichten aan",
    description=(
        "Antwoordt 202 als alle berichten in de log op schijf staan. Alles of niets: is er een "
        f"niet goed, dan wordt er geen opgenomen. Hooguit {POSTS_LIMIT} berichten en 8 MiB per "
        "verzoek, 64 KiB per bericht. Twee keer hetzelfde aanleveren is geen bezwaar: hetzelfde "
        "`id` met dezelfde inhoud telt één keer."
    ),
    responses=errors(400, 401, 403, 408, 413, 415, 422, 429, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/Post"},
                            {
                                "type": "array",
                                "items": {"$ref": "#/components/schemas/Post"},
                                "minItems": 1,
                                "maxItems": POSTS_LIMIT,
                            },
                        ]
                    },
                    "examples": {
                        "een bericht": {"value": _EXAMPLE},
                        "een lijst": {"value": [_EXAMPLE]},
                    },
                }
            },
        }
    },
)
async def accept(request: Request, context: Ctx, sender: Sender) -> Accepted:
    """Take posts into the log."""
    rate = context.config.posts_per_minute
    if sender.source is not None and sender.source.rate_per_minute is not None:
        rate = sender.source.rate_per_minute
    client = f"posts:{sender.key}"
    context.look(client, rate)
    body = await request.body()
    signature = b""
    if "x-triage-signature" in request.headers and sender.source is not None:
        signature = await run_in_threadpool(signature_of, sender.source, request.headers, body)
    read = await run_in_threadpool(_read, body, context.clock())
    context.limits.charge(client, len(read.ids), per_minute=rate, now=time.monotonic())
    await run_in_threadpool(_append, context, read, signature)
    return Accepted(ids=read.ids)


def _append(context: Context, read: _Read, signature: bytes) -> None:
    # A signed request sent again must not bring back the text of before an edit.
    now = time.monotonic()
    if signature and context.seen.has(signature, now=now):
        return
    context.log.append(Topic.POSTS, read.records)
    if signature:
        context.seen.add(signature, until=now + 2 * WINDOW_SECONDS)


def _read(body: bytes, received_at: datetime) -> _Read:
    """Read one post or a list of them. Raises 400, 413 and 422, with all that is wrong."""
    many = body.lstrip()[:1] == b"["
    try:
        items: list[Any] = parse_list(body) if many else [parse_object(body)]
    except InvalidPost as error:
        status = 422 if error.reason == _NO_POST else 400
        raise Problem(status, str(error), errors=[_fault(error, None)]) from None
    if not items:
        raise Problem(422, "lege lijst", errors=[fault("", "leeg")])
    if len(items) > POSTS_LIMIT:
        raise Problem(413, f"hooguit {POSTS_LIMIT} berichten per verzoek")
    ids: list[str] = []
    records: list[NewRecord] = []
    faults = []
    for index, item in enumerate(items):
        try:
            post, record = _post(item, received_at)
        except InvalidPost as error:
            faults.append(_fault(error, index if many else None))
        else:
            ids.append(post.id)
            records.append(record)
    if faults:
        raise Problem(
            422, f"{len(faults)} van {len(items)} berichten niet goed, niets opgenomen",
            errors=faults,
        )
    return _Read(ids, records)


def _post(item: object, received_at: datetime) -> tuple[Post, NewRecord]:
    if not isinstance(item, dict):
        raise InvalidPost("", _NO_POST)
    post = Post.from_mapping(item, received_at=received_at)
    return post, new_record(post)


def _fault(error: InvalidPost, index: int | None) -> dict[str, Any]:
    return fault(error.field, error.reason, index=index, offset=error.offset)


def post_component() -> dict[str, Any]:
    """Give the schema of a post as a component of the OpenAPI."""
    schema = post_schema()
    return {name: value for name, value in schema.items() if name not in {"$schema", "$id"}}
