"""The corpus and the tools that keep it honest."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from triage.classify import default_models_dir
from triage.learn.agreement import agreement
from triage.learn.clean import Change, broken, doubles, doubts, leaked, load_changes
from triage.learn.corpus import Example, load_examples
from triage.post import Post

CORPUS = default_models_dir() / "corpus"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def example(post_id: str, text: str, *, topic: str = "overig", urgency: str = "laag") -> Example:
    return Example(
        post=Post(id=post_id, text=text, created_at=NOW),
        topics=(topic,),
        urgency=urgency,
        intent="overig",
        author=post_id.partition("-")[0],
    )


def frozen() -> list[Example]:
    return [
        example(row["id"], row["text"])
        for path in sorted((CORPUS / "frozen").glob("*.jsonl"))
        for row in map(json.loads, path.read_text("utf-8").splitlines())
    ]


def test_frozen_posts_stay_out_of_training() -> None:
    """No post of the frozen evaluation sets is loaded for training, by id or in the same words."""
    held = frozen()
    examples = load_examples(CORPUS)
    assert len(held) > 450
    assert leaked(examples, held) == []


def test_a_leak_is_named() -> None:
    """The same words with other capitals and marks are a leak, and so is the same id."""
    held = [example("G-1", "Er ligt een boom op de weg!"), example("G-2", "iets heel anders hier")]
    posts = [example("A-1", "er ligt een BOOM op de weg"), example("G-2", "x"), example("A-2", "y")]
    assert leaked(posts, held) == ["A-1", "G-2"]


def test_the_record_of_changes_holds() -> None:
    """What the record settled is what the files say, in training and frozen sets."""
    changes = load_changes(CORPUS / "changes.jsonl")
    examples = load_examples(CORPUS)
    ids = {one.post.id for one in examples}
    mine = [change for change in changes if change.id in ids or change.field == "post"]
    assert len(mine) > 500
    assert broken(mine, examples) == []


def test_a_change_that_was_lost_is_named() -> None:
    """A label that fell back, a settled post that is gone and a removed one that is back."""
    changes = [
        Change(id="A-1", field="urgency", before="laag", after="hoog", why="w"),
        Change(id="A-2", field="topics", before=["overig"], after=["wonen"], why="w"),
        Change(id="A-3", field="post", before="ok", after="", why="w"),
        Change(id="A-4", field="urgency", before="hoog", after="laag", why="w"),
    ]
    posts = [example("A-1", "a"), example("A-3", "ok"), example("A-4", "d")]
    assert broken(changes, posts) == ["A-1", "A-2", "A-3"]


def test_doubles_see_through_marks_and_case() -> None:
    """Posts that differ in case, marks and a typo are found, and whether their labels agree."""
    posts = [
        example("A-1", "De container aan de Lindenstraat zit alweer vol"),
        example("B-1", "de CONTAINER aan de Lindenstraat zit alweer vol!!"),
        example("C-1", "De containers aan de Lindenstraat zit alweer vol", topic="wonen"),
        example("D-1", "Wanneer komt de bus naar het ziekenhuis?"),
        example("E-1", "👍"),
        example("F-1", "🔥"),
    ]
    found = {(double.first, double.second): double.agree for double in doubles(posts)}
    assert found == {("A-1", "B-1"): True, ("A-1", "C-1"): False, ("B-1", "C-1"): False}


def test_a_wrong_label_is_doubted_first() -> None:
    """One post labelled against what all other authors do is the surest doubt."""
    posts = []
    for author in "ABCDEF":
        for number in range(4):
            posts.append(
                example(
                    f"{author}-a{number}",
                    f"vuilnis container afval zak {number}",
                    topic="afval-schoon",
                )
            )
            posts.append(
                example(f"{author}-b{number}", f"huur woning schimmel flat {number}", topic="wonen")
            )
    posts.append(example("A-x", "vuilnis container afval zak vol", topic="wonen"))
    first = doubts([post for post in posts if post.urgency == "laag"], folds=3, fields=("topics",))
    assert (first[0].id, first[0].given, first[0].suggested) == ("A-x", "wonen", "afval-schoon")


def test_kappa_weighs_steps_on_a_ladder() -> None:
    """A difference of one step costs less than one of three, and chance is taken off."""
    ladder = ["laag", "normaal", "hoog", "kritiek"]
    truth = ladder * 5
    near = agreement(truth, ["normaal", *truth[1:]], order=ladder)
    far = agreement(truth, ["kritiek", *truth[1:]], order=ladder)
    assert near.same == far.same == pytest.approx(0.95)
    assert near.kappa > far.kappa
