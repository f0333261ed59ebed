"""What a worker shows to those who watch it: ``/metrics``, ``/healthz`` and ``/readyz``.

A tiny server of the standard library on a thread of its own, for processes that serve no web.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from triage.errors import Unavailable


class Probe:
    """Serves figures and probes until closed.

    ``alive`` tells whether the process still makes progress, ``ready`` returns when its stores
    answer and raises Unavailable when they don't, ``exposition`` gives the metrics.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        exposition: Callable[[], bytes],
        alive: Callable[[], bool],
        ready: Callable[[], None],
    ) -> None:
        def answer(path: str) -> tuple[HTTPStatus, bytes]:
            if path == "/metrics":
                return HTTPStatus.OK, exposition()
            if path == "/healthz":
                return (HTTPStatus.OK, b"ok\n") if alive() else (_SICK, b"hangt\n")
            if path == "/readyz":
                try:
                    ready()
                except Unavailable as error:
                    return _SICK, f"{error}\n".encode()
                return HTTPStatus.OK, b"ok\n"
            return HTTPStatus.NOT_FOUND, b"niet gevonden\n"

        self._server = _Server((host, port), _handler(answer))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="probe", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_SICK = HTTPStatus.SERVICE_UNAVAILABLE


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, *_: object) -> None:
        """Say nothing: a watcher that hangs up is no event of ours."""


def _handler(
    answer: Callable[[str], tuple[HTTPStatus, bytes]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            status, body = answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep scrapes out of the log."""

    return Handler
