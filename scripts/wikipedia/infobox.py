"""The properties of an infobox as plain text.

mwparserfromhell parses only the infobox of a page.
"""

import re
from typing import Any

from scripts.files import need
from scripts.wikipedia.templates import render

Properties = dict[str, str | list[str]]

_SPACES = re.compile(r"[^\S\n]+")
_BULLETS = re.compile(r"(?:[*#:;]+\s|\*+)")
_LINE_BREAKS = {"br", "li", "dd", "dt", "hr", "p", "tr", "div"}
_HIDDEN_TAGS = {"ref", "gallery", "math", "timeline", "style", "templatestyles", "score"}
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
    """The properties of an infobox that have a value.

    Args:
        template: its wikitext, from its opening braces to its closing ones.

    Returns:
        {"director": "Akira Kurosawa", "starring": ["Toshiro Mifune", ...]}, in the infobox's order.
        A value is a list where the markup makes one (line breaks, bullets, templates such as ubl).
        A property that is given twice has its last value, as in MediaWiki.
    """
    parsed = parser().parse(template, skip_style_tags=True).filter_templates(recursive=False)
    return parsed_properties(parsed[0]) if parsed else {}


def parsed_properties(template: Any) -> Properties:
    """The properties, as `properties` gives them, of a template of mwparserfromhell."""
    values: Properties = {}
    for param in template.params:
        name = _text(param.name).strip()
        items = _items(_text(param.value))
        if items and name and param.showkey:
            values[name] = items[0] if len(items) == 1 else items
    return values


def _items(text: str) -> list[str]:
    """The lines of a value that are not empty, without bullets, bold and italics."""
    text = text.replace("'''", "").replace("''", "")
    lines = (_line(line) for line in text.split("\n"))
    return [line for line in lines if line and any(map(str.isalnum, line))]


def _line(line: str) -> str:
    """A line without its bullets, and without spaces and a comma around it."""
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
        args = [_text(param.value) for param in node.params if not param.showkey]
        return render(str(node.name), args)
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
    if name in _HIDDEN_TAGS:
        return ""
    inner = _text(node.contents) if node.contents is not None and not node.self_closing else ""
    return f"\n{inner}" if name in _LINE_BREAKS else inner
