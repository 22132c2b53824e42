"""Turn a file of word vectors into a spaCy vectors folder, as a stream."""

from pathlib import Path

from scripts.vectors.folder import Attr, Written, write_folder
from scripts.vectors.sources import open_source


def convert(
    source: Path,
    folder: Path,
    *,
    lang: str = "en",
    attr: Attr = "ORTH",
    limit: int = 0,
    prune: int = 0,
    member: str = "",
) -> Written:
    """Write the vectors of a file into a folder; see `open_source` and `write_folder` for the arguments and errors."""
    with open_source(source, member) as opened:
        return write_folder(
            folder, opened.blocks, opened.width, lang=lang, attr=attr, limit=limit, prune=prune
        )


def describe(written: Written, folder: Path) -> str:
    """What was written, and what was left out and why."""
    shared = f" in {written.rows:,} rows" if written.rows < written.words else ""
    lines = [f"{folder}: {written.words:,} words{shared}, width {written.width}"]
    if written.with_spaces:
        lines.append(
            f"{written.with_spaces:,} words have spaces in them: no token of spaCy's will ever be one"
        )
    lines += [f"left out: {count:,}, {reason}" for reason, count in written.left_out.most_common()]
    return "\n".join(lines)
