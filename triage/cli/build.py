"""From settings to working parts: the one place where everything is put together."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from triage.cli.process import patiently
from triage.errors import InvalidModel, InvalidProfile, Refused, TriageError
from triage.log import Log
from triage.log.open import open_log
from triage.metrics import Metrics
from triage.queue import Queue
from triage.queue.open import open_queue
from triage.route import Profile, builtin_names
from triage.settings import Settings
from triage.ticket import ORG

if TYPE_CHECKING:
    from triage.lane import Look
    from triage.models import Registry
    from triage.models.live import LiveModels
    from triage.pipeline import Observe, Pipeline

_T = TypeVar("_T")


def logging_to_stderr(level: str) -> None:
    """Log to stderr: JSON lines for machines, readable lines on a terminal."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(sort_keys=True)
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # The kind of an error and its place, never its text: that may be a citizen's.
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries may print what they were sent; only that something is wrong concerns us.
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)


def load_profiles(settings: Settings) -> dict[str, Profile]:
    """Load the profiles by organisation, the deployment's own first. Raises InvalidProfile."""
    profiles: dict[str, Profile] = {}
    for name in settings.profiles:
        builtin = name in builtin_names()
        profile = Profile.builtin(name) if builtin else Profile.load(Path(name))
        if not ORG.fullmatch(profile.org):
            raise InvalidProfile(name, ["1: org bestaat uit kleine letters, cijfers en streepjes"])
        if profile.org in profiles:
            raise InvalidProfile(name, [f"1: twee profielen voor {profile.org}"])
        profiles[profile.org] = profile
    if not profiles:
        message = "TRIAGE_PROFILE: noem minstens één profiel"
        raise Refused(message)
    return profiles


def load_pipeline(
    settings: Settings,
    profiles: Mapping[str, Profile],
    observe: Observe | None = None,
    *,
    entities: bool = True,
    places: bool = False,
    metrics: Metrics | None = None,
    spare: bool = True,
) -> Pipeline:
    """Load the language step and the model. Raises InvalidModel.

    ``entities`` False: whoever asks has no use for them, so none are looked for, but ``places``
    where it has for those. ``spare``: the
    process does little else than judging, see ``spare_the_collector``.
    """
    # Only who judges pays for the language step: the server and `up` itself start without it.
    from triage.classify import Classifier  # noqa: PLC0415
    from triage.language import Reader  # noqa: PLC0415
    from triage.models.live import load_live  # noqa: PLC0415
    from triage.pipeline import Pipeline  # noqa: PLC0415

    registry = registry_of(settings)
    if settings.model:
        classifier = Classifier.load(registry.path(settings.model))
    else:
        classifier = load_live(registry, metrics)
    reader = Reader(entities=entities, places=places)
    reader.learn(classifier.words)
    if spare:
        spare_the_collector()
    if observe is None:
        return Pipeline(reader, classifier, profiles)
    return Pipeline(reader, classifier, profiles, observe=observe)


def make_look(settings: Settings, profiles: Mapping[str, Profile]) -> Look:
    """Make the look at what comes in by our own door: by the rules where no model can be loaded."""
    from triage.lane import Look  # noqa: PLC0415 - as above
    from triage.models.live import Follower  # noqa: PLC0415 - as above

    if settings.urgent_look == "rules":
        return Look()
    try:
        pipeline = load_pipeline(settings, profiles, entities=False, spare=False)
    except InvalidModel as error:
        # A door that stays shut is worse than one that sees less.
        structlog.get_logger().error("look_by_rules", reason=str(error))
        return Look()
    if settings.model:
        return Look(pipeline)
    return Look(pipeline, between=Follower(registry_of(settings), pipeline).look)


def registry_of(settings: Settings) -> Registry:
    """Open the registry of models: the deployment's own, and the shipped ones behind it."""
    from triage.models import default_registry  # noqa: PLC0415 - as above

    return default_registry(settings.models, settings.data)


def follow_models(settings: Settings, pipeline: Pipeline, metrics: Metrics) -> LiveModels:
    """Keep a pipeline on the version that is live, and count drift and the shadow's verdicts."""
    from triage.models.live import LiveModels  # noqa: PLC0415 - as above
    from triage.models.tally import COUNTS  # noqa: PLC0415 - as above

    return LiveModels(
        registry_of(settings),
        pipeline,
        metrics,
        settings.data / COUNTS,
        pinned=bool(settings.model),
    )


def spare_the_collector() -> None:
    """Keep what is loaded out of garbage collection, and collect less often.

    A batch makes thousands of small objects and no cycles; going through the model and the caches
    for each costs a third of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def make_log(settings: Settings, metrics: Metrics | None = None) -> Log:
    """Open the log. Raises Unavailable or Refused."""
    if settings.log_url.startswith("sqlite"):
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_log(
            settings.log_url,
            session_seconds=settings.session_seconds,
            retention_days=settings.log_retention_days,
        )
    return open_log(
        settings.log_url,
        group=settings.kafka_group,
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.password,
        ca_file=str(settings.kafka_ca_file) if settings.kafka_ca_file else None,
        session_seconds=settings.session_seconds,
        on_rejoin=metrics.rejoined if metrics else None,
        on_pause=metrics.paused if metrics else None,
    )


def make_queue(settings: Settings) -> Queue:
    """Open the queue. Raises Unavailable, or Refused where it could lose what it answered."""
    if settings.queue_url.startswith("sqlite"):
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    queue = open_queue(settings.queue_url, allow_volatile=settings.allow_volatile)
    try:
        queue.check()
    except TriageError:
        queue.close()
        raise
    return queue


def _at_once(call: Callable[[], _T]) -> _T:
    return call()


@dataclass(slots=True)
class Parts:
    """What a program runs on; ``stack`` closes it."""

    settings: Settings
    profiles: dict[str, Profile]
    metrics: Metrics
    log: Log
    queue: Queue


def open_parts(settings: Settings, stack: ExitStack, *, wait: bool = False) -> Parts:
    """Open profiles and stores; they close with ``stack``.

    ``wait``: for a store that does not answer yet, instead of raising Unavailable.
    """
    until_there = patiently if wait else _at_once
    profiles = load_profiles(settings)
    metrics = Metrics()
    metrics.allow(teams={org: profile.teams for org, profile in profiles.items()})
    log = stack.enter_context(until_there(lambda: make_log(settings, metrics)))
    queue = stack.enter_context(until_there(lambda: make_queue(settings)))
    return Parts(settings, profiles, metrics, log, queue)
