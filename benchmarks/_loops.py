"""The measured processes of ``throughput.py``: our worker, the bare loop and the peers.

Each runs on one core in a process of its own (``_job.start``): it gets ready (model loaded,
partitions assigned), says so, waits for the word, works through its partitions and prints what it
measured as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import orjson

from benchmarks._job import Clock, Job, ready
from benchmarks._support import pin
from triage.cli.build import Parts, load_pipeline, open_parts, spare_the_collector
from triage.log import Log, Record, Topic
from triage.pipeline import Pipeline, Received
from triage.post import Post
from triage.profiles import Bundles
from triage.queue import Advance, Entry
from triage.settings import load_settings
from triage.suspect import Suspects
from triage.worker import POLL_SECONDS, Policy, Worker

#: How long a process may take to get its partitions, in seconds.
JOIN_SECONDS: Final = 120.0
_T = TypeVar("_T")


# -- time by stage -------------------------------------------------------------------------------


class Stages:
    """CPU time of the main thread, and wall time, by stage, in seconds."""

    def __init__(self) -> None:
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self._polled = (0.0, 0.0)

    def timed(self, stage: str, call: Callable[..., _T]) -> Callable[..., _T]:
        """Give the call, with its time counted for a stage."""

        def counted(*args: Any, **named: Any) -> _T:  # noqa: ANN401 - any call
            begun = _times()
            try:
                return call(*args, **named)
            finally:
                ended = self._count(stage, begun)
                if stage == "poll":
                    self._polled = ended

        return counted

    def observed(self, stage: str, _seconds: float) -> None:
        """Take the worker's own word for the end of decoding: it begins where polling ends."""
        if stage == "decode":
            self._count("decode", self._polled)

    def _count(self, stage: str, begun: tuple[float, float]) -> tuple[float, float]:
        ended = _times()
        self.cpu[stage] += ended[0] - begun[0]
        self.wall[stage] += ended[1] - begun[1]
        return ended

    def result(self, measured: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        """Give CPU and wall time a post of all stages, in microseconds."""
        total = {"cpu": measured["main_cpu"], "wall": measured["wall"]}
        stages: dict[str, dict[str, float]] = {"network thread": {}}
        for kind, spent in (("cpu", dict(self.cpu)), ("wall", dict(self.wall))):
            spent["route"] = spent.pop("judge") - spent["read"] - spent["assess"]
            spent["rest"] = total[kind] - sum(spent.values())
            for name, seconds in spent.items():
                stages.setdefault(name, {})[kind] = seconds / measured["posts"] * 1e6
        network = (measured["cpu"] - measured["main_cpu"]) / measured["posts"] * 1e6
        stages["network thread"] = {"cpu": network, "wall": network}
        return stages


def _times() -> tuple[float, float]:
    return time.thread_time(), time.monotonic()


class _Spy:
    """Stands for an object; some of its calls are replaced."""

    def __init__(self, inner: object, calls: Mapping[str, Callable[..., Any]]) -> None:
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the object has
        return self._calls.get(name) or getattr(self._inner, name)


def _spied(inner: _T, stages: Stages, **named: str) -> _T:
    """Give the object, its named calls timed for the stages given."""
    calls = {name: stages.timed(stage, getattr(inner, name)) for name, stage in named.items()}
    return cast("_T", _Spy(inner, calls))


class _TimedPipeline(Pipeline):
    """The pipeline; ``judge`` is timed as a whole, routing is what reading and assessing leave."""

    stages: Stages

    def judge(self, batch: Sequence[Received]) -> list[Entry]:
        """Judge as the pipeline does."""
        return self.stages.timed("judge", super().judge)(batch)


# -- our worker ----------------------------------------------------------------------------------


def worker(job: Job) -> dict[str, Any]:
    """Run the real worker until its partitions are read; its time by stage."""
    with ExitStack() as stack:
        parts = _parts(job, stack)
        stages = Stages()
        pipeline = _pipeline(parts, stages, bundling=job.kind != "worker-alone")
        _joined(parts.log, job.share)
        expected = _waiting(parts.log, job.share)
        observe = parts.metrics.observe_stage

        def observed(stage: str, seconds: float) -> None:
            stages.observed(stage, seconds)
            observe(stage, seconds)

        working = Worker(
            _spied(parts.log, stages, poll="poll", commit="commit", append="publish", lag="lag"),
            _spied(parts.queue, stages, put="put"),
            pipeline,
            cast("Any", _Spy(parts.metrics, {"observe_stage": observed})),
            policy=Policy(batch=parts.settings.batch),
            suspects=Suspects.first_free(parts.settings.data),
        )
        ready()
        clock = Clock()
        done = 0
        while done < expected:
            done += working.step()
        working.stop()
        working.run()  # leaves in order: what is not published yet is
        measured = clock.stopped(done)
        org = pipeline.orgs[0]
        measured["unpublished"] = len(parts.queue.unpublished(org, limit=100_000))
    return {**measured, "stages": stages.result(measured)}


def _pipeline(parts: Parts, stages: Stages, *, bundling: bool = True) -> Pipeline:
    """Give the pipeline as ``triage work`` has it, its parts timed."""
    pipeline = load_pipeline(
        parts.settings, parts.profiles, parts.metrics.observe_stage, entities=False, places=True
    )
    reader, classifier = pipeline._reader, pipeline._classifier  # noqa: SLF001 - to time them
    profiles = parts.profiles
    if not bundling:
        off = Bundles(hours=0)
        profiles = {org: replace(profile, bundles=off) for org, profile in profiles.items()}
    timed = _TimedPipeline(
        _spied(reader, stages, read="read"),
        _spied(classifier, stages, assess="assess"),
        profiles,
        observe=parts.metrics.observe_stage,
    )
    timed.stages = stages
    return timed


# -- the bare loop -------------------------------------------------------------------------------


def bare(job: Job) -> dict[str, Any]:
    """Poll, decode the JSON, put entries that lie ready; nothing is read or assessed."""
    with ExitStack() as stack:
        parts = _parts(job, stack)
        pipeline = _pipeline(parts, Stages())
        entries = _ready_made(parts.log, pipeline)
        log, queue, org = parts.log, parts.queue, pipeline.orgs[0]
        _joined(log, job.share)
        expected = _waiting(log, job.share)
        positions: dict[str, int] = {}
        spare_the_collector()  # the entries stay: to go through them again is not measured
        ready()
        clock = Clock()
        done = 0
        while done < expected:
            polled = log.poll(timeout=POLL_SECONDS, limit=parts.settings.batch)
            for partition in polled.fresh:
                log.seek(partition, None)
            if not polled.records:
                continue
            batch = [entries[orjson.loads(record.value or b"")["id"]] for record in polled.records]
            ends = {record.partition: record.offset + 1 for record in polled.records}
            advances = [
                Advance(partition=name, expected=positions.get(name), next=end)
                for name, end in ends.items()
            ]
            queue.put(org, batch, advances, now=datetime.now(UTC), request=uuid.uuid4().hex)
            positions.update(ends)
            done += len(batch)
        return clock.stopped(done)


def _ready_made(log: Log, pipeline: Pipeline) -> dict[str, Entry]:
    """Judge all posts beforehand: the same tickets as the worker makes, byte for byte."""
    entries: dict[str, Entry] = {}
    batch: list[Record] = []

    def judge() -> None:
        received = [
            Received(
                post=Post.decode(record.value or b"", received_at=record.at),
                received_at=record.at,
                partition=record.partition,
                offset=record.offset,
            )
            for record in batch
        ]
        entries.update((entry.post.id, entry) for entry in pipeline.judge(received))
        batch.clear()

    for record in log.scan(Topic.POSTS):
        batch.append(record)
        if len(batch) == 500:
            judge()
    judge()
    return entries


# -- what they share -----------------------------------------------------------------------------


def _parts(job: Job, stack: ExitStack) -> Parts:
    settings = load_settings(
        log=job.kafka,
        queue=job.redis,
        data=Path(job.data),
        kafka_group=job.group,
        kafka_partitions=job.partitions,
    )
    return open_parts(settings, stack)


def _joined(log: Log, share: int) -> None:
    """Wait until the group gave us our share; nothing is delivered before it is sought.

    The urgent posts have as many partitions as the others.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    while len(fresh := log.poll(timeout=0.1, limit=1).fresh) != 2 * share:
        if time.monotonic() > deadline:
            message = f"{len(fresh)} of {2 * share} partitions within {JOIN_SECONDS:.0f} s"
            raise TimeoutError(message)


def _waiting(log: Log, share: int) -> int:
    """Give how many posts wait in our partitions."""
    fresh = log.poll(timeout=0.1, limit=1).fresh
    assert len(fresh) == 2 * share
    return sum(lag.records for lag in log.lag() if lag.partition in fresh)


def main() -> None:
    """Do one job."""
    job = Job(**json.loads(sys.argv[1]))
    pin(frozenset({job.core}))
    if job.kind.startswith("peer"):
        from benchmarks import _peer  # noqa: PLC0415 - our worker loads no scikit-learn

        measured = _peer.run(job)
    else:
        measured = (bare if job.kind == "bare" else worker)(job)
    print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
