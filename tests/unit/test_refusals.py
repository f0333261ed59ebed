"""Everything that is refused has its words in the catalogue, in each language."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import pytest

from triage import errors
from triage.errors import TriageError
from triage.models.gate import BARS
from triage.web import signin
from triage.web.desk import texts as catalogue
from triage.web.desk.texts import LANGUAGES, texts
from triage.web.problems import Problem

CODE: Final = Path(catalogue.__file__).resolve().parents[2]
#: Parts of which a person at the desk may meet every error, not only those of the web.
SEEN: Final = ("queue", "models", "labels/masking.py", "web", "route.py", "classify")


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Give the calls in a file with the name that is called."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def constants(call: ast.Call, place: int, name: str) -> Iterator[str]:
    """Give the words that an argument may be, by place or by name."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == name]
    for value in [*call.args[place : place + 1], *given]:
        for node in ast.walk(value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_entry_is_one_text_a_language() -> None:
    """No entry has a language too few or too many, or one left empty."""
    tables = tomllib.loads(Path(catalogue.__file__).with_name("texts.toml").read_text())
    entries = {f"{group}.{key}": both for group in tables for key, both in tables[group].items()}
    assert len(entries) > 500
    for key, both in entries.items():
        assert isinstance(both, list), key
        assert len(both) == len(LANGUAGES), key
        assert all(isinstance(text, str) and text.strip() for text in both), key


def test_every_refusal_in_the_code_has_its_words() -> None:
    """Problems, and errors of queues and models with their codes: all are in the catalogue."""
    known, statuses = texts("nl").group("problem"), texts("nl").group("status")
    used: set[str] = set()
    for path in sorted(CODE.rglob("*.py")):
        web = "web" in path.relative_to(CODE).parts
        for name, call in calls(path):
            if name == "Problem" and web:
                keys = set(constants(call, 1, "key"))
                assert isinstance(call.args[0], ast.Constant | ast.Attribute), path
                if isinstance(call.args[0], ast.Constant):
                    assert str(call.args[0].value) in statuses, path
            elif name == "unavailable" and web:
                keys = set(constants(call, 0, "what"))
            elif name == "Conflict":
                keys = set(constants(call, 0, "code"))
            elif name in {"NotFound", "InvalidModel", "Refused"}:
                keys = set(constants(call, 9, "code"))
            else:
                continue
            assert keys <= known.keys(), (path, keys)
            used |= keys
    assert len(used) > 45
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, TriageError):
            assert kind.code in known, kind
            used.add(kind.code)
    #: By their status, in triage/web/problems.py.
    assert known.keys() - used <= {"unreadable", "no-address", "no-method", "not-so"}


def test_what_is_refused_for_models_says_why() -> None:
    """Steps with models that end in a refusal name it by a code of their own."""
    for part in ("models", "labels/masking.py"):
        place = CODE / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for name, call in calls(path):
                if name == "Refused":
                    assert any(word.arg == "code" for word in call.keywords), (path, call.lineno)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_problem_is_told_in_the_language_asked_for(language: str) -> None:
    """Title and detail come from that language; the answer says which it is."""
    t = texts(language)
    answer = Problem(429, "slow", values={"seconds": 7}).response(t)
    body = orjson.loads(bytes(answer.body))
    assert body["title"] == t("status.429")
    assert body["detail"] == t("problem.slow", seconds=7)
    assert answer.headers["content-language"] == language


def test_sign_in_tells_every_end_and_the_gate_every_figure() -> None:
    """Each reason has its words and its advice; each figure of the gate its name."""
    t = texts("en")
    for reason in signin._STATUS:
        assert t(f"signin.{reason}")
        assert t(f"signin.{reason}-advice")
    assert t.group("figure").keys() == {bar.figure for bar in BARS}
