"""What a ticket says of its posts: how many copies, whose, from where, in which words; replies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final, Self

import orjson

from triage.bundle import exact, read
from triage.queue import Bundling, Entry
from triage.queue.document import MASK, Stored, to_ms

#: The most distinct texts that a bundle shows, and the characters of each but the first.
VARIANT_LIMIT: Final = 20
VARIANT_LENGTH: Final = 500
#: The most authors that are told apart.
AUTHOR_LIMIT: Final = 250
#: The most additions of one kind that are kept.
ADDS_LIMIT: Final = 100

Adds = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What a post brings into a bundle."""

    at: int
    channel: str
    #: Empty: nobody knows who wrote it. Else a digest: summaries hold no names.
    author: str
    shares: int
    likes: int
    followers: int
    #: Names its text, as equal after normalisation.
    exact: str
    text: str

    @classmethod
    def of(cls, doc: bytes) -> Self:
        """Read it from a ticket's document."""
        data = orjson.loads(doc)
        post = data["post"]
        author, reach = post.get("author") or {}, post.get("reach") or {}
        return cls(
            at=to_ms(datetime.fromisoformat(data["created_at"])),
            channel=post["channel"],
            author=_digest(author["id"]) if author.get("id") else "",
            shares=reach.get("shares", 0),
            likes=reach.get("likes", 0),
            followers=author.get("followers", 0),
            exact=exact(read(post["text"])),
            text=post["text"],
        )

    @classmethod
    def from_entry(cls, entry: Entry, bundling: Bundling) -> Self:
        """Take it from a post on its way in."""
        post = entry.post
        return cls(
            at=to_ms(entry.received_at),
            channel=post.channel,
            author=_digest(post.author.id) if post.author else "",
            shares=post.reach.shares,
            likes=post.reach.likes,
            followers=post.author.followers if post.author else 0,
            exact=bundling.signature.exact,
            text=post.text,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of the distinct texts of a bundle."""

    exact: str
    text: str
    count: int
    #: What it has that the first text lacks, by kind.
    adds: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a bundle says of its posts, its own included."""

    count: int
    first: int
    last: int
    channels: Mapping[str, int]
    authors: tuple[str, ...]
    shares: int
    likes: int
    followers: int
    variants: tuple[Variant, ...]
    adds: Adds
    #: A person took it out of a bundle: it joins none and none joins it.
    apart: bool = False
    #: Replies inside it; they are in no other count.
    replies: int = 0
    #: How many replies were there when it was resolved, where the outcomes log said so: ``rebuild``
    #: does that before it puts the replies.
    seen: int = 0

    @classmethod
    def of(cls, stored: Stored) -> Summary:
        """Give the summary of a ticket; of one alone where it is no bundle."""
        return stored.bundle or _alone(stored.doc)

    @classmethod
    def parse(cls, raw: bytes) -> Summary:
        """Read a summary from the store."""
        data = orjson.loads(raw)
        data["authors"] = tuple(data["authors"])
        data["variants"] = tuple(Variant(**variant) for variant in data["variants"])
        data["adds"] = {kind: frozenset(found) for kind, found in data["adds"].items()}
        return cls(**data)

    @classmethod
    def alone(cls, copy: Copy) -> Summary:
        """Begin a summary with a ticket's own post."""
        first = Variant(exact=copy.exact, text=copy.text, count=0, adds={})
        empty = cls(
            count=0,
            first=copy.at,
            last=copy.at,
            channels={},
            authors=(),
            shares=0,
            likes=0,
            followers=0,
            variants=(first,),
            adds={},
        )
        return empty.plus(copy, {})

    @classmethod
    def together(cls, tickets: Sequence[Stored], *, apart: bool) -> Summary:
        """Sum up tickets of one post each; the first one leads."""
        first, *others = tickets
        summary = replace(cls.alone(Copy.of(first.doc)), apart=apart)
        for other in others:
            summary = summary.with_reply() if other.reply else summary.plus(Copy.of(other.doc), {})
        return summary

    @property
    def posts(self) -> int:
        """How many posts are inside, its own included."""
        return self.count + self.replies

    def with_reply(self) -> Summary:
        """Add a reply."""
        return replace(self, replies=self.replies + 1)

    def without_reply(self) -> Summary:
        """Take a reply out; nobody has seen one more than there are."""
        return replace(self, replies=self.replies - 1, seen=max(0, self.seen - 1))

    def about(self, doc: bytes, *, returns: bool = False) -> Summary:
        """Say it of a post that was edited; what copies had joined stays as it was for them.

        ``returns``: it was withdrawn before, and counts again under the first text.
        """
        if self.count > 1:
            head = self.variants[0]
            return self._with(head, replace(head, count=head.count + 1)) if returns else self
        mine = _alone(doc)
        return replace(mine, apart=self.apart, replies=self.replies, seen=self.seen)

    def plus(self, copy: Copy, adds: Adds) -> Summary:
        """Add a copy."""
        known = copy.author in self.authors or len(self.authors) >= AUTHOR_LIMIT
        return replace(
            self,
            count=self.count + 1,
            first=min(self.first, copy.at),
            last=max(self.last, copy.at),
            channels={**self.channels, copy.channel: self.channels.get(copy.channel, 0) + 1},
            authors=self.authors if known or not copy.author else (*self.authors, copy.author),
            shares=self.shares + copy.shares,
            likes=self.likes + copy.likes,
            followers=self.followers + copy.followers,
            variants=_counted(self.variants, copy, adds),
            adds=_union(self.adds, adds),
        )

    def minus(self, copy: Copy) -> Summary:
        """Take a copy out; who wrote and what was added is not forgotten."""
        channels = {**self.channels, copy.channel: self.channels.get(copy.channel, 1) - 1}
        variants = (
            replace(variant, count=variant.count - (variant.exact == copy.exact))
            for variant in self.variants
        )
        head, *rest = variants
        head = head if head.count > 0 else replace(head, text=MASK)
        return replace(
            self,
            count=self.count - 1,
            channels={channel: count for channel, count in channels.items() if count > 0},
            shares=self.shares - copy.shares,
            likes=self.likes - copy.likes,
            followers=self.followers - copy.followers,
            variants=(head, *(variant for variant in rest if variant.count > 0)),
        )

    def without_text(self, exact: str) -> Summary:
        """Mask a text that was withdrawn by the only one who said it; else count one fewer."""
        own = next((variant for variant in self.variants if variant.exact == exact), None)
        if own is None:
            return self
        if own.count > 1:
            return self._with(own, replace(own, count=own.count - 1))
        rest = self._with(own, replace(own, count=0, text=MASK, adds={}))
        return replace(rest, adds=_without(self.adds, own.adds, rest.variants))

    def without_first_text(self, stands: bytes) -> Summary:
        """Mask the text that its own post is counted under, where no copy says it.

        That is not what the post says now, where it was edited after copies had joined. ``stands``:
        the document as edited since, of which nothing was withdrawn; empty where all was.
        """
        head = self.variants[0]
        if not stands:
            return self.without_text(head.exact)
        if head.count > 1 or head.exact == _alone(stands).variants[0].exact:
            return self
        return self._with(head, replace(head, text=MASK))

    def without_author(self, author: str, instead: str) -> Summary:
        """Count somebody who was forgotten under what leads to nobody."""
        gone, stand_in = _digest(author), _digest(instead)
        authors = tuple(stand_in if one == gone else one for one in self.authors)
        return replace(self, authors=authors)

    def _with(self, before: Variant, after: Variant) -> Summary:
        variants = (after if variant is before else variant for variant in self.variants)
        return replace(self, variants=tuple(variants))

    def merged(self, other: Summary) -> Summary:
        """Bring another bundle's summary into this one."""
        known = {variant.exact for variant in self.variants}
        more = [variant for variant in other.variants if variant.exact not in known]
        theirs = {variant.exact: variant for variant in other.variants}
        own = [
            _together(variant, theirs[variant.exact]) if variant.exact in theirs else variant
            for variant in self.variants
        ]
        channels = dict(self.channels)
        for channel, count in other.channels.items():
            channels[channel] = channels.get(channel, 0) + count
        return replace(
            self,
            count=self.count + other.count,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            channels=channels,
            authors=tuple(dict.fromkeys((*self.authors, *other.authors)))[:AUTHOR_LIMIT],
            shares=self.shares + other.shares,
            likes=self.likes + other.likes,
            followers=self.followers + other.followers,
            variants=tuple((*own, *more)[:VARIANT_LIMIT]),
            adds=_union(self.adds, other.adds),
            replies=self.replies + other.replies,
            seen=0,
        )

    def to_bytes(self) -> bytes:
        """Encode it for the store."""
        return orjson.dumps(self, default=sorted)

    def has(self, exact: str) -> bool:
        """Whether one of the texts that it shows is equal to the one so named."""
        return any(variant.exact == exact and variant.text != MASK for variant in self.variants)


@lru_cache(maxsize=1024)
def _alone(doc: bytes) -> Summary:
    return Summary.alone(Copy.of(doc))


def _counted(variants: tuple[Variant, ...], copy: Copy, adds: Adds) -> tuple[Variant, ...]:
    """Count a copy under its text; a text over the limit is counted in the whole only."""
    shown = {kind: sorted(found)[:ADDS_LIMIT] for kind, found in adds.items()}
    new = Variant(exact=copy.exact, text=copy.text[:VARIANT_LENGTH], count=1, adds=shown)
    for place, variant in enumerate(variants):
        if variant.exact == copy.exact:
            return (*variants[:place], _together(variant, new), *variants[place + 1 :])
    return variants if len(variants) >= VARIANT_LIMIT else (*variants, new)


def _together(variant: Variant, same: Variant) -> Variant:
    """Count one text once; one that was withdrawn is shown when somebody else says it too."""
    shown = same if variant.text == MASK else variant
    return replace(shown, count=variant.count + same.count)


def _union(known: Adds, adds: Adds) -> Adds:
    if not adds:
        return known
    kinds = known.keys() | adds.keys()
    return {
        kind: frozenset(sorted(known.get(kind, _NONE) | adds.get(kind, _NONE))[:ADDS_LIMIT])
        for kind in kinds
    }


def _without(known: Adds, gone: Mapping[str, list[str]], variants: Sequence[Variant]) -> Adds:
    """Leave out what a text added that none of the others does."""
    rest = {
        kind: found
        - (set(gone.get(kind, ())) - {one for v in variants for one in v.adds.get(kind, ())})
        for kind, found in known.items()
    }
    return {kind: found for kind, found in rest.items() if found}


_NONE: Final[frozenset[str]] = frozenset()


def _digest(author: str) -> str:
    return hashlib.blake2b(author.encode("utf-8", "replace"), digest_size=5).hexdigest()
