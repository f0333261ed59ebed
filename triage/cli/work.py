"""``work`` and ``rebuild``: from the log into the queues."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import typer

from triage.cli.build import Parts, follow_models, load_pipeline, make_log, make_queue, open_parts
from triage.cli.process import now, on_stop, patiently, worker_children
from triage.errors import StoreLost
from triage.log import Log
from triage.metrics import exposition, forget
from triage.pipeline import Pipeline
from triage.probe import Probe
from triage.queue import Queue
from triage.rebuild import Rebuilt, is_lost, rebuild
from triage.settings import Settings
from triage.supervisor import Supervisor
from triage.suspect import Suspects, hangs
from triage.worker import Policy, Worker

_log = structlog.get_logger()

_DAY: Final = 86_400


def run_work(settings: Settings, mark: Path | None) -> int:
    """Run one worker, or several under a supervisor."""
    if settings.processes > 1:
        return _run_workers(settings)
    with ExitStack() as stack:
        parts = open_parts(settings, stack, wait=True)
        pipeline = load_pipeline(
            settings,
            parts.profiles,
            parts.metrics.observe_stage,
            entities=False,
            places=True,
            metrics=parts.metrics,
        )
        parts.metrics.model(pipeline.model)
        live = follow_models(settings, pipeline, parts.metrics)
        stack.callback(live.close)
        suspects = Suspects(mark) if mark else Suspects.first_free(settings.data)
        if settings.metrics_port and mark is None:
            stack.enter_context(_probe(parts, suspects))
        policy = Policy(batch=settings.batch, reject_limit=settings.reject_limit)
        worker = Worker(
            parts.log,
            parts.queue,
            pipeline,
            parts.metrics,
            policy=policy,
            suspects=suspects,
            between=live.look,
        )
        stopping = on_stop(worker.stop)
        _log.info("working", orgs=list(pipeline.orgs), model=pipeline.model)
        lost = False
        while True:
            try:
                patiently(
                    partial(_rebuild_if_lost, parts, pipeline, suspects, known=lost), stopping
                )
                worker.run(anew=lost)
            except StoreLost:
                _log.error("store_lost")
                lost = True
            else:
                return 0


def _rebuild_if_lost(parts: Parts, pipeline: Pipeline, suspects: Suspects, *, known: bool) -> None:
    if known or is_lost(parts.log, parts.queue, pipeline.orgs):
        _log.error("store_empty", action="rebuild")
        _rebuild(parts, pipeline, suspects)


def _probe(parts: Parts, suspects: Suspects) -> Probe:
    return Probe(
        parts.settings.metrics_host,
        parts.settings.metrics_port,
        exposition=lambda: exposition(parts.metrics.registry),
        alive=lambda: not hangs(suspects.path, now=time.time()),
        ready=_ready(parts.log, parts.queue),
    )


def _ready(log: Log, queue: Queue) -> Callable[[], None]:
    def ready() -> None:
        log.ping()
        queue.ping()

    return ready


def _run_workers(settings: Settings) -> int:
    """Keep several workers alive, and show their figures as one."""
    with ExitStack() as stack:
        figures = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="triage-")))
        children = worker_children(settings, sys.argv[1:], figures)
        supervisor = Supervisor(children, forget=partial(forget, figures))
        stopping = on_stop(supervisor.stop)
        if settings.metrics_port:
            log = stack.enter_context(patiently(lambda: make_log(settings), stopping))
            queue = stack.enter_context(patiently(lambda: make_queue(settings), stopping))
            probe = Probe(
                settings.metrics_host,
                settings.metrics_port,
                exposition=lambda: exposition(figures),
                alive=lambda: True,  # a child that hangs is the supervisor's to end
                ready=_ready(log, queue),
            )
            stack.enter_context(probe)
        return supervisor.run()


def run_rebuild(settings: Settings) -> None:
    """Fill the queue store again; print what was done."""
    with ExitStack() as stack:
        parts = open_parts(settings, stack)
        pipeline = load_pipeline(settings, parts.profiles, entities=False, places=True)
        done = _rebuild(parts, pipeline, Suspects.first_free(settings.data))
    typer.echo(f"{done.posts} berichten, {done.restored} uitkomsten hersteld", err=True)


def _rebuild(parts: Parts, pipeline: Pipeline, suspects: Suspects) -> Rebuilt:
    done = rebuild(
        parts.log,
        parts.queue,
        pipeline.orgs,
        partial(suspects.judge, pipeline),
        clock=now,
        retention_seconds=parts.settings.retention_days * _DAY,
        progress=lambda count: _log.info("rebuilding", posts=count),
    )
    _log.info("rebuilt", posts=done.posts, outcomes=done.restored)
    return done
