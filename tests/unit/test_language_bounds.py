"""What the language step promises of time and memory, whatever is in a post."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.plugins.small_corpus import rows_of
from triage.language import Reader
from triage.language.entities import ENTITY_LIMIT
from triage.language.reader import TOKEN_LIMIT
from triage.post import SIZE_LIMIT, Post
from triage.reading import Reading

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
#: Seconds of processor time for one post.
BOUND = 0.1
#: Where a machine is so slow that ordinary prose of that size takes longer: this many times that.
TIMES_PROSE = 4


def _random(alphabet: str, length: int) -> Callable[[], str]:
    def make() -> str:
        rng = random.Random(7)
        count = SIZE_LIMIT // (length + 1)
        return " ".join("".join(rng.choices(alphabet, k=length)) for _ in range(count))

    return make


def _repeated(piece: str) -> Callable[[], str]:
    return lambda: piece * (SIZE_LIMIT // len(piece.encode()))


def _numbered(pattern: str) -> Callable[[], str]:
    def make() -> str:
        return " ".join(pattern.replace("0", str(number)) for number in range(5_000))

    return make


PATHOLOGICAL: dict[str, Callable[[], str]] = {
    **{piece: _repeated(piece) for piece in (
        "(", "a:", "a.", "http://", "http:// ", "www.", "🔥", "🔥\u200d", "👩\u200d👧", "b\u0301\u0323",
        "x", "@", "#", "@a", "#a", "a@a.", "a ", "1", "1 ", "1.", "1-", "06-12 ", "NL12", "straat",
        "Aaaa ", "Leiden ", "'", "'s", "aA", "€1", "a-", "a/", "#Aa ", "A1 ", "привет ", "0-", "\u0301",
    )},
    "one tag": _repeated("#" + "aB" * (SIZE_LIMIT // 2 - 1)),
    "unseen words": _random("abcdefghijklmnopqrstuvwxyz", 5),
    "marks": _random("abc.:-/(),!", 20),
    "dots": _random("abcdefghij-.", 30),
    "short dots": _random("ab.", 12),
    "quotes": _random("abcdefgh'", 30),
    "numbers": _numbered("ab.0a"),
    "addresses": _numbered("a0@b.nl"),
    "tags": _numbered("#brand0Groningen"),
    "pictures in words": _numbered("wo🔥rd0"),
    "any letters": _random("".join(map(chr, range(0x100, 0x2FFF))), 20_000),
}  # fmt: skip


def _timed(text: str, enough: float = 0) -> tuple[Reading, float]:
    """Give what a fresh reader saw, and the least seconds of three times, or until ``enough``."""
    post = Post(id="1", text=text[:SIZE_LIMIT], created_at=NOW)
    best = float("inf")
    for _ in range(3):
        reader = Reader()
        start = time.process_time()
        (reading,) = reader.read([post])
        best = min(best, time.process_time() - start)
        if best < enough:
            break
    return reading, best


@pytest.fixture(scope="module")
def bound() -> float:
    """Give the most that reading may take here: machines differ by a factor of four."""
    prose = " ".join(row["text"] for row in rows_of("A1"))
    return max(BOUND, TIMES_PROSE * _timed(prose)[1])


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_any_post_is_read_in_time(name: str, bound: float) -> None:
    """A post of 64 KiB is read by a fresh reader in under 100 ms, whatever is in it."""
    reading, seconds = _timed(PATHOLOGICAL[name](), bound)
    assert seconds < bound
    assert len(reading.tokens) <= TOKEN_LIMIT
    assert len(reading.entities) <= ENTITY_LIMIT


def test_says_when_it_stopped() -> None:
    """A text that is too long to read in full is marked as such, and others are not."""
    long = Post(id="1", text="woord " * 3_000, created_at=NOW)
    short = Post(id="2", text="woord " * 1_000, created_at=NOW)
    assert [r.complete for r in Reader().read([long, short])] == [False, True]


def test_history_does_not_matter() -> None:
    """What was read before, forgotten or rebuilt changes no token of a post."""
    text = "Zo’n knal/explosie a.u.b. help, #brandGroningen auto's e.d. 12,5%!"
    post = Post(id="1", text=text, created_at=NOW)
    fresh = Reader().read([post])[0]
    used = Reader(cache_limit=50, words_a_build=150)
    for number in range(200):
        noise = Post(id="n", text=f"x{number}.y a-b{number}/c woord{number}.", created_at=NOW)
        assert used.read([noise, post])[1] == fresh
    assert used.builds > 1


def test_memory_is_bounded() -> None:
    """The cache holds no more than two generations, and spaCy's words are thrown away in time."""
    reader = Reader(cache_limit=1_000, words_a_build=2_000)
    for batch in range(20):
        reader.read([
            Post(id="1", text=f"woord{n} w{n}-x. pf{n}.q", created_at=NOW)
            for n in range(batch * 200, batch * 200 + 200)
        ])  # fmt: skip
        assert reader.cached <= 2 * (1_000 + 3 * 200)
    assert reader.builds >= 3
