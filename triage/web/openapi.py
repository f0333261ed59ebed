"""The description of the API: what FastAPI can't know is added here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from triage import __version__
from triage.schema import POST
from triage.web.problems import MEDIA_TYPE, TITLES

_DESCRIPTION: Final = """\
Berichten aanleveren, wachtrijen lezen en tickets afhandelen.

Tijden zijn volgens RFC 3339. Fouten zijn `application/problem+json` (RFC 9457): `errors` noemt per \
fout het veld, de reden en waar bekend de plaats, nooit de tekst van een burger.
"""
_TAGS: Final = [
    {"name": "berichten", "description": "Berichten aanleveren"},
    {"name": "wachtrijen", "description": "Wat er per team wacht"},
    {"name": "tickets", "description": "Oppakken, afhandelen, verbeteren"},
    {"name": "gebeurtenissen", "description": "Volgen wat er gebeurt"},
    {"name": "beheer", "description": "Voor wie de dienst draaiend houdt"},
]
_FAULT: Final = {
    "type": "object",
    "required": ["index", "field", "reason", "offset"],
    "properties": {
        "index": {"type": ["integer", "null"], "description": "Plaats in de lijst, vanaf 0"},
        "field": {"type": "string", "description": "Pad van het veld; leeg: het geheel"},
        "reason": {"type": "string"},
        "offset": {"type": ["integer", "null"], "description": "Byte waar het lezen stopte"},
    },
}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": _FAULT},
        "code": {
            "type": "string",
            "enum": ["claimed", "stale-token", "not-claimed", "resolved"],
            "description": "Bij 409: waarom",
        },
        "holder": {
            "type": ["object", "null"],
            "description": "Bij 409: wie het ticket heeft, en tot wanneer",
            "properties": {
                "owner": {"type": "string"},
                "until": {"type": "string", "format": "date-time"},
            },
        },
    },
}
_RETRY: Final = {
    "Retry-After": {"description": "Seconden", "schema": {"type": "integer", "minimum": 1}}
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    faults = (
        [{"index": 0, "field": "text", "reason": "ontbreekt", "offset": None}]
        if status in {400, 422}
        else []
    )
    example: dict[str, Any] = {
        "type": f"/api/docs#fout-{status}",
        "title": TITLES[status],
        "status": status,
        "detail": "",
        "errors": faults,
    }
    if status == 409:  # noqa: PLR2004 - Conflict
        example |= {
            "code": "claimed",
            "holder": {"owner": "m.jansen", "until": "2026-11-26T12:15:00+00:00"},
        }
    answer: dict[str, Any] = {
        "description": TITLES[status],
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }
    if status in {429, 503}:
        answer["headers"] = _RETRY
    return answer


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Give what FastAPI calls for the description; it's made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title="triage",
                    version=__version__,
                    description=_DESCRIPTION,
                    routes=app.routes,
                    tags=_TAGS,
                )
            )
        return app.openapi_schema

    return openapi


def _complete(description: dict[str, Any]) -> dict[str, Any]:
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = _PROBLEM
    schemas["Post"] = {name: value for name, value in POST.items() if name != "$schema"}
    schemas["Post"].pop("$id", None)
    return description
