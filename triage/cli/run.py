"""``work``, ``serve`` and ``rebuild``: programs that run until they are told to stop."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog
import typer

from triage.backoff import Backoff
from triage.cli.build import Parts, load_pipeline, load_profiles, make_log, make_queue, open_parts
from triage.errors import StoreLost, Unavailable
from triage.metrics import exposition, forget
from triage.pipeline import Pipeline
from triage.probe import Probe
from triage.rebuild import Rebuilt, is_lost, rebuild
from triage.settings import Settings
from triage.supervisor import Child, Supervisor
from triage.suspect import Suspects, hangs
from triage.worker import Policy, Worker

_log = structlog.get_logger()

#: Where children write their figures; set for them before they start.
MULTIPROC: Final = "PROMETHEUS_MULTIPROC_DIR"
_DAY: Final = 86_400
_T = TypeVar("_T")


def on_stop(stop: Callable[[], None]) -> None:
    """Call ``stop`` at SIGTERM and Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop())


def now() -> datetime:
    """Give the time; programs have a clock, logic has none."""
    return datetime.now(UTC)


# -- work ----------------------------------------------------------------------------------------


def run_work(settings: Settings, mark: Path | None) -> int:
    """Run one worker, or several under a supervisor."""
    if settings.processes > 1:
        return _run_workers(settings)
    with ExitStack() as stack:
        profiles = load_profiles(settings)
        parts = _patiently(lambda: open_parts(settings, stack))
        pipeline = load_pipeline(settings, profiles, parts.metrics.observe_stage)
        parts.metrics.model(pipeline.model)
        suspects = Suspects(mark) if mark else Suspects.first_free(settings.data)
        if settings.metrics_port and mark is None:
            stack.enter_context(_probe(parts, suspects))
        policy = Policy(batch=settings.batch, reject_limit=settings.reject_limit)
        worker = Worker(
            parts.log, parts.queue, pipeline, parts.metrics, policy=policy, suspects=suspects
        )
        on_stop(worker.stop)
        _log.info("working", orgs=list(pipeline.orgs), model=pipeline.model)
        lost = False
        while True:
            try:
                _patiently(partial(_rebuild_if_lost, parts, pipeline, suspects, known=lost))
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
    def ready() -> None:
        parts.log.ping()
        parts.queue.ping()

    return Probe(
        parts.settings.metrics_host,
        parts.settings.metrics_port,
        exposition=lambda: exposition(parts.metrics.registry),
        alive=lambda: not hangs(suspects.path, now=time.time()),
        ready=ready,
    )


def _run_workers(settings: Settings) -> int:
    """Keep several workers alive, and show their figures as one."""
    with ExitStack() as stack:
        figures = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="triage-")))
        children = worker_children(settings, sys.argv[1:], figures)
        supervisor = Supervisor(children, forget=partial(forget, figures))
        on_stop(supervisor.stop)
        if settings.metrics_port:
            log = stack.enter_context(_patiently(lambda: make_log(settings)))
            queue = stack.enter_context(_patiently(lambda: make_queue(settings)))

            def ready() -> None:
                log.ping()
                queue.ping()

            probe = Probe(
                settings.metrics_host,
                settings.metrics_port,
                exposition=lambda: exposition(figures),
                alive=lambda: True,  # a child that hangs is the supervisor's to end
                ready=ready,
            )
            stack.enter_context(probe)
        return supervisor.run()


def worker_children(
    settings: Settings, arguments: list[str], figures: Path, *, count: int | None = None
) -> list[Child]:
    """Give the worker processes of a supervisor: the same command, one process each."""
    children = []
    for number in range(count or settings.processes):
        mark = settings.data / f"worker-{number}.mark"
        children.append(
            Child(
                name=f"worker-{number}",
                arguments=[*arguments, "--processes", "1", "--mark", str(mark)],
                environment={MULTIPROC: str(figures)},
                mark=mark,
            )
        )
    return children


# -- serve ---------------------------------------------------------------------------------------


def run_serve(settings: Settings) -> None:
    """Serve the page and the API until SIGTERM."""
    from triage.cli.web import web_config  # noqa: PLC0415 - workers need no web framework
    from triage.web import create_app  # noqa: PLC0415
    from triage.web.server import serve  # noqa: PLC0415

    config = web_config(settings, os.environ.get(MULTIPROC))
    with ExitStack() as stack:
        parts = _patiently(lambda: open_parts(settings, stack))
        app = create_app(
            config,
            log=parts.log,
            queue=parts.queue,
            profiles=parts.profiles,
            metrics=parts.metrics,
        )
        serve(app, settings.host, settings.port)


# -- rebuild -------------------------------------------------------------------------------------


def run_rebuild(settings: Settings) -> None:
    """Fill the queue store again; print what was done."""
    with ExitStack() as stack:
        parts = open_parts(settings, stack)
        pipeline = load_pipeline(settings, parts.profiles)
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


def _patiently(call: Callable[[], _T]) -> _T:
    """Wait for stores that do not answer yet: a pod may start before its broker."""
    backoff = Backoff(time.sleep)
    while True:
        try:
            return call()
        except Unavailable as error:
            _log.warning("waiting", reason=str(error))
            backoff.pause()
