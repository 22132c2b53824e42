"""The text of a post: HTML to plain text with its paragraphs, lists and code; and its words."""

import re
from html.parser import HTMLParser

_BLOCKS = {"p", "div", "blockquote", "ul", "ol", "table", "tr", "hr", *(f"h{n}" for n in range(1, 7))}
_DROPPED = {"script", "style"}
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")
_LINES = re.compile(r" *\n *")
_EMPTY_LINES = re.compile(r"\n{3,}")


def words(text: str) -> list[str]:
    """The words of a text in lower case: letters, digits and underscores of any script."""
    return _WORD.findall(text.lower())


class _Text(HTMLParser):
    """Collects text: a blank line between blocks, "- " or a number in front of list items, code as it stands."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._lists: list[int | None] = []  # of ordered lists the number of the last item
        self._code = 0  # depth of <pre>
        self._dropped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS or tag == "pre":
            self.pieces.append("\n\n" if not (self._lists and tag in ("p", "ul", "ol")) else "\n")
        if tag == "pre":
            self._code += 1
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self.pieces.append(f"\n{self._bullet()} ")
        elif tag == "br":
            self.pieces.append("\n")
        elif tag == "img":
            self.pieces.append(f" {dict(attrs).get('alt') or ''} ")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        elif tag in _DROPPED:
            self._dropped += 1

    def _bullet(self) -> str:
        if not self._lists or (number := self._lists[-1]) is None:
            return "-"
        self._lists[-1] = number + 1
        return f"{number + 1}."

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._code = max(0, self._code - 1)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag in _DROPPED:
            self._dropped = max(0, self._dropped - 1)
        if tag == "pre" or tag in _BLOCKS:
            self.pieces.append("\n\n" if not (self._lists and tag == "p") else "")

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self.pieces.append(data if self._code else _SPACE.sub(" ", data))


def to_text(html: str) -> str:
    """Plain text of HTML.

    Paragraphs are set apart by an empty line, items of lists begin with "- " or a number, code keeps its lines, an image leaves its
    alternative text, links and emphasis leave what they enclose. Unclosed tags and unknown entities do no harm.
    """
    if "<" not in html and "&" not in html:
        return html.strip()
    parser = _Text()
    parser.feed(html)
    parser.close()
    text = "".join(parser.pieces)
    lines = text if "<pre" in html else _LINES.sub("\n", text)  # the indents of code stay
    lines = re.sub(r"(?m)^(- |\d+\. )\n+", r"\1", lines)
    return _EMPTY_LINES.sub("\n\n", re.sub(r"[ \t]+$", "", lines, flags=re.M)).strip()
