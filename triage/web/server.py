"""Runs the application until SIGTERM or Ctrl-C."""

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
from triage.web.context import Context

_log = structlog.get_logger()

#: How long open requests may take to end after SIGTERM, in seconds.
GRACE_SECONDS: Final = 5
#: Connections at once; over this 503 is answered at once.
CONNECTIONS: Final = 1000


class _Server(uvicorn.Server):
    """Tells the streams to end as soon as a signal comes: they would hold us for all the grace."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._context = context

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, as uvicorn does."""
        self._context.stopping.set()
        super().handle_exit(sig, frame)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises Refused where the address can't be had."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",  # a trace may hold what a citizen wrote; see triage.web.guard
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=15,
        h11_max_incomplete_event_size=32 * 1024,
        ws="none",
    )
    with _listening(host, port) as listener, _signals_kept():
        _log.info("serving", host=host, port=listener.getsockname()[1])
        _Server(config, app.state.context).run(sockets=[listener])
    _log.info("served")


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        message = f"poort {port} op {host}: {error.strerror}"
        raise Refused(message) from None
    with listener:
        yield listener


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Let uvicorn's second raise of a signal pass: we still have stores to close."""
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
