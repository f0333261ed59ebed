"""The published JSON Schema (2020-12) of a post: what ``Post.decode`` reads, in words for others.

A post that this schema accepts decodes, and one that it refuses does not, but for three things a
schema can't say: the size in bytes, a key that stands twice, and dates that don't exist.
"""

from __future__ import annotations

from typing import Any, Final

from triage.post import (
    ATTACHMENT_LIMIT,
    COUNT_LIMIT,
    ID_LIMIT,
    NAME_LIMIT,
    SIZE_LIMIT,
    URL_LIMIT,
    VISIBLE,
)


def _text(description: str, limit: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    schema: dict[str, Any] = {"type": ["string", "null"], "description": description, **more}
    return schema if limit is None else {**schema, "maxLength": limit}


def _count(description: str) -> dict[str, Any]:
    return {
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": COUNT_LIMIT,
        "description": description,
    }


def _identifier(description: str) -> dict[str, Any]:
    return {
        "type": ["string", "integer", "null"],
        "maxLength": ID_LIMIT,
        "description": description,
    }


#: The pattern of a time: RFC 3339, the time of day and the zone may be missing (then: UTC).
TIME: Final = (
    r"^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?$"
)

POST: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:triage:schema:post:1",
    "title": "Post",
    "description": f"One incoming message: a JSON object of at most {SIZE_LIMIT} bytes in UTF-8.",
    "type": "object",
    "properties": {
        "id": _identifier("Unique at the sender; without it a digest of the content is used."),
        "text": _text("The message. Control characters and invisible marks are taken out."),
        "created_at": {
            "anyOf": [
                {"type": "null"},
                {"type": "string", "pattern": TIME},
                {"type": "number", "minimum": 0, "maximum": 253402300799},
            ],
            "description": "RFC 3339, or seconds since 1970; default and maximum: time of receipt.",
        },
        "channel": _text("Where it came in: x, facebook, whatsapp, email ...", NAME_LIMIT),
        "org": _text("The organisation that received it; default: the deployment's.", NAME_LIMIT),
        "author": {
            "type": ["object", "null"],
            "properties": {
                "id": _identifier("The author at the channel; posts of one author stay in order."),
                "name": _text("The author's name.", NAME_LIMIT),
                "followers": _count("How many follow the author."),
            },
        },
        "in_reply_to": _identifier("The id of the post that this one answers."),
        "url": _text("Where the post stands.", URL_LIMIT),
        "reach": {
            "type": ["object", "null"],
            "properties": {
                "shares": _count("How often it was passed on."),
                "likes": _count("How often it was liked."),
            },
        },
        "attachments": {
            "type": ["array", "null"],
            "items": {"type": "string", "maxLength": URL_LIMIT},
            "maxItems": ATTACHMENT_LIMIT,
            "description": "Addresses of pictures, films and files.",
        },
        "geo": {
            "type": ["object", "null"],
            "properties": {
                "lat": {"type": "number", "minimum": -90, "maximum": 90},
                "lon": {"type": "number", "minimum": -180, "maximum": 180},
            },
            "required": ["lat", "lon"],
        },
        "deleted": {
            "type": "boolean",
            "description": "The sender withdrew the post with this id.",
        },
        "forgotten": {
            "type": "boolean",
            "description": "The author asked to be forgotten: who wrote the post goes as well.",
        },
    },
    "anyOf": [
        {
            "title": "A text that can be seen",
            "required": ["text"],
            "properties": {
                "text": {"type": "string", "pattern": VISIBLE},
                "deleted": {"const": False},
                "forgotten": {"const": False},
            },
        },
        {
            "title": "A picture without words",
            "required": ["attachments"],
            "properties": {
                "attachments": {"type": "array", "minItems": 1},
                "deleted": {"const": False},
                "forgotten": {"const": False},
            },
        },
        {
            "title": "A withdrawal",
            "required": ["id", "deleted"],
            "properties": {
                "deleted": {"const": True},
                "id": {"type": ["string", "integer"], "pattern": VISIBLE},
            },
        },
    ],
    "examples": [
        {
            "id": "x-1812",
            "text": "Er staat al twee dagen water in het tunneltje bij het station",
            "channel": "x",
            "author": {"id": "4471", "name": "Voorbeeld", "followers": 310},
            "created_at": "2026-11-02T08:14:00+01:00",
        }
    ],
}

#: Every schema that ``triage schema`` prints, by name.
SCHEMAS: Final = {"post": POST}
