"""The registry, the gate, the switch between batches, the shadow and the figures of drift."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.small_corpus import rows_of
from triage.classify import Classifier, ModelFiles, default_models_dir
from triage.errors import InvalidModel, Refused
from triage.language import Reader
from triage.metrics import Metrics
from triage.models import Registry
from triage.models.drift import divergence
from triage.models.evaluations import Evaluation, latest_verdict, save
from triage.models.gate import BARS, judge
from triage.models.live import LiveModels, load_live
from triage.models.pointers import write_pointer
from triage.models.shadow import Shadow, agreement, file_name
from triage.models.tally import Tally, merged
from triage.pipeline import Pipeline, Received
from triage.post import Post
from triage.route import Profile

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SHIPPED = default_models_dir()
FIGURES = {bar.figure: 0.5 for bar in BARS}
PASSED = judge(FIGURES, FIGURES, names=("b", "a"), rows="r")


def another(folder: Path, name: str, bias: float) -> str:
    """Write a version of the shipped model that leans to its first topic; give its name."""
    model = ModelFiles.load(SHIPPED / Registry(SHIPPED).current())
    arrays = {**model.arrays, "bias": model.arrays["bias"].copy()}
    arrays["bias"][0] += bias
    ModelFiles(version=name, meta=model.meta, arrays=arrays).save(folder / name)
    return name


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Give a registry with two versions of its own; the shipped one is live."""
    folder = tmp_path / "models"
    folder.mkdir()
    another(folder, "een", 1.0)
    another(folder, "twee", 50.0)
    return Registry(folder, SHIPPED)


def promote(registry: Registry, version: str, **more: Any) -> None:
    registry.promote(version, PASSED, by="anna", why="beter", at=NOW, **more)


def damage(registry: Registry, version: str) -> None:
    (registry.folder / version / "arrays.npz").write_bytes(b"stuk")


def received(number: int, text: str) -> Received:
    post = Post(id=f"p{number}", text=text, created_at=NOW)
    return Received(post=post, received_at=NOW)


def test_promotion_and_rollback_are_one_line_each(registry: Registry) -> None:
    """The pointer follows; a rollback takes the version before; two take the one before that."""
    shipped = registry.current()
    promote(registry, "een")
    promote(registry, "twee")
    assert registry.current() == "twee"
    assert registry.rollback(by="bo", why="mis", at=NOW).version == "een"
    assert registry.rollback(by="bo", why="mis", at=NOW).version == shipped
    with pytest.raises(Refused, match="geen eerdere"):
        registry.rollback(by="bo", why="mis", at=NOW)
    actions = [(entry.action, entry.version) for entry in registry.history()]
    assert actions == [
        ("promote", "een"),
        ("promote", "twee"),
        ("rollback", "een"),
        ("rollback", shipped),
    ]


def test_the_gate_says_by_how_much_and_force_is_on_record(registry: Registry) -> None:
    """A refused version goes live only by force, with who and why in the history."""
    worse = {**FIGURES, "critical_recall": 0.45}
    verdict = judge(worse, FIGURES, names=("een", "a"), rows="r")
    with pytest.raises(Refused, match=r"0\.450 tegen 0\.500 nu, 0\.050 slechter \(marge 0\.010\)"):
        registry.promote("een", verdict, by="anna", why="", at=NOW)
    with pytest.raises(Refused, match="--by"):
        registry.promote("een", verdict, by="", why="", at=NOW, force=True)
    entry = registry.promote("een", verdict, by="anna", why="nood", at=NOW, force=True)
    assert entry == registry.history()[-1]
    assert (entry.forced, entry.by, entry.why) == (True, "anna", "nood")
    assert "0.050 slechter" in entry.refusals[0]


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.figure)
def test_the_gate_looks_at_each_figure(bar: Any) -> None:
    """Just within the margin passes, beyond it does not, better always does."""
    within = {**FIGURES, bar.figure: 0.5 - bar.better * bar.margin}
    beyond = {**FIGURES, bar.figure: 0.5 - bar.better * (bar.margin + 0.001)}
    better = {**FIGURES, bar.figure: 0.5 + bar.better * 0.2}
    passed = [judge(f, FIGURES, names=("", ""), rows="").passed for f in (within, beyond, better)]
    assert passed == [True, False, True]


def test_what_was_not_measured_or_is_damaged_does_not_go_live(registry: Registry) -> None:
    """No verdict refuses; a bad checksum refuses even by force."""
    with pytest.raises(Refused, match="niet geëvalueerd"):
        registry.promote("een", None, by="anna", why="", at=NOW)
    damage(registry, "een")
    with pytest.raises(InvalidModel, match="controlegetal"):
        registry.promote("een", PASSED, by="anna", why="x", at=NOW, force=True)
    assert registry.history() == []


def test_a_verdict_needs_the_same_rows(registry: Registry) -> None:
    """The server judges by what was measured, on rows on which both versions were."""
    current = registry.current()

    def measured(version: str, rows: str) -> None:
        evaluation = Evaluation(version=version, rows=rows, count=9, critical=3, figures=FIGURES)
        save(registry, evaluation)

    measured("een", "set1")
    assert latest_verdict(registry, "een") is None
    measured(current, "set1")
    verdict = latest_verdict(registry, "een")
    assert verdict is not None
    assert verdict.passed


def test_gc_keeps_what_is_needed(registry: Registry) -> None:
    """The live version, the shadow, the one to fall back to and the newest stay."""
    for number in range(4):
        another(registry.folder, f"oud-{number}", float(number))
    promote(registry, "een")
    promote(registry, "twee")
    registry.set_shadow("oud-0", by="anna", why="", at=NOW)
    gone = registry.gc(keep=0, by="anna", at=NOW)
    assert sorted(gone) == ["oud-1", "oud-2", "oud-3"]
    assert registry.rollback(by="anna", why="", at=NOW).version == "een"
    assert {version.version for version in registry.versions()} >= {"een", "twee", "oud-0"}


def test_a_version_is_no_path(registry: Registry) -> None:
    """Names that lead out of the folder are no versions."""
    for name in ("../een", "..", "een/../twee", "", "/etc"):
        with pytest.raises(InvalidModel):
            registry.path(name)


def test_the_same_weights_with_another_calibration_are_another_version(
    registry: Registry, tmp_path: Path
) -> None:
    """Taking in a version never changes one that is there."""
    model = ModelFiles.load(registry.path("een"))
    other = {**model.meta, "calibration": {**model.meta["calibration"], "critical_at": 0.9}}

    def write(meta: Mapping[str, Any]) -> Any:
        def into(folder: Path) -> str:
            ModelFiles(version="een", meta=meta, arrays=model.arrays).save(folder / "een")
            return "een"

        return into

    assert registry.add(write(model.meta)) == "een"
    assert registry.add(write(other)) == "een-2"
    assert registry.add(write(other)) == "een-2"
    assert Classifier.load(registry.path("een-2")).version == "een-2"


class Switch:
    """A pipeline that follows a registry, with a clock that the test moves."""

    def __init__(self, registry: Registry, counts: Path) -> None:
        self.now = 0.0
        self.metrics = Metrics()
        profile = Profile.builtin("gemeente")
        classifier = Classifier.load(registry.path(registry.current()))
        self.pipeline = Pipeline(Reader(entities=False), classifier, {profile.org: profile})
        self.live = LiveModels(
            registry, self.pipeline, self.metrics, counts, monotonic=lambda: self.now
        )

    def look(self, seconds: float = 2.0) -> str:
        self.now += seconds
        self.live.look()
        return self.pipeline.model

    def failures(self) -> float:
        return self.metrics.registry.get_sample_value("triage_model_reload_failures_total") or 0.0


def test_a_worker_switches_between_batches(registry: Registry, tmp_path: Path) -> None:
    """It notices within a second, judges by the new version, and comes back at a rollback."""
    switch = Switch(registry, tmp_path / "counts")
    first = switch.look()
    promote(registry, "twee")
    assert switch.look(0.5) == first
    assert switch.look() == "twee"
    entry = switch.pipeline.judge([received(1, "Lantaarnpaal is stuk in onze straat")])[0]
    assert (entry.assessment.model, entry.assessment.topic) == ("twee", "afval-schoon")
    assert switch.metrics.registry.get_sample_value("triage_model_info", {"model": "twee"}) == 1
    registry.rollback(by="anna", why="", at=NOW)
    assert switch.look() == first


def test_a_bad_checksum_keeps_the_model_and_alarms(registry: Registry, tmp_path: Path) -> None:
    """The old version goes on, the failure is counted, and once mended it switches."""
    switch = Switch(registry, tmp_path / "counts")
    first = switch.look()
    good = (registry.folder / "een" / "arrays.npz").read_bytes()
    damage(registry, "een")
    write_pointer(registry.folder, "current", "een")
    assert switch.look() == first
    assert switch.failures() == 1
    assert switch.look() == first
    assert switch.failures() == 1  # not every second
    (registry.folder / "een" / "arrays.npz").write_bytes(good)
    assert switch.look(60) == "een"


def test_a_start_with_a_damaged_model_takes_the_one_before(registry: Registry) -> None:
    """A stream does not stand still for a broken file: the version before it judges."""
    promote(registry, "een")
    promote(registry, "twee")
    damage(registry, "twee")
    metrics = Metrics()
    assert load_live(registry, metrics).version == "een"
    assert metrics.registry.get_sample_value("triage_model_reload_failures_total") == 1


def test_a_shadow_counts_and_never_decides(registry: Registry, tmp_path: Path) -> None:
    """Agreement and differences are counted by ticket; tickets carry the live model's verdict."""
    switch = Switch(registry, tmp_path)
    registry.set_shadow("twee", by="anna", why="", at=NOW)
    live = switch.look()
    texts = [row["text"] for row in rows_of("B1")[:60]]
    entries = switch.pipeline.judge([received(n, text) for n, text in enumerate(texts)])
    assert {entry.assessment.model for entry in entries} == {live}
    switch.live.close()
    found = agreement(tmp_path, "twee")
    same = sum(entry.assessment.topic == "afval-schoon" for entry in entries)
    assert found.posts == len(texts)
    assert found.agree["topic"] == pytest.approx(same / len(texts))
    assert found.agree["urgency"] == 1.0
    assert {then for _, then, _ in found.changes["topic"]} == {"afval-schoon"}
    assert {ticket for ticket, _ in found.tickets} == {
        entry.ticket_id for entry in entries if entry.assessment.topic != "afval-schoon"
    }
    raw = "".join(path.read_text() for path in tmp_path.glob("*.json"))
    assert not any(text in raw for text in texts)
    counted = switch.metrics.registry.get_sample_value(
        "triage_shadow_posts_total", {"head": "topic", "agrees": "no"}
    )
    assert counted == len(texts) - same


def test_a_shadow_that_breaks_hurts_nobody(tmp_path: Path) -> None:
    """After three failures it is given up; nothing is raised."""

    class Broken:
        version = "stuk"
        calls = 0

        def assess(self, posts: Sequence[Any], readings: Sequence[Any]) -> list[Any]:
            self.calls += 1
            raise RuntimeError

    broken = Broken()
    shadow = Shadow(
        broken, Tally(tmp_path, file_name("stuk")), adapt=lambda _, a: a, count=lambda *_: None
    )
    for _ in range(5):
        shadow.see([], NOW.date())
    assert shadow.given_up
    assert broken.calls == 3


def test_counts_of_processes_add_up_and_survive_them(tmp_path: Path) -> None:
    """Each process has a file a day; a reader sums them."""
    for _ in range(2):
        tally = Tally(tmp_path, "drift")
        tally.add(date(2026, 11, 25), "topic", ["a", "a"])
        tally.add(date(2026, 11, 26), "topic", ["b"])
        tally.flush()
    assert merged(tmp_path, "drift") == {
        "2026-11-25": {"topic": {"a": 4}},
        "2026-11-26": {"topic": {"b": 2}},
    }


def test_drift_is_shown_when_the_stream_moves(registry: Registry, tmp_path: Path) -> None:
    """Against its training posts a like stream is near, a stream of one kind is far."""
    switch = Switch(registry, tmp_path)
    rows = [row["text"] for author in ("B1", "C3") for row in rows_of(author)]
    switch.pipeline.judge([received(n, text) for n, text in enumerate(rows)])
    switch.live.close()
    like = merged(tmp_path, "drift")["2026-11-26"]
    training = {"distributions": like}
    folder = registry.folder / "een"
    (folder / "training.json").write_text(json.dumps(training), encoding="utf-8")
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    promote(registry, "een")
    moved = Switch(registry, tmp_path / "x")
    moved.look()
    moved.pipeline.judge([received(n, f"Afval ligt al {n} dagen op straat") for n in range(400)])
    moved.look(10)

    def shown(name: str) -> float:
        value = moved.metrics.registry.get_sample_value(
            "triage_drift_divergence", {"distribution": name}
        )
        assert value is not None
        return value

    assert shown("topic") > 0.3
    assert shown("words") > 0.3
    assert divergence(like["topic"], like["topic"]) == 0
