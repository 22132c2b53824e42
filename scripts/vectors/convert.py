"""Turn a file of word vectors into a spaCy vectors folder, as a stream."""

from pathlib import Path

from scripts.vectors.folder import Summary, write_folder
from scripts.vectors.options import Attr
from scripts.vectors.sources import open_source


def convert_file(
    source: Path,
    folder: Path,
    *,
    lang: str = "en",
    attr: Attr = "ORTH",
    limit: int = 0,
    prune: int = 0,
    member: str = "",
) -> Summary:
    """Write the vectors of a file into a folder.

    `open_source` and `write_folder` describe the arguments and the errors.
    """
    with open_source(source, member) as opened:
        return write_folder(
            folder, opened.blocks, opened.width, lang=lang, attr=attr, limit=limit, prune=prune
        )
