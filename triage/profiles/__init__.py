"""What a profile says: teams, rules, service levels and key figures of one organisation.

The nouns stand here; ``reader`` makes them from TOML, ``check`` finds what was surely not meant,
``hours`` counts in opening hours. The profiles that we ship lie beside them as ``*.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from triage.profiles.hours import Hours
from triage.ticket import Urgency

#: The topics of the codebook; ``onbekend`` is no topic but the lack of one.
TOPICS: Final = (
    "afval-schoon",
    "wegen-straatmeubilair",
    "verkeer-parkeren",
    "openbaar-vervoer",
    "groen-water",
    "bouw-infraprojecten",
    "overlast-personen",
    "veiligheid-criminaliteit",
    "crisis-calamiteit",
    "wonen",
    "zorg-gezondheid",
    "orgaandonatie",
    "werk-inkomen",
    "burgerzaken",
    "belastingen-heffingen",
    "onderwijs-jeugd",
    "cultuur-sport-evenementen",
    "inspraak-beleid",
    "klimaat-energie",
    "dienstverlening",
    "overig",
)
#: The intents of the codebook.
INTENTS: Final = (
    "melding",
    "vraag",
    "klacht",
    "suggestie",
    "mening",
    "compliment",
    "gerucht",
    "overig",
)
#: Channels by the names that we know; others may exist.
CHANNELS: Final = (
    "x",
    "facebook",
    "instagram",
    "whatsapp",
    "email",
    "webformulier",
    "mastodon",
    "bluesky",
    "linkedin",
    "youtube",
    "tiktok",
    "forum",
    "onbekend",
)
#: The rule named on a route that the fallback team got because the assessment was unsure.
UNSURE: Final = "onzeker"
#: The rule named on a route that the fallback team got because no rule matched.
NO_RULE: Final = "geen-regel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a profile that is wrong, at a line of its file (from 1)."""

    line: int
    message: str
    #: The profile cannot be used; False: it routes, but surely not as was meant.
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Who works a queue."""

    key: str
    name: str
    description: str
    hours: Hours
    #: The team that takes over what is in ``night`` while this one is closed; itself: none needed.
    night_team: str
    #: What the night team takes over; it counts in clock minutes, the rest in opening minutes.
    night: frozenset[Urgency]
    #: Minutes per urgency.
    service: Mapping[Urgency, int]
    #: Gets work by hand only, no rule needs to lead here.
    manual: bool
    #: What is less sure than this does not come here; the model's own bar counts in any case.
    min_confidence: float
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Any of ``values``, or any but them."""

    values: frozenset[str]
    negated: bool = False

    def __contains__(self, value: str) -> bool:
        return (value in self.values) is not self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Sends what meets every condition to a team; None and empty are no condition."""

    name: str
    team: str
    #: Overrides the team's service level, in minutes.
    minutes: int | None
    #: (topic, abstained): what it is about, and whether unsure assessments are meant too.
    subjects: frozenset[tuple[str, bool]]
    urgencies: frozenset[str]
    intents: frozenset[str] | None
    langs: Choice | None
    channels: Choice | None
    #: Words and phrases in lower case; one of them stands in the text, as whole words.
    places: tuple[str, ...]
    #: Ids of authors, as ``account`` spells them.
    authors: frozenset[str]
    #: ``min_confidence <= confidence < max_confidence``; None: no upper bound.
    min_confidence: float
    max_confidence: float | None
    line: int
    #: False: a condition could not be read, so that nothing may be concluded from the rule.
    sound: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an organisation makes of one topic."""

    key: str
    #: How it is shown; exports and models use the key.
    name: str = ""
    description: str = ""
    #: It counts as this other topic; empty: as itself.
    into: str = ""
    #: It is never chosen.
    hidden: bool = False
    #: The codebook does not have it: the organisation added it.
    new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachStep:
    """From so many followers or shares on, the service level is multiplied by ``factor``."""

    #: None: followers don't count.
    followers: int | None
    #: None: shares don't count.
    shares: int | None
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """How near-duplicates are bundled."""

    #: How long after the last copy another one joins the bundle; 0: nothing is bundled.
    hours: int = 24
    #: A copy equal to a text that was answered gets the same answer, where it is not urgent.
    answer_copies: bool = True
    #: Which replies join the ticket of the post that they answer, one of ``REPLIES``.
    replies: str = "onderwerp"


#: None; those of an author of what is answered; also others' about the same subject.
REPLIES: Final = ("geen", "auteur", "onderwerp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A profile as written, before it is compiled for routing."""

    org: str
    name: str
    description: str
    timezone: ZoneInfo
    fallback: str
    teams: Mapping[str, Team]
    rules: tuple[Rule, ...]
    #: Factor per account of a key figure, as ``account`` spells it.
    key_figures: Mapping[str, float] = field(default_factory=dict)
    reach: tuple[ReachStep, ...] = ()
    #: Shortening stops here, in minutes.
    floor: int = 5
    bundles: Bundles = Bundles()
    #: Topics that were renamed, merged, hidden or added.
    subjects: Mapping[str, Subject] = field(default_factory=dict)
    #: What part of the posts judged ``laag`` people look at all the same.
    audit_rate: float = 0.0

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that a post can have here, those of the codebook first."""
        own = self.subjects
        added = [key for key, subject in own.items() if subject.new]
        return tuple(
            key
            for key in (*TOPICS, *added)
            if key not in own or not (own[key].hidden or own[key].into)
        )

    def topic_name(self, key: str) -> str:
        """Give how a topic is shown; its key where the profile has no name for it."""
        subject = self.subjects.get(key)
        return (subject.name if subject else "") or key


def account(name: str) -> str:
    """Spell an account as we compare it: lower case, no ``@`` in front, no blanks around.

    >>> account(" @Burgemeester_Borne")
    'burgemeester_borne'
    """
    return name.strip().removeprefix("@").lower()
