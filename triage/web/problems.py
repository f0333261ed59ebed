"""What goes wrong, told as ``application/problem+json`` (RFC 9457) in Dutch.

An answer names fields and reasons from closed lists. It never repeats what a citizen or a client
wrote: pydantic's ``input`` and the texts of foreign exceptions stay out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from triage.errors import Conflict, NotFound, StoreLost, Unavailable

_log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
#: How long a client waits before it tries again when a store does not answer, in seconds.
RETRY_SECONDS: Final = 2

TITLES: Final[Mapping[int, str]] = {
    400: "Het verzoek is niet te lezen",
    401: "Geen geldige aanmelding",
    403: "Geen toegang",
    404: "Niet gevonden",
    405: "Dit kan hier niet",
    408: "Het verzoek kwam niet op tijd binnen",
    409: "Het ticket staat dit niet toe",
    413: "Het verzoek is te groot",
    415: "Stuur JSON",
    422: "Het verzoek klopt niet",
    429: "Te veel verzoeken",
    500: "Er ging hier iets mis",
    503: "De opslag antwoordt niet",
}

#: One thing that is wrong: ``index`` (in a list), ``field``, ``reason`` and ``offset``.
Fault = Mapping[str, Any]


class Problem(HTTPException):
    """An answer of 4xx or 5xx. FastAPI lets exceptions of this kind through as they are."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - further JSON members
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = errors
        self.more = more

    def response(self) -> Response:
        """Give the answer."""
        body = {
            "type": f"/api/docs#fout-{self.status_code}",
            "title": TITLES.get(self.status_code, TITLES[400]),
            "status": self.status_code,
            "detail": self.detail,
            "errors": list(self.errors),
            **self.more,
        }
        return Response(orjson.dumps(body), self.status_code, self.headers, MEDIA_TYPE)


def fault(
    field: str, reason: str, *, index: int | None = None, offset: int | None = None
) -> dict[str, Any]:
    """Describe one thing that is wrong."""
    return {"index": index, "field": field, "reason": reason, "offset": offset}


def wrong(field: str, reason: str) -> Problem:
    """Give a 422 about one field."""
    return Problem(422, f"{field}: {reason}", errors=[fault(field, reason)])


def unavailable() -> Problem:
    """Give the 503 of a store that does not answer."""
    return Problem(
        503, "probeer het zo nog eens", headers={"Retry-After": str(RETRY_SECONDS)}
    )


def install(app: FastAPI) -> None:
    """Let every exception that we know end in a problem."""

    @app.exception_handler(StarletteHTTPException)
    async def _http(_: Request, error: Exception) -> Response:
        if isinstance(error, Problem):
            return error.response()
        assert isinstance(error, StarletteHTTPException)
        return Problem(error.status_code, headers=error.headers).response()

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(error).response()

    @app.exception_handler(NotFound)
    async def _not_found(_: Request, error: Exception) -> Response:
        return Problem(404, str(error)).response()

    @app.exception_handler(Conflict)
    async def _conflict(_: Request, error: Exception) -> Response:
        assert isinstance(error, Conflict)
        return Problem(409, str(error), code=error.code, holder=None).response()

    @app.exception_handler(Unavailable)
    @app.exception_handler(StoreLost)
    async def _unavailable(_: Request, error: Exception) -> Response:
        _log.warning("store_unavailable", kind=type(error).__name__)
        return unavailable().response()


def _invalid(error: RequestValidationError) -> Problem:
    found = error.errors()
    for item in found:
        if item["type"] == "json_invalid":
            reason = "geen geldige JSON"
            faults = [fault("", reason, offset=item["loc"][-1])]
            return Problem(400, reason, errors=faults)
    faults = [fault(_field(item), _reason(item)) for item in found]
    return Problem(422, "; ".join(f"{f['field']}: {f['reason']}" for f in faults), errors=faults)


def _field(item: Mapping[str, Any]) -> str:
    # A field that we don't know is named by the client: its name may be anything.
    loc = item["loc"][:-1] if item["type"] == "extra_forbidden" else item["loc"]
    return ".".join(str(part) for part in loc[1:])


_REASONS: Final[Mapping[str, str]] = {
    "missing": "ontbreekt",
    "extra_forbidden": "onbekend veld",
    "string_type": "geen tekst",
    "string_unicode": "geen geldige tekst",
    "string_pattern_mismatch": "heeft niet de goede vorm",
    "int_type": "geen geheel getal",
    "int_parsing": "geen geheel getal",
    "int_from_float": "geen geheel getal",
    "int_parsing_size": "getal buiten bereik",
    "float_type": "geen getal",
    "float_parsing": "geen getal",
    "finite_number": "geen eindig getal",
    "enum": "geen bekende waarde",
    "model_attributes_type": "geen JSON-object",
    "dict_type": "geen JSON-object",
    "value_error": "klopt niet",
}


def _reason(item: Mapping[str, Any]) -> str:
    limits = item.get("ctx", {})
    match item["type"]:
        case "string_too_long":
            return f"langer dan {limits['max_length']} tekens"
        case "string_too_short":
            return "leeg" if limits["min_length"] == 1 else f"korter dan {limits['min_length']}"
        case "greater_than" | "greater_than_equal":
            return f"te klein, minstens {limits.get('ge', limits.get('gt'))}"
        case "less_than" | "less_than_equal":
            return f"te groot, hooguit {limits.get('le', limits.get('lt'))}"
        case kind:
            return _REASONS.get(kind, "klopt niet")
