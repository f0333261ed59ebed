"""Profiles: what the check finds, the profiles that we ship, and a day of posts for each."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import InvalidProfile
from triage.pipeline import reply_of
from triage.post import Author, Post
from triage.profiles import INTENTS, TOPICS, reader
from triage.profiles.check import findings
from triage.profiles.lines import lines_of
from triage.route import Profile, builtin_names, check
from triage.ticket import URGENCIES, Assessment, Route, Urgency, ticket_id

ROOT = Path(__file__).parents[2]
DAYS = ROOT / "tests" / "data" / "days"

TOP = """\
org = "proef"
name = "Proef"
fallback = "balie"
night_team = "piket"
[teams.balie]
name = "Balie"
[teams.piket]
name = "Piket"
hours = "altijd"
"""
#: Sends what is left to somebody, so that no topic is without a team.
REST = '[[rules]]\nname = "rest"\nteam = "balie"\n'


@pytest.fixture
def checked(tmp_path: Path) -> Any:
    """Check a profile given as text; problems as ``line: message``."""

    def run(text: str) -> list[str]:
        path = tmp_path / "proef.toml"
        path.write_text(text)
        return [str(problem) for problem in check(path)]

    return run


def judged(topics: list[str], urgency: str, intent: str, *, abstained: bool = False) -> Assessment:
    return Assessment(
        topics=tuple((topic, 1.0) for topic in topics),
        urgency=Urgency(urgency),
        urgency_p=(0.0, 0.0, 1.0, 0.0),
        intent=intent,
        intent_p=1.0,
        confidence=1.0,
        abstained=abstained,
        reasons=(),
        safety_rule=None,
        model="goud",
    )


# -- what the check finds ------------------------------------------------------------------------


def test_everything_at_once(checked: Any) -> None:
    """One look names every kind of mistake, each at its own line."""
    text = """\
org = "Proef gemeente"
name = "Proef"
timezone = "Europe/Amsterdm"
fallbck = "balie"
night_team = "piket"

[hours]
ma-vr = "8:30-17:00"
zo-ma = "08:30-17:00"

[service]
hoog = 120.5
normaal = 10

[teams.balie]
name = "Balie"
night_team = "pikett"

[teams.piket]
name = "Piket"
hours = "altijd"

[teams.niemand]
name = "Niemand"

[[rules]]
name = "afval"
when.topic = [
  "afval-schoon",
  "wegen-straatmeubilar",
]
when.urgncy = "hoog"
team = "balie"

[[rules]]
name = "wonen"
when = { topic = "wonen", urgency = "kritek" }
team = "blaie"

[[rules]]
name = "alles"
team = "balie"

[[rules]]
name = "nooit"
when = { topic = "wonen", intent = "klacht", min_confidence = 0.4 }
team = "niemand"
"""
    expected = [
        (1, "org: kleine letters"),
        (1, "fallback ontbreekt"),
        (3, 'timezone: onbekende tijdzone "Europe/Amsterdm"'),
        (4, 'onbekende sleutel "fallbck" (bedoeld: "fallback"?)'),
        (8, 'ma-vr: geen tijden: schrijf "08:30-17:00"'),
        (9, "zo-ma: onbekende dag"),
        (11, "service: wat dringender is"),
        (12, "hoog: moet een geheel getal"),
        (17, 'night_team: onbekend team "pikett" (bedoeld: "piket"?)'),
        # Follows from line 17: no team that works by day hands over to it any more.
        (19, 'team "piket" krijgt nooit werk'),
        (23, 'team "niemand" krijgt nooit werk'),
        (30, 'onbekende waarde "wegen-straatmeubilar" (bedoeld: "wegen-straatmeubilair"?)'),
        (32, 'onbekende sleutel "urgncy" (bedoeld: "urgency"?)'),
        (37, 'onbekende waarde "kritek" (bedoeld: "kritiek"?)'),
        (38, 'team: onbekend team "blaie" (bedoeld: "balie"?)'),
        (44, '"nooit" wordt nooit bereikt: "alles" (regel 40) komt eerder en is ruimer'),
    ]
    found = checked(text)
    for line, part in expected:
        assert [p for p in found if p.startswith(f"{line}: ") and part in p], (line, part, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1: org ontbreekt", "1: name ontbreekt", "1: fallback ontbreekt", "1: teams"]),
        ("org = 'a'\nname = ", ["2: geen geldige TOML"]),
        (TOP + "[teams.dag]\nname = 'x'\nnight_team = 'balie'\n" + REST, ["12: night_team:"]),
        (TOP.replace('night_team = "piket"', "") + REST, ['5: team "balie" is soms gesloten']),
        (TOP + "hours.ma = '09:00-17:00'", ["1: geen geldige TOML", "10: geen geldige TOML"]),
        (TOP + "[hours]\n[[rules]]\nname = 'rest'\nteam = 'balie'", ["10: hours: nooit open"]),
        (TOP + "[hours]\nma = '09:00-09:00'\n" + REST, ["11: ma: sluit op het uur"]),
        (TOP + "[hours]\nma-wo = '09:00-10:00'\nwo = '09:00-10:00'\n" + REST, ["12: wo: "]),
        (TOP + "[holidays]\ndays = ['koningdag']\n" + REST, ["11: days: onbekende waarde"]),
        (TOP + "[holidays]\ndates = ['2026-01-01']\n" + REST, ["11: dates: moet een datum"]),
        (TOP + REST + REST, ["14: name:", "13: "]),
        (TOP + REST.replace("rest", "onzeker"), ["11: name:"]),
        (TOP + REST + "when.lang = 'dutch'", ["13: lang: geen taalcode"]),
        (TOP + REST + "when.lang = ['!nl', 'en']", ["13: lang: of alle waarden"]),
        (TOP + REST + "when = {min_confidence=0.8, max_confidence=0.8}", ["13: max_confidence"]),
        (TOP + REST + "when.channel = 'e-mail'", ["13: channel: onbekend kanaal"]),
        (TOP + REST + "when.topic = []", ["13: topic: lege lijst"]),
        (TOP + REST + "minutes = 0", ["13: minutes: moet een geheel getal"]),
        (TOP + REST + "when.place = '!borne'", ['13: place: hier is "!"']),
        (TOP + REST + "[priority]\nreach = [{factor = 2}]", ["14: followers", "14: factor"]),
        (TOP + REST + "[[key_figures]]\nname = 'x'", ["13: accounts ontbreekt"]),
        (TOP + REST + "[[key_figures]]\nname='x'\naccounts=['b', '@']", ["15: accounts: leeg"]),
        (
            TOP + REST + "when.urgency = ['!kritiek', '!hoog', '!normaal', '!laag']",
            ['10: "rest" wordt nooit bereikt: de voorwaarden gaan niet samen'],
        ),
        (TOP + REST + "when.abstained = 'ja'", ["13: abstained: moet true of false"]),
        (TOP + REST + "when.topic = ['wonen', 3]", ["13: topic: moet tekst zijn"]),
        (TOP + REST + "when.topic = ['wonen', 'wonen']", ['13: topic: "wonen" staat er twee']),
        (TOP + REST + "when.min_confidence = 2", ["13: min_confidence: moet een getal"]),
        (TOP + REST.replace("rest", "De Rest"), ["11: name: kleine letters"]),
        (TOP + REST.replace('"rest"', "3"), ["11: name: moet tekst zijn"]),
        (TOP + REST.replace("rest", "x" * 301), ["11: name: moet 1 tot 300"]),
        (TOP + REST + "when.place = ['']", ["13: place: moet 1 tot 300"]),
        (TOP + REST + f"when.place = {['a'] * 501}", ["13: place: meer dan 500"]),
        (TOP + "manual = 1\n" + REST, ["10: manual: moet true of false"]),
        (TOP + "[teams.'Team X']\nname = 'x'\nhours = 'nooit'\n" + REST, ["10: Team X: kleine"]),
        (TOP + "[teams.dag]\nname = 'x'\nhours = 'nooit'\n" + REST, ["12: hours: moet"]),
        (TOP + "[holidays]\ndates = 2026-01-01\n" + REST, ["11: dates: moet een lijst"]),
        ("teams = 3\nrules = {}\n", ["1: teams: moet een tabel", "2: rules: moet een lijst"]),
    ],
)
def test_each_mistake(checked: Any, text: str, problems: list[str]) -> None:
    """Each mistake alone is named at its line."""
    found = checked(text)
    assert any(p.startswith(tuple(problems)) for p in found), found


def test_shadow_detection(checked: Any) -> None:
    """A rule is dead when earlier ones, alone or together, take all that it would match."""
    rules = [
        ("a", 'topic = "wonen", urgency = "kritiek"'),
        ("b", 'topic = "wonen", urgency = "!kritiek"'),
        ("dood-samen", 'topic = "wonen", intent = "klacht"'),
        ("c", 'topic = "overig", place = ["borne"]'),
        ("dood-plaats", 'topic = "overig", place = ["station borne", "borne west"]'),
        ("leeft-plaats", 'topic = "overig", place = ["hertme", "borne"]'),
        ("d", 'topic = "overig", max_confidence = 0.5'),
        ("leeft-zeker", 'topic = "overig", min_confidence = 0.4, max_confidence = 0.6'),
        ("dood-zeker", 'topic = "overig", min_confidence = 0.1, max_confidence = 0.6'),
        ("e", 'topic = "burgerzaken", lang = "!nl"'),
        ("dood-taal", 'topic = "burgerzaken", lang = ["en", "de"]'),
        ("leeft-taal", 'topic = "burgerzaken", lang = ["en", "nl"]'),
        ("f", 'topic = "overig", author = ["@a", "@b"], channel = "x"'),
        ("dood-account", 'topic = "overig", author = "a", channel = "x"'),
        ("leeft-account", 'topic = "overig", author = "a"'),
        ("g", "abstained = true"),
        ("leeft-onzeker", 'topic = "groen-water", abstained = [true, false]'),
        ("dood-onzeker", 'topic = "groen-water", abstained = true'),
        ("rest", ""),
        ("leeft-onbekend", 'topic = "onbekend"'),
    ]
    text = TOP + "".join(
        f'[[rules]]\nname = "{name}"\nteam = "balie"\nwhen = {{ {when} }}\n' for name, when in rules
    )
    dead = [re.findall(r'"([^"]+)"', problem)[0] for problem in checked(text)]
    assert dead == [name for name, _ in rules if name.startswith("dood")]


_ATOMS: dict[str, list[Any]] = {
    "topic": ["wonen", "overig", "onbekend"],
    "urgency": ["kritiek", "laag"],
    "lang": ["nl", "en"],
    "channel": ["x", "forum"],
    "author": ["a", "b"],
    "place": ["oost", "west", "oost west"],
    "abstained": [True, False],
}
_conditions = st.fixed_dictionaries(
    {},
    optional={
        **{
            key: st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
            for key, values in _ATOMS.items()
        },
        "min_confidence": st.sampled_from([0.2, 0.4]),
        "max_confidence": st.sampled_from([0.5, 0.8]),
    },
)


def _every_kind_of_post() -> Iterator[tuple[Post, Assessment, str]]:
    texts = ["", "oost", "west", "oost west"]
    for topic, urgency, lang, channel, author, text, unsure, confidence in itertools.product(
        [*_ATOMS["topic"], "groen-water"],
        [*_ATOMS["urgency"], "normaal"],
        [*_ATOMS["lang"], "de"],
        [*_ATOMS["channel"], "email"],
        [*_ATOMS["author"], "c"],
        texts,
        [True, False],
        [0.1, 0.3, 0.45, 0.6, 0.9],
    ):
        post = Post(
            id="1",
            text=text,
            created_at=datetime(2026, 6, 10, tzinfo=UTC),
            channel=channel,
            author=Author(id=author),
        )
        assessment = Assessment(
            topics=((topic, confidence),),
            urgency=Urgency(urgency),
            urgency_p=(0.25, 0.25, 0.25, 0.25),
            intent="vraag",
            intent_p=1.0,
            confidence=confidence,
            abstained=unsure,
            reasons=(),
            safety_rule=None,
            model="proef",
        )
        yield post, assessment, lang


KINDS = list(_every_kind_of_post())


@settings(deadline=None)  # a busy machine is no counterexample
@given(conditions=st.lists(_conditions, min_size=2, max_size=6))
def test_dead_rules_are_exactly_those_that_no_post_reaches(
    conditions: list[dict[str, Any]],
) -> None:
    """Trying every kind of post gives the same dead rules as the check does."""
    rules = "".join(
        f'[[rules]]\nname = "r{index}"\nteam = "balie"\n'
        + "".join(f"when.{key} = {json.dumps(value)}\n" for key, value in when.items())
        for index, when in enumerate(conditions)
    )
    profile = Profile._compile("proef.toml", (TOP + rules).encode())
    reached = {
        rule.name
        for post, assessment, lang in KINDS
        if (rule := profile._match(post, assessment, lang))
    }
    spec, _ = reader.read((TOP + rules).encode())
    assert spec is not None
    dead = {
        problem.message.split('"')[1]
        for problem in findings(spec)
        if "nooit bereikt" in problem.message
    }
    assert dead == {rule.name for rule in profile.rules} - reached


def test_topics_without_a_team(checked: Any) -> None:
    """A topic that no rule takes is named, with the urgencies that are left out."""
    rules = """\
[[rules]]
name = "alles"
when.topic = ["!wonen", "!overig"]
team = "balie"
[[rules]]
name = "wonen"
when = { topic = "wonen", urgency = ["kritiek", "hoog"] }
team = "balie"
"""
    assert checked(TOP + rules) == [
        '10: onderwerp "wonen" heeft bij normaal, laag geen team: geen regel past',
        '10: onderwerp "overig" heeft geen team: geen regel past',
    ]


def test_manual_teams_need_no_rule(checked: Any) -> None:
    """A team that gets work by hand only says so and is not called idle."""
    team = '[teams.juristen]\nname = "Juristen"\n'
    assert [p.split(":")[0] for p in checked(TOP + team + REST)] == ["10"]
    assert checked(TOP + team + "manual = true\n" + REST) == []


# -- loading -------------------------------------------------------------------------------------


def test_load_refuses_with_lines(tmp_path: Path) -> None:
    """A profile that cannot be used raises, each problem as ``line: message``."""
    path = tmp_path / "stuk.toml"
    path.write_text(TOP.replace('"balie"', '"bali"') + REST)
    with pytest.raises(InvalidProfile) as caught:
        Profile.load(path)
    assert caught.value.problems == ['3: fallback: onbekend team "bali" (bedoeld: "balie"?)']
    assert str(caught.value).startswith(f"{path}:3: fallback")


def test_load_accepts_what_still_routes(tmp_path: Path) -> None:
    """Dead rules and idle teams are named by the check but stop nothing."""
    path = tmp_path / "proef.toml"
    path.write_text(TOP + REST + REST.replace("rest", "dood"))
    assert [problem.fatal for problem in check(path)] == [False]
    assert Profile.load(path).rules[1].name == "dood"


@pytest.mark.parametrize(
    "raw",
    [b"\xff", b"a = [" * 5000, b"#" * 300_000, b'org = "\x00"', b"a = 1\na = 2", b"[" * 9],
)
def test_no_bytes_break_the_reader(tmp_path: Path, raw: bytes) -> None:
    """What is no TOML, too deep or too large is one problem, not a crash."""
    path = tmp_path / "stuk.toml"
    path.write_bytes(raw)
    assert len(check(path)) == 1
    with pytest.raises(InvalidProfile):
        Profile.load(path)


def test_unreadable(tmp_path: Path) -> None:
    """A file that is not there is a problem of the profile."""
    assert [str(p) for p in check(tmp_path / "weg.toml")] == ["1: bestand kan niet worden gelezen"]
    with pytest.raises(InvalidProfile):
        Profile.load(tmp_path / "weg.toml")
    with pytest.raises(InvalidProfile):
        Profile.builtin("../../etc/passwd")


def test_facts_of_a_profile(tmp_path: Path) -> None:
    """A profile tells its organisation, teams in order, time zone and the digest of its file."""
    path = tmp_path / "proef.toml"
    path.write_text(TOP + REST)
    profile = Profile.load(path)
    assert (profile.org, profile.name, profile.fallback) == ("proef", "Proef", "balie")
    assert [(key, team.name) for key, team in profile.teams.items()] == [
        ("balie", "Balie"),
        ("piket", "Piket"),
    ]
    assert profile.timezone.key == "Europe/Amsterdam"
    assert profile.digest == hashlib.sha256(path.read_bytes()).hexdigest()


# -- lines ---------------------------------------------------------------------------------------


def test_lines_of_every_kind_of_toml() -> None:
    """Tables, dotted and quoted keys, inline tables, long strings and comments keep their lines."""
    text = '''\
# [niets] "
a.b = 1.5
"c d" = """x
[nee]
= " ""y"""
e = [ # ]
  'f',
  { g = 2026-01-01, h = [1,
    2] },
]
[[i]]
j = 'k # ]'
[i.l.m]
n = 08:30:00
[[i]]
[[i.o]]
p = -1e5
[[i.o]]
q = "\\"]"
'''
    lines = lines_of(text)
    assert tomllib.loads(text)
    expected = {
        ("a", "b"): 2,
        ("c d",): 3,
        ("e",): 6,
        ("e", 0): 7,
        ("e", 1, "g"): 8,
        ("e", 1, "h", 1): 9,
        ("i",): 11,
        ("i", 0, "j"): 12,
        ("i", 0, "l", "m", "n"): 14,
        ("i", 1): 15,
        ("i", 1, "o", 0, "p"): 17,
        ("i", 1, "o", 1): 18,
        ("i", 1, "o", 1, "q"): 19,
    }
    assert {path: lines.get(path) for path in expected} == expected


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))


@pytest.mark.parametrize("name", builtin_names())
def test_every_value_has_a_line(name: str) -> None:
    """No key or element of a shipped profile is without its line."""
    text = (ROOT / "triage" / "profiles" / f"{name}.toml").read_text()
    lines = lines_of(text)
    for path in _paths(tomllib.loads(text)):
        assert path in lines, path
        last = path[-1] if path else None
        if isinstance(last, str):
            assert last in text.splitlines()[lines[path] - 1], path


# -- the profiles that we ship -------------------------------------------------------------------


def test_nine_bodies_and_a_default() -> None:
    """There is a profile for each of the nine bodies, and ``gemeente``."""
    assert set(builtin_names()) == {
        "gemeente",
        "borne",
        "kromme-rijn",
        "eindhoven",
        "leiden",
        "noord-zuidlijn",
        "den-haag",
        "rijkswaterstaat",
        "politie",
        "vws",
    }


@pytest.mark.parametrize("name", builtin_names())
def test_shipped_profile_is_sound(name: str) -> None:
    """A shipped profile has no problem at all and is named after its organisation."""
    assert check(ROOT / "triage" / "profiles" / f"{name}.toml") == []
    assert Profile.builtin(name).org == name


@pytest.mark.parametrize("name", builtin_names())
def test_every_topic_leads_somewhere(name: str) -> None:
    """Every topic, urgency and intent of the codebook meets a rule."""
    profile = Profile.builtin(name)
    now = datetime(2026, 6, 10, 10, tzinfo=UTC)
    post = Post(id="1", text="", created_at=now)
    for topic, urgency, intent in itertools.product(TOPICS, URGENCIES, INTENTS):
        assessment = judged([topic], urgency, intent)
        route = profile.route(post, assessment, lang="nl", received_at=now)
        assert route.rule in {rule.name for rule in profile.rules}, (topic, urgency, intent)


@pytest.mark.parametrize("name", builtin_names())
def test_key_figures_are_heard_sooner(name: str) -> None:
    """Every key figure of a shipped profile shortens the time, and there are several."""
    profile = Profile.builtin(name)
    now = datetime(2026, 6, 10, 10, tzinfo=UTC)
    plain = profile.due(Urgency.NORMAAL, profile.fallback, now)
    assert len(profile.key_figures) >= 5
    for account in profile.key_figures:
        post = Post(id="1", text="", created_at=now, author=Author(id=f"@{account}"))
        assert profile.due(Urgency.NORMAAL, profile.fallback, now, post=post) < plain


# -- a day of posts for each ---------------------------------------------------------------------


def _day(name: str) -> list[tuple[dict[str, Any], Post, Route]]:
    """Route a day's posts by the labels that stand beside them."""
    profile = Profile.builtin(name)
    routed = []
    for line in (DAYS / f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        received = datetime.fromisoformat(row["created_at"]) + timedelta(seconds=20)
        post = Post.from_mapping(row, received_at=received)
        unsure = row.get("abstained", False)
        assessment = judged(row["topics"], row["urgency"], row["intent"], abstained=unsure)
        route = profile.route(post, assessment, lang=row["lang"], received_at=received)
        routed.append((row, post, route))
    return routed


@pytest.mark.parametrize("name", builtin_names())
def test_a_day_reaches_every_team(name: str) -> None:
    """In a day of posts every team of the profile gets work, the night team at night."""
    profile = Profile.builtin(name)
    day = _day(name)
    assert 60 <= len(day) <= 120
    assert {route.team for _, _, route in day} == set(profile.teams)
    by_night = {
        route.team
        for _, post, route in day
        if not 6 <= post.created_at.astimezone(profile.timezone).hour < 22
        and route.rule != "onzeker"
        and profile.teams[route.team].hours.always
    }
    assert by_night & {team.night_team for team in profile.teams.values()}


@pytest.mark.parametrize("name", builtin_names())
def test_a_day_is_routed_as_promised(name: str) -> None:
    """All of a day goes by named rules, critical posts to people who are there, within time."""
    profile = Profile.builtin(name)
    names = {rule.name for rule in profile.rules}
    for row, post, route in _day(name):
        assert row["org"] == name
        assert route.rule in names | {"onzeker"}, row["id"]
        if row["urgency"] == "kritiek":
            assert profile.teams[route.team].hours.is_open(post.created_at), row["id"]
            assert 0 <= route.due_minutes <= 15, row["id"]
        if row.get("abstained") and row["urgency"] != "kritiek":
            assert (route.team, route.rule) == (profile.fallback, "onzeker"), row["id"]


@pytest.mark.parametrize("name", builtin_names())
def test_a_day_is_plausible(name: str) -> None:
    """A day has one date, ids that don't repeat, labels of the codebook, night and evening."""
    zone = Profile.builtin(name).timezone
    day = _day(name)
    times = [post.created_at.astimezone(zone) for _, post, _ in day]
    assert times == sorted(times)
    assert len({moment.date() for moment in times}) == 1
    assert len({post.id for _, post, _ in day}) == len(day)
    assert any(moment.hour < 6 for moment in times)
    assert sum(moment.hour >= 18 for moment in times) >= 15
    assert any(post.author and post.author.followers > 1000 for _, post, _ in day)
    for row, _, _ in day:
        assert set(row["topics"]) <= {*TOPICS, "onbekend"}, row["id"]
        assert row["intent"] in INTENTS, row["id"]


# -- docs ----------------------------------------------------------------------------------------


def test_the_example_in_the_docs(checked: Any) -> None:
    """The example in docs/profiles.md is a profile without problems."""
    text = (ROOT / "docs" / "profiles.md").read_text()
    example = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    assert checked(example) == []


def test_the_docs_name_every_key() -> None:
    """Each key that the reader knows is explained in docs/profiles.md."""
    text = (ROOT / "docs" / "profiles.md").read_text()
    known = {*reader._TOP_KEYS, *reader._TEAM_KEYS, *reader._RULE_KEYS, *reader._WHEN_KEYS}
    assert [key for key in sorted(known) if f"`{key}`" not in text] == []


@pytest.mark.parametrize(
    ("chosen", "joins", "others"),
    [
        ("", True, True),
        ('replies = "onderwerp"', True, True),
        ('replies = "auteur"', True, False),
        ('replies = "geen"', False, False),
    ],
)
def test_which_replies_join_is_the_profiles(
    tmp_path: Path, chosen: str, *, joins: bool, others: bool
) -> None:
    """None, the author's, or those about the same subject too; a post never answers itself."""
    path = tmp_path / "proef.toml"
    path.write_text(f"{TOP}[bundles]\n{chosen}\n{REST}")
    bundles = Profile.load(path).bundles
    post = Post(id="b", text="En nu?", created_at=datetime.now(UTC), in_reply_to="a")
    found = reply_of(post, "proef", bundles)
    assert (found is not None) is joins
    if found:
        assert (found.to, found.others) == (ticket_id("proef", "a"), others)
    alone = Post(id="a", text="En nu?", created_at=post.created_at, in_reply_to="a")
    assert reply_of(alone, "proef", bundles) is None


def test_an_unknown_choice_of_replies_is_told(checked: Any) -> None:
    """With its line, and what there is to choose from."""
    problems = checked(f'{TOP}[bundles]\nreplies = "alle"\n{REST}')
    assert problems == [
        f"{TOP.count(chr(10)) + 2}: replies: moet een zijn van: geen, auteur, onderwerp"
    ]
