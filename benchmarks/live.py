"""Live changes to many browsers at once: how late they come, what the server needs for it.

``python -m benchmarks.live [--clients 200] [--slow 20] [--rate 50] [--seconds 120] [--quick]``: one
real ``triage serve`` on the embedded store, clients in another process over real sockets. The slow
ones stop reading for half of the time: the server has to leave them, and they have to find out
what they missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks._listeners import Plan
from benchmarks._support import ROOT, Figure, clean_exit_on_sigterm, progress, report
from benchmarks._usage import memory_of
from tests.plugins.api_server import ApiServer, now
from triage.access import Scope
from triage.queue import Change

TEAM: Final = "openbare-ruimte"
TICKETS: Final = 2_000
#: How long the slow ones have to catch up, and how long nothing is changed at the end, in seconds.
CATCH_UP: Final = 10.0
SETTLE: Final = 5.0


def main() -> int:
    """Measure and report."""
    clean_exit_on_sigterm()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=200)
    options.add_argument("--slow", type=int, default=20, help="how many of them stop reading")
    options.add_argument("--rate", type=float, default=50, help="changes a second")
    options.add_argument("--seconds", type=float, default=120)
    options.add_argument("--quick", action="store_true", help="20 clients, 60 seconds")
    options.add_argument("--strict", action="store_true", help="a missed target is the exit status")
    given = options.parse_args()
    if given.quick:
        given.clients, given.slow, given.seconds = 20, 4, 60
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        server = ApiServer(Path(folder))
        try:
            tickets = server.fill(TICKETS, team=TEAM)
            server.start()
            measured = _measure(server, tickets, given)
        finally:
            server.close()
    ages = measured["told"].pop("ages")
    figures = list(_figures(measured, ages, given))
    return report("live", figures, details=measured, strict=given.strict)


def _measure(server: ApiServer, tickets: list[str], given: argparse.Namespace) -> dict[str, Any]:
    plan = Plan(
        host="127.0.0.1",
        port=server.port,
        token=server.token(Scope.TICKETS_READ),
        clients=given.clients,
        slow=given.slow,
        stop=given.seconds * 0.25,
        resume=given.seconds * 0.75,
    )
    assert server.program.process
    process = psutil.Process(server.program.process.pid)
    memory = {"idle": memory_of(process.pid)[0]}
    command = [sys.executable, "-m", "benchmarks._listeners", json.dumps(asdict(plan))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as listening:
        assert listening.stdout
        assert listening.stdin
        try:
            progress(f"{json.loads(listening.stdout.readline())['connected']} clients listen")
            memory["connected"] = memory_of(process.pid)[0]
            kernel, cpu = _kernel_memory(), sum(process.cpu_times()[:2])
            looks, changes = _change(server, tickets, given.rate, given.seconds + CATCH_UP)
            cpu = (sum(process.cpu_times()[:2]) - cpu) / (given.seconds + CATCH_UP)
            time.sleep(SETTLE)
            print(json.dumps(list(_events(server))), file=listening.stdin, flush=True)
            told = json.loads(listening.stdout.readline())
        finally:
            listening.terminate()
    memory |= {"peak": memory_of(process.pid)[1], "end": looks[-1]["memory"]}
    sockets = max(look["kernel"] for look in looks) - kernel
    return {
        "told": told,
        "changes": changes,
        "memory": memory,
        "sockets": sockets,
        "cpu": cpu,
        "looks": looks,
    }


def _change(
    server: ApiServer, tickets: list[str], rate: float, seconds: float
) -> tuple[list[dict[str, float]], int]:
    """Correct tickets at a rate; look at the server's memory once a second."""
    assert server.program.process
    start, sent = time.monotonic(), 0
    looks: list[dict[str, float]] = []
    topics = ("overig", "wonen", "burgerzaken")
    while (passed := time.monotonic() - start) < seconds:
        for _ in range(int(passed * rate) - sent):
            server.queue.correct(
                tickets[sent * 37 % len(tickets)],
                Change(topic=topics[sent % 3]),
                token=None,
                by="Bert",
                now=now(),
                request=f"bench-{sent}",
            )
            sent += 1
        if passed >= len(looks):
            memory, _ = memory_of(server.program.process.pid)
            looks.append({"at": passed, "memory": memory, "kernel": _kernel_memory()})
        time.sleep(0.01)
    return looks, sent


def _events(server: ApiServer) -> Iterator[str]:
    """Give the ids of all events of changes, in their order."""
    cursor = ""
    while events := server.queue.events(server.org, cursor, limit=1000):
        yield from (event.data["id"] for event in events)
        cursor = events[-1].cursor


def _kernel_memory() -> float:
    """Give what the kernel holds for all sockets of this machine, in MB."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * 4096 / 1e6
    return 0.0


def _figures(
    measured: dict[str, Any], ages: list[float], given: argparse.Namespace
) -> Iterator[Figure]:
    told, memory = measured["told"], measured["memory"]
    readers = given.clients - given.slow

    def at(share: float) -> float:
        return ages[min(len(ages) - 1, int(len(ages) * share))] * 1000

    lasted = given.seconds + CATCH_UP
    yield Figure(name="changes a second", value=measured["changes"] / lasted, unit="/s")
    yield Figure(
        name="delivered, p99",
        value=at(0.99),
        unit="ms",
        at_most=1000,
        note=f"{readers} clients: median {at(0.5):.0f} ms, worst {at(1):.0f} ms",
    )
    yield Figure(
        name="delivered of what was made",
        value=len(ages) / max(1, measured["changes"] * readers) * 100,
        unit="%",
        at_least=100,
        note=f"{len(ages):,} events; {told['reader_resyncs']} resyncs",
    )
    yield Figure(
        name="slow clients left",
        value=told["dropped"],
        at_least=given.slow,
        note=f"of {given.slow}",
    )
    yield Figure(
        name="events missed untold",
        value=told["holes"],
        at_most=0,
        note=f"{told['resyncs']} times the slow were told to read anew",
    )
    yield Figure(name="clients behind at the end", value=told["behind"], at_most=0)
    looks = measured["looks"]
    early = looks[min(len(looks) - 1, int(given.seconds * 0.2))]["memory"]
    yield Figure(
        name="memory grows while they stand still",
        value=memory["peak"] - early,
        unit="MB",
        at_most=32,
        note=f"idle {memory['idle']:.0f}, connected {memory['connected']:.0f}, "
        f"peak {memory['peak']:.0f}, end {memory['end']:.0f} MB",
    )
    yield Figure(name="the kernel's memory for sockets", value=measured["sockets"], unit="MB")
    yield Figure(name="CPU of the server", value=measured["cpu"] * 100, unit="% of a core")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
