"""From the bytes of a profile to what it says, with every problem at its line.

Reading goes on after a problem, so that one look shows all of them; a ``Spec`` that was read
with a fatal problem serves for further checks only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from triage.profiles import (
    CHANNELS,
    INTENTS,
    NO_RULE,
    TOPICS,
    UNSURE,
    Choice,
    Problem,
    ReachStep,
    Rule,
    Spec,
    Team,
    account,
)
from triage.profiles.bundles import bundles_of
from triage.profiles.hours import DAY, HOLIDAYS, PUBLIC_HOLIDAYS, Hours
from triage.profiles.lines import lines_of
from triage.profiles.subjects import read_audit_rate, read_subjects, topics_of
from triage.profiles.table import LIST_LIMIT, Notes, Table, meant
from triage.ticket import ORG, UNKNOWN, URGENCIES, Urgency

#: The largest profile, in bytes.
SIZE_LIMIT: Final = 256 * 1024
#: The longest service level, in minutes.
MINUTES_LIMIT: Final = 60 * DAY
#: Service levels where a profile gives none: 15 minutes, 2 hours, 1 and 5 working days.
SERVICE: Final[Mapping[Urgency, int]] = {
    Urgency.KRITIEK: 15,
    Urgency.HOOG: 120,
    Urgency.NORMAAL: 480,
    Urgency.LAAG: 2400,
}
#: Hours where a profile gives none.
_OFFICE: Final = {"ma-vr": "08:30-17:00"}
_DAYS: Final = ("ma", "di", "wo", "do", "vr", "za", "zo")
_SPAN: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_LANG: Final = re.compile(r"[a-z]{2,3}")
_RULE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")

_TOP_KEYS: Final = (
    *("org", "name", "description", "timezone", "fallback", "night_team", "night"),
    *("hours", "holidays", "service", "priority", "bundles", "key_figures", "teams", "rules"),
    *("topics", "learning"),
)
_TEAM_KEYS: Final = (
    *("name", "description", "hours", "open_on_holidays", "night_team", "night"),
    *("service", "manual", "min_confidence"),
)
_RULE_KEYS: Final = ("name", "when", "team", "minutes")
_WHEN_KEYS: Final = (
    *("topic", "urgency", "intent", "lang", "channel", "place", "author"),
    *("min_confidence", "max_confidence", "abstained"),
)


def read(raw: bytes) -> tuple[Spec | None, list[Problem]]:
    """Read a profile; no ``Spec`` where it is no TOML."""
    try:
        text, data = _parse(raw)
    except _NotTomlError as error:
        return None, [error.problem]
    notes = Notes(lines=lines_of(text))
    spec = _Reader(Table(notes, data)).spec()
    return spec, list(dict.fromkeys(notes.problems))


class _NotTomlError(Exception):
    def __init__(self, line: int, message: str) -> None:
        self.problem = Problem(line=line, message=message)
        super().__init__(message)


def _parse(raw: bytes) -> tuple[str, dict[str, Any]]:
    if len(raw) > SIZE_LIMIT:
        raise _NotTomlError(1, f"groter dan {SIZE_LIMIT} bytes")
    try:
        text = raw.decode()
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise _NotTomlError(raw.count(b"\n", 0, error.start) + 1, "geen geldige UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        column = f" (kolom {place[2]})" if place else ""
        reason = str(error).partition(" (at ")[0]
        raise _NotTomlError(line, f"geen geldige TOML{column}: {reason}") from None
    except RecursionError:
        raise _NotTomlError(1, "te diep genest") from None


class _Reader:
    def __init__(self, top: Table) -> None:
        self.top = top
        self.zone = ZoneInfo("Europe/Amsterdam")
        self.team_keys: list[str] = []
        self.topics: tuple[str, ...] = TOPICS

    def spec(self) -> Spec:
        """Read all of it."""
        top = self.top
        top.only(_TOP_KEYS)
        self.zone = self._zone()
        self.team_keys = list(top.table("teams").data)
        org = top.text("org", required=True)
        if org and not ORG.fullmatch(org):
            top.wrong("org", "kleine letters, cijfers en streepjes, ten hoogste 40")
        floor, figure_factor, reach = self._priority()
        subjects = read_subjects(top)
        self.topics = topics_of(subjects)
        return Spec(
            org=org,
            name=top.text("name", org, required=True),
            description=top.text("description"),
            timezone=self.zone,
            fallback=self._team(top, "fallback", required=True),
            teams=self._teams(),
            rules=self._rules(),
            key_figures=self._key_figures(figure_factor),
            reach=reach,
            floor=floor,
            bundles=bundles_of(self.top.table("bundles")),
            subjects=subjects,
            audit_rate=read_audit_rate(top),
        )

    def _zone(self) -> ZoneInfo:
        name = self.top.text("timezone", "Europe/Amsterdam")
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.top.wrong("timezone", f'onbekende tijdzone "{name[:60]}"')
            return self.zone

    def _team(self, table: Table, key: str, default: str = "", *, required: bool = False) -> str:
        """Read the key of a team that must exist."""
        name = table.text(key, default, required=required)
        if key in table and name and name not in self.team_keys:
            table.wrong(key, f"onbekend team {meant(name, self.team_keys)}")
        return name

    # -- teams -----------------------------------------------------------------------------------

    def _teams(self) -> dict[str, Team]:
        top = self.top
        holidays, closed = self._holidays()
        week = self._week(top, _OFFICE)
        night_team = self._team(top, "night_team")
        night = self._night(top, frozenset({Urgency.KRITIEK, Urgency.HOOG}))
        service = self._service(top, SERVICE)
        teams: dict[str, Team] = {}
        all_teams = top.table("teams")
        if not all_teams.data:
            top.notes.add((), "teams ontbreekt: geen enkel team")
        if len(all_teams.data) > LIST_LIMIT:
            top.wrong("teams", f"meer dan {LIST_LIMIT}")
            return {}
        for key in self.team_keys:
            table = all_teams.table(key)
            table.only(_TEAM_KEYS)
            if not ORG.fullmatch(key):
                all_teams.wrong(key, "kleine letters, cijfers en streepjes, ten hoogste 40")
            own = self._week(table, None) if "hours" in table else week
            on_holidays = table.flag("open_on_holidays")
            teams[key] = Team(
                key=key,
                name=table.text("name", key, required=True),
                description=table.text("description"),
                hours=Hours(
                    zone=self.zone,
                    week=own or (),
                    holidays=frozenset() if on_holidays else holidays,
                    closed=frozenset() if on_holidays else closed,
                    always=own is None,
                ),
                night_team=self._team(table, "night_team", night_team) or key,
                night=self._night(table, night),
                service=self._service(table, service),
                manual=table.flag("manual"),
                min_confidence=table.number("min_confidence", 0, 1) or 0.0,
                line=table.line,
            )
        self._check_nights(teams, all_teams)
        return teams

    def _check_nights(self, teams: Mapping[str, Team], all_teams: Table) -> None:
        """At every hour somebody must have what is critical."""
        for team in teams.values():
            if team.hours.always:
                continue
            table = all_teams.table(team.key)
            if team.night_team == team.key:
                table.notes.add(
                    table.path,
                    f'team "{team.key}" is soms gesloten en heeft geen night_team',
                )
            elif team.night_team in teams and not teams[team.night_team].hours.always:
                owner = table if "night_team" in table else self.top
                owner.wrong("night_team", f'"{team.night_team}" is niet altijd open')

    def _night(self, table: Table, default: frozenset[Urgency]) -> frozenset[Urgency]:
        if "night" not in table:
            return default
        return frozenset({Urgency.KRITIEK, *map(Urgency, table.texts("night", _URGENCY_KEYS))})

    def _service(self, owner: Table, default: Mapping[Urgency, int]) -> Mapping[Urgency, int]:
        table = owner.table("service")
        table.only(_URGENCY_KEYS)
        service = {u: table.whole(u, 1, MINUTES_LIMIT) or default[u] for u in URGENCIES}
        if "service" in owner and list(service.values()) != sorted(service.values()):
            owner.wrong("service", "wat dringender is, mag niet langer duren")
        return service

    def _holidays(self) -> tuple[frozenset[str], frozenset[date]]:
        table = self.top.table("holidays")
        table.only(("days", "dates"))
        days = frozenset(table.texts("days", HOLIDAYS)) if "days" in table else PUBLIC_HOLIDAYS
        dates = table.data.get("dates", [])
        if not isinstance(dates, list) or len(dates) > LIST_LIMIT:
            table.wrong("dates", f"moet een lijst van ten hoogste {LIST_LIMIT} datums zijn")
            dates = []
        for index, day in enumerate(dates):
            if not isinstance(day, date) or isinstance(day, datetime):
                table.wrong("dates", "moet een datum zijn, zoals 2026-12-24", index)
        return days, frozenset(day for day in dates if type(day) is date)

    def _week(self, owner: Table, default: Mapping[str, Any] | None) -> _Week | None:
        """Read opening hours; None: always open."""
        if owner.data.get("hours") == "altijd":
            return None
        if isinstance(owner.data.get("hours"), str):
            owner.wrong("hours", 'moet "altijd" zijn, of een tabel van dagen')
            return ((),) * 7
        table = owner.table("hours")
        if not table.data:
            if default is None or "hours" in owner:
                owner.wrong("hours", "nooit open")
                return ((),) * 7
            table = Table(owner.notes, default, table.path)
        week: dict[int, tuple[tuple[int, int], ...]] = {}
        for key in table.data:
            spans = tuple(
                span
                for index, text in enumerate(table.texts(key))
                if (span := self._span(table, key, index, text))
            )
            for day in self._days(table, key):
                if day in week:
                    table.wrong(key, f'dag "{_DAYS[day]}" staat er twee keer in')
                week[day] = tuple(sorted(spans))
        return tuple(week.get(day, ()) for day in range(7))

    def _days(self, table: Table, key: str) -> range:
        first, _, last = key.partition("-")
        last = last or first
        if first in _DAYS and last in _DAYS and _DAYS.index(first) <= _DAYS.index(last):
            return range(_DAYS.index(first), _DAYS.index(last) + 1)
        table.wrong(key, 'onbekende dag: schrijf "ma" of "ma-vr" (ma di wo do vr za zo)')
        return range(0)

    def _span(self, table: Table, key: str, index: int, text: str) -> tuple[int, int] | None:
        match = _SPAN.fullmatch(text)
        if not match:
            table.wrong(key, 'geen tijden: schrijf "08:30-17:00"', index)
            return None
        start = int(match[1]) * 60 + int(match[2])
        end = DAY if match[3] is None else int(match[3]) * 60 + int(match[4])
        if start == end:
            table.wrong(key, "sluit op het uur van openen", index)
            return None
        return start, end if end > start else end + DAY

    # -- priority --------------------------------------------------------------------------------

    def _priority(self) -> tuple[int, float, tuple[ReachStep, ...]]:
        table = self.top.table("priority")
        table.only(("floor", "key_figure", "reach"))
        steps = []
        for step in table.tables("reach"):
            step.only(("followers", "shares", "factor"))
            followers = step.whole("followers", 1, 10**12)
            shares = step.whole("shares", 1, 10**12)
            if "followers" not in step and "shares" not in step:
                step.notes.add(step.path, "followers of shares ontbreekt")
            if "factor" not in step:
                step.notes.add(step.path, "factor ontbreekt")
            factor = step.number("factor", 0.01, 1) or 1.0
            steps.append(ReachStep(followers=followers, shares=shares, factor=factor))
        floor = table.whole("floor", 1, DAY) or 5
        return floor, table.number("key_figure", 0.01, 1) or 0.5, tuple(steps)

    def _key_figures(self, default: float) -> dict[str, float]:
        figures: dict[str, float] = {}
        for table in self.top.tables("key_figures"):
            table.only(("name", "accounts", "factor"))
            table.text("name", required=True)
            if "accounts" not in table:
                table.notes.add(table.path, "accounts ontbreekt")
            factor = table.number("factor", 0.01, 1) or default
            for index, name in enumerate(table.texts("accounts")):
                if not account(name):
                    table.wrong("accounts", "leeg", index)
                elif account(name) in figures:
                    table.wrong("accounts", f'"{name}" staat er twee keer in', index, fatal=False)
                figures[account(name)] = min(factor, figures.get(account(name), 1.0))
        return figures

    # -- rules -----------------------------------------------------------------------------------

    def _rules(self) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        lines: dict[str, int] = {UNSURE: 0, NO_RULE: 0}
        for table in self.top.tables("rules"):
            rule = self._rule(table)
            if rule.name and rule.name in lines:
                where = f"ook op regel {lines[rule.name]}" if lines[rule.name] else "voorbehouden"
                table.wrong("name", f'"{rule.name}" is al een naam ({where})')
            lines.setdefault(rule.name, rule.line)
            rules.append(rule)
        return tuple(rules)

    def _rule(self, table: Table) -> Rule:
        table.only(_RULE_KEYS)
        name = table.text("name", required=True)
        if name and not _RULE_NAME.fullmatch(name):
            table.wrong("name", "kleine letters, cijfers en streepjes, ten hoogste 60")
        team = self._team(table, "team", required=True)
        minutes = table.whole("minutes", 1, MINUTES_LIMIT)
        problems = table.notes.problems
        before = len(problems)
        when = table.table("when")
        when.only(_WHEN_KEYS)
        urgencies = self._choice(when, "urgency", _URGENCY_KEYS)
        intents = self._choice(when, "intent", INTENTS)
        low, high = when.number("min_confidence", 0, 1), when.number("max_confidence", 0, 1)
        if high is not None and high <= (low or 0):
            when.wrong("max_confidence", "moet groter zijn dan min_confidence")
        return Rule(
            name=name,
            team=team,
            minutes=minutes,
            subjects=self._subjects(when),
            urgencies=frozenset(u for u in _URGENCY_KEYS if urgencies is None or u in urgencies),
            intents=None if intents is None else frozenset(i for i in INTENTS if i in intents),
            langs=self._choice(when, "lang"),
            channels=self._choice(when, "channel"),
            places=tuple(" ".join(place.lower().split()) for place in self._plain(when, "place")),
            authors=frozenset(map(account, self._plain(when, "author"))) - {""},
            min_confidence=low or 0.0,
            max_confidence=high,
            line=table.line,
            sound=not any(problem.fatal for problem in problems[before:]),
        )

    def _subjects(self, when: Table) -> frozenset[tuple[str, bool]]:
        choice = self._choice(when, "topic", (*self.topics, UNKNOWN))
        given = self.topics if choice is None or choice.negated else tuple(choice.values)
        topics = [topic for topic in given if choice is None or topic in choice]
        unsure = when.flags("abstained", frozenset({False}))
        return frozenset((t, t != UNKNOWN and a) for t in topics for a in unsure)

    def _choice(self, when: Table, key: str, known: tuple[str, ...] | None = None) -> Choice | None:
        """Read values, or what must not be: all or none of them begin with ``!``."""
        if key not in when:
            return None
        values = when.texts(key, known)
        if len({value.startswith("!") for value in values}) > 1:
            when.wrong(key, 'of alle waarden met "!" ervoor, of geen')
        bare = frozenset(value.removeprefix("!").lower() for value in values)
        if key == "lang" and not all(map(_LANG.fullmatch, bare)):
            when.wrong(key, "geen taalcode zoals nl")
        for channel in bare.difference(CHANNELS) if key == "channel" else ():
            if "bedoeld" in (guess := meant(channel, CHANNELS)):
                when.wrong(key, f"onbekend kanaal {guess}", fatal=False)
        return Choice(values=bare, negated=any(value.startswith("!") for value in values))

    def _plain(self, when: Table, key: str) -> list[str]:
        values = when.texts(key)
        if any(value.startswith("!") for value in values):
            when.wrong(key, 'hier is "!" niet mogelijk')
        return values


_URGENCY_KEYS: Final = tuple(urgency.value for urgency in URGENCIES)
_Week = tuple[tuple[tuple[int, int], ...], ...]
