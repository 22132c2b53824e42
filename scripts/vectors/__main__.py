"""The commands of the workflow `vectors`: each reads, calls a function over plain data, and writes."""

from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.files import one_line_errors, write_json, write_jsonl
from scripts.pipelines import describe_vectors, load_nlp
from scripts.plots import save
from scripts.reading import Skipped
from scripts.vectors import classify as classifying
from scripts.vectors import convert as converting
from scripts.vectors import corpus as tokenizing
from scripts.vectors import evaluate as evaluating
from scripts.vectors import neighbours as searching
from scripts.vectors import plot as plotting
from scripts.vectors import rank as ranking
from scripts.vectors import train as training
from scripts.vectors.folder import Attr

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

TERMINAL = Console(
    markup=False, emoji=False, highlight=False
)  # words are words, also [b] and :heart:

Folder = Annotated[Path, typer.Argument(help="spaCy vectors folder")]
Lang = Annotated[str, typer.Option(help="language code")]
Lookup = Annotated[Attr, typer.Option(help="what a token looks its vector up by")]
Seed = Annotated[int, typer.Option(help="same seed, same result")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table")]
Few = Annotated[int, typer.Option("--k", "-k", help="how many words", min=1)]
IndexFolder = Annotated[
    Path | None,
    typer.Option(
        "--index", help="folder that neighbours filled, to answer fast and nearly exactly"
    ),
]


@app.command()
@one_line_errors
def table(
    name: Annotated[str, typer.Argument(help="a vectors folder or a pipeline with static vectors")],
    output: Annotated[Path, typer.Argument(help="JSON file for shape and checksum")],
) -> None:
    """Check that there are static vectors, and write down which: other vectors, other file."""
    remedy = (
        "train some (python -m weasel run vectors), convert some (vectors-convert), or name a "
        "pipeline that has some, such as en_core_web_lg, by vars.vectors.table"
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
            help="word2vec .bin or .txt, GloVe .txt or .zip, fastText .vec, gzipped or not, or gensim .kv"
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
        typer.Option(
            "--lower", help="the same as --attr LOWER: lower-case the words and match any case"
        ),
    ] = False,
    member: Annotated[
        str, typer.Option(help="which file of a .zip; the largest, if none is given")
    ] = "",
) -> None:
    """Turn a file of word vectors into a folder that spacy train --initialize.vectors takes."""
    options: dict[str, Any] = {"lang": lang, "limit": limit, "prune": prune, "member": member}
    written = converting.convert(source, folder, attr="LOWER" if lower else attr, **options)
    print(converting.describe(written, folder))


@app.command()
@one_line_errors
def corpus(
    output: Annotated[Path, typer.Argument(help="file for the sentences")],
    texts: Annotated[
        Path, typer.Option(help="texts, or with --kind sessions lists of ids: a file or a folder")
    ],
    kind: Annotated[tokenizing.Kind, typer.Option(help="what the texts are")] = "texts",
    bundled: Annotated[
        bool, typer.Option("--bundled/--no-bundled", help="add the texts that gensim carries")
    ] = False,
    phrases: Annotated[
        bool, typer.Option("--phrases/--no-phrases", help="join frequent pairs of words: New_York")
    ] = False,
    min_count: Annotated[int, typer.Option(help="pairs that come less often are no phrases")] = 5,
    lang: Lang = "en",
    attr: Lookup = "ORTH",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad/--no-skip-bad", help="leave out bad lines and count them")
    ] = False,
) -> None:
    """Cut texts into sentences and tokens: what training reads."""
    skipped, lower = Skipped(), attr == "LOWER"
    if kind == "sessions":
        if lower:
            raise ValueError(
                "ids would be lower-cased, and some become alike: use vars.vectors.attr ORTH with sessions"
            )
        sentences = tokenizing.from_sessions(texts)
    else:
        nlp = load_nlp(lang)
        nlp.add_pipe("sentencizer")
        sentences = tokenizing.from_texts(texts, nlp, lower, skipped, skip_bad)
        sentences = chain(sentences, tokenizing.from_gensim(nlp, lower)) if bundled else sentences
    counts = tokenizing.write_sentences(output, sentences)
    print(f"{output}: {counts['sentences']:,} sentences, {counts['tokens']:,} tokens")
    if skipped.records:
        print(f"set aside: {skipped.counts()}")
    if phrases:
        print(f"{training.find_phrases(output, output, min_count):,} kinds of phrases joined")


@app.command()
@one_line_errors
def train(
    sentences: Annotated[
        Path,
        typer.Argument(help="file that corpus wrote: a sentence a line, words apart by spaces"),
    ],
    folder: Folder,
    algorithm: Annotated[
        training.Algorithm, typer.Option(help="skip-gram learns rare words better, cbow is faster")
    ] = "skip-gram",
    vector_size: Annotated[
        int, typer.Option(help="width of the vectors", min=1)
    ] = training.Settings.vector_size,
    window: Annotated[
        int, typer.Option(help="words to each side that count as context", min=1)
    ] = training.Settings.window,
    negative: Annotated[
        int, typer.Option(help="words drawn as no context, for each that is", min=1)
    ] = training.Settings.negative,
    min_count: Annotated[
        int, typer.Option(help="words that come less often get no vector", min=1)
    ] = training.Settings.min_count,
    epochs: Annotated[
        int, typer.Option(help="times to go over the sentences", min=1)
    ] = training.Settings.epochs,
    workers: Annotated[
        int, typer.Option(help="threads; with more than one, no two runs are the same", min=1)
    ] = 1,
    seed: Seed = 0,
    lang: Lang = "en",
    attr: Lookup = "ORTH",
) -> None:
    """Train word2vec on sentences."""
    settings = training.Settings(
        algorithm, vector_size, window, negative, min_count, epochs, seed, workers
    )
    checkpoint = folder.with_name(f"{folder.name}.checkpoint")
    model = training.train(sentences, checkpoint, settings)
    print(
        converting.describe(
            training.finish(model, folder, checkpoint, lang=lang, attr=attr), folder
        )
    )


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
    vectors = searching.read_folder(folder)
    sections = evaluating.read_analogies(analogies or evaluating.bundled(evaluating.ANALOGIES))
    pairs = {
        name: evaluating.read_pairs(evaluating.bundled(file))
        for name, file in evaluating.SIMILARITIES.items()
    }
    scores = {
        "words": len(vectors.key2row),
        "width": vectors.table.shape[1],
        **evaluating.evaluate(vectors, sections, pairs),
    }
    write_json(output, scores)
    TERMINAL.print(
        evaluating.to_table(
            scores, f"{folder}: {scores['words']:,} words of width {scores['width']}"
        )
    )


@app.command()
@one_line_errors
def nearest(
    folder: Folder, words: list[str], k: Few = 10, json: Json = False, index: IndexFolder = None
) -> None:
    """The words nearest to a word, or to the mean of several."""
    _answer(
        folder,
        [searching.split_words(",".join(words))],
        [],
        f"nearest to {', '.join(words)}",
        k,
        json,
        index,
    )


@app.command()
@one_line_errors
def analogy(
    folder: Folder,
    a: Annotated[
        str,
        typer.Argument(
            help="A is to B as C is to ? Each a word, or several apart by commas, whose mean is meant"
        ),
    ],
    b: str,
    c: str,
    k: Few = 10,
    json: Json = False,
    index: IndexFolder = None,
) -> None:
    """A is to B as C is to ?"""
    left, right, third = map(searching.split_words, (a, b, c))
    _answer(folder, [right, third], [left], f"{a} is to {b} as {c} is to", k, json, index)


def _answer(
    folder: Path,
    positive: list[list[str]],
    negative: list[list[str]],
    title: str,
    k: int,
    json: bool,
    index: Path | None,
) -> None:
    """Print the words nearest to a combination of words, as a table or as JSON."""
    vectors = searching.read_folder(folder)
    found = searching.nearest(
        vectors, positive, negative, k, searching.Index.read(index, vectors) if index else None
    )
    if json:
        print(
            srsly.json_dumps([{"word": word, "cosine": round(cosine, 6)} for word, cosine in found])
        )
        return
    print(title)
    table = Table("word", "cosine")
    for word, cosine in found:
        table.add_row(Text(word), f"{cosine:.3f}")
    TERMINAL.print(table)


@app.command()
@one_line_errors
def plot(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for tsne.png and tsne.svg")],
    groups: Annotated[Path, typer.Option(help='JSONL: {"group": "sports", "words": [...]}')],
    seed: Seed = 0,
) -> None:
    """Draw groups of words as points of a plane."""
    vectors = searching.read_folder(folder)
    known, missing = plotting.known_words(vectors, plotting.read_groups(groups))
    places = plotting.project(
        vectors.vectors([word for words in known.values() for word in words]), seed
    )
    save(
        plotting.draw(known, places, f"{folder.name}, t-SNE"),
        output / "tsne.png",
        output / "tsne.svg",
    )
    print(
        f"Look at {output / 'tsne.png'}"
        + (f" (without vectors: {', '.join(missing)})" if missing else "")
    )
    if len(places) > plotting.MOST_NAMED:
        print(
            f"only the first {plotting.MOST_NAMED} of {len(places)} words have their names beside them"
        )


@app.command()
@one_line_errors
def classify(
    folder: Folder,
    output: Annotated[
        Path, typer.Argument(help="folder for members.jsonl, patterns.jsonl and classify.json")
    ],
    examples: Annotated[
        Path, typer.Option(help='words of the class: a line each, or JSONL with "text"')
    ],
    label: Annotated[str, typer.Option(help="label of the patterns")],
    test: Annotated[
        Path | None,
        typer.Option(
            help="all words of the class, to score the members by; an empty file for none"
        ),
    ] = None,
    n_words: Annotated[
        int, typer.Option(help="how many of the most frequent words may be members", min=1)
    ] = 50_000,
    top: Annotated[int, typer.Option(help="members at most; 0 for all", min=0)] = 0,
    lang: Lang = "en",
    seed: Seed = 0,
) -> None:
    """Find the members of a class from a few examples, and make patterns for ner of them."""
    if not label.strip():
        raise ValueError("no label: give the patterns one")
    vectors = searching.read_folder(folder)
    classifier = classifying.Classifier(vectors, classifying.read_words(examples), n_words, seed)
    scores: dict[str, Any] = classifier.cross_validate()
    members = classifier.members(top)
    if all(found.example for found in members):
        raise ValueError(
            f"no other word of {folder} is like the examples: give more of them, or raise vars.vectors.n_words"
        )
    if test and test.stat().st_size:
        scores |= classifying.against(members, classifying.read_words(test), classifier)
    write_jsonl(
        output / "members.jsonl",
        [{"text": found.word, "score": found.score, "example": found.example} for found in members],
    )
    write_jsonl(
        output / "patterns.jsonl",
        classifying.to_patterns(members, label, load_nlp(lang), vectors.lower),
    )
    write_json(
        output / "classify.json",
        {"label": label, "members": len(members), "missing": classifier.missing, **scores},
    )
    p, r, f = (100 * scores[key] for key in "prf")
    print(f"{len(classifier.examples)} examples, cross-validated: P {p:.1f} R {r:.1f} F {f:.1f}")
    print(
        f"average precision {scores['average_precision']:.2f}, by nearness to their mean {scores['average_precision_of_mean']:.2f}"
    )
    if "gold" in scores:
        print(
            f"new members against {scores['gold']} others of {test}: P {100 * scores['gold_p']:.1f} R {100 * scores['gold_r']:.1f}"
        )
    if classifier.missing:
        print(f"examples without vectors: {', '.join(classifier.missing)}")
    print(
        f"{len(members)} members, the surest new: {', '.join([found.word for found in members if not found.example][:20])}"
    )
    print(
        f"Read {output / 'patterns.jsonl'}, delete what is wrong, and give it as vars.ner.patterns"
    )


@app.command()
@one_line_errors
def rank(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for ranking.jsonl and ranking.png")],
    members: Annotated[
        Path,
        typer.Option(help='names to rank: a line each, or JSONL with "text", as classify writes'),
    ],
    term: Annotated[str, typer.Option(help="to rank by: a word, or several apart by commas")],
) -> None:
    """Rank the members of a class by their nearness to a term."""
    names = {word: [word] for word in classifying.read_words(members)}
    found = ranking.rank(searching.read_folder(folder), names, term)
    save(ranking.draw_ranking(found, term), output / "ranking.png")
    write_jsonl(
        output / "ranking.jsonl", [{"text": name, "cosine": cosine} for name, cosine in found]
    )
    print(
        f"nearest to {term}: {', '.join(name for name, _ in found[:10])}\nLook at {output / 'ranking.png'}"
    )


@app.command(name="map")
@one_line_errors
def paint(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for map.png")],
    countries: Annotated[
        Path, typer.Option(help='JSONL: {"text": "Norway", "iso": "NOR", "aliases": []}')
    ],
    world: Annotated[Path, typer.Option(help="GeoJSON of country polygons with ISO codes")],
    term: Annotated[str, typer.Option(help="to rank by: a word, or several apart by commas")],
) -> None:
    """Paint the nearness of countries to a term on a map of the world."""
    polygons = ranking.read_world(world)
    cosines = dict(
        ranking.rank(searching.read_folder(folder), ranking.read_countries(countries), term)
    )
    save(ranking.draw_map(polygons, cosines, term), output / "map.png")
    print(f"Look at {output / 'map.png'}")


@app.command()
@one_line_errors
def neighbours(
    folder: Folder,
    output: Annotated[Path, typer.Argument(help="folder for the index")],
    k: Few = 10,
    n_queries: Annotated[
        int, typer.Option(help="words to compare the index with the exact search on", min=1)
    ] = 200,
    seed: Seed = 0,
) -> None:
    """Build an index of approximate neighbours, and compare it with the exact search."""
    vectors = searching.read_folder(folder)
    index = searching.Index.build(vectors.table, seed)
    index.write(output, vectors)
    found = searching.compare(vectors.table, index, k, n_queries, seed)
    write_json(output.with_suffix(".json"), found)
    print(f"{output}: {len(vectors.table):,} rows; recall@{k} {100 * found['recall']:.1f}%")
    print(
        f"one query: {found['index_ms']:.1f} ms, exact {found['exact_ms']:.1f} ms, exact in batches {found['batch_ms']:.1f} ms"
    )


if __name__ == "__main__":
    app()
