# ruff: noqa: INP001 - a program of the image, no package
"""Tell whether the process in this container is alive: exit status 0 when `/healthz` says so.

A server answers on TRIAGE_PORT, a worker on TRIAGE_METRICS_PORT; the image runs one of the two.
"""

from __future__ import annotations

import http.client
import os
import sys


def alive(port: int) -> bool:
    """Ask one port of this container."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    ports = (
        int(os.environ.get("TRIAGE_PORT", "8080")),
        int(os.environ.get("TRIAGE_METRICS_PORT", "9108")),
    )
    sys.exit(0 if any(alive(port) for port in ports) else 1)
