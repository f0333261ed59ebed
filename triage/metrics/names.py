"""The catalogue: every metric's name, unit and meaning, and the closed lists of its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

#: What a label says when its value is in no closed list.
OTHER: Final = "other"
#: Channels with a series of their own.
CHANNELS: Final = (
    *("bluesky", "email", "facebook", "forum", "instagram", "linkedin", "mastodon", "onbekend"),
    *("telefoon", "threads", "tiktok", "webformulier", "whatsapp", "x", "youtube"),
)
#: The steps of a batch.
STAGES: Final = ("decode", "read", "assess", "route", "put")
#: Why a post was rejected, by how the reason of ``InvalidPost`` begins; first match wins.
REASONS: Final = (
    ("groter dan", "size"),
    ("langer dan", "length"),
    ("meer dan", "length"),
    ("geen tekst van hooguit", "length"),
    ("geen geldige UTF-8", "utf8"),
    ("geen geldige JSON", "json"),
    ("NaN", "json"),
    ("dieper genest", "depth"),
    ("getal buiten bereik", "range"),
    ("niet tussen", "range"),
    ("veld staat er twee keer in", "duplicate"),
    ("ontbreekt", "missing"),
    ("alleen samen met", "combination"),
    ("leeg", "empty"),
    ("geen ", "type"),
)

Store = Literal["log", "queue"]
CounterName = Literal[
    "triage_assessment_failures",
    "triage_backoffs",
    "triage_door_posts",
    "triage_http_requests",
    "triage_log_gap_records",
    "triage_log_gaps",
    "triage_log_rejoins",
    "triage_log_rewinds",
    "triage_model_reload_failures",
    "triage_outcomes_published",
    "triage_post_id_conflicts",
    "triage_bundles_raised",
    "triage_posts_muted",
    "triage_posts_put",
    "triage_posts_read",
    "triage_posts_rejected",
    "triage_shadow_posts",
]
GaugeName = Literal[
    "triage_drift_divergence",
    "triage_last_put_timestamp_seconds",
    "triage_log_lag_records",
    "triage_log_oldest_unread_age_seconds",
    "triage_model_info",
    "triage_queue_breached_tickets",
    "triage_queue_oldest_due_timestamp_seconds",
    "triage_queue_tickets",
]
HistogramName = Literal[
    "triage_append_to_queue_seconds",
    "triage_put_batch_posts",
    "triage_bundle_posts",
    "triage_stage_seconds",
    "triage_stream_pause_seconds",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What one metric counts or measures."""

    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    #: Upper bounds, of a histogram.
    buckets: tuple[float, ...] = ()
    #: How a gauge of several processes becomes one; dead processes never count.
    merge: Literal["livemostrecent", "livemax", "livesum"] = "livemostrecent"


_QUEUE: Final = ("org", "team", "urgency")
COUNTERS: Final[Mapping[CounterName, Definition]] = {
    "triage_posts_read": Definition(
        unit="posts", labels=("channel",), meaning="Posts read from the log and put, by channel."
    ),
    "triage_posts_put": Definition(
        unit="posts",
        labels=("result",),
        meaning=(
            "Posts that the queue store took: created, edited, repeated, deleted, joined, replied."
        ),
    ),
    "triage_posts_muted": Definition(
        unit="posts", meaning="Posts that a mute took: their tickets stand resolved at once."
    ),
    "triage_bundles_raised": Definition(
        unit="bundles", meaning="Tickets that a copy or a reply made more urgent or opened again."
    ),
    "triage_posts_rejected": Definition(
        unit="posts",
        labels=("reason",),
        meaning="Posts that could not be decoded and went to the dead letter, by class of reason.",
    ),
    "triage_post_id_conflicts": Definition(
        unit="posts", meaning="Posts with the id of an earlier post and other content."
    ),
    "triage_log_gaps": Definition(
        unit="gaps",
        labels=("partition",),
        meaning="Times that the wanted offset could not be read any more.",
    ),
    "triage_log_gap_records": Definition(
        unit="records",
        labels=("partition",),
        meaning="Records that retention or a topic made anew took before they were read.",
    ),
    "triage_log_rewinds": Definition(
        unit="times",
        labels=("partition",),
        meaning="Times that the queue store stood at another position and reading went there.",
    ),
    "triage_log_rejoins": Definition(
        unit="times",
        meaning="Times that the watchdog joined the group again since a partition gave nothing.",
    ),
    "triage_assessment_failures": Definition(
        unit="posts", meaning="Posts that went to the fallback team since judging them failed."
    ),
    "triage_backoffs": Definition(
        unit="times",
        labels=("store",),
        meaning="Times that the log or the queue store did not answer and we waited.",
    ),
    "triage_http_requests": Definition(
        unit="requests",
        labels=("route", "status"),
        meaning="Requests answered, by template of the route and class of the status.",
    ),
    "triage_door_posts": Definition(
        unit="posts",
        labels=("way",),
        meaning="Posts that the server took: urgent, ordinary, or unseen (no time left to look).",
    ),
    "triage_outcomes_published": Definition(
        unit="events", meaning="Resolved and corrected tickets written to the outcomes log."
    ),
    "triage_shadow_posts": Definition(
        unit="posts",
        labels=("head", "agrees"),
        meaning="Posts that a candidate judged beside the model, by head and whether they agree.",
    ),
    "triage_model_reload_failures": Definition(
        unit="times", meaning="Times that a new model could not be loaded and the old one stayed."
    ),
}
GAUGES: Final[Mapping[GaugeName, Definition]] = {
    "triage_log_lag_records": Definition(
        unit="records", labels=("partition",), meaning="Records after the committed position."
    ),
    "triage_log_oldest_unread_age_seconds": Definition(
        unit="seconds",
        labels=("partition",),
        meaning="Age of the oldest unread record; 0 where all is read.",
    ),
    "triage_queue_tickets": Definition(
        unit="tickets", labels=_QUEUE, meaning="Open tickets, claimed or not."
    ),
    "triage_queue_oldest_due_timestamp_seconds": Definition(
        unit="unix seconds",
        labels=_QUEUE,
        meaning="When the first open ticket is due; absent or NaN where there is none.",
    ),
    "triage_queue_breached_tickets": Definition(
        unit="tickets", labels=_QUEUE, meaning="Open tickets past their due time."
    ),
    "triage_model_info": Definition(
        unit="processes",
        labels=("model",),
        meaning="Processes that judge with this version of the model.",
        merge="livesum",
    ),
    "triage_drift_divergence": Definition(
        unit="ratio",
        labels=("distribution",),
        meaning="How far today's posts are from those of training (Jensen-Shannon, 0 to 1).",
        merge="livemax",
    ),
    "triage_last_put_timestamp_seconds": Definition(
        unit="unix seconds", meaning="When the last batch was put.", merge="livemax"
    ),
}
HISTOGRAMS: Final[Mapping[HistogramName, Definition]] = {
    "triage_stage_seconds": Definition(
        unit="seconds",
        labels=("stage",),
        meaning="Time that one batch took in a stage.",
        buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    ),
    "triage_append_to_queue_seconds": Definition(
        unit="seconds",
        meaning="Time from the append of a post to the log until it was in its queue.",
        buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
    ),
    "triage_bundle_posts": Definition(
        unit="posts",
        meaning="Posts in a bundle that a copy has just joined, its own included.",
        buckets=(2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
    ),
    "triage_put_batch_posts": Definition(
        unit="posts",
        meaning="Posts in one put.",
        buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
    ),
    "triage_stream_pause_seconds": Definition(
        unit="seconds",
        meaning="How long the stream stood still for a rebalance.",
        buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 120),
    ),
}


def reason_class(reason: str) -> str:
    """Name the class of a reason for rejecting a post.

    >>> reason_class("groter dan 65536 bytes")
    'size'
    """
    for beginning, name in REASONS:
        if reason.startswith(beginning):
            return name
    return OTHER


def table() -> str:
    """Give the catalogue as a Markdown table, as it stands in ``docs/operations.md``."""
    rows = ["| metric | kind | unit | labels | meaning |", "| --- | --- | --- | --- | --- |"]
    series: list[tuple[str, str, Definition]] = [
        *((f"{name}_total", "counter", definition) for name, definition in COUNTERS.items()),
        *((name, "gauge", definition) for name, definition in GAUGES.items()),
        *((name, "histogram", definition) for name, definition in HISTOGRAMS.items()),
    ]
    for name, kind, d in sorted(series, key=lambda row: row[0]):
        labels = ", ".join(f"`{label}`" for label in d.labels)
        rows.append(f"| `{name}` | {kind} | {d.unit} | {labels} | {d.meaning} |")
    return "\n".join(rows) + "\n"
