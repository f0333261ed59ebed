"""The server: pages and API on top of a log and a queue. The only asynchronous part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.web.config import WebConfig

if TYPE_CHECKING:
    from triage.web.app import create_app

__all__ = ["WebConfig", "create_app"]


def __getattr__(name: str) -> object:
    """Load the application when it's asked for: who only reads settings needs no framework."""
    if name != "create_app":
        raise AttributeError(name)
    from triage.web.app import create_app  # noqa: PLC0415 - that is the point

    return create_app
