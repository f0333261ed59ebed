"""Names in signatures: after a greeting, on a line of their own, beside a number."""

from __future__ import annotations

import re
from typing import Final

from triage.language.data import any_of, words
from triage.language.entities.found import Found
from triage.language.entities.names import (
    CAPITAL,
    FAMILY,
    FIRST,
    FUNCTION,
    LAST,
    LEADS,
    ORDINARY,
    ORGANISATION_WORDS,
    ORGANISATIONS,
    PARTICLE,
    PARTICLES,
    PUBLIC,
    RARE_FIRST,
    SETS,
    add,
    is_known,
    is_organisation,
    known_place,
    telling,
)
from triage.language.entities.streets import is_street
from triage.language.entities.view import View

INITIALS: Final = re.compile(
    r"(?<![\w.@/-])(?:(?:[A-Z]|Th|Ch|Ph|IJ|Chr|Fr|Sj|Tj|Joh|Jac|Wm)\.(?: ?-?)?){1,6}"
    r"(?:\([A-Z][^\W\d_]{1,20}\) )? ?"
    rf"(?P<name>(?:{PARTICLE} ){{0,4}}{CAPITAL}(?: ?[-/] ?{FAMILY})?)(?!\w)"
)
_SIGNOFF: Final = re.compile(
    rf"(?<![\w.])(?:{any_of(words('nl.signoffs.txt'))})(?:[ ]?(?:van|from|von|de|uit) (?=[A-Z]))?"
    "(?P<gap>[ ,.:!;\n\r\\-~*_<>\"'()|/\u2600-\u27bf\U0001f000-\U0001faff]{1,12})"
)
_SIGNOFF_WORDS: Final = telling(words("nl.signoffs.txt"))
_WEAK_SIGNOFFS: Final = frozenset({"best", "tank", "thanks", "x", "moi"})
_THANKS: Final = re.compile(r"dank|thank|merci|gracias|best|bvd|b\.v\.d|tank|xx?|kus|knuffel")
_NAME: Final = re.compile(rf"{FAMILY}(?:(?: |-| - ){FAMILY}){{0,3}}")
_LOWER_NAME: Final = re.compile(
    r"[^\W\d_]{2,20}(?:['-][^\W\d_]{2,20})?"
    r"(?:(?: (?:van|de|den|der|'t|ter|ten|te|el|al|v\.?d\.?)){0,3} [^\W\d_]{2,20})?"
)
_CLOSED: Final = re.compile(r"[ \n]*(?:$|[,.;:!?()/\n|&\x00-]|\d|en )")
_GOES_ON: Final = re.compile(
    r" (?!en|uit|van|namens|te|in|voorzitter|bewoner|moeder|vader|de|der)[a-z]+(?!\w|,|\.|$)"
)
_LONGEST_LINE: Final = 48
_LINES: Final = 4
_TAIL: Final = 120
_WORDS_OF_A_SENTENCE: Final = 4
_SHORTEST_CAPITALS: Final = 5


def signed(view: View, found: Found) -> None:
    """Find the name after a greeting at the end of a text, or of a line."""
    if _SIGNOFF_WORDS.isdisjoint(view.lowers):
        return
    for match in _SIGNOFF.finditer(view.lower):
        between = match["gap"]
        if not between.strip(" ") and match[0].strip() in _WEAK_SIGNOFFS:
            continue
        start = match.end()
        named = INITIALS.match(view.text, start) or _NAME.match(view.text, start)
        if named is None:
            _signed_lower(view, found, start, between, thanks=bool(_THANKS.search(match[0])))
        elif _is_signature(view, start, named.end(), between):
            add(view, found, start, named.end())


def _is_signature(view: View, start: int, end: int, between: str) -> bool:
    said = view.lower[start:end]
    first = said.split()[0].rstrip(".")
    if first in FUNCTION or _is_group(said):
        return False
    if "\n" in between:
        following = view.text[end : end + 30].split("\n")[0].strip()
        return len(following.split()) <= _WORDS_OF_A_SENTENCE or not following[0].islower()
    return not _GOES_ON.match(view.lower, end)


def _signed_lower(view: View, found: Found, start: int, between: str, *, thanks: bool) -> None:
    named = _LOWER_NAME.match(view.text, start)
    if named is None or not _CLOSED.match(view.text, named.end()):
        return
    first, *rest = named[0].lower().split()
    if first in FUNCTION or not SETS["groups"].isdisjoint([first, *rest]):
        return
    if rest:
        named_so = first in FIRST or (rest[-1] in LAST and first not in ORDINARY)
    else:
        strange = first not in ORDINARY and not is_organisation(first) and not known_place(first)
        set_apart = "," in between or "\n" in between or between == " "
        named_so = first in FIRST or (strange and set_apart and not thanks)
    if named_so:
        add(view, found, *named.span())


def _is_group(said: str) -> bool:
    parts = said.split()
    first, last = parts[0], parts[-1]
    if said in PUBLIC or said in ORGANISATIONS or first in SETS["groups"] or known_place(said):
        return True
    return is_organisation(first) or is_organisation(last)


def last_lines(view: View, found: Found) -> None:
    """Find a name that is a line of its own at the end, or closes the last sentence."""
    tail = view.text.rstrip()
    end, seen = len(tail), 0
    while end > 0 and seen < _LINES:
        start = tail.rfind("\n", 0, end) + 1
        line = tail[start:end].strip(" ,-*_~.")
        if line:
            seen += 1
            if start > 0 and len(line) <= _LONGEST_LINE:
                _line(view, found, tail.find(line, start), line)
        end = start - 1
    since = max(0, len(tail) - _TAIL)
    last = _TAIL_NAME.search(tail[since:]) if _may_close(view, since) else None
    if last and since + last.start("name") > 0:
        _closing(view, found, since + last.start("name"), last["name"])


def _may_close(view: View, since: int) -> bool:
    """Say whether a name of two words can stand from here on; a look at capitals is cheap."""
    if since and view.text[since].isupper():
        return True  # in the middle of a word
    return sum(word.capital for word in view.words if word.end > since) > 1


_TAIL_NAME: Final = re.compile(
    rf"(?:^|[.!?…\n)]|\w \n?|\d )[ \n]*(?P<name>{CAPITAL}(?: {FAMILY}){{0,3}})"
    r",? ?[^\n.]{0,30}[ .]*$"
)


def _line(view: View, found: Found, offset: int, line: str) -> None:
    named = _NAME.match(line)
    if named is None or _is_group(named[0].lower()):
        return
    rest = line[named.end() :]
    if rest and not re.match(r"[,(/|;-]| [(|/-]| ?\x00", rest):
        return
    if _is_line_of_name(named[0]):
        add(view, found, offset, offset + named.end())


def _is_line_of_name(said: str) -> bool:
    lowers = said.lower().split()
    if lowers[0] in FUNCTION and lowers[0] not in LEADS:
        return False
    if said.isupper() and len(said) < _SHORTEST_CAPITALS:
        return False
    if is_street(lowers[-1]) or not ORGANISATION_WORDS.isdisjoint(lowers):
        return False
    if len(lowers) == 1:
        return lowers[0] in FIRST or (is_known(lowers[0]) and lowers[0] not in ORDINARY)
    telling = [part for part in lowers if part not in PARTICLES]
    return any(map(is_known, telling)) or ORDINARY.isdisjoint(telling)


def _closing(view: View, found: Found, start: int, name: str) -> None:
    lowers = name.lower().split()
    if lowers[0] in FUNCTION or is_street(lowers[-1]) or not ORGANISATION_WORDS.isdisjoint(lowers):
        return
    if len(lowers) == 1:
        return
    known = lowers[0] in FIRST or lowers[-1] in LAST or lowers[0] in RARE_FIRST
    if known and (lowers[0] not in ORDINARY or lowers[-1] in LAST):
        add(view, found, start, start + len(name))


_BEFORE_CONTACT: Final = re.compile(
    rf"(?<![^\W_])(?P<name>{FAMILY}(?: {FAMILY}){{0,2}})(?:, [A-Z][a-z]+)?[ ,:(;\n|/-]{{1,4}}"
    r"(?:tel\.?(?:efoon)?:? ?|bel(?:len)? ?|mobiel:? ?|t: ?|m: ?|e: ?|op |via )?$"
)
_AFTER_CONTACT: Final = re.compile(
    r"[ ,)(;\n|/-]{1,3}(?:t\.?n\.?v\.? |van |vragen naar |vraag naar |naar |is van )?"
    rf"(?P<name>{CAPITAL}(?: {FAMILY}){{0,2}})"
)
_BEFORE_ADDRESS: Final = re.compile(
    rf"(?:^|[\n.!?] ?)(?P<name>{FAMILY}(?: {FAMILY}){{0,2}}), (?:[a-z]{{2,6}} ){{0,2}}$"
)
_NEAR: Final = 60


def beside_numbers(view: View, found: Found) -> None:
    """Find the name beside a telephone number, an address or an account: "Bekkers, 06-..."."""
    for start, end in found.of("telefoon", "e-mail", "iban", "bsn"):
        since = max(0, start - _NEAR)
        if before := _BEFORE_CONTACT.search(view.text[since:start]):
            _contact(view, found, since + before.start("name"), before["name"])
        if after := _AFTER_CONTACT.match(view.text, end):
            _contact(view, found, after.start("name"), after["name"])
    for start, end in found.of("straat"):
        since = max(0, start - _NEAR)
        before = _BEFORE_ADDRESS.search(view.text[since:start])
        if before and view.text[end - 1].isdecimal():
            _contact(view, found, since + before.start("name"), before["name"])


def _contact(view: View, found: Found, start: int, name: str) -> None:
    parts = name.split()
    while parts and _is_no_start(parts[0].lower()):
        start += len(parts[0]) + 1
        parts = parts[1:]
    lowers = [part.lower() for part in parts]
    if not parts or is_street(lowers[-1]) or not ORGANISATION_WORDS.isdisjoint(lowers):
        return
    telling = [part for part in lowers if part not in PARTICLES]
    known = any(part in FIRST or part in RARE_FIRST or part in LAST for part in lowers)
    if not known and (len(parts) == 1 or not ORDINARY.isdisjoint(telling)):
        return
    if len(parts) > 1 or not known_place(lowers[0]):
        add(view, found, start, start + len(" ".join(parts)))


def _is_no_start(lower: str) -> bool:
    if lower in LEADS:
        return False
    return lower in FUNCTION or (lower in ORDINARY and lower not in FIRST)


_AND: Final = re.compile(
    rf" ?(?:en|&|\+|und|and|y|ve|,) ?(?P<name>{CAPITAL}(?: {FAMILY})?)"
    r"(?=[ ]?(?:$|[.,;:!?)\n(\x00&]| en |\d))"
)


def paired(view: View, found: Found) -> None:
    """Find the name that is joined to another: "Hugo en Annemiek"."""
    for _, end in found.of("persoon"):
        match = _AND.match(view.text, end)
        if match is None or is_street(match["name"]) or is_organisation(match["name"].lower()):
            continue
        first = match["name"].split(maxsplit=1)[0].lower()
        joined = match[0].strip()[0] != ","
        strange = first not in ORDINARY and first not in FUNCTION and not known_place(first)
        if first in FIRST or (joined and strange):
            add(view, found, *match.span("name"))
