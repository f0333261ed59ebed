"""What takes personal data out of an export, and names authors without telling who they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from triage import privacy
from triage.errors import Refused
from triage.language.entities import find

#: The file in the data folder that keeps pseudonyms of authors the same from export to export.
KEY_FILE: Final = "export.key"
_KEY_BYTES: Final = 32


class Masker(Protocol):
    """Takes personal data out of a text; the same value gets the same mask within one export."""

    def mask(self, text: str, *, known: Iterable[str] = ()) -> str:
        """Give the text without personal data; ``known`` are names that must not stand in it."""
        ...


def masker_of() -> Masker:
    """Give what masks one export: pseudonyms of another one are others."""
    return PersonalMasker(secrets.token_bytes(_KEY_BYTES))


class PersonalMasker:
    """Masks what :mod:`triage.privacy` finds; pseudonyms hold within one export.

    >>> PersonalMasker(b"k" * 32).mask("Ik ben Jan de Vries, bel 06-12345678")
    'Ik ben [NAAM-1], bel [TELEFOON-1]'
    """

    def __init__(self, secret: bytes) -> None:
        self._masker = privacy.Masker(secret, find)

    def mask(self, text: str, *, known: Iterable[str] = ()) -> str:
        """Give the text without personal data."""
        return self._masker.mask(text, known=tuple(known)).text


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
            raise Refused(f"{path}: {error.strerror}", code="no-key") from None
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
        raise Refused(f"{path}: {error.strerror}", code="no-key") from None
    if len(key) < _KEY_BYTES:
        raise Refused(f"{path}: geen sleutel van {_KEY_BYTES} bytes", code="no-key")
    return key
