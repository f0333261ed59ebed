"""What the routes of one app share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from jinja2 import Environment

from triage.access import Access
from triage.errors import NotFound
from triage.labels.said import Said
from triage.lane import Lane
from triage.log import Log
from triage.metrics import Metrics
from triage.queue import Queue
from triage.route import Profile
from triage.web.background import Publisher
from triage.web.config import WebConfig
from triage.web.desk.activity import Activity
from triage.web.desk.answers import Answer
from triage.web.desk.judge import Judge
from triage.web.desk.lists import Lists
from triage.web.desk.muted import Muted
from triage.web.events import Hub
from triage.web.limits import Buckets
from triage.web.seen import Seen, Views
from triage.web.threads import Pools


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts that the routes work with."""

    config: WebConfig
    log: Log
    #: The way into the log of what comes in here.
    lane: Lane
    queue: Queue
    access: Access
    #: By organisation.
    profiles: Mapping[str, Profile]
    metrics: Metrics
    pools: Pools
    publisher: Publisher
    hub: Hub
    buckets: Buckets
    seen: Seen
    views: Views
    templates: Environment
    #: What the desk lists and counts.
    lists: Lists
    activity: Activity
    muted: Muted
    answers: Sequence[Answer]
    #: What people said of labels, and the model that gave them.
    said: Said
    judge: Judge


def service_of(request: Request) -> Service:
    """Give the service that a request came to."""
    service: Service = request.app.state.service
    return service


async def _service(request: Request) -> Service:
    return service_of(request)


#: As a parameter of a route.
AService = Annotated[Service, Depends(_service)]


async def _profile(
    service: AService,
    org: Annotated[
        str | None,
        Query(
            max_length=40,
            description="De organisatie; zonder: die van deze dienst.",
            examples=["gemeente"],
        ),
    ] = None,
) -> Profile:
    return profile_of(service, org or service.config.default_org)


def profile_of(service: Service, org: str) -> Profile:
    """Give the profile of an organisation. Raises NotFound."""
    profile = service.profiles.get(org)
    if profile is None:
        raise NotFound("deze organisatie is hier niet bekend", code="no-org")
    return profile


#: The profile of the organisation that a request names.
AProfile = Annotated[Profile, Depends(_profile)]
