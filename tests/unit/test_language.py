"""What the language step promises of tokens, spans, languages and entities."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.language import Reader, spans
from triage.post import Post, clean
from triage.reading import Reading

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CORPUS = Path(__file__).parents[2] / "models" / "corpus" / "posts"
SHARED = Reader()
PICTURES = ("🙏🏽", "🔥🔥🔥", "👩‍👩‍👧", "❤️", "🇳🇱", "⚠️")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]


def read(reader: Reader, text: str) -> Reading:
    return reader.read([Post(id="1", text=text, created_at=NOW)])[0]


def words(tokens: tuple[str, ...]) -> list[str]:
    return [token for token in tokens if token[0] < "\u2000" or token[0].isalnum()]


def named(reader: Reader, text: str) -> list[tuple[str, str]]:
    return [(e.kind, text[e.start : e.end]) for e in read(reader, text).entities]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Brand!🙏🏽", "brand 🙏"),
        ("👩‍👩‍👧 thuis", "👩 👧 thuis"),
        ("HEEEELP!!!", "heelp"),
        ("bra\u200dnd", "brand"),
        ("𝐁𝐫𝐚𝐧𝐝", "brand"),
        ("İstanbul", "istanbul"),
        ("brand/explosie huis.De", "brand explosie huis de"),
        ("a.u.b. d.w.z. e-mail auto's", "a.u.b d.w.z e-mail auto's"),
        ("#brandGroningen", "#brandgroningen brand groningen"),
        ("#brandgroningen", "#brandgroningen brand groningen"),
        ("@piet, kijk:https://x.nl/a?b (www.x.nl)", "<vermelding> kijk <url> <url>"),
        ("jan.jansen@voorbeeld.nl", "<e-mail>"),
        ("A28 bij 112 om 14:30u", "a28 bij 112 om <tijd>"),
        ("06-12345678 NL12ABNA0123456789 AB-123-C", "<telefoon> <iban> <kenteken>"),
        ("1234AB 12-05-2024 €12,50 2024", "<postcode> <datum> <getal> <jaar>"),
        ("?! ... ((((", ""),
    ],
)
def test_normalises(reader: Reader, text: str, tokens: str) -> None:
    """Tokens are lower case and folded, and what is no word becomes a class or stands alone."""
    assert read(reader, text).tokens == tuple(tokens.split())


def test_pictures_change_no_word(reader: Reader, rows: list[dict[str, Any]]) -> None:
    """Emoji, skin tones, joiners and selectors glued to the words of a post leave them alone."""
    for number, row in enumerate(rows[::5]):
        text = clean(row["text"])
        picture = PICTURES[number % len(PICTURES)]
        glued = " ".join(chunk + picture for chunk in text.split())
        assert words(read(reader, glued).tokens) == words(read(reader, text).tokens), row["id"]


def test_quotes_are_one(reader: Reader, rows: list[dict[str, Any]]) -> None:
    """Typographic and straight apostrophes give the same tokens in every post."""
    for row in rows:
        text = clean(row["text"])
        if "'" in text or "’" in text or "‘" in text:
            straight = text.replace("’", "'").replace("‘", "'")
            tokens = read(reader, straight).tokens
            for quote in "’‘":
                assert read(reader, straight.replace("'", quote)).tokens == tokens, row["id"]


def test_spans_are_the_tokens(reader: Reader, rows: list[dict[str, Any]]) -> None:
    """Spans name the very tokens of the reading, at places that lie in the text, in order."""
    for row in rows[::5]:
        text = clean(row["text"])
        found = spans(text)
        assert tuple(token for token, _, _ in found) == read(reader, text).tokens, row["id"]
        assert all(0 <= start < end <= len(text) for _, start, end in found), row["id"]
        starts = [start for token, start, _ in found if token[0] != "#"]
        assert starts == sorted(starts), row["id"]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80).map(clean))
def test_spans_of_any_text(text: str) -> None:
    """For any text at all, spans name the tokens of the reading and lie in the text."""
    found = spans(text)
    assert tuple(token for token, _, _ in found) == read(SHARED, text).tokens
    assert all(0 <= start < end <= len(text) for _, start, end in found)


def test_spans_survive_folding() -> None:
    """A span covers what was written, however much of it the token leaves out."""
    text = "HEEEEEELP bra\u200dnd! ’s avonds 🙏🏽"
    assert [(token, text[start:end]) for token, start, end in spans(text)] == [
        ("heelp", "HEEEEEELP"),
        ("brand", "bra\u200dnd"),
        ("'s", "’s"),
        ("avonds", "avonds"),
        ("🙏", "🙏"),
    ]


def test_no_digit_of_a_number_is_left(reader: Reader, rows: list[dict[str, Any]]) -> None:
    """No token of any post holds more than three digits in all, so no number can be learnt."""
    for row in rows:
        for token in read(reader, clean(row["text"])).tokens:
            assert sum(map(str.isdecimal, token)) <= 3 or token in {"14020", "1177"}, row["id"]


def test_tells_languages(reader: Reader, rows: list[dict[str, Any]]) -> None:
    """At least 97 in 100 posts of five words or more get their language; Frisian most of the time.

    Dutch is the default, so the foreign posts alone must do well too.
    """
    pairs = [
        (row["lang"], read(reader, clean(row["text"])).lang)
        for row in rows
        if len(row["text"].split()) >= 5
    ]
    foreign = [given == found for given, found in pairs if given not in {"nl", "fy"}]
    frisian = [found for given, found in pairs if given == "fy"]
    assert sum(given == found for given, found in pairs) >= 0.97 * len(pairs)
    assert sum(foreign) >= 0.9 * len(foreign)
    assert set(frisian) <= {"fy", "nl"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ongeluk op de A28 hmp 12,3", [("weg", "A28 hmp 12,3")]),
        ("Kerkstraat 12a, 2311 AB Leiden", [
            ("straat", "Kerkstraat 12a"), ("postcode", "2311 AB"), ("plaats", "Leiden")]),
        ("Witte Singel 140 in Bornerbroek", [
            ("straat", "Witte Singel 140"), ("plaats", "Bornerbroek")]),
        ("bel 06-12345678 of mail a.b@c.nl", [("telefoon", "06-12345678"), ("e-mail", "a.b@c.nl")]),
        ("NL91 ABNA 0417 1643 00", [("iban", "NL91 ABNA 0417 1643 00")]),
        ("bsn 111222333 en niet 111222334", [("bsn", "111222333"), ("nummer", "111222334")]),
        ("kenteken AB-123-C om 14:30 uur", [("kenteken", "AB-123-C"), ("tijd", "14:30 uur")]),
        ("€ 12,50 op 3 mei 2026", [("bedrag", "€ 12,50"), ("datum", "3 mei 2026")]),
        ("@piet #brand https://x.nl/a", [
            ("vermelding", "@piet"), ("hashtag", "#brand"), ("url", "https://x.nl/a")]),
        ("wij leiden daar erg onder", []),
    ],
)  # fmt: skip
def test_finds_entities(reader: Reader, text: str, expected: list[tuple[str, str]]) -> None:
    """Places, numbers and addresses are found with their kind and their exact stretch of text."""
    assert named(reader, text) == expected


def test_a_batch_has_a_row_a_post(reader: Reader) -> None:
    """A batch gives one reading a post, also where nothing can be read."""
    texts = ["", "brand", "🔥", "...", "<url>"]
    readings = reader.read([Post(id="1", text=text, created_at=NOW) for text in texts])
    assert [reading.tokens for reading in readings] == [(), ("brand",), ("🔥",), (), ("url",)]
