"""Bundling a storm: are copies together, look-alikes apart, and what does it cost.

Truth comes with the generator (``tests/plugins/storm.py``). Side by side in the same run: our
bundles, through the pipeline and a real queue; datasketch's MinHashLSH in process; exact text (as
Alertmanager groups); Jaccard against the last 50 posts (as AIDR does). See README.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from datasketch import MinHash, MinHashLSH

from benchmarks._support import Figure, clean_exit_on_sigterm, median, progress, report, servers
from tests.plugins.bundle_kills import run
from tests.plugins.queue_stores import Store
from tests.plugins.storm import Told, batches, storm
from triage.cli.build import load_pipeline, load_profiles
from triage.pipeline import Received
from triage.post import Author, Post
from triage.queue import Entry
from triage.queue.open import open_queue
from triage.settings import load_settings

BATCH: Final = 500
_START: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_SPAN: Final = timedelta(hours=8)
#: Jaccard similarity of words from which the peers take two posts for copies.
_ALIKE: Final = 0.6
_PERMUTATIONS: Final = 64
_SOUNDS: Final = [a + b for a in "bdfghklmnprstvwz" for b in ("aa", "ee", "ie", "oo", "ui")][:36]

Labels = list[str]


def ours(told: Sequence[Told], url: str, *, bundled: bool = True) -> tuple[Labels, float, int, int]:
    """Put a storm; give the bundle of each post, CPU seconds, tickets and critical ones hidden."""
    settings = load_settings()
    pipeline = load_pipeline(settings, load_profiles(settings), entities=False)
    org, queue = pipeline.orgs[0], open_queue(url)
    step = _SPAN / len(told)
    seconds, entries = 0.0, []
    with queue:
        for number, batch in enumerate(batches(list(told), BATCH)):
            received = []
            for place, one in enumerate(batch):
                at = _START + step * (number * BATCH + place)
                author = Author(**one.post["author"])
                fields = {**one.post, "author": author, "created_at": at, "org": ""}
                received.append(Received(post=Post(**fields), received_at=at))
            begun = time.process_time()
            judged = pipeline.judge(received)
            if not bundled:
                judged = [_alone(entry) for entry in judged]
            queue.put(org, judged, now=received[-1].received_at, request=uuid.uuid4().hex)
            seconds += time.process_time() - begun
            entries += judged
        labels, hidden = [], 0
        for entry in entries:
            ticket = queue.get(entry.ticket_id, now=_START)
            labels.append(ticket.within or ticket.id)
            hidden += ticket.urgency.rank > entry.assessment.urgency.rank
    return labels, seconds, len(set(labels)), hidden


def _alone(entry: Entry) -> Entry:
    return replace(entry, bundling=None)


def by_minhash(told: Sequence[Told]) -> tuple[Labels, float]:
    """Group by datasketch: the first post that is alike, by words."""
    begun = time.process_time()
    index = MinHashLSH(threshold=_ALIKE, num_perm=_PERMUTATIONS)
    labels: Labels = []
    for place, one in enumerate(told):
        sketch = MinHash(num_perm=_PERMUTATIONS)
        sketch.update_batch([word.encode() for word in set(one.post["text"].lower().split())])
        found = index.query(sketch)
        if found:
            labels.append(labels[min(map(int, found))])
        else:
            index.insert(str(place), sketch)
            labels.append(str(place))
    return labels, time.process_time() - begun


def by_text(told: Sequence[Told]) -> tuple[Labels, float]:
    """Group by the exact text."""
    begun = time.process_time()
    return [one.post["text"] for one in told], time.process_time() - begun


def by_window(told: Sequence[Told]) -> tuple[Labels, float]:
    """Group with the most alike of the last 50 posts."""
    begun = time.process_time()
    last: deque[tuple[frozenset[str], str]] = deque(maxlen=50)
    labels: Labels = []
    for place, one in enumerate(told):
        words = frozenset(one.post["text"].lower().split())
        best, label = 0.0, str(place)
        for other, name in last:
            alike = len(words & other) / len(words | other)
            if alike >= _ALIKE and alike > best:
                best, label = alike, name
        last.append((words, label))
        labels.append(label)
    return labels, time.process_time() - begun


def pairs(counts: Counter[object]) -> int:
    """Count the pairs within groups of these sizes."""
    return sum(count * (count - 1) // 2 for count in counts.values())


def quality(told: Sequence[Told], labels: Labels) -> tuple[float, float]:
    """Give the precision and the recall of pairs."""
    truth = pairs(Counter(one.group for one in told))
    said = pairs(Counter(labels))
    both = pairs(Counter(zip((one.group for one in told), labels, strict=True)))
    return both / max(1, said), both / max(1, truth)


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--originals", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--redis", action="store_true", help="put into a real Redis, not SQLite")
    parser.add_argument("--grow", type=int, default=0, help="bundles in the larger store")
    parser.add_argument("--kill-seeds", type=int, default=20, help="storms with kills")
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for a target missed")
    options = parser.parse_args()
    if options.quick:
        options.posts, options.originals = options.posts // 10, options.originals // 10
        options.kill_seeds = min(options.kill_seeds, 1)
    clean_exit_on_sigterm()
    told = storm(options.seed, posts=options.posts, originals=options.originals)
    progress(f"storm: {Counter(one.kind for one in told)}")
    grown: list[Figure] = []
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        url = f"sqlite:///{folder}/bundles.db"
        if options.redis:
            running = stack.enter_context(servers(fsync="everysec"))
            url = running.redis.url
        labels, seconds, tickets, hidden = ours(told, url)
        progress("ours done")
        if options.redis:
            with running.redis.client() as client:
                used = client.info("memory")["used_memory"] / len(told)
            grown.append(Figure(name="Redis memory a post", value=used, unit="bytes"))
        if options.grow:
            grown += _as_it_grows(url, (10_000, options.grow))
    copied = [n for n, one in enumerate(told) if one.kind == "copy"]
    shown = len({labels[n] for n in copied})
    precision, recall = quality(told, labels)
    figures = [
        Figure(name="pair precision", value=precision, at_least=0.97),
        Figure(name="pair recall", value=recall, at_least=0.90),
        Figure(name="posts a ticket, copied part", value=len(copied) / shown, at_least=25),
        Figure(name="tickets", value=tickets),
        Figure(name="critical posts in a less urgent ticket", value=hidden, at_most=0),
        Figure(name="CPU a post, judged and put", value=seconds / len(told) * 1e6, unit="us"),
    ]
    for name, peer in (("datasketch", by_minhash), ("exact text", by_text), ("last 50", by_window)):
        grouped, cpu = peer(told)
        progress(f"{name} done")
        good, found = quality(told, grouped)
        figures += [
            Figure(name=f"{name}: precision", value=good),
            Figure(name=f"{name}: recall", value=found),
            Figure(
                name=f"{name}: posts a ticket",
                value=len(copied) / len({grouped[n] for n in copied}),
            ),
            Figure(name=f"{name}: CPU a post", value=cpu / len(told) * 1e6, unit="us"),
        ]
    figures += grown
    figures += _after_kills(options.kill_seeds)
    wrong = _examples(told, labels)
    return report("bundles", figures, details={"wrong": wrong}, strict=options.strict)


def _as_it_grows(url: str, sizes: Sequence[int]) -> list[Figure]:
    """Put until a store holds so many bundles; what a look-up takes then."""
    rng = random.Random(1)
    words = [f"{a}{b}{c}" for a in _SOUNDS for b in _SOUNDS for c in _SOUNDS]
    store = Store("grown", url)
    queue, held, costs = store.open(), 0, []

    def entries(count: int, name: str) -> list[Entry]:
        return [
            store.copy(f"{name}-{n}", " ".join(rng.choices(words, k=14)), received_at=_START)
            for n in range(count)
        ]

    for size in sizes:
        while held < size:
            count = min(1_000, size - held)
            queue.put(store.org, entries(count, str(held)), now=_START, request=uuid.uuid4().hex)
            held += count
        times = []
        for turn in range(5):
            fresh = entries(500, f"fresh-{size}-{turn}")
            begun = time.perf_counter()
            queue.put(store.org, fresh, now=_START, request=uuid.uuid4().hex)
            times.append((time.perf_counter() - begun) / len(fresh) * 1e6)
            held += len(fresh)
        costs.append(median(times))
        progress(f"{held:,} bundles: {costs[-1]:.0f} us a post")
    store.close()
    note = f"{costs[-1]:.0f} us with {sizes[-1]:,} bundles, {costs[0]:.0f} us with {sizes[0]:,}"
    return [
        Figure(
            name="put with many bundles / few",
            value=costs[-1] / costs[0],
            unit="x",
            at_most=1.5,
            note=note,
        )
    ]


def _after_kills(seeds: int) -> list[Figure]:
    """Put small storms with a worker that is killed; count what went wrong."""
    found = []
    for seed in range(1, seeds + 1):
        with TemporaryDirectory() as folder:
            found.append(run(Path(folder), seed=seed, posts=1_000, kills=3))
        progress(f"kills, seed {seed}: {found[-1]}")
    if not found:
        return []
    wrong = {
        "critical posts hidden": sum(one.hidden for one in found),
        "posts lost or double": sum(one.lost + one.double for one in found),
        "bundles miscounted": sum(one.miscounted for one in found),
    }
    kills = sum(one.kills for one in found)
    note = f"{seeds} seeds, {kills} kills of the worker"
    return [
        Figure(name=f"with kills: {name}", value=count, at_most=0, note=note)
        for name, count in wrong.items()
    ]


def _examples(told: Sequence[Told], labels: Labels) -> list[dict[str, str]]:
    """Give some posts that stand with others that they are not like, or apart from their own."""
    first_of: dict[str, int] = {}
    label_of: dict[str, int] = {}
    found = []
    for n, one in enumerate(told):
        lead = label_of.setdefault(labels[n], n)
        own = first_of.setdefault(one.group, n)
        if told[lead].group != one.group:
            found.append(
                {"what": "wrongly together", "a": told[lead].post["text"], "b": one.post["text"]}
            )
        elif labels[own] != labels[n]:
            found.append({"what": "apart", "a": told[own].post["text"], "b": one.post["text"]})
    return found[:400]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
