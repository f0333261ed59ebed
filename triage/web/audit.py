"""The record of who saw and did what; an entry is on disk before the answer goes out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from triage.access import AuditEntry, Identity, Kind, Scope
from triage.web.background import clock
from triage.web.identity import needs
from triage.web.state import AService, service_of

router: Final = APIRouter(prefix="/api/v1", tags=["beheer"])

#: Nobody yet: for what happens before somebody is signed in.
NOBODY: Final = Identity(subject="", name="", kind=Kind.PERSON)


async def audit(request: Request, action: str, *targets: str, who: Identity | None = None) -> None:
    """Record that the signed-in identity (or ``who``) did ``action`` to ``targets``.

    Give ids, never texts: the record outlives the posts. Raises Unavailable where it can't be
    recorded; then what was asked for must not happen.
    """
    service = service_of(request)
    identity = who or getattr(request.state, "identity", None) or NOBODY
    entry = AuditEntry(
        at=clock(),
        subject=identity.subject,
        name=identity.name,
        kind=identity.kind,
        action=action,
        targets=targets,
    )
    await service.pools.desk(service.access.record, [entry])


async def audit_list(request: Request, tickets: Iterable[str]) -> None:
    """Record which tickets of a list were shown that this identity did not just see in one."""
    service = service_of(request)
    identity: Identity = request.state.identity
    now = time.monotonic()
    new = service.views.new(identity.subject, tickets, now=now)
    if new:
        await audit(request, "tickets.view", *new)
        # Only now: a second request at the same time must not count on the first one's entry.
        service.views.add(identity.subject, new, now=now)


class AuditOut(BaseModel):
    """Een regel van het logboek."""

    id: Annotated[str, Field(description="De plaats in het logboek.", examples=["1812"])]
    at: Annotated[str, Field(description="Wanneer (RFC 3339).")]
    subject: Annotated[str, Field(description="Wie, als vast kenmerk.")]
    name: Annotated[str, Field(description="Wie, bij naam.")]
    kind: Annotated[Kind, Field(description="Een persoon of een programma.")]
    action: Annotated[str, Field(description="Wat er gebeurde.", examples=["ticket.claim"])]
    targets: Annotated[list[str], Field(description="Waarmee: tickets, teams, tokens.")]


class AuditPage(BaseModel):
    """Een bladzijde van het logboek, oudste eerst."""

    entries: list[AuditOut]
    after: Annotated[
        str, Field(description="Geef dit mee voor de volgende bladzijde; leeg: dit was alles.")
    ]


@router.get(
    "/audit",
    summary="Logboek van inzage en handelingen",
    operation_id="audit",
    dependencies=[Depends(needs(Scope.AUDIT_READ))],
)
async def read(
    request: Request,
    service: AService,
    after: Annotated[
        str, Query(max_length=40, description="`after` van de vorige bladzijde.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> AuditPage:
    """Geef wie wat zag en deed, en wanneer; zonder de tekst van berichten."""
    await audit(request, "audit.view")
    entries = await service.pools.desk(service.access.audit, after, limit=limit)
    return AuditPage(
        entries=[AuditOut.model_validate(entry.to_mapping()) for entry in entries],
        after=entries[-1].id if len(entries) == limit else "",
    )
