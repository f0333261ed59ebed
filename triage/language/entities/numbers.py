"""Numbers of people: telephone, account, citizen service number, plate, postcode, amount, case.

Every pattern is bounded, so that finding is linear in the text. What looks like none of them but
is a long number is kept as ``nummer``: it is safer masked than left.
"""

from __future__ import annotations

import re
from typing import Final

from triage.language.data import either, words
from triage.language.entities.checks import IBAN_LENGTHS, digits, is_bsn, is_iban
from triage.language.entities.found import Found
from triage.language.entities.sought import AtDigits, Cued
from triage.language.entities.view import View

#: What may stand between two digits of one number.
_S: Final = r"[ .\-/()_\u00b7\u2600-\u27bf\U0001f000-\U0001faff]{0,3}"
_MOBILE: Final = AtDigits(
    rf"(?<![\w+])\(?(?:(?:\+|00){_S}(?P<land>31|32|49|44|33|48|90|40|359|380|212|34|39|351){_S}(?"
    rf":\(?0\)?{_S})?"
    rf"|(?P<zero>[0oO]){_S})(?P<rest>\d(?:{_S}\d){{7,9}})(?!\d)",
    before=5,
)
_ABROAD: Final = AtDigits(rf"(?<![\w+])\+{_S}\d{{1,3}}(?:{_S}\d){{6,12}}(?!\d)", before=4)
_SERVICE: Final = AtDigits(
    r"(?<!\w)(?:0[89]00[ .-]{0,3}\d{2,4}(?:[ .-]?\d{1,3})?|14[ -]?0\d{2,3}|1[14]4(?![\d.,:/-]?\d)"
    r"|11[23]|116[ -]?\d{3})(?![\w€%]|[.,:/-]\d| ?(?:euro|eur|km|meter|m|jaar|keer|mensen|uur)\b)"
)
_NO_SERVICE: Final = re.compile(
    r"(?:nr\.?|nummer|huisnummer|lijn|bus|tram|bus nr\.?|artikel|art\.|€|hmp|[a-z]{2,30}"
    r"(?:straat|laan|weg|plein|kade|singel|gracht|dijk|hof|dreef)) ?$"
)
_NUMBER_WORDS: Final = either("nl.numerals.txt")
_SPOKEN: Final = re.compile(
    rf"(?<!\w)(?:nul|0)[ ,.-]{{0,3}}(?:zes|6)(?:[ ,.-]{{0,3}}(?:(?:{_NUMBER_WORDS}){{1,4}}|\d))"
    rf"{{4,12}}(?!\w)"
)
_DUTCH_IBAN: Final = AtDigits(
    r"(?<![^\W_])n[ .-]?l(?:[ .:/-]{0,2}\d){2}(?:[ .:/-]{0,2}[a-z]){4}(?:[ .:/-]{0,2}[\doO])"
    r"{8,12}(?![^\W_])",
    before=5,
    flags=re.IGNORECASE,
)
_IBAN: Final = AtDigits(
    r"(?<![^\W_])[A-Za-z]{2}[ .-]?\d\d(?:[ .-]?[A-Za-z0-9]{2,4}){2,8}(?:[ .-]?[A-Za-z0-9]{1,3})?(?"
    r"![^\W_])",
    before=3,
)
_BSN: Final = AtDigits(
    r"(?<![\w.,/-])(?:\d{9}|\d{3}([ ._-]{1,2})\d{3}\1\d{3}|\d{4}([ .-])\d\d\2\d{3}"
    r"|\d\d([ .-])\d\d\3\d\d\3\d{3})(?![\w]|[.,/-]\d)"
)
_CUED_BSN: Final = Cued(
    rf"(?<!\w)(?:bsn|b\.s\.n\.?|burgerservice(?:nummer|nr)?|burger service ?nummer|sofi(?:-?"
    rf"nummer)?)[^\d\n]{{0,30}}?"
    rf"(?P<bsn>\d(?:{_S}\d){{5,9}})(?!\d)",
    *("bsn", "b.s.n", "burgerservice", "burger service", "sofi"),
)
_GROUP: Final = r"(?:[A-Za-z]{1,3}|\d{1,3})"
_PLATE: Final = re.compile(rf"(?<![\w-]){_GROUP}([ .-]){_GROUP}\1{_GROUP}(?![\w]|-\w)")
_PLATE_SHAPES: Final = frozenset(
    [
        "AA-99-99",
        "99-99-AA",
        "99-AA-99",
        "AA-99-AA",
        "AA-AA-99",
        "99-AA-AA",
        "99-AAA-9",
        "9-AAA-99",
        "AA-999-A",
        "A-999-AA",
        "AAA-99-A",
        "A-99-AAA",
        "9-AA-999",
        "999-AA-9",
        "9-AAA-999",
        "AAA-999-9",
    ]
)
_PLATE_SOLID: Final = AtDigits(
    r"(?<![\w-])(?:[A-Z]{2}\d{3}[A-Z]|[A-Z]\d{3}[A-Z]{2}|\d{2}[A-Z]{3}\d|\d[A-Z]{3}\d{2}"
    r"|[A-Z]{3}\d{2}[A-Z]|[A-Z]\d{2}[A-Z]{3}|\d[A-Z]{2}\d{3}|\d{3}[A-Z]{2}\d|[A-Z]{2}\d{2}[A-Z]{2}"
    r"|\d{2}[A-Z]{4}|[A-Z]{4}\d{2}|\d{2}[A-Z]{2}\d{2})(?![\w-])",
    before=4,
)
_CUED_PLATE: Final = Cued(
    r"(?<!\w)(?:kenteken(?:plaat|nummer)?|nummerplaat|kentek\.?|license plate|plate|kennzeichen"
    r"|plaka|plaque)(?:\W{1,3}(?:is|was|iets|ongeveer|zoiets|als|met|begint|van|de|het|mijn|auto|"
    r"number|nummer|eindigt|op)){0,4}\W{1,3}"
    r"(?P<plate>(?=[a-z0-9]{0,3}[ .-]{0,2}[a-z0-9]{0,6}[ .-]?\d)[a-z0-9]{1,4}(?:-[a-z]{1,2})?(?"
    r":[ .-]{0,2}[a-z]{0,4}\d[a-z0-9]{0,3}){1,3}"
    r"(?:[ .-]{1,2}[a-z]{1,3}(?![a-z]))?(?:-[a-z0-9]{1,3}){0,2})(?!\w)",
    *("kentek", "nummerplaat", "plate", "kennzeichen", "plaka", "plaque"),
)
_PLATE_CUE: Final = re.compile(
    r"kentek|nummerplaat|\b(?:auto|wagen|busje|bus|bestel\w*|scooter|motor|brommer|golf|polo|opel|"
    r"bmw|audi|fiat|seat|peugeot|renault|toyota|volvo|tesla|mercedes|plaat|caravan|aanhanger|kent)"
    r"\b"
)
_MONTHS: Final = frozenset(
    ["jan", "feb", "mrt", "maa", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"]
)
_POSTCODE: Final = AtDigits(r"(?<![\w.,:/-])[1-9]\d{3}[ -]{0,2}[A-Za-z]{2}(?![\w-])")
_NO_POSTCODE: Final = words("nl.two.txt")
_ONLY_FIGURES: Final = Cued(
    r"postcode(?:gebied)?\W{1,3}(?:is )?(?P<code>[1-9]\d{3})(?!\d)", "postcode"
)
_AMOUNT: Final = AtDigits(
    r"(?<![\w.,])(?:€ ?(?P<after>\d{1,9}(?:[.,]\d{1,3}){0,3})(?:,-{1,2}|,=)?(?: (?P<big>miljoen|"
    r"miljard|mln))?"
    r"|(?P<before>\d{1,9}(?:[.,]\d{1,3}){0,3})(?:(?P<dash>,-{1,2}(?!\d))| ?(?P<much>miljoen|"
    r"miljard|mln|ton|k)?\.? ?"
    r"(?:euro(?:'s)?|eur|€|piek)(?!\w)))",
    before=2,
    flags=re.IGNORECASE,
)
_TIMES: Final = {"miljoen": 10**6, "mln": 10**6, "miljard": 10**9, "ton": 10**5, "k": 1000}
_CASE_WORDS: Final = either("nl.cases.txt")
_CASE: Final = Cued(
    rf"(?<!\w)(?:{_CASE_WORDS})(?:\W{{1,3}}(?:is|was|met|van|mijn|nummer|nr|nrs|no|onder|het|de|"
    rf"over|heeft|en|,)){{0,3}}"
    r"[ \n]?[:#.=(]{0,2}[ \n]?(?P<code>[a-z]{0,8}[ /.#-]{0,2}\d[\w/.-]{0,25}(?: ?[/-] ?"
    r"\d[\w/-]{1,12}|(?: \d{2,5}){1,4})?)",
    *words("nl.cases.txt"),
)
_CASE_SHAPE: Final = AtDigits(
    r"(?<![\w/.-])(?:PL\d{4}[ -]\d{4}[ -]?\d{3,9}(?:-\d)?|[A-Z]{1,5}[-/]?\d{0,4}[-/.]?\d{4,10}(?"
    r":[-/.]\d{1,6})?"
    r"|(?:19|20)\d\d[-/.]\d{3,8}(?:[-/.]\d{1,6})?|\d{2}[-/]\d{5,8}|\d{1,4}[A-Z]{2,6}\d{6,14})(?"
    r"![\w/-])",
    before=7,
)
_LONG: Final = AtDigits(r"(?<![^\W_])[A-Za-z]{0,4}\d(?:[ ._/\-()]{0,2}\d){5,40}(?!\d)", before=4)
_GROUPED: Final = re.compile(r"\d{1,3}(?:\.\d{3}){1,3}(?:,\d\d?)?|\d{1,3}(?: \d{3}){1,2}")
_SPAN_OF_YEARS: Final = re.compile(r"(?:19|20)\d\d ?[-/] ?(?:19|20)?\d\d")
_THINGS: Final = re.compile(
    r"(?:container|bak|lantaarn\w*|lantaarnpaal\w*|mast|paal\w*|bord|halte\w*|kast|lijn|trein\w*|"
    r"treinstel|gemaal|brug|"
    r"boom|sluis|station|locatie|object|put|automaat|code|un|pakket)(?: ?(?:met )?(?:nummer|nr\.?|"
    r"code))?[ :#]{1,3}$"
)
_LEAST_LONG: Final = 7
_MANY: Final = 9
_CUE_WIDTH: Final = 40


def numbers(view: View, found: Found) -> None:
    """Find the numbers of a text that has digits."""
    many = view.digits
    if many >= _LEAST_DIGITS["bsn"]:
        _accounts(view, found)
        _service_numbers(view, found)
    if many >= _LEAST_DIGITS["nummer"]:
        _cases(view, found)
        _telephones(view, found)
    if many and _MONEY.search(view.lower):
        _amounts(view, found)
    if many and (many >= _LEAST_DIGITS["nummer"] or _PLATE_HINT.search(view.lower)):
        _plates(view, found)
    if many >= _LEAST_DIGITS["postcode"]:
        postcodes(view, found)


#: A text with fewer digits holds none of these.
_LEAST_DIGITS: Final = {"nummer": 3, "postcode": 4, "bsn": 6}
_MONEY: Final = re.compile(r"€|eur|piek|,[-=]")
_PLATE_HINT: Final = re.compile(r"-\d|\d-|kentek|plaat|plate|kennz|plaka")


def spoken(view: View, found: Found) -> None:
    """Find a telephone number that is written in words."""
    for match in _SPOKEN.finditer(view.lower):
        found.add("telefoon", *match.span())


def _accounts(view: View, found: Found) -> None:
    for match in _DUTCH_IBAN.among(view):
        compact = "".join(filter(str.isalnum, match[0])).upper()
        found.add("iban", *match.span(), compact if is_iban(compact) else "")
    for match in _IBAN.among(view):
        if end := _account_end(match[0]):
            start = match.start()
            compact = "".join(filter(str.isalnum, match[0][:end])).upper()
            found.add("iban", start, start + end, compact if is_iban(compact) else "")


def _account_end(text: str) -> int:
    """Give where an account number ends that starts a text; 0 where it is none."""
    length = IBAN_LENGTHS.get(text[:2].upper(), 0)
    counted = 0
    for offset, char in enumerate(text, 1):
        counted += char.isalnum()
        if counted == length:
            known = is_iban(text[:offset])
            upper = text[:2].isupper() and not text[offset : offset + 1].isalnum()
            figures = len(digits(text[:offset])) > length // 2
            return offset if known or (upper and figures) else 0
    return 0


def _service_numbers(view: View, found: Found) -> None:
    for match in _CUED_BSN.among_lower(view):
        number = digits(match["bsn"])
        found.add("bsn", *match.span("bsn"), number if is_bsn(number) else "")
    for match in _BSN.among(view):
        if is_bsn(match[0]) and not _is_telephone(match[0]) and not _GROUPED.fullmatch(match[0]):
            found.add("bsn", *match.span(), digits(match[0]))


def _is_telephone(text: str) -> bool:
    return text.startswith(("06", "06-")) or bool(re.match(r"0\d{1,3}-", text))


def _telephones(view: View, found: Found) -> None:
    for match in _SERVICE.among(view):
        before = view.lower[max(0, match.start() - _CUE_WIDTH) : match.start()]
        if not _NO_SERVICE.search(before):
            found.add("telefoon", *match.span(), digits(match[0]))
    for match in _MOBILE.among(view):
        rest = digits(match["rest"])
        land = match["land"]
        if land is None and not _is_national(rest, match[0]):
            continue
        start, end = match.span()
        start += match[0].startswith("(") and ")" not in match[0]
        found.add("telefoon", start, end, f"+{land or '31'}{rest}")
    for match in _ABROAD.among(view):
        found.add("telefoon", *match.span(), f"+{digits(match[0])}")


_DATE_LIKE: Final = re.compile(r"0\d([-/.])[01]\d\1(?:(?:19|20)\d\d|\d\d)(?!\d|\1\d)")
_SHORT: Final = 8


def _is_national(rest: str, said: str) -> bool:
    """Say whether the digits after the first 0 are those of a number in the Netherlands."""
    if _DATE_LIKE.match(said):
        return False
    if rest[0] == "6":
        return len(rest) >= _SHORT
    return rest[0] in "1234578" and len(rest) == _SHORT + 1


def _amounts(view: View, found: Found) -> None:
    for match in _AMOUNT.among(view):
        said = match["after"] or match["before"]
        times = _TIMES.get((match["big"] or match["much"] or "").lower(), 1)
        found.add("bedrag", *match.span(), _decimal(said, times))


_THOUSANDS: Final = 3


def _decimal(said: str, times: int) -> str:
    """Give an amount with a point before the cents: 1.250,5 is 1250.50."""
    head, mark, tail = said.rpartition("," if "," in said else ".")
    cents = bool(mark) and (mark == "," or len(tail) != _THOUSANDS) and "." not in tail
    whole = digits(head if cents else said) or "0"
    value = float(f"{whole}.{tail if cents else 0}") * times
    return f"{value:.2f}"


def _plates(view: View, found: Found) -> None:
    for match in _CUED_PLATE.among_lower(view):
        start, end = match.span("plate")
        found.add("kenteken", start, end, _plate_value(view.text[start:end]))
    for match in _PLATE.finditer(view.text):
        if _is_plate(view, match):
            found.add("kenteken", *match.span(), _plate_value(match[0]))
    for match in _PLATE_SOLID.among(view):
        before = view.lower[max(0, match.start() - _CUE_WIDTH) : match.start()]
        solid_postcode = _POSTCODE.pattern.fullmatch(match[0])
        if not solid_postcode and (
            _PLATE_CUE.search(before) or not re.fullmatch(r"[A-Z]{2,4}\d{2,3}", match[0])
        ):
            found.add("kenteken", *match.span(), _plate_value(match[0]))


def _is_plate(view: View, match: re.Match[str]) -> bool:
    said = match[0]
    shape = re.sub(r"[A-Za-z]", "A", re.sub(r"\d", "9", said.replace(match[1], "-")))
    if shape not in _PLATE_SHAPES:
        return False
    letters = "".join(filter(str.isalpha, said))
    if match[1] == "-" and letters.isupper():
        return True
    before = view.lower[max(0, match.start() - _CUE_WIDTH) : match.start()]
    if _PLATE_CUE.search(before):
        return True
    groups = re.findall(r"[A-Za-z]+", said)
    if match[1] == "-":
        return not any(group.lower() in _MONTHS for group in groups)
    return letters.isupper() and not any(g.lower() in _NO_POSTCODE or g == "EUR" for g in groups)


def _plate_value(said: str) -> str:
    return "".join(filter(str.isalnum, said)).upper()


def postcodes(view: View, found: Found) -> None:
    """Find postcodes."""
    for match in _POSTCODE.among(view):
        letters = match[0][-2:]
        solid = match[0][4].isalpha()
        year = match[0][:2] in {"19", "20"}
        if letters.lower() in _NO_POSTCODE and not solid and (year or not letters.isupper()):
            continue
        if not letters.isupper() and not solid:
            before = view.text[max(0, match.start() - 4) : match.start()]
            if not re.search(r"\d[A-Za-z]?,? ?$|, ?$|\n$|^$", before):
                continue
        found.add("postcode", *match.span(), match[0][:4] + letters.upper())
    for match in _ONLY_FIGURES.among_lower(view):
        found.add("postcode", *match.span("code"), match["code"])


def _cases(view: View, found: Found) -> None:
    for match in _CASE.among_lower(view):
        code = match["code"].rstrip("./-")
        start = match.start("code")
        lead = re.match(r"[a-z]{0,8}[ /.#-]{0,2}(?=\d)", code)
        if lead and lead[0].endswith(" ") and not view.text[start].isupper():
            start, code = start + lead.end(), code[lead.end() :]
        if (
            len(digits(code)) >= _LEAST_DIGITS["nummer"]
            and not _DATE.match(code)
            and not _is_amount(view, start)
        ):
            found.add("nummer", start, start + len(code))


_DATE: Final = re.compile(
    r"\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d(?![\d-])|\d{4}-\d\d-\d\d(?!\d)|\d{1,2}[:.]\d\d(?!\d)|"
    r"(?:19|20)\d\d(?![\w/.-]*\d)|\d{1,2} (?:jan|feb|maa|mrt|apr|mei|jun|jul|aug|sep|okt|nov|dec)"
)


def _is_amount(view: View, start: int) -> bool:
    return bool(_AMOUNT.pattern.match(view.text, start))


def long_numbers(view: View, found: Found) -> None:
    """Keep as ``nummer`` what has the shape of a case, or seven digits and no other meaning."""
    if view.digits < _LEAST_DIGITS["postcode"]:
        return
    for match in _CASE_SHAPE.among(view):
        if not _SPAN_OF_YEARS.fullmatch(match[0]) and not _is_thing(view, match.start()):
            found.add("nummer", *match.span())
    for match in _LONG.among(view):
        start, end = match.span()
        many = len(digits(match[0]))
        if many < _LEAST_LONG or _is_thing(view, start):
            continue
        if (many <= _MANY and _GROUPED.fullmatch(match[0])) or _is_list(match[0]):
            continue
        found.add("nummer", start, end)


_LIST: Final = re.compile(
    r"\d{1,2}(?:[ /-]{1,2}\d{1,2}){3,20}|(?:19|20)\d\d(?:[ /-]{1,3}(?:19|20)\d\d)+"
)


def _is_list(said: str) -> bool:
    """Say whether a row of digits is a row of small numbers or of years rather than one number."""
    return bool(_LIST.fullmatch(said)) and said[0] != "0"


def _is_thing(view: View, start: int) -> bool:
    return bool(_THINGS.search(view.lower[max(0, start - _CUE_WIDTH) : start]))
