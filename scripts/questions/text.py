"""The text of a post: HTML to plain text with its paragraphs, lists and code; and its words."""

import re
from html.parser import HTMLParser

_BLOCKS = {
    "p",
    "div",
    "blockquote",
    "ul",
    "ol",
    "table",
    "tr",
    "hr",
    *(f"h{n}" for n in range(1, 7)),
}
_DROPPED = {"script", "style"}
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s{2,}|[^\S ]")  # a single blank stays as it is
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_TIDY = (
    (re.compile(r" {2,}"), " "),
    (re.compile(r" ?\n ?"), "\n"),
    (re.compile(r"^(-|\d+\.)\n+", re.M), r"\1 "),  # a paragraph in an item of a list
    (re.compile(r"\n{3,}"), "\n\n"),
)


def words(text: str) -> list[str]:
    """The words of a text in lower case: letters, digits and underscores of any script."""
    return _WORD.findall(text.lower())


class _Text(HTMLParser):
    """Collects the pieces of a text: those of code apart from the others."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[bool, list[str]]] = [
            (False, [])
        ]  # (whether it is code, its pieces)
        self._lists: list[int | None] = []  # of ordered lists the number of the last item
        self._dropped = 0

    def _add(self, piece: str) -> None:
        self.blocks[-1][1].append(piece)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self.blocks.append((True, []))
        elif tag in _BLOCKS:
            self._add("\n" if self._lists else "\n\n")
        if tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._add(f"\n{self._bullet()} ")
        elif tag == "br":
            self._add("\n")
        elif tag == "img":
            self._add(f" {dict(attrs).get('alt') or ''} ")
        elif tag in ("td", "th"):
            self._add(" ")
        elif tag in _DROPPED:
            self._dropped += 1

    def _bullet(self) -> str:
        if not self._lists or (number := self._lists[-1]) is None:
            return "-"
        self._lists[-1] = number + 1
        return f"{number + 1}."

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag == "pre":
            self.blocks.append((False, []))
        elif tag in _BLOCKS and not (self._lists and tag == "p"):
            self._add("\n\n")
        elif tag in _DROPPED:
            self._dropped = max(0, self._dropped - 1)

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self._add(data if self.blocks[-1][0] else _SPACE.sub(" ", data))


def to_text(html: str) -> str:
    """Plain text of HTML.

    Paragraphs and code are set apart by empty lines, items of lists begin with "- " or a number, code keeps its lines and indents, an image
    leaves its alternative text, links and emphasis leave what they enclose. Unclosed tags and unknown entities do no harm.
    """
    if "<" not in html and "&" not in html:
        return html.strip()
    commented, end, rest = html.rpartition("-->")
    html = (_COMMENT.sub("", commented + end) + rest).replace("<!", "&lt;!")
    closed, end, rest = html.rpartition(">")
    parser = _Text()
    parser.feed(
        closed + end + rest.replace("<", "&lt;")
    )  # html.parser takes minutes for some thousand tags that never close
    parser.close()
    return "\n\n".join(
        filter(None, (_tidy(code, "".join(pieces)) for code, pieces in parser.blocks))
    )


def _tidy(code: bool, text: str) -> str:
    """A block without superfluous white space."""
    if code:
        return text.strip("\n").rstrip()
    for pattern, better in _TIDY:
        text = pattern.sub(better, text)
    return text.strip()
