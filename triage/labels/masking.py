"""What takes personal data out of an export, and names authors without telling who they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from triage.errors import Refused

#: The file in the data folder that keeps pseudonyms of authors the same from export to export.
KEY_FILE: Final = "export.key"
_KEY_BYTES: Final = 32


class Masker(Protocol):
    """Takes personal data out of a text; the same value gets the same mask within one export."""

    def mask(self, text: str, *, known: Iterable[str] = ()) -> str:
        """Give the text without personal data; ``known`` are names that must not stand in it."""
        ...


def masker_of() -> Masker:
    """Give what masks in this deployment."""
    return StrictMasker()


class StrictMasker:
    """Masks by shape alone, rather too much than too little.

    It stands in until the language step finds persons and places: besides what has a shape
    (numbers, addresses, accounts), every run of capitalised words that does not begin a sentence
    is taken for a name.

    >>> StrictMasker().mask("Ik ben Jan de Vries op 06-12345678, Dorpsstraat 12, 3512 AB")
    'Ik ben [naam-1] op [nummer-1], [adres-1], [postcode-1]'
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def mask(self, text: str, *, known: Iterable[str] = ()) -> str:
        """Give the text without personal data."""
        for name in sorted(_parts(known), key=len, reverse=True):
            whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
            text = whole.sub(lambda found: self._mask("naam", found[0]), text)
        for kind, pattern in _SHAPES:
            text = pattern.sub(lambda found, kind=kind: self._mask(kind, found[0]), text)  # type: ignore[misc]
        return text

    def _mask(self, kind: str, value: str) -> str:
        key = (kind, re.sub(r"[\W_]+", "", value).casefold())
        if key not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._known[key] = f"[{kind}-{self._counts[kind]}]"
        return self._known[key]


_NAME: Final = r"[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ'’][\w'’-]*"
_PARTICLE: Final = r"(?:van|de|der|den|het|'t|ten|ter|te|el|al|la|von|di|da)"
_STREET: Final = (
    r"(?:straat|str\.?|laan|weg|plein|gracht|kade|singel|dijk|pad|hof|steeg|dreef|baan|plantsoen"
    r"|park|markt|wal|ring|burg|erf|akker|veld|wijk|kamp|boulevard|allee)"
)
#: Parts of names that are words like any other.
_COMMON: Final = frozenset(
    (
        "van",
        "de",
        "der",
        "den",
        "het",
        "ten",
        "ter",
        "te",
        "el",
        "al",
        "la",
        "von",
        "di",
        "da",
        "en",
    )
)


def _parts(names: Iterable[str]) -> set[str]:
    """Give the words of names that tell who somebody is."""
    words = {word for name in names for word in re.findall(r"[^\W_]{3,}", name)}
    return {word for word in words if word.lower() not in _COMMON}


_MORE: Final = rf"(?:\s+(?:{_PARTICLE}\s+)*{_NAME})"
#: What a name comes after, however it is spelled.
_CUE: Final = (
    r"(?:(?<=\b[Mm]evrouw )|(?<=\b[Mm]eneer )|(?<=\b[Dd]hr\. )|(?<=\b[Mm]w\. )"
    r"|(?<=\b[Mm]vr\. )|(?<=\b[Ff]am\. )|(?<=\b[Ff]amilie )|(?<=\bnaam is )"
    r"|(?<=\b[Ii]k heet )|(?<=\b[Gg]roet )|(?<=\b[Gg]roeten )|(?<=\b[Gg]roet, )"
    r"|(?<=\b[Gg]roeten, )|(?<=\b[Gg]roetjes ))"
)
#: In this order: what is longer or more telling comes first. A mask itself matches none of them.
_SHAPES: Final = tuple(
    (kind, re.compile(pattern, flags))
    for kind, pattern, flags in (
        ("url", r"(?:https?://|www\.)\S+", re.IGNORECASE),
        ("e-mail", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", 0),
        ("account", r"(?<!\w)@[\w.]+", 0),
        (
            "iban",
            r"\b[A-Z]{2}\s?\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b",
            re.IGNORECASE,
        ),
        (
            "adres",
            rf"\b[\w'’-]*{_STREET}\s+\d+(?:\s?[-/]?\s?[a-zA-Z0-9]{{1,4}})?\b",
            re.IGNORECASE,
        ),
        ("postcode", r"\b[1-9]\d{3}\s?[A-Z]{2}\b", re.IGNORECASE),
        (
            "kenteken",
            r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9]{1,3}-[A-Z0-9]{1,3}-[A-Z0-9]{1,3}\b",
            re.IGNORECASE,
        ),
        ("nummer", r"(?<![\w-])(?:\+|00)?\(?\d(?:[\s().-]{0,2}\d){5,}", 0),
        (
            "naam",
            rf"{_CUE}\w+(?:\s+{_PARTICLE})*(?:\s+{_NAME})?",
            0,
        ),
        (
            "naam",
            rf"(?<=[\w,;:]\s){_NAME}{_MORE}*|\b{_NAME}{_MORE}+",
            0,
        ),
    )
)


class Pseudonyms:
    """Names authors and threads by a keyed digest: the same one always alike, none to be found.

    Without the key the ids that exist (telephone numbers, accounts) could be tried one by one.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, data: Path) -> Pseudonyms:
        """Use the deployment's own key, made at its first export. Raises Refused."""
        path = data / KEY_FILE
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_read_key(path))
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from None
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        return cls(_read_key(path))

    def name(self, kind: str, value: str) -> str:
        """Name a value; letters and digits only, so that it can begin an id.

        >>> Pseudonyms(b"0" * 32).name("author", "31612345678")
        'xnk56eccqjrqz4js'
        """
        message = f"{kind}\x00{value}".encode("utf-8", "replace")
        digest = hmac.new(self._key, message, hashlib.sha256).digest()[:10]
        return base64.b32encode(digest).decode().lower()


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    if len(key) < _KEY_BYTES:
        raise Refused(f"{path}: geen sleutel van {_KEY_BYTES} bytes")
    return key
