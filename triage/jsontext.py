"""Strict JSON: one object, no key twice, no NaN, bounded depth, exact offsets.

The standard library's decoder, because the faster ones merge keys that stand twice in silence and
refuse half of an emoji pair, which a sender's mistake must not cost a citizen.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from triage.errors import InvalidPost

#: The deepest nesting that is read.
DEPTH_LIMIT: Final = 32


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse the bytes of one JSON object, strictly: no NaN, no key twice, bounded depth.

    Raises :class:`InvalidPost` with the byte offset where parsing stopped.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidPost("", "geen geldige UTF-8", offset=error.start) from None
    if not text.strip():
        raise InvalidPost("", "leeg", offset=0)
    _bound_depth(text)
    try:
        data = _DECODER.decode(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        raise InvalidPost("", "geen geldige JSON", offset=offset) from None
    except RecursionError:
        raise InvalidPost("", f"dieper genest dan {DEPTH_LIMIT}") from None
    except ValueError:  # an integer of more digits than Python reads
        raise InvalidPost("", "getal buiten bereik") from None
    if not isinstance(data, dict):
        raise InvalidPost("", "geen JSON-object", offset=0)
    return data


def _bound_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= DEPTH_LIMIT:
        return
    depth = 0
    for match in _NESTING.finditer(text):
        mark = match[0]
        if mark in "{[":
            depth += 1
            if depth > DEPTH_LIMIT:
                offset = len(text[: match.start()].encode())
                raise InvalidPost("", f"dieper genest dan {DEPTH_LIMIT}", offset=offset)
        elif mark in "}]":
            depth -= 1


# Strings are skipped whole: a bracket in a text is no nesting. Possessive, so that no input
# backtracks; an unclosed string ends the scan and is left to the parser.
_NESTING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)


# A name that may stand in a message: no sender can put a telephone number into our logs by it.
_FIELD_NAME: Final = re.compile("[a-z_]{1,20}")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                field = name if _FIELD_NAME.fullmatch(name) else ""
                raise InvalidPost(field, "veld staat er twee keer in")
            seen.add(name)
    return data


def _no_constant(_: str) -> NoReturn:
    raise InvalidPost("", "NaN en Infinity zijn geen JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_no_constant, strict=False
)


def storable(value: Any) -> Any:  # noqa: ANN401 - JSON values
    r"""Give a JSON value as any store can keep it: half of an emoji pair and huge numbers mended.

    >>> storable({"a": ["\ud83d!", 10**30]})
    {'a': ['?!', '1000000000000000000000000000000']}
    """
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return value
