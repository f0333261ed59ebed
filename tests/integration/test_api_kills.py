"""What people decided is kept, whatever happens to the server at that moment.

``TRIAGE_KILL_ACTIONS=1000`` runs the size of the acceptance: 1,000 decisions and 10 kills.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
import pytest

from tests.plugins.api_server import ApiServer
from tests.plugins.brokers import KafkaBroker
from tests.plugins.programs import wait_until
from tests.plugins.redis_server import RedisServer
from triage.log import Topic

ACTIONS: Final = int(os.environ.get("TRIAGE_KILL_ACTIONS", "200"))
#: Kills while that many decisions are taken: ten for a thousand, at least four.
KILLS: Final = max(4, ACTIONS // 100)
_PEOPLE: Final = 4

Make = Callable[..., ApiServer]


def test_decisions_outlive_kills_on_sqlite(api_server: Make) -> None:
    """Each resolve and correction answered with 200 is in the outcomes log, once by id."""
    check(api_server())


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_decisions_outlive_kills_on_kafka_and_redis(
    api_server: Make,
    new_kafka_broker: Callable[..., KafkaBroker],
    new_redis_server: Callable[..., RedisServer],
) -> None:
    """The same on Kafka and Redis."""
    redis = new_redis_server()
    redis.start()
    check(api_server(broker=new_kafka_broker().start(), redis=redis))


def check(server: ApiServer) -> None:
    """Take decisions while the server is killed again and again; then read the outcomes log."""
    server.start()
    tickets = server.fill(ACTIONS)
    people = [Person(server, tickets[number::_PEOPLE], number) for number in range(_PEOPLE)]
    for person in people:
        person.start()
    for blow in range(1, KILLS + 1):
        await_done(people, ACTIONS * blow // (KILLS + 1))
        assert done(people) < ACTIONS, "all was done before the last kill"
        server.program.kill()
        server.start()
    for person in people:
        person.join(timeout=120)
        assert not person.is_alive(), told(people)
    answered = {ticket: kind for person in people for ticket, kind in person.answered.items()}
    assert len(answered) == ACTIONS, told(people)
    assert sum(person.broken for person in people) > 0, "no kill met a request"

    wait_until(lambda: not server.queue.unpublished(server.org, limit=1), seconds=60)
    assert outcomes(server) == {ticket: {kind} for ticket, kind in answered.items()}


def outcomes(server: ApiServer) -> dict[str, set[str]]:
    """Give the kinds of outcome of each ticket; fails where a ticket has two ids."""
    ids: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for record in server.log.scan(Topic.OUTCOMES):
        data = json.loads(record.value or b"{}")
        assert record.key == data["ticket"].encode()
        ids[data["ticket"]].add(data["id"])
        kinds[data["ticket"]].add(data["type"])
    twice = {ticket: found for ticket, found in ids.items() if len(found) != 1}
    assert not twice
    return dict(kinds)


def done(people: Sequence[Person]) -> int:
    return sum(len(person.answered) for person in people)


def await_done(people: Sequence[Person], goal: int) -> None:
    wait_until(lambda: done(people) >= goal, seconds=120, why=lambda: told(people))


def told(people: Sequence[Person]) -> str:
    return f"{done(people)} of {ACTIONS}; " + "; ".join(person.trouble for person in people)


class Person(threading.Thread):
    """Resolves and corrects tickets in turn; asks again, with the same key, when nothing is heard."""

    def __init__(self, server: ApiServer, tickets: Sequence[str], number: int) -> None:
        super().__init__(name=f"person-{number}", daemon=True)
        self._server = server
        self._tickets = tickets
        #: The kind of decision of each ticket that was answered with 200.
        self.answered: dict[str, str] = {}
        #: Requests that got no answer.
        self.broken = 0
        self.trouble = ""

    def run(self) -> None:
        """Work until all is done, or something is not as it should be."""
        try:
            with self._server.client() as client:
                for number, ticket in enumerate(self._tickets):
                    if number % 2:
                        self._correct(client, ticket)
                    else:
                        self._resolve(client, ticket)
        except Exception as error:  # noqa: BLE001 - told by the test
            self.trouble = f"{type(error).__name__}: {error}"

    def _resolve(self, client: httpx.Client, ticket: str) -> None:
        claim = self._ask(client, ticket, "claim", owner=self.name, seconds=600)
        body = {"token": claim["claim"]["token"], "owner": self.name, "outcome": "beantwoord"}
        self._ask(client, ticket, "resolve", **body)
        self.answered[ticket] = "resolved"

    def _correct(self, client: httpx.Client, ticket: str) -> None:
        self._ask(client, ticket, "correct", owner=self.name, topic="afval-schoon", urgency="hoog")
        self.answered[ticket] = "corrected"

    def _ask(self, client: httpx.Client, ticket: str, action: str, **body: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = client.post(
                    f"/api/v1/tickets/{ticket}/{action}",
                    json=body,
                    headers={"Idempotency-Key": f"{ticket}-{action}"},
                )
            except httpx.HTTPError:
                self.broken += 1
                assert time.monotonic() < deadline, "the server did not come back"
                time.sleep(0.05)  # it is being started
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            assert answer.status_code == 200, f"{action}: {answer.status_code} {answer.text}"
            found: dict[str, Any] = answer.json()
            return found
