"""What the command line promises, run as a user runs it: a process, its output, its status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

URGENCIES = {"kritiek", "hoog", "normaal", "laag"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``triage`` in an empty folder, without the developer's own settings."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")
    }

    def run_triage(*arguments: str, given: str | bytes = "") -> subprocess.CompletedProcess[str]:
        raw = given if isinstance(given, bytes) else given.encode()
        done = subprocess.run(
            [sys.executable, "-m", "triage", *arguments],
            input=raw,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run_triage


def answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def sample(count: int) -> list[dict[str, Any]]:
    path = next(Path("models/corpus/posts").glob("B1.jsonl"))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [rows[number % len(rows)] | {"id": f"p-{number}"} for number in range(count)]


def test_classify_gives_the_fixed_output_in_order(run: Run) -> None:
    """A thousand posts in, a thousand judgements out, in input order, with every field."""
    posts = sample(1000)
    done = run("classify", given="\n".join(json.dumps(post) for post in posts))
    assert done.returncode == 0, done.stderr
    judged = answers(done)
    assert [answer["id"] for answer in judged] == [post["id"] for post in posts]
    for answer in judged:
        assert answer.keys() >= {
            "id", "topics", "urgency", "intent", "lang", "entities", "team", "due_minutes",
            "confidence", "abstained", "reasons", "rule", "model",
        }  # fmt: skip
        assert len(answer["topics"]) == 3
        assert answer["topics"] == sorted(answer["topics"], key=lambda topic: -topic["p"])
        assert answer["urgency"]["p"].keys() == URGENCIES
        assert sum(answer["urgency"]["p"].values()) == pytest.approx(1, abs=1e-3)
        assert answer["urgency"]["key"] in URGENCIES
        assert isinstance(answer["due_minutes"], int)
    right = sum(
        answer["topics"][0]["key"] in post["topics"]
        for answer, post in zip(judged, posts, strict=True)
    )
    assert right > 800  # trained on these: a model that fails here is not loaded at all


def test_classify_reads_a_file_as_it_reads_stdin(run: Run, tmp_path: Path) -> None:
    """A file and stdin give the same judgements."""
    text = "\n".join(json.dumps(post) for post in sample(50))
    (tmp_path / "posts.jsonl").write_text(text)
    from_file = answers(run("classify", "posts.jsonl"))
    from_stdin = answers(run("classify", "-", given=text))
    for answer in (*from_file, *from_stdin):
        answer.pop("due_minutes")  # runs with the clock
    assert from_file == from_stdin


def test_a_bad_line_is_reported_and_the_rest_is_done(run: Run) -> None:
    """Each bad line gives its own error with its number; the others are judged."""
    lines = [
        b'{"id": "1", "text": "Gaslucht in de flat"}',
        b"no json",
        b'{"id": "2", "text": "caf\xe9"}',
        b"",
        b'{"id": "3", "text": "Half een emoji \\ud83d"}',
        b'{"id": "4"}',
        b'{"id": "5", "text": "' + b"x" * 200_000 + b'"}',
        b'{"id": "6", "text": "Fijn park hoor"}',
    ]
    done = run("classify", given=b"\r\n".join(lines))
    assert done.returncode == 1
    judged = answers(done)
    assert [(answer["id"], answer.get("line")) for answer in judged] == [
        ("1", None), (None, 2), (None, 3), ("3", None), (None, 6), (None, 7), ("6", None),
    ]  # fmt: skip
    assert "UTF-8 (byte" in judged[2]["error"]
    assert judged[4]["error"] == "text: ontbreekt"


def test_a_cry_for_help_is_critical_and_due_in_minutes(run: Run) -> None:
    """What cannot wait gets minutes, not days."""
    post = {
        "id": "1",
        "text": "Er ligt een kind in het water bij de brug en niemand kan erbij! Help!",
    }
    (answer,) = answers(run("classify", given=json.dumps(post)))
    assert answer["urgency"]["key"] == "kritiek"
    assert answer["due_minutes"] <= 15


def test_unknown_things_are_named(run: Run) -> None:
    """A wrong profile, file or setting is refused in one line, without a trace."""
    for arguments in (
        ["classify", "--profile", "nergens"],
        ["classify", "missing.jsonl"],
        ["work", "--log", "x://"],
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("triage: ")


def test_schema_is_json(run: Run) -> None:
    """The published schema prints as JSON; an unknown one is refused."""
    assert json.loads(run("schema", "post").stdout)["title"] == "Post"
    assert run("schema", "ticket").returncode == 2


def test_profile_check_tells_where(run: Run, tmp_path: Path) -> None:
    """A profile with faults gives a line a fault, each with its line number, and status 1."""
    (tmp_path / "a.toml").write_text('org = "a"\nname = "A"\nfallback = "nergens"\n')
    done = run("profile", "check", "a.toml")
    assert done.returncode == 1
    assert any(line.startswith("a.toml:3:") for line in done.stdout.splitlines()), done.stdout


def test_ingest_appends_the_good_and_names_the_bad(run: Run) -> None:
    """Good lines go into the stream, bad ones are named, and the status says so."""
    done = run(
        "ingest", "-", given='{"id": "1", "text": "a"}\n{"id": "2"}\n{"id": "3", "text": "c"}\n'
    )
    assert done.returncode == 1
    assert "regel 2: text: ontbreekt" in done.stderr
    assert "2 berichten in de stroom" in done.stderr


def test_mask_prints_posts_without_personal_data(run: Run, tmp_path: Path) -> None:
    """Posts come out masked and in order, a bad line is told, and a secret makes it repeatable."""
    posts = [
        {
            "id": "1",
            "text": "Bel Jan de Vries, 06-12345678",
            "author": {"id": "9", "name": "Wolkje"},
        },
        {"id": "2", "text": "wolkje zag jan de vries bij de A28 hmp 12,3"},
        {"id": "3", "text": "Wolkje was het", "author": {"id": "9", "name": "Wolkje"}},
    ]
    (tmp_path / "secret").write_text("geheim")
    given = "\n".join([*map(json.dumps, posts), "kapot"])
    done = run("mask", "--secret-file", "secret", given=given)
    assert done.returncode == 1
    assert [answer.get("text") for answer in answers(done)] == [
        "Bel [NAAM-1], [TELEFOON-1]",
        "wolkje zag [NAAM-1] bij de A28 hmp 12,3",
        "[NAAM-2] was het",
        None,
    ]
    assert run("mask", "--secret-file", "secret", given=given).stdout == done.stdout
    assert run("mask", "--secret-file", "none", given=given).returncode == 2
