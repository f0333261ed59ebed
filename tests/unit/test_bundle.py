"""What makes two texts the same, and what makes them another fact."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.bundle import compare, conflict, read, sign

FIRST = "Grote brand bij het pakhuis aan de Havenkade 12 in Borne, sinds vandaag veel rook"


@pytest.mark.parametrize(
    "other",
    [
        FIRST.upper(),
        f"RT @jan_de_b: {FIRST}",
        f'via @buurt "{FIRST}" https://t.example/1',
        f"Fwd: {FIRST} 🙏🏽",
        FIRST.replace("Grote", "Gróte").replace("Havenkade", "#Havenkade"),
        f"@gemeente {FIRST}!!",
        f"{FIRST} pic.twitter.com/abc",
    ],
)
def test_what_differs_from_copy_to_copy_is_off(other: str) -> None:
    """Case, marks, links, mentions, emoji and prefixes of sharing make no difference."""
    assert compare(read(FIRST), read(other)).equal
    one, two = sign(FIRST), sign(other)
    assert one
    assert two
    assert one.exact == two.exact


@pytest.mark.parametrize(
    "other",
    [
        FIRST.replace("Grote", "Hele grote"),
        FIRST.replace("pakhuis", "pakhius"),
        FIRST.replace("sinds vandaag ", ""),
        f"pff {FIRST} wauw",
        "Grote brand bij het pakhuis aan de Havenkade 12 in…",
    ],
)
def test_edits_of_a_fifth_meet(other: str) -> None:
    """Fillers, typing errors, left out and cut off words: the same message."""
    found = compare(read(FIRST), read(other))
    assert found.same, found.reason
    one, two = sign(FIRST), sign(other)
    assert one
    assert two
    assert len(set(one.keys) & set(two.keys)) >= one.shared


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (
            "Weet iemand of de Friesebrug al weer open is? Sta hier al een half uur te wachten",
            "weet iemand of de friesebrug alweer open is?? sta hier al half uur te wachten",
        ),
        (
            "Rook trekt naar het centrum door de brand, hou ramen en deuren dicht",
            "Pas op: rook trekt naar het centrum door de brand, hou ramen en deuren gesloten",
        ),
        (
            "Man met mes gezien bij de Albert Heijn op de Nieuwstraat, politie is onderweg",
            "man met een mes gezien bij albert heijn nieuwstraat politie is onderweg",
        ),
    ],
)
def test_other_words_for_the_same_meet(first: str, other: str) -> None:
    """What is written apart, a synonym and a warning are no other facts."""
    assert compare(read(first), read(other)).same
    assert compare(read(other), read(first)).same


def test_opposites_stay_apart_whatever_their_synonyms() -> None:
    """A word that excludes one of several synonyms excludes them all."""
    first = "De Havenbrug is vanaf de kade gestremd voor al het verkeer"
    for opened in ("open", "vrijgegeven", "begaanbaar"):
        found = compare(read(first), read(first.replace("gestremd", opened)))
        assert "tegenstelling" in found.reason


def test_a_filler_that_tells_facts_apart_counts() -> None:
    """People write "man" where they mean nothing, and where they mean a man."""
    man = "Man met mes gezien bij de Albert Heijn op de Nieuwstraat, politie is onderweg"
    assert "man en vrouw" in compare(read(man), read(man.replace("Man", "Vrouw"))).reason
    assert compare(read(FIRST), read(f"man man {FIRST}")).same


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (FIRST.replace("Borne", "Hengelo"), "naam of plaats"),
        (FIRST.lower().replace("borne", "hengelo"), "naam of plaats"),
        (FIRST.replace("Havenkade", "Handelskade"), "naam of plaats"),
        (FIRST.replace("12", "14"), "getal"),
        (FIRST.replace("12", "12a"), "getal"),
        (FIRST.replace("vandaag", "gisteren"), "tegenstelling"),
        (FIRST.replace("Grote", "Geen grote"), "ontkenning"),
        (FIRST + " geblust", "wending"),
        (FIRST + "?", "vraag"),
        ("Iets heel anders over de Havenkade 12 in Borne", "vijfde"),
    ],
)
def test_other_facts_stay_apart(other: str, reason: str) -> None:
    """Another place, number, time, negation or turn, or a question."""
    found = compare(read(FIRST), read(other))
    assert not found.same
    assert reason in found.reason


def test_short_texts_meet_only_when_equal() -> None:
    """Under five words one word is too much."""
    assert compare(read("Ja hoor, klopt"), read("ja hoor klopt!")).equal
    assert not compare(read("ja hoor klopt"), read("ja hoor klopte")).same


def test_what_a_copy_adds_is_told() -> None:
    """Numbers, names and links that the first text lacks; two copies may not add other ones."""
    found = compare(read(FIRST), read(FIRST + " bij Jansen 300 https://t.example/x"))
    assert found.same
    assert {kind: set(words) for kind, words in found.adds.items()} == {
        "getal": {"300"},
        "naam": {"jansen"},
        "link": {"https://t.example/x"},
    }
    assert conflict({"getal": frozenset({"300"})}, {"getal": frozenset({"500"})})


def test_signatures_are_the_same_in_every_process() -> None:
    """They stand in stores that outlive processes."""
    code = f"from triage.bundle import sign; print(*sign({FIRST!r}).keys)"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    own = sign(FIRST)
    assert own
    assert seen == {" ".join(own.keys) + "\n"}


WORDS = st.lists(
    st.sampled_from(
        [
            "boom",
            "weg",
            "tak",
            "fiets",
            "straat",
            "licht",
            "lantaarn",
            "park",
            "bank",
            "water",
            "hond",
            "plein",
        ]
    ),
    min_size=1,
    max_size=30,
)


@given(WORDS, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_comparison_is_symmetric_enough(words: list[str], rng: random.Random) -> None:
    """Equal is equal both ways, and so is being near in words."""
    other = list(words)
    other[rng.randrange(len(other))] = "container"
    one, two = read(" ".join(words)), read(" ".join(other))
    assert compare(one, two).same == compare(two, one).same
    assert compare(one, one).equal


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=300)
def test_any_text_is_read(one: str, two: str) -> None:
    """Nothing breaks it, and reading is the same each time."""
    compare(read(one), read(two))
    assert sign(one) == sign(one)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 60_000,
        "a." * 30_000,
        "a-" * 30_000 + "/",
        "RT @a: " * 9_000,
        "A " * 30_000,
        "😀\u200d" * 20_000,
    ],
)
def test_long_and_odd_texts_are_quick(text: str) -> None:
    """What a sender may do, reading bears."""
    begun = time.process_time()
    sign(text)
    compare(read(text), read(text + " x"))
    assert time.process_time() - begun < 0.5
