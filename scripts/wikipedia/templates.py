"""The text that a reader sees of the templates that stand in values and sentences.

A dump holds their names and arguments, not what they expand to.
"""

import re
from collections.abc import Sequence


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


LISTS = _names(
    """plainlist, plain list, flatlist, flat list, indented plainlist, ubl, unbulleted list, ubt,
    hlist, bulleted list, ordered list, br separated entries, collapsible list, cslist,
    comma separated entries, pagelist"""
)
# These, and all others whose names end in date.
DATES = _names(
    """dts, date, start-date, start date and age, end date and age, birth date and age,
    death date and age"""
)
UNITS = _names("convert, cvt")
FIRST_ARGUMENT = _names(
    """nihongo, abbr, tooltip, abbrlink, sic, inrconvert, ill, interlanguage link, based on,
    duration link"""
)
SECOND_ARGUMENT = _names("lang, langx, transl, transliteration, color, colour, font color")
FIRST_TWO_ARGUMENTS = _names("sortname")
CURRENCIES = {
    "us$": "US$",
    "usd": "US$",
    "a$": "A$",
    "aud": "A$",
    "ca$": "CA$",
    "cad": "CA$",
    "gbp": "£",
    "eur": "€",
    "inr": "₹",
    "jpy": "¥",
}
CURRENCIES |= {sign: sign for sign in "$£€₹¥"}
SIGNS = {
    "!": "|",
    "=": "=",
    "ndash": "–",
    "mdash": "—",
    "snd": " – ",
    "spnd": " – ",
    "nbsp": " ",
    "·": " · ",
    "dot": " · ",
    "•": " • ",
}
HIDDEN = _names(
    """-, efn, refn, sfn, sfnp, harv, harvnb, r, rp, ref, note, ref label, note label, cref,
    flagicon, flag icon, flagdeco, citation, cn, fact, citation needed, clarify, update, who, when,
    dubious, coord, main, see also, short description, anchor, defaultsort, reflist, notelist,
    portal, authority control, br, clear"""
)
_HIDDEN_PREFIXES = ("cite ", "infobox", "taxobox", "navbox", "use ", "pp-")
_RANGE = {"to", "-", "–", "and", "or", "x", "by", "to(-)", "×"}
_NUMBER = re.compile(r"\d+")


def render(name: str, args: Sequence[str]) -> str:
    """The text that a template shows, as far as it is known.

    The items of a list have lines of their own; dates are in ISO format.

    Args:
        name: of the template, as written.
        args: its arguments without a name, in order, as plain text.
    """
    key = " ".join(name.replace("_", " ").split()).lower()
    args = [arg.strip() for arg in args]
    if key in SIGNS:
        return SIGNS[key]
    if key in HIDDEN or key.startswith(_HIDDEN_PREFIXES) or not args:
        return ""
    if key in LISTS:
        # The empty lines keep what stands around a list out of its items.
        return "\n".join(["", *filter(None, args), ""])
    if key in DATES or key.endswith(" date"):
        return _date(args)
    if key in UNITS:
        is_range = len(args) > 3 and args[1] in _RANGE
        return " ".join(args[: 4 if is_range else 2])
    if key in CURRENCIES:
        return CURRENCIES[key] + args[0]
    if key in FIRST_TWO_ARGUMENTS:
        return " ".join(args[:2])
    if key in SECOND_ARGUMENT:
        return args[1] if len(args) > 1 else args[0]
    if key in FIRST_ARGUMENT or len(args) == 1:
        return args[0]
    return ""


def _date(args: Sequence[str]) -> str:
    """The date in arguments such as 1994, 9, 23, Canada: 1994-09-23; without one, the first."""
    numbers = []
    for arg in args[:3]:
        if not _NUMBER.fullmatch(arg):
            break
        numbers.append(int(arg))
    if not numbers:
        return args[0]
    year, *rest = numbers
    return "-".join([f"{year:04}", *(f"{number:02}" for number in rest)])
