"""Check digits: the eleven-test of a citizen service number and the remainder of an account."""

from __future__ import annotations

from typing import Final

_BSN_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_BSN_LENGTHS: Final = (8, 9)
_ELEVEN: Final = 11
_IBAN_MODULUS: Final = 97
#: How long an account number is, by country.
IBAN_LENGTHS: Final = {
    "NL": 18, "BE": 16, "DE": 22, "FR": 27, "GB": 22, "ES": 24, "IT": 27, "PL": 28, "TR": 26,
    "LU": 20, "AT": 20, "CH": 21, "PT": 25, "IE": 22, "DK": 18, "SE": 24, "NO": 15, "FI": 18,
    "RO": 24, "BG": 22, "HU": 28, "CZ": 24, "SK": 24, "GR": 27, "HR": 21, "SI": 19, "LT": 20,
    "LV": 21, "EE": 20, "UA": 29, "MT": 31, "CY": 28,
}  # fmt: skip


def digits(text: str) -> str:
    """Give the digits of a text."""
    return "".join(char for char in text if char.isdecimal())


def is_bsn(number: str) -> bool:
    """Say whether eight or nine digits pass the eleven-test of a citizen service number.

    >>> is_bsn("111222333"), is_bsn("111222334"), is_bsn("1112.22.333")
    (True, False, True)
    """
    found = digits(number)
    if len(found) not in _BSN_LENGTHS:
        return False
    values = [int(digit) for digit in found.zfill(len(_BSN_WEIGHTS))]
    total = sum(w * d for w, d in zip(_BSN_WEIGHTS, values, strict=True))
    return any(values) and total % _ELEVEN == 0


def is_iban(number: str) -> bool:
    """Say whether the check digits of an account number are right.

    >>> is_iban("NL91 ABNA 0417 1643 00"), is_iban("NL92ABNA0417164300")
    (True, False)
    """
    compact = "".join(filter(str.isalnum, number)).upper()
    if IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    moved = compact[4:] + compact[:4]
    try:
        value = int("".join(str(int(char, 36)) for char in moved))
    except ValueError:
        return False
    return value % _IBAN_MODULUS == 1
