"""Commands of the workflow `vectors`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.files import one_line_errors
from scripts.vectors.options import Algorithm, Attr, Kind, Settings

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Folder = Annotated[Path, typer.Argument(help="spaCy vectors folder")]
Lang = Annotated[str, typer.Option(help="language code")]
Lookup = Annotated[Attr, typer.Option(help="what a token's vector is looked up by")]
Seed = Annotated[int, typer.Option(help="same seed, same result")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table")]
NWords = Annotated[int, typer.Option("--k", "-k", help="how many words", min=1)]
Term = Annotated[str, typer.Option(help="to rank by: a word, or several, comma-separated")]
IndexFolder = Annotated[
    Path | None,
    typer.Option("--index", help="folder that `neighbours` filled: fast, nearly exact answers"),
]


@app.command()
@one_line_errors
def table(
    name: Annotated[str, typer.Argument(help="a vectors folder or a pipeline with static vectors")],
    output: Annotated[Path, typer.Argument(help="JSON file for shape and checksum")],
) -> None:
    """Check that there are static vectors, and write their name, shape and checksum."""
    from scripts.files import write_json
    from scripts.pipelines import describe_vectors

    remedy = (
        "train or convert some first, see docs/vectors.md, or name a pipeline that has some, "
        "such as en_core_web_lg, by vars.vectors.table"
    )
    vectors = describe_vectors(name, remedy)
    write_json(output, vectors)
    print(f"{name}: {vectors['rows']:,} vectors of width {vectors['width']}")


@app.command()
@one_line_errors
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="word2vec .bin or .txt, GloVe .txt or .zip, fastText .vec, gzipped or not, or "
            "gensim .kv"
        ),
    ],
    folder: Folder,
    lang: Lang = "en",
    limit: Annotated[
        int, typer.Option(help="keep the first (most frequent) words only; 0 for all")
    ] = 0,
    prune: Annotated[
        int, typer.Option(help="rows to keep; other words share the nearest of them; 0 for all")
    ] = 0,
    attr: Lookup = "ORTH",
    lower: Annotated[
        bool,
        typer.Option("--lower", help="like --attr LOWER: lower-case the words, and match any case"),
    ] = False,
    member: Annotated[str, typer.Option(help="which file of a .zip; by default the largest")] = "",
) -> None:
    """Turn a file of word vectors into a folder that spacy train --initialize.vectors takes."""
    from scripts.vectors.convert import convert_file

    options: dict[str, Any] = {"lang": lang, "limit": limit, "prune": prune, "member": member}
    summary = convert_file(source, folder, attr="LOWER" if lower else attr, **options)
    print(summary.describe(folder))


@app.command()
@one_line_errors
def corpus(
    output: Annotated[Path, typer.Argument(help="file for the sentences")],
    texts: Annotated[
        Path, typer.Option(help="texts, or with --kind sessions lists of ids: a file or a folder")
    ],
    kind: Annotated[Kind, typer.Option(help="what the texts are")] = "texts",
    bundled: Annotated[
        bool, typer.Option("--bundled/--no-bundled", help="add the texts bundled with gensim")
    ] = False,
    phrases: Annotated[
        bool, typer.Option("--phrases/--no-phrases", help="join frequent pairs of words: New_York")
    ] = False,
    min_count: Annotated[int, typer.Option(help="how often a pair must come to be joined")] = 5,
    lang: Lang = "en",
    attr: Lookup = "ORTH",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad/--no-skip-bad", help="leave out bad lines and count them")
    ] = False,
) -> None:
    """Split texts into sentences and tokens, which training reads."""
    from itertools import chain

    from scripts.pipelines import load_nlp
    from scripts.reading import Skipped
    from scripts.vectors.corpus import from_gensim, from_sessions, from_texts, write_sentences

    skipped = Skipped(strict=not skip_bad, var="vars.vectors.bad_lines")
    lower = attr == "LOWER"
    if kind == "sessions":
        if lower:
            raise ValueError(
                "ids would be lower-cased, and some could become equal: "
                "set vars.vectors.attr to ORTH for sessions"
            )
        sentences = from_sessions(texts)
    else:
        nlp = load_nlp(lang)
        nlp.add_pipe("sentencizer")
        sentences = from_texts(texts, nlp, lower, skipped)
        sentences = chain(sentences, from_gensim(nlp, lower)) if bundled else sentences
    counts = write_sentences(output, sentences)
    print(f"{output}: {counts['sentences']:,} sentences, {counts['tokens']:,} tokens")
    if skipped.records:
        print(f"set aside: {skipped.counts()}")
    if phrases:
        _join_phrases(output, min_count)


def _join_phrases(sentences: Path, min_count: int) -> None:
    """Join the phrases in a file of sentences."""
    from scripts.vectors.train import find_phrases

    print(f"{find_phrases(sentences, sentences, min_count):,} different phrases joined")


@app.command()
@one_line_errors
def train(
    sentences: Annotated[
        Path,
        typer.Argument(help="file from `corpus`: a sentence a line, words separated by spaces"),
    ],
    folder: Folder,
    algorithm: Annotated[
        Algorithm, typer.Option(help="skip-gram learns rare words better, cbow is faster")
    ] = "skip-gram",
    vector_size: Annotated[
        int, typer.Option(help="width of the vectors", min=1)
    ] = Settings.vector_size,
    window: Annotated[
        int, typer.Option(help="words on each side that count as context", min=1)
    ] = Settings.window,
    negative: Annotated[
        int, typer.Option(help="noise words drawn for each context word", min=1)
    ] = Settings.negative,
    min_count: Annotated[
        int, typer.Option(help="how often a word must come to get a vector", min=1)
    ] = Settings.min_count,
    epochs: Annotated[int, typer.Option(help="passes over the sentences", min=1)] = Settings.epochs,
    workers: Annotated[
        int, typer.Option(help="threads; with more than one, no two runs are the same", min=1)
    ] = 1,
    seed: Seed = 0,
    lang: Lang = "en",
    attr: Lookup = "ORTH",
) -> None:
    """Train word2vec on sentences."""
    from scripts.vectors.train import finish, train_vectors

    settings = Settings(algorithm, vector_size, window, negative, min_count, epochs, seed, workers)
    checkpoint = folder.with_name(f"{folder.name}.checkpoint")
    model = train_vectors(sentences, checkpoint, settings)
    summary = finish(model, folder, checkpoint, lang=lang, attr=attr)
    print(summary.describe(folder))


@app.command()
@one_line_errors
def evaluate(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="JSON file for the scores")],
    analogies: Annotated[
        Path | None, typer.Option(help="in the format of questions-words.txt, instead of that set")
    ] = None,
) -> None:
    """Score vectors by questions-words, WordSim-353 and SimLex-999."""
    from scripts.files import write_json
    from scripts.vectors.evaluate import (
        ANALOGIES,
        SIMILARITIES,
        bundled,
        read_analogies,
        read_pairs,
        score_vectors,
        to_table,
    )
    from scripts.vectors.word_vectors import read_folder

    vectors = read_folder(folder)
    sections = read_analogies(analogies or bundled(ANALOGIES))
    pairs = {name: read_pairs(bundled(file)) for name, file in SIMILARITIES.items()}
    size = {"words": len(vectors.key2row), "width": vectors.table.shape[1]}
    scores = size | score_vectors(vectors, sections, pairs)
    write_json(output, scores)
    title = f"{folder}: {size['words']:,} words of width {size['width']}"
    _terminal().print(to_table(scores, title))


@app.command()
@one_line_errors
def nearest(
    folder: Folder, words: list[str], k: NWords = 10, json: Json = False, index: IndexFolder = None
) -> None:
    """The words nearest to a word, or to the mean of several."""
    from scripts.vectors.word_vectors import split_words

    title = f"nearest to {', '.join(words)}"
    _print_nearest(folder, [split_words(",".join(words))], [], title, k, json, index)


@app.command()
@one_line_errors
def analogy(
    folder: Folder,
    a: Annotated[
        str,
        typer.Argument(
            help="A is to B as C is to ? Each is a word, or several, comma-separated, of which the "
            "mean counts"
        ),
    ],
    b: str,
    c: str,
    k: NWords = 10,
    json: Json = False,
    index: IndexFolder = None,
) -> None:
    """A is to B as C is to ?"""
    from scripts.vectors.word_vectors import split_words

    title = f"{a} is to {b} as {c} is to"
    positive, negative = [split_words(b), split_words(c)], [split_words(a)]
    _print_nearest(folder, positive, negative, title, k, json, index)


def _print_nearest(
    folder: Path,
    positive: list[list[str]],
    negative: list[list[str]],
    title: str,
    k: int,
    json: bool,
    index: Path | None,
) -> None:
    """Print the words nearest to a combination of words, as a table or as JSON."""
    import srsly
    from rich.table import Table
    from rich.text import Text

    from scripts.vectors.neighbours import nearest_words, read_index
    from scripts.vectors.word_vectors import read_folder

    vectors = read_folder(folder)
    opened = read_index(index, vectors) if index else None
    pairs = nearest_words(vectors, positive, negative, k, opened)
    if json:
        lines = [{"word": word, "cosine": round(cosine, 6)} for word, cosine in pairs]
        print(srsly.json_dumps(lines))
        return
    print(title)
    rows = Table("word", "cosine")
    for word, cosine in pairs:
        rows.add_row(Text(word), f"{cosine:.3f}")
    _terminal().print(rows)


def _terminal() -> "Console":
    """Prints words as they are, even [b] and :heart:."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False)


@app.command()
@one_line_errors
def plot(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for tsne.png and tsne.svg")],
    groups: Annotated[Path, typer.Option(help='JSONL: {"group": "sports", "words": [...]}')],
    seed: Seed = 0,
) -> None:
    """Draw groups of words as points of a plane."""
    from itertools import chain

    from scripts.plots import save
    from scripts.projection import project
    from scripts.vectors.plot import MAX_NAMES, draw, known_words, read_groups
    from scripts.vectors.word_vectors import read_folder

    vectors = read_folder(folder)
    known, missing = known_words(vectors, read_groups(groups))
    points = project(vectors.vectors(list(chain.from_iterable(known.values()))), seed)
    figure = draw(known, points, f"{folder.name}, t-SNE")
    save(figure, output / "tsne.png", output / "tsne.svg")
    without = f" (without vectors: {', '.join(missing)})" if missing else ""
    print(f"Look at {output / 'tsne.png'}{without}")
    if len(points) > MAX_NAMES:
        print(f"only the first {MAX_NAMES} of {len(points)} words have their names next to them")


@app.command()
@one_line_errors
def classify(
    folder: Folder,
    output: Annotated[
        Path, typer.Argument(help="folder for members.jsonl, patterns.jsonl and classify.json")
    ],
    examples: Annotated[
        Path, typer.Option(help='words of the class: one a line, or JSONL with "text"')
    ],
    label: Annotated[str, typer.Option(help="label of the patterns")],
    test: Annotated[
        Path | None,
        typer.Option(
            help="all words of the class, to score the members; an empty file for no score"
        ),
    ] = None,
    n_words: Annotated[
        int, typer.Option(help="how many of the most frequent words may be members", min=1)
    ] = 50_000,
    top: Annotated[int, typer.Option(help="members at most; 0 for no limit", min=0)] = 0,
    lang: Lang = "en",
    seed: Seed = 0,
) -> None:
    """Find the words of a class from a few examples, and make patterns of them."""
    from scripts.files import write_json, write_jsonl
    from scripts.pipelines import load_nlp
    from scripts.vectors.classify import Classifier, read_words, score_members, to_patterns
    from scripts.vectors.word_vectors import read_folder

    if not label.strip():
        raise ValueError("the label is empty: give the patterns one by vars.vectors.label")
    vectors = read_folder(folder)
    classifier = Classifier(vectors, read_words(examples), n_words, seed)
    scores: dict[str, Any] = classifier.cross_validate()
    members = classifier.members(top)
    new = [member.word for member in members if not member.example]
    if not new:
        raise ValueError(
            f"no other word of {folder} is like the examples: give more of them, or raise "
            "vars.vectors.n_words"
        )
    if test and test.stat().st_size:
        scores |= score_members(members, read_words(test), classifier)
    lines = [{"text": line.word, "score": line.score, "example": line.example} for line in members]
    write_jsonl(output / "members.jsonl", lines)
    patterns = to_patterns(members, label, load_nlp(lang), vectors.lower)
    write_jsonl(output / "patterns.jsonl", patterns)
    summary = {"label": label, "members": len(members), "missing": classifier.missing, **scores}
    write_json(output / "classify.json", summary)
    print(
        f"{len(classifier.examples)} examples, cross-validated: {_percent(scores, 'p', 'r', 'f')}"
    )
    _print_class(summary, new, test, output / "patterns.jsonl")


def _print_class(
    summary: dict[str, Any], new: list[str], test: Path | None, patterns: Path
) -> None:
    """Print how good the members of a class are, and the first of the new ones."""
    precision, of_mean = summary["average_precision"], summary["average_precision_of_mean"]
    print(f"average precision {precision:.2f}, by nearness to their mean {of_mean:.2f}")
    if "gold" in summary:
        scores = _percent(summary, "gold_p", "gold_r")
        print(f"new members against {summary['gold']} others of {test}: {scores}")
    if summary["missing"]:
        print(f"examples without vectors: {', '.join(summary['missing'])}")
    print(f"{summary['members']} members, the surest new ones: {', '.join(new[:20])}")
    print(f"Read {patterns} (EntityRuler patterns) and delete what is wrong")


def _percent(scores: dict[str, Any], *keys: str) -> str:
    return " ".join(f"{key[-1].upper()} {100 * scores[key]:.1f}" for key in keys)


@app.command()
@one_line_errors
def rank(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for ranking.jsonl and ranking.png")],
    members: Annotated[
        Path,
        typer.Option(help='names to rank: one a line, or JSONL with "text", as `classify` writes'),
    ],
    term: Term,
) -> None:
    """Rank the members of a class by their nearness to a term."""
    from scripts.files import write_jsonl
    from scripts.plots import save
    from scripts.vectors.classify import read_words
    from scripts.vectors.rank import draw_ranking, rank_names
    from scripts.vectors.word_vectors import read_folder

    names = {word: [word] for word in read_words(members)}
    ranking = rank_names(read_folder(folder), names, term)
    save(draw_ranking(ranking, term), output / "ranking.png")
    lines = [{"text": name, "cosine": cosine} for name, cosine in ranking]
    write_jsonl(output / "ranking.jsonl", lines)
    print(f"nearest to {term}: {', '.join(name for name, _ in ranking[:10])}")
    print(f"Look at {output / 'ranking.png'}")


@app.command(name="map")
@one_line_errors
def world_map(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for map.png")],
    countries: Annotated[
        Path, typer.Option(help='JSONL: {"text": "Norway", "iso": "NOR", "aliases": []}')
    ],
    world: Annotated[Path, typer.Option(help="GeoJSON of country polygons with ISO codes")],
    term: Term,
) -> None:
    """Colour a world map by the nearness of countries to a term."""
    from scripts.plots import save
    from scripts.vectors.rank import draw_map, rank_names, read_countries, read_world
    from scripts.vectors.word_vectors import read_folder

    polygons = read_world(world)
    ranking = rank_names(read_folder(folder), read_countries(countries), term)
    save(draw_map(polygons, dict(ranking), term), output / "map.png")
    print(f"Look at {output / 'map.png'}")


@app.command()
@one_line_errors
def neighbours(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for the index")],
    k: NWords = 10,
    n_queries: Annotated[
        int, typer.Option(help="words on which the index is compared with the exact search", min=1)
    ] = 200,
    seed: Seed = 0,
) -> None:
    """Build an index of approximate neighbours, and compare it with the exact search."""
    from scripts.files import write_json
    from scripts.vectors.neighbours import CellIndex, compare, write_index
    from scripts.vectors.word_vectors import read_folder

    vectors = read_folder(folder)
    index = CellIndex.build(vectors.table, seed)
    write_index(index, output, vectors)
    comparison = compare(vectors.table, index, k, n_queries, seed)
    write_json(output.with_suffix(".json"), comparison)
    recall = 100 * comparison["recall"]
    print(f"{output}: {len(vectors.table):,} rows; recall@{k} {recall:.1f}%")
    print(
        f"one query: {comparison['index_ms']:.1f} ms, exact {comparison['exact_ms']:.1f} ms, "
        f"exact in batches {comparison['batch_ms']:.1f} ms"
    )


if __name__ == "__main__":
    app()
