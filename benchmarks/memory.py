"""The memory of a worker over a million posts with two million words that never came before.

A worker is meant to run for months. What grows with what it has seen ends it: the string store of
spaCy's tokenizer alone would take some 800 MB here. See README.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from benchmarks._posts import Variations, with_new_words
from benchmarks._support import (
    Figure,
    clean_exit_on_sigterm,
    cores,
    pin,
    progress,
    report,
)
from benchmarks._usage import memory_of
from triage.cli.build import load_pipeline, load_profiles
from triage.pipeline import Pipeline, Received
from triage.post import Author, Post
from triage.settings import load_settings

BATCH: Final = 500
_START: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def judge(
    pipeline: Pipeline, texts: Iterable[str], *, every: int, name: str
) -> list[dict[str, float]]:
    """Judge texts in batches; give the memory after every so many posts."""
    seen = []
    rest = iter(texts)
    serial = 0
    begun = time.process_time()
    while batch := list(islice(rest, BATCH)):
        received = []
        for text in batch:
            at = _START + timedelta(milliseconds=serial)
            author = Author(id=f"burger-{serial % 30_000}")
            post = Post(id=f"{name}-{serial}", text=text, created_at=at, author=author)
            received.append(Received(post=post, received_at=at))
            serial += 1
        pipeline.judge(received)
        if serial % every < BATCH:
            now, peak = memory_of()
            seen.append({"posts": serial, "mb": now, "peak_mb": peak})
            seconds = time.process_time() - begun
            progress(f"{name}: {serial:,} posts, {now:.0f} MB, peak {peak:.0f} MB, {seconds:.0f} s")
    return seen


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=int, default=100_000, help="posts before it counts")
    parser.add_argument("--posts", type=int, default=1_000_000, help="each with two new words")
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for a target missed")
    options = parser.parse_args()
    if options.quick:
        options.before, options.posts = options.before // 10, options.posts // 10
    clean_exit_on_sigterm()
    pin(frozenset(cores().measured))
    settings = load_settings()
    pipeline = load_pipeline(settings, load_profiles(settings), entities=False)
    # Remembering which texts came would be our own memory, not the worker's.
    varied = (post["text"] for post in Variations(seed=1, distinct=False).posts(options.before))
    first = judge(pipeline, varied, every=max(BATCH, options.before // 5), name="before")
    more = judge(
        pipeline, with_new_words(options.posts), every=max(BATCH, options.posts // 20), name="more"
    )
    before, after = first[-1], more[-1]
    half = more[len(more) // 2]
    figures = [
        Figure(
            name=f"peak after {options.before:,} posts",
            value=before["peak_mb"],
            unit="MB",
            at_most=400,
        ),
        Figure(
            name=f"peak after {options.posts:,} more, {2 * options.posts:,} new words",
            value=after["peak_mb"],
            unit="MB",
            at_most=400,
        ),
        Figure(
            name="growth of the peak",
            value=after["peak_mb"] - before["peak_mb"],
            unit="MB",
            at_most=None if options.quick else 20,
            note="caches are not full yet: says little" if options.quick else "",
        ),
        Figure(
            name="  of it in the second half",
            value=after["peak_mb"] - half["peak_mb"],
            unit="MB",
            note="0 says that it ends; anything else that it only goes slowly",
        ),
        Figure(name="growth of memory in use", value=after["mb"] - before["mb"], unit="MB"),
        Figure(name="posts not judged", value=pipeline.failures, at_most=0),
    ]
    details = {"before": first, "more": more}
    return report("memory", figures, details=details, strict=options.strict)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
