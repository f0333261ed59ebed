"""From the outcomes log to rows: each joined with its post in the posts' log, masked.

Outcomes hold no text and no author; the post is found by its ticket's id, in the version that the
person had seen. A post that retention took, or that its sender withdrew, gives no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from triage.errors import InvalidPost
from triage.labels.masking import Masker, Pseudonyms
from triage.labels.rows import HEADS, Row, Status
from triage.log import Log, Topic, scan_posts
from triage.post import Post
from triage.queue.document import MASK
from triage.ticket import UNKNOWN, org_of, ticket_id

#: What people did to one ticket, oldest first.
Acts = Sequence[Mapping[str, Any]]
#: Names the organisation of a post (``Pipeline.org_of``).
OrgOf = Callable[[Post], str]


@dataclass(slots=True)
class Export:
    """Rows, and what could not become one."""

    rows: list[Row] = field(default_factory=list)
    #: Tickets whose post is gone from the log, or was withdrawn.
    missing: int = 0


def read_acts(
    log: Log, *, org: str | None = None, since: datetime | None = None
) -> dict[str, list[Mapping[str, Any]]]:
    """Read what people did, per ticket; of tickets that somebody decided on after ``since``."""
    acts: dict[str, dict[str, Mapping[str, Any]]] = {}
    for record in log.scan(Topic.OUTCOMES):
        act = orjson.loads(record.value or b"{}")
        if act.get("id") and (org is None or act["org"] == org):
            acts.setdefault(act["ticket"], {})[act["id"]] = act
    found = {}
    for ticket, own in acts.items():
        ordered = sorted(own.values(), key=order_of)
        if since is None or datetime.fromisoformat(ordered[-1]["at"]) > since:
            found[ticket] = ordered
    return found


def order_of(act: Mapping[str, Any]) -> tuple[int, str]:
    """Give where an act stands among those on its ticket."""
    return (act["version"], act["at"])


def read_posts(log: Log, org_of_post: OrgOf) -> Iterator[tuple[str, Post, datetime]]:
    """Give all posts of the log with the id of their ticket and when they came in."""
    for record in scan_posts(log):
        try:
            post = Post.decode(record.value or b"", received_at=record.at)
        except InvalidPost:
            continue
        yield ticket_id(org_of_post(post), post.id), post, record.at


def export(
    log: Log,
    org_of_post: OrgOf,
    *,
    masker: Masker,
    names: Pseudonyms,
    codebook_of: Callable[[str], str] = lambda _model: "",
    org: str | None = None,
    since: datetime | None = None,
) -> Export:
    """Give a row for every ticket that people decided on, oldest decision first.

    ``codebook_of`` names the codebook of a version of the model. Raises Unavailable.
    """
    acts = read_acts(log, org=org, since=since)
    contents: dict[str, list[Post]] = {}
    # In the order in which they came in: urgent ones stand in a stream of their own.
    for ticket, post, _ in sorted(
        (found for found in read_posts(log, org_of_post) if found[0] in acts),
        key=lambda found: found[2],
    ):
        versions = contents.setdefault(ticket, [])
        if all(post.digest != version.digest for version in versions):
            versions.append(post)
    done = Export()
    for ticket, own in sorted(acts.items(), key=lambda item: (item[1][-1]["at"], item[0])):
        versions = contents.get(ticket, [])
        if not versions or any(post.deleted for post in versions):
            done.missing += 1
            continue
        revision = min(int(own[-1].get("revision", 0)), len(versions) - 1)
        row = _row(ticket, versions[revision], own, masker, names)
        if row is not None:
            done.rows.append(replace(row, codebook=codebook_of(row.model)))
    return done


def base_row(ticket: str, post: Post, masker: Masker, names: Pseudonyms) -> dict[str, Any]:
    """Give what a row says of its post."""
    author = post.author.id if post.author else f"post:{post.id}"
    known = (post.author.name, post.author.id) if post.author else ()
    return {
        "id": ticket,
        "org": org_of(ticket),
        "text": masker.mask(post.text, known=known),
        "channel": post.channel,
        "created_at": post.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:00Z"),
        "author_group": names.name("author", author),
        "thread": names.name("post", post.in_reply_to or post.id),
    }


def _row(ticket: str, post: Post, acts: Acts, masker: Masker, names: Pseudonyms) -> Row | None:
    acts = standing(acts)
    if not acts:
        return None
    last, said = acts[-1], said_of(acts)
    assessed = last["before"]["assessed"]
    predicted = {head: str(assessed[head]) for head in HEADS}
    labels = {head: str(said.get(head, last[head])) for head in HEADS}
    if not post.text.strip() or post.text == MASK or UNKNOWN in labels.values():
        return None
    heads = {head: _status(said.get(head), predicted[head]) for head in HEADS}
    return Row(
        **base_row(ticket, post, masker, names),
        lang=str(assessed.get("lang", "")),
        bundle=str(last.get("bundle") or ""),
        predicted=predicted,
        confidence=float(assessed["confidence"]),
        abstained=bool(assessed.get("abstained", False)),
        model=str(assessed["model"]),
        labels=labels,
        heads=heads,
        status=next(s for s in _BEST_FIRST if s in heads.values()),
        reassigned=any(act["type"] == "reassigned" for act in acts),
        sampled=str(assessed.get("sampled", "")),
        role=str(last.get("role") or ""),
        at=str(last["at"]),
    )


def standing(acts: Acts) -> list[Mapping[str, Any]]:
    """Leave out what was taken back, the taking back, and what mutes did: nobody judged that.

    >>> acts = [{"id": "a", "type": "corrected"}, {"id": "b", "type": "resolved"}]
    >>> [act["id"] for act in standing([*acts, {"id": "c", "type": "undone", "undoes": "b"}])]
    ['a']
    >>> standing([{"id": "d", "type": "resolved", "mute": "leiden.1f"}])
    []
    """
    fallen = {act.get("undoes") for act in acts if act["type"] == "undone"}
    return [
        act
        for act in acts
        if act["type"] != "undone" and not act.get("mute") and act.get("id") not in fallen
    ]


_BEST_FIRST: Final = (Status.CORRECTED, Status.CONFIRMED, Status.UNTOUCHED)


def said_of(acts: Acts) -> dict[str, str]:
    """Give the label that people named last, per head; what a merge of teams moved is none."""
    said: dict[str, str] = {}
    for act in acts:
        said.update(named(act))
    return said


def named(act: Mapping[str, Any]) -> Mapping[str, str]:
    """Give the labels that a person named; of an outcome of before they were kept, what changed."""
    if "said" in act:
        said: Mapping[str, str] = act["said"]
        return said
    before = act["before"]
    return {head: str(act[head]) for head in HEADS if act[head] != before.get(head)}


def _status(said: str | None, predicted: str) -> Status:
    if said is None:
        return Status.UNTOUCHED
    return Status.CONFIRMED if said == predicted else Status.CORRECTED
