"""Forget an author: withdraw all of its posts, in the queue store and for good in the log.

It goes the way of a withdrawal by the sender (``Post.deleted``, with ``forgotten``), so whoever
comes after reads nothing: a worker that still had a post in hand, a rebuild, an export. A log that
can't take records out (Kafka) gets the withdrawals besides, and keeps the text until its retention.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

import orjson

from triage.errors import InvalidPost
from triage.log import POST_TOPICS, Log, NewRecord, Record, Topic, scan_posts
from triage.pipeline import Received
from triage.post import Post
from triage.queue import Entry, Queue
from triage.queue.mute import author_key

_BATCH: Final = 500
#: Who ends the mutes.
_BY: Final = "vergeten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done."""

    #: Tickets of which nothing is left but what people decided.
    tickets: int
    #: Records of the log that held the author's posts, or bytes that name it.
    records: int
    #: Those records are gone; False: they stay until the log's retention takes them.
    erased: bool
    #: Posts that came in meanwhile: forget once more.
    left: int
    #: Mutes that are ended: nobody knows any more whom they were for.
    mutes: int


@dataclass(slots=True)
class _Found:
    """What the log has of an author."""

    records: list[Record] = field(default_factory=list)
    #: The withdrawals of its posts by their id, and when the last of each came in.
    posts: dict[str, Post] = field(default_factory=dict)
    last: dict[str, datetime] = field(default_factory=dict)


def forget(
    log: Log,
    queue: Queue,
    org: str,
    author: str,
    *,
    org_of: Callable[[Post], str],
    judge: Callable[[Sequence[Received]], Sequence[Entry]],
    clock: Callable[[], datetime],
) -> Forgotten:
    """Forget an author (its id) of an organisation. Safe to do again. Raises Unavailable."""
    found, known = _in_log(log, org, author, org_of), forgotten_posts(log)
    stored = {str(post["id"]): _withdrawal(post) for post in queue.posts_by(org, author)}
    at = clock()
    for batch in _batches((found.posts | stored).values()):
        entries = judge([Received(post=post, received_at=at) for post in batch])
        queue.put(org, entries, now=at, request=uuid.uuid4().hex)
    erased = log.erase(found.records)
    if not erased:
        last = found.last
        new = [post for post in found.posts.values() if not _covers(known, post, last[post.id])]
        for batch in _batches(new):
            log.append(Topic.POSTS, [NewRecord(value=orjson.dumps(p.to_mapping())) for p in batch])
    return Forgotten(
        tickets=len(stored),
        records=len(found.records),
        erased=erased,
        left=len(queue.posts_by(org, author)),
        mutes=_unmute(queue, org, _keys(org, author, (found.posts | stored).values()), at),
    )


def _keys(org: str, author: str, posts: Iterable[Post]) -> frozenset[str]:
    """Give by what mutes know an author: on each channel by something else."""
    return frozenset(author_key(org, post.channel, author) for post in posts)


def _unmute(queue: Queue, org: str, authors: Collection[str], now: datetime) -> int:
    """End the mutes that stand for these authors; count them."""
    standing = [one for one in queue.mutes(org) if one.stands(now) and one.author in authors]
    for mute in standing:
        queue.unmute(mute.id, by=_BY, now=now, request=uuid.uuid4().hex)
    return len(standing)


#: Of posts that were forgotten, by organisation and id as their senders gave them: when.
ForgottenPosts = Mapping[tuple[str, str], datetime]


def forgotten_posts(log: Log) -> ForgottenPosts:
    """Find what a log was told to forget."""
    found: dict[tuple[str, str], datetime] = {}
    for record in scan_posts(log):
        if b'"forgotten"' not in (record.value or b""):
            continue
        post = _decoded(record)
        if post is not None and post.forgotten:
            found[post.org, post.id] = record.at
    return found


def is_forgotten(forgotten: ForgottenPosts, received: Received) -> bool:
    """Tell whether a post was forgotten after it came in."""
    post = received.post
    return not post.deleted and _covers(forgotten, post, received.received_at)


def _covers(forgotten: ForgottenPosts, post: Post, at: datetime) -> bool:
    since = forgotten.get((post.org, post.id))
    return since is not None and since >= at


def _in_log(log: Log, org: str, author: str, org_of: Callable[[Post], str]) -> _Found:
    found = _Found()
    named = _named(author)
    for topic in (*POST_TOPICS, Topic.DEAD_LETTER):
        for record in log.scan(topic):
            post = _decoded(record) if topic in POST_TOPICS else None
            if post is None:
                if record.key == author.encode() or named.search(record.value or b""):
                    found.records.append(record)
            elif post.author and post.author.id == author and org_of(post) == org:
                found.records.append(record)
                found.posts[post.id] = _withdrawal(post.to_mapping())
                found.last[post.id] = max(found.last.get(post.id, record.at), record.at)
    return found


def _named(author: str) -> re.Pattern[bytes]:
    """Find who wrote what is no post: as far as can be seen in bytes that are broken somewhere."""
    ways = {json.dumps(author), json.dumps(author, ensure_ascii=False), author}
    spelled = b"|".join(re.escape(way.encode()) for way in ways)
    return re.compile(rb'"author"\s*:\s*\{[^{}]*?"id"\s*:\s*(?:' + spelled + rb")\s*(?:[,}]|\Z)")


def _decoded(record: Record) -> Post | None:
    try:
        return Post.decode(record.value or b"", received_at=record.at)
    except InvalidPost:
        return None


def _withdrawal(post: Mapping[str, Any]) -> Post:
    """Give what withdraws a post and says nothing of who wrote it."""
    return Post(
        id=str(post["id"]),
        text="",
        created_at=datetime.fromisoformat(post["created_at"]),
        channel=str(post["channel"]),
        org=str(post.get("org", "")),
        deleted=True,
        forgotten=True,
    )


def _batches(posts: Iterable[Post]) -> Iterator[list[Post]]:
    rest = iter(posts)
    while batch := list(islice(rest, _BATCH)):
        yield batch
