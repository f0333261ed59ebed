"""HTTP: the front door for posts, the API of the queues, a first page. The only async code."""

from __future__ import annotations

from triage.web.app import create_app
from triage.web.config import Scope, Source, Token, WebConfig

__all__ = ["Scope", "Source", "Token", "WebConfig", "create_app"]
