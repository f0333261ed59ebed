"""What the door promises: exact errors, clean text, and the published schema."""

from __future__ import annotations

import json
import time
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from triage.errors import InvalidPost
from triage.post import SIZE_LIMIT, Post, clean
from triage.schema import POST

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
VALIDATOR = jsonschema.Draft202012Validator(POST)


def decode(raw: bytes | str | dict[str, Any]) -> Post:
    if isinstance(raw, dict):
        raw = json.dumps(raw)
    return Post.decode(raw.encode() if isinstance(raw, str) else raw, received_at=NOW)


@pytest.mark.parametrize(
    ("raw", "field", "reason", "offset"),
    [
        (b"", "", "leeg", 0),
        (b"   ", "", "leeg", 0),
        (b"null", "", "geen JSON-object", 0),
        (b"[1]", "", "geen JSON-object", 0),
        (b'{"text": "caf\xe9"}', "", "geen geldige UTF-8", 13),
        (b'{"text": "\xed\xa0\xbd"}', "", "geen geldige UTF-8", 10),
        ('{"id": "é", "text": }', "", "geen geldige JSON", 21),
        (b'{"text": "a"', "", "geen geldige JSON", 12),
        (b'{"id": "1", "text": NaN}', "", "NaN en Infinity zijn geen JSON", None),
        (b'{"id": "1", "text": "a", "text": "b"}', "text", "veld staat er twee keer in", None),
        (b'{"id": "1"}', "text", "ontbreekt", None),
        (b'{"id": "1", "text": 5}', "text", "geen tekst", None),
        (b'{"id": "1", "text": " \\u200b\\u0000 "}', "text", "leeg", None),
        (b'{"id": {}, "text": "a"}', "id", "geen tekst of geheel getal", None),
        (
            b'{"text": "a", "author": {"id": "b", "followers": -1}}',
            "author.followers",
            "niet tussen 0 en 1000000000000",
            None,
        ),
        (b'{"text": "a", "author": "b"}', "author", "geen JSON-object", None),
        (
            b'{"text": "a", "created_at": "gisteren"}',
            "created_at",
            "geen tijd volgens RFC 3339",
            None,
        ),
        (
            b'{"text": "a", "created_at": "2026-02-31T10:00:00Z"}',
            "created_at",
            "geen bestaande tijd",
            None,
        ),
        (b'{"text": "a", "geo": {"lat": 91, "lon": 4}}', "geo.lat", "niet tussen -90 en 90", None),
        (b'{"text": "a", "attachments": "b"}', "attachments", "geen lijst", None),
        (b'{"deleted": true}', "id", "ontbreekt", None),
        (
            b'{"id": "1", "text": "a", "forgotten": true}',
            "forgotten",
            "alleen samen met deleted",
            None,
        ),
        (b'{"text": "a", "x": ' + b"[" * 40 + b"]" * 40 + b"}", "", "dieper genest dan 32", 50),
        (b'{"text": "' + b"a" * SIZE_LIMIT + b'"}', "", "groter dan 65536 bytes", 65536),
        (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "", "getal buiten bereik", None),
    ],
)
def test_errors_are_exact(raw: bytes | str, field: str, reason: str, offset: int | None) -> None:
    """A wrong post names its field, the reason and the byte, and keeps the bytes."""
    with pytest.raises(InvalidPost) as caught:
        decode(raw)
    error = caught.value
    assert (error.field, error.reason, error.offset) == (field, reason, offset)
    assert error.raw == (raw.encode() if isinstance(raw, str) else raw)


def test_no_error_carries_text() -> None:
    """No message holds what the citizen wrote, wherever it stands in the post."""
    marker = "MERKTEKEN"
    wrong: list[dict[str, Any]] = [
        {"id": marker * 100, "text": "a"},
        {"text": {"a": marker}},
        {"text": "a", "channel": [marker]},
        {"text": "a", "org": marker * 99},
        {"text": "a", "author": marker},
        {"text": "a", "author": {"id": [marker]}},
        {"text": "a", "author": {"name": marker * 99}},
        {"text": "a", "created_at": marker},
        {"text": "a", "url": marker * 999},
        {"text": "a", "in_reply_to": [marker]},
        {"text": "a", "attachments": [marker, 5]},
        {"text": "a", "reach": marker},
        {"text": "a", "geo": {"lat": marker, "lon": 1}},
        {"text": "a", "deleted": marker},
    ]
    raws = [json.dumps(post) for post in wrong]
    raws += [f'{{"{marker}": 1, "{marker}": 2}}', f'{{"text": "{marker}', f'{{"text": {marker}}}']
    for raw in raws:
        with pytest.raises(InvalidPost) as caught:
            decode(raw)
        assert marker not in f"{caught.value} {caught.value.field} {caught.value.reason}"


def test_half_an_emoji_pair_is_read() -> None:
    """A lone surrogate is dropped, a pair that JSON wrote as two halves is joined."""
    assert decode(r'{"id": "1", "text": "help \ud83d nu"}').text == "help  nu"
    assert decode(r'{"id": "1", "text": "help \ud83d\ude00 nu"}').text == "help 😀 nu"


def test_invisible_marks_are_taken_out() -> None:
    """Controls, zero-width and bidirectional marks don't reach a reader; joiners of emoji do."""
    assert clean("a\x00b\u200bc\u202ed\ufeff\u2066e\r\nf") == "abcde\nf"
    assert clean("👩\u200d🚒") == "👩\u200d🚒"
    assert clean("cafe\u0301") == "café"


def test_time_is_aware_and_never_after_receipt() -> None:
    """A time without a zone is UTC; a future one counts as now; a missing one as receipt."""
    text = {"id": "1", "text": "a"}
    assert decode({**text, "created_at": "2026-11-02T08:00:00"}).created_at == NOW - timedelta(
        hours=1
    )
    assert decode(
        {**text, "created_at": "2026-11-02T08:00:00+01:00"}
    ).created_at == NOW - timedelta(hours=2)
    assert decode({**text, "created_at": "2031-01-01"}).created_at == NOW
    assert decode(text).created_at == NOW
    assert decode({**text, "created_at": 0}).created_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_unknown_fields_are_kept() -> None:
    """What we don't know is kept, and comes back out."""
    post = decode({"id": 7, "text": "a", "thread": {"depth": 2}, "lang": "nl"})
    assert post.id == "7"
    assert post.extra == {"thread": {"depth": 2}, "lang": "nl"}
    assert Post.from_mapping(post.to_mapping(), received_at=NOW) == post


def test_without_an_id_the_content_names_the_post() -> None:
    """The same content without an id is the same post; other content is another."""
    once, again = decode('{"text": "help"}'), decode('{ "text":"help" }')
    other = decode('{"text": "help", "channel": "x"}')
    assert once.id == again.id
    assert once.id != other.id


def test_digest_tells_an_edit_from_a_repeat() -> None:
    """Reach may grow without the post being another; the text may not change."""
    first = decode({"id": "1", "text": "a"})
    assert first.digest == decode({"id": "1", "text": "a", "reach": {"likes": 9}}).digest
    assert first.digest != decode({"id": "1", "text": "b"}).digest


@pytest.mark.parametrize(
    "text",
    [
        "e" + "\u0301\u0323" * 15_000,
        "\u0345" * 30_000,
        "a\U0001d165\U0001d16e" * 5_000,
        "👨\u200d" * 9_000,
        "\u1100\u1161" * 10_000,
        "(" * 64_000,
    ],
)
def test_runs_of_anything_are_read_in_bounded_time(text: str) -> None:
    """No run of characters makes normalisation slow: 64 KiB take under 100 ms."""
    raw = json.dumps({"id": "1", "text": text + " brand"}, ensure_ascii=False).encode()
    raw = (
        raw
        if len(raw) <= SIZE_LIMIT
        else json.dumps({"text": text[:15_000]}, ensure_ascii=False).encode()
    )

    def once() -> float:
        start = time.process_time()
        decode(raw)
        return time.process_time() - start

    assert min(once() for _ in range(3)) < 0.1


@settings(suppress_health_check=list(HealthCheck), max_examples=150, deadline=None)
@given(from_schema(POST))
def test_what_the_schema_accepts_decodes(data: Any) -> None:
    """Every post that the published schema accepts is read, and survives a round trip."""
    raw = json.dumps(data).encode()
    if len(raw) > SIZE_LIMIT:
        return
    try:
        post = decode(raw)
    except InvalidPost as error:
        assert error.reason in {"geen bestaande tijd", "veld staat er twee keer in"} or (  # noqa: PT017
            error.reason.startswith("dieper genest")
        ), error
        return
    assert Post.from_mapping(json.loads(json.dumps(post.to_mapping())), received_at=NOW) == post


WRONG = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.none(), max_size=2)
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(POST["properties"])), WRONG)
def test_what_the_schema_refuses_does_not_decode(name: str, value: Any) -> None:
    """A field of another shape is refused by the schema and the decoder alike."""
    data = {"id": "1", "text": "hallo", name: value}
    try:
        decode(data)
        decoded = True
    except InvalidPost as error:
        decoded = False
        if error.reason == "geen bestaande tijd":
            return
    assert decoded == VALIDATOR.is_valid(data)


@given(st.text(max_size=200))
def test_clean_is_idempotent_and_normal(text: str) -> None:
    """Cleaning twice changes nothing more, and the result is NFC."""
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
