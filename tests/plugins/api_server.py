"""A running ``triage serve`` and tickets for it, on either backend."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx
import pytest

from tests.plugins.brokers import KafkaBroker, free_port
from tests.plugins.programs import Program, wait_until
from tests.plugins.redis_server import RedisServer
from triage.access import Access, Scope, tokens
from triage.access.open import open_access
from triage.log import Log
from triage.log.open import open_log
from triage.post import Author, Post
from triage.queue import Entry, Queue
from triage.queue.open import open_queue
from triage.route import Profile
from triage.ticket import Assessment, Reason, Route, Urgency, ticket_id

#: The profile that is served.
PROFILE: Final = "gemeente"


class ApiServer:
    """One ``triage serve`` in a folder, as often as it is started; ``log`` and ``queue`` are ours."""

    def __init__(
        self,
        folder: Path,
        *,
        broker: KafkaBroker | None = None,
        redis: RedisServer | None = None,
        arguments: Sequence[str] = (),
        port: int = 0,
        **env: str,
    ) -> None:
        self.folder = folder
        self._token = ""
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        embedded = f"sqlite:///{data / 'triage.db'}"
        log_url = broker.url if broker else embedded
        queue_url = redis.url if redis else embedded
        self.log: Log = open_log(log_url, partitions=2) if broker else open_log(log_url)
        self.queue: Queue = open_queue(queue_url)
        self.profile = Profile.builtin(PROFILE)
        self.org = self.profile.org
        self.access: Access = open_access(queue_url)
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        stores = ["--log", log_url, "--queue", queue_url] if broker else []
        self.program = Program(
            *("serve", "--data", str(data), "--profile", PROFILE, "--port", str(self.port)),
            *stores,
            *arguments,
            output=folder / "server.log",
            env={"TRIAGE_KAFKA_PARTITIONS": "2", **env},
        )

    def start(self) -> Self:
        """Start and return when it is ready."""
        self.program.start()
        wait_until(self.ready, seconds=60, why=lambda: self.program.said()[-4000:])
        return self

    def ready(self) -> bool:
        """Tell whether it and its stores answer."""
        assert self.program.running, self.program.said()[-4000:]
        try:
            return httpx.get(f"{self.address}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def token(self, *scopes: Scope, teams: frozenset[str] | None = None) -> str:
        """Make an API token for this server; without scopes it may do all."""
        name = f"t{uuid.uuid4().hex}"
        granted = frozenset(scopes or Scope)
        return tokens.create(self.access, name, granted, now=now(), teams=teams)

    @property
    def bearer(self) -> dict[str, str]:
        """The header of a program that may do all."""
        if not self._token:
            self._token = self.token()
        return {"Authorization": f"Bearer {self._token}"}

    def client(self, **options: Any) -> httpx.Client:
        """Give a client of this server: a program that may do all."""
        headers = {**self.bearer, **options.pop("headers", {})}
        return httpx.Client(base_url=self.address, timeout=20, headers=headers, **options)

    def stranger(self, **options: Any) -> httpx.Client:
        """Give a client that shows nothing, and that nobody needs to close."""
        options.setdefault("limits", httpx.Limits(max_keepalive_connections=0))
        return httpx.Client(base_url=self.address, timeout=20, **options)

    def fill(self, count: int, *, prefix: str = "p", **fields: Any) -> list[str]:
        """Put tickets into the queue, past the stream; give their ids."""
        entries = [self.entry(f"{prefix}-{number}", **fields) for number in range(count)]
        for start in range(0, count, 200):
            self.queue.put(
                self.org, entries[start : start + 200], now=now(), request=uuid.uuid4().hex
            )
        return [entry.ticket_id for entry in entries]

    def entry(
        self,
        post: str,
        *,
        text: str = "Er ligt een boom op de weg",
        urgency: Urgency = Urgency.NORMAAL,
        team: str = "",
        minutes: float = 60,
        **fields: Any,
    ) -> Entry:
        """Give a post on its way into a queue."""
        at = now()
        fields.setdefault("author", Author(id="@jan", name="Jan Jansen", followers=12))
        fields.setdefault("channel", "x")
        return Entry(
            ticket_id=ticket_id(self.org, post),
            post=Post(id=post, text=text, created_at=at, **fields),
            assessment=Assessment(
                topics=(("groen-water", 0.8), ("wegen-straatmeubilair", 0.1), ("overig", 0.1)),
                urgency=urgency,
                urgency_p=(0.1, 0.2, 0.6, 0.1),
                intent="melding",
                intent_p=0.9,
                confidence=0.8,
                abstained=False,
                reasons=(Reason(token="boom", weight=1.5),),
                safety_rule=None,
                model="2026.1",
            ),
            route=Route(
                team=team or next(iter(self.profile.teams)),
                due_at=at + timedelta(minutes=minutes),
                due_minutes=int(minutes),
                rule="groen-melding",
            ),
            received_at=at,
        )

    def close(self) -> None:
        """Leave nothing behind."""
        self.program.kill()
        self.log.close()
        self.queue.close()
        self.access.close()


def embedded_token(data: Path) -> str:
    """Make an API token that may do all, for a program on the embedded store in a folder."""
    with open_access(f"sqlite:///{data / 'triage.db'}") as store:
        name = f"t{uuid.uuid4().hex}"
        return tokens.create(store, name, frozenset(Scope), now=now())


def now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


def sha256(token: str) -> str:
    """Give the digest by which a token is known."""
    return hashlib.sha256(token.encode()).hexdigest()


def json_file(path: Path, data: object) -> str:
    """Write a file of tokens or sources; give its path."""
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[Callable[..., ApiServer]]:
    """Give a maker of servers (not started); what still runs is ended."""
    made: list[ApiServer] = []

    def make(**options: Any) -> ApiServer:
        folder = tmp_path / f"server-{len(made)}"
        folder.mkdir()
        made.append(ApiServer(folder, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()
