"""The script that runs inside Redis, as far as it can be looked at without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from triage import queue
from triage.bundle import ANY_LENGTH
from triage.bundle.compare import ONE_IN
from triage.queue import bundling, document

SCRIPT = "".join(file.read_text() for file in Path(queue.__file__).parent.glob("*.lua"))
NAMED = {
    "ANSWER_SECONDS": document.ANSWER_SECONDS,
    "ANY_LENGTH": ANY_LENGTH,
    "CANDIDATES": bundling.CANDIDATES,
    "EQUAL": bundling.EQUAL,
    "HISTORY_LIMIT": document.HISTORY_LIMIT,
    "ONE_IN": ONE_IN,
}


@pytest.mark.parametrize("name", NAMED)
def test_what_stands_in_both_languages_is_the_same(name: str) -> None:
    """What the script and Python both go by can't be changed in one of them alone."""
    (value,) = re.findall(rf"^local {name} = '?([^' \n]+)", SCRIPT, re.MULTILINE)
    assert value == str(NAMED[name])
