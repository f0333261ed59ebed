"""Open the queue that an address names."""

from __future__ import annotations

from pathlib import Path

from triage.errors import Refused
from triage.queue import Queue


def open_queue(url: str, *, allow_volatile: bool = False) -> Queue:
    """Open ``sqlite:///path``, ``redis://…``, ``rediss://…`` or ``redis+cluster://…``.

    Connects at the first call; call ``check`` before anything else. Raises Refused for any other
    address, without repeating it (it may hold a password).
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        from triage.queue.sqlite import SqliteQueue  # noqa: PLC0415 - no redis-py where it's not used

        path = rest.removeprefix("/")
        if not path:
            message = "het adres van de queue noemt geen bestand: sqlite:///map/triage.db"
            raise Refused(message)
        return SqliteQueue(Path(path))
    from triage.queue.redis import RedisQueue  # noqa: PLC0415 - no SQLite where it's not used

    return RedisQueue(url, allow_volatile=allow_volatile)
