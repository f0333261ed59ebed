"""The clients of ``live.py``, all in one process: they follow ``/api/v1/events`` over real sockets.

Those that read note how old every event is when it comes in. The slow ones take nothing for a
while, then read on; where the server has left them, they connect again with their last event id,
as a browser does. It prints one line of JSON once all are connected, listens until it is given one
with all events that there were, and prints what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

#: Stands in a client's list where it was told to read the queues anew.
RESYNC: Final = ""
#: How a chunk of whole events ends, and the most bytes that one has.
_END: Final = b"\n\n\r\n"
_LIMIT: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the clients do; seconds count from when all are connected."""

    host: str
    port: int
    token: str
    clients: int
    slow: int
    #: When the slow ones stop to take anything, and when they read on.
    stop: float
    resume: float


@dataclass(slots=True)
class Client:
    """One client and what it was told."""

    slow: bool
    #: Ids of events in the order of coming in, and RESYNC.
    told: list[str] = field(default_factory=list)
    #: How old each was, in seconds.
    ages: list[float] = field(default_factory=list)
    last_id: str = ""
    connections: int = 0
    #: Answers other than 200.
    refused: int = 0

    async def follow(self, plan: Plan, started: asyncio.Event, count: asyncio.Semaphore) -> None:
        """Listen, and connect again when the stream ends, until cancelled."""
        while True:
            reader, writer = await asyncio.open_connection(plan.host, plan.port, limit=_LIMIT)
            try:
                writer.write(self._request(plan))
                status = (await reader.readline()).split()
                self.connections += 1
                self.refused += status[1:2] != [b"200"]
                await reader.readuntil(b"\r\n\r\n")
                if self.connections == 1:
                    count.release()
                    await started.wait()
                await self._listen(plan, reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.transport.abort()
            await asyncio.sleep(0.2)

    def _request(self, plan: Plan) -> bytes:
        lines = [
            "GET /api/v1/events HTTP/1.1",
            f"Host: {plan.host}:{plan.port}",
            f"Authorization: Bearer {plan.token}",
            "Accept: text/event-stream",
            *([f"Last-Event-ID: {self.last_id}"] if self.last_id else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def _listen(
        self, plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        patient = self.slow and self.connections == 1
        begun = time.monotonic()
        while chunk := await reader.readuntil(_END):
            if patient and time.monotonic() - begun > plan.stop:
                patient = False
                writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket has it
                await asyncio.sleep(plan.resume - plan.stop)
                writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
            told, made, last_id = _read(chunk)
            at = time.time()
            self.told += told
            self.ages += [at - one for one in made]
            self.last_id = last_id or self.last_id


@lru_cache(maxsize=1000)
def _read(chunk: bytes) -> tuple[list[str], list[float], str]:
    """Give what a chunk tells, when that was made, and the last id. All clients get the same."""
    told, made, last_id = [], [], ""
    for line in chunk.splitlines():
        name, _, rest = line.partition(b": ")
        if name == b"data" and rest != b"{}":
            data = json.loads(rest)
            told.append(data["id"])
            made.append(datetime.fromisoformat(data["at"]).timestamp())
        elif name == b"id":
            last_id = rest.decode()
        elif (name, rest) == (b"event", b"resync"):
            told.append(RESYNC)
    return told, made, last_id


def holes(told: Sequence[str], order: dict[str, int]) -> Iterator[int]:
    """Give how many events were left out wherever a client was told nothing of it."""
    before: int | None = None
    for one in told:
        if one == RESYNC:
            before = None
            continue
        if before is not None and order[one] > before + 1:
            yield order[one] - before - 1
        before = max(order[one], before or 0)


async def run(plan: Plan) -> tuple[list[Client], str]:
    """Let all clients listen until a line comes in; give them with what they were told, and it."""
    clients = [Client(slow=number < plan.slow) for number in range(plan.clients)]
    started, count = asyncio.Event(), asyncio.Semaphore(0)
    tasks = [asyncio.create_task(client.follow(plan, started, count)) for client in clients]
    for _ in clients:
        await count.acquire()
    print(json.dumps({"connected": len(clients)}), flush=True)
    started.set()
    line = await asyncio.to_thread(sys.stdin.readline)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return clients, line


def result(clients: Sequence[Client], events: Sequence[str]) -> dict[str, Any]:
    """Hold what clients were told against all events, in their order."""
    order = {one: number for number, one in enumerate(events)}
    readers = [client for client in clients if not client.slow]
    slow = [client for client in clients if client.slow]
    return {
        "ages": sorted(age for client in readers for age in client.ages),
        "reader_resyncs": sum(client.told.count(RESYNC) for client in readers),
        "reader_connections": sum(client.connections for client in readers),
        "refused": sum(client.refused for client in clients),
        "dropped": sum(client.connections > 1 for client in slow),
        "resyncs": sum(client.told.count(RESYNC) for client in slow),
        "behind": sum(client.told[-1:] != list(events[-1:]) for client in clients),
        "holes": sum(sum(holes(client.told, order)) for client in clients),
    }


def main() -> None:
    """Listen as told."""
    clients, line = asyncio.run(run(Plan(**json.loads(sys.argv[1]))))
    print(json.dumps(result(clients, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
