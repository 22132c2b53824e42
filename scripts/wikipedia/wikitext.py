"""What wikitext says without parsing it: links, categories, a review score, where a template ends.

Markup that must be understood (the values of an infobox) is for `scripts.wikipedia.infobox`.
"""

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from scripts.wikipedia.interwiki import PREFIXES

# Comments, and tags whose content MediaWiki does not read as wikitext.
_OPAQUE_TAGS = (
    "nowiki|pre|math|gallery|syntaxhighlight|source|score|timeline|imagemap|chem|ce|hiero|graph"
    "|templatedata|inputbox"
)
_OPAQUE = re.compile(rf"<!--|<({_OPAQUE_TAGS})(?:\s[^<>]*)?(?<!/)>", re.IGNORECASE)
_REFERENCE = re.compile(r"<(ref)\b[^<>]*>", re.IGNORECASE)
# The text of a link may hold single brackets, but no link: a file whose caption has links does not
# match, and the links in its caption do.
_LINK = re.compile(
    r"\[\[([^\[\]{}|<>\n]+)(?:\]\]|\|(?=[^\[\]]*(?:(?:\](?!\])|\[(?!\[))[^\[\]]*)*\]\]))"
)
_BRACES = re.compile(r"\{\{|\}\}")
_TEMPLATE_PREFIX = re.compile(r"^\s*:?\s*template\s*:", re.IGNORECASE)
_ROTTEN_TOMATOES = re.compile(r"Rotten\s+Tomatoes", re.IGNORECASE)
_SCORE_TEMPLATE = re.compile(
    r"\{\{\s*(?:Rotten Tomatoes prose|RT prose|RT)\s*\|\s*(?:1\s*=\s*)?(\d{1,3})\s*[|}]",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?<![\d.])(\d{1,3})(?:\s|&nbsp;)?(?:%|percent\b|per cent\b)")
# A percentage on the other side of one of these is not that of Rotten Tomatoes.
_OTHER_SCORES = re.compile(r"Metacritic|CinemaScore|PostTrak|audience|\n\s*\n", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\.\s|\n")
# Templates that stand only on disambiguations, in English and some other Wikipedias;
# {{disambiguation needed}} is not one of them.
_DISAMBIGUATION = re.compile(
    rb"\{\{\s*(?:[\w \-]*disambig(?:uation)?(?: page)?|dab|disamb|hndis|geodis|numberdis"
    rb"|mil-?unit-?dis|begriffskl\xc3\xa4rung|homonymie|desambiguaci\xc3\xb3n|disambigua|dp"
    rb"|doorverwijzing)\s*[|}]",
    re.IGNORECASE,
)
FILE, CATEGORY = 6, 14  # keys of their namespaces
DISAMBIGUATION_BYTES = 4096  # at the end of a page, in which the template stands
CHARS_AFTER, CHARS_BEFORE = 250, 120  # around "Rotten Tomatoes", in which the percentage stands
CACHE_SIZE = 2**14  # links whose titles are remembered
_COMMON_NAMESPACES = re.findall(
    r"\w+",
    """Media Special Talk User Wikipedia Project File Image MediaWiki Template Help Category Portal
    Draft Module TimedText WP""",
)


def clean(text: str) -> str:
    """A text without comments, nowiki and other content that is not wikitext."""
    return _remove(text, _OPAQUE) if "<" in text else text


def drop_references(cleaned: str) -> str:
    """A text without its footnotes."""
    return _remove(cleaned, _REFERENCE) if "<ref" in cleaned.lower() else cleaned


def _remove(text: str, opening: re.Pattern[str]) -> str:
    """A text without what stands from each opening tag to its end.

    What is never closed stays. Each tag is searched for its end only until one is missing: a
    regular expression for both ends would read the rest of the page for each opening tag, which
    takes hours where someone wrote a million of them.
    """
    kept, kept_to, place = [], 0, 0
    unclosed = set[str]()
    while match := opening.search(text, place):
        place = match.end()
        if not match[0].endswith("/>"):
            tag = (match[1] or "").lower()
            closing = None if tag in unclosed else _closing(tag).search(text, place)
            if not closing:
                unclosed.add(tag)
                continue
            place = closing.end()
        kept.append(text[kept_to : match.start()])
        kept_to = place
    return "".join([*kept, text[kept_to:]])


@lru_cache
def _closing(tag: str) -> re.Pattern[str]:
    return re.compile(rf"</{tag}\s*>" if tag else "-->", re.IGNORECASE)


def normal_title(target: str) -> str:
    """The title of the page that a link leads to; empty for a link within its own page.

    Underscores become spaces, the first letter upper case; a section is dropped.
    """
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
    """The names of a wiki's namespaces, which tell links to articles from other links.

    Args:
        namespaces: names by key; English names are known anyway.
    """

    def __init__(self, namespaces: dict[int, str]) -> None:
        names = {name.lower() for name in {*namespaces.values(), *_COMMON_NAMESPACES}}
        self._not_articles = PREFIXES | names | {f"{name} talk" for name in names}
        category = namespaces.get(CATEGORY, "Category")
        hidden = {"Category", "File", "Image", "Media", category, namespaces.get(FILE, "File")}
        self._hidden = {name.lower() for name in hidden if name}
        categories = "|".join(map(re.escape, sorted({"Category", category})))
        self._category = re.compile(
            rf"\[\[[ _]*(?:{categories})[ _]*:([^\[\]{{}}|<>\n]+)", re.IGNORECASE
        )
        self._article = lru_cache(CACHE_SIZE)(self._title)

    def _title(self, target: str) -> str:
        title = normal_title(target)
        prefix, colon, _ = title.partition(":")
        return "" if colon and prefix.strip().lower() in self._not_articles else title

    def article(self, target: str) -> str:
        """The title of the article that a link leads to.

        Empty where it leads elsewhere: to a file, a category, another wiki, a section.
        """
        return self._article(target)

    def is_hidden(self, target: str) -> bool:
        """Whether a link leads to a file or a category, and so shows no words in the text."""
        prefix, colon, _ = target.partition(":")
        return bool(colon) and prefix.strip().lower() in self._hidden

    def links(self, cleaned: str) -> list[str]:
        """Titles of the articles that a text links to, each once, in the order of first links.

        Args:
            cleaned: wikitext that went through `clean`.
        """
        titles = dict.fromkeys(map(self._article, _LINK.findall(cleaned)))
        titles.pop("", None)
        return list(titles)

    def categories(self, cleaned: str) -> list[str]:
        """The categories of a page, each once, in order, without the word Category."""
        titles = dict.fromkeys(map(normal_title, self._category.findall(cleaned)))
        titles.pop("", None)
        return list(titles)


def template_name(name: str) -> str:
    """The title of a template's page: underscores become spaces, the first letter upper case."""
    return normal_title(_TEMPLATE_PREFIX.sub("", name.replace("_", " ")))


def find_template(cleaned: str, pattern: re.Pattern[str]) -> str | None:
    """The first template whose opening matches a pattern, with its braces.

    None where there is none, or where it is never closed.
    """
    opening = pattern.search(cleaned)
    if not opening:
        return None
    depth = 0
    for brace in _BRACES.finditer(cleaned, opening.start()):
        depth += 1 if brace[0] == "{{" else -1
        if depth == 0:
            return cleaned[opening.start() : brace.end()]
    return None


def opening_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern for the openings of templates with some names.

    Case is ignored: MediaWiki minds that of all letters except the first, and Wikipedia has
    redirects such as Infobox Film.
    """
    any_name = "|".join(map(_name_pattern, names))
    return re.compile(
        rf"\{{\{{[\s_]*(?:template\s*:\s*)?(?:{any_name})[\s_]*(?=[|}}])", re.IGNORECASE
    )


def mention_pattern(names: Iterable[str]) -> re.Pattern[bytes]:
    """A pattern for the bytes of a page that may hold one of some templates.

    It is fast, and may match a page without the template, but never misses one with it.
    """
    escaped = (html.escape(name, quote=False).replace('"', "&quot;") for name in names)
    any_name = "|".join(map(_name_pattern, escaped)).encode("utf8")
    start = rb"\{\{(?:[\s_]|&lt;!--[^&]*--&gt;)*(?:template\s*:\s*)?"
    return re.compile(start + rb"(?:" + any_name + rb")", re.IGNORECASE)


def _name_pattern(name: str) -> str:
    # Patterns for bytes know upper and lower case of ASCII only.
    first = "|".join(dict.fromkeys(map(re.escape, (name[0].upper(), name[0].lower()))))
    return f"(?:{first})" + r"[ _]+".join(map(re.escape, name[1:].split(" ")))


def rotten_tomatoes(cleaned: str) -> int | None:
    """The percentage that a text gives near the name Rotten Tomatoes, 0 to 100; None without."""
    if not _ROTTEN_TOMATOES.search(cleaned):
        return None
    text = drop_references(cleaned)
    template = _SCORE_TEMPLATE.search(text)
    if template and int(template[1]) <= 100:
        return int(template[1])
    for name in _ROTTEN_TOMATOES.finditer(text):
        score = _score_near(text, name.start(), name.end())
        if score is not None:
            return score
    return None


def _score_near(text: str, start: int, end: int) -> int | None:
    """The first percentage after a name in a text, or else the last before it in its sentence."""
    after = _OTHER_SCORES.split(text[end : end + CHARS_AFTER])[0]
    before = _OTHER_SCORES.split(text[max(0, start - CHARS_BEFORE) : start])[-1]
    sentence = _SENTENCE_END.split(before)[-1]
    for percentage in [*_PERCENT.findall(after)[:1], *_PERCENT.findall(sentence)[-1:]]:
        if int(percentage) <= 100:
            return int(percentage)
    return None
