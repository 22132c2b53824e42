"""The commands of the workflow `textgen`: each reads, calls a function over plain data, and writes."""

import math
import re
import shutil
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

import srsly
import typer
from click import ClickException
from spacy.cli._util import parse_config_overrides

from scripts import plots
from scripts.files import (
    check_new_folder,
    digest,
    new_folder,
    one_line_errors,
    progress_bar,
    remove,
    restore_folder,
    write_json,
    write_jsonl,
    write_text,
)
from scripts.reading import read_texts
from scripts.textgen import activations as looking
from scripts.textgen import evaluate as evaluating
from scripts.textgen import folder as folders
from scripts.textgen import sources
from scripts.textgen.characters import UNKNOWN, Characters
from scripts.textgen.characters import split as split_texts
from scripts.textgen.network import Network
from scripts.textgen.sample import compiles, cut_back, generate
from scripts.textgen.train import Trainer, read_settings
from scripts.textgen.train import train as training

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Corpus = Annotated[Path, typer.Argument(help="folder with train.txt, dev.txt and corpus.json")]
Model = Annotated[Path, typer.Argument(help="what train made: the folder with model.keras")]
Seed = Annotated[int, typer.Option(help="for the draws")]
Code = Literal["any", "only", "cut"]
ANY_SETTING = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
@one_line_errors
def corpus(
    output: Corpus,
    texts: Annotated[
        str,
        typer.Option(
            help="a file or folder (.txt, .jsonl, .py), or stdlib: the source of Python's standard library"
        ),
    ],
    share: Annotated[
        float, typer.Option(help="share of the characters to measure by", min=0.001, max=0.5)
    ] = 0.1,
    min_count: Annotated[
        int, typer.Option(help="characters that occur more rarely are taken for unknown", min=1)
    ] = 5,
    seed: Seed = 0,
    skip_bad: Annotated[
        bool, typer.Option(help="leave out files that can't be read and count them")
    ] = False,
) -> None:
    """Read texts and split them in two: to train on and to measure by."""
    files, read, bad = sources.files_of(texts), [], 0
    with progress_bar("files", len(files), "file") as bar:
        for file in files:
            try:
                read.append(sources.read(file))
            except ValueError:
                if not skip_bad and texts != sources.STDLIB:
                    raise
                bad += 1
            bar.update()
    train, dev = split_texts(read, share, seed)
    if not train.strip() or not dev.strip():
        raise ValueError(f"{texts} holds no text, or too little to split: give more")
    characters = Characters.of(train, min_count)
    if characters.known == UNKNOWN:
        raise ValueError(
            f"no character occurs {min_count} times in {texts}: give more text, or a lower vars.textgen.min_count"
        )
    parts = {
        "train": characters.decode(characters.encode(train)),
        "dev": characters.decode(characters.encode(dev)),
    }
    for name, part in parts.items():
        write_text(output / f"{name}.txt", part)
    told = {
        "files": len(files),
        "not_read": bad,
        "code": all(file.suffix == ".py" for file in files),
        "characters": characters.known,
        **{name: len(part) for name, part in parts.items()},
        **{f"unknown_in_{name}": part.count(UNKNOWN) for name, part in parts.items()},
    }
    write_json(output / "corpus.json", told)
    print(
        f"{len(files)} files, {bad} of them not read: {len(train):,} characters to train on, {len(dev):,} to measure by"
    )
    print(
        f"{len(characters.known) - 1} different characters; unknown: {told['unknown_in_train']} in train, {told['unknown_in_dev']} in dev"
    )


def _read_corpus(folder: Path) -> tuple[dict[str, Any], str, str]:
    for name in ("corpus.json", "train.txt", "dev.txt"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name} does not exist: run textgen-corpus first")
    train, dev = ((folder / f"{name}.txt").read_bytes().decode("utf8") for name in ("train", "dev"))
    try:
        told = dict(srsly.read_json(folder / "corpus.json"))
        code, known = bool(told["code"]), told["characters"]
        whole = known == "".join(sorted({*known})) and {*known} >= {UNKNOWN, *train, *dev}
        whole = (
            whole
            and (told["train"], told["dev"]) == (len(train), len(dev))
            and 0 not in (len(train), len(dev))
        )
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise ValueError(
            f"the files of {folder} do not belong together, or are damaged: run textgen-corpus again"
        )
    return {**told, "code": code}, train, dev


def _read_log(path: Path, step: int) -> list[dict[str, Any]]:
    """The lines of a training that was stopped, up to a step."""
    try:
        log: Any = [line for line in srsly.read_jsonl(path) if line["step"] <= step]
        return [
            line
            for line in log
            if math.isfinite(line["seconds"] + line["train_bits"] + line["dev_bits"])
        ]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is damaged: delete {path.with_name('checkpoint.npz')} to begin anew"
        ) from None


def _overrides(args: list[str]) -> dict[str, Any]:
    try:
        with redirect_stdout(StringIO()):
            return parse_config_overrides(args)
    except (ClickException, SystemExit):
        raise ValueError(
            f"can't read {' '.join(args)}: settings are overridden like --training.max_steps 100 --model.width 256"
        ) from None


@app.command(context_settings=ANY_SETTING)
@one_line_errors
def train(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(help="with [model] and [training]; further options override its settings"),
    ],
    corpus: Corpus,
    folder: Annotated[
        Path,
        typer.Argument(help="gets model, log.jsonl and curve.png; a run that was stopped goes on"),
    ],
    seed: Seed = 0,
) -> None:
    """Train the network; each evaluation leaves a checkpoint and shows a sample."""
    shape, schedule = read_settings(config, _overrides(context.args))
    check_new_folder(folder / "model", marker=folders.FACTS)
    told, train, dev = _read_corpus(corpus)
    characters = Characters(told["characters"])
    settings = {"model": shape.model_dump(), "training": schedule.model_dump(), "seed": seed}
    fingerprint = digest(srsly.json_dumps({**settings, "train": train, "dev": dev}).encode())
    checkpoint, best = folder / "checkpoint.npz", folder / "best"
    left = folders.read_checkpoint(checkpoint, fingerprint, characters)
    log = _read_log(folder / "log.jsonl", int(left["step"])) if left else []
    before = log[-1]["seconds"] if log else 0.0
    trainer = Trainer(len(characters.known), shape, schedule, seed)
    if left:
        trainer.restore(left)
        print(f"goes on after step {trainer.step} of {schedule.max_steps}")
    begin = "\n" if "\n" in characters.known else ""
    with progress_bar("training", schedule.max_steps, "step") as bar:
        bar.update(trainer.step)
        for found in training(
            characters.encode(train), characters.encode(dev), trainer, schedule, seed, bar.update
        ):
            sample = generate(found.network, characters, begin, 200, seed=found.step)[0]
            log.append(
                {**found.to_json(), "seconds": round(before + found.seconds, 2), "sample": sample}
            )
            bar.write(
                f"step {found.step}: {found.train_bits:.3f} bits per character in training, {found.dev_bits:.3f} on dev\n{sample}\n"
            )
            if found.best:
                facts = {**settings, "step": found.step, "dev_bits": found.dev_bits}
                folders.save(best, folders.Saved(found.network.model, characters, facts))
            write_jsonl(folder / "log.jsonl", log)
            folders.write_checkpoint(checkpoint, trainer.arrays(), fingerprint, characters)
    restore_folder(best)
    with new_folder(folder / "model", marker=folders.FACTS) as copy:
        shutil.copytree(best, copy, dirs_exist_ok=True)
    plots.save(evaluating.draw_log(log), folder / "curve.png")
    remove(checkpoint)
    remove(best)
    lowest = min(log, key=lambda line: line["dev_bits"])
    print(
        f"{folder / 'model'}: {lowest['dev_bits']:.3f} bits per character on dev after step {lowest['step']}, {log[-1]['seconds']:.0f} s"
    )


@app.command()
@one_line_errors
def evaluate(
    model: Model,
    corpus: Corpus,
    folder: Annotated[Path, typer.Argument(help="gets metrics.json")],
    functions: Annotated[
        int,
        typer.Option(
            help="functions to write and to compile, where the texts are code", min=1, max=10_000
        ),
    ] = 200,
    temperature: Annotated[float, typer.Option(help="of them", min=0, max=100)] = 0.5,
    seed: Seed = 0,
) -> None:
    """Bits per character, and for code the share of functions that compile, beside an n-gram model."""
    saved, (told, train, dev) = folders.load(model), _read_corpus(corpus)
    characters = saved.characters
    known = {
        "text": characters.encode_known(train, str(corpus)),
        "dev": characters.encode_known(dev, str(corpus)),
    }
    ngrams, by_order = evaluating.best_ngrams(known["text"], known["dev"], len(characters.known))
    order, network = len(ngrams.orders), Network(saved.model)
    metrics: dict[str, Any] = {
        "dev_bits": float(network.bits(known["dev"]).mean()),
        "ngram_bits": by_order[order],
        "ngram_order": order,
        "ngram_bits_by_order": {str(key): value for key, value in by_order.items()},
        "characters": {"train": len(train), "dev": len(dev)},
        "step": saved.facts["step"],
        "code": told["code"],
    }
    print(
        f"bits per character on dev: network {metrics['dev_bits']:.3f}, n-grams of {order} {metrics['ngram_bits']:.3f}"
    )
    if told["code"]:
        for name, writer in (("network", network), ("ngrams", ngrams)):
            written = evaluating.functions(writer, characters, functions, temperature, seed)
            metrics[name] = found = evaluating.score_functions(written, train)
            write_text(folder / f"functions_{name}.txt", "\n\n".join(filter(None, written)))
            print(
                f"{name}: {found['compile']} of {functions} functions compile; {found['mean_lines']:.1f} lines, {found['copied']} copied"
            )
    write_json(folder / "metrics.json", metrics)


@app.command()
@one_line_errors
def sample(
    model: Model,
    output: Annotated[Path, typer.Argument(help=".jsonl or .txt")],
    prefix: Annotated[
        list[str] | None,
        typer.Option(help="what a text begins with; \\n is a new line; may be repeated"),
    ] = None,
    prefixes: Annotated[
        Path | None, typer.Option(help="the same, a text a line (.jsonl, .txt)")
    ] = None,
    length: Annotated[int, typer.Option(help="characters of each text, at most", min=1)] = 500,
    n: Annotated[int, typer.Option(help="texts for each prefix", min=1, max=10_000)] = 3,
    temperature: Annotated[
        float, typer.Option(help="0 takes the likeliest character each time", min=0, max=100)
    ] = 0.5,
    top_k: Annotated[
        int, typer.Option(help="draw from so many of the likeliest characters; 0 for all", min=0)
    ] = 0,
    top_p: Annotated[
        float,
        typer.Option(
            help="draw from the likeliest that together have this probability", min=1e-6, max=1
        ),
    ] = 1.0,
    stop: Annotated[
        str, typer.Option(help="a text ends before this string; \\n is a new line")
    ] = "",
    code: Annotated[
        Code,
        typer.Option(
            help="keep any text, only what compiles, or cut back to the last line with which it compiles"
        ),
    ] = "any",
    seed: Seed = 0,
) -> None:
    """Write texts that go on from prefixes."""
    if output.suffix not in (".jsonl", ".txt"):
        raise ValueError(
            f"don't know how to write {output}: give a file that ends in .jsonl or .txt"
        )
    saved = folders.load(model)
    begins = [given.replace("\\n", "\n") for given in prefix or []]
    if prefixes:
        begins += [text.text for text in read_texts(prefixes)]
        if not begins:
            raise ValueError(
                f"{prefixes} holds no text: give prefixes, or leave it out to begin with nothing"
            )
    begins = begins or [""]
    ends, network, start = (
        re.escape(stop.replace("\\n", "\n")),
        Network(saved.model),
        time.perf_counter(),
    )
    draw: dict[str, Any] = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "seed": seed,
    }
    written: list[dict[str, Any]] = []
    with progress_bar("characters", length * len(begins), "character") as bar:
        for begin in begins:
            for text in generate(
                network, saved.characters, begin, length, n, stop=ends, on_step=bar.update, **draw
            ):
                written.append({"text": begin + text, "meta": {"prefix": begin, **draw}})
    seconds, n_characters = time.perf_counter() - start, sum(len(line["text"]) for line in written)
    ends_well = (
        [{**line, "text": cut_back(line["text"])} for line in written] if code == "cut" else written
    )
    kept = [
        line
        for line in ends_well
        if code == "any" or (line["text"].strip() and compiles(line["text"]))
    ]
    if output.suffix == ".jsonl":
        write_jsonl(output, kept)
    else:
        write_text(output, "\n\n".join(line["text"] for line in kept) + "\n")
    print(
        f"{output}: {len(kept)} of {len(written)} texts, {n_characters / seconds:,.0f} characters a second"
    )


@app.command()
@one_line_errors
def activations(
    model: Model,
    corpus: Corpus,
    folder: Annotated[Path, typer.Argument(help="gets activations.json, .png and .html")],
    length: Annotated[
        int, typer.Option(help="characters of dev to correlate over", min=100)
    ] = 20_000,
    shown: Annotated[int, typer.Option(help="characters in the pictures", min=20)] = 700,
    top: Annotated[int, typer.Option(help="units in the pictures", min=1)] = 4,
    units: Annotated[
        str, typer.Option(help="LAYER:UNIT, apart by commas, instead of the most telling ones")
    ] = "",
) -> None:
    """Find the units that go with properties of the text, and draw where they fire."""
    saved, (told, _, dev) = folders.load(model), _read_corpus(corpus)
    text = dev[:length]
    layers = looking.hidden_states(saved.model, saved.characters.encode_known(text, str(corpus)))
    told_units = looking.telling_units(layers, looking.properties(text, told["code"]))
    drawn = looking.chosen(units, layers) if units else told_units[:top]
    if not drawn:
        raise ValueError(
            f"{corpus / 'dev.txt'} has {len(dev)} characters, too few to tell units apart: give more text"
        )
    place = looking.passage(text, shown)  # not where the units were chosen by
    part, fired = text[place], [hidden[place] for hidden in layers]
    plots.save(looking.heat_map(part, fired, drawn), folder / "activations.png")
    write_text(folder / "activations.html", looking.page(part, fired, drawn))
    write_json(folder / "activations.json", [unit.to_json() for unit in told_units])
    for unit in told_units:
        print(
            f"{unit.property:>16}  layer {unit.layer}, unit {unit.unit:>4}  r {unit.correlation:+.2f}"
        )


if __name__ == "__main__":
    app()
