"""A storm put by a worker that is killed again and again: what became of its bundles."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.plugins.redis_server import RedisServer
from tests.plugins.scene import Scene, now
from tests.plugins.storm import storm
from triage.queue import Queue
from triage.ticket import Ticket, ticket_id


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledStorm:
    """What was found when all was put."""

    posts: int
    tickets: int
    kills: int
    #: Posts that are in no ticket, or in two.
    lost: int
    double: int
    #: Critical posts inside a ticket that is less urgent.
    hidden: int
    #: Bundles whose count is not that of their members.
    miscounted: int

    @property
    def sound(self) -> bool:
        """Whether all promises held."""
        return not (self.lost or self.double or self.hidden or self.miscounted)


def run(
    folder: Path, *, seed: int, posts: int, kills: int, redis: RedisServer | None = None
) -> KilledStorm:
    """Put a storm with a worker on the embedded log, killed -9 at random moments."""
    rng = random.Random(seed)
    told = storm(seed, posts=posts, originals=max(1, posts // 50))
    scene = Scene(folder, redis=redis)
    try:
        scene.append(*(orjson.dumps({**one.post, "org": scene.org}) for one in told))
        worker = scene.worker(TRIAGE_BATCH="100")
        blows = 0
        while scene.taken() < posts:
            worker.start()
            goal = scene.taken() + rng.randint(50, max(60, posts // (kills + 1)))
            deadline = time.monotonic() + 60
            while scene.taken() < min(goal, posts) and time.monotonic() < deadline:
                time.sleep(0.002)
            if scene.taken() < posts and blows < kills:
                worker.kill()
                blows += 1
            else:
                while scene.taken() < posts and time.monotonic() < deadline:
                    time.sleep(0.01)
                worker.kill()
        return _found(scene, [one.post["id"] for one in told], blows)
    finally:
        scene.close()


def _found(scene: Scene, ids: Sequence[str], kills: int) -> KilledStorm:
    stands: Counter[str] = Counter()
    hidden = miscounted = tickets = 0
    for ticket in _listed(scene.queue, scene.org, sorted(scene.profile.teams)):
        tickets += 1
        members = _members(scene.queue, ticket)
        stands.update([ticket.id, *(member.id for member in members)])
        miscounted += (ticket.bundle["count"] if ticket.bundle else 1) != 1 + len(members)
        judged = [ticket, *members]
        hidden += sum(
            one.assessment["urgency"]["key"] == "kritiek" and ticket.urgency != "kritiek"
            for one in judged
        )
    expected = {ticket_id(scene.org, post) for post in ids}
    return KilledStorm(
        posts=len(ids),
        tickets=tickets,
        kills=kills,
        lost=len(expected - stands.keys()),
        double=sum(count - 1 for count in stands.values()),
        hidden=hidden,
        miscounted=miscounted,
    )


def _listed(queue: Queue, org: str, teams: Sequence[str]) -> Iterator[Ticket]:
    for team in teams:
        offset = 0
        while page := queue.list(org, team, now=now(), limit=500, offset=offset):
            yield from page
            offset += len(page)


def _members(queue: Queue, ticket: Ticket) -> list[Ticket]:
    members: list[Ticket] = []
    if ticket.bundle:
        while page := queue.members(ticket.id, now=now(), limit=500, offset=len(members)):
            members += page
    return members
