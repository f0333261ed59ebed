"""A storm with kills: nothing critical is hidden in a bundle, and its counts stay exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.bundle_kills import run
from tests.plugins.redis_server import RedisServer


def test_a_storm_with_kills_on_sqlite(tmp_path: Path) -> None:
    """The embedded store; benchmarks/bundles.py does it with twenty seeds."""
    found = run(tmp_path, seed=11, posts=1500, kills=4)
    assert found.sound, found
    assert found.kills == 4
    assert found.tickets < found.posts / 2


@pytest.mark.redis
def test_a_storm_with_kills_on_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    """The same with Redis."""
    found = run(tmp_path, seed=12, posts=1500, kills=4, redis=redis_server)
    assert found.sound, found
    assert found.kills == 4
