"""The server: pages and API on top of a log and a queue. The only asynchronous part."""

from __future__ import annotations

from triage.web.app import create_app
from triage.web.config import WebConfig

__all__ = ["WebConfig", "create_app"]
