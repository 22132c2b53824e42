"""What a reader sees of the templates that stand in values and sentences. A dump holds their names and arguments, not what they make."""

import re
from collections.abc import Sequence


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


LISTS = _names(
    """plainlist, plain list, flatlist, flat list, indented plainlist, ubl, unbulleted list, ubt, hlist, bulleted list, ordered list,
    br separated entries, collapsible list, cslist, comma separated entries, pagelist"""
)
# and all others whose names end in date
DATES = _names(
    "dts, date, start-date, start date and age, end date and age, birth date and age, death date and age"
)
UNITS = _names("convert, cvt")
FIRST = _names(
    "nihongo, abbr, tooltip, abbrlink, sic, inrconvert, ill, interlanguage link, based on, duration link"
)
SECOND = _names("lang, langx, transl, transliteration, color, colour, font color")
FIRST_TWO = _names("sortname")
MONEY = {
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
MONEY |= {sign: sign for sign in "$£€₹¥"}
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
NOTHING = _names(
    """-, efn, refn, sfn, sfnp, harv, harvnb, r, rp, ref, note, ref label, note label, cref, flagicon, flag icon, flagdeco, citation, cn,
    fact, citation needed, clarify, update, who, when, dubious, coord, main, see also, short description, anchor, defaultsort, reflist,
    notelist, portal, authority control, br, clear"""
)
_NOTHING_BEGINS = ("cite ", "infobox", "taxobox", "navbox", "use ", "pp-")
_RANGE = {"to", "-", "–", "and", "or", "x", "by", "to(-)", "×"}
_NUMBER = re.compile(r"\d+")


def render(name: str, args: Sequence[str]) -> str:
    """The text that a template stands for, as far as it is known: lists have their items on lines of their own, dates are ISO's.

    Args:
        name: of the template, as written.
        args: what stands in it without a name, in order, as plain text.
    """
    key = " ".join(name.replace("_", " ").split()).lower()
    args = [arg.strip() for arg in args]
    if key in SIGNS:
        return SIGNS[key]
    if key in NOTHING or key.startswith(_NOTHING_BEGINS) or not args:
        return ""
    if key in LISTS:
        return "\n".join(
            ["", *filter(None, args), ""]
        )  # what stands beside a list is no item of it
    if key in DATES or key.endswith(" date"):
        return _date(args)
    if key in UNITS:
        n = 4 if len(args) > 3 and args[1] in _RANGE else 2
        return " ".join(args[:n])
    if key in MONEY:
        return MONEY[key] + args[0]
    if key in FIRST_TWO:
        return " ".join(args[:2])
    if key in SECOND:
        return args[1] if len(args) > 1 else args[0]
    if key in FIRST or len(args) == 1:
        return args[0]
    return ""


def _date(args: Sequence[str]) -> str:
    """The first date among arguments such as 1994, 9, 23, Canada: 1994-09-23; what it is where there is none."""
    numbers = []
    for arg in args[:3]:
        if not _NUMBER.fullmatch(arg):
            break
        numbers.append(int(arg))
    if not numbers:
        return args[0]
    year, *rest = numbers
    return "-".join([f"{year:04}", *(f"{number:02}" for number in rest)])
