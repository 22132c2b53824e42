"""Rank the members of a class against a term, and paint the ranking on a map of the world."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from scripts.files import need
from scripts.plots import COLOURS
from scripts.reading import read_jsonl
from scripts.vectors.neighbours import WordVectors, split_words

DRAWN = 20  # members


def rank(
    vectors: WordVectors, names: Mapping[str, Sequence[str]], term: str
) -> list[tuple[str, float]]:
    """Names and the cosine of their vectors with the term's, highest first.

    Args:
        vectors: to look words up in.
        names: for each name the words that may stand for it, the first with a vector does; a name without any is left out.
        term: a word, or several apart by commas, whose mean is meant.

    Raises:
        ValueError: "no vector for ..." for the term, or "none of the ... names ...".
    """
    direction = vectors.vectors(split_words(term)).mean(axis=0)
    direction = direction / ((direction @ direction) ** 0.5 or 1.0)
    found = {
        name: next((word for word in words if vectors.row(word) is not None), None)
        for name, words in names.items()
    }
    known = {name: word for name, word in found.items() if word is not None}
    if not known:
        raise ValueError(f"none of the {len(names)} names has a vector in {vectors.path}")
    cosines = vectors.vectors(list(known.values())) @ direction
    return sorted(zip(known, map(float, cosines)), key=lambda pair: -pair[1])


def draw_ranking(ranking: Sequence[tuple[str, float]], term: str) -> Figure:
    """Bars for the first names of a ranking."""
    shown = ranking[:DRAWN]
    figure, axes = plt.subplots(figsize=(7.5, 0.6 + 0.27 * len(shown)))
    drawn = axes.barh(
        [name for name, _ in shown], [cosine for _, cosine in shown], color=COLOURS[1]
    )
    axes.bar_label(drawn, fmt="%.2f", fontsize=9, padding=2)
    axes.invert_yaxis()
    axes.set_xlabel(f"cosine with {term!r}")
    axes.set_title(f"the {len(shown)} of {len(ranking)} that are nearest to {term!r}", loc="left")
    return figure


def read_countries(path: Path) -> dict[str, list[str]]:
    """For each ISO 3166 code of three letters the names of its country, the commonest first: JSONL with "iso", "text" and "aliases"."""
    found = {}
    for number, record in read_jsonl(path):
        names = [
            record.get("text"),
            *(aliases if isinstance(aliases := record.get("aliases", []), list) else [None]),
        ]
        if not isinstance(record.get("iso"), str) or not all(
            isinstance(name, str) for name in names
        ):
            raise ValueError(
                f'{path}:{number}: no country: each line should be {{"text": "Norway", "iso": "NOR", "aliases": []}}'
            )
        found[record["iso"]] = names
    return found


def read_world(path: Path) -> Any:
    """Polygons of countries as a GeoDataFrame, its index their ISO codes: GeoJSON whose features have the code as id or as ISO_A3.

    Raises:
        ValueError: "... is not there ...", "... no map ...", "... no ISO codes ...".
    """
    geopandas = need("geopandas", "vectors")
    if not path.exists():
        raise ValueError(
            f"{path} is not there: python -m weasel run fetch . --vars.workflow vectors"
        )
    try:
        world = geopandas.read_file(path)
    except Exception as error:  # pyogrio, GDAL and shapely each raise their own on damaged files
        raise ValueError(f"{path}: no map that GeoPandas can read ({error})") from error
    for column in ("id", "ISO_A3", "iso_a3", "ADM0_A3"):
        if column in world.columns and world[column].astype(str).str.fullmatch("[A-Z]{3}").any():
            return world.set_index(column)
    raise ValueError(
        f"{path}: no ISO codes of three letters: features need them as id or as ISO_A3"
    )


def draw_map(world: Any, cosines: Mapping[str, float], term: str) -> Figure:
    """Countries, each in the colour of its cosine with the term; those without a vector in grey.

    Args:
        world: from `read_world`.
        cosines: by ISO code.
        term: for the title.

    Raises:
        ValueError: "no country of the map ...".
    """
    world = world.assign(cosine=world.index.map(cosines).astype(float))
    if world["cosine"].isna().all():
        raise ValueError("no country of the map has a vector")
    figure, axes = plt.subplots(figsize=(12, 6))
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
    axes.set_title(
        f"countries and {term!r}: {int(world['cosine'].notna().sum())} of {len(world)} have a vector",
        loc="left",
    )
    return figure
