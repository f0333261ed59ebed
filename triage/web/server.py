"""Runs the app under uvicorn until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from triage.errors import Refused
from triage.web.config import check_exposure
from triage.web.state import Service

_log = structlog.get_logger()

#: How long requests under way may take after SIGTERM, in seconds.
GRACE_SECONDS: Final = 5
#: The largest head of a request, in bytes.
HEAD_BYTES: Final = 32 * 1024
#: Connections at a time; the next is told to come back.
CONNECTION_LIMIT: Final = 1000
IDLE_SECONDS: Final = 15


class _Server(uvicorn.Server):
    """Ends event streams at the first signal: they would hold up the stop until its time is up."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, as uvicorn does."""
        self._service.hub.stop()
        super().handle_exit(sig, frame)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises Refused for an address that can't be had, or that is open to others without tokens.
    """
    service: Service = app.state.service
    check_exposure(service.config, host)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="critical",  # its traces may hold what a citizen wrote; see triage.web.door
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTION_LIMIT,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    with _listening(host, port) as listener, _signals_survived():
        port = listener.getsockname()[1]
        _log.info("serving", host=host, port=port, people=service.config.provider is not None)
        _Server(config, service).run(sockets=[listener])
    _log.info("stopped")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=512)
    except OSError as error:
        raise Refused(f"poort {port} op {host}: {error.strerror}") from None
    with listener:
        yield listener


@contextmanager
def _signals_survived() -> Iterator[None]:
    """Outlive the signal that uvicorn raises once more at its end: there are stores to close."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
