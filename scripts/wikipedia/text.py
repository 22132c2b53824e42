"""The plain text of pages. Regular expressions do it: a parser takes ten times as long."""

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.reading import read_lines
from scripts.wikipedia.dump import PageHead, parse_revision
from scripts.wikipedia.options import Unit
from scripts.wikipedia.records import MakeRecords, Record
from scripts.wikipedia.templates import render
from scripts.wikipedia.wikitext import Wiki, clean, drop_references, normal_title

_TEMPLATE = re.compile(r"\{\{((?:[^{}]|\{(?!\{)|\}(?!\}))*)\}\}")  # without another in it
_TABLE = re.compile(r"^[ :]*\{\|(?:(?!^[ :]*\{\||\|\}).)*\|\}", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[\[((?:[^\[\]]|\[(?!\[)|\](?!\]))*)\]\]")
_EXTERNAL_LINK = re.compile(
    r"\[(?:https?:|ftp:)?//[^\s\[\]]+(?:\s+([^\[\]\n]*(?:\[[^\[\]\n]*\][^\[\]\n]*)*))?\]"
    r"|\bhttps?://[^\s\[\]]+"
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_HEADING = re.compile(r"^=[^\n]*=[ \t]*$", re.MULTILINE)
_MARKS = re.compile(r"'{2,5}|__[A-Z]+__")  # bold, italics, and words such as __NOTOC__
_BULLETS = re.compile(r"^[*#:;]+[ \t]*", re.MULTILINE)
_CELLS = re.compile(r"^[ \t]*(?:\|[^\n]*|!.*)$", re.MULTILINE)  # what is left of broken tables
_SPACES = re.compile(r"[^\S\n]+")
_GAPS = re.compile(r" +(?=[,.;:!?)])|(?<=\() +")  # around punctuation
_EMPTY_BRACKETS = re.compile(r"\(\s*(?:[,;:]\s*)*\)")
MAX_NESTED = 12  # templates within templates


def plain_text(wikitext: str, wiki: Wiki) -> list[str]:
    """The paragraphs of a page as a reader sees them.

    Headings, tables, references and boxes are left out.
    """
    text = drop_references(clean(wikitext))
    text = _replace_nested(_TEMPLATE, lambda match: _template_text(match[1]), text)
    text = _replace_nested(_TABLE, lambda match: "", text)
    text = _replace_nested(_LINK, lambda match: _link_text(match[1], wiki), text)
    text = _EXTERNAL_LINK.sub(lambda match: match[1] or "", text)
    text = _HEADING.sub("\n", _TAG.sub("", text))
    text = _CELLS.sub("", _MARKS.sub("", text))
    text = html.unescape(_BULLETS.sub("", text)).replace("\xa0", " ")
    text = _GAPS.sub("", _SPACES.sub(" ", _EMPTY_BRACKETS.sub("", text)))
    return [line for line in map(str.strip, text.split("\n")) if any(map(str.isalpha, line))]


def _replace_nested(
    pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str
) -> str:
    """Replace the innermost matches, then those that held them, and so on."""
    for _ in range(MAX_NESTED):
        text, n_replaced = pattern.subn(replace, text)
        if not n_replaced:
            break
    return text


def _template_text(inner: str) -> str:
    """What a template shows within a sentence."""
    if "\n" in inner.strip():
        return ""  # a box, which is not a part of a sentence
    name, *args = inner.split("|")
    text = render(name, [arg for arg in args if "=" not in arg])
    return ", ".join(text.strip("\n").split("\n"))


def _link_text(inner: str, wiki: Wiki) -> str:
    """What a link shows: nothing for files, categories and other wikis."""
    target, *rest = inner.split("|")
    if wiki.is_hidden(target):
        return ""
    if not rest and not target.startswith((":", "#")) and not wiki.article(target):
        return ""
    return rest[-1] if rest and rest[-1] else target.lstrip(":#")


def article_texts(
    unit: Unit, min_chars: int, titles: frozenset[str], namespaces: dict[int, str]
) -> MakeRecords:
    """A function that makes the texts of an article's page.

    Args:
        unit: a text for each paragraph, or for the page.
        min_chars: shorter texts are left out.
        titles: of the pages that are wanted; empty for all.
        namespaces: of the wiki.
    """
    wiki = Wiki(namespaces)

    def make_texts(head: PageHead, page: bytes, counts: Counter[str]) -> Iterator[Record]:
        if titles and head.title not in titles:
            return
        paragraphs = plain_text(parse_revision(page).text, wiki)
        texts = ["\n".join(paragraphs)] if unit == "page" else paragraphs
        for text in texts:
            if len(text) >= min_chars:
                counts["characters"] += len(text)
                yield {"text": text, "meta": {"title": head.title, "page_id": head.page_id}}

    return make_texts


def read_titles(path: Path) -> frozenset[str]:
    """The titles in a file, one per line, as a user writes them or as in a link."""
    return frozenset(normal_title(line) for _, line in read_lines(path) if line.strip())
