"""A reading: what the language step saw in a post."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """Something named in the text; ``start`` and ``end`` are character offsets into ``Post.text``.

    ``kind`` is one of ``straat`` ``postcode`` ``weg`` ``plaats`` ``telefoon`` ``e-mail``
    ``kenteken`` ``iban`` ``bsn`` ``bedrag`` ``datum`` ``tijd`` ``url`` ``vermelding`` ``hashtag``.
    """

    kind: str
    start: int
    end: int


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
