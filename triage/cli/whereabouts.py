"""Where the server of a data folder is reached: it says so in a file, locked while it lives."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

_NAME: Final = "server.address"
_LIMIT: Final = 4096
#: Who only looks holds the lock for a moment: another server would keep it.
_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.05


def tell(data: Path, address: str, stack: ExitStack) -> None:
    """Write down where this process serves, until ``stack`` is closed or the process dies.

    Of two servers on one folder the first is told of. A folder that nobody may write to is no
    reason not to serve.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(data / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return
    stack.callback(os.close, handle)
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, address.encode(), 0)
            return


def told(data: Path) -> str | None:
    """Give where the server of a folder is reached; None: none runs that told it.

    What a server left behind that is no more counts for nothing: its lock went with it.
    """
    try:
        handle = os.open(data / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, _LIMIT, 0).decode() or None
    finally:
        os.close(handle)
    return None
