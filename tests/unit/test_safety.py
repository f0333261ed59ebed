"""What the safety rules promise: they raise, they see everything, and scope switches them off."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.classify import Classifier, default_models_dir
from triage.classify.safety import check
from triage.language import Reader
from triage.post import SIZE_LIMIT, Post
from triage.ticket import Urgency

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MODELS = default_models_dir()
CORPUS = Path(__file__).parents[2] / "models" / "corpus" / "posts"
BOUND = 0.1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Er hangt een gaslucht in de kelder", "nl/gas"),
        ("GAAAASLUCHT in de flat!!", "nl/gas"),
        ("de co-melder gaat af", "nl/gas"),
        ("gas\u200dlucht in het trappenhuis", "nl/gas"),
        ("#gaslucht Kerkstraat", "nl/gas"),
        ("De flat staat in brand", "nl/brand"),
        ("iemand ademt niet meer", "nl/bewusteloos"),
        ("ik wil er niet meer zijn", "nl/suicide"),
    ],
)
def test_danger_now_is_critical(text: str, rule: str) -> None:
    """A phrase that means danger now raises to kritiek, and the raise names its rule."""
    assert check(text) == (Urgency.KRITIEK, rule)


@pytest.mark.parametrize(
    "text",
    [
        "Vorig jaar was er een gaslucht in de kelder",
        "Oefening: de flat staat in brand",
        "Er is geen gaslucht meer",
        "De film waarin een flat staat in brand",
        "Wanneer wordt het grofvuil opgehaald?",
        "",
    ],
)
def test_scope_switches_off(text: str) -> None:
    """What is past, a drill, negated or a story raises nothing."""
    assert check(text) is None


def test_a_cue_counts_in_its_own_sentence() -> None:
    """A past danger in one sentence does not hide a present one in the next."""
    assert check("Vorig jaar was er brand. Nu staat het dak in brand!") is not None


@pytest.mark.parametrize("language", ["nl", "en", "de", "fr", "pl", "tr", "uk", "ar"])
def test_each_language_has_its_words(language: str) -> None:
    """Every phrase of every language file raises by itself, and names a rule of that language."""
    data = Path(__file__).parents[2] / "triage" / "classify" / "data" / f"safety.{language}.txt"
    phrases = [
        phrase.strip()
        for line in data.read_text("utf-8").splitlines()
        if line and line[0] != "#"
        for phrase in line.partition(":")[2].split("|")
    ]
    assert len(phrases) >= 5
    for phrase in phrases:
        text = phrase.replace("~", "").replace("*", "")
        raised = check(text)
        assert raised is not None, phrase
        assert raised[0] is Urgency.KRITIEK


@pytest.mark.parametrize("junk", ["( ", "brand ", "a.", "niet in brand ", "🔥", "met een ", "xq7 "])
def test_sees_a_buried_sentence(junk: str) -> None:
    """A cry for help behind 60 KiB of anything is still seen, in under 100 ms."""
    text = junk * (60_000 // len(junk.encode())) + ". Er is een gaslucht in de flat"
    assert len(text.encode()) <= SIZE_LIMIT
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        raised = check(text)
        best = min(best, time.process_time() - start)
    assert raised == (Urgency.KRITIEK, "nl/gas")
    assert best < BOUND


def test_the_classifier_sees_a_buried_sentence() -> None:
    """What stands behind the part that is read in full reaches the assessment all the same."""
    rng = random.Random(3)
    junk = " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(8_500))
    post = Post(id="1", text=f"{junk}. Er is een gaslucht in de flat", created_at=NOW)
    classifier = Classifier.load(MODELS / (MODELS / "current").read_text("utf-8").strip())
    readings = Reader().read([post])
    assert not readings[0].complete
    assert classifier.assess([post], readings)[0].urgency is Urgency.KRITIEK


def test_few_false_alarms() -> None:
    """Under 1 in 100 posts that are not critical are raised, and over 3 in 10 critical ones."""
    rows = [
        json.loads(line)
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    raised = Counter(row["urgency"] for row in rows if check(row["text"]))
    critical = sum(row["urgency"] == "kritiek" for row in rows)
    for_nothing = raised.total() - raised["kritiek"]
    assert for_nothing < 0.01 * (len(rows) - critical)
    assert raised["kritiek"] > 0.3 * critical
    # Most of what is raised for nothing could nearly not wait either.
    assert raised["normaal"] + raised["laag"] < 0.005 * (len(rows) - critical)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("er loopt een peuter op de A28", "nl/weg"),
        ("Een vrouw zit op de rails bij de overweg", "nl/aanrijding"),
        ("die man heeft een groot slagersmes", "nl/wapen"),
        ("the door is locked and he won't let me out", "en/violence"),
        ("mein Mann ist nicht ansprechbar", "de/leben"),
        ("ma voisine ne se réveille pas", "fr/vie"),
        ("kolega stracił przytomność", "pl/zycie"),
        ("babam göğsünü tutuyor", "tr/hayat"),
        ("дим з-під дверей на другому поверсі", "uk/пожежа"),
        ("دخان كثيف في الطابق الثاني", "ar/حريق"),
    ],
)
def test_one_phrase_covers_many_words(text: str, rule: str) -> None:
    """Kinds of words stand for each other, and every language names its own rule."""
    assert check(text) == (Urgency.KRITIEK, rule)


@pytest.mark.parametrize(
    "text",
    [
        "Bewonersavond is net ontploft (figuurlijk)",
        "Fire drill: the building is on fire",
        "Letzte Woche gab es hier Gasgeruch",
        "Hier soir il y avait une odeur de gaz",
        "geçen yıl burada yangın var dediler",
        "минулого року була пожежа",
    ],
)
def test_scope_of_other_languages(text: str) -> None:
    """Past, drill and jest switch a phrase off, in other languages too."""
    assert check(text) is None
