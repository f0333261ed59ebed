"""What becomes of a ticket whose sender withdrew its post, or asked to be forgotten. Pure.

Both are one thing, a post with ``deleted``; with ``forgotten`` nothing is left of who wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from triage.queue import Action, Entry
from triage.queue.bundling import without_text
from triage.queue.document import (
    MASK,
    Stored,
    history_item,
    is_deleted,
    is_late,
    without_expired_lease,
)
from triage.queue.merge import bound_history, fresh
from triage.queue.replies import author_of

#: What stays of a post that was withdrawn, and of one whose author was forgotten.
_KEPT_OF_WITHDRAWN: Final = ("id", "created_at", "channel", "org", "author", "in_reply_to", "url")
_KEPT_OF_FORGOTTEN: Final = ("created_at", "channel", "org")


def masked(stored: Stored, entry: Entry, now: int) -> Stored:
    """Take out what a sender withdrew, also from the history and the texts of its bundle.

    An edit that came after the withdrawal stands.
    """
    stands = stored.doc if wrote_since(stored, entry) else b""
    bundle = stored.bundle
    if bundle and not is_deleted(stored.doc):
        bundle = bundle.without_first_text(stands)
    history = mask_history(stored.history)
    forgotten = entry.post.forgotten and not stands
    if forgotten:
        bundle = bundle and bundle.without_author(author_of(stored.doc), stored.id)
        history = _without_answers(history)
    return replace(
        without_expired_lease(stored, now),
        version=stored.version + 1,
        doc=stands or _mask_document(stored, entry, forgotten=forgotten),
        bundle=bundle,
        history=bound_history((*history, history_item(now, Action.DELETED, ""))),
    )


def wrote_since(stored: Stored, entry: Entry) -> bool:
    """Tell whether the sender wrote something else after the withdrawal."""
    return is_late(stored.doc, entry) and not is_deleted(stored.doc)


def without_words(lead: Stored, member: Stored, entry: Entry) -> Stored:
    """Give a bundle without what one inside it withdrew, and without who that was if forgotten."""
    if not is_deleted(member.doc):
        lead = without_text(lead, member)
    if lead.bundle and entry.post.forgotten:
        bundle = lead.bundle.without_author(author_of(member.doc), member.id)
        lead = replace(lead, version=lead.version + 1, bundle=bundle)
    return lead


def withdrawn_unseen(entry: Entry, now: int) -> Stored:
    """Make the ticket of a post that was withdrawn before it came, so that it stays unread.

    Resolved from the start: it stands in no queue.
    """
    return replace(masked(fresh(entry, None), entry, now), resolved=now)


def tells_nothing(stored: Stored, entry: Entry) -> bool:
    """Tell whether a post is a deletion once more, or older than what took it away."""
    if is_deleted(stored.doc):
        if entry.post.deleted:
            return not entry.post.forgotten or _post_of(stored.doc).get("forgotten", False)
        return is_late(stored.doc, entry)
    if not entry.post.deleted or not is_late(stored.doc, entry):
        return False
    return mask_history(stored.history) == stored.history


def mask_history(history: Sequence[bytes]) -> tuple[bytes, ...]:
    """Take the earlier texts out of a history."""
    items = [orjson.loads(item) for item in history]
    return tuple(
        orjson.dumps({**item, "text": MASK}) if "text" in item else raw
        for item, raw in zip(items, history, strict=True)
    )


def _without_answers(history: Sequence[bytes]) -> tuple[bytes, ...]:
    """Take out what was answered to somebody; what colleagues noted is theirs."""
    kept = []
    for raw in history:
        item = orjson.loads(raw)
        if "reply" in item or "link" in item:
            item.pop("link", None)
            item["reply"] = MASK
            kept.append(orjson.dumps(item))
        else:
            kept.append(raw)
    return tuple(kept)


def _mask_document(stored: Stored, entry: Entry, *, forgotten: bool) -> bytes:
    """Take out what the sender said: text, attachments, place, unknown fields, telling tokens.

    Of who was forgotten not even the post's own id stays: a channel may make it of a number.
    """
    data = orjson.loads(stored.doc)
    names = _KEPT_OF_FORGOTTEN if forgotten else _KEPT_OF_WITHDRAWN
    post = {name: value for name, value in data["post"].items() if name in names}
    if forgotten:
        post |= {"id": stored.id, "forgotten": True}
    data["post"] = {**post, "text": MASK, "deleted": True}
    before = datetime.fromisoformat(data.get("withdrawn_at", data["created_at"]))
    data["withdrawn_at"] = max(before, entry.received_at).isoformat()
    data["assessment"]["reasons"] = []
    data["assessment"].pop("places", None)
    data["assessment"]["urgency_reasons"] = []
    return orjson.dumps(data)


def _post_of(doc: bytes) -> dict[str, Any]:
    post: dict[str, Any] = orjson.loads(doc)["post"]
    return post
