"""Routing: the first rule that matches, and the time in which its team must act."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import NotFound
from triage.post import Author, Post, Reach
from triage.profiles.hours import HOLIDAYS, PUBLIC_HOLIDAYS, Hours
from triage.route import Profile, builtin_names
from triage.ticket import Assessment, Urgency

AMSTERDAM = ZoneInfo("Europe/Amsterdam")

PROFILE = """
org = "proef"
name = "Proefgemeente"
fallback = "balie"
night_team = "piket"

[hours]
ma-vr = "09:00-17:00"

[priority]
floor = 5
key_figure = 0.5
reach = [{ followers = 1000, shares = 10, factor = 0.8 }, { followers = 50000, factor = 0.25 }]

[[key_figures]]
name = "Burgemeester"
accounts = ["@Burgemeester_Proef"]

[[key_figures]]
name = "Brandweer"
accounts = ["brandweer"]
factor = 0.25

[teams.balie]
name = "Balie"

[teams.piket]
name = "Piket"
hours = "altijd"
service = { kritiek = 10 }

[teams.straat]
name = "Straat"

[teams.avond]
name = "Avondploeg"
hours = { vr-za = "20:00-04:00" }
open_on_holidays = true

[teams.kantoor]
name = "Kantoor"
night = ["kritiek"]
"""

RULES = """
[[rules]]
name = "brand"
when = { topic = "crisis-calamiteit", urgency = "kritiek" }
team = "straat"

[[rules]]
name = "snel"
when = { topic = "crisis-calamiteit" }
team = "straat"
minutes = 30

[[rules]]
name = "pers"
when = { author = "@omroep" }
team = "kantoor"

[[rules]]
name = "engels"
when = { lang = ["!nl", "!fy"] }
team = "kantoor"

[[rules]]
name = "borne"
when = { topic = "afval-schoon", place = ["Borne", "'t dikkers"] }
team = "kantoor"

[[rules]]
name = "mail"
when = { topic = "afval-schoon", channel = "email" }
team = "kantoor"

[[rules]]
name = "zeker"
when = { topic = "afval-schoon", min_confidence = 0.5, max_confidence = 0.9 }
team = "kantoor"

[[rules]]
name = "klacht"
when = { topic = "wonen", intent = ["klacht", "vraag"] }
team = "kantoor"

[[rules]]
name = "uitgaan"
when = { topic = "overlast-personen" }
team = "avond"

[[rules]]
name = "onzeker-maar-kritiek"
when = { urgency = "kritiek", abstained = true }
team = "piket"

[[rules]]
name = "onbekend-maar-kritiek"
when = { urgency = "kritiek", topic = "onbekend" }
team = "piket"

[[rules]]
name = "rest"
when = { topic = ["!wonen", "!overig"] }
team = "straat"
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path: Path = tmp_path_factory.mktemp("profiel") / "proef.toml"
    path.write_text(PROFILE + RULES)
    return Profile.load(path)


def at(text: str) -> datetime:
    """Read a wall-clock time in Amsterdam."""
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).astimezone(UTC)


def local(moment: datetime) -> str:
    """Write a moment as wall-clock time in Amsterdam."""
    return moment.astimezone(AMSTERDAM).strftime("%Y-%m-%d %H:%M")


#: A Wednesday morning on which everybody works.
NOON = at("2026-06-10 12:00")


def post(text: str = "tekst", created: datetime = NOON, **more: Any) -> Post:
    return Post(id="1", text=text, created_at=created, **more)


def judged(
    topic: str = "afval-schoon",
    urgency: str = "normaal",
    intent: str = "melding",
    *,
    confidence: float = 0.95,
    abstained: bool = False,
) -> Assessment:
    return Assessment(
        topics=((topic, confidence),),
        urgency=Urgency(urgency),
        urgency_p=(0.0, 0.0, 1.0, 0.0),
        intent=intent,
        intent_p=1.0,
        confidence=confidence,
        abstained=abstained,
        reasons=(),
        safety_rule=None,
        model="proef",
    )


# -- rules ---------------------------------------------------------------------------------------


def test_first_match_wins(profile: Profile) -> None:
    """Of two rules that match, the one that stands first routes and is recorded."""
    kritiek = profile.route(
        post(), judged("crisis-calamiteit", "kritiek"), lang="nl", received_at=NOON
    )
    hoog = profile.route(post(), judged("crisis-calamiteit", "hoog"), lang="nl", received_at=NOON)
    assert (kritiek.rule, hoog.rule) == ("brand", "snel")


@pytest.mark.parametrize(
    ("given_post", "assessment", "lang", "rule"),
    [
        (post(author=Author(id="@Omroep")), judged("wonen"), "nl", "pers"),
        (post(author=Author(id="x", name="omroep")), judged("groen-water"), "nl", "rest"),
        (post(), judged("groen-water"), "en", "engels"),
        (post(), judged("groen-water"), "fy", "rest"),
        (post("Vuil in BORNE!"), judged(), "nl", "borne"),
        (post("op 't Dikkers ligt vuil"), judged(), "nl", "borne"),
        (post("vuil in Bornerbroek"), judged(), "nl", "rest"),
        (post("bornerbroek, dus niet borne"), judged(), "nl", "borne"),
        (post(channel="email"), judged(), "nl", "mail"),
        (post(), judged(confidence=0.5), "nl", "zeker"),
        (post(), judged(confidence=0.9), "nl", "rest"),
        (post(), judged(confidence=0.49), "nl", "rest"),
        (post(), judged("wonen", intent="klacht"), "nl", "klacht"),
        (post(), judged("wonen", intent="mening"), "nl", "geen-regel"),
        (post(), judged("overig"), "nl", "geen-regel"),
    ],
)
def test_each_condition(
    profile: Profile, given_post: Post, assessment: Assessment, lang: str, rule: str
) -> None:
    """Author, language, place, channel, confidence, intent and negation each decide."""
    assert profile.route(given_post, assessment, lang=lang, received_at=NOON).rule == rule


@pytest.mark.parametrize(
    ("assessment", "team", "rule"),
    [
        (judged("crisis-calamiteit", "hoog", abstained=True), "balie", "onzeker"),
        (judged("crisis-calamiteit", "kritiek", abstained=True), "piket", "onzeker-maar-kritiek"),
        (judged("onbekend", "normaal"), "balie", "onzeker"),
        (judged("onbekend", "normaal", abstained=True), "balie", "onzeker"),
        (judged("onbekend", "kritiek", abstained=True), "piket", "onbekend-maar-kritiek"),
        (judged("iets-van-een-ander-model"), "balie", "geen-regel"),
    ],
)
def test_unsure_goes_to_fallback(
    profile: Profile, assessment: Assessment, team: str, rule: str
) -> None:
    """What is unsure goes to the fallback team, unless a rule asks for it by name."""
    route = profile.route(post(), assessment, lang="nl", received_at=NOON)
    assert (route.team, route.rule) == (team, rule)


@pytest.mark.parametrize(
    ("bar", "urgency", "rule"),
    [
        ("", "normaal", "rest"),
        ("min_confidence = 0.6", "normaal", "rest"),
        ("min_confidence = 0.61", "normaal", "onzeker"),
        ("min_confidence = 0.61", "kritiek", "onzeker-maar-kritiek"),
    ],
)
def test_a_team_sets_its_own_bar(tmp_path: Path, bar: str, urgency: str, rule: str) -> None:
    """What is less sure than its team asks goes the way of all that is unsure, and says so."""
    path = tmp_path / "proef.toml"
    path.write_text(PROFILE.replace("[teams.straat]", f"[teams.straat]\n{bar}") + RULES)
    strict = Profile.load(path)
    said = strict.doubt(post(), judged("groen-water", urgency, confidence=0.6), lang="nl")
    route = strict.route(post(), said, lang="nl", received_at=NOON)
    assert (route.rule, said.abstained) == (rule, rule != "rest")


def test_routes_are_deterministic(profile: Profile, tmp_path: Path) -> None:
    """The same post gets the same route, again and from a profile loaded anew."""
    path = tmp_path / "proef.toml"
    path.write_text(PROFILE + RULES)
    again = Profile.load(path)
    assert again.digest == profile.digest
    for hour in range(0, 24 * 9, 5):
        received = NOON + timedelta(hours=hour)
        seen = post(created=received)
        routes = {
            each.route(seen, judged(), lang="nl", received_at=received)
            for each in (profile, profile, again)
        }
        assert len(routes) == 1


@pytest.mark.parametrize("name", builtin_names())
def test_few_rules_are_tried(name: str) -> None:
    """The index leaves at most a dozen rules to look at, and hours are laid out once a year."""
    profile = Profile.builtin(name)
    assert max(map(len, profile.index.values())) <= 12
    for hour in range(24 * 14):
        received = NOON + timedelta(hours=hour)
        for topic, _, urgency, intent in list(profile.index)[:5]:
            assessment = judged(topic, urgency, intent)
            profile.route(post(created=received), assessment, lang="nl", received_at=received)
    assert all(len(team.hours._years) <= 1 for team in profile.teams.values())


# -- due times -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urgency", "received", "team", "due"),
    [
        ("kritiek", "2026-06-10 12:00", "straat", "2026-06-10 12:15"),
        ("kritiek", "2026-06-10 22:00", "piket", "2026-06-10 22:10"),
        ("hoog", "2026-06-10 12:00", "straat", "2026-06-10 14:00"),
        # Taken over at night: clock minutes, before and after closing.
        ("hoog", "2026-06-10 16:30", "straat", "2026-06-10 18:30"),
        ("hoog", "2026-06-10 17:00", "piket", "2026-06-10 19:00"),
        ("hoog", "2026-06-13 11:00", "piket", "2026-06-13 13:00"),
        # One working day of 480 minutes.
        ("normaal", "2026-06-10 12:00", "straat", "2026-06-11 12:00"),
        ("normaal", "2026-06-10 20:00", "straat", "2026-06-11 17:00"),
        ("normaal", "2026-06-12 12:00", "straat", "2026-06-15 12:00"),
        ("laag", "2026-06-10 12:00", "straat", "2026-06-17 12:00"),
    ],
)
def test_service_levels(profile: Profile, urgency: str, received: str, team: str, due: str) -> None:
    """What the night team takes over counts by the clock, the rest in opening hours."""
    now = at(received)
    route = profile.route(
        post(created=now), judged("groen-water", urgency), lang="nl", received_at=now
    )
    assert (route.team, local(route.due_at)) == (team, due)


@pytest.mark.parametrize(
    ("urgency", "received", "team", "due"),
    [
        ("kritiek", "2026-06-10 22:00", "piket", "2026-06-10 22:10"),
        ("hoog", "2026-06-10 22:00", "kantoor", "2026-06-11 11:00"),
        ("hoog", "2026-06-10 16:00", "kantoor", "2026-06-11 10:00"),
    ],
)
def test_only_critical_at_night(
    profile: Profile, urgency: str, received: str, team: str, due: str
) -> None:
    """A team that keeps ``hoog`` for itself counts it from its opening."""
    now = at(received)
    route = profile.route(
        post(created=now), judged("wonen", urgency, "klacht"), lang="nl", received_at=now
    )
    assert (route.team, local(route.due_at)) == (team, due)


def test_rule_overrides_minutes(profile: Profile) -> None:
    """The minutes of a rule stand in for those of the team."""
    route = profile.route(post(), judged("crisis-calamiteit", "hoog"), lang="nl", received_at=NOON)
    assert route.due_minutes == 30


def test_clock_starts_at_the_post(profile: Profile) -> None:
    """A post that came late is due from when it was written, at most 24 hours back."""
    assessment = judged("groen-water", "hoog")
    for hours, minutes in ((0, 120), (1, 60), (3, -60), (24, -1320), (90, -1320)):
        late = post(created=NOON - timedelta(hours=hours))
        route = profile.route(late, assessment, lang="nl", received_at=NOON)
        assert route.due_minutes == minutes
    future = post(created=NOON + timedelta(hours=5))
    assert profile.route(future, assessment, lang="nl", received_at=NOON).due_minutes == 120


def test_due_minutes_are_whole_and_rounded_down(profile: Profile) -> None:
    """Seconds since the post was written never round in the team's favour."""
    late = post(created=NOON - timedelta(seconds=1))
    route = profile.route(late, judged("groen-water", "hoog"), lang="nl", received_at=NOON)
    assert route.due_minutes == 119


@pytest.mark.parametrize(
    ("received", "due"),
    [
        # The night of 29 March 2026 has no hour from 2 to 3, that of 25 October has it twice.
        ("2026-03-29 01:30", "2026-03-29 04:30"),
        ("2026-10-25 01:30", "2026-10-25 02:30"),
    ],
)
def test_clock_minutes_across_the_clock_change(profile: Profile, received: str, due: str) -> None:
    """Two hours are 120 minutes that pass, whatever the clock on the wall does."""
    now = at(received)
    assert now + timedelta(minutes=120) == profile.due(Urgency.HOOG, "piket", now)
    assert local(profile.due(Urgency.HOOG, "piket", now)) == due


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-03-27 16:30", 60, "2026-03-30 09:30"),
        ("2026-10-23 16:30", 60, "2026-10-26 09:30"),
        # Open 20:00-04:00 on Saturday: 7 hours in March, 9 in October.
        ("2026-03-28 20:00", 7 * 60, "2026-03-29 04:00"),
        ("2026-10-24 20:00", 9 * 60, "2026-10-25 04:00"),
        ("2026-10-24 20:00", 9 * 60 + 1, "2026-10-30 20:01"),
    ],
)
def test_opening_minutes_across_the_clock_change(
    profile: Profile, start: str, minutes: int, end: str
) -> None:
    """Opening hours are times on the wall; the minutes in them are counted as they pass."""
    team = "straat" if start.endswith("16:30") else "avond"
    assert local(profile.teams[team].hours.after(at(start), minutes)) == end


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    """Who works until 02:30 in the night in which the clock goes back leaves at the second one."""
    hours = Hours(zone=AMSTERDAM, week=((),) * 5 + (((20 * 60, 26 * 60 + 30),), ()))
    start = at("2026-10-24 20:00")
    assert hours.after(start, 7.5 * 60) == start + timedelta(hours=7.5)
    assert hours.is_open(start + timedelta(hours=7, minutes=29))
    assert not hours.is_open(start + timedelta(hours=7, minutes=30))


def test_opening_minutes_over_many_years() -> None:
    """One open hour a week adds up over years, also where the holidays of a next year lie."""
    hours = Hours(zone=AMSTERDAM, week=(((540, 600),), *((),) * 6))
    monday = at("2026-06-01 09:00")
    for weeks in (1, 31, 83, 84, 300):
        expected = monday.astimezone(AMSTERDAM) + timedelta(weeks=weeks - 1, hours=1)
        assert hours.after(monday, weeks * 60) == expected


def test_new_year(profile: Profile) -> None:
    """New Year's Day is closed seen from the old year, as are single dates."""
    assert local(profile.due(Urgency.NORMAAL, "straat", at("2026-12-31 13:00"))) == (
        "2027-01-04 13:00"
    )
    hours = Hours(zone=AMSTERDAM, week=(((0, 1440),),) * 7, closed=frozenset({date(2026, 1, 2)}))
    assert local(hours.after(at("2025-12-31 23:30"), 60 * 25)) == "2026-01-03 00:30"
    free = replace(hours, holidays=PUBLIC_HOLIDAYS, closed=frozenset(), _years={})
    assert local(free.after(at("2025-12-31 23:30"), 60)) == "2026-01-02 00:30"


@pytest.mark.parametrize(
    ("year", "days"),
    [
        (2025, "01-01 04-20 04-21 04-26 05-05 05-29 06-08 06-09 12-25 12-26"),
        (2026, "01-01 04-05 04-06 04-27 05-14 05-24 05-25 12-25 12-26"),
    ],
)
def test_public_holidays(year: int, days: str) -> None:
    """Koningsdag moves off a Sunday, Bevrijdingsdag is free every five years, Easter moves."""
    hours = Hours(zone=AMSTERDAM, week=(((540, 1020),),) * 7, holidays=PUBLIC_HOLIDAYS)
    assert {f"{day:%m-%d}" for day in hours.days_off(year)} == set(days.split())


def test_holidays_count_as_closed(profile: Profile) -> None:
    """On Koningsdag nobody is in; who works on holidays is."""
    koningsdag = at("2026-04-27 12:00")
    route = profile.route(
        post(created=koningsdag), judged("groen-water"), lang="nl", received_at=koningsdag
    )
    assert local(route.due_at) == "2026-04-28 17:00"
    assert not profile.teams["straat"].hours.is_open(koningsdag)
    assert profile.teams["avond"].hours.is_open(at("2026-12-25 23:00"))


def test_every_holiday_falls_on_a_day() -> None:
    """Each named holiday can be laid out for any year."""
    for name, on in HOLIDAYS.items():
        days = [day for year in range(1990, 2060) if (day := on(year))]
        assert all(day.year in range(1990, 2060) for day in days), name
        assert len(days) in (14, 70), name


moments = st.datetimes(
    min_value=datetime(2025, 12, 20),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2027, 1, 10),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(second=0, microsecond=0))
spans = st.tuples(st.integers(0, 47), st.integers(1, 48)).map(
    lambda span: (span[0] * 30, (span[0] + span[1]) * 30)
)
weeks = st.lists(st.lists(spans, max_size=2).map(tuple), min_size=7, max_size=7).map(tuple)


@given(week=weeks, start=moments, minutes=st.integers(1, 300))
def test_opening_minutes_are_those_that_pass_while_open(
    week: tuple[tuple[tuple[int, int], ...], ...], start: datetime, minutes: int
) -> None:
    """Exactly so many minutes with an open door lie before the due time, and none is skipped."""
    week = tuple(tuple(sorted(day)) for day in week)
    hours = Hours(zone=AMSTERDAM, week=week, holidays=PUBLIC_HOLIDAYS)
    due = hours.after(start, minutes)
    if due - start > timedelta(days=4):
        return
    passed = range(int((due - start) / timedelta(minutes=1)))
    opened = [minute for minute in passed if hours.is_open(start + timedelta(minutes=minute))]
    if any(week):
        assert len(opened) == minutes
        assert opened[-1] == passed[-1]


# -- reach and key figures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "reach", "minutes"),
    [
        (None, Reach(), 120),
        (Author(id="@burgemeester_proef"), Reach(), 60),
        (Author(id="99", name="Burgemeester_Proef"), Reach(), 60),
        (Author(id="BRANDWEER"), Reach(), 30),
        (Author(id="@burgemeester_proef_fan"), Reach(), 120),
        (Author(id="x", followers=999), Reach(shares=9), 120),
        (Author(id="x", followers=1000), Reach(), 96),
        (None, Reach(shares=10), 96),
        (Author(id="x", followers=50_000), Reach(), 30),
        # The strongest counts; they do not add up.
        (Author(id="@burgemeester_proef", followers=1000), Reach(shares=10), 60),
    ],
)
def test_reach_and_key_figures_shorten(
    profile: Profile, author: Author | None, reach: Reach, minutes: int
) -> None:
    """The strongest factor of key figure and reach shortens the time, by the stated rule."""
    seen = post(author=author, reach=reach)
    route = profile.route(seen, judged("groen-water", "hoog"), lang="nl", received_at=NOON)
    assert route.due_minutes == minutes
    assert profile.due(Urgency.HOOG, "straat", NOON, post=seen) == route.due_at


def test_shortening_stops_at_the_floor(profile: Profile) -> None:
    """A key figure gets no less than the floor, and no more than without being one."""
    seen = post(author=Author(id="brandweer"))
    route = profile.route(seen, judged("groen-water", "kritiek"), lang="nl", received_at=NOON)
    assert route.due_minutes == 5
    strict = replace(profile, floor=60)
    route = strict.route(seen, judged("groen-water", "kritiek"), lang="nl", received_at=NOON)
    assert route.due_minutes == 15


@given(
    urgency=st.sampled_from(Urgency),
    team=st.sampled_from(["balie", "piket", "straat", "avond", "kantoor"]),
    moment=moments,
    followers=st.integers(0, 10**7),
    shares=st.integers(0, 10**5),
    name=st.sampled_from(["", "@burgemeester_proef", "brandweer", "iemand"]),
)
def test_never_lengthened(
    profile: Profile,
    urgency: Urgency,
    team: str,
    moment: datetime,
    followers: int,
    shares: int,
    name: str,
) -> None:
    """Whoever writes it and however far it goes, the due time never moves back."""
    seen = post(author=Author(id=name, followers=followers), reach=Reach(shares=shares))
    plain = profile.due(urgency, team, moment)
    shortened = profile.due(urgency, team, moment, post=seen)
    assert moment + timedelta(minutes=5) <= shortened <= plain


@given(moment=moments, topic=st.sampled_from(["groen-water", "overlast-personen", "wonen"]))
def test_critical_always_meets_someone(profile: Profile, moment: datetime, topic: str) -> None:
    """At any hour of the year ``kritiek`` lands with a team that is there, due in 15 minutes."""
    seen = post(created=moment)
    route = profile.route(seen, judged(topic, "kritiek"), lang="nl", received_at=moment)
    assert profile.teams[route.team].hours.is_open(moment)
    assert 0 < route.due_minutes <= 15


# -- corrections ---------------------------------------------------------------------------------


def test_teams_by_name(profile: Profile) -> None:
    """Night teams are named by team; who works day and night needs none."""
    assert profile.night_team("straat") == "piket"
    assert profile.night_team("piket") == "piket"
    with pytest.raises(NotFound):
        profile.night_team("weg")
    with pytest.raises(NotFound):
        profile.due(Urgency.HOOG, "weg", NOON)
