"""Open tickets that are most worth a person's label: what ``triage export --uncertain`` picks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from triage.errors import InvalidPost
from triage.labels.active import Candidate, pick
from triage.post import Post
from triage.reading import Reading
from triage.ticket import Assessment, Ticket


def offer(
    tickets: Iterable[Ticket],
    count: int,
    *,
    read: Callable[[Sequence[Post]], Sequence[Reading]],
    known: frozenset[str],
    labelled: Mapping[str, int],
) -> list[tuple[str, str]]:
    """Choose tickets, each with why, by what the model said when they came in.

    ``known`` and ``labelled`` are as :func:`triage.labels.active.pick` takes them. A ticket whose
    text was withdrawn is passed over.
    """
    posts = [(ticket, post) for ticket in tickets if (post := _post_of(ticket))]
    readings = read([post for _, post in posts])
    candidates = (
        Candidate(
            ticket=ticket.id,
            post=post,
            reading=reading,
            assessment=Assessment.from_mapping(ticket.assessment),
        )
        for (ticket, post), reading in zip(posts, readings, strict=True)
    )
    picked = pick(candidates, count, known=known, labelled=labelled)
    return [(candidate.ticket, why) for candidate, why in picked]


def _post_of(ticket: Ticket) -> Post | None:
    try:
        post = Post.from_mapping(ticket.post, received_at=ticket.created_at)
    except InvalidPost:
        return None
    return post if post.text.strip() and not post.deleted else None
