"""The desk in a real browser with a long queue: first paint, key to next ticket, live updates.

``python -m benchmarks.desk [--tickets 10000] [--minutes 10] [--rate 50] [--quick]``; needs Debian's
chromium and the package playwright. Everything runs on this machine, so the server shares the
processor with the browser: how long the page's own thread was busy stands beside the frames.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from benchmarks._support import Figure, clean_exit_on_sigterm, progress, report
from tests.plugins.api_server import ApiServer, now
from tests.plugins.desk import CHROMIUM, Desk
from triage.queue import Change

TEAM: Final = "openbare-ruimte"
#: A frame that took longer was dropped, in milliseconds: three of a screen of 60 Hz.
DROPPED_MS: Final = 50

_FRAMES: Final = """() => {
  globalThis.frames_seen = {count: 0, long: 0, worst: 0};
  let last = performance.now();
  const step = (at) => {
    const took = at - last; last = at;
    const seen = globalThis.frames_seen;
    seen.count += 1;
    if (took > DROPPED) seen.long += 1;
    seen.worst = Math.max(seen.worst, took);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}""".replace("DROPPED", str(DROPPED_MS))
_NEXT: Final = """() => new Promise((done) => {
  const before = document.getElementById('pane')?.dataset.ticket;
  const box = document.getElementById('list');
  const start = performance.now();
  const look = () => {
    const now = document.getElementById('pane')?.dataset.ticket;
    if (now && now !== before) requestAnimationFrame(() => done(performance.now() - start));
    else requestAnimationFrame(look);
  };
  box.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}));
  look();
})"""


def main() -> int:
    """Measure and print."""
    clean_exit_on_sigterm()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tickets", type=int, default=10_000)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--rate", type=float, default=50)
    options.add_argument("--quick", action="store_true", help="500 tickets, half a minute")
    options.add_argument("--strict", action="store_true", help="a missed target is the exit status")
    given = options.parse_args()
    if given.quick:
        given.tickets, given.minutes = 500, 0.5
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = ApiServer(Path(folder))
        try:
            progress(f"filling a queue with {given.tickets:,} tickets")
            tickets = server.fill(given.tickets, team=TEAM)
            server.start()
            browser = driver.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"],
            )
            desk = Desk(server=server, browser=browser)
            figures = list(_first_paint(desk))
            page = desk.person("Anna", f"/teams/{TEAM}")
            page.wait_for_function("globalThis.desk !== undefined")
            figures += _keys(page)
            with _changes(server, tickets, given.rate) as sent:
                minutes = _live(page, given.minutes)
                rate = sent[0] / (time.monotonic() - minutes.began)
            figures += minutes.figures(rate)
            browser.close()
        finally:
            server.close()
    details = {"tickets": given.tickets, "minutes": minutes.looks}
    return report("desk", figures, details=details, strict=given.strict)


def _first_paint(desk: Desk) -> Iterator[Figure]:
    for which in ("server just started", "server warm"):
        page = desk.person("Anna", f"/teams/{TEAM}")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        yield Figure(name=f"first paint, {which}", value=paint, unit="ms", at_most=1000)
        page.close()


def _keys(page: Page) -> Iterator[Figure]:
    page.wait_for_timeout(1000)
    page.evaluate(_NEXT)
    taken = []
    for _ in range(50):
        page.wait_for_timeout(250)  # a person reads at least this long
        taken.append(page.evaluate(_NEXT))
    taken.sort()
    note = f"median {statistics.median(taken):.0f} ms, worst {taken[-1]:.0f} ms"
    yield Figure(name="key to next ticket, p95", value=taken[47], unit="ms", at_most=100, note=note)


@contextmanager
def _changes(server: ApiServer, tickets: list[str], rate: float) -> Iterator[list[int]]:
    """Correct tickets at a rate, in a thread; give how many so far."""
    stop, sent = threading.Event(), [0]

    def change() -> None:
        start, topics = time.monotonic(), ("overig", "wonen", "burgerzaken")
        while not stop.is_set():
            owed = int((time.monotonic() - start) * rate) - sent[0]
            for _ in range(owed):
                ticket = tickets[sent[0] * 37 % len(tickets)]
                server.queue.correct(
                    ticket,
                    Change(topic=topics[sent[0] % 3]),
                    token=None,
                    by="Bert",
                    now=now(),
                    request=f"bench-{sent[0]}",
                )
                sent[0] += 1
            stop.wait(0.02)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        yield sent
    finally:
        stop.set()
        changer.join()


@dataclass
class _Minutes:
    """What the browser tells of the page, once a minute, after a collection."""

    began: float
    looks: list[dict[str, float]] = field(default_factory=list)

    def figures(self, rate: float) -> Iterator[Figure]:
        first, last = self.looks[0], self.looks[-1]
        seconds = last["at"] - first["at"]
        frames = last["count"] - first["count"]
        dropped = last["long"] - first["long"]
        yield Figure(name="changes a second", value=rate, unit="/s")
        yield Figure(
            name=f"frames over {DROPPED_MS} ms",
            value=dropped / max(1, frames) * 1000,
            unit="per 1000",
            note=f"{dropped:.0f} of {frames:.0f} in {seconds / 60:.1f} min, "
            f"worst {last['worst']:.0f} ms",
        )
        busy = (last["TaskDuration"] - first["TaskDuration"]) / seconds * 100
        yield Figure(name="the page's thread is busy", value=busy, unit="%")
        # The first minute fills what is then used again.
        settled = self.looks[min(1, len(self.looks) - 1)]
        for name, key, scale, unit in (
            ("heap grows", "JSHeapUsedSize", 1e6, "MB"),
            ("elements grow", "Nodes", 1, ""),
            ("listeners grow", "JSEventListeners", 1, ""),
        ):
            yield Figure(
                name=name,
                value=(last[key] - settled[key]) / scale,
                unit=unit,
                at_most=max(0.1 * settled[key] / scale, 1),
                note=f"{settled[key] / scale:,.1f}, then {last[key] / scale:,.1f}",
            )


def _live(page: Page, minutes: float) -> _Minutes:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    seen = _Minutes(began=time.monotonic())

    def look() -> None:
        page.evaluate("gc()")
        told: Any = session.send("Performance.getMetrics")
        metrics = {one["name"]: one["value"] for one in told["metrics"]}
        frames = page.evaluate("globalThis.frames_seen")
        wanted = ("JSHeapUsedSize", "Nodes", "JSEventListeners", "TaskDuration")
        seen.looks.append(
            {"at": time.monotonic(), **frames, **{name: metrics[name] for name in wanted}}
        )
        heap, nodes = metrics["JSHeapUsedSize"] / 1e6, metrics["Nodes"]
        progress(f"{len(seen.looks) - 1} min: heap {heap:.2f} MB, {nodes:.0f} nodes, {frames}")

    page.wait_for_timeout(5_000)
    page.evaluate(_FRAMES)
    look()
    left = minutes * 60
    while left > 0:
        page.wait_for_timeout(min(60, left) * 1000)
        left -= 60
        look()
    return seen


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
