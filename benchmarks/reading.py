"""What reading and assessing a post costs, and what it is worth, beside those who do it too.

Trained on the same posts, asked about the same other authors' posts, in the same run: ours,
Amsterdam's recipe, fastText, spaCy's two text classifiers. See README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from sklearn.metrics import f1_score, precision_recall_curve

from benchmarks._judging import COST, QUALITY, START, TRAIN
from benchmarks._posts import CORPUS, Variations
from benchmarks._support import (
    ROOT,
    Figure,
    clean_exit_on_sigterm,
    cores,
    median,
    number,
    pin,
    progress,
    report,
    servers,
    spread,
)
from benchmarks._tokens import share_unseen
from benchmarks.judges.base import CRITICAL
from benchmarks.judges.ours import version_in
from benchmarks.throughput import Bench, cpu_us
from triage.learn.dataset import author_of, read_rows_of
from triage.learn.evaluate import folds_of

OURS: Final = "ours"
#: The judges, by the name of their module, as the table calls them.
JUDGES: Final[Mapping[str, str]] = {
    OURS: "triage",
    "signalen": "Amsterdam's recipe",
    "fasttext": "fastText",
    "spacy_bow": "spaCy textcat_bow",
    "spacy_ensemble": "spaCy textcat ensemble",
}
#: Our own once more, on the same model.
WITH_ENTITIES: Final = "ours_entities"
#: One of so many parts of the authors is asked about; the others' posts are learnt from.
PARTS: Final = 5
RECALL: Final = 0.95
COLUMNS: Final = (
    *("topic", "macro-F1", "critical recall", "precision", "P@R95"),
    *("batch µs", "single µs", "train s", "disk MB", "memory MB", "library MB", "start s"),
)

Row = Mapping[str, Any]
Measured = dict[str, Any]


@dataclass(slots=True)
class Run:
    """The posts as files, and what was measured of each judge."""

    folder: Path
    quick: bool
    single: int
    core: int
    found: dict[str, dict[str, float]] = field(default_factory=dict)
    costs: dict[str, list[Measured]] = field(default_factory=dict)

    def train(self, name: str, rows: str = "train", folder: str = "") -> Measured:
        """Train a judge in a process of its own, unless it was before in the same folder."""
        target = self.folder / (folder or name)
        record = target.with_suffix(".trained.json")
        if not record.exists():
            shutil.rmtree(target, ignore_errors=True)  # stopped half-way
            target.mkdir()
            measured = self._do(TRAIN, name, target, rows, "quick" if self.quick else "")
            record.write_text(json.dumps(measured))
        trained: Measured = json.loads(record.read_text())
        return trained

    def judge(self, name: str, rows: Sequence[Row], starts: int) -> None:
        """Train a judge, and measure what it says of the rows of ``test``."""
        trained = self.train(name)
        folder = self.folder / name
        said = self._do(QUALITY, name, folder, "test")
        begun = [self._start(name) for _ in range(starts)]
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        self.found[name] = {
            **quality(rows, said["verdicts"]),
            "train s": trained["cpu"],
            "train wall s": trained["seconds"],
            "disk MB": size,
            "start s": median([cpu for cpu, _ in begun]),
            "start wall s": median([wall for _, wall in begun]),
        }
        progress(f"{JUDGES[name]}: {table_row(self.found[name])}")

    def cost(self, name: str, model: str = "") -> None:
        """Measure what a judge costs a post, once more."""
        folder = self.folder / (model or name)
        found = self._do(COST, name, folder, "varied", str(self.single), str(self.core))
        self.costs.setdefault(name, []).append(found)

    def settle(self) -> None:
        """Give the median of what was measured more than once."""
        for name, runs in self.costs.items():
            row = self.found.setdefault(name, {})
            row["batch µs"] = median([run["batch"] for run in runs])
            row["single µs"] = median([run["single"] for run in runs])
            row["memory MB"] = median([run["memory"]["at work"] for run in runs])
            row["library MB"] = median([run["memory"]["library"] for run in runs])

    def _do(self, task: str, name: str, folder: Path, rows: str, *rest: str) -> Measured:
        with self._process(task, name, folder, rows, *rest) as process:
            assert process.stdout is not None
            said = process.stdout.read()
        if process.returncode:
            sys.exit(f"{name} could not {task} (its error stands above)")
        measured: Measured = json.loads(said)
        return measured

    def _start(self, name: str) -> tuple[float, float]:
        """Start a judge and let it judge one post: CPU and wall seconds, to its end."""
        begun = time.monotonic()
        process = self._process(START, name, self.folder / name, "test")
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.stdout is not None
        process.stdout.close()
        if process.returncode:
            sys.exit(f"{name} did not start (its error stands above)")
        return usage.ru_utime + usage.ru_stime, wall

    def _process(
        self, task: str, name: str, folder: Path, rows: str, *rest: str
    ) -> subprocess.Popen[str]:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        path = self.folder / f"{rows}.jsonl"
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks._judging", task, name, folder, path, *rest],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **threads},
        )


def quality(rows: Sequence[Row], verdicts: Sequence[tuple[str, str, float]]) -> dict[str, float]:
    """Measure verdicts against what the rows are."""
    topics, urgencies, p = (list(column) for column in zip(*verdicts, strict=True))
    critical = np.array([row["urgency"] == CRITICAL for row in rows])
    said = np.array([urgency == CRITICAL for urgency in urgencies])
    right = [topic in row["topics"] for topic, row in zip(topics, rows, strict=True)]
    precision, recall, _ = precision_recall_curve(critical, p)
    primary = [row["topics"][0] for row in rows]
    return {
        "topic": sum(right) / len(right),
        "macro-F1": float(f1_score(primary, topics, average="macro", zero_division=0)),
        "critical recall": float(said[critical].mean()),
        "precision": float(critical[said].mean()) if said.any() else 0.0,
        "P@R95": float(precision[recall >= RECALL].max()),
    }


def table_row(figures: Mapping[str, float]) -> str:
    """Write the columns that there are."""
    return " | ".join(number(figures[name]) if name in figures else "" for name in COLUMNS)


def installed(name: str) -> bool:
    """Tell whether a judge's library is there; only fastText is no dependency."""
    return name != "fasttext" or importlib.util.find_spec("fasttext") is not None


# -- posts ---------------------------------------------------------------------------------------


def split(every: int) -> tuple[list[Row], list[Row]]:
    """Share out the corpus: what is learnt from, and posts by authors of whom nothing is.

    Of the first, one in ``every`` posts is taken.
    """
    rows: list[Row] = list(read_rows_of(CORPUS))
    held = folds_of(rows, PARTS)[0]
    train = [row for row in rows if author_of(row) not in held]
    test = [row for row in rows if author_of(row) in held]
    return train[::every], test


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as lines of JSON."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def varied(seed: int, posts: int) -> Iterator[dict[str, Any]]:
    """Give the posts of the throughput benchmark: no text comes twice."""
    return Variations(seed=seed).posts(posts)


# -- figures -------------------------------------------------------------------------------------


def figures(run: Run, loop: Sequence[float], whole: Measured | None, unseen: float) -> list[Figure]:
    """Work out the figures."""
    ours, more = run.found[OURS], run.found[WITH_ENTITIES]
    rows = [
        *_beside_the_loop(run, loop),
        Figure(name="  with entities sought too", value=more["batch µs"], unit="µs"),
        Figure(
            name="start-up, CPU time",
            value=ours["start s"],
            unit="s",
            at_most=3,
            note=f"{number(ours['start wall s'])} s by the wall clock; from nothing to one verdict",
        ),
        Figure(name="model on disk", value=ours["disk MB"], unit="MB", at_most=20),
        Figure(
            name="model in memory, at work",
            value=ours["memory MB"],
            unit="MB",
            at_most=150,
            note=f"and {number(ours['library MB'])} MB of code and libraries",
        ),
        Figure(
            name="tokens not in the model's table",
            value=unseen * 100,
            unit="%",
            note="of the posts by which cost is measured",
        ),
    ]
    if whole:
        cpu = f"{number(whole['cpu'])} s of CPU, one thread"
        rows.insert(
            2,
            Figure(
                name="training from the full corpus",
                value=whole["seconds"],
                unit="s",
                at_most=600,
                note=cpu,
            ),
        )
    rows += [
        Figure(name=f"{column}, {JUDGES[name]}", value=value)
        for name, found in run.found.items()
        if name in JUDGES
        for column, value in found.items()
    ]
    return rows


def _beside_the_loop(run: Run, loop: Sequence[float]) -> list[Figure]:
    costs = [one["batch"] for one in run.costs[OURS]]
    ours = Figure(
        name="reading and assessing, CPU a post", value=median(costs), unit="µs", note=spread(costs)
    )
    if not loop:
        return [ours]
    ratios = [cost / bare for cost, bare in zip(costs, loop, strict=True)]
    return [
        ours,
        Figure(name="the bare loop, CPU a post", value=median(loop), unit="µs", note=spread(loop)),
        Figure(
            name="reading and assessing / bare loop",
            value=median(ratios),
            unit="x",
            at_most=1.0,
            note=spread(ratios),
        ),
    ]


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000, help="by which cost is measured")
    parser.add_argument("--single", type=int, default=1_000, help="of them judged one by one")
    parser.add_argument("--repeat", type=int, default=3, help="measurements of cost")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="learn from one in so many posts")
    parser.add_argument("--keep", type=Path, help="a folder for what was trained, to go on from")
    parser.add_argument("--with-loop", action="store_true", help="beside the bare loop, on Kafka")
    parser.add_argument("--quick", action="store_true", help="few posts, badly: does it run?")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for a target missed")
    options = parser.parse_args()
    if options.quick:
        options.posts, options.single, options.repeat, options.every = 1_500, 200, 1, 16
    clean_exit_on_sigterm()
    train, test = split(options.every)
    names = [name for name in JUDGES if installed(name)]
    missing = [JUDGES[name] for name in JUDGES if name not in names]
    with ExitStack() as stack:
        root = options.keep or stack.enter_context(TemporaryDirectory(prefix="triage-reading-"))
        folder = Path(root) / f"{'quick' if options.quick else 'full'}-{options.every}"
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(
            folder=folder, quick=options.quick, single=options.single, core=cores().measured[0]
        )
        write(folder / "train.jsonl", train)
        write(folder / "test.jsonl", test)
        write(folder / "varied.jsonl", varied(options.seed, options.posts))
        for name in names:
            run.judge(name, test, starts=1 if options.quick else 3)
        whole = None
        if not options.quick:
            write(folder / "whole.jsonl", read_rows_of(CORPUS))
            whole = run.train(OURS, "whole", "whole")
        loop = measure_costs(run, names, options, stack)
        unseen = share_unseen(varied(options.seed, options.posts), version_in(folder / OURS))
    run.settle()
    _print_table(run, missing)
    details: dict[str, Any] = {
        "posts": {"train": len(train), "test": len(test), "varied": options.posts},
        "authors": {"train": _authors(train), "test": _authors(test)},
        "unseen": unseen,
        "found": run.found,
        "costs": run.costs,
        "loop": loop,
        "whole": whole,
        "missing": missing,
    }
    rows = figures(run, loop, whole, unseen["tokens"])
    return report("reading", rows, details=details, strict=options.strict)


def measure_costs(
    run: Run, names: Sequence[str], options: argparse.Namespace, stack: ExitStack
) -> list[float]:
    """Measure what judges cost, in turn, our own right after the bare loop; give the loop's."""
    bench = None
    if options.with_loop:
        ours = os.sched_getaffinity(0)
        pin(cores().servers)  # what is started now keeps off the measured core
        bench = Bench(servers=stack.enter_context(servers(fsync="everysec")), posts=options.posts)
        bench.fill(varied(options.seed, options.posts))
    loop = []
    for turn in range(options.repeat):
        progress(f"cost, {turn + 1} of {options.repeat}")
        if bench:
            bench.run("bare")
            loop.append(cpu_us(bench.runs["bare"][-1]))
        for name in names:
            run.cost(name)
        run.cost(WITH_ENTITIES, model=OURS)
    if bench:
        pin(frozenset(ours))
    return loop


def _authors(rows: Sequence[Row]) -> list[str]:
    return sorted({author_of(row) for row in rows})


def _print_table(run: Run, missing: Sequence[str]) -> None:
    print(f"\n| judge | {' | '.join(COLUMNS)} |\n|{' --- |' * (1 + len(COLUMNS))}")
    for name, label in JUDGES.items():
        if name in run.found:
            print(f"| {label} | {table_row(run.found[name])} |")
    for label in missing:
        note = "NOT MEASURED: not installed (pip install -r requirements-bench.lock)"
        print(f"| {label} | {note} |{' |' * (len(COLUMNS) - 1)}")
        progress(f"{label}: {note}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
