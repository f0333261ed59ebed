"""The parts of the server that can be tested without one: cutting lists, limits, slow listeners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.access import Scope
from triage.cli.web import web_config
from triage.errors import Refused
from triage.post import Post
from triage.queue import Event, Queue
from triage.queue.open import open_queue
from triage.settings import Settings
from triage.web import events
from triage.web.body import decode
from triage.web.config import WebConfig
from triage.web.events import BACKLOG, CHUNK, PAGE, Feed, Hub
from triage.web.limits import Buckets
from triage.web.threads import Pool

NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_POSTS: Final = st.lists(
    st.fixed_dictionaries({"id": st.integers(1, 99), "text": st.text(max_size=30).map("x".__add__)})
    | st.fixed_dictionaries({"id": st.just(1), "text": st.just('[{\\"a\\"}],'), "more": _JSON}),
    min_size=1,
    max_size=5,
)


@given(posts=_POSTS, indent=st.sampled_from([None, 1]), plain=st.booleans())
def test_a_list_is_cut_where_json_cuts_it(
    posts: list[dict[str, Any]],
    indent: int | None,
    plain: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """Whatever stands in the posts, a list gives the same posts as reading them one by one."""
    body = json.dumps(posts, indent=indent, ensure_ascii=plain).encode("utf-8", "replace")
    read = decode(body, received_at=NOW, limit=10)
    one_by_one = [Post.from_mapping(post, received_at=NOW).id for post in json.loads(body)]
    assert not read.faults
    assert read.ids == one_by_one
    assert len(read.records) == len(posts)


@given(
    body=st.binary(max_size=60).map(b"[".__add__)
    | st.text(alphabet='[]{},"\\ 1a', max_size=40).map(str.encode)
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body raises anything: it gives posts, or faults with reasons."""
    read = decode(body, received_at=NOW, limit=3)
    assert bool(read.faults) is not bool(read.records)


@given(
    costs=st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 30)), min_size=1, max_size=40),
    rate=st.integers(1, 6000),
)
def test_a_bucket_gives_no_more_than_its_rate(costs: list[tuple[int, float]], rate: int) -> None:
    """All that passes in a time fits the rate, the burst and one debt."""
    buckets, now, taken, largest = Buckets(), 0.0, 0, 0
    for cost, pause in costs:
        now += pause
        if not buckets.take("a", rate, cost=cost, now=now):
            taken += cost
            largest = max(largest, cost)
    assert taken <= rate / 60 * (now + 30) + largest + 1


def test_buckets_are_bounded() -> None:
    """Any number of callers costs no more memory than the limit."""
    buckets = Buckets(limit=10)
    for number in range(100):
        buckets.take(f"caller-{number}", 60, now=0.0)
    assert len(buckets._levels) == 10


def test_who_falls_behind_is_told_so_instead_of_a_backlog() -> None:
    """A listener gets every event in order, CHUNK at a time; past the backlog, word of the gap."""

    async def fall_behind() -> None:
        feed = Feed()
        feed.add([_event(number) for number in range(CHUNK + 1)])
        assert [name for name, _ in feed.since(0) or ()] == [str(n) for n in range(CHUNK)]
        assert [name for name, _ in feed.since(CHUNK) or ()] == [str(CHUNK)]
        assert feed.since(feed.count) == []
        for start in range(0, 3 * BACKLOG, PAGE):
            feed.add([_event(number) for number in range(start, start + PAGE)])
        assert feed.since(0) is None
        assert feed.since(feed.count - BACKLOG) is not None
        assert len(feed._kept) <= BACKLOG + PAGE
        assert feed.place(str(3 * BACKLOG - 2)) == feed.count - 1
        assert feed.place("0") is None

    asyncio.run(fall_behind())


def test_a_burst_reaches_a_listener_whole(tmp_path: Path) -> None:
    """A batch of a worker, all at once, is no reason to make everybody read the queues anew."""

    async def listen() -> bytes:
        with open_queue(f"sqlite:///{tmp_path / 'triage.db'}") as queue:
            hub = Hub(queue, ["leiden"], Pool(2))
            hub._feeds["leiden"].current.set()
            stream = hub.stream("leiden", "")
            heard = await anext(stream)
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            hub._feeds["leiden"].add([_event(number) for number in range(PAGE)])
            heard += await waiting
            while heard.count(b"event: ticket") < PAGE:
                heard += await anext(stream)
            hub.stop()
            assert [frame async for frame in stream] == []
            assert hub.clients == 0
            return heard

    heard = asyncio.run(listen())
    assert b"resync" not in heard
    assert heard.count(b"event: ticket") == PAGE


class _Failing:
    """A store that fails once, in a way that no store should, and then holds one event."""

    def __init__(self) -> None:
        self.asked = 0

    def events(self, _org: str, after: str, *, limit: int) -> list[Event]:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError
        return [] if after else [_event(1)]


def test_the_tail_outlives_any_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store or a listener raises, clients get what comes after it."""
    monkeypatch.setattr(events, "RETRY_SECONDS", 0.01)
    heard: list[str] = []

    def fail(_org: str, _events: Sequence[Event]) -> None:
        raise KeyError

    def hear(_org: str, found: Sequence[Event]) -> None:
        heard.extend(event.data["id"] for event in found)

    async def listen() -> bytes:
        hub = Hub(cast("Queue", _Failing()), ["leiden"], Pool(2), listeners=(fail, hear))
        tail = asyncio.create_task(hub.tail("leiden"))
        stream = hub.stream("leiden", "0")
        async with asyncio.timeout(30):
            await anext(stream)
            await hub._feeds["leiden"].current.wait()
        hub.stop()
        tail.cancel()
        await asyncio.gather(tail, return_exceptions=True)
        kept = hub._feeds["leiden"].since(0)
        await stream.aclose()
        return b"".join(encoded for _, encoded in kept or ())

    assert b"event: ticket" in asyncio.run(listen())
    assert heard == ["1"]


def test_who_comes_before_the_server_is_current_reads_anew(tmp_path: Path) -> None:
    """What the server reads while it starts may be younger than the page of who came that early."""

    async def listen() -> bytes:
        with open_queue(f"sqlite:///{tmp_path / 'triage.db'}") as queue:
            hub = Hub(queue, ["leiden"], Pool(2))
            stream = hub.stream("leiden", "")
            await anext(stream)
            hub._feeds["leiden"].add([_event(1)])
            hub._feeds["leiden"].current.set()
            heard = await anext(stream)
            hub.stop()
            assert [frame async for frame in stream] == []
            return heard

    assert b"event: resync" in asyncio.run(listen())


def _event(number: int) -> Any:
    return Event(cursor=f"{number}.0", data={"id": str(number), "type": "created"})


def _settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(data=tmp_path, **more)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "triage.example.nl"])
def test_no_network_without_sign_in(tmp_path: Path, host: str) -> None:
    """An address that others reach is refused until it's said who may come in, and how."""
    with pytest.raises(Refused, match=r"TRIAGE_OIDC_ISSUER.*TRIAGE_API_TOKENS_FILE.*127\.0\.0\.1"):
        web_config(_settings(tmp_path, host=host), None)
    provider = {"oidc_issuer": "https://sso.example", "oidc_client_id": "triage"}
    with pytest.raises(Refused, match="TRIAGE_PUBLIC_URL"):
        web_config(_settings(tmp_path, host=host, **provider), None)
    url = "http://triage.example.nl"
    with pytest.raises(Refused, match="https"):
        web_config(_settings(tmp_path, host=host, public_url=url, **provider), None)
    url = "https://triage.example.nl"
    config = web_config(_settings(tmp_path, host=host, public_url=url, **provider), None)
    assert config.secure
    assert not config.local_account, "a link of this machine is for this machine"


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "http://sso.example", "oidc_client_id": "a"},
        {"oidc_issuer": "https://sso.example"},
        {"oidc_issuer": "sso", "oidc_client_id": "a"},
        {"oidc_issuer": "https://sso.example/?a=b", "oidc_client_id": "a"},
    ],
)
def test_a_provider_without_tls_or_client_is_refused(tmp_path: Path, wrong: Any) -> None:
    """What the provider says travels over TLS, and we must be known there."""
    with pytest.raises(Refused, match="TRIAGE_OIDC"):
        web_config(_settings(tmp_path, public_url="https://t.example", **wrong), None)


def test_tokens_and_sources_are_read(tmp_path: Path) -> None:
    """Files become tokens and sources; nothing secret shows in their repr."""
    secret = "een-geheim-van-genoeg-tekens"
    tokens, sources = tmp_path / "t.json", tmp_path / "s.json"
    tokens.write_text(
        json.dumps(
            {"tokens": [{"name": "a", "sha256": "ab" * 32, "scopes": ["read", "tickets:act"]}]}
        )
    )
    sources.write_text(json.dumps({"sources": [{"name": "b", "hmac_secret": secret}]}))
    config: WebConfig = web_config(
        _settings(tmp_path, host="0.0.0.0", api_tokens_file=tokens, sources_file=sources), "/x"
    )
    assert config.tokens[0].scopes == {Scope.TICKETS_READ, Scope.TICKETS_ACT}
    assert config.sources["b"].hmac_secret == secret.encode()
    assert config.metrics_dir == Path("/x")
    assert timedelta(seconds=config.retention_seconds) == timedelta(days=7)
    assert secret not in repr(config)
    assert "abab" not in repr(config)
