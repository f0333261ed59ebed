"""What every request can reach: stores, profiles, limits, the clock."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query, Request

from triage.log import Log
from triage.metrics import Metrics
from triage.queue import Queue
from triage.route import Profile
from triage.web.config import WebConfig
from triage.web.limits import Limits
from triage.web.outbox import Outbox
from triage.web.problems import Problem
from triage.web.seen import Seen
from triage.web.tail import Tails


@dataclass(slots=True, kw_only=True)
class Context:
    """The parts that one server runs on."""

    config: WebConfig
    log: Log
    queue: Queue
    profiles: Mapping[str, Profile]
    metrics: Metrics
    outbox: Outbox
    tails: Tails
    limits: Limits = field(default_factory=Limits)
    seen: Seen = field(default_factory=Seen)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def profile(self, org: str) -> Profile:
        """Give the profile of an organisation. Raises a 404."""
        found = self.profiles.get(org)
        if found is None:
            raise Problem(404, "deze organisatie is hier niet bekend")
        return found

    def spend(self, client: str, cost: float, per_minute: float) -> None:
        """Charge a client for a request. Raises a 429 where it asks too much."""
        self.look(client, per_minute)
        self.limits.charge(client, cost, per_minute=per_minute, now=time.monotonic())

    def look(self, client: str, per_minute: float) -> None:
        """Raise a 429 where the client asks too much, without charging it."""
        wait = self.limits.wait(client, per_minute=per_minute, now=time.monotonic())
        if wait > 0:
            seconds = str(max(1, math.ceil(wait)))
            raise Problem(429, f"wacht {seconds} s", headers={"Retry-After": seconds})


def context_of(request: Request) -> Context:
    """Give the parts of the server that got this request."""
    context: Context = request.app.state.context
    return context


# `async`, so that no thread is taken for so little.
async def _context(request: Request) -> Context:
    return context_of(request)


async def _profile(
    request: Request,
    org: Annotated[
        str | None,
        Query(
            max_length=40,
            description="De organisatie; zonder: de eigen organisatie van deze server.",
            examples=["gemeente"],
        ),
    ] = None,
) -> Profile:
    context = context_of(request)
    return context.profile(org or context.config.org)


Ctx = Annotated[Context, Depends(_context)]
OfOrg = Annotated[Profile, Depends(_profile)]
