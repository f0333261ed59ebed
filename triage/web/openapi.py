"""Completes the description of the API: credentials, errors, what FastAPI cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from triage.access import Scope
from triage.web.desk.texts import texts
from triage.web.models import ProblemOut
from triage.web.problems import MEDIA_TYPE

TAGS: Final = (
    {"name": "berichten", "description": "Berichten van burgers aanleveren."},
    {"name": "wachtrijen", "description": "Hoe de teams ervoor staan en wat er wacht."},
    {"name": "tickets", "description": "Eén ticket lezen en behandelen."},
    {"name": "dempingen", "description": "Afzenders die even niet gehoord worden."},
    {"name": "beheer", "description": "Of de dienst leeft en hoe het gaat."},
)
_SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "Een token met de rechten die erbij genoemd staan, of dat van een bron.",
    },
    "sessie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "triage-sessie",
        "description": (
            "Voor wie zich in de browser aanmeldde. Wijzigingen vragen ook om `X-CSRF-Token`."
        ),
    },
    "handtekening": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Triage-Signature",
        "description": (
            "Voor bronnen die ondertekenen: `sha256=` en de HMAC-SHA256 in hex over "
            "`X-Triage-Timestamp`, een punt en de inhoud. Samen met `X-Triage-Source` (de naam "
            "van de bron) en `X-Triage-Timestamp` (seconden sinds 1970, hooguit vijf minuten oud)."
        ),
    },
}
_METHODS: Final = frozenset({"get", "post"})


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Give the document with everything that our routes answer."""
    document["tags"] = list(TAGS)
    components = document.setdefault("components", {})
    components["securitySchemes"] = dict(_SCHEMES)
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemOut"] = problem
    for path, method, operation in _operations(document):
        _complete_operation(path, method, operation)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield path, method, operation


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in _errors_of(path, method):
        headers = {"Retry-After": _RETRY} if status in _LATER else {}
        responses[str(status)] = {
            "description": texts("nl")(f"status.{status}"),
            **({"headers": headers} if headers else {}),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        }
    if path.startswith("/api/v1/"):
        operation["security"] = [{"token": []}, {"sessie": []}]
        operation["x-scope"] = _scope_of(path, method)
    if path == "/api/v1/posts":
        operation["security"].append({"handtekening": []})


_LATER: Final = frozenset({429, 503})
_RETRY: Final = {
    "description": "Na hoeveel seconden het weer kan.",
    "schema": {"type": "integer", "minimum": 1},
}


def _errors_of(path: str, method: str) -> list[int]:
    if not path.startswith("/api/v1/"):
        return [503] if path == "/readyz" else []
    errors = [401, 403, 422, 429, 503]
    if path != "/api/v1/posts":
        errors.append(404)
    if method == "post":
        errors += [400, 408, 413, 415]
    if method == "post" and path != "/api/v1/posts":
        errors.append(409)
    return sorted(errors)


def _scope_of(path: str, method: str) -> str:
    if path == "/api/v1/posts":
        return Scope.POSTS_WRITE.value
    if path.startswith("/api/v1/mutes") and method == "get":
        return Scope.EXPORT_READ.value
    if path == "/api/v1/audit":
        return Scope.AUDIT_READ.value
    return (Scope.TICKETS_ACT if method == "post" else Scope.TICKETS_READ).value
