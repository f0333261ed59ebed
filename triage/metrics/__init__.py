"""Every metric of ours; nothing else touches Prometheus.

A process makes one :class:`Metrics` and hands it on. Labels come from closed lists: a channel,
team or route that is in none of them counts as ``other``, so no sender can make series. What each
metric counts stands in :mod:`triage.metrics.names`.

With several worker processes the supervisor sets ``PROMETHEUS_MULTIPROC_DIR`` before any of them
imports this package; each writes its figures to files there, :func:`exposition` merges them, and
:func:`forget` lets go of a dead child.
"""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from triage.errors import InvalidPost
from triage.metrics.merge import CONTENT_TYPE, MULTIPROCESS, exposition, forget
from triage.metrics.names import (
    CHANNELS,
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    OTHER,
    STAGES,
    GaugeName,
    Store,
    reason_class,
)
from triage.post import Post
from triage.ticket import UNKNOWN, Assessment

__all__ = ["CONTENT_TYPE", "MULTIPROCESS", "Metrics", "exposition", "forget"]


class Entry(Protocol):
    """What we need of ``triage.queue.Entry``."""

    @property
    def post(self) -> Post: ...
    @property
    def assessment(self) -> Assessment: ...
    @property
    def received_at(self) -> datetime: ...


class PutResult(Protocol):
    """What we need of ``triage.queue.PutResult``."""

    @property
    def created(self) -> int: ...
    @property
    def edited(self) -> int: ...
    @property
    def repeated(self) -> int: ...
    @property
    def deleted(self) -> int: ...
    @property
    def joined(self) -> int: ...
    @property
    def raised(self) -> int: ...
    @property
    def replied(self) -> int: ...
    @property
    def muted(self) -> int: ...
    @property
    def sizes(self) -> Sequence[int]: ...


class Gap(Protocol):
    """What we need of ``triage.log.Gap``."""

    @property
    def partition(self) -> str: ...
    @property
    def count(self) -> int: ...


class Lag(Protocol):
    """What we need of ``triage.log.PartitionLag``."""

    @property
    def partition(self) -> str: ...
    @property
    def records(self) -> int: ...
    @property
    def oldest_seconds(self) -> float: ...


class Depth(Protocol):
    """What we need of ``triage.queue.Depth``."""

    @property
    def team(self) -> str: ...
    @property
    def urgency(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def breached(self) -> int: ...
    @property
    def oldest_due(self) -> datetime | None: ...


class Metrics:
    """The metrics of this process.

    Call it from any thread; ``lag``, ``queues`` and ``model`` each from one thread at a time.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._counters = {
            name: Counter(name, d.meaning, d.labels, registry=self.registry)
            for name, d in COUNTERS.items()
        }
        self._gauges = {
            name: Gauge(
                name, d.meaning, d.labels, registry=self.registry, multiprocess_mode=d.merge
            )
            for name, d in GAUGES.items()
        }
        self._histograms = {
            name: Histogram(name, d.meaning, d.labels, registry=self.registry, buckets=d.buckets)
            for name, d in HISTOGRAMS.items()
        }
        self._channels = frozenset(CHANNELS)
        self._routes: frozenset[str] = frozenset()
        self._teams: Mapping[str, frozenset[str]] = {}
        #: The label values that a gauge shows now, to take back what is gone.
        self._shown: dict[tuple[GaugeName, str], set[tuple[str, ...]]] = {}

    def allow(
        self,
        *,
        teams: Mapping[str, Iterable[str]] | None = None,
        routes: Iterable[str] | None = None,
    ) -> None:
        """Set the closed lists: teams per organisation (profiles), templates of routes (web)."""
        if teams is not None:
            self._teams = {org: frozenset(names) for org, names in teams.items()}
        if routes is not None:
            self._routes = frozenset(routes)

    # -- the worker ------------------------------------------------------------------------------

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Note how long a batch took in one of ``STAGES``."""
        known = stage if stage in STAGES else OTHER
        self._histograms["triage_stage_seconds"].labels(known).observe(seconds)

    def observe_batch(self, entries: Sequence[Entry], *, now: datetime) -> None:
        """Note posts that are in their queues ``now``: how many, of which channels, how late."""
        if not entries:
            return
        counter = self._counters["triage_posts_read"]
        for channel, count in Tally(entry.post.channel for entry in entries).items():
            counter.labels(channel if channel in self._channels else OTHER).inc(count)
        latency = self._histograms["triage_append_to_queue_seconds"]
        for entry in entries:
            latency.observe(max(0.0, (now - entry.received_at).total_seconds()))
        unjudged = sum(entry.assessment.topic == UNKNOWN for entry in entries)
        self._counters["triage_assessment_failures"].inc(unjudged)
        self._histograms["triage_put_batch_posts"].observe(len(entries))
        self._gauges["triage_last_put_timestamp_seconds"].set(now.timestamp())

    def put_result(self, result: PutResult) -> None:
        """Count what a put did."""
        counter = self._counters["triage_posts_put"]
        counter.labels("created").inc(result.created)
        counter.labels("edited").inc(result.edited)
        counter.labels("repeated").inc(result.repeated)
        counter.labels("deleted").inc(result.deleted)
        counter.labels("joined").inc(result.joined)
        counter.labels("replied").inc(result.replied)
        self._counters["triage_posts_muted"].inc(result.muted)
        self._counters["triage_bundles_raised"].inc(result.raised)
        for size in result.sizes:
            self._histograms["triage_bundle_posts"].observe(size)
        self._counters["triage_post_id_conflicts"].inc(result.edited)

    def rejected(self, error: InvalidPost) -> None:
        """Count a post in the dead letter."""
        self._counters["triage_posts_rejected"].labels(reason_class(error.reason)).inc()

    def rewind(self, partition: str) -> None:
        """Count a position that was not where the worker thought."""
        self._counters["triage_log_rewinds"].labels(partition).inc()

    def gap(self, gap: Gap) -> None:
        """Count a gap in a partition and the records missing there."""
        self._counters["triage_log_gaps"].labels(gap.partition).inc()
        self._counters["triage_log_gap_records"].labels(gap.partition).inc(gap.count)

    def rejoined(self) -> None:
        """Count a new join by the watchdog."""
        self._counters["triage_log_rejoins"].inc()

    def paused(self, seconds: float) -> None:
        """Note how long a rebalance stopped the stream."""
        self._histograms["triage_stream_pause_seconds"].observe(seconds)

    def backoff(self, store: Store | None = None) -> None:
        """Count a wait for a store that did not answer."""
        self._counters["triage_backoffs"].labels(store or OTHER).inc()

    def lag(self, figures: Iterable[Lag]) -> None:
        """Show the lag of every partition; a partition that is not among them is gone."""
        records: dict[tuple[str, ...], float] = {}
        ages: dict[tuple[str, ...], float] = {}
        for figure in figures:
            records[(figure.partition,)] = figure.records
            ages[(figure.partition,)] = figure.oldest_seconds
        self._show("triage_log_lag_records", records)
        self._show("triage_log_oldest_unread_age_seconds", ages)

    # -- queues, models, the web -----------------------------------------------------------------

    def queues(self, org: str, depths: Iterable[Depth]) -> None:
        """Show the queues of an organisation; one that is not among them is empty."""
        teams = self._teams.get(org)
        known_org = OTHER if teams is None else org
        tickets: defaultdict[tuple[str, ...], float] = defaultdict(float)
        breached: defaultdict[tuple[str, ...], float] = defaultdict(float)
        due: dict[tuple[str, ...], float] = {}
        for depth in depths:
            team = depth.team if teams and depth.team in teams else OTHER
            labels = (known_org, team, str(depth.urgency))
            tickets[labels] += depth.depth
            breached[labels] += depth.breached
            if depth.oldest_due is not None:
                due[labels] = min(due.get(labels, math.inf), depth.oldest_due.timestamp())
        self._show("triage_queue_tickets", tickets, part=org)
        self._show("triage_queue_breached_tickets", breached, part=org)
        self._show("triage_queue_oldest_due_timestamp_seconds", due, part=org, empty=math.nan)

    def model(self, version: str) -> None:
        """Show the version that judges."""
        self._show("triage_model_info", {(version,): 1})

    def model_reload_failed(self) -> None:
        """Count a model that could not be loaded."""
        self._counters["triage_model_reload_failures"].inc()

    def shadow(self, head: str, same: bool, posts: int) -> None:  # noqa: FBT001 - one of two series
        """Count posts on which a candidate agrees with the model, or not."""
        self._counters["triage_shadow_posts"].labels(head, "yes" if same else "no").inc(posts)

    def drift(self, divergences: Mapping[str, float]) -> None:
        """Show how far today's posts are from those of training, per distribution."""
        self._show("triage_drift_divergence", {(n,): value for n, value in divergences.items()})

    def outcomes_published(self, count: int) -> None:
        """Count outcomes written to their log."""
        self._counters["triage_outcomes_published"].inc(count)

    def door(self, *, urgent: int, ordinary: int, unseen: int) -> None:
        """Count posts that came in by our door, by the way that they went."""
        counter = self._counters["triage_door_posts"]
        counter.labels("urgent").inc(urgent)
        counter.labels("ordinary").inc(ordinary - unseen)
        counter.labels("unseen").inc(unseen)

    def http_request(self, route: str | None, status: int) -> None:
        """Count an answer; ``route`` is the template (``/tickets/{id}``), None where none fits."""
        known = route if route in self._routes else OTHER
        self._counters["triage_http_requests"].labels(known, f"{status // 100}xx").inc()

    def _show(
        self,
        name: GaugeName,
        values: Mapping[tuple[str, ...], float],
        *,
        part: str = "",
        empty: float = 0.0,
    ) -> None:
        """Set a gauge's values, and take back those of ``part`` that are not among them."""
        gauge = self._gauges[name]
        for labels in self._shown.get((name, part), set()) - values.keys():
            if MULTIPROCESS:  # the client cannot remove a series from its files
                gauge.labels(*labels).set(empty)
            else:
                gauge.remove(*labels)
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        self._shown[name, part] = set(values)
