"""Topics as an organisation has them: renamed, merged, hidden and added."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from triage.errors import InvalidProfile
from triage.profiles import TOPICS
from triage.route import Profile, check
from triage.ticket import Assessment, Urgency

BASE = """
org = "proef"
name = "Proef"
fallback = "kcc"
[teams.kcc]
name = "KCC"
hours = "altijd"
[[rules]]
name = "alles"
team = "kcc"
"""
Load = Callable[[str], Profile]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a profile with more lines under it."""

    def make(more: str) -> Profile:
        path = tmp_path / "proef.toml"
        path.write_text(BASE + more, encoding="utf-8")
        return Profile.load(path)

    return make


def said(*topics: tuple[str, float]) -> Assessment:
    return Assessment(
        topics=topics,
        urgency=Urgency.NORMAAL,
        urgency_p=(0.0, 0.1, 0.8, 0.1),
        intent="melding",
        intent_p=0.9,
        confidence=topics[0][1],
        abstained=False,
        reasons=(),
        safety_rule=None,
        model="m",
    )


def test_without_a_table_nothing_changes(load: Load) -> None:
    """The very same assessment comes back, and all topics of the codebook are there."""
    profile, judged = load(""), said(("wonen", 0.6), ("overig", 0.3))
    assert profile.adapt(judged) is judged
    assert profile.topics == TOPICS


def test_a_name_is_shown_and_the_key_stays(load: Load) -> None:
    """Renaming touches neither the assessment nor the keys."""
    profile = load('[topics.wonen]\nname = "Huis en haard"\n')
    judged = said(("wonen", 0.6), ("overig", 0.3))
    assert profile.adapt(judged) is judged
    assert (profile.topic_name("wonen"), profile.topic_name("overig")) == (
        "Huis en haard",
        "overig",
    )


def test_merged_topics_count_together(load: Load) -> None:
    """Their probabilities add up, which may make them the first."""
    profile = load('[topics.klimaat-energie]\ninto = "groen-water"\n')
    got = profile.adapt(said(("wonen", 0.4), ("klimaat-energie", 0.3), ("groen-water", 0.25)))
    assert got.topics == (("groen-water", 0.55), ("wonen", 0.4))
    assert (got.confidence, got.abstained) == (0.55, False)
    assert "klimaat-energie" not in profile.topics


def test_a_hidden_topic_makes_room_and_doubt(load: Load) -> None:
    """The next one counts, as unsure; where nothing is left it is ``overig``."""
    profile = load("[topics.orgaandonatie]\nhidden = true\n")
    got = profile.adapt(said(("orgaandonatie", 0.7), ("zorg-gezondheid", 0.2)))
    assert (got.topic, got.confidence, got.abstained) == ("zorg-gezondheid", 0.2, True)
    assert profile.adapt(said(("orgaandonatie", 0.9))).topic == "overig"
    second = profile.adapt(said(("wonen", 0.7), ("orgaandonatie", 0.2)))
    assert (second.topic, second.abstained) == ("wonen", False)


def test_a_new_topic_is_for_rules_and_only_its_own_organisation(load: Load) -> None:
    """It may stand in a rule; elsewhere it counts as hidden."""
    rule = '[[rules]]\nname = "skate"\nteam = "kcc"\nwhen.topic = "skatepark"\n'
    own = load(f"{rule}[topics.skatepark]\nnew = true\n")
    assert "skatepark" in own.topics
    assert own.adapt(said(("skatepark", 0.8))).topic == "skatepark"
    assert load("").adapt(said(("skatepark", 0.8), ("wonen", 0.1))).topic == "wonen"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("[topics.skatepark]\nname = 'x'\n", "staat niet in het codeboek"),
        ("[topics.wonen]\nnew = true\n", "nog vrij"),
        ("[topics.wonen]\ninto = 'nergens'\n", "onbekend onderwerp"),
        ("[topics.wonen]\ninto = 'wonen'\n", "onbekend onderwerp"),
        ("[topics.wonen]\ninto = 'overig'\nhidden = true\n", "gaat niet samen"),
        ("[topics.wonen]\ninto = 'overig'\n[topics.overig]\nhidden = true\n", "kan niet weg"),
        ("[learning]\naudit_rate = 2\n", "getal van 0 tot 1"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(
    load: Load, tmp_path: Path, table: str, reason: str
) -> None:
    """The profile is refused, at the line where it says so."""
    with pytest.raises(InvalidProfile, match=reason):
        load(table)
    problems = [problem for problem in check(tmp_path / "proef.toml") if problem.fatal]
    assert all(problem.line > BASE.count("\n") for problem in problems)
