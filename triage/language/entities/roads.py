"""Where on the way: roads with their post, lines, stations, stops and platforms."""

from __future__ import annotations

import re
from typing import Final

from triage.language.entities.found import Found
from triage.language.entities.sought import AtDigits, Cued
from triage.language.entities.view import View

_POST: Final = (
    r"(?:(?:hmp|hm|hectometer(?:paal(?:tje)?|bordje)?|km|kilometer(?:paal)?|paal(?:tje)?)\.?:? ?"
    r"(?P<{0}>\d{{1,3}}(?:[.,]\d)?)(?: ?(?:re|li|rechts|links)\b)?)"
)
_ROAD: Final = AtDigits(
    r"(?<![\w./-])(?P<letter>[anes])[ -]?(?P<number>\d{1,3})(?![\w€%]|[.,:/-]\d|'?-?tje)"
    rf"(?:(?: (?:li|re|links|rechts))?[ ,(]{{1,3}}{_POST.format('post')})?",
    before=2,
    flags=re.IGNORECASE,
)
_POST_ALONE: Final = Cued(
    r"(?<!\w)(?:hmp|hm|hectometer(?:paal(?:tje)?|bordje)?|kilometerpaal)\.?:? ?(?P<post>\d{1,3}(?"
    r":[.,]\d)?)"
    r"(?: ?(?:re|li|rechts|links)\b)?(?!\w)",
    *("hm", "hectometer", "kilometerpaal"),
)
_PAPER: Final = re.compile(r"'?-?tje|je\b|[ -]?(?:papier|formaat|vel|blad|print|kantjes?|posters?)")
_CUE: Final = re.compile(
    r"(?:\b(?:op|langs|bij|van|naar|over|vanaf|via|boven|onder|tussen|de|snelweg|rijksweg|weg|"
    r"provinciale|file|files|"
    r"vluchtstrook|rijbaan|baan|linkerbaan|rechterbaan|linkerrijstrook|rijstrook|afrit|oprit|"
    r"toerit|knooppunt|knp|viaduct|berm|"
    r"ongeval|ongeluk|omleiding|spookrijder|pech|parallelweg|viaduct|brug|tunnel|fietspad|afslag|"
    r"spitsstrook|"
    r"afsluiting|matrixborden|op|rij|zit|sta|stilstand|aanrijding) (?:de )?)$"
)
_RUNS_ON: Final = re.compile(
    r" (?:richting|ri|thv|t\.h\.v|ter hoogte|bij|tussen|dicht|noord|zuid|oost|west|links|rechts|"
    r"li|re|na|voor|"
    r"knooppunt|afrit|linkerbaan|rechterbaan|afgesloten|al|weer|van|=|vol|file|hectometer|hmp|"
    r"en [an]\d)\b|,? hmp|$|[!.?,]"
)
_A_ROADS: Final = frozenset(
    [*map(str, range(1, 100)), "200", "205", "208", "256", "261", "270", "325", "326", "348"]
)
_LINE: Final = Cued(
    r"(?<!\w)(?P<what>(?:stads|streek|snel|nacht|buurt|r-net )?bus(?:lijn)?|(?:snel)?tram(?:lijn)?"
    r"|metro(?:lijn)?|"
    r"lijn(?:bus)?|trein(?:lijn|nummer)?|sprinter|intercity|veerpont|pont|q-?liner|r-?net)(?: (?"
    r":lijn|nr\.?|nummer))? ?"
    r"(?P<number>[mnf]?\d{1,4}[a-e]?)(?![\w€%]|[.,:]\d| ?(?:uur|u|min|minuten|euro|keer|x|meter|m|"
    r"km|mensen|man|dagen|kinderen|"
    r"jaar|jarige|weken|maanden|bussen|trams|passagiers|reizigers|haltes?)\b)",
    *("bus", "tram", "metro", "lijn", "trein", "sprinter", "intercity", "pont", "liner"),
    *("rnet", "r-net"),
)
_WORD: Final = r"[A-Z][\w'-]{1,24}"
_STATION: Final = re.compile(
    rf"(?<!\w)(?:[Nn][Ss][- ])?(?:[Ss]tation|[Mm]etrostation|[Tt]reinstation|[Bb]usstation|CS|"
    rf"[Hh]alte|[Bb]ushalte|[Tt]ramhalte|[Mm]etrohalte)"
    rf" '?(?P<name>(?:{_WORD}|'s-{_WORD})(?: (?:CS|{_WORD}|(?:van|de|der|den|aan|op)(?= [A-Z])))"
    rf"{{0,3}})"
)
_BEHIND: Final = re.compile(
    rf"(?<!\w)(?P<name>(?:Den |De )?{_WORD}) (?:CS|Centraal(?: Station)?|centraal station|CS)\b"
)
_TRACK: Final = Cued(
    r"(?<!\w)(?:spoor|perron)(?: (?:nr\.?|nummer))? ?(?P<number>\d{1,2}[a-d]?(?:[-/]\d{1,2})?)(?"
    r"![\w.,]\d|\w| ?(?:uur|min))",
    *("spoor", "perron"),
)
_EXIT: Final = Cued(
    r"(?<!\w)(?:afrit|afslag|oprit|toerit) (?:nr\.? ?|nummer )?(?P<number>\d{1,2}[a-b]?)(?"
    r"![\w.,]\d|\w)",
    *("afrit", "afslag", "oprit", "toerit"),
)


def roads(view: View, found: Found) -> None:
    """Find roads, posts, lines and platforms in a text that has digits."""
    for match in _ROAD.among(view):
        if _is_road(view, match):
            letter, post = match["letter"].upper(), match["post"]
            value = f"{letter}{match['number']}"
            if post:
                value += f" {post.replace(',', '.')}"
            found.add("weg", *match.span(), value)
    for match in _POST_ALONE.among_lower(view):
        found.add("hectometer", *match.span(), match["post"].replace(",", "."))
    for match in _LINE.among_lower(view):
        found.add("lijn", *match.span(), f"{match['what']} {match['number']}")
    for match in _TRACK.among_lower(view):
        found.add("spoor", *match.span(), match["number"])
    for match in _EXIT.among_lower(view):
        found.add("afrit", *match.span(), match["number"])


_NO_E_ROADS: Final = frozenset([*map(str, range(11))])  # E10 is petrol
_CITY_RINGS: Final = range(100, 200)
#: Sheets of paper are called A0 to A8.
_PAPER_SIZES: Final = 8


def _is_road(  # noqa: PLR0911 - one reason a line
    view: View, match: re.Match[str]
) -> bool:
    letter, number = match["letter"], match["number"]
    kind = letter.lower()
    if number.startswith("0"):
        return False
    if match["post"]:
        return kind in "an"
    end = match.end()
    if kind == "a" and (number not in _A_ROADS or _PAPER.match(view.lower, end)):
        return False
    if kind == "e" and (number in _NO_E_ROADS or letter == "e"):
        return False
    if kind == "s" and (int(number) not in _CITY_RINGS or letter == "s"):
        return False
    gap = view.text[match.start() + 1 : match.start(2)]
    cued = bool(_CUE.search(view.lower[max(0, match.start() - 24) : match.start()]))
    if gap and not (letter.isupper() and (cued or gap == "-")):
        return False
    if letter.isupper():
        return kind != "e" or cued or bool(_RUNS_ON.match(view.lower, end))
    return (
        cued
        or kind == "n"
        or int(number) > _PAPER_SIZES
        or bool(re.match(r" (?:richting|ri|thv|bij|dicht|file)\b", view.lower[end : end + 12]))
    )


def stations(view: View, found: Found) -> None:
    """Find stations and stops by name."""
    for match in _STATION.finditer(view.text):
        kind = "halte" if "halte" in match[0].lower().split(" ")[0] else "station"
        found.add(kind, *match.span(), match["name"])
    for match in _BEHIND.finditer(view.text):
        found.add("station", *match.span(), match["name"])
