"""What every page has: who looks, in which language, at which organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from triage.profiles import INTENTS, TOPICS
from triage.route import Profile
from triage.ticket import URGENCIES, org_of
from triage.web.background import clock
from triage.web.desk.texts import Texts, spoken
from triage.web.identity import Identity, Role, Scope, SignedIn, page_context
from triage.web.models import OF_OTHER_ACTIONS
from triage.web.state import AProfile, AService, Service, profile_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One request for a page."""

    service: Service
    profile: Profile
    me: Identity
    request: Request
    t: Texts

    def address(self, path: str, **query: object) -> str:
        """Give the address of a page of this organisation."""
        if self.profile.org != self.service.config.default_org:
            query["org"] = self.profile.org
        known = {name: value for name, value in query.items() if value not in {None, "", 0}}
        return quote(path) + (f"?{urlencode(known)}" if known else "")

    def page(self, template: str, **more: Any) -> HTMLResponse:  # noqa: ANN401 - what it shows
        """Render a page or a part of one."""
        return HTMLResponse(self.html(template, **more))

    def html(self, template: str, **more: Any) -> str:  # noqa: ANN401 - what the template shows
        """Render a template with what all of them know."""
        known = {
            "t": self.t,
            **page_context(self.request),
            "may_act": Scope.TICKETS_ACT in self.me.scopes,
            "may_lead": self.me.has(Role.TEAMLEIDER),
            "profile": self.profile,
            "profiles": self.service.profiles,
            "default_org": self.service.config.default_org,
            "address": self.address,
            "urgencies": URGENCIES,
            "topics": TOPICS,
            "intents": INTENTS,
            "outcomes": {
                key: text
                for key, text in self.t.group("outcome").items()
                if key not in OF_OTHER_ACTIONS
            },
            "now": clock(),
        }
        return self.service.templates.get_template(template).render(**(known | more))

    def settings(self, **more: Any) -> Mapping[str, Any]:  # noqa: ANN401 - JSON values
        """Give what the scripts of a page need to know."""
        t = self.t
        return {
            "me": self.me.name,
            "csrf": page_context(self.request)["csrf"],
            "leads": self.me.has(Role.TEAMLEIDER),
            "acts": Scope.TICKETS_ACT in self.me.scopes,
            "org": self.profile.org,
            "language": t.language,
            "events": self.address("/api/v1/events"),
            "texts": t.group("js"),
            "topics": {key: t.of("topic", key) for key in TOPICS},
            "intents": {key: t.of("intent", key) for key in INTENTS},
            "urgencies": {key.value: t.of("urgency", key.value) for key in URGENCIES},
            "outcomes": t.group("outcome"),
            "teams": {key: team.name for key, team in self.profile.teams.items()},
            "zone": self.profile.timezone.key,
            "lease": self.service.config.lease_seconds,
            "now": clock().isoformat(),
            **more,
        }


async def _screen(request: Request, service: AService, me: SignedIn, profile: AProfile) -> Screen:
    return _of(request, service, me, profile)


async def _ticket_screen(request: Request, service: AService, me: SignedIn, ticket: str) -> Screen:
    return _of(request, service, me, profile_of(service, org_of(ticket)))


def _of(request: Request, service: Service, me: Identity, profile: Profile) -> Screen:
    return Screen(service=service, profile=profile, me=me, request=request, t=spoken(request))


#: The screen of a page of the organisation that the request names, or of that of a ticket.
AScreen = Annotated[Screen, Depends(_screen)]
ATicketScreen = Annotated[Screen, Depends(_ticket_screen)]
