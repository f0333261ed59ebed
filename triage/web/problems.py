"""What goes wrong, told as ``application/problem+json`` (RFC 9457) in Dutch.

No answer repeats what the sender sent: a field is named only when it is one of ours, and reasons
come from closed lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from triage.errors import InvalidPost, NotFound, StoreLost, Unavailable
from triage.post import FIELDS

#: Where people sign in.
SIGN_IN: Final = "/aanmelden"
MEDIA_TYPE: Final = "application/problem+json"
#: How long a caller should wait for a store that does not answer, in seconds.
RETRY_SECONDS: Final = 5

#: Title per status.
TITLES: Final[Mapping[int, str]] = {
    400: "Ongeldig verzoek",
    401: "Niet aangemeld",
    403: "Niet toegestaan",
    404: "Niet gevonden",
    405: "Methode niet toegestaan",
    408: "Te traag",
    409: "Past niet bij de stand van het ticket",
    413: "Te groot",
    415: "Verkeerd soort inhoud",
    422: "Onjuiste gegevens",
    429: "Te veel verzoeken",
    500: "Fout in de dienst",
    503: "Nu niet beschikbaar",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with what was sent."""

    #: Which post of a list, from 0; None where there is no list.
    index: int | None = None
    #: A path into the JSON, or the name of a parameter; empty for the whole.
    field: str = ""
    reason: str
    #: The byte of the body at which reading stopped, where that is known.
    offset: int | None = None


class Problem(Exception):
    """An answer that says what is wrong; raise it anywhere below the door."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - JSON values
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> Response:
        """Give the answer."""
        phrase = HTTPStatus(self.status).phrase.lower().replace(" ", "-")
        body = {
            "type": f"urn:triage:problem:{phrase}",
            "title": TITLES.get(self.status, HTTPStatus(self.status).phrase),
            "status": self.status,
            "detail": self.detail,
            "errors": self.errors,
            **self.more,
        }
        return Response(
            orjson.dumps(body), self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


def wrong(field: str, reason: str) -> Problem:
    """Say that a field holds what it may not."""
    return Problem(
        422, "een of meer gegevens kloppen niet", errors=[Fault(field=field, reason=reason)]
    )


def fault_of(error: InvalidPost, *, index: int | None = None, start: int = 0) -> Fault:
    """Tell what is wrong with a post; ``start`` is where it begins in the body, in bytes."""
    root = error.field.partition(".")[0]
    return Fault(
        index=index,
        field=error.field if root in _POST_FIELDS else "",
        reason=error.reason,
        offset=None if error.offset is None else start + error.offset,
    )


#: The names that may be repeated: our own, never one that a sender made up.
_POST_FIELDS: Final = FIELDS | {"name", "followers", "shares", "likes", "lat", "lon"}


def unavailable(what: str) -> Problem:
    """Say that a store does not answer."""
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Problem(503, f"{what} antwoordt niet; probeer het zo weer", headers=headers)


def _answer(request: Request, problem: Problem) -> Response:
    """Answer a program with JSON, and somebody at a browser with a page or the way to sign in."""
    asked = request.url.path
    if asked.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return problem.response()
    if problem.status == HTTPStatus.UNAUTHORIZED:
        query = f"?{request.url.query}" if request.url.query else ""
        whole = asked + query if request.method == "GET" else "/"
        where = SIGN_IN if whole == "/" else f"{SIGN_IN}?{urlencode({'next': whole})}"
        if "hx-request" in request.headers:  # htmx would put the page into a part of this one
            return Response(status_code=401, headers={"HX-Redirect": where})
        return RedirectResponse(where, status_code=303)
    html = request.app.state.service.templates.get_template("problem.html").render(
        title=TITLES.get(problem.status, HTTPStatus(problem.status).phrase),
        detail=problem.detail,
        me=None,
        csrf="",
    )
    return HTMLResponse(html, status_code=problem.status, headers=problem.headers)


def install(app: FastAPI) -> None:
    """Answer every error of ours, of the framework and of its validation in one form."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(StoreLost, _unavailable)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = _DETAILS.get(error.status_code, "dit verzoek kan zo niet worden uitgevoerd")
    return _answer(request, Problem(error.status_code, detail, headers=error.headers))


_DETAILS: Final[Mapping[int, str]] = {
    400: "de inhoud is niet te lezen",
    404: "dit adres bestaat niet",
    405: "dit adres kent deze methode niet",
}


async def _not_found(request: Request, error: Exception) -> Response:
    return _answer(request, Problem(404, str(error)))


async def _unavailable(request: Request, _: Exception) -> Response:
    return _answer(request, unavailable("de opslag"))


# -- validation ----------------------------------------------------------------------------------


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if problems and problems[0]["type"] == "json_invalid":
        position = int(problems[0]["loc"][-1])
        offset = len(str(error.body)[:position].encode(errors="replace"))
        fault = Fault(reason="geen geldige JSON", offset=offset)
        return Problem(400, "de inhoud is geen geldige JSON", errors=[fault]).response()
    faults = [_fault(problem) for problem in problems]
    return Problem(422, "een of meer gegevens kloppen niet", errors=faults).response()


def _fault(problem: Mapping[str, Any]) -> Fault:
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    if kind == "extra_forbidden":  # its name is the sender's own
        return Fault(reason="onbekend veld")
    field = ".".join(str(part) for part in problem["loc"][1:])
    if kind.startswith(OWN):
        return Fault(field=field, reason=str(problem["msg"]))
    return Fault(field=field, reason=_reason(kind, context))


#: How the types of our own validators begin; their messages are ours.
OWN: Final = "triage_"


def _reason(kind: str, context: Mapping[str, Any]) -> str:
    template = _REASONS.get(kind, "geen geldige waarde")
    return template.format_map(context)


def _each(kinds: Iterable[str], reason: str) -> dict[str, str]:
    return dict.fromkeys(kinds, reason)


_REASONS: Final[Mapping[str, str]] = {
    "missing": "ontbreekt",
    "string_type": "geen tekst",
    "string_too_short": "leeg",
    "string_too_long": "langer dan {max_length} tekens",
    "string_pattern_mismatch": "bevat tekens die hier niet mogen",
    "string_unicode": "geen geldige tekst",
    "greater_than": "niet groter dan {gt}",
    "greater_than_equal": "kleiner dan {ge}",
    "less_than": "niet kleiner dan {lt}",
    "less_than_equal": "groter dan {le}",
    "enum": "geen van {expected}",
    "finite_number": "geen getal",
    **_each(["int_type", "int_parsing", "int_from_float", "int_parsing_size"], "geen geheel getal"),
    **_each(["float_type", "float_parsing"], "geen getal"),
    **_each(["dict_type", "model_type", "model_attributes_type"], "geen JSON-object"),
}
