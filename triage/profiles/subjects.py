"""Topics as a profile has them: renamed, merged, hidden and added; and how that is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from triage.profiles import TOPICS, Subject
from triage.profiles.table import LIST_LIMIT, Table
from triage.ticket import ORG, UNKNOWN, Assessment

#: What part of the posts judged ``laag`` people check where a profile says nothing of it.
AUDIT_RATE: Final = 0.02
_KEYS: Final = ("name", "description", "into", "hidden", "new")
#: Where a post goes whose topics are all hidden.
_REST: Final = "overig"


def read_subjects(top: Table) -> dict[str, Subject]:
    """Read ``[topics.KEY]``; problems are noted at their lines."""
    tables = top.table("topics")
    if len(tables.data) > LIST_LIMIT:
        top.wrong("topics", f"meer dan {LIST_LIMIT}")
        return {}
    subjects = {key: _subject(tables, key) for key in tables.data}
    known = {*TOPICS, *(key for key, subject in subjects.items() if subject.new)}
    for key, subject in subjects.items():
        table = tables.table(key)
        if subject.into:
            target = subjects.get(subject.into)
            if subject.into not in known or subject.into == key:
                table.wrong("into", f'onbekend onderwerp "{subject.into}"')
            elif target and (target.into or target.hidden):
                table.wrong("into", f'"{subject.into}" wordt zelf samengevoegd of verborgen')
            if subject.hidden:
                table.wrong("hidden", "gaat niet samen met into")
        if key == _REST and (subject.hidden or subject.into):
            table.notes.add(table.path, f'"{_REST}" kan niet weg: daar komt de rest')
    return subjects


def _subject(tables: Table, key: str) -> Subject:
    table = tables.table(key)
    table.only(_KEYS)
    new = table.flag("new")
    if new and (key in TOPICS or key == UNKNOWN or not ORG.fullmatch(key)):
        tables.wrong(key, "een nieuw onderwerp: kleine letters, cijfers en streepjes, nog vrij")
    elif not new and key not in TOPICS:
        tables.wrong(key, "staat niet in het codeboek (een nieuw onderwerp: new = true)")
    return Subject(
        key=key,
        name=table.text("name"),
        description=table.text("description"),
        into=table.text("into"),
        hidden=table.flag("hidden"),
        new=new,
    )


def topics_of(subjects: Mapping[str, Subject]) -> tuple[str, ...]:
    """Give all topics that rules may name: those of the codebook and the new ones."""
    return (*TOPICS, *(key for key, subject in subjects.items() if subject.new))


def read_audit_rate(top: Table) -> float:
    """Read ``[learning] audit_rate``: from 0 (no audit) to 1."""
    table = top.table("learning")
    table.only(("audit_rate",))
    rate = table.number("audit_rate", 0, 1)
    return AUDIT_RATE if rate is None else rate


def shown_as(subjects: Mapping[str, Subject]) -> dict[str, str]:
    """Give what each topic counts as; a hidden one is not there."""
    shown = {UNKNOWN: UNKNOWN}
    for key in topics_of(subjects):
        subject = subjects.get(key)
        if subject is None or not subject.hidden:
            shown[key] = (subject.into if subject else "") or key
    return shown


def adapted(assessment: Assessment, shown: Mapping[str, str]) -> Assessment:
    """Bring an assessment into an organisation's own topics.

    Merged topics count together; a hidden one, or one that another organisation added, is passed
    over, and where it was the first the post counts as unsure: nobody here is sure of the next.
    """
    topics = assessment.topics
    for key, _ in topics:
        if shown.get(key) != key:
            break
    else:
        return assessment
    summed: dict[str, float] = {}
    for key, p in topics:
        if key in shown:
            summed[shown[key]] = round(summed.get(shown[key], 0.0) + p, 4)
    ranked = tuple(sorted(summed.items(), key=lambda item: -item[1])) or ((_REST, 0.0),)
    return replace(
        assessment,
        topics=ranked,
        confidence=min(1.0, ranked[0][1]),
        abstained=assessment.abstained or topics[0][0] not in shown,
    )
