"""The commands of the workflow `textgen`: each reads, calls a function, and writes the result."""

import re
import time
from pathlib import Path
from typing import Annotated

import typer

from scripts.files import one_line_errors, write_json, write_jsonl, write_text
from scripts.textgen.options import Code

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Corpus = Annotated[Path, typer.Argument(help="folder with train.txt, dev.txt and corpus.json")]
Model = Annotated[Path, typer.Argument(help="folder with model.keras, which train wrote")]
Seed = Annotated[int, typer.Option(help="seed of the random draws")]
ANY_SETTING = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
@one_line_errors
def corpus(
    output: Corpus,
    texts: Annotated[
        str,
        typer.Option(
            help="file or folder (.txt, .jsonl, .py), or stdlib: Python's own standard library"
        ),
    ],
    share: Annotated[
        float, typer.Option(help="share of the characters for dev", min=0.001, max=0.5)
    ] = 0.1,
    min_count: Annotated[
        int, typer.Option(help="characters that occur fewer times count as unknown", min=1)
    ] = 5,
    seed: Seed = 0,
    skip_bad: Annotated[
        bool, typer.Option(help="leave out files that can't be read and count them")
    ] = False,
) -> None:
    """Read texts and split them into train and dev."""
    from scripts.textgen.corpus import make_corpus, write_corpus
    from scripts.textgen.sources import STDLIB, files_of, read_files

    files = files_of(texts)
    contents = read_files(files, skip_bad or texts == STDLIB)
    code = all(file.suffix == ".py" for file in files)
    new = make_corpus(contents, texts, code, share, min_count, seed)
    write_corpus(output, new, len(files), len(files) - len(contents))
    counts = new.counts()
    print(
        f"{len(files)} files, {len(files) - len(contents)} of them not read: "
        f"train {counts['train']:,} characters, dev {counts['dev']:,}"
    )
    print(
        f"{len(new.characters.alphabet) - 1} different characters; "
        f"unknown: {counts['unknown_in_train']} in train, {counts['unknown_in_dev']} in dev"
    )


@app.command(context_settings=ANY_SETTING)
@one_line_errors
def train(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(help="with [model] and [training]; further options override its settings"),
    ],
    corpus_folder: Corpus,
    folder: Annotated[
        Path,
        typer.Argument(help="gets model, log.jsonl and curve.png; a stopped run continues"),
    ],
    seed: Seed = 0,
) -> None:
    """Train the network; each evaluation leaves a checkpoint and shows a sample."""
    from scripts.plots import save
    from scripts.textgen.corpus import read_corpus
    from scripts.textgen.curve import draw_log
    from scripts.textgen.run import Run
    from scripts.textgen.settings import parse_overrides, read_settings

    shape, schedule = read_settings(config, parse_overrides(context.args))
    run = Run(folder, read_corpus(corpus_folder), shape, schedule, seed)
    log = run.train()
    save(draw_log(log), folder / "curve.png")
    run.tidy()
    best = min(log, key=lambda line: line["dev_bits"])
    print(
        f"{folder / 'model'}: {best['dev_bits']:.3f} bits per character on dev "
        f"after step {best['step']}, {log[-1]['seconds']:.0f} s"
    )


@app.command()
@one_line_errors
def evaluate(
    model: Model,
    corpus_folder: Corpus,
    folder: Annotated[Path, typer.Argument(help="gets metrics.json")],
    functions: Annotated[
        int,
        typer.Option(help="functions to generate if the corpus is code", min=1, max=10_000),
    ] = 200,
    temperature: Annotated[float, typer.Option(help="of these functions", min=0, max=100)] = 0.5,
    seed: Seed = 0,
) -> None:
    """Measure bits per character, and for code compiling functions; compare with n-grams."""
    from scripts.textgen.corpus import read_corpus
    from scripts.textgen.evaluate import measure_bits, score_functions, write_functions
    from scripts.textgen.folder import load
    from scripts.textgen.network import Network

    saved, texts = load(model), read_corpus(corpus_folder)
    network = Network(saved.model)
    ngrams, metrics = measure_bits(network, saved.characters, texts, str(corpus_folder))
    metrics |= {"step": saved.facts["step"], "code": texts.code}
    print(
        f"bits per character on dev: network {metrics['dev_bits']:.3f}, "
        f"n-grams of {metrics['ngram_order']} {metrics['ngram_bits']:.3f}"
    )
    if texts.code:
        for name, writer in (("network", network), ("ngrams", ngrams)):
            written = write_functions(writer, saved.characters, functions, temperature, seed)
            metrics[name] = scores = score_functions(written, texts.train)
            write_text(folder / f"functions_{name}.txt", "\n\n".join(filter(None, written)))
            print(
                f"{name}: {scores['compile']} of {functions} functions compile; "
                f"{scores['mean_lines']:.1f} lines, {scores['copied']} copied"
            )
    write_json(folder / "metrics.json", metrics)


@app.command()
@one_line_errors
def sample(
    model: Model,
    output: Annotated[Path, typer.Argument(help=".jsonl or .txt")],
    prefix: Annotated[
        list[str] | None,
        typer.Option(help="beginning of a text; \\n is a new line; may be repeated"),
    ] = None,
    prefixes: Annotated[
        Path | None, typer.Option(help="file of beginnings, one per line (.jsonl, .txt)")
    ] = None,
    length: Annotated[int, typer.Option(help="characters of each text, at most", min=1)] = 500,
    n: Annotated[int, typer.Option(help="texts for each prefix", min=1, max=10_000)] = 3,
    temperature: Annotated[
        float, typer.Option(help="0 takes the most likely character each time", min=0, max=100)
    ] = 0.5,
    top_k: Annotated[
        int, typer.Option(help="draw from the k most likely characters; 0 for all", min=0)
    ] = 0,
    top_p: Annotated[
        float,
        typer.Option(
            help="draw from the most likely characters that together have this probability",
            min=1e-6,
            max=1,
        ),
    ] = 1.0,
    stop: Annotated[
        str, typer.Option(help="a text ends before this string; \\n is a new line")
    ] = "",
    code: Annotated[
        Code,
        typer.Option(
            help="keep any text, only code that compiles, or cut texts back to lines that compile"
        ),
    ] = "any",
    seed: Seed = 0,
) -> None:
    """Generate texts that continue prefixes."""
    from scripts.files import progress_bar
    from scripts.textgen.folder import load
    from scripts.textgen.network import Network
    from scripts.textgen.sample import keep_code, sample_prefixes

    if output.suffix not in (".jsonl", ".txt"):
        raise ValueError(f"can't write {output}: give a file that ends in .jsonl or .txt")
    saved = load(model)
    begins = _read_prefixes(prefix or [], prefixes)
    network = Network(saved.model)
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    end, start = re.escape(_unescape(stop)), time.perf_counter()
    with progress_bar("characters", length * len(begins), "character") as bar:
        samples = sample_prefixes(
            network, saved.characters, begins, length, n, end, settings, bar.update
        )
    seconds = time.perf_counter() - start
    kept = keep_code(samples, code)
    if output.suffix == ".jsonl":
        write_jsonl(output, kept)
    else:
        write_text(output, "\n\n".join(line["text"] for line in kept) + "\n")
    n_characters = sum(len(line["text"]) for line in samples)
    print(
        f"{output}: {len(kept)} of {len(samples)} texts, "
        f"{n_characters / seconds:,.0f} characters per second"
    )


def _read_prefixes(prefixes: list[str], path: Path | None) -> list[str]:
    """The prefixes of the command line and of a file; an empty one if neither is given."""
    from scripts.reading import read_texts

    texts = [_unescape(prefix) for prefix in prefixes]
    if path:
        texts += [text.text for text in read_texts(path)]
        if not texts:
            raise ValueError(
                f"{path} holds no text: give prefixes, or leave it out to begin with nothing"
            )
    return texts or [""]


def _unescape(text: str) -> str:
    return text.replace("\\n", "\n")


@app.command()
@one_line_errors
def activations(
    model: Model,
    corpus_folder: Corpus,
    folder: Annotated[Path, typer.Argument(help="gets activations.json, .png and .html")],
    length: Annotated[
        int, typer.Option(help="characters of dev to correlate over", min=100)
    ] = 20_000,
    shown: Annotated[int, typer.Option(help="characters in the pictures", min=20)] = 700,
    top: Annotated[int, typer.Option(help="units in the pictures", min=1)] = 4,
    units: Annotated[
        str,
        typer.Option(help="LAYER:UNIT, comma-separated, instead of those that correlate most"),
    ] = "",
) -> None:
    """Find the units that go with properties of the text, and draw where they fire."""
    from scripts.plots import save
    from scripts.textgen.activations import hidden_states, parse_units, units_of_properties
    from scripts.textgen.corpus import read_corpus
    from scripts.textgen.drawing import heat_map, page, passage
    from scripts.textgen.folder import load
    from scripts.textgen.properties import properties

    saved, texts = load(model), read_corpus(corpus_folder)
    text = texts.dev[:length]
    layers = hidden_states(saved.model, saved.characters.encode_known(text, str(corpus_folder)))
    ranked = units_of_properties(layers, properties(text, texts.code))
    drawn = parse_units(units, layers) if units else ranked[:top]
    if not drawn:
        raise ValueError(
            f"{corpus_folder / 'dev.txt'} has {len(texts.dev)} characters, "
            "too few to tell units apart: give more text"
        )
    place = passage(text, shown)  # in the half that did not choose the units
    part, values = text[place], [hidden[place] for hidden in layers]
    save(heat_map(part, values, drawn), folder / "activations.png")
    write_text(folder / "activations.html", page(part, values, drawn))
    write_json(folder / "activations.json", [unit.to_json() for unit in ranked])
    for unit in ranked:
        print(
            f"{unit.property:>16}  layer {unit.layer}, unit {unit.unit:>4}  "
            f"r {unit.correlation:+.2f}"
        )


if __name__ == "__main__":
    app()
