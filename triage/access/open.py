"""Open the store of access that belongs to a queue's address."""

from __future__ import annotations

from pathlib import Path

from triage.access import Access


def open_access(queue_url: str) -> Access:
    """Open it beside the queue; connects at the first call."""
    scheme, _, rest = queue_url.partition("://")
    if scheme == "sqlite":
        from triage.access.sqlite import SqliteAccess  # noqa: PLC0415 - no redis-py without Redis

        return SqliteAccess(Path(rest.removeprefix("/")))
    from triage.access.redis import RedisAccess  # noqa: PLC0415 - no SQLite where it's not used

    return RedisAccess(queue_url)
