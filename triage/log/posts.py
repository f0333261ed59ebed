"""A post on its way into the log."""

from __future__ import annotations

import orjson

from triage.errors import InvalidPost
from triage.log import NewRecord, post_record
from triage.post import SIZE_LIMIT, Post


def new_record(post: Post) -> NewRecord:
    """Give the record of a post, cleaned and with its time, so that it reads the same again.

    Raises :class:`InvalidPost` for one that has grown over the limit by that: a worker would not
    read it.
    """
    raw = orjson.dumps(post.to_mapping())
    if len(raw) > SIZE_LIMIT:
        raise InvalidPost("", f"groter dan {SIZE_LIMIT} bytes")
    return post_record(raw, post.author.id if post.author else None)
