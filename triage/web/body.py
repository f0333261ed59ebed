"""Posts from the body of a request: cut a list into its elements, decode each, encode it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from triage.errors import InvalidPost
from triage.log import NewRecord
from triage.log.posts import new_record
from triage.post import Post
from triage.web.problems import Fault, fault_of

#: Reasons that say the body is no JSON at all.
_NO_JSON: Final = frozenset({"geen geldige JSON", "geen geldige UTF-8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a body held: posts and their records, or what is wrong with them."""

    posts: tuple[Post, ...] = ()
    records: tuple[NewRecord, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The ids of the posts, in order."""
        return [post.id for post in self.posts]

    @property
    def malformed(self) -> bool:
        """Whether the body is no JSON, rather than JSON that holds a bad post."""
        return any(fault.reason in _NO_JSON for fault in self.faults)


def decode(body: bytes, *, received_at: datetime, limit: int) -> Decoded:
    """Read one post or a list of at most ``limit``; everything that is wrong is told at once."""
    if not body.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"["):
        return _decoded([(None, 0, body)], received_at)
    try:
        elements = list(_elements(body, limit))
    except InvalidPost as error:
        return Decoded(faults=(fault_of(error),))
    if not elements:
        return Decoded(faults=(Fault(reason="lege lijst"),))
    return _decoded(elements, received_at)


#: The index in a list (None: no list), where it begins in the body, and its bytes.
_Element = tuple[int | None, int, bytes]


def _decoded(elements: list[_Element], received_at: datetime) -> Decoded:
    posts: list[Post] = []
    records: list[NewRecord] = []
    faults: list[Fault] = []
    for index, start, raw in elements:
        try:
            post = Post.decode(raw, received_at=received_at)
            records.append(new_record(post))
        except InvalidPost as error:
            faults.append(fault_of(error, index=index, start=start))
        else:
            posts.append(post)
    if faults:
        return Decoded(faults=tuple(faults))
    return Decoded(posts=tuple(posts), records=tuple(records))


# -- lists ---------------------------------------------------------------------------------------

# Everything up to the next bracket outside a string; possessive, so that nothing backtracks.
_INSIDE: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+(?:"|\Z))*+', re.DOTALL)
# The same, up to the comma or bracket that ends an element which is no object or list.
_PLAIN: Final = re.compile(rb'(?:[^",{}\[\]]++|"(?:[^"\\]++|\\.)*+(?:"|\Z))*+', re.DOTALL)
_BLANK: Final = b" \t\r\n"


def _elements(body: bytes, limit: int) -> Iterator[_Element]:
    """Cut a JSON list into its elements, without reading what stands in them.

    Raises InvalidPost where the list itself is broken. What is wrong within an element is found
    when that is decoded, so each error knows its index.
    """
    position = body.index(b"[") + 1
    for index in range(limit + 1):
        start = position
        position = _end_of(body, start)
        if position >= len(body):
            raise _malformed(len(body))
        element = body[start:position]
        last = body[position] == _CLOSE
        position += 1
        if not element.strip(_BLANK):
            if index or not last:
                raise _malformed(position - 1)
            break
        if index == limit:
            raise InvalidPost("", f"meer dan {limit} berichten")
        yield index, start, element
        if last:
            break
    rest = body[position:].lstrip(_BLANK)
    if rest:
        raise _malformed(len(body) - len(rest))


def _malformed(offset: int) -> InvalidPost:
    return InvalidPost("", "geen geldige JSON", offset=offset)


_CLOSE: Final = ord("]")


def _end_of(body: bytes, start: int) -> int:
    """Give where the comma or bracket stands that ends an element."""
    position, depth = start, 0
    while position < len(body):
        found = (_INSIDE if depth else _PLAIN).match(body, position)
        assert found is not None  # both may match nothing
        position = found.end()
        if position >= len(body):
            break
        mark = body[position : position + 1]
        if mark in b"{[":
            depth += 1
        elif not depth:  # a comma, the list's own end, or a brace too many
            if mark != b"}":
                return position
        else:
            depth -= 1
        position += 1
    return len(body)
