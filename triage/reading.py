"""A reading: what the language step saw in a post."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: What stands in a masked text for something personal: ``[NAAM-1]``; nothing is found in it.
PSEUDONYM: Final = re.compile(
    r"\[(?P<label>NAAM|TELEFOON|MAIL|REKENING|BSN|KENTEKEN|ADRES|POSTCODE|GEBOORTEDATUM|NUMMER|ACCOUNT|LINK)"
    r"-\d{1,6}\]"
)

#: Every kind of entity.
KINDS: Final = frozenset(
    {
        "straat",
        "postcode",
        "plaats",
        "weg",
        "hectometer",
        "afrit",
        "lijn",
        "station",
        "halte",
        "spoor",
        "telefoon",
        "e-mail",
        "kenteken",
        "iban",
        "bsn",
        "nummer",
        "bedrag",
        "datum",
        "geboortedatum",
        "tijd",
        "url",
        "vermelding",
        "hashtag",
        "persoon",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something named in the text; ``start`` and ``end`` are character offsets into ``Post.text``.

    ``kind`` is one of ``KINDS``. ``value`` is what it means, where that is known: ``+31612345678``,
    ``A28 12.3``, ``2026-11-03``, ``14:30``; empty where it is not (an account number of which the
    check digits are wrong, a relative date in a text without a time).
    """

    kind: str
    start: int
    end: int
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the language step saw.

    ``tokens`` are normalised (lower case, folded marks) in order of appearance; the exact
    character spans are computed on demand by the language step, not carried along.
    """

    tokens: tuple[str, ...]
    #: ISO 639-1; ``nl`` where nothing speaks against it.
    lang: str = "nl"
    entities: tuple[Entity, ...] = ()
    #: False where tokens were left out because the text is too long to read in full.
    complete: bool = True
