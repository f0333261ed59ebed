"""What the API takes and gives, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from triage.profiles import INTENTS
from triage.queue import Depth, Mute
from triage.queue.mute import MUTED_OUTCOME
from triage.ticket import State, Ticket, Urgency
from triage.web.desk.signalen import OUTCOME as SIGNALEN_OUTCOME
from triage.web.problems import OWN

#: The longest claim, in seconds.
LEASE_LIMIT: Final = 24 * 3600
_LABEL: Final = r"^[^\x00-\x1f\x7f]*$"


def _one_of(values: Sequence[str], what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in values:
            raise PydanticCustomError(f"{OWN}unknown", what)
        return value

    return check


def _enum(values: Sequence[str]) -> dict[str, Any]:
    return {"enum": list(values)}


def words(limit: int) -> StringConstraints:
    """Ask for a line of text."""
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=limit, pattern=_LABEL)


Owner = Annotated[
    str,
    words(100),
    Field(
        description=(
            "Voor wie een programma dit doet; wie zelf is aangemeld handelt onder eigen naam."
        ),
        examples=["s.devries"],
    ),
]
FencingToken = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        lt=2**63,
        description="Het nummer van de claim, zoals `claim` het gaf.",
        examples=[1762070400000000],
    ),
]
Note = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    Field(description="Een toelichting voor collega's.", examples=["Teruggebeld, is op de hoogte"]),
]
Reply = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    Field(description="Wat er geantwoord is.", examples=["Dank, we komen morgen langs"]),
]
Link = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^https?://[^\x00-\x20\x7f]+$"),
    Field(description="Waar het antwoord staat.", examples=["https://voorbeeld.nl/antwoord/1"]),
]
Topic = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"),
    Field(
        description="Een onderwerp van het codeboek of van het profiel van de organisatie.",
        examples=["wegen-straatmeubilair"],
    ),
]
Intent = Annotated[
    str,
    AfterValidator(_one_of(INTENTS, "onbekende bedoeling")),
    Field(json_schema_extra=_enum(INTENTS), examples=["melding"]),
]
AnUrgency = Annotated[
    str,
    AfterValidator(_one_of(tuple(Urgency), "onbekende urgentie")),
    Field(json_schema_extra=_enum(tuple(Urgency)), examples=["hoog"]),
]
TeamKey = Annotated[
    str, words(100), Field(description="De sleutel van een team.", examples=["openbare-ruimte"])
]
TicketKeys = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=120)]],
    Field(
        min_length=1,
        max_length=500,
        description="Ids van tickets.",
        examples=[["gemeente.lyd75vaw3bgzowvj"]],
    ),
]


#: Outcomes that are not for choosing: each is of an action that does more than resolve.
OF_OTHER_ACTIONS: Final = frozenset({MUTED_OUTCOME, SIGNALEN_OUTCOME})


def _chosen(outcome: str) -> str:
    if outcome in OF_OTHER_ACTIONS:
        what = "dat is de uitkomst van dempen of van doorgeven aan Signalen, en niet te kiezen"
        raise PydanticCustomError(f"{OWN}outcome", what)
    return outcome


Outcome = Annotated[
    str,
    words(100),
    AfterValidator(_chosen),
    Field(
        description="Hoe het is afgehandeld; `gedempt` en `signalen` zijn niet te kiezen.",
        examples=["beantwoord"],
    ),
]


class RequestIn(BaseModel):
    """What is asked: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ClaimRequest(RequestIn):
    """Een ticket oppakken."""

    owner: Owner | None = None
    seconds: Annotated[
        float | None,
        Field(
            ge=1, le=LEASE_LIMIT, description="Hoe lang; zonder: zoals ingesteld.", examples=[300]
        ),
    ] = None


class RenewRequest(RequestIn):
    """Een claim verlengen."""

    token: FencingToken
    seconds: Annotated[float | None, Field(ge=1, le=LEASE_LIMIT, examples=[300])] = None


class ReleaseRequest(RequestIn):
    """Een claim teruggeven."""

    token: FencingToken


class ResolveRequest(RequestIn):
    """Een ticket afhandelen; dat vraagt om de claim."""

    owner: Owner | None = None
    token: FencingToken
    outcome: Outcome
    note: Note | None = None
    reply: Reply | None = None
    link: Link | None = None


class _Decision(RequestIn):
    owner: Owner | None = None
    token: FencingToken | None = None
    note: Note | None = None


class CorrectRequest(_Decision):
    """Verbeteren wat het model verkeerd had; minstens één van de drie."""

    topic: Topic | None = None
    urgency: AnUrgency | None = None
    intent: Intent | None = None


class ReassignRequest(_Decision):
    """Aan een ander team geven."""

    team: TeamKey


class EscalateRequest(_Decision):
    """Tot kritiek verhogen."""

    team: TeamKey | None = None


class ConfirmRequest(_Decision):
    """Zeggen dat onderwerp, urgentie en bedoeling kloppen; noem wat je zag."""

    topic: Topic | None = None
    urgency: AnUrgency | None = None
    intent: Intent | None = None


class SplitRequest(_Decision):
    """Berichten uit een bundel halen."""

    tickets: TicketKeys


class MergeRequest(_Decision):
    """Andere tickets in dit ticket bundelen."""

    tickets: TicketKeys


class ClaimOut(BaseModel):
    """Wie een ticket in behandeling heeft, en tot wanneer."""

    owner: str
    until: datetime


class TicketOut(BaseModel):
    """Een ticket: een bericht, hoe het beoordeeld is, en wie er wat mee moet."""

    id: Annotated[str, Field(examples=["gemeente.lyd75vaw3bgzowvj"])]
    org: str
    team: str
    urgency: Urgency
    topic: str
    intent: str
    due_at: datetime
    created_at: datetime
    state: State
    #: Grows with every change.
    version: int
    claim: ClaimOut | None
    #: Set aside until then.
    snoozed_until: datetime | None
    muted_until: Annotated[
        datetime | None,
        Field(
            description=(
                "Tot wanneer de afzender gedempt is; leeg: niet, of dit is geen leesvraag."
            )
        ),
    ]
    post: Annotated[dict[str, Any], Field(description="Het bericht (`triage schema post`).")]
    assessment: Annotated[
        dict[str, Any], Field(description="Wat het model zei, met de redenen en de regel.")
    ]
    within: Annotated[str, Field(description="Het ticket waar het in staat; leeg: geen.")]
    reply: Annotated[bool, Field(description="Het staat daar als reactie, niet als kopie.")]
    bundle: Annotated[
        dict[str, Any] | None,
        Field(
            description=(
                "Kopieën van dit bericht: aantal, auteurs, kanalen, eerste en laatste, bereik, en "
                "de verschillende teksten met wat ze toevoegen; daarnaast het aantal reacties."
            )
        ),
    ]
    history: Annotated[
        list[dict[str, Any]], Field(description="Wat er gebeurde; leeg in een lijst.")
    ]


class ClaimedOut(BaseModel):
    """Een claim: met `token` bewijst de eigenaar bij elke handeling dat die nog geldt."""

    token: FencingToken
    owner: str
    until: datetime


class ClaimedTicketOut(BaseModel):
    """Een opgepakt ticket."""

    claim: ClaimedOut
    ticket: TicketOut


class DepthOut(BaseModel):
    """Hoe een team er bij één urgentie voor staat."""

    urgency: Urgency
    depth: Annotated[int, Field(description="Open tickets, opgepakt of niet.")]
    breached: Annotated[int, Field(description="Open tickets die te laat zijn.")]
    oldest_due: datetime | None


class TeamOut(BaseModel):
    """Hoe een team ervoor staat."""

    team: Annotated[str, Field(examples=["openbare-ruimte"])]
    name: Annotated[str, Field(examples=["Openbare ruimte"])]
    depth: int
    breached: int
    oldest_due: datetime | None
    urgencies: list[DepthOut]


class QueuesOut(BaseModel):
    """Alle wachtrijen van een organisatie."""

    org: Annotated[str, Field(examples=["gemeente"])]
    name: Annotated[str, Field(examples=["Gemeente"])]
    at: Annotated[datetime, Field(description="Het moment van deze stand.")]
    depth: int
    breached: int
    teams: list[TeamOut]


class TicketsOut(BaseModel):
    """Een bladzijde van de wachtrij van een team, in de volgorde van behandelen."""

    org: str
    team: str
    limit: int
    offset: int
    tickets: list[TicketOut]


class FaultOut(BaseModel):
    """Eén ding dat niet klopt."""

    index: Annotated[int | None, Field(description="Welk bericht van de lijst, vanaf 0.")]
    field: Annotated[str, Field(description="Welk veld; leeg: het geheel.", examples=["text"])]
    reason: Annotated[str, Field(examples=["ontbreekt"])]
    offset: Annotated[int | None, Field(description="De byte waarbij het lezen ophield.")]


class ProblemOut(BaseModel):
    """Wat er mis is (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(examples=["urn:triage:problem:unprocessable-entity"])]
    title: Annotated[str, Field(examples=["Onjuiste gegevens"])]
    status: Annotated[int, Field(examples=[422])]
    detail: str
    errors: list[FaultOut]


def ticket_out(ticket: Ticket, mute: Mute | None = None) -> TicketOut:
    """Give a ticket as JSON; the token of its claim is its owner's alone.

    ``mute``: the one of its author that stands.
    """
    claim = ticket.claim
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
        claim=ClaimOut(owner=claim.owner, until=claim.until) if claim else None,
        snoozed_until=ticket.snoozed_until,
        muted_until=mute.until if mute else None,
        post=dict(ticket.post),
        assessment=dict(ticket.assessment),
        within=ticket.within,
        reply=ticket.reply,
        bundle=dict(ticket.bundle) if ticket.bundle else None,
        history=[dict(item) for item in ticket.history],
    )


def team_out(team: str, name: str, depths: Sequence[Depth]) -> TeamOut:
    """Sum up how a team stands; every urgency is there, most urgent first."""
    by_urgency = {depth.urgency: depth for depth in depths}
    dues = [depth.oldest_due for depth in depths if depth.oldest_due is not None]
    urgencies = []
    for urgency in Urgency:
        depth = by_urgency.get(urgency)
        urgencies.append(
            DepthOut(
                urgency=urgency,
                depth=depth.depth if depth else 0,
                breached=depth.breached if depth else 0,
                oldest_due=depth.oldest_due if depth else None,
            )
        )
    return TeamOut(
        team=team,
        name=name,
        depth=sum(depth.depth for depth in depths),
        breached=sum(depth.breached for depth in depths),
        oldest_due=min(dues, default=None),
        urgencies=urgencies,
    )
