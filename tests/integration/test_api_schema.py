"""The description of the API is complete, and no request that it allows, or not, ends in a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.plugins.api_server import ApiServer

_METHODS: Final = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Give a running server with tickets, for all tests here."""
    server = ApiServer(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        server.fill(20)
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def description(server: ApiServer) -> dict[str, Any]:
    """Give the OpenAPI."""
    found: dict[str, Any] = httpx.get(f"{server.address}/api/openapi.json").json()
    return found


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield method, path, operation


def test_every_operation_is_described(description: dict[str, Any]) -> None:
    """Each has a summary, a tag and its errors, and each JSON body of a request an example."""
    found = list(operations(description))
    paths = {path for _, path, _ in found}
    actions = ("claim", "renew", "release", "resolve", "correct", "reassign", "escalate")
    assert paths >= {
        *("/api/v1/posts", "/api/v1/queues", "/api/v1/events", "/metrics", "/healthz", "/readyz"),
        *("/api/v1/queues/{team}/tickets", "/api/v1/queues/{team}/claim"),
        *(f"/api/v1/tickets/{{ticket}}/{action}" for action in actions),
    }
    for method, path, operation in found:
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert operation.get("tags"), where
        if path.startswith("/api/v1/"):
            assert operation["responses"].keys() >= {"401", "403", "429", "503"}, where
            assert "HTTPValidationError" not in json.dumps(operation), where
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            assert _has_example(body, description), where


def _has_example(body: dict[str, Any], description: dict[str, Any]) -> bool:
    if "example" in body or "examples" in body:
        return True
    name = body["schema"].get("$ref", "").rpartition("/")[2]
    schema = description["components"]["schemas"].get(name, body["schema"])
    return "examples" in schema or all(
        "examples" in json.dumps(field) or "default" in field
        for field in schema["properties"].values()
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", [
    "/api/v1/posts",
    "/api/v1/audit",
    "/api/v1/queues",
    "/api/v1/queues/{team}/tickets",
    "/api/v1/queues/{team}/claim",
    "/api/v1/tickets/{ticket}",
    "/api/v1/tickets/{ticket}/claim",
    "/api/v1/tickets/{ticket}/renew",
    "/api/v1/tickets/{ticket}/release",
    "/api/v1/tickets/{ticket}/resolve",
    "/api/v1/tickets/{ticket}/correct",
    "/api/v1/tickets/{ticket}/reassign",
    "/api/v1/tickets/{ticket}/escalate",
    "/api/v1/tickets/{ticket}/mute",
    "/api/v1/mutes",
    "/api/v1/mutes/{mute}/tickets",
    "/api/v1/mutes/{mute}/end",
])  # fmt: skip
def test_no_request_ends_in_a_server_error(
    server: ApiServer, description: dict[str, Any], path: str
) -> None:
    """Requests drawn from the description, valid and broken, get an answer below 500."""
    schema = schemathesis.openapi.from_dict(description)
    for method in description["paths"][path]:
        operation = schema[path][method.upper()]
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases = operation.as_strategy(generation_mode=mode)

            @given(case=cases)
            @settings(
                max_examples=15,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def send(case: Any) -> None:
                answer = case.call(base_url=server.address, timeout=20)
                assert answer.status_code < 500, (answer.status_code, path)
                if answer.status_code >= 400:
                    kind = answer.headers["content-type"][0]
                    assert kind == "application/problem+json"

            send()


def test_it_is_the_same_in_every_process(description: dict[str, Any]) -> None:
    """The description names no address of this machine: it can be published."""
    text = json.dumps(description)
    assert "127.0.0.1" not in text
    assert "/tmp" not in text
