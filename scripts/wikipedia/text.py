"""The plain text of pages, as raw texts for `ner` and `vectors`. Regular expressions: a parser takes ten times as long."""

import html
import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from scripts.wikipedia.dump import Head, parse_revision
from scripts.wikipedia.extract import Make, Record
from scripts.wikipedia.templates import render
from scripts.wikipedia.wikitext import Wiki, clean, drop_references, normal_title

Unit = Literal["paragraph", "page"]

_TEMPLATE = re.compile(r"\{\{((?:[^{}]|\{(?!\{)|\}(?!\}))*)\}\}")  # without another in it
_TABLE = re.compile(r"^[ :]*\{\|(?:(?!^[ :]*\{\||\|\}).)*\|\}", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[\[((?:[^\[\]]|\[(?!\[)|\](?!\]))*)\]\]")
_EXTERNAL = re.compile(
    r"\[(?:https?:|ftp:)?//[^\s\[\]]+(?:\s+([^\[\]\n]*(?:\[[^\[\]\n]*\][^\[\]\n]*)*))?\]|\bhttps?://[^\s\[\]]+"
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_HEADING = re.compile(r"^=[^\n]*=[ \t]*$", re.MULTILINE)
_MARKS = re.compile(r"'{2,5}|__[A-Z]+__")
_BULLETS = re.compile(r"^[*#:;]+[ \t]*", re.MULTILINE)
_CELLS = re.compile(r"^[ \t]*(?:\|[^\n]*|!.*)$", re.MULTILINE)  # what is left of broken tables
_SPACES = re.compile(r"[^\S\n]+")
_GAPS = re.compile(r" +(?=[,.;:!?)])|(?<=\() +")
_EMPTY_BRACKETS = re.compile(r"\(\s*(?:[,;:]\s*)*\)")
MOST_NESTED = 12  # templates in templates


def plain_text(wikitext: str, wiki: Wiki) -> list[str]:
    """The paragraphs of a page as a reader sees them, without headings, tables, references, and boxes."""
    text = drop_references(clean(wikitext))
    text = _until_same(_TEMPLATE, lambda found: _template(found[1]), text)
    text = _until_same(_TABLE, lambda found: "", text)
    text = _until_same(_LINK, lambda found: _link(found[1], wiki), text)
    text = _EXTERNAL.sub(lambda found: found[1] or "", text)
    for pattern in (_TAG, _HEADING, _MARKS, _CELLS):
        text = pattern.sub("\n" if pattern is _HEADING else "", text)
    text = html.unescape(_BULLETS.sub("", text)).replace("\xa0", " ")
    text = _GAPS.sub("", _SPACES.sub(" ", _EMPTY_BRACKETS.sub("", text)))
    return [line for line in map(str.strip, text.split("\n")) if any(map(str.isalpha, line))]


def _until_same(pattern: re.Pattern[str], replace: "re._MatchReplacement", text: str) -> str:  # type: ignore[name-defined]
    """Replace the innermost, then what holds them."""
    for _ in range(MOST_NESTED):
        text, n = pattern.subn(replace, text)
        if not n:
            break
    return text


def _template(inner: str) -> str:
    if "\n" in inner.strip():
        return ""  # a box, not a part of a sentence
    name, *args = inner.split("|")
    text = render(name, [arg for arg in args if "=" not in arg])
    return ", ".join(text.strip("\n").split("\n"))


def _link(inner: str, wiki: Wiki) -> str:
    """What a link shows: nothing for files, categories, and other languages, which stand elsewhere on the page."""
    target, *rest = inner.split("|")
    if wiki.is_hidden(target) or not (
        rest or target.startswith((":", "#")) or wiki.article(target)
    ):
        return ""
    return rest[-1] if rest and rest[-1] else target.lstrip(":#")


def texts_of_pages(unit: Unit, least: int, titles: frozenset[str], of_wiki: dict[int, str]) -> Make:
    """What makes the texts of a page: one, or one for each paragraph of at least some characters."""
    wiki = Wiki(of_wiki)

    def make(head: Head, page: bytes, counts: Counter[str]) -> Iterator[Record]:
        if titles and head.title not in titles:
            return
        paragraphs = plain_text(parse_revision(page).text, wiki)
        texts = ["\n".join(paragraphs)] if unit == "page" else paragraphs
        for text in texts:
            if len(text) >= least:
                counts["characters"] += len(text)
                yield {"text": text, "meta": {"title": head.title, "page_id": head.page_id}}

    return make


def title_of_line(line: str) -> str:
    """A title as a user writes it, or as a link: underscores are blanks."""
    return normal_title(line)
