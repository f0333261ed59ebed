"""Runs the app under uvicorn until SIGTERM or Ctrl-C, and leaves clients that keep it waiting."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, cast

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

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
#: How long a client may take for the head of a request, in seconds.
HEAD_SECONDS: Final = 15.0
#: How long a client may take nothing of what waits for it, in seconds.
STALL_SECONDS: Final = 15.0
#: Bytes not sent yet that the kernel holds for a client; without a limit it takes megabytes.
UNSENT_BYTES: Final = 64 * 1024


class _Connection(H11Protocol):
    """One client; it is left when it keeps us waiting, with a request or with an answer.

    Uvicorn waits for both without end, so that clients that do nothing would take all places.
    """

    _head: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(cast("asyncio.Transport", transport))
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connected: socket.socket = transport.get_extra_info("socket")
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        # So that we are told of every byte that a client does not take.
        self.transport.set_write_buffer_limits(high=0)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take in what the client sends."""
        super().data_received(data)
        self._watch_head()

    def pause_writing(self) -> None:
        """Wait for the client to take what it was sent."""
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        """Go on sending."""
        super().resume_writing()
        if self._answer is not None:
            self._answer.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        for timer in (self._head, self._answer):
            if timer is not None:
                timer.cancel()

    def _watch_head(self) -> None:
        # Between two requests uvicorn waits by itself, until the first byte of the next.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        asked = cycle is not None and not cycle.response_complete
        if self._head is not None and (asked or self.timeout_keep_alive_task):
            self._head.cancel()
            self._head = None
        elif self._head is None and not asked:
            self._head = self.loop.call_later(HEAD_SECONDS, self._leave, "request")

    def _watch_answer(self, before: int | None = None) -> None:
        # It need not take all, if only it takes something.
        waiting = self.transport.get_write_buffer_size()
        if waiting == before:
            self._leave("answer")
        else:
            self._answer = self.loop.call_later(STALL_SECONDS, self._watch_answer, waiting)

    def _leave(self, waited_for: str) -> None:
        _log.info("client_left", waited_for=waited_for)
        self.transport.abort()


class _Server(uvicorn.Server):
    """Ends event streams at the first signal: they would hold up the stop until its time is up."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, as uvicorn does."""
        self._service.hub.stop()
        super().handle_exit(sig, frame)


def make_server(app: FastAPI) -> uvicorn.Server:
    """Give a server of the app that does not run yet."""
    config = uvicorn.Config(
        app,
        http=_Connection,
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
    return _Server(config, app.state.service)


def serve(
    app: FastAPI, host: str, port: int, listening: Callable[[int], None] = lambda _port: None
) -> None:
    """Serve until SIGTERM or Ctrl-C; ``listening`` is told the port, which is another one for 0.

    Raises Refused for an address that can't be had, or that is open to others without tokens.
    """
    service: Service = app.state.service
    check_exposure(service.config, host)
    server = make_server(app)
    with _listening(host, port) as listener, _signals_survived():
        port = listener.getsockname()[1]
        listening(port)
        _log.info("serving", host=host, port=port, people=service.config.provider is not None)
        server.run(sockets=[listener])
    _log.info("stopped")


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=512)
    except OSError as error:
        raise Refused(f"poort {port} op {host}: {error.strerror}") from None
    with listener:
        yield listener


@contextlib.contextmanager
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
