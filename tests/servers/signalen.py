"""A server shaped like Signalen, that fails as told: for the tests of the hand-over."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PATH = "/signals/v1/private/signals/"


class SignalenServer:
    """Takes signals; ``script`` says what goes wrong, one word a request that makes one.

    ``lost``: it is stored, and the answer never comes; ``refuse`` and ``busy``: 400 and 503.
    """

    def __init__(self, token: str, script: Sequence[str] = ()) -> None:  # noqa: C901 - one server
        self.signals: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.script = list(script)
        self.token = token
        self.lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                if self.allowed():
                    query = parse_qs(urlsplit(self.path).query)
                    since = datetime.fromisoformat(query["created_after"][0])
                    found = [s for s in owner.signals if s["made"] >= since]
                    owner.asked.append("GET")
                    self.answer(200, {"count": len(found), "results": found})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.allowed():
                    return
                with owner.lock:
                    owner.asked.append("POST")
                    fate = owner.script.pop(0) if owner.script else ""
                    if not {"text", "location", "incident_date_start"} <= body.keys():
                        fate = "refuse"
                    if fate in {"", "lost"}:
                        number = 1000 + len(owner.signals)
                        owner.signals.append({**body, "id": number, "made": datetime.now(UTC)})
                if fate == "lost":
                    time.sleep(12)  # longer than anybody waits
                elif fate == "refuse":
                    self.answer(400, {"location": ["Dit veld is verplicht."]})
                elif fate == "busy":
                    self.answer(503, {})
                else:
                    self.answer(201, {"id": number, "id_display": f"SIG-{number}"})

            def allowed(self) -> bool:
                path = urlsplit(self.path).path
                if self.headers.get("Authorization") != f"Bearer {owner.token}":
                    self.answer(401, {"detail": "Authenticatie mislukt"})
                elif path != PATH:
                    self.answer(404, {})
                else:
                    return True
                return False

            def answer(self, status: int, data: dict[str, Any]) -> None:
                raw = json.dumps(data, default=str).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
