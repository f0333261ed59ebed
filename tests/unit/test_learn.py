"""Training and evaluation on a small corpus: the real thing, on few posts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.small_corpus import posts_on, rows_of, write_corpus
from triage.classify import Classifier
from triage.errors import Refused
from triage.labels.masking import PersonalMasker
from triage.labels.rows import HEADS, Row, Status
from triage.learn import corpus_tool, figures, report
from triage.learn.dataset import Dataset, assemble, author_of, frozen_rows
from triage.learn.evaluate import (
    cross_validate,
    evaluate_version,
    folds_of,
    judge,
    learning_curve,
    verdict_on,
)
from triage.learn.training import fit, train_version
from triage.models import Registry
from triage.models.live import distributions, training_of
from triage.models.pointers import write_pointer
from triage.ticket import URGENCIES

AT = datetime(2026, 11, 26, tzinfo=UTC)
NEW = "openbaar-vervoer"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a corpus that lacks one topic; its frozen posts have it."""
    return write_corpus(
        tmp_path_factory.mktemp("c") / "corpus",
        learnt=("A1", "A5", "A7", "B1", "C1", "C3", "D1"),
        frozen=("B2", "B4", "D2", "A2", "D3", "A3"),
        keep=lambda row: NEW not in row["topics"],
    )


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Give a registry whose live version was trained on it."""
    registry = Registry(tmp_path_factory.mktemp("m"))
    dataset = assemble(corpus, frozen=frozen_rows(corpus))
    write_pointer(registry.folder, "current", train_version(dataset, registry, folds=2))
    return registry


def label(number: int, row: Mapping[str, Any], **more: Any) -> Row:
    """Make the row of an export from one of the corpus."""
    base = Row(
        id=f"gemeente.t{number}",
        org="gemeente",
        text=row["text"],
        channel=row["channel"],
        lang="nl",
        created_at="2026-11-26T12:00Z",
        author_group=f"groep{number}",
        thread="t",
        labels={"topic": row["topics"][0], "urgency": row["urgency"], "intent": row["intent"]},
        heads=dict.fromkeys(HEADS, Status.CORRECTED),
        status=Status.CORRECTED,
    )
    return replace(base, **more)


def test_only_what_a_person_said_is_learnt(corpus: Path) -> None:
    """Untouched and unlabelled rows are left out and counted; --untouched takes the former."""
    row = rows_of("E1")[0]
    labels = [
        label(1, row),
        label(2, row, status=Status.UNTOUCHED, heads=dict.fromkeys(HEADS, Status.UNTOUCHED)),
        label(3, row, status=Status.UNLABELLED, labels={}, heads={}),
    ]
    base = len(assemble(corpus).rows)
    strict = assemble(corpus, labels)
    assert len(strict.rows) == base + 1
    assert strict.left_out == {"niet bevestigd": 1, "zonder label": 1}
    assert len(assemble(corpus, labels, untouched=True).rows) == base + 2


def test_copies_in_a_bundle_count_once(corpus: Path) -> None:
    """Near-equal members of one bundle are one example; another bundle's are another."""
    row = rows_of("E1")[0]
    copy = {**row, "text": f"RT {row['text']}!!"}
    other = {**row, "text": "iets heel anders over dezelfde brand in de haven"}
    labels = [
        label(1, row, bundle="b1"),
        label(2, copy, bundle="b1"),
        label(3, other, bundle="b1"),
        label(4, row, bundle="b2"),
        label(5, row),
    ]
    found = assemble(corpus, labels)
    assert found.left_out == {"kopie in een bundel": 1}
    assert len(found.rows) == len(assemble(corpus).rows) + 4


def test_no_author_of_the_frozen_set_is_learnt_from(corpus: Path) -> None:
    """Neither of the corpus nor of an export."""
    row = rows_of("E1")[0]
    frozen = [*frozen_rows(corpus), {**row, "id": "groep1-0001"}]
    found = assemble(corpus, [label(1, row), label(2, row)], frozen=frozen)
    assert found.left_out == {"auteur van de vaste toetsset": 1}
    assert not found.authors & {author_of(row) for row in frozen}


def test_the_same_input_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    """Seeded and with pinned threads: every file of the version is the same."""
    dataset = assemble(corpus)
    folders = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        folders.append(tmp_path / name / fit(dataset, tmp_path / name, folds=2))
    assert folders[0].name == folders[1].name
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()


def test_a_training_that_was_cut_short_goes_on(corpus: Path, tmp_path: Path) -> None:
    """Finished folds are not computed again, and the result is that of one go."""
    registry = Registry(tmp_path / "m")
    dataset = assemble(corpus)

    class CutError(Exception):
        pass

    def cut(_step: str, done: int, _total: int) -> None:
        if done == 1:
            raise CutError

    with pytest.raises(CutError):
        train_version(dataset, registry, folds=2, progress=cut)
    kept = list(registry.folder.glob(".work/*/vouw-1.npz"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    shown: list[int] = []
    touched: list[int] = []

    def watch(_step: str, done: int, _total: int) -> None:
        shown.append(done)
        if kept[0].exists():
            touched.append(kept[0].stat().st_mtime_ns)

    version = train_version(dataset, registry, folds=2, progress=watch)
    assert set(touched) == {before}
    assert shown[-1] == 3
    assert not list(registry.folder.glob(".work/*"))
    one_go = train_version(dataset, Registry(tmp_path / "n"), folds=2)
    assert version == one_go


@pytest.mark.slow
def test_thirty_examples_of_a_new_topic_give_a_usable_head(tmp_path: Path) -> None:
    """A topic that the base lacks is found in posts by others, and the rest stays as good."""
    corpus = write_corpus(
        tmp_path / "c",
        learnt=("A1", "A4", "A5", "A6", "A7", "A8", "B1", "B3", "B5", "C1", "C3", "C6", "D1"),
        frozen=("B2", "B4", "D2", "A2", "D3", "A3"),
        each=300,
        keep=lambda row: NEW not in row["topics"],
    )
    registry, frozen = Registry(tmp_path / "m"), frozen_rows(corpus)
    first = train_version(assemble(corpus, frozen=frozen), registry, folds=2)
    given = list(posts_on(NEW, ("C2", "C5", "D4", "E5")))[:30]
    labels = [label(number, row) for number, row in enumerate(given)]
    second = train_version(assemble(corpus, labels, frozen=frozen), registry, folds=2)
    before = evaluate_version(registry, first, frozen)
    after = evaluate_version(registry, second, frozen)
    topic = next(row for row in figures.per_topic(after.pairs) if row.topic == NEW)
    in_three = [
        any(key == NEW for key, _ in said.topics)
        for example, said in after.pairs
        if example.topics[0] == NEW
    ]
    assert sum(in_three) / len(in_three) >= 0.5
    assert topic.recall >= 0.2
    assert topic.precision >= 0.2  # four times its share of the posts
    assert after.figures["topic_first"] >= before.figures["topic_first"] - 0.01
    assert after.figures["topic_macro_f1"] > before.figures["topic_macro_f1"]


def test_a_version_tells_what_it_was_made_of(corpus: Path, trained: Registry) -> None:
    """Beside the model stand its authors, codebook, labels and what the posts looked like."""
    folder = trained.path(trained.current())
    record = training_of(folder)
    dataset = assemble(corpus, frozen=frozen_rows(corpus))
    assert record["authors"] == sorted(dataset.authors)
    assert record["codebook"] == dataset.codebook != ""
    assert sum(record["labels"]["urgency"].values()) == len(dataset.rows)
    assert sum(distributions(folder)["topic"].values()) == len(dataset.rows)


def test_nobody_stands_on_both_sides(corpus: Path, trained: Registry) -> None:
    """A version is not measured on authors that it learnt from, and folds share none."""
    with pytest.raises(Refused, match="van auteurs die het model niet kent"):
        evaluate_version(trained, trained.current(), rows_of("A1"))
    rows = assemble(corpus).rows
    folds = folds_of(rows, 3)
    assert sum(map(len, folds)) == len(frozenset().union(*folds)) == 7
    with pytest.raises(Refused, match="te weinig"):
        folds_of(rows, 8)


def test_the_gate_refuses_a_model_that_misses_more(corpus: Path, trained: Registry) -> None:
    """A recipe that never saw a critical post is measured on the same rows, and refused."""
    frozen = frozen_rows(corpus)
    dataset = assemble(corpus, frozen=frozen)
    calm = [row for row in dataset.rows if row["urgency"] != "kritiek"]
    some = [row for row in dataset.rows if row["urgency"] == "kritiek"][:3]
    worse = train_version(replace(dataset, rows=[*calm[:200], *some]), trained, folds=0)
    verdict = verdict_on(trained, worse, frozen)
    assert not verdict.passed
    assert any("macro-F1" in reason for reason in verdict.refusals)
    with pytest.raises(Refused, match="slechter"):
        trained.promote(worse, verdict, by="anna", why="", at=AT)
    assert verdict_on(trained, worse, frozen) == verdict  # measured once


def test_folds_and_curve_measure_the_recipe(corpus: Path, tmp_path: Path) -> None:
    """Each post is judged once by a model that knows nobody like it; finished folds are kept."""
    dataset = assemble(corpus)
    measured = cross_validate(dataset, folds=2, inner=0, work=tmp_path)
    assert len(measured.pairs) == len(dataset.rows)
    kept = sorted(tmp_path.glob(".work/*/*.npz"))
    times = [path.stat().st_mtime_ns for path in kept]
    again = cross_validate(dataset, folds=2, inner=0, work=tmp_path)
    assert again.figures == measured.figures
    assert [path.stat().st_mtime_ns for path in kept] == times
    curve = learning_curve(dataset, frozen_rows(corpus)[:200])
    posts = [count for count, _ in curve]
    assert posts == sorted(posts)
    assert curve[-1][1]["topic_first"] > curve[0][1]["topic_first"]


class Page(HTMLParser):
    """What a page loads, and what stands in its figures."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.figures = 0
        self.told = 0
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.loads += [str(v) for k, v in attrs if k in {"src", "href"}]
        self.figures += tag == "svg" and ("role", "img") in attrs
        self.told += tag in ("title", "desc") and "svg" in self.open
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.loads += [str(v) for k, v in attrs if k in {"src", "href"}]


def test_the_report_stands_alone_and_names_nobody(corpus: Path, trained: Registry) -> None:
    """One page with figures in words too, mistakes masked and escaped; the same as JSON."""
    frozen = [
        {**row, "text": f"{row['text']} <b>bel</b> Jan Jansen 06-12345678"}
        for row in frozen_rows(corpus)
    ]
    measured = evaluate_version(trained, trained.current(), frozen)
    curve = [(100, measured.figures), (200, measured.figures)]
    page = report.as_html(measured, PersonalMasker(b"k" * 32), at=AT, curve=curve)
    parsed = Page()
    parsed.feed(page)
    assert parsed.open == []
    assert parsed.loads == []
    assert parsed.figures == 5
    assert parsed.told == 2 * parsed.figures
    assert '<html lang="nl">' in page
    assert "06-12345678" not in page
    assert "Jansen" not in page
    assert "<b>" not in page
    for title in ("Kritieke", "Zekerheid", "Per onderwerp", "Verwisselde", "Leercurve", "Ergste"):
        assert title in page
    data = json.dumps(report.as_json(measured, at=AT, curve=curve))
    assert "Jansen" not in data
    assert json.loads(data)["figures"] == measured.figures


def one_hot(urgency: str) -> tuple[float, float, float, float]:
    """Give probabilities that are sure of one urgency."""
    a, b, c, d = (float(key.value == urgency) for key in URGENCIES)
    return a, b, c, d


def test_figures_by_author_add_up(corpus: Path, trained: Registry) -> None:
    """Each group of enough posts has figures of its own, which together are those of the whole."""
    measured = evaluate_version(trained, trained.current(), frozen_rows(corpus))
    groups = figures.per_author(measured.pairs, least=1)
    assert {row.author for row in groups} == {example.author for example, _ in measured.pairs}
    assert sum(row.critical for row in groups) == measured.critical
    weighed = sum(row.topic_first * row.posts for row in groups) / len(measured.pairs)
    assert weighed == pytest.approx(measured.figures["topic_first"], abs=1e-3)
    assert [row.topic_first for row in groups] == sorted(row.topic_first for row in groups)
    most = max(row.posts for row in groups)
    assert figures.per_author(measured.pairs, least=most + 1) == []
    assert "per_author" in report.as_json(measured, at=AT)


def test_figures_are_what_they_say(trained: Registry) -> None:
    """A perfect judge has perfect figures; one that is always sure and half right is far off."""
    pairs = judge(Classifier.load(trained.path(trained.current())), rows_of("A5")[:80])
    perfect = [
        (
            example,
            replace(
                said,
                topics=((example.topics[0], 1.0),),
                confidence=1.0,
                abstained=False,
                urgency=said.urgency.__class__(example.urgency),
                intent=example.intent,
                urgency_p=one_hot(example.urgency),
                safety_rule=None,
            ),
        )
        for example, said in pairs
    ]
    got = figures.measure(perfect)
    for name in ("topic_first", "topic_macro_f1", "urgency_kappa", "critical_recall", "intent"):
        assert got[name] == 1.0
    assert got["topic_calibration_error"] == got["critical_false_per_1000"] == 0.0
    half = [
        (example, replace(said, topics=(("overig" if n % 2 else example.topics[0], 1.0),)))
        for n, (example, said) in enumerate(perfect)
        if "overig" not in example.topics
    ]
    assert figures.measure(half)["topic_calibration_error"] == pytest.approx(0.5, abs=0.01)


def test_the_corpus_tool_finds_what_is_wrong(corpus: Path, tmp_path: Path) -> None:
    """A clean corpus passes; each kind of fault is named at its place."""
    folder = tmp_path / "c"
    write_corpus(folder, learnt=("A1",), frozen=("B2",), each=40)
    assert [finding for finding in corpus_tool.check(folder) if finding.wrong] == []
    good = rows_of("A1")[0]
    faults = [
        {**good, "id": "A1-0002"},
        {**good, "id": "B2-9999", "text": "een heel ander bericht over niets"},
        {**good, "id": "Z1-0001", "urgency": "laag"},
        {**good, "id": "Z1-0002", "text": " ", "topics": [], "intent": "x", "urgency": "y"},
    ]
    text = "".join(json.dumps(row) + "\n" for row in faults)
    (folder / "posts" / "zz.jsonl").write_text(text, encoding="utf-8")
    (folder / "lexicon" / "zz.jsonl").write_text('{"key": "niets", "term": "x", "w": "y"}\n')
    wrong = {(f.where, f.what) for f in corpus_tool.check(folder) if f.wrong}
    assert ("A1-0002", "id: komt 2 keer voor") in wrong
    assert ("B2", "auteur staat in posts/ en in frozen/") in wrong
    assert ("A1-0001 Z1-0001", "bijna gelijk (100%), andere labels") in wrong
    assert {what for where, what in wrong if where == "Z1-0002"} == {
        "text: leeg",
        "topics: minstens één onderwerp",
        "urgency: 'y'",
        "intent: 'x'",
    }
    assert ("niets 'x'", "lexicon: onbekende sleutel") in wrong
    counted = corpus_tool.stats(folder)
    assert counted["posts"]["posts"] == 44
    assert counted["frozen"]["authors"] == {"B2": 40}


def test_datasets_are_told_apart(corpus: Path) -> None:
    """Another row gives another digest: finished folds of another input are never taken."""
    dataset = assemble(corpus)
    fewer: Dataset = replace(dataset, rows=dataset.rows[1:])
    assert dataset.digest == assemble(corpus).digest != fewer.digest
