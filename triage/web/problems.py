"""What goes wrong, told as ``application/problem+json`` (RFC 9457), or to people as a page.

The words stand in the catalogue: Dutch for programs, and for people in the language that they
chose. No answer repeats what the sender sent: a field is named only when it is one of ours, and
reasons come from closed lists.
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
from triage.web.desk.texts import Texts, other_language, spoken

#: Where people sign in.
SIGN_IN: Final = "/aanmelden"
MEDIA_TYPE: Final = "application/problem+json"
#: How long a caller should wait for a store that does not answer, in seconds.
RETRY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with what was sent."""

    #: Which post of a list, from 0; None where there is no list.
    index: int | None = None
    #: A path into the JSON, or the name of a parameter; empty for the whole.
    field: str = ""
    #: From a closed list, in Dutch: programs read it, no page shows it.
    reason: str
    #: The byte of the body at which reading stopped, where that is known.
    offset: int | None = None


class Problem(Exception):
    """An answer that says what is wrong; raise it anywhere below the door.

    ``key`` names its text in the catalogue (``problem``), ``values`` fill that in, ``more`` are
    members of the JSON for programs.
    """

    def __init__(
        self,
        status: int,
        key: str,
        *,
        values: Mapping[str, object] | None = None,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - JSON values
    ) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = dict(values or {})
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.more = more

    def title(self, t: Texts) -> str:
        """Tell what kind of thing is wrong."""
        known = t.group("status")
        return known.get(str(self.status)) or HTTPStatus(self.status).phrase

    def detail(self, t: Texts) -> str:
        """Tell what is wrong."""
        return t(f"problem.{self.key}", **self.values)

    def response(self, t: Texts) -> Response:
        """Give the answer for programs."""
        phrase = HTTPStatus(self.status).phrase.lower().replace(" ", "-")
        body = {
            "type": f"urn:triage:problem:{phrase}",
            "title": self.title(t),
            "status": self.status,
            "detail": self.detail(t),
            "errors": self.errors,
            **self.more,
        }
        headers = {"Content-Language": t.language, **self.headers}
        return Response(orjson.dumps(body), self.status, headers=headers, media_type=MEDIA_TYPE)


def wrong(field: str, reason: str) -> Problem:
    """Say that a field holds what it may not."""
    return Problem(422, "fields", errors=[Fault(field=field, reason=reason)])


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
    """Say that a store (``store``) or the stream (``stream``) does not answer."""
    return Problem(503, what, headers={"Retry-After": str(RETRY_SECONDS)})


def answer(request: Request, problem: Problem) -> Response:
    """Answer a program with JSON, and somebody at a browser with a page or the way to sign in."""
    asked, t = request.url.path, spoken(request)
    if asked.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return problem.response(t)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        query = f"?{request.url.query}" if request.url.query else ""
        whole = asked + query if request.method == "GET" else "/"
        where = SIGN_IN if whole == "/" else f"{SIGN_IN}?{urlencode({'next': whole})}"
        if "hx-request" in request.headers:  # htmx would put the page into a part of this one
            return Response(status_code=401, headers={"HX-Redirect": where})
        return RedirectResponse(where, status_code=303)
    html = request.app.state.service.templates.get_template("problem.html").render(
        t=t,
        title=problem.title(t),
        detail=problem.detail(t),
        other_language=other_language(request),
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
    return answer(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    key = _KEYS.get(error.status_code, "not-so")
    return answer(request, Problem(error.status_code, key, headers=error.headers))


_KEYS: Final[Mapping[int, str]] = {400: "unreadable", 404: "no-address", 405: "no-method"}


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotFound)
    return answer(request, Problem(404, error.code))


async def _unavailable(request: Request, _: Exception) -> Response:
    return answer(request, unavailable("store"))


# -- validation ----------------------------------------------------------------------------------


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if problems and problems[0]["type"] == "json_invalid":
        position = int(problems[0]["loc"][-1])
        offset = len(str(error.body)[:position].encode(errors="replace"))
        fault = Fault(reason="geen geldige JSON", offset=offset)
        return answer(request, Problem(400, "no-json", errors=[fault]))
    faults = [_fault(problem) for problem in problems]
    return answer(request, Problem(422, "fields", errors=faults))


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
