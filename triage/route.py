"""From an assessed post to the team that must act, and to when at the latest.

Everything comes from the profile of the organisation; ``docs/profiles.md`` tells how one is
written and how due times are counted. Nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Final

from triage.errors import InvalidProfile, NotFound
from triage.post import Post
from triage.profiles import INTENTS, NO_RULE, UNSURE, Problem, Rule, Spec, Team, account
from triage.profiles.check import findings
from triage.profiles.places import mentions
from triage.profiles.reader import SIZE_LIMIT, read
from triage.profiles.subjects import adapted, shown_as
from triage.ticket import UNKNOWN, Assessment, Route, Urgency

__all__ = ["Problem", "Profile", "Team", "builtin_names", "check"]

#: What stands on a ticket of the audit sample.
AUDIT: Final = "audit"
#: How long before its receipt a post's clock may have started.
_HEAD_START: Final = timedelta(hours=24)
_MINUTE: Final = timedelta(minutes=1)
#: How far into a text places are looked for, in characters.
_PLACE_SPAN: Final = 8_000

#: Topic, abstained, urgency, intent.
_Key = tuple[str, bool, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(Spec):
    """The profile of one organisation, ready to route by."""

    #: SHA-256 of the file, in hex.
    digest: str
    #: The rules that may match, in order.
    index: Mapping[_Key, tuple[Rule, ...]] = field(repr=False)
    #: What each topic counts as here.
    shown: Mapping[str, str] = field(repr=False)
    #: Some team asks for a confidence of its own.
    asking: bool

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile from a TOML file. Raises :class:`InvalidProfile`."""
        return cls._compile(str(path), _bytes(path))

    @classmethod
    def builtin(cls, name: str) -> Profile:
        """Give a profile that we ship (``builtin_names``). Raises :class:`InvalidProfile`."""
        if name not in builtin_names():
            raise InvalidProfile(name, [f"1: onbekend profiel; wel: {', '.join(builtin_names())}"])
        source = files("triage") / "profiles" / f"{name}.toml"
        return cls._compile(f"{name}.toml", source.read_bytes())

    @classmethod
    def _compile(cls, path: str, raw: bytes) -> Profile:
        spec, problems = read(raw)
        fatal = sorted((p for p in problems if p.fatal), key=_line)
        if spec is None or fatal:
            raise InvalidProfile(path, [str(problem) for problem in fatal])
        return cls(
            **{part.name: getattr(spec, part.name) for part in fields(spec)},
            digest=hashlib.sha256(raw).hexdigest(),
            index=_index(spec.rules),
            shown=shown_as(spec.subjects),
            asking=any(team.min_confidence for team in spec.teams.values()),
        )

    def adapt(self, assessment: Assessment) -> Assessment:
        """Bring an assessment into this organisation's topics (renaming changes no key)."""
        return adapted(assessment, self.shown)

    def doubt(self, post: Post, assessment: Assessment, *, lang: str) -> Assessment:
        """Let a post count as unsure where the team that would get it asks to be surer."""
        if not self.asking or assessment.abstained:
            return assessment
        rule = self._match(post, assessment, lang)
        if rule is None or assessment.confidence >= self.teams[rule.team].min_confidence:
            return assessment
        return replace(assessment, abstained=True)

    def route(
        self, post: Post, assessment: Assessment, *, lang: str, received_at: datetime
    ) -> Route:
        """Choose the team and count the time in which it must act."""
        rule = self._match(post, assessment, lang)
        urgency = assessment.urgency
        if rule is None:
            team, minutes = self.teams[self.fallback], None
            name = UNSURE if assessment.abstained or assessment.topic == UNKNOWN else NO_RULE
        else:
            team, minutes, name = self.teams[rule.team], rule.minutes, rule.name
        if urgency in team.night and not team.hours.is_open(received_at):
            team = self.teams[team.night_team]
        start = min(max(post.created_at, received_at - _HEAD_START), received_at)
        sampled = urgency is Urgency.LAAG and audited(post, received_at, self.audit_rate)
        due_at = self._due(team, urgency, start, minutes, post)
        if sampled:  # it stands where people come by today, not behind all that can wait
            due_at = min(due_at, self._due(team, Urgency.NORMAAL, start, None, post))
        return Route(
            team=team.key,
            due_at=due_at,
            due_minutes=(due_at - received_at) // _MINUTE,
            rule=name,
            sampled=AUDIT if sampled else "",
        )

    def due(
        self, urgency: Urgency, team: str, at: datetime, *, post: Post | None = None
    ) -> datetime:
        """Give when a team must have acted, counted from ``at``, in UTC.

        For tickets whose urgency or team people have set. With ``post``, reach and key figures
        shorten it as they do in ``route``. Raises :class:`NotFound`.
        """
        return self._due(self._known(team), urgency, at, None, post)

    def night_team(self, team: str) -> str:
        """Give the team that takes over while this one is closed; itself where none does."""
        return self._known(team).night_team

    def _known(self, team: str) -> Team:
        if team not in self.teams:
            raise NotFound("onbekend team", code="no-team")
        return self.teams[team]

    def _match(self, post: Post, assessment: Assessment, lang: str) -> Rule | None:
        topic = assessment.topic
        unsure = assessment.abstained and topic != UNKNOWN
        for rule in self.index.get((topic, unsure, assessment.urgency, assessment.intent), ()):
            if _meets(rule, post, assessment.confidence, lang):
                return rule
        return None

    def _due(
        self, team: Team, urgency: Urgency, start: datetime, minutes: int | None, post: Post | None
    ) -> datetime:
        if minutes is None:
            minutes = team.service[urgency]
        if post is not None and (factor := self.factor(post)) < 1:
            minutes = max(min(self.floor, minutes), int(minutes * factor))
        if urgency in team.night:
            return start.astimezone(UTC) + timedelta(minutes=minutes)
        return team.hours.after(start, minutes)

    def is_key_figure(self, post: Post) -> bool:
        """Tell whether the profile names a post's author as one who is heard sooner."""
        author = post.author
        return author is not None and not self.key_figures.keys().isdisjoint(
            (account(author.id), account(author.name))
        )

    def factor(self, post: Post) -> float:
        """Give by how much reach and key figures shorten the time for a post, at most 1."""
        followers, factor = 0, 1.0
        if (author := post.author) is not None:
            followers = author.followers
            if figures := self.key_figures:
                factor = min(
                    figures.get(account(author.id), 1.0), figures.get(account(author.name), 1.0)
                )
        shares = post.reach.shares
        if followers or shares:
            for step in self.reach:
                if (step.followers is not None and followers >= step.followers) or (
                    step.shares is not None and shares >= step.shares
                ):
                    factor = min(factor, step.factor)
        return factor


def audited(post: Post, at: datetime, rate: float) -> bool:
    """Say whether people check a post that was judged ``laag``: by its id and the day, by chance.

    The same post on the same day is always drawn alike, by whichever worker reads it.
    """
    if not rate:
        return False
    seed = f"{at.astimezone(UTC).date()}\x00{post.id}".encode("utf-8", "replace")
    drawn = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big")
    return drawn < rate * 2**64


def check(path: Path) -> list[Problem]:
    """Find everything that is wrong with a profile, in order of its lines.

    What ``Profile.load`` refuses (``fatal``) and what it accepts but was surely not meant: rules
    that are never reached, topics without a team, teams without work.
    """
    try:
        spec, problems = read(_bytes(path))
    except InvalidProfile:
        return [Problem(line=1, message=_UNREADABLE)]
    found = problems if spec is None else [*problems, *findings(spec)]
    return sorted(found, key=_line)


@cache
def builtin_names() -> tuple[str, ...]:
    """Name the profiles that we ship."""
    names = (source.name for source in (files("triage") / "profiles").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


_UNREADABLE: Final = "bestand kan niet worden gelezen"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except OSError:
        raise InvalidProfile(str(path), [f"1: {_UNREADABLE}"]) from None


def _line(problem: Problem) -> int:
    return problem.line


def _index(rules: tuple[Rule, ...]) -> dict[_Key, tuple[Rule, ...]]:
    """Sort the rules by what every post has, so that routing looks at few of them."""
    index: dict[_Key, list[Rule]] = {}
    for rule in rules:
        intents = INTENTS if rule.intents is None else rule.intents
        for (topic, unsure), urgency, intent in product(rule.subjects, rule.urgencies, intents):
            index.setdefault((topic, unsure, urgency, intent), []).append(rule)
    return {key: tuple(found) for key, found in index.items()}


def _meets(rule: Rule, post: Post, confidence: float, lang: str) -> bool:
    """Say whether a post meets the conditions that the index leaves open."""
    if confidence < rule.min_confidence:
        return False
    if rule.max_confidence is not None and confidence >= rule.max_confidence:
        return False
    if rule.langs is not None and lang not in rule.langs:
        return False
    if rule.channels is not None and post.channel not in rule.channels:
        return False
    if rule.authors and (post.author is None or account(post.author.id) not in rule.authors):
        return False
    return not rule.places or mentions(post.text[:_PLACE_SPAN].lower(), rule.places)
