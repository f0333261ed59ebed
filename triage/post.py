"""A post: one incoming message, decoded once at the door.

Decoding is strict about shape and forgiving about text: half an emoji pair is dropped, text is
NFC-normalised, control characters and invisible marks go. What can be read becomes a post; what
cannot raises :class:`~triage.errors.InvalidPost` with the field, the reason and the offset.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from triage.errors import InvalidPost
from triage.jsontext import parse_object, storable

#: The largest post in bytes of JSON.
SIZE_LIMIT: Final = 64 * 1024
#: The longest id, in characters; ids are keys in the queue store.
ID_LIMIT: Final = 256
#: The longest short string (channel, organisation, author name), in characters.
NAME_LIMIT: Final = 256
#: The longest address of a page or attachment, in characters.
URL_LIMIT: Final = 2048
#: The most attachments kept on a post.
ATTACHMENT_LIMIT: Final = 32
#: The largest count (followers, shares, likes).
COUNT_LIMIT: Final = 10**12
#: How many combining marks may follow one base character (`unicodedata.normalize` is quadratic
#: on longer runs; no language needs more).
MARK_RUN_LIMIT: Final = 8

# C0 and C1 controls but tab and newline; soft hyphen, zero-width, bidirectional and invisible
# marks but the joiners U+200C and U+200D, which are part of emoji and of some scripts.
_INVISIBLE: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_REMOVED: Final = re.compile(f"[{_INVISIBLE}\ud800-\udfff\U000e0000-\U000e007f]+")
_LINE_BREAKS: Final = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_BLANK: Final = f"\\s{_INVISIBLE}\u200c\u200d\ufe00-\ufe0f\U000e0000-\U000e007f"
#: A text with at least one visible character (also the schema's pattern).
VISIBLE: Final = f"[^{_BLANK}]"
_VISIBLE: Final = re.compile(VISIBLE)
_NOT_PLAIN: Final = re.compile(
    f"[^\t\n -~\xa0-\xac\xae-\u02ff\u2010-\u2027\u20ac]|{_LINE_BREAKS.pattern}"
)
_MARKS: Final = "".join(
    char for char in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(char)
)
_MARK_RUN: Final = re.compile(f"([{_MARKS}]{{{MARK_RUN_LIMIT}}})[{_MARKS}]+")
# A cheap look first: neither Latin letters nor emoji hold a mark.
_MAYBE_MARK: Final = re.compile("[\u0300-\u1fff\u20d0-\u20ff\u2c00-\uffff\U00010000-\U0001efff]")
_SURROGATE_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote a post, as far as the channel tells."""

    id: str
    name: str = ""
    followers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a post has travelled already."""

    shares: int = 0
    likes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Geo:
    """A place in WGS 84 degrees."""

    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One incoming message."""

    #: Unique at the sender; a digest of the content where the sender gave none.
    id: str
    #: NFC, without control characters or invisible marks; empty only when ``deleted`` or when
    #: there are attachments.
    text: str
    #: Timezone-aware; the time of receipt where the sender gave none, never after it.
    created_at: datetime
    channel: str = "onbekend"
    #: The organisation that received it; empty: the deployment's own.
    org: str = ""
    author: Author | None = None
    in_reply_to: str | None = None
    url: str | None = None
    reach: Reach = Reach()
    attachments: tuple[str, ...] = ()
    geo: Geo | None = None
    #: The sender withdrew it: mask what stands in the queue.
    deleted: bool = False
    #: Withdrawn because its author asked to be forgotten: who that was goes as well.
    forgotten: bool = False
    #: Fields that we do not know, as they came (see ``storable``).
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def decode(cls, raw: bytes, *, received_at: datetime) -> Post:
        """Read a post from the bytes of one JSON object.

        ``received_at`` (timezone-aware) stands in for a missing time and bounds a future one.
        Raises :class:`InvalidPost`.
        """
        if len(raw) > SIZE_LIMIT:
            raise InvalidPost("", f"groter dan {SIZE_LIMIT} bytes", offset=SIZE_LIMIT, raw=raw)
        try:
            return cls.from_mapping(parse_object(raw), received_at=received_at)
        except InvalidPost as error:
            error.raw = raw
            raise

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, received_at: datetime) -> Post:
        """Read a post from a parsed JSON object. Raises :class:`InvalidPost`."""
        deleted, forgotten = _boolean(data, "deleted"), _boolean(data, "forgotten")
        if forgotten and not deleted:
            raise InvalidPost("forgotten", "alleen samen met deleted")
        attachments = _attachments(data)
        text = clean(_string(data, "text", None, required=not deleted and not attachments))
        if not deleted and not attachments and not _VISIBLE.search(text):
            raise InvalidPost("text", "leeg")
        post = cls(
            id=_identifier(data, "id") or "",
            text="" if deleted else text,
            created_at=_time(data, received_at),
            channel=clean(_string(data, "channel", NAME_LIMIT)).strip().lower() or "onbekend",
            org=clean(_string(data, "org", NAME_LIMIT)).strip().lower(),
            author=_author(data),
            in_reply_to=_identifier(data, "in_reply_to"),
            url=clean(_string(data, "url", URL_LIMIT)) or None,
            reach=_reach(data),
            attachments=attachments,
            geo=_geo(data),
            deleted=deleted,
            forgotten=forgotten,
            extra={
                storable(name): storable(value)
                for name, value in data.items()
                if name not in FIELDS
            },
        )
        if post.id:
            return post
        if deleted:
            raise InvalidPost("id", "ontbreekt")
        return replace(post, id=f"sha256-{_content_digest(data, post)}")

    @property
    def digest(self) -> str:
        """16 hex digits over what the sender said: same id and same digest is a repeat."""
        gone = "xx" if self.forgotten else "x" if self.deleted else ""
        said = "\x00".join((self.text, *self.attachments, gone))
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def to_mapping(self) -> dict[str, Any]:
        """Give the post as JSON-ready values; ``from_mapping`` reads them back unchanged."""
        data: dict[str, Any] = dict(self.extra)
        data["id"] = self.id
        data["text"] = self.text
        data["created_at"] = self.created_at.isoformat()
        data["channel"] = self.channel
        if self.org:
            data["org"] = self.org
        if author := self.author:
            data["author"] = {
                "id": author.id,
                "name": author.name,
                "followers": author.followers,
            }
        if self.in_reply_to:
            data["in_reply_to"] = self.in_reply_to
        if self.url:
            data["url"] = self.url
        if self.reach != _NO_REACH:
            data["reach"] = {"shares": self.reach.shares, "likes": self.reach.likes}
        if self.attachments:
            data["attachments"] = list(self.attachments)
        if self.geo:
            data["geo"] = {"lat": self.geo.lat, "lon": self.geo.lon}
        if self.deleted:
            data["deleted"] = True
        if self.forgotten:
            data["forgotten"] = True
        return data


#: Every field of a post that we know.
FIELDS: Final = frozenset(
    {
        "id",
        "text",
        "created_at",
        "channel",
        "org",
        "author",
        "in_reply_to",
        "url",
        "reach",
        "attachments",
        "geo",
        "deleted",
        "forgotten",
    }
)
_NO_REACH: Final = Reach()


def clean(text: str) -> str:
    r"""Normalise text at the door: NFC, no controls, no lone surrogates, no invisible marks.

    >>> clean("Brand\u200b!\ud83d")
    'Brand!'
    """
    if not _NOT_PLAIN.search(text):
        return text
    text = _SURROGATE_PAIR.sub(_join_surrogates, text)
    text = _REMOVED.sub("", _LINE_BREAKS.sub("\n", text))
    if _MAYBE_MARK.search(text):
        text = _MARK_RUN.sub(r"\1", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _join_surrogates(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


# -- fields --------------------------------------------------------------------------------------


def _string(
    data: Mapping[str, Any], name: str, limit: int | None, *, required: bool = False, path: str = ""
) -> str:
    value = data.get(name)
    if value is None:
        if required:
            raise InvalidPost(path or name, "ontbreekt")
        return ""
    if not isinstance(value, str):
        raise InvalidPost(path or name, "geen tekst")
    if limit is not None and len(value) > limit:
        raise InvalidPost(path or name, f"langer dan {limit} tekens")
    return value


def _identifier(data: Mapping[str, Any], name: str, path: str = "") -> str | None:
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    elif value is not None and not isinstance(value, str):
        raise InvalidPost(path or name, "geen tekst of geheel getal")
    if value is None:
        return None
    if len(value) > ID_LIMIT:
        raise InvalidPost(path or name, f"langer dan {ID_LIMIT} tekens")
    return clean(value).strip() or None


def _boolean(data: Mapping[str, Any], name: str) -> bool:
    value = data.get(name, False)
    if not isinstance(value, bool):
        raise InvalidPost(name, "geen true of false")
    return value


def _count(data: Mapping[str, Any], name: str, path: str) -> int:
    value = data.get(name)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidPost(path, "geen geheel getal")
    if not 0 <= value <= COUNT_LIMIT:
        raise InvalidPost(path, f"niet tussen 0 en {COUNT_LIMIT}")
    return value


def _nested(data: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = data.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise InvalidPost(name, "geen JSON-object")


def _author(data: Mapping[str, Any]) -> Author | None:
    value = _nested(data, "author")
    if value is None:
        return None
    identifier = _identifier(value, "id", "author.id")
    name = clean(_string(value, "name", NAME_LIMIT, path="author.name"))
    followers = _count(value, "followers", "author.followers")
    if identifier is None and not name and not followers:
        return None
    return Author(id=identifier or "", name=name, followers=followers)


def _reach(data: Mapping[str, Any]) -> Reach:
    value = _nested(data, "reach")
    if value is None:
        return _NO_REACH
    return Reach(
        shares=_count(value, "shares", "reach.shares"), likes=_count(value, "likes", "reach.likes")
    )


def _geo(data: Mapping[str, Any]) -> Geo | None:
    value = _nested(data, "geo")
    if value is None:
        return None
    degrees = []
    for name, limit in (("lat", 90), ("lon", 180)):
        number = value.get(name)
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise InvalidPost(f"geo.{name}", "geen getal")
        if not -limit <= number <= limit:
            raise InvalidPost(f"geo.{name}", f"niet tussen -{limit} en {limit}")
        degrees.append(float(number))
    return Geo(lat=degrees[0], lon=degrees[1])


def _attachments(data: Mapping[str, Any]) -> tuple[str, ...]:
    value = data.get("attachments")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidPost("attachments", "geen lijst")
    if len(value) > ATTACHMENT_LIMIT:
        raise InvalidPost("attachments", f"meer dan {ATTACHMENT_LIMIT}")
    if not all(isinstance(item, str) and len(item) <= URL_LIMIT for item in value):
        raise InvalidPost("attachments", f"geen tekst van hooguit {URL_LIMIT} tekens")
    return tuple(clean(item) for item in value)


_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?"
)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_EPOCH: Final = 253_402_300_799.0


def _time(data: Mapping[str, Any], received_at: datetime) -> datetime:
    """Give the time of writing: aware (no zone means UTC) and never after receipt."""
    value = data.get("created_at")
    if value is None:
        return received_at
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= _LATEST_EPOCH:
            raise InvalidPost("created_at", "geen tijd in seconden sinds 1970")
        moment = _EARLIEST + timedelta(seconds=value)
    elif isinstance(value, str):
        if not _RFC_3339.fullmatch(value):
            raise InvalidPost("created_at", "geen tijd volgens RFC 3339")
        try:
            moment = datetime.fromisoformat(value.upper().replace(",", "."))
        except ValueError:
            raise InvalidPost("created_at", "geen bestaande tijd") from None
    else:
        raise InvalidPost("created_at", "geen tijd volgens RFC 3339")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(moment, received_at)


def _content_digest(data: Mapping[str, Any], post: Post) -> str:
    """Digest what the sender gave, so that the same bytes sent twice are one post."""
    author = post.author.id if post.author else ""
    given = "" if data.get("created_at") is None else post.created_at.isoformat()
    said = (
        post.text,
        post.channel,
        post.org,
        author,
        given,
        post.in_reply_to or "",
        post.url or "",
    )
    return hashlib.sha256("\x00".join((*said, *post.attachments)).encode()).hexdigest()[:32]
