"""What the demo's stream promises: repeatable, realistic, at its rate."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

import triage
from triage.demo import Demo, load_sample
from triage.post import Post

SAMPLE = load_sample(Path(triage.__file__).parent / "demo.jsonl")


def test_the_same_seed_gives_the_same_stream() -> None:
    """A seed names a stream; another seed gives other ids."""
    first = list(islice(Demo(SAMPLE, seed=3).posts(), 300))
    assert first == list(islice(Demo(SAMPLE, seed=3).posts(), 300))
    other = list(islice(Demo(SAMPLE, seed=4).posts(), 300))
    assert not {post["id"] for post in first} & {post["id"] for post in other}


def test_every_post_decodes() -> None:
    """What the demo sends are posts, each with an id of its own."""
    now = datetime(2026, 11, 2, tzinfo=UTC)
    posts = [
        Post.from_mapping(post, received_at=now) for post in islice(Demo(SAMPLE).posts(), 2000)
    ]
    assert len({post.id for post in posts}) == 2000
    assert {post.channel for post in posts} > {"x", "email", "whatsapp"}
    assert any(post.in_reply_to for post in posts)
    assert all(post.author for post in posts)


def test_bursts_pass_one_text_on() -> None:
    """Now and then one event is told and passed on by many."""
    posts = list(islice(Demo(SAMPLE).posts(), 2000))
    assert sum(post["text"].startswith("RT: ") for post in posts) > 10


@pytest.mark.parametrize("rate", [0.5, 5, 200])
def test_the_rate_holds(rate: float) -> None:
    """What is due never falls, and follows the rate over minutes."""
    demo = Demo(SAMPLE)
    due = [demo.due(second / 10, rate) for second in range(6000)]
    assert due == sorted(due)
    assert due[-1] == pytest.approx(rate * 600, rel=0.1, abs=3)
