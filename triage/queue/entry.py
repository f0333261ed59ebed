"""What goes into a queue: a post, judged and routed, with what it may have to do with others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triage.bundle import Signature
from triage.post import Post
from triage.ticket import Assessment, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundling:
    """How a post may be bundled with its copies."""

    signature: Signature
    #: How long after the last copy of a bundle another one joins it, in seconds.
    window: int
    #: A copy equal to what was answered already gets the same answer.
    answer_copies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a post answers, and who may join the talk."""

    #: The ticket of the post that it answers.
    to: str
    #: Others than the author join as well, when they write about the same subject.
    others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A post, judged and routed, on its way into a queue."""

    ticket_id: str
    post: Post
    assessment: Assessment
    route: Route
    received_at: datetime
    #: The partition it was read from; None outside a stream (``rebuild``).
    partition: str | None = None
    #: What the language step adds to the ticket: ``lang``, and where it is about, the most exact
    #: place first.
    lang: str = "nl"
    places: tuple[str, ...] = ()
    #: None: it gets a ticket of its own, whatever it says.
    bundling: Bundling | None = None
    #: What it answers; None: nothing, or it stands by itself all the same.
    reply: Reply | None = None
    #: A key figure wrote it: then a person looks, whatever was answered or muted.
    key_figure: bool = False
    #: How many edits were seen by who resolved its ticket with this post in it, as the outcomes log
    #: says (``rebuild``): it opens nothing that is resolved. None: nobody did.
    decided: int | None = None
