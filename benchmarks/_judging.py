"""The measured processes of ``reading.py``: a judge trains, starts, or judges, alone.

Each imports the one judge that it runs and prints what it measured as one line of JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from benchmarks._usage import memory_of
from benchmarks.judges.base import Judge, JudgeModule

#: Posts a batch, as our worker takes them.
BATCH: Final = 500
#: What a process may be told to do.
TRAIN, START, QUALITY, COST = "train", "start", "quality", "cost"


def main() -> None:
    """Do one job: ``TASK NAME FOLDER INPUT...``."""
    task, name, folder, *rest = sys.argv[1:]
    empty = memory_of()[0]
    module = cast("JudgeModule", importlib.import_module(f"benchmarks.judges.{name}"))
    if task == TRAIN:
        print(json.dumps(_train(module, Path(folder), *rest)), flush=True)
        return
    library = memory_of()[0]
    judge = module.load(Path(folder))
    loaded = memory_of()[0]
    if task == START:
        (row,) = _rows(rest[0], 1)
        judge.judge(judge.prepare([row]))
        return
    measured: dict[str, Any]
    measured = _quality(judge, rest[0]) if task == QUALITY else _cost(judge, *rest)
    measured["memory"] = {
        "library": library - empty,
        "model": loaded - library,
        "at work": memory_of()[0] - library,
    }
    print(json.dumps(measured), flush=True)


def _train(module: JudgeModule, folder: Path, path: str, quick: str) -> dict[str, float]:
    rows = _rows(path)
    wall, cpu = time.monotonic(), time.process_time()
    module.train(rows, folder, quick=quick == "quick")
    return {"seconds": time.monotonic() - wall, "cpu": time.process_time() - cpu}


def _quality(judge: Judge, path: str) -> dict[str, Any]:
    rows = _rows(path)
    return {
        "verdicts": [
            verdict
            for start in range(0, len(rows), BATCH)
            for verdict in judge.judge(judge.prepare(rows[start : start + BATCH]))
        ]
    }


def _cost(judge: Judge, path: str, single: str, core: str) -> dict[str, Any]:
    """Judge posts in batches, then others, so many, one by one; all are new to the judge."""
    os.sched_setaffinity(0, {int(core)})
    posts = judge.prepare(_rows(path))
    alone, together = posts[: int(single)], posts[int(single) :]
    # As the worker does: what is loaded is not gone through for each batch.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    batches = [together[start : start + BATCH] for start in range(0, len(together), BATCH)]
    return {"batch": _us(judge, batches), "single": _us(judge, [[post] for post in alone])}


def _us(judge: Judge, batches: Sequence[Sequence[Any]]) -> float:
    """Give CPU microseconds a post."""
    begun = time.process_time()
    for batch in batches:
        judge.judge(batch)
    return (time.process_time() - begun) / sum(map(len, batches)) * 1e6


def _rows(path: str, most: int | None = None) -> list[dict[str, Any]]:
    with Path(path).open(encoding="utf-8") as lines:
        return [
            json.loads(line) for _, line in zip(range(most or sys.maxsize), lines, strict=False)
        ]


if __name__ == "__main__":
    main()
