"""From a piece of text to a token: lower case, folded marks, digits by their shape.

No digit of a telephone number, an account or a plate is ever left in a token, so none can be
learnt, logged or shown: numbers become class tokens such as ``<getal>``, which stand between angle
brackets so that no text can spell one.
"""

from __future__ import annotations

import re
from typing import Final

from triage.language.data import words

URL: Final = "<url>"
EMAIL: Final = "<e-mail>"
MENTION: Final = "<vermelding>"
#: The longest token; a longer one is cut there.
TOKEN_LIMIT: Final = 40

_KEPT: Final = words("numbers.txt")
_ELONGATED: Final = re.compile(r"([^\W\d_])\1{2,}")
_DIGITS: Final = re.compile(r"\d+")
_SHAPES: Final = tuple(
    (re.compile(pattern), token)
    for pattern, token in (
        (r"(?:19|20)\d\d", "<jaar>"),
        (r"\d{1,2}[:.]\d\d(?:u|uur|h)?|\d{1,2}(?:u|uur|h)(?:\d\d)?", "<tijd>"),
        (r"\d{1,2}[-/]\d{1,2}(?:[-/](?:\d\d){1,2})?|\d{4}-\d\d-\d\d", "<datum>"),
        (r"\d{4}[a-z]{2}", "<postcode>"),
        (r"\d{1,3}(?:e|de|ste)", "<rang>"),
        (r"\d{1,7}|\d{1,3}(?:[.,]\d{1,3}){1,3}|\d{1,7}[.,](?:\d\d?|-)", "<getal>"),
        (r"(?:\+|00?)?\d[\d./-]{7,16}", "<telefoon>"),
        (r"[a-z]{2}\d\d[a-z]{4}\d{10}|[a-z]{2}\d\d[a-z]{0,4}\d{4,30}", "<iban>"),
        (r"(?:[a-z]{1,3}|\d{1,3})-(?:[a-z]{1,3}|\d{1,3})-(?:[a-z]{1,3}|\d{1,3})", "<kenteken>"),
        (r"[a-z]{2}\d{3}[a-z]|[a-z]\d{3}[a-z]{2}|\d{2}[a-z]{3}\d|\d[a-z]{3}\d{2}", "<kenteken>"),
    )
)
#: Roads keep their number: it is a place that everybody knows.
_ROAD: Final = re.compile(r"[anse]\d{1,3}")
_FEW_DIGITS: Final = 3


def normalise(piece: str) -> str:
    """Give the token for a piece of text that a cutter has cut; empty only for an empty piece.

    >>> normalise("HEEEELP"), normalise("A28"), normalise("12,50"), normalise("AB-123-C")
    ('heelp', 'a28', '<getal>', '<kenteken>')
    """
    token = piece.lower()
    if not token.isascii():
        token = token.replace("i̇", "i")  # what lower() makes of İ
    if token.isalpha():
        if len(token) > TOKEN_LIMIT:
            token = token[:TOKEN_LIMIT]
        return _ELONGATED.sub(r"\1\1", token)
    if _DIGITS.search(token):
        return _shape(token)
    return _ELONGATED.sub(r"\1\1", token)[:TOKEN_LIMIT]


def _shape(token: str) -> str:
    if token in _KEPT or _ROAD.fullmatch(token):
        return token
    for pattern, name in _SHAPES:
        if pattern.fullmatch(token):
            return name
    if sum(map(str.isdecimal, token)) > _FEW_DIGITS or len(token) > TOKEN_LIMIT:
        return "<code>"
    return _ELONGATED.sub(r"\1\1", _DIGITS.sub("0", token))
