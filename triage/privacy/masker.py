"""Masks what is personal in a text, each person or number by a pseudonym of its own.

Which stretches of a text name something is for the language step to say; which of those are
personal, and what stands in their place, is said here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from triage.reading import PSEUDONYM, Entity

#: Finds what a text names; spans refer to the text as given, without overlap.
Find = Callable[[str], Sequence[Entity]]

#: The kinds that are personal wherever they stand, and what is written for them.
_LABELS: Final = {
    "persoon": "NAAM",
    "telefoon": "TELEFOON",
    "e-mail": "MAIL",
    "iban": "REKENING",
    "bsn": "BSN",
    "kenteken": "KENTEKEN",
    "straat": "ADRES",
    "postcode": "POSTCODE",
    "geboortedatum": "GEBOORTEDATUM",
    "nummer": "NUMMER",
    "vermelding": "ACCOUNT",
    "url": "LINK",
}
#: Every label of a pseudonym.
LABELS: Final = frozenset(_LABELS.values())

_PUBLIC_NUMBER: Final = re.compile(r"(?:11[234]|144|14\d{3,4}|116\d{3}|0[89]0\d{1,10})")
_PERSONAL_LINK: Final = re.compile(
    r"(?:facebook|fb|instagram|linkedin|twitter|//x|^x|tiktok|snapchat)\.com/(?!(?:gemeente|politie|rijkswaterstaat|ggd)|$)\S"
    r"|\b(?:t|wa)\.me/|@|\d{6}|mailto:|tel:|[?&](?:e?mail|naam|name|user|bsn|tel)=",
    re.IGNORECASE,
)
_NUMBERED: Final = re.compile(r"\d")
_FULL_POSTCODE: Final = re.compile(r"\d{4}\W{0,2}[A-Za-z]{2}")
_ACCOUNTS: Final = [
    account
    for line in files("triage.privacy").joinpath("accounts.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for account in line.split()
]
_KNOWN_ACCOUNTS: Final = frozenset(name for name in _ACCOUNTS if name[-1] != "*")
_KNOWN_STARTS: Final = tuple(name[:-1] for name in _ACCOUNTS if name[-1] == "*")
#: How often a masked text is looked at again: what was masked may show what stands beside it.
_PASSES: Final = 6
_SHORTEST_PART: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedSpan:
    """What was masked: ``start`` and ``end`` are offsets in the text that was given."""

    kind: str
    start: int
    end: int
    pseudonym: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A text in which nothing personal is left, and what was there, in order."""

    text: str
    spans: tuple[MaskedSpan, ...]


class Masker:
    """Masks the texts of one export. The same secret and the same texts give the same result.

    A person, a number or an address has one pseudonym in everything that one masker masks, such as
    ``[NAAM-3]``, and another in another export. The masker remembers digests keyed by the secret,
    so that what it holds tells nothing.
    """

    def __init__(self, secret: bytes, find: Find) -> None:
        """Make a masker; ``find`` is what the language step offers to find entities."""
        if not secret:
            message = "a masker needs a secret"
            raise ValueError(message)
        self._secret = secret
        self._find = find
        self._numbers: dict[str, dict[bytes, int]] = {}

    def mask(self, text: str, *, known: Iterable[str] = ()) -> Masked:
        """Mask a text; ``known`` are names that must not stand in it, such as its author's.

        Masking what was masked changes nothing, and what is not masked stays as it was.
        """
        names = [name for full in known for name in _parts(full)]
        spans: list[MaskedSpan] = []
        for _ in range(_PASSES):
            masked, starts = _replaced(text, spans)
            new = self._new(masked, names)
            if not new:
                break
            origin = _origins(starts)
            for kind, start, end, key in new:
                since = origin(start)
                spans.append(
                    MaskedSpan(
                        kind=kind,
                        start=since,
                        end=since + end - start,
                        pseudonym=self._pseudonym(kind, key),
                    )
                )
            spans.sort(key=lambda span: span.start)
        return Masked(text=_replaced(text, spans)[0], spans=tuple(spans))

    def _new(self, text: str, names: Sequence[str]) -> list[tuple[str, int, int, str]]:
        """Give what is personal in a text: kind, start, end and what is the same thing."""
        found = [
            (entity.kind, entity.start, entity.end, _key(entity, text))
            for entity in self._find(text)
            if _is_personal(entity, text)
        ]
        for name in names:
            pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
            for match in re.finditer(pattern, text, re.IGNORECASE):
                if all(match.end() <= start or end <= match.start() for _, start, end, _ in found):
                    found.append(("persoon", *match.span(), _plain(name)))
        held = [match.span() for match in PSEUDONYM.finditer(text)]
        return sorted(
            item for item in found if all(item[2] <= start or end <= item[1] for start, end in held)
        )

    def _pseudonym(self, kind: str, key: str) -> str:
        label = _LABELS[kind]
        digest = hmac.digest(self._secret, f"{label}\x00{key}".encode(), hashlib.sha256)[:16]
        numbers = self._numbers.setdefault(label, {})
        return f"[{label}-{numbers.setdefault(digest, len(numbers) + 1)}]"


def _replaced(text: str, spans: Sequence[MaskedSpan]) -> tuple[str, list[tuple[int, int]]]:
    """Put the pseudonyms in; give also where each stretch that stayed starts, there and here."""
    pieces: list[str] = []
    starts: list[tuple[int, int]] = []
    at = length = 0
    for span in spans:
        starts.append((length, at))
        pieces += [text[at : span.start], span.pseudonym]
        length += span.start - at + len(span.pseudonym)
        at = span.end
    starts.append((length, at))
    pieces.append(text[at:])
    return "".join(pieces), starts


def _origins(starts: Sequence[tuple[int, int]]) -> Callable[[int], int]:
    """Give the way from an offset in a masked text to that in the text as given."""

    def origin(offset: int) -> int:
        there, here = max(pair for pair in starts if pair[0] <= offset)
        return here + offset - there

    return origin


def _is_personal(  # noqa: PLR0911 - one kind a line
    entity: Entity, text: str
) -> bool:
    kind, said = entity.kind, text[entity.start : entity.end]
    if kind not in _LABELS:
        return False
    if kind == "telefoon":
        return not _PUBLIC_NUMBER.fullmatch(entity.value)
    if kind == "straat":
        return bool(_NUMBERED.search(said))
    if kind == "postcode":
        return bool(_FULL_POSTCODE.search(said))
    if kind == "vermelding":
        name = said.lstrip("@").lower()
        return name not in _KNOWN_ACCOUNTS and not name.startswith(_KNOWN_STARTS)
    if kind == "url":
        return bool(_PERSONAL_LINK.search(said))
    return True


def _key(entity: Entity, text: str) -> str:
    """Give what two spellings of the same thing have in common."""
    return _plain(entity.value or text[entity.start : entity.end])


def _plain(said: str) -> str:
    apart = unicodedata.normalize("NFKD", said.casefold())
    return "".join(char for char in apart if char.isalnum())


def _parts(full: str) -> list[str]:
    """Give a name and the words of it that are long enough to tell."""
    words = [word for word in re.split(r"[\s.,]+", full) if len(word) >= _SHORTEST_PART]
    telling = [word for word in words if word[:1].isupper()]
    return [full.strip(), *telling] if len(full.strip()) >= _SHORTEST_PART else []
