"""The desk in a real browser with a long queue: first paint, key to next ticket, live updates.

``python -m benchmarks.desk [--tickets 10000] [--minutes 10] [--rate 50]``; needs Debian's chromium
and the package playwright. Everything runs on this machine, so the server shares the processor
with the browser.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

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
_COUNT: Final = "document.querySelectorAll('*').length"
_HEAP: Final = "performance.memory.usedJSHeapSize"
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


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tickets", type=int, default=10_000)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--rate", type=float, default=50)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        server = ApiServer(Path(folder))
        try:
            tickets = server.fill(given.tickets, team=TEAM)
            server.start()
            browser = driver.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"],
            )
            desk = Desk(server=server, browser=browser)
            _first_paint(desk, given.tickets)
            page = desk.person("Anna", f"/teams/{TEAM}")
            page.wait_for_function("globalThis.desk !== undefined")
            _keys(page)
            _live(page, server, tickets, given.rate, given.minutes * 60)
            browser.close()
        finally:
            server.close()


def _first_paint(desk: Desk, tickets: int) -> None:
    for which in ("server just started", "server warm"):
        page = desk.person("Anna", f"/teams/{TEAM}")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(f"first paint, {tickets:,} tickets, {which}: {paint:.0f} ms")
        page.close()


def _keys(page: Page) -> None:
    page.wait_for_timeout(1000)
    page.evaluate(_NEXT)
    taken = []
    for _ in range(50):
        page.wait_for_timeout(250)  # a person reads at least this long
        taken.append(page.evaluate(_NEXT))
    taken.sort()
    print(
        f"key to next ticket: median {statistics.median(taken):.0f} ms, "
        f"p95 {taken[47]:.0f} ms, worst {taken[-1]:.0f} ms"
    )


def _live(page: Page, server: ApiServer, tickets: list[str], rate: float, seconds: float) -> None:
    page.evaluate(_FRAMES)
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
        page.wait_for_timeout(10_000)
        page.evaluate("gc()")
        heap = page.evaluate(_HEAP)
        page.wait_for_timeout(seconds * 1000)
        page.evaluate("gc()")
        grown = page.evaluate(_HEAP)
    finally:
        stop.set()
        changer.join()
    seen = page.evaluate("globalThis.frames_seen")
    print(
        f"{sent[0] / (seconds + 10):.0f} changes/s for {seconds / 60:.1f} min: "
        f"{seen['count']} frames, {seen['long']} over {DROPPED_MS} ms, "
        f"worst {seen['worst']:.0f} ms; "
        f"heap {heap / 1e6:.1f} MB, then {grown / 1e6:.1f} MB; "
        f"elements {page.evaluate(_COUNT)}"
    )


if __name__ == "__main__":
    main()
