"""Rank the members of a class by nearness to a term, and colour a world map by such a ranking."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.files import need
from scripts.reading import read_jsonl
from scripts.vectors.word_vectors import WordVectors, split_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BARS = 20
ISO_COLUMNS = ("id", "ISO_A3", "iso_a3", "ADM0_A3")  # where GeoJSON files keep ISO codes


def rank_names(
    vectors: WordVectors, names: Mapping[str, Sequence[str]], term: str
) -> list[tuple[str, float]]:
    """Names and the cosine of their vectors with the term's, highest first.

    Args:
        vectors: to look words up in.
        names: for each name the words that may stand for it, of which the first with a vector
            counts; a name without any is left out.
        term: a word, or several (comma-separated), of which the mean counts.

    Raises:
        ValueError: "no vector for ..." for the term, or "none of the ... names ...".
    """
    direction = vectors.vectors(split_words(term)).mean(axis=0)
    direction = direction / ((direction @ direction) ** 0.5 or 1.0)
    words = {name: _first_known(vectors, forms) for name, forms in names.items()}
    known = {name: word for name, word in words.items() if word is not None}
    if not known:
        raise ValueError(
            f"none of the {len(names)} names has a vector in {vectors.path}: "
            "give other names, or vectors of more words"
        )
    cosines = vectors.vectors(list(known.values())) @ direction
    return sorted(zip(known, map(float, cosines)), key=lambda pair: -pair[1])


def _first_known(vectors: WordVectors, words: Iterable[str]) -> str | None:
    return next((word for word in words if vectors.row(word) is not None), None)


def draw_ranking(ranking: Sequence[tuple[str, float]], term: str) -> "Figure":
    """Bars for the first names of a ranking."""
    from scripts.plots import COLOURS, subplots

    names, cosines = zip(*ranking[:MAX_BARS])
    figure, axes = subplots(figsize=(7.5, 0.6 + 0.27 * len(names)))
    bars = axes.barh(names, cosines, color=COLOURS[1])
    axes.bar_label(bars, fmt="%.2f", fontsize=9, padding=2)
    axes.invert_yaxis()
    axes.set_xlabel(f"cosine with {term!r}")
    axes.set_title(f"the {len(names)} of {len(ranking)} that are nearest to {term!r}", loc="left")
    return figure


def read_countries(path: Path) -> dict[str, list[str]]:
    """For each ISO 3166 code of three letters the names of its country, the commonest first.

    The file is JSONL with "iso", "text" and, optionally, "aliases".

    Raises:
        ValueError: "FILE:LINE: not a country ...".
    """
    countries = {}
    for number, record in read_jsonl(path):
        aliases = record.get("aliases", [])
        names = [record.get("text"), *(aliases if isinstance(aliases, list) else [None])]
        if not all(isinstance(name, str) for name in [record.get("iso"), *names]):
            example = '{"text": "Norway", "iso": "NOR", "aliases": []}'
            raise ValueError(f"{path}:{number}: not a country: each line should be {example}")
        countries[record["iso"]] = names
    return countries


def read_world(path: Path) -> Any:
    """Polygons of countries as a GeoDataFrame with their ISO codes as its index.

    The file is GeoJSON whose features have the code as id or as ISO_A3.

    Raises:
        ValueError: "... does not exist ...", "... not a map ...", "... no ISO codes ...".
    """
    geopandas = need("geopandas", "vectors")
    if not path.exists():
        remedy = "run python -m weasel run fetch . --vars.workflow vectors"
        raise ValueError(f"{path} does not exist: {remedy}")
    try:
        world = geopandas.read_file(path)
    # pyogrio, GDAL and shapely each raise their own on damaged files
    except Exception as error:
        raise ValueError(f"{path}: not a map that GeoPandas can read ({error})") from error
    for column in ISO_COLUMNS:
        if column in world.columns and world[column].astype(str).str.fullmatch("[A-Z]{3}").any():
            return world.set_index(column)
    raise ValueError(f"{path}: no ISO codes of three letters: features need them as id or ISO_A3")


def draw_map(world: Any, cosines: Mapping[str, float], term: str) -> "Figure":
    """Countries, each in the colour of its cosine with the term; those without a vector in grey.

    Args:
        world: from `read_world`.
        cosines: by ISO code.
        term: for the title.

    Raises:
        ValueError: "no country of the map ...".
    """
    from scripts.plots import subplots

    world = world.assign(cosine=world.index.map(cosines).astype(float))
    n_known = int(world["cosine"].notna().sum())
    if not n_known:
        raise ValueError("no country of the map has a vector: give a list of other countries")
    figure, axes = subplots(figsize=(12, 6))
    world.plot(
        column="cosine",
        cmap="YlOrRd",
        ax=axes,
        edgecolor="white",
        linewidth=0.3,
        legend=True,
        legend_kwds={"label": f"cosine with {term!r}", "shrink": 0.6},
        missing_kwds={"color": "#e6e6e6"},
    )
    axes.set_axis_off()
    title = f"countries and {term!r}: {n_known} of {len(world)} have a vector"
    axes.set_title(title, loc="left")
    return figure
