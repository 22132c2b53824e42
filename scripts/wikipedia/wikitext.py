"""What can be had from wikitext without parsing it: links, categories, a review score, the text of templates' slices.

Markup that must be understood (the values of an infobox) is for `scripts.wikipedia.infobox`.
"""

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from scripts.wikipedia.interwiki import PREFIXES

# comments, and content that MediaWiki does not read as wikitext
_NAMES = "nowiki|pre|math|gallery|syntaxhighlight|source|score|timeline|imagemap|chem|ce|hiero|graph|templatedata|inputbox"
_OPAQUE = re.compile(rf"<!--|<({_NAMES})(?:\s[^<>]*)?(?<!/)>", re.IGNORECASE)
_REFERENCE = re.compile(r"<(ref)\b[^<>]*>", re.IGNORECASE)
# a link's text may hold single brackets, and no link: the file around a caption with links is no match, the links are
_LINK = re.compile(
    r"\[\[([^\[\]{}|<>\n]+)(?:\]\]|\|(?=[^\[\]]*(?:(?:\](?!\])|\[(?!\[))[^\[\]]*)*\]\]))"
)
_BRACES = re.compile(r"\{\{|\}\}")
_ROTTEN = re.compile(r"Rotten\s+Tomatoes", re.IGNORECASE)
_PROSE = re.compile(
    r"\{\{\s*(?:Rotten Tomatoes prose|RT prose|RT)\s*\|\s*(?:1\s*=\s*)?(\d{1,3})\s*[|}]",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3})(?:\s|&nbsp;)?(?:%|percent\b|per cent\b)")
_OTHERS = re.compile(r"Metacritic|CinemaScore|PostTrak|audience|\n\s*\n", re.IGNORECASE)
# templates that only stand on disambiguations, here and in some other Wikipedias; {{disambiguation needed}} is none
_DISAMBIGUATION = re.compile(
    rb"\{\{\s*(?:[\w \-]*disambig(?:uation)?(?: page)?|dab|disamb|hndis|geodis|numberdis|mil-?unit-?dis|begriffskl\xc3\xa4rung|homonymie"
    rb"|desambiguaci\xc3\xb3n|disambigua|dp|doorverwijzing)\s*[|}]",
    re.IGNORECASE,
)
FILE, CATEGORY = 6, 14  # keys of their namespaces
DISAMBIGUATION_BYTES = 4096  # at the end of a page, where the template stands
SCORE_AFTER, SCORE_BEFORE = 250, 120  # characters from the name in which the percentage stands


def clean(text: str) -> str:
    """A text without comments, nowiki and other content that is no wikitext."""
    return _without(text, _OPAQUE) if "<" in text else text


def drop_references(cleaned: str) -> str:
    """A text without its footnotes."""
    return _without(cleaned, _REFERENCE) if "<ref" in cleaned.lower() else cleaned


def _without(text: str, opening: re.Pattern[str]) -> str:
    """A text without what stands from each opening to its end.

    What is never closed stays. That is found out once for each tag: a regular expression for both ends would read the rest of the
    page for each opening, which takes hours where someone wrote a million of them.
    """
    kept, at, place = [], 0, 0
    unclosed = set[str]()
    while found := opening.search(text, place):
        end, tag = found.end(), (found[1] or "").lower()
        place = end
        if not found[0].endswith("/>"):
            closing = None if tag in unclosed else _closing(tag).search(text, end)
            if not closing:
                unclosed.add(tag)
                continue
            end = closing.end()
        kept.append(text[at : found.start()])
        at = place = end
    return "".join([*kept, text[at:]])


@lru_cache
def _closing(tag: str) -> re.Pattern[str]:
    return re.compile(rf"</{tag}\s*>" if tag else "-->", re.IGNORECASE)


def normal_title(target: str) -> str:
    """The title that a link leads to: blanks for underscores, first letter upper, no section; empty for a link within the page."""
    title = target.partition("#")[0]
    if "&" in title:
        title = html.unescape(title)
    if "%" in title:
        title = unquote(title)
    title = " ".join(title.replace("_", " ").split()).removeprefix(":").lstrip()
    return title[:1].upper() + title[1:]


def is_disambiguation(page: bytes) -> bool:
    """Whether a page only lists articles of one name."""
    return _DISAMBIGUATION.search(page, max(0, len(page) - DISAMBIGUATION_BYTES)) is not None


class Wiki:
    """What a wiki calls its namespaces, so that links to articles are told from others."""

    def __init__(self, namespaces: dict[int, str]) -> None:
        names = {
            *namespaces.values(),
            "Media",
            "Special",
            "Talk",
            "User",
            "Wikipedia",
            "Project",
            "File",
            "Image",
            "MediaWiki",
            "Template",
        }
        names |= {"Help", "Category", "Portal", "Draft", "Module", "TimedText", "WP"}
        self._others = (
            PREFIXES | {name.lower() for name in names} | {f"{name.lower()} talk" for name in names}
        )
        categories = "|".join(
            re.escape(name) for name in sorted({"Category", namespaces.get(CATEGORY, "Category")})
        )
        self._hidden = {
            name.lower()
            for name in (
                "Category",
                "File",
                "Image",
                "Media",
                *map(namespaces.get, (CATEGORY, FILE)),
            )
            if name
        }
        self._category = re.compile(
            rf"\[\[[ _]*(?:{categories})[ _]*:([^\[\]{{}}|<>\n]+)", re.IGNORECASE
        )
        self._article = lru_cache(2**14)(self._title)

    def _title(self, target: str) -> str:
        title = normal_title(target)
        prefix, colon, _ = title.partition(":")
        return "" if colon and prefix.strip().lower() in self._others else title

    def article(self, target: str) -> str:
        """The title of the article that a link's target names; empty where it is none (a file, a category, another wiki, a section)."""
        return self._article(target)

    def is_hidden(self, target: str) -> bool:
        """Whether a link stands for a file or a category, and not for words of the text."""
        prefix, colon, _ = target.partition(":")
        return bool(colon) and prefix.strip().lower() in self._hidden

    def links(self, cleaned: str) -> list[str]:
        """Titles of the articles that a text links to, each once, in the order of their first link.

        Args:
            cleaned: wikitext that went through `clean`.
        """
        titles = dict.fromkeys(map(self._article, _LINK.findall(cleaned)))
        titles.pop("", None)
        return list(titles)

    def categories(self, cleaned: str) -> list[str]:
        """The categories of a page, each once, in order, without the word Category."""
        titles = dict.fromkeys(normal_title(target) for target in self._category.findall(cleaned))
        titles.pop("", None)
        return list(titles)


def template_name(name: str) -> str:
    """The name of a template as its page is called: blanks for underscores, first letter upper."""
    return normal_title(
        re.sub(r"^\s*:?\s*template\s*:", "", name.replace("_", " "), flags=re.IGNORECASE)
    )


def find_template(cleaned: str, pattern: re.Pattern[str]) -> str | None:
    """The first template that a pattern of openings matches, from its braces to theirs; None where there is none or it is never closed."""
    opening = pattern.search(cleaned)
    if not opening:
        return None
    depth = 0
    for brace in _BRACES.finditer(cleaned, opening.start()):
        depth += 1 if brace[0] == "{{" else -1
        if depth == 0:
            return cleaned[opening.start() : brace.end()]
    return None


def opening_of(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern for the openings of templates of some names.

    Their case does not matter. MediaWiki minds that of all letters but the first, and Wikipedia has redirects such as Infobox Film.
    """
    return re.compile(
        rf"\{{\{{[\s_]*(?:template\s*:\s*)?(?:{'|'.join(map(_name_pattern, names))})[\s_]*(?=[|}}])",
        re.IGNORECASE,
    )


def mention_of(names: Iterable[str]) -> re.Pattern[bytes]:
    """A pattern over the bytes of a page in which one of some templates may be: fast, and true too often rather than too rarely."""
    escaped = "|".join(
        _name_pattern(html.escape(name, quote=False).replace('"', "&quot;")) for name in names
    )
    start = rb"\{\{(?:[\s_]|&lt;!--[^&]*--&gt;)*(?:template\s*:\s*)?"
    return re.compile(start + rb"(?:" + escaped.encode("utf8") + rb")", re.IGNORECASE)


def _name_pattern(name: str) -> str:
    first = "|".join(
        dict.fromkeys(map(re.escape, (name[0].upper(), name[0].lower())))
    )  # bytes know the case of ASCII only
    return f"(?:{first})" + r"[ _]+".join(map(re.escape, name[1:].split(" ")))


def rotten_tomatoes(cleaned: str) -> int | None:
    """The percentage that a text gives with the name Rotten Tomatoes, 0 to 100; None where it gives none."""
    if not _ROTTEN.search(cleaned):
        return None
    text = drop_references(cleaned)
    if (prose := _PROSE.search(text)) and int(prose[1]) <= 100:
        return int(prose[1])
    for name in _ROTTEN.finditer(text):
        after = _OTHERS.split(text[name.end() : name.end() + SCORE_AFTER])[0]
        before = re.split(
            r"\.\s|\n", _OTHERS.split(text[max(0, name.start() - SCORE_BEFORE) : name.start()])[-1]
        )[-1]
        for found in [*_PERCENT.findall(after)[:1], *_PERCENT.findall(before)[-1:]]:
            if int(found) <= 100:
                return int(found)
    return None
