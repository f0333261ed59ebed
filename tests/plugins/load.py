"""What is sent into a deployment that things happen to: posts, repeats, and what is no post."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from triage.errors import Unavailable
from triage.log import Log, NewRecord, Topic

_SAMPLE: Final = Path(__file__).resolve().parents[2] / "triage" / "demo.jsonl"
#: One record in so many is no post at all.
BROKEN_EVERY: Final = 997
#: One post in so many is sent twice.
TWICE_EVERY: Final = 50
_BATCH: Final = 500


def post_id(number: int) -> str:
    """Name a post."""
    return f"chaos-{number}"


def post_lines(count: int) -> Iterator[bytes]:
    """Give posts as JSON, no text twice, from some thousands of authors and from nobody."""
    return islice(_endless_lines(), count)


def _endless_lines() -> Iterator[bytes]:
    texts = [json.loads(line)["text"] for line in _SAMPLE.read_text().splitlines()]
    for number in itertools.count():
        post: dict[str, Any] = {
            "id": post_id(number),
            "text": f"{texts[number % len(texts)]} (kenmerk {number})",
            "channel": ("x", "email", "webformulier", "whatsapp")[number % 4],
        }
        if number % 7:
            post["author"] = {"id": f"a-{number * 7919 % 4001}", "followers": number % 900}
        yield json.dumps(post).encode()


def broken_line(number: int) -> bytes:
    """Give bytes that are no post."""
    return b'{"id": "%s", "text": ' % post_id(number).encode()


def records(count: int) -> Iterator[NewRecord]:
    """Give the posts as a foreign producer sends them: some twice, and in between what is none."""
    for number, line in enumerate(post_lines(count)):
        yield from _sent(number, line)


def _sent(number: int, line: bytes) -> Iterator[NewRecord]:
    key = b"%d" % (number * 7919 % 4001) if number % 7 else None
    yield NewRecord(value=line, key=key)
    if number % TWICE_EVERY == 0:
        yield NewRecord(value=line, key=key)
    if number % BROKEN_EVERY == 0:
        yield NewRecord(value=broken_line(number))


class Load:
    """The records of ``records``, without an end until there is enough."""

    def __init__(self) -> None:
        self.enough = False
        #: The posts and the records that were given so far.
        self.posts = 0
        self.records = 0

    def __iter__(self) -> Iterator[NewRecord]:
        """Give them; a post's records are never parted."""
        for number, line in enumerate(_endless_lines()):
            if self.enough:
                return
            self.posts = number + 1
            for record in _sent(number, line):
                self.records += 1
                yield record


class Feeder(threading.Thread):
    """Appends records in the background, whatever happens to the broker."""

    def __init__(self, log: Log, given: Iterable[NewRecord], *, rate: float = 1e9) -> None:
        """``rate``: records a second, at most."""
        super().__init__(name="feeder", daemon=True)
        self._log = log
        self._given = iter(given)
        self._rate = rate
        self._ended = threading.Event()
        self.sent = 0
        self.retries = 0

    def run(self) -> None:
        """Append until all is sent."""
        started = time.monotonic()
        while batch := list(islice(self._given, _BATCH)):
            while not self._appended(batch):
                self.retries += 1
                if self._ended.wait(0.2):
                    return
            self.sent += len(batch)
            if self._ended.wait(max(0.0, started + self.sent / self._rate - time.monotonic())):
                return

    def end(self) -> None:
        """Send no more."""
        self._ended.set()
        self.join()

    def _appended(self, batch: Sequence[NewRecord]) -> bool:
        try:
            self._log.append(Topic.POSTS, batch)
        except Unavailable:
            return False
        return True
