"""Names of people: after cues, in signatures, by initials, and from lists of first and family names.

A word is a name for more than one reason or for one good one; what looks like a person and is a
street, an organisation, a place or somebody in public life stays out.
"""

from __future__ import annotations

import re
from typing import Final

from triage.language.data import either, lines, words
from triage.language.entities.found import STAYS, Found
from triage.language.entities.places import is_street, named_place
from triage.language.entities.view import FILLER, View, Word

_FIRST: Final = words("names.first.txt")
_LAST: Final = words("names.last.txt")
_RARE_FIRST: Final = words("names.first.rare.txt")
_RARE_LAST: Final = words("names.last.rare.txt")
_ORDINARY: Final = words("names.words.txt")
_VOCABULARY: Final = words("language.nl.txt") | _ORDINARY
_FUNCTION: Final = words("nl.function.txt")
_TITLES: Final = words("nl.titles.txt")
_STRONG: Final = words("nl.titles.strong.txt")
_ORGS: Final = frozenset(lines("nl.organisations.txt"))
_ORG_STARTS: Final = frozenset(line.split()[0] for line in _ORGS)
_ORG_WORDS: Final = words("nl.orgwords.txt")
_PUBLIC: Final = frozenset(lines("nl.public.txt"))
_PARTICLES: Final = frozenset(
    "van de den der het 't ter ten te op aan in 's el al ben bin bint ait aït ould abu abou da das do dos di du la le del della von zu vom zum "
    "vd v.d v/d y e af o".split()
)
#: Particles that may start a family name on their own.
_LEADS: Final = frozenset(
    "van de den der 't ter ten te el al ben bin ait aït da dos di du la le von vd abu abou oude".split()
)
#: Particles that lead on in the middle of a name only: Jan in 't Veld, Scholten op Reimer.
_MIDDLE: Final = frozenset("in op aan".split())
_PARTICLE: Final = r"(?:van|de|den|der|het|'t|ter|ten|te|op|aan|in|'s|el|al|ben|bin|a[iï]t|da|dos|di|du|la|le|von|vd|v\.d\.|v/d|Van|De|Den|Der|'T|Ter|Ten|Te|El|Al|Ben|Bin|A[iï]t|Da|Dos|Di|Du|La|Le|Von|Op|In|Oude|Vd)"
_UPPER: Final = "".join(char for char in map(chr, range(0x41, 0x530)) if char.isupper())
_CAPITAL: Final = rf"[{_UPPER}][^\W\d_]*(?:['-][^\W\d_]+)*"
_INITIALS: Final = re.compile(
    rf"(?<![\w.@/-])(?:(?:[A-Z]|Th|Ch|Ph|IJ|Chr|Fr|Sj|Tj|Joh|Jac|Wm)\.(?: ?-?)?){{1,6}}(?:\([A-Z][^\W\d_]{{1,20}}\) )? ?"
    rf"(?P<name>(?:{_PARTICLE} ){{0,4}}{_CAPITAL}(?: ?[-/] ?(?:{_PARTICLE} ){{0,3}}{_CAPITAL})?)(?!\w)"
)
_SPACED_INITIALS: Final = re.compile(
    rf"(?<![\w.@/-])(?:[A-Z] ){{1,3}}(?P<name>(?:(?:van|de|den|der|het|'t|ter|ten|te|el|al) ){{0,3}}{_CAPITAL})(?!\w)"
)
_INITIALS_BEHIND: Final = re.compile(
    rf"(?<![\w.@/-])(?P<name>(?:{_PARTICLE} ){{0,3}}{_CAPITAL}), ?(?:[A-Z]\. ?){{1,5}}(?!\w)"
)
#: "Ridvan K." as newspapers write.
_LAST_INITIAL: Final = re.compile(rf" [{_UPPER}]\.(?!\w)")
#: How family names end in many countries; a capitalised unknown word that does is one.
_SHAPED: Final = re.compile(
    r"(?:stra|sma|inga|enga|ema|ssen|nsen|rsen|lsen|huis|veld|mans|ić|ič|ski|ska|wicz|cki|cka|czyk|oğlu|oglu|enko|chuk|yan|escu|"
    r"iou|poulos|dze|aoui|oui|pour|zadeh|singh|sson)$|^(?:o'|mc|mac|fitz|d')\w{4}"
)
_INTRO: Final = re.compile(
    r"(?<!\w)(?:(?:mijn|m'n|myn|mien|de|haar|zijn|hun|uw|je) (?:volledige |voor|achter|roep|meisjes)?(?:naam|namme|nam|noam) (?:is|luidt|:|=)|(?:ik|hij|zij|ze|die|man|vrouw|jongen|meisje|hond|baas|wie) (?:heet|heette|hjit)|heet(?:te)?(?: ik| hij| zij)|"
    r"(?:(?:voor|achter|roep|meisjes|contact)?naam|(?:naam )?(?:melder|aanvrager|indiener|afzender|contactpersoon|huurder|bewoner|verzekerde|kind|patiënt|cliënt|eigenaar|slachtoffer|dader|verdachte|vermiste))(?: is)? ?[:=]|"
    r"genaamd|genoemd|luistert naar de naam|onder de naam|met de naam|op naam van|ten name van|t\.?n\.?v\.?|t\.?a\.?v\.?|ter attentie van|namens|contact met|vragen naar|vraag naar|verdachte|vermiste?|spreekt u met|u spreekt met|je spreekt met|met mij,|hier(?: is)?|dit is|"
    r"my name is|my name's|i am called|name:|mein name ist|ich heiße|je m'appelle|je suis|mon nom est|me llamo|mi nombre es|benim adım|adım|ismim|nazywam się|mam na imię|jestem|mă numesc|ma numesc|mi chiamo|мене звати|меня зовут) ?"
)
_SURE_INTRO: Final = re.compile(
    r"naam|namme|heet|heette|hjit|\bname\b|heiße|appelle|nombre|llamo|adım|ismim|nazywam|imię|numesc|chiamo|звати|зовут|genaamd|t\.?n\.?v|t\.?a\.?v|attentie|spreekt"
)
_WEAK_CUE: Final = re.compile(
    r"(?:^|[^\w])(?:met|van|aan|door|voor|bij|bel|belde|app|mail|sprak|vraag|vroeg|zei|zegt|volgens|naar|mis|zoek|zoeken|vind|via|beste|lieve|hoi|hallo|hey|dag|geachte|dear|hi|cc|tav|ik ben|i am|i'm|en|&|groet|groetjes|groeten|jarig|"
    r"feliciteer|bedankt|dank|dankzij|namens|over|tegen|help|kent|ken|mijn|onze|hun|haar|die|onzen|ons|ús|us|oan|fan|foar|tsjin|met onze|van onze|was|is|heeft|had|deed|reageerde|schreef|schrijft|meldde|meldt|vertelde|vertelt) $"
)
_SIGNOFF: Final = re.compile(
    rf"(?<![\w.])(?:{either('nl.signoffs.txt').replace('_', '[ ]+')})(?:[ ]?(?:van|from|von|de|uit) (?=[A-Z]))?(?P<gap>[ ,.:!;\n\r\-~*_<>\"'()|/\u2600-\u27bf\U0001f000-\U0001faff]{{1,12}})"
)
_LINE_NAME: Final = re.compile(
    rf"(?:{_PARTICLE} ){{0,3}}{_CAPITAL}(?:(?: |-| - )(?:{_PARTICLE} ){{0,3}}{_CAPITAL}){{0,3}}"
)
_LOWER_NAME: Final = re.compile(
    r"[^\W\d_]{2,20}(?:['-][^\W\d_]{2,20})?(?:(?: (?:van|de|den|der|'t|ter|ten|te|el|al|v\.?d\.?)){0,3} [^\W\d_]{2,20})?"
)
_AROUND: Final = re.compile(r"[ \n]*(?:$|[,.;:!?()/\n|&\x00-]|\d|en |06)")
_LONGEST_LINE: Final = 48
_SHORTEST: Final = 3


def is_name(word: str) -> bool:
    """Say whether a word may be, or start, the name of a person, or is a cue for one."""
    lower = word.lower()
    if lower in _CUES or lower in _STRONG or (lower in _FIRST and lower not in _VOCABULARY):
        return True
    return word[0].isupper() and (
        lower in _FIRST or lower in _LAST or lower in _RARE_FIRST or lower in _RARE_LAST
    )


_CUES: Final = frozenset(
    "naam namme heet heette hjit genaamd name tav t.a.v tnv t.n.v namens mvg m.v.g gr grt grtz groet groeten groetjes groetje groetnis "
    "groetn hoogachtend liefs regards cheers sincerely grüßen grüße mfg cordialement saygılarımla pozdrawiam saludos "
    "heiße appelle llamo nombre adım ismim nazywam imię numesc chiamo звати зовут afzender contactpersoon melder getekend greetz "
    "voornaam achternaam bvd aanvrager danke повагою tankewol xx xxx".split()
)


def persons(view: View, found: Found) -> None:
    """Find names of people in a text where something hints at one."""
    _protect(view, found)
    _initialled(view, found)
    _introduced(view, found)
    _titled(view, found)
    _signed(view, found)
    _listed(view, found)
    _last_lines(view, found)
    _beside_numbers(view, found)
    _paired(view, found)


# -- what stays ----------------------------------------------------------------------------------


def _protect(view: View, found: Found) -> None:
    """Claim the names of organisations and of people in public life; they are dropped at the end."""
    seen = view.words
    for index, word in enumerate(seen):
        if word.lower in _ORG_BEFORE and (end := _capitals(view, index + 1, word.end)):
            found.add(STAYS, word.end + 1, end)
        if not word.capital:
            continue
        for length in (5, 4, 3, 2, 1):
            if index + length > len(seen):
                continue
            end = seen[index + length - 1].end
            said = view.lower[word.start : end]
            if said in _ORGS or (
                said in _PUBLIC and (length > 1 or not _has_first_name(view, index))
            ):
                found.add(STAYS, word.start, end)
                break
        else:
            if (end := _organisation(view, index)) and end > word.end:
                found.add(STAYS, word.start, end)


def _capitals(view: View, index: int, after: int) -> int:
    """Give where the capitalised words end that start at a word right behind an offset, or 0."""
    seen = view.words
    end = 0
    while index < len(seen) and view.text[after : seen[index].start] in {" ", " '"}:
        word = seen[index]
        if not word.capital and not (end and word.lower in _PARTICLES):
            break
        end = word.end if word.capital else end
        after = word.end
        index += 1
    return end


def _has_first_name(view: View, index: int) -> bool:
    """Say whether a first name stands before a word: then it is another than the known one."""
    if index == 0:
        return False
    before = view.words[index - 1]
    if view.text[before.end : view.words[index].start] != " ":
        return False
    return before.capital and (before.lower in _FIRST or before.lower in _PARTICLES)


def _organisation(view: View, index: int) -> int:
    """Give where an organisation ends that is named after a person and starts at a word, or 0.

    "Van Gerwen Installatie", "Bakker Transport", "Willem de Zwijger College".
    """
    seen = view.words
    for step in range(1, 6):
        if index + step >= len(seen):
            return 0
        gap = view.text[seen[index + step - 1].end : seen[index + step].start]
        following = seen[index + step]
        if gap not in {" ", " & ", "-"}:
            return 0
        if gap == " & " and following.capital and step > 0:
            return (
                following.end
                if following.lower not in _FIRST and seen[index].lower not in _FIRST
                else 0
            )
        if following.capital and (
            _ORG_END.search(following.lower)
            or (following.lower in _ORG_WORDS and following.lower not in _LAST)
        ):
            return following.end
        if not following.capital and following.lower not in _PARTICLES:
            return 0
    return 0


_ORG_END: Final = re.compile(
    r"(?:school|college|ziekenhuis|park|brug|kerk|hal|bad|stadion|arena|huis|kamp|plein|bos|tunnel|bakkerij|transport|bouw|techniek|museum|theater|coöperatie|cooperatie|vereniging|stichting|kwekerij|commissie|"
    r"raad|bureau|kantoor|redactie|bedrijf|club|partij|fractie|winkel|shop|zorg|groep|fonds|dienst|brigade|centrum|winkels)$"
)


# -- how names are found -------------------------------------------------------------------------


def _add(view: View, found: Found, start: int, end: int) -> bool:
    """Keep a name, without the mark of possession at its end."""
    while end > start and not view.text[end - 1].isalnum():
        end -= 1
    if view.lower[end - 2 : end] == "'s" and end - start > 3:  # noqa: PLR2004
        end -= 2
    if behind := _LAST_INITIAL.match(view.text, end):
        end = behind.end()
    value = " ".join(view.lower[start:end].split())
    return found.add("persoon", start, end, value)


def _initialled(view: View, found: Found) -> None:
    for match in _INITIALS.finditer(view.text):
        name = match["name"].split()[-1].lower()
        if is_street(name) or _is_no_name(match["name"]) or match[0] == "L.S":
            continue
        if view.text[match.end() : match.end() + 1] == "." and name in _FUNCTION:
            continue
        _add(view, found, *match.span())
    for match in _SPACED_INITIALS.finditer(view.text):
        last = match["name"].split()[-1].lower()
        if (last in _LAST or last in _RARE_LAST) and not view.text.isupper():
            _add(view, found, *match.span())
    for match in _INITIALS_BEHIND.finditer(view.text):
        last = match["name"].split()[-1].lower()
        if (
            last in _LAST
            or last in _RARE_LAST
            or (last not in _VOCABULARY and not _known_place(last))
        ):
            _add(view, found, *match.span())


def _is_no_name(name: str) -> bool:
    lower = name.lower()
    return lower in _FUNCTION or lower in _ORGS or lower.split()[0] in {"centrum", "basisschool"}


def _known_place(lower: str) -> bool:
    return named_place(Word(lower, lower, 0, len(lower)))


def _introduced(view: View, found: Found) -> None:
    for match in _INTRO.finditer(view.lower):
        sure = bool(_SURE_INTRO.search(match[0]))
        index = _word_at(view, match.end())
        if index is None:
            continue
        word = view.words[index]
        if word.start - match.end() > 2:  # noqa: PLR2004
            continue
        end = _name_end(view, index, sure=sure)
        if end:
            _add(view, found, word.start, end)
        elif (
            sure
            and not word.capital
            and (
                _may_be_lower_name(view, index)
                if _OWN.search(match[0])
                else word.lower in _FIRST - _VOCABULARY
            )
        ):
            _add(view, found, word.start, _lower_end(view, index))


_OWN: Final = re.compile(
    r"naam|namme|noam|ik heet|name|appelle|heiße|llamo|adım|ismim|nazywam|numesc|chiamo"
)


def _may_be_lower_name(view: View, index: int) -> bool:
    word = view.words[index]
    return (
        word.lower not in _VOCABULARY and word.lower not in _FUNCTION and len(word.text) > 1
    ) or (word.lower in _FIRST and word.lower not in _FUNCTION)


def _lower_end(view: View, index: int) -> int:
    """Give where a name in lower case ends: the family name after it, if that is one."""
    seen = view.words
    end = seen[index].end
    step = index + 1
    particles = 0
    while step < len(seen) and view.text[seen[step - 1].end : seen[step].start] == " ":
        word = seen[step]
        if word.lower in _LEADS and particles < 3:  # noqa: PLR2004
            particles += 1
        elif (
            word.lower in _LAST
            or word.lower in _RARE_LAST
            or (particles and word.lower not in _VOCABULARY)
        ):
            if word.lower in _FUNCTION or (not particles and word.lower in _VOCABULARY):
                break
            return word.end
        elif (
            word.lower not in _VOCABULARY
            and not particles
            and len(word.text) > 3
            and not named_place(word)
        ):  # noqa: PLR2004
            return word.end
        else:
            break
        step += 1
    return end


#: Who somebody is, not what they are called.
_ROLE: Final = re.compile(
    r"(?:manager|voorzitter|directeur|wethouder|burgemeester|minister|president|officier|ambtenaar|medewerk\w+|redacteur)$"
)


def _titled(view: View, found: Found) -> None:
    seen = view.words
    for index, word in enumerate(seen[:-1]):
        if word.lower not in _TITLES and word.lower not in _STRONG:
            continue
        gap = view.text[word.end : seen[index + 1].start]
        if gap not in {" ", "  "} and not (gap in {". ", "."} and len(word.text) <= 4):  # noqa: PLR2004
            continue
        following = seen[index + 1]
        if _ROLE.search(following.lower):
            continue
        strong = word.lower in _STRONG
        end = _name_end(view, index + 1, sure=strong)
        if end:
            _add(view, found, following.start, end)
        elif strong and (start_end := _lower_titled(view, index + 1)):
            _add(view, found, *start_end)


def _lower_titled(view: View, index: int) -> tuple[int, int] | None:
    """Give the family name in lower case that stands after a title: mevrouw de groot."""
    seen = view.words
    at = index
    while (
        at < len(seen) - 1
        and seen[at].lower in _LEADS
        and at - index < 3
        and view.text[seen[at].end : seen[at + 1].start] == " "
    ):  # noqa: PLR2004
        at += 1
    word = seen[at]
    if word.capital or word.lower in _FUNCTION:
        return None
    named = word.lower in _LAST or word.lower in _FIRST
    if not named or (word.lower in _VOCABULARY and at == index and word.lower not in _NAMES_MOSTLY):
        return None
    return seen[index].start, word.end


#: Family names that are ordinary words too, but after a title are names.
_NAMES_MOSTLY: Final = frozenset(
    "bakker visser bos vos mulder smit kok koster prins koning jager schipper timmerman kuiper vink mol haan jong groot wit zwart bruin groen klein".split()
)


def _signed(view: View, found: Found) -> None:
    """Find the name after a greeting at the end of a text, or of a line."""
    for match in _SIGNOFF.finditer(view.lower):
        start = match.end()
        if match["gap"].strip(" ") == "" and match[0].strip() in {
            "best",
            "tank",
            "thanks",
            "x",
            "moi",
        }:
            continue
        named = _initial_name(view, start) or _LINE_NAME.match(view.text, start)
        if named:
            end = _signature_end(view, start, named.end())
            first = named[0].split()[0].lower().rstrip(".")
            if (
                end
                and first not in _FUNCTION - {"groot", "is"}
                and not _is_sentence(view, named.end(), match["gap"])
                and not _is_group(view, start, end)
            ):
                _add(view, found, start, end)
            continue
        lower = _LOWER_NAME.match(view.text, start)
        thanks = bool(_THANKS.search(match[0]))
        if (
            lower
            and _closes(view, lower.end())
            and _is_lower_signature(lower[0], match["gap"], sure=not thanks)
        ):
            _add(view, found, *lower.span())


def _initial_name(view: View, start: int) -> re.Match[str] | None:
    return _INITIALS.match(view.text, start)


def _signature_end(view: View, start: int, end: int) -> int:
    """Give where a signed name ends: a place or an organisation behind it is none of it."""
    index = _word_at(view, start)
    if index is None or view.words[index].start != start:
        return end
    last = 0
    for word in view.words[index:]:
        if word.start >= end:
            break
        if last and named_place(word) and not _after_particle(view, word.start):
            return last
        last = word.end
    return last or end


def _after_particle(view: View, start: int) -> bool:
    before = re.search(r"([\w']+) $", view.lower[max(0, start - 8) : start])
    return bool(before) and before[1] in _PARTICLES  # type: ignore[index]


def _is_sentence(view: View, end: int, gap: str) -> bool:
    """Say whether what follows a greeting goes on as a sentence: "Groet! Wij zijn er morgen"."""
    if "\n" in gap:
        following = view.text[end : end + 30].split("\n")[0]
        return len(following.split()) > 4 and following.strip()[:1].islower()  # noqa: PLR2004
    following = view.text[end : end + 2]
    return bool(re.match(r" [a-z]", following)) and not re.match(
        r" (?:en|uit|van|namens|te|in|voorzitter|bewoner\w*|moeder|vader|de|der|\w+(?:,|\.|$))",
        view.lower[end : end + 30],
    )


def _is_group(view: View, start: int, end: int) -> bool:
    said = view.lower[start:end]
    first = said.split()[0]
    return (
        said in _PUBLIC
        or said in _ORGS
        or first in _GROUPS
        or _known_place(said)
        or bool(
            re.search(
                r"(?:school|vereniging|club|team|bewoners|comité|stichting|raad|bond|commissie|centrum|college)$",
                said,
            )
        )
    )


_GROUPS: Final = frozenset(
    "alle team bewoners bewonerscommissie buurtvereniging dorpsvereniging dorpsbelang stichting vereniging bestuur familie fam fam. namens "
    "iemand burger inwoner buurtbewoner bewoner ouders moeder vader gemeente politie redactie café cafe restaurant klas groep "
    "wijkraad werkgroep actiegroep studenten een twee drie vier vijf de het uw jullie onze ons wij ik u nog alvast tot mvg ps p.s".split()
)


def _closes(view: View, end: int) -> bool:
    return bool(_AROUND.match(view.text, end))


_THANKS: Final = re.compile(r"dank|thank|merci|gracias|best|bvd|b\.v\.d|tank|xx?|kus|knuffel")


def _is_lower_signature(said: str, gap: str, *, sure: bool) -> bool:
    parts = said.lower().split()
    if parts[0] in _FUNCTION or any(part in _GROUPS for part in parts):
        return False
    if parts[0] in _FIRST:
        return True
    if len(parts) == 1:
        unknown = parts[0] not in _VOCABULARY and not _ORG_END.search(parts[0])
        return (
            sure
            and unknown
            and ("," in gap or "\n" in gap or gap == " ")
            and not _known_place(parts[0])
        )
    return parts[-1] in _LAST and parts[0] not in _VOCABULARY


def _listed(view: View, found: Found) -> None:
    """Find first names from the list, with what follows, and known pairs of names."""
    seen = view.words
    shouting = view.text.isupper()
    for index, word in enumerate(seen):
        lower = word.lower
        if not found.free(word.start, word.end):
            continue
        first = lower.split("-")[0] in _FIRST or lower in _RARE_FIRST
        if word.capital and not shouting:
            if lower in _ORG_BEFORE:
                continue
            if first or (
                lower.removesuffix("s").removesuffix("'") in _FIRST and lower not in _VOCABULARY
            ):
                _capital_first(view, found, index)
            elif lower not in _VOCABULARY and lower not in _FUNCTION and not named_place(word):
                _unknown_first(view, found, index)
            elif lower in _LEADS:
                _family_alone(view, found, index)
        elif first:
            _lower_first(view, found, index)


def _capital_first(view: View, found: Found, index: int) -> None:
    word = view.words[index]
    ordinary = word.lower in _VOCABULARY
    if "-" in word.text and any(part not in _FIRST for part in word.lower.split("-")):
        return
    end = _name_end(view, index, sure=not ordinary, unknown=ordinary)
    if end > word.end + 2:
        _add(view, found, word.start, end)
        return
    if (
        named_place(word)
        or _is_part(view, word)
        or _ARTICLE.search(view.lower[max(0, word.start - 6) : word.start])
    ):
        return
    if ordinary and (
        word.lower in _NEVER_ALONE
        or (_at_start(view, word.start) and not _PERSONAL.match(view.lower, word.end))
    ):
        return
    if word.lower not in _FIRST and word.lower.removesuffix("s").removesuffix("'") not in _FIRST:
        before = view.lower[max(0, word.start - 14) : word.start]
        if not _WEAK_CUE.search(before):
            return
    _add(view, found, word.start, word.end)


_ARTICLE: Final = re.compile(r"(?:^|[^\w])(?:de|het|een|'t) $")
#: What only people do.
_PERSONAL: Final = re.compile(
    r" (?:zei|zegt|vertelde|belde|belt|woont|denkt|vindt|weet|wist|huilt|werkt|heet|schreef|vroeg|vraagt|appte|heeft (?:het|me|mij|ons)|"
    r"van (?:de \w+|het \w+|hiernaast|nr|nummer|beneden|boven|burgerzaken))\b"
)
#: First names that alone are nearly always something else, however they are written.
_NEVER_ALONE: Final = frozenset(
    "wil can ton frans wei mien tiny mark adem funda mei faith max dick boy storm tiny ad".split()
)


def _is_part(view: View, word: Word) -> bool:
    """Say whether a word is a part of something longer: a hyphen, a file, an organisation."""
    around = view.text[word.start - 1 : word.start] + view.text[word.end : word.end + 1]
    if (
        "-" in around
        or "/" in around
        or "_" in around
        or "@" in around
        or "#" in around
        or "&" in around
    ):
        return True
    following = re.match(
        r"(?:'s)? ([^\W\d_]+)",
        view.text[word.end - 2 * view.lower[: word.end].endswith("'s") : word.end + 24],
    )
    if (
        following
        and following[1].lower() in _ORG_WORDS
        and (following[1][0].isupper() or "'s" in following[0])
    ):
        return True
    before = re.search(r"([^\W\d_]+) '?$", view.text[max(0, word.start - 24) : word.start])
    return bool(before) and before[1].lower() in _ORG_BEFORE  # type: ignore[index]


_ORG_BEFORE: Final = frozenset(
    "basisschool school stichting café cafe restaurant hotel camping sint st heilige brasserie eetcafé cafetaria snackbar bakkerij slagerij "
    "kapsalon boekhandel garage firma storm orkaan hond hondje kat poes kater katje konijn paard pony schip boot ms theater huize villa zorgcentrum verpleeghuis "
    "prins prinses koning koningin keizer paus sporthal zwembad kasteel radio gebr firma tc vv sv fc hc wsv kv obs cbs rkbs kwekerij hoveniersbedrijf manege winkelcentrum zonnepark buurthuis wijkcentrum flat complex hofje tuinpark speeltuin".split()
)


def _unknown_first(view: View, found: Found, index: int) -> None:
    """Keep an unknown capitalised word with a known family name behind it: Siebrigje de Vries."""
    seen = view.words
    word = seen[index]
    if (
        len(word.text) < _SHORTEST
        or word.text.isupper()
        or _is_part(view, word)
        or is_street(word.lower)
    ):
        return
    end = _name_end(view, index, sure=False, unknown=True)
    if end:
        _add(view, found, word.start, end)


def _family_alone(view: View, found: Found, index: int) -> None:
    """Keep "De Vries", "Van den Berg" in the middle of a sentence, where the family name is sure."""
    seen = view.words
    at = index
    while (
        at < len(seen) - 1
        and seen[at].lower in _LEADS
        and at - index < 3
        and view.text[seen[at].end : seen[at + 1].start] == " "
    ):  # noqa: PLR2004
        at += 1
    word = seen[at]
    if (
        at == index
        or not word.capital
        or word.lower not in _LAST
        or word.lower in _VOCABULARY
        or named_place(word)
    ):
        return
    if not _at_start(view, seen[index].start) and word.lower not in _PLAIN_PLACES:
        _add(view, found, seen[index].start, word.end)


_PLAIN_PLACES: Final = frozenset("haag bosch helder ham bilt meern lier koog wijk".split())


def _lower_first(view: View, found: Found, index: int) -> None:
    """Keep a first name in lower case with a family name, or alone after a cue."""
    word = view.words[index]
    if word.lower not in _FIRST:
        return
    end = _lower_full(view, index)
    if end:
        _add(view, found, word.start, end)
        return
    if (
        word.lower in _VOCABULARY
        or len(word.text) < _SHORTEST
        or _is_part(view, word)
        or named_place(word)
    ):
        return
    _add(view, found, word.start, word.end)


def _lower_full(view: View, index: int) -> int:
    """Give where a full name in lower case ends that starts at a first name; 0 where it is none."""
    seen = view.words
    at = index + 1
    while (
        at < len(seen)
        and seen[at].lower in _LEADS
        and at - index < 4
        and view.text[seen[at - 1].end : seen[at].start] == " "
    ):  # noqa: PLR2004
        at += 1
    if at >= len(seen) or view.text[seen[at - 1].end : seen[at].start] != " ":
        return 0
    word, particles = seen[at], at - index - 1
    if word.lower not in _LAST or (word.lower in _VOCABULARY and not particles):
        return 0
    if seen[index].lower in _VOCABULARY and (not particles or word.lower in _VOCABULARY):
        return 0
    return word.end


def _name_end(view: View, index: int, *, sure: bool, unknown: bool = False) -> int:
    """Give where the name ends that starts at a word, 0 where none does.

    ``sure``: what stands before says that a name follows, so an unknown capitalised word is one.
    ``unknown``: the first word is no known name, so a known family name must follow.
    """
    seen = view.words
    word = seen[index]
    if not word.capital and word.lower not in _LEADS:
        return 0
    if word.capital and (
        word.lower in _FUNCTION
        and word.lower not in _LEADS
        or _ORG_END.search(word.lower)
        and word.lower not in _LAST
    ):
        return 0
    end, named, at = 0, 0, index
    lower_lead = False
    while at < len(seen) and at - index <= 6:  # noqa: PLR2004
        current = seen[at]
        if at > index:
            gap = view.text[seen[at - 1].end : current.start]
            if gap not in {" ", "-", ". ", ".", " - "} or (
                gap[0] == "." and len(seen[at - 1].text) > 3
            ):  # noqa: PLR2004
                break
            if gap[0] == "." and not (
                len(seen[at - 1].text) == 1
                or seen[at - 1].lower
                in {"dr", "ir", "drs", "mr", "ing", "prof", "chr", "joh", "th"}
            ):
                break
            if gap == " - " and not (named and current.capital and current.lower in _LAST):
                break
        middle = named and not unknown and current.lower in _MIDDLE and not current.capital
        if (
            (current.lower in _LEADS or middle)
            and (at + 1 < len(seen))
            and view.text[current.end : seen[at + 1].start] == " "
            and _lead_goes_on(view, at)
        ):
            lower_lead = True
            at += 1
            continue
        if (
            not current.capital
            or (named and current.lower in _FUNCTION)
            or current.lower in _ORG_STOP
        ):
            break
        if (
            named
            and (not lower_lead or seen[at - 1].lower in _MIDDLE)
            and (named_place(current) and current.lower not in _LAST)
        ):
            break
        if is_street(current.lower) and current.lower not in _LAST:
            return 0
        known = (
            current.lower in _LAST
            or current.lower in _RARE_LAST
            or current.lower in _FIRST
            or current.lower in _RARE_FIRST
        )
        if unknown and named and not known and not lower_lead and not _SHAPED.search(current.lower):
            break
        if (
            unknown
            and named
            and not (
                current.lower in _LAST
                or _SHAPED.search(current.lower)
                or (
                    lower_lead
                    and not _at_start(view, word.start)
                    and not named_place(current)
                    and current.lower not in _VOCABULARY
                )
            )
        ):
            break
        if not named and not sure and not unknown and not known:
            return 0
        if named and not lower_lead and not known and current.lower in _VOCABULARY:
            break
        named += 1
        end = current.end
        lower_lead = False
        at += 1
    if unknown and named < 2:  # noqa: PLR2004
        return 0
    if not named or (
        not sure and not unknown and named == 1 and not _sure_alone(seen[index], at - index)
    ):
        return 0
    return end


def _lead_goes_on(view: View, at: int) -> bool:
    """Say whether a particle leads on to a capitalised word: van der Berg."""
    seen = view.words
    for step in range(1, 4):
        if (
            at + step >= len(seen)
            or view.text[seen[at + step - 1].end : seen[at + step].start] != " "
        ):
            return False
        following = seen[at + step]
        if following.capital and following.lower not in _LEADS:
            return following.lower not in _FUNCTION or following.lower in _LAST
        if following.lower not in _LEADS:
            return False
    return False


_ORG_STOP: Final = frozenset("bv b.v nv vof straat laan weg plein".split())


def _sure_alone(word: Word, count: int) -> bool:
    return (
        word.lower in _FIRST or word.lower in _LAST or count > 1
    ) and word.lower not in _FUNCTION


def _at_start(view: View, start: int) -> bool:
    """Say whether a sentence starts here, so that a capital says nothing."""
    before = view.text[max(0, start - 4) : start].rstrip(" '\"(-*>•")
    return not before or before[-1] in ".!?\n:…" + FILLER or ord(before[-1]) > 0x2600  # noqa: PLR2004


_AND: Final = re.compile(
    rf" ?(?:en|&|\+|und|and|y|ve|i|,) ?(?P<name>{_CAPITAL}(?: (?:{_PARTICLE} ){{0,3}}{_CAPITAL})?)(?=[ ]?(?:$|[.,;:!?)\n(\x00&]| en |\d|, 06))"
)


def _paired(view: View, found: Found) -> None:
    """Find the name that is joined to another: "Hugo en Annemiek"."""
    for _, end in found.of("persoon"):
        match = _AND.match(view.text, end)
        if match is None:
            continue
        first = match["name"].split()[0].lower()
        joined = match[0].strip()[0] != ","
        if first in _FIRST or (
            joined
            and first not in _VOCABULARY
            and first not in _FUNCTION
            and not _known_place(first)
        ):
            if not is_street(match["name"]) and not _ORG_END.search(match["name"].lower()):
                _add(view, found, *match.span("name"))


# -- signatures ----------------------------------------------------------------------------------

_TAIL_NAME: Final = re.compile(
    rf"(?:^|[.!?…\n)]|\w \n?|\d )[ \n]*(?P<name>{_CAPITAL}(?: (?:{_PARTICLE} ){{0,3}}{_CAPITAL}){{1,3}})(?P<rest>,? ?[^\n.]{{0,30}})[ .]*$"
)
_PLACE_BEHIND: Final = re.compile(r"(?:[,/-] ?|\(|\s(?:uit|te) )")


def _last_lines(view: View, found: Found) -> None:
    """Find a name that is a line of its own at the end, or closes the last sentence."""
    tail = view.text.rstrip()
    lines_from_end = 0
    end = len(tail)
    while end > 0 and lines_from_end < 4:  # noqa: PLR2004
        start = tail.rfind("\n", 0, end) + 1
        line = tail[start:end].strip(" ,-*_~.")
        offset = tail.find(line, start) if line else start
        if line and start > 0 and len(line) <= _LONGEST_LINE:
            _line_name(view, found, offset, line)
        if line:
            lines_from_end += 1
        end = start - 1
    last = _TAIL_NAME.search(tail[-120:])
    if last and max(0, len(tail) - 120) + last.start("name") > 0:
        start = max(0, len(tail) - 120) + last.start("name")
        _closing_name(view, found, start, last["name"])


def _line_name(view: View, found: Found, offset: int, line: str) -> None:
    named = _LINE_NAME.match(line)
    if not named:
        return
    rest = line[named.end() :]
    if rest and not re.match(r"[,(/|;-]| [(|/-]| ?\x00", rest):
        return
    parts = named[0].split()
    if not _is_signature(parts, named[0]) or _is_group(view, offset, offset + named.end()):
        return
    end = _signature_end(view, offset, offset + named.end())
    if named_place(Word(parts[0], parts[0].lower(), 0, len(parts[0]))) and len(parts) == 1:
        return
    _add(view, found, offset, end)


def _is_signature(parts: list[str], said: str) -> bool:
    lowers = [part.lower() for part in parts]
    if lowers[0] in _FUNCTION and lowers[0] not in _LEADS or said.isupper() and len(said) <= 4:  # noqa: PLR2004
        return False
    if any(part in _ORG_WORDS for part in lowers) or is_street(lowers[-1]):
        return False
    known = [p for p in lowers if p in _FIRST or p in _LAST or p in _RARE_FIRST or p in _RARE_LAST]
    if len(parts) == 1:
        return bool(known) and lowers[0] not in _VOCABULARY or lowers[0] in _FIRST
    unknown = [p for p in lowers if p not in _VOCABULARY and p not in _PARTICLES]
    return bool(known) or len(unknown) >= len([p for p in lowers if p not in _PARTICLES])


def _closing_name(view: View, found: Found, start: int, name: str) -> None:
    parts = name.split()
    lowers = [part.lower() for part in parts]
    known = lowers[0] in _FIRST or lowers[-1] in _LAST or lowers[0] in _RARE_FIRST
    if (
        known
        and lowers[0] not in _FUNCTION
        and not is_street(lowers[-1])
        and not any(p in _ORG_WORDS for p in lowers)
    ):
        if lowers[0] in _VOCABULARY and lowers[-1] not in _LAST:
            return
        _add(view, found, start, _signature_end(view, start, start + len(name)))


_BEFORE_CONTACT: Final = re.compile(
    rf"(?<![^\W_])(?P<name>(?:{_PARTICLE} )?{_CAPITAL}(?: (?:{_PARTICLE} ){{0,3}}{_CAPITAL}){{0,2}})(?P<gap>(?:, [A-Z][a-z]+)?[ ,:(;\n|/-]{{1,4}}(?:tel\.?(?:efoon)?:? ?|bel(?:len)? ?|mobiel:? ?|t: ?|m: ?|e: ?|op |via )?)$"
)
_AFTER_CONTACT: Final = re.compile(
    rf"[ ,)(;\n|/-]{{1,3}}(?:t\.?n\.?v\.? |van |vragen naar |vraag naar |naar |is van )?(?P<name>{_CAPITAL}(?: (?:{_PARTICLE} ){{0,3}}{_CAPITAL}){{0,2}})"
)


def _beside_numbers(view: View, found: Found) -> None:
    """Find the name beside a telephone number, an address or an account: "Floor Bekkers, 06-..."."""
    for start, end in found.of("telefoon", "e-mail", "iban", "bsn"):
        before = _BEFORE_CONTACT.search(view.text[max(0, start - 60) : start])
        if before:
            since = max(0, start - 60) + before.start("name")
            _contact(view, found, since, before["name"])
        after = _AFTER_CONTACT.match(view.text, end)
        if after:
            _contact(view, found, after.start("name"), after["name"])


def _contact(view: View, found: Found, start: int, name: str) -> None:
    parts = name.split()
    lowers = [part.lower() for part in parts]
    while (
        lowers
        and (lowers[0] in _FUNCTION or lowers[0] in _VOCABULARY and lowers[0] not in _FIRST)
        and lowers[0] not in _LEADS
    ):
        start += len(parts[0]) + 1
        parts, lowers = parts[1:], lowers[1:]
    if not parts or any(p in _ORG_WORDS for p in lowers) or is_street(lowers[-1]):
        return
    said = " ".join(parts)
    known = any(p in _FIRST or p in _RARE_FIRST or p in _LAST for p in lowers)
    if known or (len(parts) > 1 and all(p not in _VOCABULARY or p in _PARTICLES for p in lowers)):
        if _known_place(lowers[0]) and len(parts) == 1:
            return
        _add(view, found, start, _signature_end(view, start, start + len(said)))


def _word_at(view: View, offset: int) -> int | None:
    """Give the number of the first word at or after an offset."""
    seen = view.words
    low, high = 0, len(seen)
    while low < high:
        middle = (low + high) // 2
        if seen[middle].start < offset:
            low = middle + 1
        else:
            high = middle
    return low if low < len(seen) else None
