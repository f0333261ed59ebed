"""Posts that nobody has labelled, judged anew and picked to be labelled, as rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from triage.labels.active import Candidate, pick
from triage.labels.export import base_row, read_posts
from triage.labels.masking import Masker, Pseudonyms
from triage.labels.rows import HEADS, Row
from triage.labels.said import Said
from triage.log import Log
from triage.pipeline import Received
from triage.post import Post
from triage.queue import Entry
from triage.reading import Reading
from triage.ticket import org_of

_BATCH: Final = 500


class Judge(Protocol):
    """What we need of a pipeline."""

    def org_of(self, post: Post) -> str:
        """Name the organisation of a post."""
        ...

    def judge_with_readings(self, batch: Sequence[Received]) -> Sequence[tuple[Entry, Reading]]:
        """Judge a batch."""
        ...


def select(
    log: Log,
    judge: Judge,
    count: int,
    *,
    known: frozenset[str],
    masker: Masker,
    names: Pseudonyms,
    org: str | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> list[Row]:
    """Pick posts of the log to label next; ``known`` are the model's words. Raises Unavailable."""
    said = Said(limit=sys.maxsize)
    said.update(log)
    picked = pick(
        _candidates(log, judge, said.labelled(org), org, progress),
        count,
        known=known,
        labelled=said.topics(org),
    )
    return [_row(candidate, why, masker, names) for candidate, why in picked]


def _candidates(
    log: Log,
    judge: Judge,
    labelled: frozenset[str],
    org: str | None,
    progress: Callable[[int], None],
) -> Iterator[Candidate]:
    newest: dict[str, Received] = {}
    for ticket, post, at in read_posts(log, judge.org_of):
        if ticket in labelled or (org is not None and org_of(ticket) != org):
            continue
        if post.deleted or not post.text.strip():
            newest.pop(ticket, None)
        else:
            newest[ticket] = Received(post=post, received_at=at)
    waiting = list(newest.values())
    for start in range(0, len(waiting), _BATCH):
        for entry, reading in judge.judge_with_readings(waiting[start : start + _BATCH]):
            yield Candidate(
                ticket=entry.ticket_id,
                post=entry.post,
                reading=reading,
                assessment=entry.assessment,
            )
        progress(start)


def _row(candidate: Candidate, why: str, masker: Masker, names: Pseudonyms) -> Row:
    judged = candidate.assessment
    predicted = (judged.topic, judged.urgency.value, judged.intent)
    return Row(
        **base_row(candidate.ticket, candidate.post, masker, names),
        lang=candidate.reading.lang,
        predicted=dict(zip(HEADS, predicted, strict=True)),
        confidence=judged.confidence,
        abstained=judged.abstained,
        model=judged.model,
        sampled=why,
    )
