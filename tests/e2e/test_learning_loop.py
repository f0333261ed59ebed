"""The whole loop on the running program: people correct, a model learns, goes live, and back."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import pytest

from tests.plugins.api_server import embedded_token
from tests.plugins.brokers import free_port
from tests.plugins.programs import Program, figure, run_triage, wait_until
from tests.plugins.small_corpus import posts_on, rows_of, write_corpus
from triage.ticket import ticket_id

ORG: Final = "gemeente"
TOPIC: Final = "openbaar-vervoer"
CORRECTED: Final = 40
PROCESSES: Final = 2


class Flow:
    """Posts that keep coming in over the API, from a thread of their own."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._texts = [row["text"] for row in rows_of("B3")]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            text = self._texts[self.sent % len(self._texts)]
            self._loop.api("posts", {"id": f"stroom-{self.sent}", "text": text, "channel": "x"})
            self.sent += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)


class Loop:
    """A running ``triage up`` and the commands of its operator, on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._token = ""
        self.port = free_port()
        self.up = Program(
            *("up", "--data", "data", "--port", str(self.port), "--processes", str(PROCESSES)),
            output=folder / "up.txt",
            port=self.port,
        )

    def triage(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command on the same data."""
        return run_triage(*arguments, "--data", "data", cwd=self.folder)

    def good(self, *arguments: str) -> str:
        """Run a command that must succeed; give what it printed."""
        done = self.triage(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def api(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        if not self._token and (self.folder / "data" / "triage.db").exists():
            self._token = embedded_token(self.folder / "data")
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def waiting(self) -> int:
        """Count open tickets; -1 while it does not answer."""
        try:
            return int(self.api("queues")["depth"])
        except OSError:
            return -1

    def workers_on(self, version: str) -> bool:
        """Whether every worker judges by this version, and none by another."""
        metrics = self.up.metrics()
        all_of_them = figure(metrics, "triage_model_info")
        return figure(metrics, "triage_model_info", model=version) == all_of_them == PROCESSES

    def models_of(self, prefix: str, numbers: range) -> Counter[str]:
        """Count which versions judged posts."""
        tickets = (ticket_id(ORG, f"{prefix}-{number}") for number in numbers)
        return Counter(self.api(f"tickets/{t}")["assessment"]["model"] for t in tickets)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """Give a program whose first model has never seen one topic."""
    write_corpus(
        tmp_path / "corpus",
        learnt=("A1", "A5", "A7", "B1", "C1", "C3", "D1"),
        frozen=("B2", "B4", "D2", "A2", "D3", "A3"),
        keep=lambda row: TOPIC not in row["topics"],
    )
    loop = Loop(tmp_path)
    yield loop
    loop.up.kill()


@pytest.mark.slow
@pytest.mark.integration
def test_corrections_become_a_live_model_and_can_be_taken_back(  # noqa: PLR0915 - one story
    loop: Loop,
) -> None:
    """Correct 40 tickets, export, train, evaluate, shadow, promote while posts flow, roll back."""
    first = json.loads(loop.good("train", "--base", "corpus"))["version"]
    loop.good(
        "models",
        "promote",
        first,
        "--base",
        "corpus",
        "--force",
        "--by",
        "proef",
        "--why",
        "het eerste eigen model",
    )
    loop.up.start()
    wait_until(lambda: loop.waiting() == 0, why=loop.up.said)

    # People correct what the model cannot know, and confirm one.
    posts = list(posts_on(TOPIC, ("C2", "C5", "D3", "D4", "E5")))[:CORRECTED]
    for number, post in enumerate(posts):
        body = {
            "id": f"post-{number}",
            "text": post["text"],
            "channel": post["channel"],
            "author": {"id": f"0612345{number:03d}", "name": "Jan de Tester"},
        }
        loop.api("posts", body)
    wait_until(lambda: loop.waiting() == CORRECTED, why=loop.up.said)
    assert loop.models_of("post", range(CORRECTED)) == {first: CORRECTED}
    for number, post in enumerate(posts):
        ticket = ticket_id(ORG, f"post-{number}")
        right = {"topic": TOPIC, "urgency": post["urgency"], "intent": post["intent"]}
        loop.api(f"tickets/{ticket}/correct", {"owner": "s.devries", **right})

    # Export: slugs and masked texts, no author, no colleague.
    assert b"40 gelabelde berichten" in loop.triage("export", "--out", "labels.jsonl").stderr
    raw = (loop.folder / "labels.jsonl").read_text()
    rows = [json.loads(line) for line in raw.splitlines()]
    assert len(rows) == CORRECTED
    assert {row["labels"]["topic"] for row in rows} == {TOPIC}
    assert {row["heads"]["topic"] for row in rows} == {"corrected"}
    assert {row["model"] for row in rows} == {first}
    assert "0612345" not in raw
    assert "Tester" not in raw
    assert "s.devries" not in raw

    # Train and evaluate; the report names the version and needs nothing beside it.
    trained = json.loads(loop.good("train", "--labels", "labels.jsonl", "--base", "corpus"))
    second = trained["version"]
    assert second != first
    loop.good("evaluate", second, "--base", "corpus", "--out", "verslag.html")
    page = (loop.folder / "verslag.html").read_text()
    assert second in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    report = json.loads((loop.folder / "verslag.json").read_text())
    loop.good("evaluate", first, "--base", "corpus", "--out", "eerst.html")
    before = json.loads((loop.folder / "eerst.json").read_text())
    assert found(before, TOPIC) == 0
    assert found(report, TOPIC) > 0.1
    assert (report["gate"]["candidate"], report["gate"]["current"]) == (second, first)

    with Flow(loop) as flow:
        # Shadow: it judges live posts beside the first, which still decides.
        loop.good("models", "shadow", second)
        wait_until(lambda: shadowed(loop) > 100, seconds=60, why=loop.up.said)
        assert loop.workers_on(first)
        wait_until(lambda: agreement(loop)["posts"] > 0)
        assert agreement(loop)["version"] == second
        assert 0.2 < agreement(loop)["agree"]["topic"] <= 1

        # Promote through the gate; where it refuses it says by how much, and force is on record.
        promoted = loop.triage("models", "promote", second, "--base", "corpus")
        if promoted.returncode:
            assert b"slechter (marge" in promoted.stderr
            loop.good(
                "models",
                "promote",
                second,
                "--base",
                "corpus",
                "--force",
                "--by",
                "t.baas",
                "--why",
                "het onderwerp weegt zwaarder",
            )
        switched = flow.sent
        wait_until(lambda: loop.workers_on(second), why=loop.up.said)
        wait_until(lambda: flow.sent > switched + 100)

        # Back with one command.
        loop.good("models", "rollback", "--by", "t.baas", "--why", "toch niet")
        wait_until(lambda: loop.workers_on(first), why=loop.up.said)
        back = flow.sent
        wait_until(lambda: flow.sent > back + 40)

    # Nothing was lost or doubled, and both models judged what came while they were live.
    wait_until(lambda: loop.waiting() == CORRECTED + flow.sent, why=loop.up.said)
    time.sleep(1.5)
    assert loop.waiting() == CORRECTED + flow.sent
    judged = loop.models_of("stroom", range(flow.sent))
    assert set(judged) == {first, second}
    assert loop.models_of("stroom", range(back + 20, flow.sent)).keys() == {first}
    history = [json.loads(line) for line in loop.good("models", "history").splitlines()]
    assert [step["action"] for step in history] == ["promote", "shadow", "promote", "rollback"]
    assert history[0]["forced"]
    assert history[-1] | {"at": ""} == {
        "at": "",
        "action": "rollback",
        "version": first,
        "before": second,
        "by": "t.baas",
        "why": "toch niet",
        "forced": False,
        "refusals": [],
    }
    assert loop.up.stop() == 0


def found(report: Mapping[str, Any], topic: str) -> float:
    return float(next(row["recall"] for row in report["per_topic"] if row["topic"] == topic))


def shadowed(loop: Loop) -> float:
    return loop.up.figure("triage_shadow_posts_total", head="topic")


def agreement(loop: Loop) -> Any:
    return json.loads(loop.good("models", "report"))
