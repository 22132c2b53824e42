"""The properties of an infobox as plain text, by mwparserfromhell: of a page, only the infobox is parsed."""

import re
from typing import Any

from scripts.files import need
from scripts.wikipedia.templates import render

Properties = dict[str, str | list[str]]

_SPACES = re.compile(r"[^\S\n]+")
_BULLETS = re.compile(r"(?:[*#:;]+\s|\*+)")
_BREAKS = {"br", "li", "dd", "dt", "hr", "p", "tr", "div"}
_DROPPED = {"ref", "gallery", "math", "timeline", "style", "templatestyles", "score"}
_FILE = re.compile(
    r"\s*:?\s*(?:file|image|media|category|datei|bild|fichier|archivo|imagen|immagine)\s*:",
    re.IGNORECASE,
)


def parser() -> Any:
    """The library that parses wikitext.

    Raises:
        ValueError: "mwparserfromhell is not installed ...".
    """
    return need("mwparserfromhell", "wikipedia")


def properties(template: str) -> Properties:
    """The properties that an infobox gives a value.

    Args:
        template: its wikitext, from its braces to theirs.

    Returns:
        {"director": "Akira Kurosawa", "starring": ["Toshiro Mifune", ...]}: a list where the markup makes one (line breaks, bullets,
        templates such as ubl), in the infobox's order. A property given twice has its last value, as in MediaWiki.
    """
    parsed = parser().parse(template, skip_style_tags=True).filter_templates(recursive=False)
    return of_template(parsed[0]) if parsed else {}


def of_template(template: Any) -> Properties:
    """The same of a template that is already parsed."""
    found: Properties = {}
    for param in template.params:
        name = _text(param.name).strip()
        items = _items(_text(param.value))
        if items and name and param.showkey:
            found[name] = items[0] if len(items) == 1 else items
    return found


def _items(text: str) -> list[str]:
    """The lines of a value, without bullets and markup of bold and italics, that hold anything."""
    text = text.replace("'''", "").replace("''", "")
    lines = (_line(line) for line in text.split("\n"))
    return [line for line in lines if line and any(map(str.isalnum, line))]


def _line(line: str) -> str:
    line = _SPACES.sub(" ", line).strip()
    if bullets := _BULLETS.match(line):
        line = line[bullets.end() :]
    return line.strip().rstrip(",").rstrip()


def _text(code: Any) -> str:
    """What a reader sees of parsed wikitext."""
    return "".join(map(_node_text, code.nodes))


def _node_text(node: Any) -> str:
    kind = type(node).__name__
    if kind == "Text":
        return str(node.value)
    if kind == "Wikilink":
        if _FILE.match(str(node.title)):
            return ""
        return _text(node.text) if node.text is not None else _text(node.title).replace("_", " ")
    if kind == "Template":
        return render(
            str(node.name), [_text(param.value) for param in node.params if not param.showkey]
        )
    if kind == "Tag":
        return _tag_text(node)
    if kind == "ExternalLink":
        return _text(node.title) if node.title is not None else ""
    if kind == "HTMLEntity":
        return str(node.normalize())
    if kind == "Argument":
        return _text(node.default) if node.default is not None else ""
    if kind == "Heading":
        return _text(node.title)
    return ""  # a comment


def _tag_text(node: Any) -> str:
    name = str(node.tag).strip().lower()
    if name in _DROPPED:
        return ""
    inner = _text(node.contents) if node.contents is not None and not node.self_closing else ""
    return f"\n{inner}" if name in _BREAKS else inner
