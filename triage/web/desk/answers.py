"""Canned answers: texts to begin an answer with, by topic and intent, with variables.

They come from a TOML file: ``[[answer]]`` with ``key``, ``title`` and ``text``, and where it should
be offered first ``topics`` and ``intents``; ``orgs`` keeps it to some organisations. A text may
use the variables of :data:`VARIABLES` as ``{naam}``.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triage.errors import Refused
from triage.profiles import INTENTS, TOPICS

#: What a text may have filled in, and what stands there for an unknown one.
VARIABLES: Final[Mapping[str, str]] = {
    "naam": "inwoner",
    "onderwerp": "uw bericht",
    "organisatie": "",
    "team": "",
    "medewerker": "",
    "plaats": "de genoemde plek",
    "datum": "",
    "kenmerk": "",
}
_VARIABLE: Final = re.compile(rf"\{{({'|'.join(VARIABLES)})\}}")
#: The longest text, in characters, and the most answers.
TEXT_LIMIT: Final = 4000
ANSWER_LIMIT: Final = 500
#: The file that is used where none is set.
BUILTIN: Final = Path(__file__).with_name("answers.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A text to begin an answer with."""

    key: str
    title: str
    text: str
    topics: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()

    def fits(self, topic: str, intent: str) -> int:
        """Say how well it fits: 0 to 3; -1 where it's meant for something else."""
        points = 0
        for wanted, given, weight in ((self.topics, topic, 2), (self.intents, intent, 1)):
            if wanted and given not in wanted:
                return -1
            points += weight if wanted else 0
        return points

    def filled(self, values: Mapping[str, str]) -> str:
        """Give the text with its variables filled in.

        >>> Answer(key="a", title="A", text="Dag {naam}, dank!").filled({"naam": "Jan"})
        'Dag Jan, dank!'
        """
        return self.text.format_map(_known(values))

    @property
    def unfilled(self) -> str:
        """The text as :func:`fill` takes it: with its variables, and other braces single."""
        return self.text.format_map({name: f"{{{name}}}" for name in VARIABLES})


def fill(text: str, values: Mapping[str, str]) -> str:
    """Fill in the variables in what somebody typed; other braces stay as they are.

    >>> fill("Dag {naam}, zie {hier} {", {"naam": "Jan"})
    'Dag Jan, zie {hier} {'
    """
    known = _known(values)
    return _VARIABLE.sub(lambda found: known[found[1]], text)


def _known(values: Mapping[str, str]) -> Mapping[str, str]:
    return {**VARIABLES, **{name: value for name, value in values.items() if value}}


def load_answers(path: Path | None) -> tuple[Answer, ...]:
    """Read a file of answers; ours where none is given. Raises Refused, which names the place."""
    path = path or BUILTIN
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise Refused(f"{path}: niet te lezen ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise Refused(f"{path}: geen geldige TOML") from None
    items = data.get("answer")
    if data.keys() - {"answer"} or not isinstance(items, list) or len(items) > ANSWER_LIMIT:
        raise Refused(f"{path}: een lijst [[answer]], hooguit {ANSWER_LIMIT}, en niets anders")
    answers = tuple(_answer(f"{path}: answer {n}", item) for n, item in enumerate(items, 1))
    if len({answer.key for answer in answers}) < len(answers):
        raise Refused(f"{path}: elke key mag er een keer staan")
    return answers


def of_org(answers: Sequence[Answer], org: str) -> list[Answer]:
    """Give an organisation's answers, in the order of the file."""
    return [answer for answer in answers if not answer.orgs or org in answer.orgs]


def offered(
    answers: Sequence[Answer], *, org: str, topic: str, intent: str
) -> list[tuple[Answer, bool]]:
    """Give an organisation's answers, the best fitting first, and whether each fits."""
    ranked = sorted(of_org(answers, org), key=lambda answer: -answer.fits(topic, intent))
    return [(answer, answer.fits(topic, intent) >= 0) for answer in ranked]


def _answer(place: str, item: object) -> Answer:
    if not isinstance(item, dict) or item.keys() - set(Answer.__slots__):
        raise Refused(f"{place}: alleen {', '.join(Answer.__slots__)}")
    for name in ("key", "title", "text"):
        value = item.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > TEXT_LIMIT:
            raise Refused(f"{place}: {name}: tekst van 1 tot {TEXT_LIMIT} tekens")
    _check_variables(place, item["text"])
    return Answer(
        key=item["key"],
        title=item["title"],
        text=item["text"].strip(),
        topics=_keys(place, item, "topics", TOPICS),
        intents=_keys(place, item, "intents", INTENTS),
        orgs=_keys(place, item, "orgs", None),
    )


def _check_variables(place: str, text: str) -> None:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        raise Refused(f"{place}: text: een losse accolade (schrijf die dubbel)") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in VARIABLES or form or conversion):
            raise Refused(f"{place}: text: variabelen zijn {', '.join(VARIABLES)}")


def _keys(
    place: str, item: Mapping[str, Any], name: str, known: Sequence[str] | None
) -> tuple[str, ...]:
    value = item.get(name, [])
    good = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if not good or (known is not None and not set(value) <= set(known)):
        raise Refused(f"{place}: {name}: een lijst van bekende waarden")
    return tuple(value)
