"""Links, mail addresses, mentions and tags."""

from __future__ import annotations

import re
from typing import Final

from triage.language.entities.found import Found
from triage.language.entities.view import View

_LINKS: Final = re.compile(
    r"(?P<url>(?:https?://|www\.)[^\s\"'<>\x00]{1,2048})"
    r"|(?P<mail>[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})"
    r"|(?P<vermelding>(?<![\w@])@\w{1,64}(?:\.\w{1,64}){0,3}(?:@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})"
    r"?)"
    r"|(?P<hashtag>(?<![\w&])\#[^\W_]\w{0,99})",
    re.IGNORECASE,
)
#: Mail addresses as people hide them from machines; only looked for where such a word stands.
_HIDDEN_MAIL: Final = re.compile(
    r"(?<![\w.+-])[\w+-]{1,64}(?:(?:\.| ?(?:[(\[] ?)?(?:punt|dot)(?: ?[)\]])? ?)[\w+-]{1,64}){0,4}"
    r" ?(?: apenstaart(?:je)? |[(\[{] ?(?:at|apenstaart(?:je)?|@) ?[)\]}]| at (?=[\w-]{2,30} (?"
    r":dot|punt) )| ?@ ?) ?"
    r"[\w-]{1,63}(?:(?:\.| ?(?:[(\[] ?)?(?:punt|dot)(?: ?[)\]])? ?)(?:[\w-]{2,63})){1,3}(?!\w)",
    re.IGNORECASE,
)
_PROFILE: Final = re.compile(
    r"(?<![\w.])(?:(?:nl-nl\.)?(?:facebook|fb|instagram|linkedin|twitter|x|tiktok|snapchat)\.com|"
    r"t\.me|wa\.me)"
    r"/[^\s\"'<>\x00]{2,200}",
    re.IGNORECASE,
)
_TAIL: Final = ".,;:!?)]}'\""


def links(view: View, found: Found) -> None:
    """Find links, addresses, mentions and tags in a text."""
    for match in _LINKS.finditer(view.text):
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind != "hashtag":
            end = start + len(match[0].rstrip(_TAIL))
        if kind == "mail":
            found.add("e-mail", start, end, view.lower[start:end])
        else:
            found.add(kind, start, end)
    for match in _PROFILE.finditer(view.text):
        found.add("url", match.start(), match.start() + len(match[0].rstrip(_TAIL)))


def hidden_mail(view: View, found: Found) -> None:
    """Find mail addresses that are written with words for their signs."""
    for match in _HIDDEN_MAIL.finditer(view.text):
        found.add("e-mail", *match.span())
