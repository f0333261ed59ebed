"""The page that explains the API, made from its OpenAPI description, without any script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from triage.web.state import AService

router: Final = APIRouter(include_in_schema=False)


@router.get("/api/docs")
async def page(request: Request, service: AService) -> HTMLResponse:
    """Show the description of the API."""
    document = request.app.openapi()
    schemas = document["components"]["schemas"]
    html = service.templates.get_template("docs.html").render(
        info=document["info"],
        groups=list(_groups(document)),
        schemas={name: _fields(schema) for name, schema in sorted(schemas.items())},
        descriptions={name: schema.get("description", "") for name, schema in schemas.items()},
        schemes=document["components"]["securitySchemes"],
    )
    return HTMLResponse(html)


def _groups(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for tag in document["tags"]:
        operations = [
            _operation(path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation.get("tags", ())
        ]
        yield {**tag, "operations": operations}


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": operation["operationId"],
        "path": path,
        "method": method.upper(),
        "summary": operation.get("summary", ""),
        "description": operation.get("description", "").split("\n\n"),
        "scope": operation.get("x-scope", ""),
        "parameters": operation.get("parameters", ()),
        "body": _content(operation.get("requestBody", {})),
        "responses": [
            {"status": status, "description": answer["description"], **_content(answer)}
            for status, answer in sorted(operation["responses"].items())
        ],
    }


def _content(part: Mapping[str, Any]) -> dict[str, Any]:
    """Give the kind of content, the name of its schema and examples as text."""
    for kind, content in part.get("content", {}).items():
        examples = [example["value"] for example in content.get("examples", {}).values()]
        return {
            "kind": kind,
            "schema": _name(content.get("schema", {})),
            "examples": [json.dumps(value, ensure_ascii=False, indent=2) for value in examples],
        }
    return {"kind": "", "schema": "", "examples": []}


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "type": _type(part),
            "required": name in required,
            "description": part.get("description", ""),
            "refers": _name(part),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def _type(part: Mapping[str, Any]) -> str:
    if values := part.get("enum"):
        return " | ".join(map(str, values))
    if options := part.get("anyOf"):
        return " of ".join(dict.fromkeys(_type(option) for option in options))
    if part.get("type") == "array":
        return f"lijst van {_type(part.get('items', {}))}"
    kind = part.get("format") or part.get("type") or ""
    return _TYPES.get(kind, kind) or _name(part)


_TYPES: Final[Mapping[str, str]] = {
    "string": "tekst",
    "integer": "geheel getal",
    "number": "getal",
    "boolean": "true of false",
    "object": "object",
    "date-time": "tijd (RFC 3339)",
    "null": "null",
}


def _name(part: Mapping[str, Any]) -> str:
    """Give the name of the schema that a part refers to, itself or in its items or options."""
    if reference := part.get("$ref"):
        return str(reference).rpartition("/")[2]
    options = [*part.get("anyOf", ())]
    if "items" in part:
        options.insert(0, part["items"])
    for option in options:
        if name := _name(option):
            return name
    return ""
