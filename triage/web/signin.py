"""The pages on which people sign in and out."""

from __future__ import annotations

import hmac
import re
import time
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from triage.access import Drawer, Identity, digest, new_secret
from triage.web import sessions
from triage.web.audit import audit
from triage.web.auth import slow_down
from triage.web.background import clock
from triage.web.desk.texts import LANGUAGE_COOKIE, LANGUAGES, other_language, spoken
from triage.web.identity import SignedIn, page_context
from triage.web.oidc import OpenId, SignInRefused
from triage.web.problems import SIGN_IN
from triage.web.state import AService, Service, service_of

_log = structlog.get_logger()

router: Final = APIRouter(
    prefix=SIGN_IN, include_in_schema=False, default_response_class=HTMLResponse
)
#: Where the provider sends browsers back to.
BACK: Final = f"{SIGN_IN}/terug"
#: How long somebody may take at the provider, in seconds.
ATTEMPT_SECONDS: Final = 600
#: Sign-ins begun a minute from one address, and sign-ins that failed: an office has one address,
#: so this is for all of its people.
BEGUN_PER_MINUTE: Final = 300
FAILED_PER_MINUTE: Final = 30

_YEAR: Final = 31_536_000
#: What came of a sign-in, by its key in the catalogue (``signin``), with the status of its page.
_STATUS: Final = {
    "ongeldig": 400,
    "geweigerd": 403,
    "geen-rol": 403,
    "onbereikbaar": 503,
    "link": 403,
    "uit": 200,
}


@router.get("")
async def page(
    request: Request,
    naar: Annotated[str, Query(max_length=4000, alias="next")] = "/",
    uit: Annotated[str, Query(max_length=1)] = "",
) -> Response:
    """Show how to sign in."""
    return _page(request, "uit" if uit else "", naar=own_path(naar))


@router.get("/start")
async def start(
    request: Request,
    service: AService,
    naar: Annotated[str, Query(max_length=4000, alias="next")] = "/",
) -> Response:
    """Send the browser to the provider."""
    _slow_down(request, service)
    openid = _provider(request)
    if openid is None:
        return _page(request, "", naar=own_path(naar))
    try:
        url, attempt = await openid.begin()
    except SignInRefused as error:
        return await _refuse(request, error.reason)
    # The browser that begins must be the one that comes back.
    browser = new_secret()
    value = {**attempt, "next": own_path(naar), "browser": digest(browser)}
    until = clock() + timedelta(seconds=ATTEMPT_SECONDS)
    key = digest(attempt["state"])
    await service.pools.desk(service.access.put, Drawer.ATTEMPT, key, value, until=until)
    response = RedirectResponse(url, status_code=303)
    config = service.config
    name = sessions.cookie_name(config, "aanmelden")
    sessions.set_cookie(config, response, name, browser, seconds=ATTEMPT_SECONDS)
    return response


@router.get("/terug")
async def back(
    request: Request,
    service: AService,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=400)] = "",
    iss: Annotated[str, Query(max_length=400)] = "",
    error: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Take a browser back from the provider: each attempt once, and only the browser that began."""
    _slow_down(request, service)
    openid = _provider(request)
    name = sessions.cookie_name(service.config, "aanmelden")
    browser = request.cookies.get(name, "")
    attempt = await service.pools.desk(
        service.access.take, Drawer.ATTEMPT, digest(state), now=clock()
    )
    if openid is None or attempt is None or not _same(attempt["browser"], browser):
        return await _refuse(request, "ongeldig")
    if error or not code:
        return await _refuse(request, "geweigerd")
    try:
        identity = await openid.finish(code, attempt, iss)
    except SignInRefused as refusal:
        return await _refuse(request, refusal.reason)
    response = await _enter(request, identity, attempt["next"])
    sessions.drop_cookie(service.config, response, name)
    return response


@router.get("/link")
async def link_page(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show the button of a one-time link: a preview that only looks must not use it up."""
    return _page(request, "", code=code)


@router.post("/link")
async def link(request: Request, service: AService) -> Response:
    """Sign in with a one-time link."""
    _slow_down(request, service)
    if not service.config.local_account:
        return await _refuse(request, "link")
    code = (await sessions.form_of(request)).get("code", "")
    value = await service.pools.desk(service.access.take, Drawer.LINK, digest(code), now=clock())
    if value is None:
        return await _refuse(request, "link")
    return await _enter(request, Identity.from_mapping(value), "/")


@router.get("/taal")
async def language(
    service: AService,
    taal: Annotated[str, Query(max_length=2)],
    naar: Annotated[str, Query(max_length=4000, alias="next")] = "/",
) -> Response:
    """Choose a language before signing in; the browser keeps it."""
    response = RedirectResponse(naar if _OWN.fullmatch(naar) else "/", status_code=303)
    response.set_cookie(
        LANGUAGE_COOKIE,
        taal if taal in LANGUAGES else LANGUAGES[0],
        max_age=_YEAR,
        path="/",
        secure=service.config.secure,
        samesite="lax",
    )
    return response


@router.post("/uit")
async def sign_out(request: Request, me: SignedIn) -> Response:
    """End the session."""
    response = RedirectResponse(f"{SIGN_IN}?uit=1", status_code=303)
    await audit(request, "session.end", who=me)
    await sessions.end(request, response)
    return response


# -- helpers -------------------------------------------------------------------------------------


async def _enter(request: Request, identity: Identity, target: str) -> Response:
    await audit(request, "session.start", *sorted(identity.roles), who=identity)
    response = RedirectResponse(own_path(target), status_code=303)
    await sessions.start(request, response, identity)
    return response


async def _refuse(request: Request, reason: str) -> Response:
    if reason != "onbereikbaar":
        bucket, now = _bucket(request, "mislukt"), time.monotonic()
        service_of(request).buckets.take(bucket, FAILED_PER_MINUTE, now=now)
    _log.warning("sign_in_refused", reason=reason)
    await audit(request, "session.refused", reason)
    return _page(request, reason)


def _page(request: Request, reason: str, *, naar: str = "/", code: str = "") -> Response:
    service, openid = service_of(request), _provider(request)
    t = spoken(request)
    here = f"{request.url.path}?{request.url.query}" if request.method == "GET" else SIGN_IN
    values: dict[str, Any] = {
        "t": t,
        "title": t("signin.title_out" if reason == "uit" else "signin.title"),
        "other_language": other_language(request, here),
        "told": t(f"signin.{reason}") if reason else "",
        "advice": t(f"signin.{reason}-advice") if reason else "",
        "failed": bool(reason) and reason != "uit",
        "start": f"{SIGN_IN}/start?{urlencode({'next': naar})}",
        "provider": openid is not None,
        "elsewhere": openid.sign_out_url if openid and reason == "uit" else "",
        "local": service.config.local_account,
        "code": code,
    }
    html = service.templates.get_template("aanmelden.html").render(
        **values, **page_context(request)
    )
    return HTMLResponse(html, status_code=_STATUS.get(reason, 200))


def _provider(request: Request) -> OpenId | None:
    found: OpenId | None = request.app.state.openid
    return found


def _same(expected: str, browser: str) -> bool:
    return hmac.compare_digest(expected.encode(), digest(browser).encode())


def _slow_down(request: Request, service: Service) -> None:
    """Refuse who failed too often before a guess is looked at. Raises Problem 429."""
    buckets, now = service.buckets, time.monotonic()
    wait = buckets.wait(_bucket(request, "mislukt"), FAILED_PER_MINUTE, now=now)
    wait = wait or buckets.take(_bucket(request, "begonnen"), BEGUN_PER_MINUTE, now=now)
    if wait:
        raise slow_down(wait)


def _bucket(request: Request, what: str) -> str:
    return f"aanmelden-{what}:{request.client.host if request.client else ''}"


_OWN: Final = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f]*")


def own_path(target: str) -> str:
    r"""Give a path of our own to go on to; the front page for anything else.

    >>> own_path("/teams/kcc?offset=50"), own_path("//evil.example"), own_path("https://evil")
    ('/teams/kcc?offset=50', '/', '/')
    >>> own_path("/\\evil.example"), own_path("/\t/evil.example"), own_path("/aanmelden/uit")
    ('/', '/', '/')
    """
    return target if _OWN.fullmatch(target) and not target.startswith(SIGN_IN) else "/"
