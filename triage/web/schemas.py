"""What the API takes and gives, as OpenAPI tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from triage.post import clean
from triage.ticket import Claim, Ticket, Urgency

_Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(clean)]
Owner = Annotated[_Name, Field(description="Wie het ticket oppakt", examples=["m.jansen"])]
By = Annotated[_Name, Field(description="Wie dit doet", examples=["m.jansen"])]
Fence = Annotated[
    int,
    Field(
        ge=0, lt=2**63, description="Het token van de claim", examples=[1764147600000000]
    ),
]
Seconds = Annotated[
    float,
    Field(ge=1, le=86_400, allow_inf_nan=False, description="Duur van de claim", examples=[900]),
]
Note = Annotated[
    str,
    Field(max_length=4000, description="Blijft bij het ticket", examples=["Ploeg gestuurd"]),
    AfterValidator(clean),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, hide_input_in_errors=True)


class ClaimBody(_Body):
    """Pick a ticket up."""

    owner: Owner
    seconds: Seconds | None = None


class RenewBody(_Body):
    """Keep it longer."""

    token: Fence
    seconds: Seconds | None = None


class ReleaseBody(_Body):
    """Give it back."""

    token: Fence


class ResolveBody(_Body):
    """Close it."""

    token: Fence
    by: By
    outcome: Annotated[
        str,
        Field(
            pattern="^[a-z0-9][a-z0-9-]{0,39}$",
            description="Hoe het is afgehandeld",
            examples=["beantwoord", "geen-actie", "doorgezet"],
        ),
    ]
    note: Note | None = None


class CorrectBody(_Body):
    """Say what the model should have said."""

    by: By
    token: Fence | None = None
    topic: Annotated[str, Field(max_length=100, examples=["afval-schoon"])] | None = None
    urgency: Annotated[str, Field(max_length=100, examples=["hoog"])] | None = None
    intent: Annotated[str, Field(max_length=100, examples=["melding"])] | None = None
    note: Note | None = None


class ReassignBody(_Body):
    """Hand it to another team."""

    by: By
    team: Annotated[str, Field(min_length=1, max_length=100, examples=["webcare"])]
    token: Fence | None = None
    note: Note | None = None


class EscalateBody(_Body):
    """Make it critical."""

    by: By
    token: Fence | None = None
    note: Note | None = None


class Accepted(BaseModel):
    """Posts that stand in the log."""

    ids: list[str] = Field(examples=[["x-1733"]])


class ClaimOut(BaseModel):
    """A lease; only who took it gets its token."""

    owner: str = Field(examples=["m.jansen"])
    until: datetime
    token: int | None = Field(default=None, examples=[1764147600000000])


class TicketOut(BaseModel):
    """A ticket."""

    id: str = Field(examples=["gemeente.lyd75vaw3bgzowvj"])
    org: str
    team: str
    urgency: Urgency
    topic: str
    intent: str
    due_at: datetime
    created_at: datetime
    state: str = Field(examples=["open"])
    version: int
    post: dict[str, Any]
    assessment: dict[str, Any]
    claim: ClaimOut | None = None
    history: list[dict[str, Any]] = []


class TicketsOut(BaseModel):
    """A page of a team's queue, most urgent first."""

    org: str
    team: str
    tickets: list[TicketOut]


class DepthOut(BaseModel):
    """How a team stands at one urgency."""

    urgency: Urgency
    depth: int
    breached: int
    oldest_due: datetime | None


class TeamOut(BaseModel):
    """A team's queue."""

    team: str
    name: str
    urgencies: list[DepthOut]


class QueuesOut(BaseModel):
    """All queues of an organisation."""

    org: str
    teams: list[TeamOut]


def claim_out(claim: Claim, *, fenced: bool) -> ClaimOut:
    """Give a lease; ``fenced``: with its token, for who took it."""
    return ClaimOut(
        owner=claim.owner, until=claim.until, token=claim.token if fenced else None
    )


def ticket_out(ticket: Ticket, *, fenced: bool = False) -> TicketOut:
    """Give a ticket."""
    return TicketOut(
        id=ticket.id,
        org=ticket.org,
        team=ticket.team,
        urgency=ticket.urgency,
        topic=ticket.topic,
        intent=ticket.intent,
        due_at=ticket.due_at,
        created_at=ticket.created_at,
        state=ticket.state,
        version=ticket.version,
        post=dict(ticket.post),
        assessment=dict(ticket.assessment),
        claim=claim_out(ticket.claim, fenced=fenced) if ticket.claim else None,
        history=[dict(item) for item in ticket.history],
    )

