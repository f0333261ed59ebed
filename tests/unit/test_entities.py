"""What finding entities promises: exact spans in the text as given, values, and little else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.language import Reader
from triage.language.entities import ALL, find, find_places
from triage.language.entities.checks import is_bsn, is_iban
from triage.post import Post, clean
from triage.reading import KINDS

#: A Monday, at ten in the morning in the Netherlands.
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CORPUS = Path(__file__).parents[2] / "models" / "corpus" / "posts"
HIDDEN = "\u200d\u200c\ufe0f"


def found(text: str) -> list[tuple[str, str, str]]:
    return [(e.kind, text[e.start : e.end], e.value) for e in find(text, at=NOW)]


@pytest.mark.parametrize(
    ("text", "kind", "said", "value"),
    [
        ("A28 hmp 12,3 re", "weg", "A28 hmp 12,3 re", "A28 12.3"),
        ("file op de a12 ter hoogte van Bunnik", "weg", "a12", "A12"),
        ("n33 dicht", "weg", "n33", "N33"),
        ("bij hmp 24,7 ligt hout", "hectometer", "hmp 24,7", "24.7"),
        ("neem afrit 23", "afrit", "afrit 23", "23"),
        ("bus 12 kwam niet", "lijn", "bus 12", "bus 12"),
        ("tramlijn 5 rijdt om", "lijn", "tramlijn 5", "tramlijn 5"),
        ("op station Zwolle staan", "station", "station Zwolle", "Zwolle"),
        ("Amersfoort Centraal is dicht", "station", "Amersfoort Centraal", "Amersfoort"),
        ("halte Hoge Mors is weg", "halte", "halte Hoge Mors", "Hoge Mors"),
        ("spoor 4b", "spoor", "spoor 4b", "4b"),
        ("stroom uit in borne", "plaats", "borne", "Borne"),
        ("Ik woon in Best", "plaats", "Best", "Best"),
        ("vuur in leiden.", "plaats", "leiden", "Leiden"),
        ("Wijk bij Duurstede loopt onder", "plaats", "Wijk bij Duurstede", "Wijk bij Duurstede"),
        ("aan de kerkstraat 44", "straat", "kerkstraat 44", "kerkstraat 44"),
        ("Laan van Meerdervoort 512", "straat", "Laan van Meerdervoort 512", "Laan van Meerdervoort 512"),
        ("1e Jan Steenstraat 8 hs", "straat", "1e Jan Steenstraat 8 hs", "1e Jan Steenstraat 8 hs"),
        ("9712 EK", "postcode", "9712 EK", "9712EK"),
        ("bel 0031 (0)6 12345678", "telefoon", "0031 (0)6 12345678", "+31612345678"),
        ("050-123 45 67", "telefoon", "050-123 45 67", "+31501234567"),
        ("al 3x 112 gebeld", "telefoon", "112", "112"),
        ("€ 1.250,50 kwijt", "bedrag", "€ 1.250,50", "1250.50"),
        ("1,5 miljoen euro", "bedrag", "1,5 miljoen euro", "1500000.00"),
        ("kenteken 12-abc-3", "kenteken", "12-abc-3", "12ABC3"),
        ("NL91 ABNA 0417 1643 00", "iban", "NL91 ABNA 0417 1643 00", "NL91ABNA0417164300"),
        ("NL00 BANK 0123 4567 89", "iban", "NL00 BANK 0123 4567 89", ""),
        ("bsn 111222333", "bsn", "111222333", "111222333"),
        ("bsn 123456789", "bsn", "123456789", ""),
        ("op 3 mei", "datum", "3 mei", "2027-05-03"),
        ("12-05-2024", "datum", "12-05-2024", "2024-05-12"),
        ("geboren 4-11-1949", "geboortedatum", "4-11-1949", "1949-11-04"),
        ("gisteren viel hij", "datum", "gisteren", "2026-11-01"),
        ("ik kom morgen", "datum", "morgen", "2026-11-03"),
        ("afgelopen vrijdag", "datum", "afgelopen vrijdag", "2026-10-30"),
        ("volgende week dinsdag", "datum", "volgende week dinsdag", "2026-11-10"),
        ("3 dagen geleden", "datum", "3 dagen geleden", "2026-10-30"),
        ("vorige maand", "datum", "vorige maand", "2026-10"),
        ("volgende week", "datum", "volgende week", "2026-W46"),
        ("vanavond", "datum", "vanavond", "2026-11-02 avond"),
        ("juster wie it raak", "datum", "juster", "2026-11-01"),
        ("om half negen", "tijd", "half negen", "08:30"),
        ("om 8 uur vanavond", "tijd", "8 uur", "20:00"),
        ("kwart voor 3", "tijd", "kwart voor 3", "02:45"),
        ("over 2 uur", "tijd", "over 2 uur", "2026-11-02T12:00+01:00"),
        ("14.30 uur", "tijd", "14.30 uur", "14:30"),
        ("mail a.b@c.nl.", "e-mail", "a.b@c.nl", "a.b@c.nl"),
        ("dhr. Van den Berg belt", "persoon", "Van den Berg", "van den berg"),
    ],
)  # fmt: skip
def test_finds_with_value(text: str, kind: str, said: str, value: str) -> None:
    """Each kind is found with its exact stretch of text and what it means."""
    assert (kind, said, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "best wel veel", "over een tijdje", "hij goes niet", "Best vervelend dit", "wij leiden eronder",
        "een A4'tje op de deur", "goedemorgen allemaal", "Morgen!", "al 14 uur bezig", "10 euro per uur?",
    ],
)  # fmt: skip
def test_ordinary_words_are_no_places_or_roads(text: str) -> None:
    """Words that are also places, sheets of paper and greetings give no place, road or day."""
    assert {kind for kind, _, _ in found(text)} <= {"tijd", "bedrag"} - (
        {"tijd"} if "14 uur" in text else set()
    )


def test_spans_see_through_what_is_hidden() -> None:
    """Joiners, keycaps, wide and foreign digits, and İ before it leave spans and values exact."""
    for number in (
        "".join(f"{digit}{HIDDEN}" for digit in "0612345678"),
        "".join(f"{digit}\ufe0f\u20e3" for digit in "0612345678"),
        "０６１２３４５６７８",
        "٠٦١٢٣٤٥٦٧٨",
        "𝟎𝟔𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
    ):
        text = f"İİ 👩‍👩‍👧🏽 bel {number} nu"
        (phone,) = [e for e in find(text) if e.kind == "telefoon"]
        assert phone.value == "+31612345678"
        assert text[: phone.start] == "İİ 👩‍👩‍👧🏽 bel "
        assert text[phone.end :].strip() == "nu"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    """For any text at all, entities lie in it in order, without overlap, and are of a known kind."""
    entities = find(text, ALL, at=NOW)
    ends = [0, *(entity.end for entity in entities)]
    assert all(end <= e.start < e.end <= len(text) for end, e in zip(ends, entities, strict=False))
    assert {entity.kind for entity in entities} <= KINDS


def test_reader_finds_what_is_hinted_at() -> None:
    """The hints of a reader lose few entities: of posts in the corpus, under one in a hundred."""
    reader = Reader()
    whole = lost = 0
    for path in sorted(CORPUS.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines()[::40]:
            text = clean(json.loads(line)["text"])
            (reading,) = reader.read([Post(id="1", text=text, created_at=NOW)])
            all_of_them = find(text, ALL, at=NOW)
            whole += len(all_of_them)
            lost += len(set(all_of_them) - set(reading.entities))
    assert whole > 0
    assert lost <= 0.03 * whole


@given(st.integers(0, 10**9 - 1))
def test_one_digit_wrong_is_no_bsn(number: int) -> None:
    """A number that passes the eleven-test passes it no more when its last digit changes."""
    digits = f"{number:09}"
    if is_bsn(digits):
        assert not any(is_bsn(digits[:-1] + d) for d in "0123456789" if d != digits[-1])


def test_iban_check() -> None:
    """Real check digits pass, others and wrong lengths do not."""
    assert is_iban("BE71 0961 2345 6769")
    assert not is_iban("BE72 0961 2345 6769")
    assert not is_iban("NL91ABNA041716430")


def test_places_alone_are_those_that_all_would_be() -> None:
    """Sought alone, for a third of the price, nearly every text names the same places."""
    kinds = {"straat", "weg", "postcode", "plaats"}
    named = other = 0
    for path in sorted(CORPUS.glob("[A-F]1.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            text = clean(json.loads(line)["text"])
            every = [entity for entity in find(text, at=NOW) if entity.kind in kinds]
            alone = [entity for entity in find_places(text) if entity.kind in kinds]
            named += bool(every)
            other += every != alone
    assert named > 500
    assert other < 0.02 * named
