"""Every metric has a name, a unit and a meaning, and none can grow without bound."""

from __future__ import annotations

import ast
import math
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from triage.errors import InvalidPost
from triage.log import Gap, PartitionLag
from triage.metrics import Metrics, exposition, forget
from triage.metrics.names import (
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    OTHER,
    CounterName,
    GaugeName,
    HistogramName,
    reason_class,
    table,
)
from triage.post import Author, Post
from triage.queue import Depth, Entry, PutResult
from triage.ticket import Assessment, Route, Urgency

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triage" / "bin"


@pytest.fixture
def metrics() -> Metrics:
    """Give metrics that know one organisation, two teams and one route."""
    metrics = Metrics()
    metrics.allow(teams={"leiden": ["wegen", "water"]}, routes=["/api/v1/tickets/{id}"])
    return metrics


def entry(
    post_id: str = "1", *, channel: str = "x", seconds: float = 0.5, topic: str = "afval"
) -> Entry:
    """Make an entry received ``seconds`` before NOW."""
    received_at = NOW - timedelta(seconds=seconds)
    author = Author(id="0612345678", name="Jan Jansen")
    return Entry(
        ticket_id=f"leiden.{post_id}",
        post=Post(id=post_id, text="Hallo", created_at=NOW, channel=channel, author=author),
        assessment=Assessment(
            topics=((topic, 0.9),),
            urgency=Urgency.NORMAAL,
            urgency_p=(0.0, 0.0, 1.0, 0.0),
            intent="melding",
            intent_p=1.0,
            confidence=0.9,
            abstained=False,
            reasons=(),
            safety_rule=None,
            model="v1",
        ),
        route=Route(team="wegen", due_at=NOW, due_minutes=0, rule="r"),
        received_at=received_at,
    )


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Give the value of one series."""
    return metrics.registry.get_sample_value(name, labels)


def samples(text: bytes) -> dict[str, float]:
    """Give the value of each series of an exposition."""
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {series: float(number) for series, _, number in (line.rpartition(" ") for line in lines)}


def use_everything(metrics: Metrics) -> None:
    """Give every metric a value."""
    metrics.observe_stage("decode", 0.01)
    metrics.observe_batch([entry(), entry("2", topic="onbekend")], now=NOW)
    metrics.put_result(PutResult(created=1, edited=2, repeated=3, deleted=4))
    metrics.rejected(InvalidPost("", "geen geldige JSON"))
    metrics.rewind("triage.posts-0")
    metrics.gap(Gap(partition="triage.posts-0", start=1, resume=4, count=3))
    metrics.rejoined()
    metrics.paused(3.1)
    metrics.backoff("log")
    metrics.lag([PartitionLag(partition="triage.posts-0", records=7, oldest_seconds=1.5)])
    metrics.queues("leiden", [depth("wegen", 3)])
    metrics.model("v1")
    metrics.model_reload_failed()
    metrics.shadow("topic", True, 3)
    metrics.drift({"topic": 0.1})
    metrics.outcomes_published(2)
    metrics.http_request("/api/v1/tickets/{id}", 200)
    metrics.door(urgent=1, ordinary=3, unseen=1)


def depth(team: str, tickets: int, *, due: datetime | None = NOW) -> Depth:
    """Make the figures of a team at urgency hoog, one ticket late."""
    return Depth(team=team, urgency=Urgency.HOOG, depth=tickets, breached=1, oldest_due=due)


def tool(name: str) -> str:
    """Find a tool of `.ci/deploy-check`; skip without it, fail in CI."""
    found = shutil.which(name) or shutil.which(name, path=CACHE)
    if found:
        return found
    message = f"{name} is not there: run .ci/deploy-check (needs Go)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def test_every_name_has_a_definition() -> None:
    """The names that mypy knows and the catalogue are the same, and each says what it means."""
    assert set(get_args(CounterName)) == COUNTERS.keys()
    assert set(get_args(GaugeName)) == GAUGES.keys()
    assert set(get_args(HistogramName)) == HISTOGRAMS.keys()
    for definition in [*COUNTERS.values(), *GAUGES.values(), *HISTOGRAMS.values()]:
        assert definition.unit
        assert definition.meaning.endswith(".")


def test_every_metric_can_be_driven(metrics: Metrics) -> None:
    """No metric is declared that no call can give a value."""
    use_everything(metrics)
    families = {metric.name: metric.samples for metric in metrics.registry.collect()}
    assert set(families) == {*COUNTERS, *GAUGES, *HISTOGRAMS}
    assert [name for name, found in families.items() if not any(s.value for s in found)] == []


def test_the_documentation_is_current() -> None:
    """The table in docs/operations.md is the one that the catalogue gives."""
    assert table() in (ROOT / "docs" / "operations.md").read_text()


def test_alarms_name_metrics_that_exist() -> None:
    """Every metric that docs/operations.md speaks of is one that we show."""
    shown = {f"{name}_total" for name in COUNTERS} | set(GAUGES)
    shown |= {name + end for name in HISTOGRAMS for end in ("", "_bucket", "_count", "_sum")}
    text = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"\btriage_[a-z_]+", text)) <= shown


def test_prometheus_stands_in_one_place() -> None:
    """No module but triage.metrics imports the Prometheus client."""
    importers = {
        path.relative_to(ROOT / "triage").parts[0]
        for path in (ROOT / "triage").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus"))
        or (isinstance(node, ast.Import) and "prometheus" in node.names[0].name)
    }
    assert importers == {"metrics"}


def test_unknown_labels_make_no_series(metrics: Metrics) -> None:
    """A channel, team, organisation, stage or path that we do not know counts as `other`."""
    metrics.observe_batch([entry(str(i), channel=f"kanaal-{i}") for i in range(50)], now=NOW)
    metrics.http_request("/api/v1/tickets/leiden.abc", 404)
    metrics.http_request(None, 404)
    metrics.observe_stage("dream", 1.0)
    metrics.queues("leiden", [depth("wegen", 1), depth("bezorgers", 2), depth("vissers", 3)])
    metrics.queues("atlantis", [depth("wegen", 5)])
    assert value(metrics, "triage_posts_read_total", channel=OTHER) == 50
    assert value(metrics, "triage_http_requests_total", route=OTHER, status="4xx") == 2
    hoog = {"org": "leiden", "urgency": "hoog"}
    assert value(metrics, "triage_queue_tickets", team="wegen", **hoog) == 1
    assert value(metrics, "triage_queue_tickets", team=OTHER, **hoog) == 5
    text = exposition(metrics.registry)
    for unknown in (b"kanaal", b"leiden.abc", b"dream", b"bezorgers", b"atlantis"):
        assert unknown not in text


def test_no_citizen_in_the_metrics(metrics: Metrics) -> None:
    """Nothing that a sender writes in a post or an error shows in the metrics."""
    marker = "Jansen-0612345678"
    metrics.observe_batch([entry(marker, channel=marker, topic=marker)], now=NOW)
    metrics.rejected(InvalidPost(marker, marker, raw=marker.encode()))
    metrics.http_request(f"/{marker}", 500)
    text = exposition(metrics.registry)
    assert marker.encode() not in text
    assert b"0612345678" not in text


def test_every_reason_has_a_class() -> None:
    """Each reason for which a post is refused belongs to a class of its own, not to `other`."""
    reasons = []
    for path in (ROOT / "triage" / "post.py", ROOT / "triage" / "jsontext.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InvalidPost":
                reason: Any = node.args[1]
                first: Any = reason.values[0] if isinstance(reason, ast.JoinedStr) else reason
                reasons.append(str(first.value))
    assert len(reasons) > 15
    assert [reason for reason in reasons if reason_class(reason) == OTHER] == []
    assert reason_class("iets van een burger") == OTHER


def test_a_batch_counts_once_a_post(metrics: Metrics) -> None:
    """A batch counts each post by channel, its latency, and those that could not be judged."""
    batch = [entry("1"), entry("2", channel="email", topic="onbekend"), entry("3", seconds=-2)]
    metrics.observe_batch(batch, now=NOW)
    metrics.observe_batch([], now=NOW + timedelta(hours=1))
    assert value(metrics, "triage_posts_read_total", channel="x") == 2
    assert value(metrics, "triage_posts_read_total", channel="email") == 1
    assert value(metrics, "triage_assessment_failures_total") == 1
    assert value(metrics, "triage_append_to_queue_seconds_count") == 3
    assert value(metrics, "triage_append_to_queue_seconds_sum") == 1.0
    assert value(metrics, "triage_last_put_timestamp_seconds") == NOW.timestamp()


def test_edits_are_conflicts_of_ids(metrics: Metrics) -> None:
    """The same id with other content is counted as a conflict, a repeat is not."""
    metrics.put_result(PutResult(created=1, edited=2, repeated=3, deleted=4))
    assert value(metrics, "triage_post_id_conflicts_total") == 2
    assert value(metrics, "triage_posts_put_total", result="repeated") == 3


def test_what_is_gone_shows_no_more(metrics: Metrics) -> None:
    """An emptied queue, a partition that went and an old model leave no figure behind."""
    gone = [
        PartitionLag(partition=f"triage.posts-{n}", records=9, oldest_seconds=5) for n in (0, 1)
    ]
    metrics.lag(gone)
    metrics.lag(gone[:1])
    metrics.queues("leiden", [depth("wegen", 3), depth("water", 4)])
    metrics.queues("leiden", [depth("water", 4, due=None)])
    metrics.model("v1")
    metrics.model("v2")
    text = exposition(metrics.registry)
    assert b'triage_log_lag_records{partition="triage.posts-0"} 9.0' in text
    for old in (b"posts-1", b"wegen", b"v1", b"oldest_due_timestamp_seconds{"):
        assert old not in text


CHILD = """
import sys, signal
from datetime import UTC, datetime
from triage.log import PartitionLag
from triage.metrics import MULTIPROCESS, Metrics
from triage.queue import Depth
from triage.ticket import Urgency

assert MULTIPROCESS
m = Metrics()
m.allow(teams={"leiden": ["wegen"]})
count = int(sys.argv[1])
m.outcomes_published(count)
m.paused(count)
m.model("v1")
m.model("v2")
m.lag([PartitionLag(partition="triage.posts-0", records=count, oldest_seconds=1)])
due = datetime(2026, 3, 2, tzinfo=UTC)
m.queues("leiden", [Depth(team="wegen", urgency=Urgency.HOOG, depth=3, breached=1, oldest_due=due)])
m.queues("leiden", [])
print("ready", flush=True)
signal.pause()
"""


class Child:
    """A process that has counted and now waits to be killed."""

    def __init__(self, directory: Path, count: int) -> None:
        environment = os.environ | {
            "PROMETHEUS_MULTIPROC_DIR": str(directory),
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CHILD, str(count)],
            env=environment,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> int:
        """Kill it, and give its id."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.pid


def test_processes_merge_and_the_dead_leave(tmp_path: Path) -> None:
    """Totals of several processes add up and never fall; a killed one's gauges go at once."""
    children = [Child(tmp_path, 10), Child(tmp_path, 5)]
    try:
        before = samples(exposition(tmp_path))
        (tmp_path / "counter_999999.db").touch()  # a child that has only just opened its file
        assert samples(exposition(tmp_path)) == pytest.approx(before, nan_ok=True)
        assert before["triage_outcomes_published_total"] == 15
        assert before["triage_stream_pause_seconds_sum"] == 15
        assert before['triage_stream_pause_seconds_bucket{le="5.0"}'] == 1
        assert before['triage_model_info{model="v2"}'] == 2
        assert before['triage_log_lag_records{partition="triage.posts-0"}'] == 5

        for alive, lag, child in ((1, 5, children[0]), (0, None, children[1])):
            pid = child.kill()
            forget(tmp_path, pid)
            forget(tmp_path, pid)
            after = samples(exposition(tmp_path))
            assert after["triage_outcomes_published_total"] == 15
            assert after['triage_stream_pause_seconds_bucket{le="5.0"}'] == 1
            assert after["triage_stream_pause_seconds_count"] == 2
            assert after.get('triage_model_info{model="v2"}', 0) == alive
            assert after.get('triage_log_lag_records{partition="triage.posts-0"}') == lag
            assert list(tmp_path.glob(f"*_{pid}.db")) == []
    finally:
        for child in children:
            child.kill()


def test_empty_queues_raise_no_alarm_between_processes(tmp_path: Path) -> None:
    """With several processes an emptied queue shows depth 0 and no oldest due time."""
    child = Child(tmp_path, 1)
    try:
        figures = samples(exposition(tmp_path))
    finally:
        child.kill()
    labels = '{org="leiden",team="wegen",urgency="hoog"}'
    assert figures[f"triage_queue_tickets{labels}"] == 0
    assert math.isnan(figures[f"triage_queue_oldest_due_timestamp_seconds{labels}"])


def test_a_damaged_file_of_a_dead_child_is_dropped(tmp_path: Path) -> None:
    """A file that its process left half-written is let go and does not stop the metrics."""
    (tmp_path / "counter_77.db").write_bytes(b"\xff\xff\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00")
    (tmp_path / "histogram_77.db").write_bytes(b"")
    forget(tmp_path, 77)
    assert exposition(tmp_path) == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("merged", [False, True], ids=["one-process", "several"])
def test_promtool_accepts_the_metrics(metrics: Metrics, tmp_path: Path, *, merged: bool) -> None:
    """`promtool check metrics` has nothing to say about names, units and help."""
    promtool = tool("promtool")
    if merged:
        Child(tmp_path, 3).kill()
        text = exposition(tmp_path)
    else:
        use_everything(metrics)
        text = exposition(metrics.registry)
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
