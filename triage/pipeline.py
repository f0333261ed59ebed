"""From posts to queue entries: read, assess, route; and what happens when that fails.

A post that cannot be judged is never dropped and never holds up its batch: it goes to the fallback
team as ``onbekend``, after the safety rules saw the raw text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from triage.bundle import Signature, sign, sign_all
from triage.classify import Classifier, Explanation
from triage.classify.safety import check as safety_check
from triage.errors import InvalidPost
from triage.language import Reader, spans
from triage.log import Record
from triage.post import Post
from triage.profiles import Bundles
from triage.queue import Bundling, Entry, Reply
from triage.reading import Reading
from triage.route import Profile
from triage.ticket import UNKNOWN, Assessment, Urgency, ticket_id

_log = structlog.get_logger()

#: Called with a stage's name and how long a batch spent in it, in seconds.
Observe = Callable[[str, float], None]
#: Called with what a batch became and when it was judged: what is counted beside the judging.
Watch = Callable[[Sequence[tuple[Entry, Reading]], datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A decoded post and where it came from."""

    post: Post
    received_at: datetime
    partition: str | None = None
    offset: int = -1


def decode(
    records: Sequence[Record],
) -> tuple[list[Received], list[tuple[Record, InvalidPost]]]:
    """Decode records into posts; those that are none come back with what is wrong with them.

    Of what was taken out of the log there is nothing to tell.
    """
    received: list[Received] = []
    rejected: list[tuple[Record, InvalidPost]] = []
    for record in records:
        if record.erased:
            continue
        try:
            post = Post.decode(record.value or b"", received_at=record.at)
        except InvalidPost as error:
            rejected.append((record, error))
            continue
        received.append(
            Received(
                post=post,
                received_at=record.at,
                partition=record.partition,
                offset=record.offset,
            )
        )
    return received, rejected


def _ignore(_stage: str, _seconds: float) -> None:
    """Observe nothing."""


class Pipeline:
    """Judges and routes batches of posts, for the organisations of a deployment."""

    def __init__(
        self,
        reader: Reader,
        classifier: Classifier,
        profiles: Mapping[str, Profile],
        *,
        observe: Observe = _ignore,
    ) -> None:
        self._reader = reader
        self._classifier = classifier
        self._profiles = profiles
        self._default = next(iter(profiles))
        self._observe = observe
        self._watch: Watch | None = None
        #: Posts that could not be judged so far.
        self.failures = 0

    @property
    def model(self) -> str:
        """The version of the model that judges."""
        return self._classifier.version

    @property
    def classifier(self) -> Classifier:
        """What judges."""
        return self._classifier

    def use(self, classifier: Classifier) -> None:
        """Judge by another model from the next batch on."""
        self._reader.learn(classifier.words)
        self._classifier = classifier

    def watch(self, watch: Watch) -> None:
        """Show every batch to ``watch``, once it is judged."""
        self._watch = watch

    @property
    def orgs(self) -> Sequence[str]:
        """The organisations served; the first takes what names no other."""
        return tuple(self._profiles)

    def org_of(self, post: Post) -> str:
        """Give the organisation whose queues a post belongs in."""
        return post.org if post.org in self._profiles else self._default

    def judge(self, batch: Sequence[Received]) -> list[Entry]:
        """Give one entry a post, in order. Never raises for a post's sake."""
        return [entry for entry, _ in self.judge_with_readings(batch)]

    def judge_with_readings(self, batch: Sequence[Received]) -> list[tuple[Entry, Reading]]:
        """Give one entry a post, in order, each with what the language step saw."""
        if not batch:
            return []
        posts = [received.post for received in batch]
        readings, assessments = self._assess_each(posts)
        start = time.perf_counter()
        judged = zip(batch, readings, assessments, self._signatures(posts), strict=True)
        entries = [(self._entry(*one), one[1]) for one in judged]
        self._observe("route", time.perf_counter() - start)
        if self._watch is not None:
            self._watch(entries, batch[-1].received_at)
        return entries

    def urgencies(self, posts: Sequence[Post]) -> list[Urgency]:
        """Give how urgent posts are, in order, and nothing else. Never raises for a post's sake."""
        return [assessment.urgency for assessment in self._assess_each(posts)[1]]

    def adapt(self, post: Post, assessment: Assessment) -> Assessment:
        """Bring an assessment into the topics of the organisation that a post belongs to."""
        return self._profiles[self.org_of(post)].adapt(assessment)

    def explain(self, entry: Entry, reading: Reading) -> Explanation | None:
        """Account for both scores of an entry's assessment; None where no model gave it."""
        if entry.assessment.model != self.model:
            return None
        return self._classifier.explain(
            entry.post, reading, entry.assessment, spans(entry.post.text)
        )

    def give_up(self, received: Received, reason: str) -> Entry:
        """Send a post to the fallback team unread, but for the safety rules."""
        self.failures += 1
        (signature,) = self._signatures([received.post])
        reading = Reading(tokens=())
        return self._entry(received, reading, unknown(received.post, reason), signature)

    def _assess_each(self, posts: Sequence[Post]) -> tuple[list[Reading], list[Assessment]]:
        try:
            return self._assess(posts)
        except Exception as error:  # noqa: BLE001 - whatever a post does, its batch goes on
            _log.warning("batch_failed", posts=len(posts), error=type(error).__name__)
            pairs = [self._assess_alone(post) for post in posts]
            return [reading for reading, _ in pairs], [assessment for _, assessment in pairs]

    def _assess(self, posts: Sequence[Post]) -> tuple[list[Reading], list[Assessment]]:
        start = time.perf_counter()
        readings = self._reader.read(posts)
        read = time.perf_counter()
        assessments = self._classifier.assess(posts, readings)
        self._observe("read", read - start)
        self._observe("assess", time.perf_counter() - read)
        return readings, assessments

    def _assess_alone(self, post: Post) -> tuple[Reading, Assessment]:
        try:
            readings, assessments = self._assess([post])
        except Exception as error:  # noqa: BLE001 - a human sees it instead
            self.failures += 1
            reason = type(error).__name__
            _log.error("assessment_failed", error=reason)
            return Reading(tokens=()), unknown(post, f"beoordelen mislukt: {reason}")
        return readings[0], assessments[0]

    def _signatures(self, posts: Sequence[Post]) -> list[Signature | None]:
        """Give by what each post finds its copies; what can't be signed stands alone."""
        if not any(profile.bundles.hours for profile in self._profiles.values()):
            return [None] * len(posts)
        try:
            return sign_all([post.text for post in posts])
        except Exception:  # noqa: BLE001 - one of them; the others have their copies
            return [self._sign_alone(post) for post in posts]

    def _sign_alone(self, post: Post) -> Signature | None:
        try:
            return sign(post.text)
        except Exception as error:  # noqa: BLE001 - a human sees it all the same
            _log.error("signing_failed", error=type(error).__name__)
            return None

    def _entry(
        self,
        received: Received,
        reading: Reading,
        assessment: Assessment,
        signature: Signature | None,
    ) -> Entry:
        post = received.post
        org = self.org_of(post)
        profile = self._profiles[org]
        assessment = profile.adapt(assessment)
        assessment = profile.doubt(post, assessment, lang=reading.lang)
        route = profile.route(post, assessment, lang=reading.lang, received_at=received.received_at)
        return Entry(
            ticket_id=ticket_id(org, post.id),
            bundling=_bundling(profile, signature),
            reply=reply_of(post, org, profile.bundles) if post.in_reply_to else None,
            post=post,
            assessment=assessment,
            route=route,
            received_at=received.received_at,
            partition=received.partition,
            key_figure=profile.is_key_figure(post),
            lang=reading.lang,
            places=places_of(post, reading) if reading.entities else (),
        )


def _bundling(profile: Profile, signature: Signature | None) -> Bundling | None:
    """Say how a post may meet its copies; None: it stands alone."""
    bundles = profile.bundles
    if signature is None or not bundles.hours:
        return None
    return Bundling(
        signature=signature,
        window=bundles.hours * 3600,
        answer_copies=bundles.answer_copies,
    )


def reply_of(post: Post, org: str, bundles: Bundles) -> Reply | None:
    """Say which ticket a post may join as a reply; None: it stands by itself."""
    if bundles.replies == "geen" or not post.in_reply_to or post.in_reply_to == post.id:
        return None
    return Reply(to=ticket_id(org, post.in_reply_to), others=bundles.replies == "onderwerp")


#: What names a place, the most exact first; how many are kept of one post.
_PLACES: Final = ("straat", "weg", "postcode", "plaats")
_PLACE_LIMIT: Final = 4


def places_of(post: Post, reading: Reading) -> tuple[str, ...]:
    """Give the places that a post names, the most exact first."""
    found = [
        (_PLACES.index(entity.kind), entity.start, post.text[entity.start : entity.end])
        for entity in reading.entities
        if entity.kind in _PLACES
    ]
    named = dict.fromkeys(" ".join(words.split()) for _, _, words in sorted(found))
    return tuple(named)[:_PLACE_LIMIT]


#: What an unjudged post counts as: nobody knows what it says, so a person looks within hours.
_UNKNOWN_P: Final = (0.0, 1.0, 0.0, 0.0)


def unknown(post: Post, reason: str) -> Assessment:
    """Assess a post that could not be read: ``onbekend``, with what the safety rules say."""
    raised = safety_check(post.text)
    return Assessment(
        topics=((UNKNOWN, 1.0),),
        urgency=raised[0] if raised else Urgency.HOOG,
        urgency_p=_UNKNOWN_P,
        intent="overig",
        intent_p=0.0,
        confidence=0.0,
        abstained=True,
        reasons=(),
        safety_rule=raised[1] if raised else None,
        model=f"geen ({reason})",
    )
