"""Leave out the parts of a Markdown page that name what a fork does not have.

A part is a paragraph, a list item, a row of a table, a code block, or the whole section under a
heading that names it.
"""

import re
from collections.abc import Iterable, Iterator

HEADING = re.compile(r"(#+) ")
ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")


def filter_page(text: str, dropped: re.Pattern[str]) -> str:
    """A page without the parts in which `dropped` finds something."""
    kept: list[str] = []
    skipped_level = 0  # of the heading whose section is left out; 0 for none
    for part in parts(text):
        heading = HEADING.match(part)
        if heading and (not skipped_level or len(heading[1]) <= skipped_level):
            skipped_level = len(heading[1]) if dropped.search(part) else 0
        if skipped_level:
            continue
        if not dropped.search(part):
            kept.append(part)
        elif kept and kept[-1].rstrip().endswith(":"):
            kept.pop()  # it introduced the part that is left out
    return _joined(_without_empty(kept))


def parts(text: str) -> Iterator[str]:
    """The parts of a page, each with the blank lines behind it."""
    part: list[str] = []
    in_code = False
    for line in text.splitlines(keepends=True):
        fence = line.lstrip().startswith("```")
        if part and not in_code and _begins(line, part, fence):
            yield "".join(part)
            part = []
        part.append(line)
        in_code ^= fence
    if part:
        yield "".join(part)


def _begins(line: str, part: list[str], fence: bool) -> bool:
    """Whether a line begins a new part."""
    if not line.strip():
        return False
    after_blank = not part[-1].strip()
    return (
        after_blank
        or fence
        or part[-1].lstrip().startswith("```")
        or bool(HEADING.match(line) or ITEM.match(line))
        or line.startswith("|")
    )


def _without_empty(kept: Iterable[str]) -> list[str]:
    """Parts without headings that have nothing under them, and without tables that have no row."""
    result: list[str] = []
    for part in kept:
        heading = HEADING.match(part)
        while heading and result and _is_empty_heading(result[-1], heading):
            result.pop()
        if not part.startswith("|") and len(result) > 1 and result[-1].startswith("| ---"):
            del result[-2:]
        result.append(part)
    return result


def _is_empty_heading(part: str, heading: re.Match[str]) -> bool:
    """Whether a part is a heading that another of at least its rank follows at once."""
    before = HEADING.match(part)
    return bool(before) and len(before[1]) >= len(heading[1])  # type: ignore[index]


def _joined(kept: Iterable[str]) -> str:
    text = ""
    for part in kept:
        opens = not part.startswith("|") and not ITEM.match(part)
        if text and opens and not text.endswith("\n\n"):
            text += "\n"
        text += part
    return text.rstrip("\n") + "\n"
