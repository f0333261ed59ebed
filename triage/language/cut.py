"""From a whitespace chunk to tokens: links, mentions and tags first, then spaCy, bounded.

spaCy's tokenizer knows Dutch abbreviations and contractions, but it is quadratic on chains of
punctuation and its string store keeps every word that it ever saw. So it sees only short chunks
with few marks inside, and is built anew every so many words. What it does not see, a linear
regular expression cuts; which of the two is decided by the chunk alone, so that a text always gives
the same tokens.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from triage.language.data import lines
from triage.language.fold import Part, fold
from triage.language.shape import EMAIL, MENTION, URL, normalise
from triage.reading import PSEUDONYM

if TYPE_CHECKING:
    from spacy.language import Language

#: A token with its start and end in the chunk, or in the text for a reader, in characters.
Span = tuple[str, int, int]

#: spaCy is built anew after this many chunks that it had not seen.
WORDS_A_BUILD: Final = 250_000
#: What spaCy may see: at most this many characters, and this many marks among them.
_SPACY_LENGTH: Final = 32
_SPACY_MARKS: Final = 3

#: The token of a pseudonym: what stands in a masked text reads like what it stands for.
_CLASS_OF: Final = {
    "NAAM": "<naam>",
    "TELEFOON": "<telefoon>",
    "MAIL": EMAIL,
    "REKENING": "<iban>",
    "BSN": "<code>",
    "KENTEKEN": "<kenteken>",
    "ADRES": "<adres>",
    "POSTCODE": "<postcode>",
    "GEBOORTEDATUM": "<datum>",
    "NUMMER": "<code>",
    "ACCOUNT": MENTION,
    "LINK": URL,
}
_EDGES: Final = "\"'.,;:!?()[]{}<>*_~^|\\/-=+&%$€£§°"
_SPECIAL: Final = re.compile(
    r"(?P<url>(?:https?://|www\.)[^\s\"'<>]+)"
    r"|(?P<email>[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})"
    r"|(?P<mention>@[\w.]{1,64}(?:@[\w.-]{1,64})?)"
    r"|(?P<tag>\#[^\W_][\w]{0,99})",
    re.IGNORECASE,
)
# An address without www. Endings that are Dutch words ("straat.De buren", "huis.nu") count only
# with a path behind them.
_BARE_URL: Final = re.compile(
    r"[A-Za-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,3}\."
    r"(?:(?:nl|com|org|eu|be|gov|info|frl|tv)(?:/\S*)?|(?:de|net|nu|ly|me)/\S+)"
)
_MARK: Final = re.compile(r"[^\w]|_")
_CLITIC: Final = r"(?<!\w)'[stnkmr](?![^\W_])"
_WORD: Final = re.compile(rf"{_CLITIC}|[^\W_]+(?:['\-][^\W_]+)*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\+?\d[\w.,:/-]{0,23}|[^\W\d_]{1,4}-?\d[\w-]{0,31}", re.IGNORECASE)
_ABBREVIATION: Final = re.compile(r"(?:[^\W\d_]{1,2}\.){1,5}[^\W\d_]{1,3}", re.IGNORECASE)
_CAMEL: Final = re.compile(r"[^\W\d_a-z][^\W\d_A-Z]+|[^\W\d_A-Z]+|[^\W\d_a-z]+|\d+")
_PLACES: Final = tuple(
    sorted(
        {place.replace(" ", "") for line in lines("places.txt") for place in line.split(", ")},
        key=lambda place: (-len(place), place),
    )
)
_SHORTEST: Final = 4


def _dutch() -> Language:
    import spacy  # noqa: PLC0415 - a second, which a server that reads nothing yet need not wait

    return spacy.blank("nl")


class Cutter:
    """Cuts chunks; holds spaCy's tokenizer and builds it anew before it has grown."""

    def __init__(self, *, words_a_build: int = WORDS_A_BUILD) -> None:
        self._limit = words_a_build
        self._seen = 0
        self._nlp = _dutch()
        #: How often the tokenizer was built.
        self.builds = 1

    def cut(self, chunk: str) -> list[Span]:
        """Give the tokens of a chunk, which holds no whitespace, in order."""
        if "[" in chunk and (masked := PSEUDONYM.search(chunk)):
            start, end = masked.span()
            return [
                *self.cut(chunk[:start]),
                (_CLASS_OF[masked["label"]], start, end),
                *((token, end + s, end + e) for token, s, e in self.cut(chunk[end:])),
            ]
        core = chunk.strip(_EDGES)
        if core.isascii() and core.isalpha() and len(core) <= _SPACY_LENGTH:
            start = chunk.index(core)
            if core != chunk and chunk[start - 1 : start] == "'" and len(core) == 1:
                return self._words(Part(chunk, range(len(chunk)), len(chunk)))
            return [(normalise(core), start, start + len(core))]
        tokens: list[Span] = []
        for part in fold(chunk):
            if part.is_emoji:
                tokens.append((part.text, *part.span(0, 1)))
            else:
                tokens.extend(self._special(part))
        return tokens

    def _special(self, part: Part) -> Iterator[Span]:
        """Cut links, addresses, mentions and tags out of a part, and words from the rest."""
        text = part.text
        if not ("@" in text or "#" in text or "://" in text or "www." in text.lower()):
            bare = text.strip(_EDGES)
            if "." in bare and _BARE_URL.fullmatch(bare):
                start = text.index(bare)
                yield URL, *part.span(start, start + len(bare))
            else:
                yield from self._words(part)
            return
        since = 0
        for match in _SPECIAL.finditer(text):
            yield from self._words(part, since, match.start())
            since = match.end()
            if match.lastgroup == "tag":
                yield from _tag(part, match)
            else:
                yield _CLASSES[match.lastgroup or ""], *part.span(match.start(), match.end())
        yield from self._words(part, since, len(text))

    def _words(self, part: Part, start: int = 0, end: int | None = None) -> list[Span]:
        text = part.text[start:end]
        tokens: list[Span] = []
        for since, until in self._pieces(text):
            piece = text[since:until]
            numeric = any(map(str.isdecimal, piece))
            if not numeric and _ABBREVIATION.fullmatch(piece.strip(_EDGES)):
                bare = piece.strip(_EDGES)
                first = since + piece.index(bare)
                span = part.span(start + first, start + first + len(bare))
                tokens.append((normalise(bare), *span))
                continue
            for match in (_NUMERIC if numeric else _WORD).finditer(piece):
                said = match[0].rstrip(".,:/-") if numeric else match[0]
                first = start + since + match.start()
                tokens.append((normalise(said), *part.span(first, first + len(said))))
        return tokens

    def _pieces(self, text: str) -> list[tuple[int, int]]:
        """Give where the pieces of a text start and end: by spaCy where it may see the text."""
        if not text:
            return []
        marks = len(_MARK.findall(text)) if len(text) <= _SPACY_LENGTH else len(text)
        if not 0 < marks <= _SPACY_MARKS:
            return [(0, len(text))]
        self._seen += 1
        if self._seen > self._limit:
            del self._nlp  # both at once would be a peak of memory
            gc.collect()  # it lives in reference cycles
            self._nlp = _dutch()
            self._seen = 1
            self.builds += 1
        return [(token.idx, token.idx + len(token)) for token in self._nlp.tokenizer(text)]


_NUMERIC: Final = re.compile(f"{_NUMBER.pattern}|{_WORD.pattern}", re.IGNORECASE)
_CLASSES: Final = {"url": URL, "email": EMAIL, "mention": MENTION}


def _tag(part: Part, match: re.Match[str]) -> Iterator[Span]:
    """Give a hashtag, and after it the words of which it is made.

    A tag in capitals per word is split there; one in lower case before the place that ends it.
    """
    name, start = match[0][1:], match.start() + 1
    token = normalise(name)
    if not token.startswith("<"):
        yield f"#{token}", *part.span(match.start(), match.end())
    words = [(m[0], start + m.start()) for m in _CAMEL.finditer(name)]
    if len(words) == 1:
        words = _split_place(name, start)
    for word, first in words:
        yield normalise(word), *part.span(first, first + len(word))


def _split_place(name: str, start: int) -> list[tuple[str, int]]:
    lower = name.lower()
    if len(lower) == len(name) and lower.endswith(_PLACES):
        for place in _PLACES:
            if lower.endswith(place) and len(lower) - len(place) >= _SHORTEST:
                at = len(name) - len(place)
                return [(name[:at], start), (name[at:], start + at)]
    return [(name, start)]
