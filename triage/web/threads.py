"""The one way from async code to the stores, which are synchronous: a thread, from a bounded few.

Separate pools, so that appends that wait for a broker don't keep probes and people waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Pool:
    """Runs calls in at most so many threads at a time."""

    def __init__(self, size: int) -> None:
        self._limiter = anyio.CapacityLimiter(size)

    async def __call__(self, call: Callable[_P, _T], *args: _P.args, **more: _P.kwargs) -> _T:
        """Give what the call gives. When we are cancelled, the thread ends by itself."""
        return await anyio.to_thread.run_sync(
            partial(call, *args, **more), limiter=self._limiter, abandon_on_cancel=True
        )


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools of one server."""

    #: Appends of posts.
    ingest: Pool = field(default_factory=lambda: Pool(16))
    #: What people read and do.
    desk: Pool = field(default_factory=lambda: Pool(24))
    #: What needs the model: while it loads, the others go on.
    judge: Pool = field(default_factory=lambda: Pool(2))
    #: Relay, figures, sweep and the tail of events.
    background: Pool = field(default_factory=lambda: Pool(8))
    #: ``/readyz`` and ``/metrics``.
    probe: Pool = field(default_factory=lambda: Pool(4))
