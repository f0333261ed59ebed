"""Posts a second, from a real Kafka to a real Redis, beside a bare loop and a peer.

Every process measured is alone on a core where the machine has enough of them. Machines differ by
a factor of four, and so do hours of a shared one: ratios of one run decide. See README.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from benchmarks._job import Job, start
from benchmarks._posts import Variations
from benchmarks._support import (
    Figure,
    Servers,
    clean_exit_on_sigterm,
    cores,
    cpu_seconds,
    median,
    number,
    pin,
    progress,
    report,
    servers,
    spread,
)
from benchmarks._tokens import share_unseen
from tests.plugins.storm import storm
from triage.cli.build import make_log
from triage.log import Topic, post_record

#: Posts of the per-message peer: it is slow, and steady after a few hundred.
PEER_POSTS: Final = 5_000
#: The order in which stages are shown.
STAGES: Final = (
    *("poll", "decode", "read", "assess", "route", "put", "commit", "publish", "lag", "rest"),
    "network thread",
)
PARTITIONS: Final = 2

Measured = dict[str, Any]


@dataclass(slots=True)
class Bench:
    """The servers, filled with posts, and what was measured on them."""

    servers: Servers
    posts: int
    runs: dict[str, list[list[Measured]]] = field(default_factory=dict)

    def fill(self, posts: Iterator[dict[str, Any]]) -> None:
        """Append the posts to the topic."""
        with make_log(self.servers.settings(partitions=PARTITIONS)) as log:
            while batch := list(islice(posts, 1000)):
                records = [
                    post_record(json.dumps(post, ensure_ascii=False).encode(), post["author"]["id"])
                    for post in batch
                ]
                log.append(Topic.POSTS, records)

    def run(self, kind: str, *, processes: int = 1, posts: int = 0) -> None:
        """Measure some processes of a kind that share the topic; they begin together."""
        name = kind if processes == 1 else f"{processes} x {kind}"
        self.servers.empty_queues()
        group = f"bench-{uuid.uuid4().hex[:8]}"
        with _ended([self._job(kind, group, core, processes, posts) for core in
                     cores(processes).measured]) as started:  # fmt: skip
            for process in started:
                _expect_ready(process)
            before = {server: cpu_seconds(server) for server in ("java", "redis")}
            for process in started:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            measured = [_result(process) for process in started]
        for server, used in before.items():
            measured[0][f"{server}_cpu"] = cpu_seconds(server) - used
        self.runs.setdefault(name, []).append(measured)
        progress(f"{name}: {rate(measured):,.0f} posts/s, {cpu_us(measured):.1f} µs CPU a post")

    def _job(self, kind: str, group: str, core: int, processes: int, posts: int) -> Job:
        return Job(
            kind=kind,
            kafka=self.servers.kafka.url,
            redis=self.servers.redis.url,
            group=group,
            core=core,
            data=str(self.servers.folder / uuid.uuid4().hex),
            partitions=PARTITIONS,
            share=PARTITIONS // processes,
            posts=posts or self.posts,
        )


@contextmanager
def _ended(jobs: Sequence[Job]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes; none of them outlives the block."""
    with ExitStack() as stack:
        started = []
        for job in jobs:
            process = start(job)
            stack.callback(process.wait)
            stack.callback(process.kill)
            started.append(process)
        yield started


def _expect_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return
    sys.exit("a measured process ended before it was ready (its error stands above)")


def _result(process: subprocess.Popen[str]) -> Measured:
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    if process.wait() or not lines:
        sys.exit("a measured process failed (its error stands above)")
    measured: Measured = json.loads(lines[-1])
    return measured


def rate(run: Sequence[Measured]) -> float:
    """Give posts a second of all processes of a run together, by the wall clock."""
    seconds = max(one["ended"] for one in run) - min(one["begun"] for one in run)
    return float(sum(one["posts"] for one in run) / seconds)


def cpu_us(run: Sequence[Measured]) -> float:
    """Give CPU microseconds a post, of the processes measured."""
    return float(sum(one["cpu"] for one in run) / sum(one["posts"] for one in run) * 1e6)


# -- figures -------------------------------------------------------------------------------------


def figures(bench: Bench, unseen: dict[str, float]) -> list[Figure]:
    """Work out the figures."""
    runs = bench.runs
    rates = {name: [rate(run) for run in of] for name, of in runs.items()}
    cpus = {name: [cpu_us(run) for run in of] for name, of in runs.items()}
    return [
        *_against_the_bare_loop(rates, cpus),
        *_two_processes(bench, rates, cpus),
        *_memory(runs),
        *_against_the_peer(rates, cpus),
        *_by_stage(runs),
        *_of_servers(runs),
        Figure(
            name="tokens not in the model's table",
            value=unseen["tokens"] * 100,
            unit="%",
            note=f"{unseen['posts'] * 100:.0f}% of posts have one",
        ),
    ]


def _against_the_bare_loop(
    rates: dict[str, list[float]], cpus: dict[str, list[float]]
) -> list[Figure]:
    ratios = [ours / bare for ours, bare in zip(rates["worker"], rates["bare"], strict=True)]
    by_cpu = [bare / ours for ours, bare in zip(cpus["worker"], cpus["bare"], strict=True)]
    return [
        _rate("bare loop", rates["bare"]),
        _rate("one worker", rates["worker"]),
        Figure(
            name="one worker / bare loop",
            value=median(ratios),
            unit="x",
            at_least=0.40,
            note=spread(ratios),
        ),
        Figure(name="  the same by CPU time", value=median(by_cpu), unit="x", note=spread(by_cpu)),
        *_bundling(rates, cpus),
    ]


def _bundling(rates: dict[str, list[float]], cpus: dict[str, list[float]]) -> list[Figure]:
    """Give what bundling costs: one worker with it over one without."""
    pairs = zip(rates["worker"], rates["worker-alone"], strict=True)
    ratios = [bundled / alone for bundled, alone in pairs]
    by_cpu = [
        alone / bundled for bundled, alone in zip(cpus["worker"], cpus["worker-alone"], strict=True)
    ]
    return [
        Figure(
            name="bundling on / off",
            value=median(ratios),
            unit="x",
            at_least=0.7,
            note=spread(ratios),
        ),
        Figure(name="  the same by CPU time", value=median(by_cpu), unit="x", note=spread(by_cpu)),
    ]


def _two_processes(
    bench: Bench, rates: dict[str, list[float]], cpus: dict[str, list[float]]
) -> list[Figure]:
    two = rates["2 x worker"]
    by_wall = median(two) / median(rates["worker"])
    by_cpu = 2 * median(cpus["worker"]) / median(cpus["2 x worker"])
    apart = cores(2).apart
    wall_note = spread(two) if apart else "too few cores: workers, Kafka and Redis share them"
    wall = Figure(
        name="two workers / one",
        value=by_wall,
        unit="x",
        at_least=1.6 if apart else None,
        note=wall_note,
    )
    cpu = Figure(
        name="  the same by CPU time",
        value=by_cpu,
        unit="x",
        at_least=None if apart else 1.6,
        note="2 x the CPU time a post of one, over that of two: what cores of their own would give",
    )
    redis = median([run[0]["redis_cpu"] / bench.posts * 1e6 for run in bench.runs["2 x worker"]])
    room = Figure(
        name="  workers that one Redis can feed",
        value=median(cpus["worker"]) / redis,
        note="CPU time a post of a worker over that of Redis, which has one thread",
    )
    return [_rate("two workers", two), wall, cpu, room]


def _memory(runs: dict[str, list[list[Measured]]]) -> list[Figure]:
    peaks = [one["peak_mb"] for run in runs["worker"] + runs["2 x worker"] for one in run]
    return [Figure(name="peak memory of a worker", value=max(peaks), unit="MB", at_most=400)]


def _against_the_peer(rates: dict[str, list[float]], cpus: dict[str, list[float]]) -> list[Figure]:
    ours, cpu = median(rates["worker"]), median(cpus["worker"])
    rows = []
    for name, label, target in (
        ("peer-one", "peer, one message at a time", 10.0),
        ("peer-batch", "peer, batches of 500", 1.0),
    ):
        by_cpu = median(cpus[name]) / cpu
        rows += [
            _rate(label, rates[name]),
            Figure(
                name=f"one worker / {label}",
                value=ours / median(rates[name]),
                unit="x",
                at_least=target,
                note=f"by CPU time {by_cpu:.2f} x",
            ),
        ]
    return rows


def _by_stage(runs: dict[str, list[list[Measured]]]) -> list[Figure]:
    stages = [run[0]["stages"] for run in runs["worker"]]
    total = median([cpu_us(run) for run in runs["worker"]])
    bare = median([cpu_us(run) for run in runs["bare"]])
    return [
        Figure(name="CPU a post: bare loop", value=bare, unit="µs"),
        Figure(name="CPU a post: worker", value=total, unit="µs"),
        *(_stage(name, [one[name] for one in stages if name in one]) for name in STAGES),
    ]


def _stage(name: str, times: Sequence[dict[str, float]]) -> Figure:
    """Give the CPU time of a stage; what its wall time is longer it waited, or others ran."""
    cpu = median([one["cpu"] for one in times]) if times else 0.0
    waits = median([one["wall"] - one["cpu"] for one in times]) if times else 0.0
    return Figure(name=f"  {name}", value=cpu, unit="µs", note=f"and waits {number(waits)}")


def _of_servers(runs: dict[str, list[list[Measured]]]) -> list[Figure]:
    return [
        Figure(
            name=f"CPU a post: {label}, {name}",
            value=median(
                [run[0][key] / sum(one["posts"] for one in run) * 1e6 for run in runs[name]]
            ),
            unit="µs",
        )
        for label, key in (("Redis", "redis_cpu"), ("Kafka", "java_cpu"))
        for name in ("bare", "worker")
    ]


def _rate(name: str, rates: Sequence[float]) -> Figure:
    return Figure(name=name, value=median(rates), unit="posts/s", note=spread(rates))


def stream(seed: int, posts: int, *, stormy: bool) -> Iterator[dict[str, Any]]:
    """Give posts of which no text repeats, or a storm of which most are copies."""
    if not stormy:
        return Variations(seed=seed).posts(posts)
    return (one.post for one in storm(seed, posts=posts, originals=max(1, posts // 50)))


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of bare loop and worker")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--storm", action="store_true", help="most posts are copies of others")
    parser.add_argument("--quick", action="store_true", help="5,000 posts, once: does it run?")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for a target missed")
    options = parser.parse_args()
    if options.quick:
        options.posts, options.repeat = 5_000, 1
    clean_exit_on_sigterm()
    pin(cores().servers)
    with servers(fsync="everysec") as running:
        bench = Bench(servers=running, posts=options.posts)
        progress(f"{options.posts:,} posts into Kafka")
        bench.fill(stream(options.seed, options.posts, stormy=options.storm))
        for _ in range(options.repeat):
            bench.run("bare")
            bench.run("worker")
            bench.run("worker-alone")
        bench.run("worker", processes=2)
        bench.run("peer-one", posts=min(options.posts, PEER_POSTS))
        bench.run("peer-batch")
    unseen = share_unseen(Variations(seed=options.seed).posts(options.posts))
    details = {
        "posts": options.posts,
        "peer_posts": min(options.posts, PEER_POSTS),
        "cores": {"measured": cores(2).measured, "servers": sorted(cores().servers)},
        "runs": bench.runs,
    }
    return report("throughput", figures(bench, unseen), details=details, strict=options.strict)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
