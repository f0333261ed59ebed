"""The record of a post, made once for all who append one."""

from __future__ import annotations

import json

import orjson

from triage.errors import InvalidPost
from triage.log import NewRecord, post_record
from triage.post import SIZE_LIMIT, Post


def new_record(post: Post) -> NewRecord:
    """Give the record of a post, keyed by its author: an author's posts stay in order.

    Raises InvalidPost for a post that is larger than a reader takes: what is cleaned and completed
    may have grown.
    """
    data = post.to_mapping()
    try:
        value = orjson.dumps(data)
    except TypeError:  # half an emoji pair or a very large number in a field that we don't know
        value = json.dumps(data).encode()
    if len(value) > SIZE_LIMIT:
        raise InvalidPost("", f"groter dan {SIZE_LIMIT} bytes", offset=SIZE_LIMIT)
    return post_record(value, post.author.id if post.author else None)
