"""The text of a post: from HTML to plain text with paragraphs, lists and code, and its words."""

import re
from html.parser import HTMLParser

_BLOCKS = {"p", "div", "blockquote", "ul", "ol", "table", "tr", "hr"}
_BLOCKS |= {f"h{level}" for level in range(1, 7)}
_DROPPED = {"script", "style"}
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s{2,}|[^\S ]")  # a single space stays as it is
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_TIDY = (
    (re.compile(r" {2,}"), " "),
    (re.compile(r" ?\n ?"), "\n"),
    (re.compile(r"^(-|\d+\.)\n+", re.M), r"\1 "),  # a paragraph in a list item
    (re.compile(r"\n{3,}"), "\n\n"),
)


def words(text: str) -> list[str]:
    """The words of a text in lower case: letters, digits and underscores of any script."""
    return _WORD.findall(text.lower())


def spaced(text: str) -> str:
    """The words of a text with a space between them: the input of the saved Keras models."""
    return " ".join(words(text))


class _Text(HTMLParser):
    """Collects the pieces of a text in blocks: a block is either code or other text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        # (whether the block is code, its pieces)
        self.blocks: list[tuple[bool, list[str]]] = [(False, [])]
        # the open lists: the number of the last item, or None for a list without numbers
        self._lists: list[int | None] = []
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

    Empty lines separate paragraphs and code. List items begin with "- " or a number. Code keeps its
    lines and indents. An image becomes its alternative text, links and emphasis become what they
    enclose. Unclosed tags and unknown entities do no harm.
    """
    if "<" not in html and "&" not in html:
        return html.strip()
    parser = _Text()
    parser.feed(_escape_unclosed(html))
    parser.close()
    blocks = [_tidy("".join(pieces), is_code) for is_code, pieces in parser.blocks]
    return "\n\n".join(filter(None, blocks))


def _escape_unclosed(html: str) -> str:
    """HTML without comments, in which a "<" that no ">" follows is escaped.

    html.parser takes minutes for some thousand tags that never close.
    """
    commented, end, rest = html.rpartition("-->")
    html = (_COMMENT.sub("", commented + end) + rest).replace("<!", "&lt;!")
    closed, end, rest = html.rpartition(">")
    return closed + end + rest.replace("<", "&lt;")


def _tidy(text: str, is_code: bool) -> str:
    """A block without superfluous white space."""
    if is_code:
        return text.strip("\n").rstrip()
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text.strip()
