"""The pages of a dump that carry an infobox, as records.

Whether a page may carry it is seen on its bytes: all but a few pages are never decoded.
"""

from collections import Counter
from collections.abc import Iterator

from scripts.wikipedia import wikitext
from scripts.wikipedia.dump import PageHead, parse_revision
from scripts.wikipedia.infobox import parser, properties
from scripts.wikipedia.records import TOO_LONG, UNCLOSED, MakeRecords, Record

# Long ones have 10,000; the parser takes minutes for 50,000 that were written to be slow.
MAX_INFOBOX_CHARS = 50_000


def template_names(infobox: str, aliases: str) -> list[str]:
    """The names of an infobox's template: that of "film" is Infobox film.

    Args:
        infobox: its name.
        aliases: whole names of the template, comma-separated.

    Raises:
        ValueError: "no infobox named ...".
    """
    name = wikitext.template_name(infobox)
    if not name:
        raise ValueError(
            "no infobox named: set vars.wikipedia.infobox to one, "
            "such as film, book, album or settlement"
        )
    if not name.startswith("Infobox"):
        name = f"Infobox {infobox.strip().replace('_', ' ')}"
    others = filter(None, map(wikitext.template_name, aliases.split(",")))
    return list(dict.fromkeys([name, *others]))


def pages_with_infobox(infobox: str, names: list[str], namespaces: dict[int, str]) -> MakeRecords:
    """A function that makes the record of a page, if it carries one of some templates.

    Args:
        infobox: its name, for the record.
        names: of the templates.
        namespaces: of the wiki.
    """
    parser()
    mention, opening = wikitext.mention_pattern(names), wikitext.opening_pattern(names)
    wiki = wikitext.Wiki(namespaces)

    def make_record(head: PageHead, page: bytes, counts: Counter[str]) -> Iterator[Record]:
        if not mention.search(page):
            return
        revision = parse_revision(page)
        cleaned = wikitext.clean(revision.text)
        if not opening.search(cleaned):
            return
        template = wikitext.find_template(cleaned, opening)
        if template is None or len(template) > MAX_INFOBOX_CHARS:
            counts[TOO_LONG if template else UNCLOSED] += 1
            return
        yield {
            "title": head.title,
            "infobox": infobox,
            "properties": properties(template),
            "links": wiki.links(cleaned),
            "categories": wiki.categories(cleaned),
            "score": wikitext.rotten_tomatoes(cleaned),
            "length": len(revision.text),
            "page_id": head.page_id,
            "revision_id": revision.revision_id,
            "timestamp": revision.timestamp,
        }

    return make_record
