"""Pointers: small files that name a version, replaced as a whole so that no reader sees half."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, Literal

from triage.errors import InvalidModel, Refused

Pointer = Literal["current", "shadow"]

#: How a version is spelled: it is the name of a folder, and stands in metrics.
VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked(version: str) -> str:
    """Give a version back that may be the name of a folder. Raises InvalidModel."""
    if not VERSION.fullmatch(version) or ".." in version:
        raise InvalidModel("een versie bestaat uit letters, cijfers, . _ en -", code="model-name")
    return version


def read_pointer(folder: Path, name: Pointer) -> str | None:
    """Give the version that a pointer names; None where there is none. Raises InvalidModel."""
    try:
        text = (folder / name).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise InvalidModel(f"{name}: niet te lezen", code="models-unreadable") from None
    return checked(text) if text else None


def write_pointer(folder: Path, name: Pointer, version: str | None) -> None:
    """Let a pointer name a version, or nothing. Raises Refused where the folder is read-only."""
    text = f"{checked(version)}\n" if version else "\n"
    replace_file(folder / name, text.encode())


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file in one step, which a power cut does not halve. Raises Refused.

    ``durable`` False: a power cut may take the whole step back.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        fresh.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        message = f"{path.parent}: hier kan niet geschreven worden ({error.strerror})"
        raise Refused(message, code="models-unwritable") from None


def sync_folder(folder: Path) -> None:
    """See that the names in a folder are on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_of(folder: Path, name: Pointer) -> tuple[int, int, int]:
    """Give what changes whenever a pointer does: one ``stat``."""
    try:
        status = (folder / name).stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)
