"""The commands of the workflow `questions`: each reads, calls a function over plain data, and writes."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from scripts import plots
from scripts.files import check_new_folder, new_folder, one_line_errors, write_json
from scripts.questions import evaluate as evaluating
from scripts.questions import explore as exploring
from scripts.questions import extract as extracting
from scripts.questions import folds as cross
from scripts.questions import serve as serving
from scripts.questions import tower
from scripts.questions import train as training
from scripts.questions.encoder import read_encoders
from scripts.questions.records import read_questions, read_records, split, split_by_ids, stop_words
from scripts.scores import console

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


Questions = Annotated[Path, typer.Argument(help="JSONL file that extract wrote")]
Folder = Annotated[Path, typer.Argument(help="training folder of the workflow")]
Lang = Annotated[str, typer.Option(help="language code, for stop words")]
DevShare = Annotated[
    float, typer.Option(help="share of the questions to choose by", min=0.01, max=0.5)
]
DEFAULT = tower.Settings()
Positives = Annotated[
    Literal["body", "answer", "both"], typer.Option("--positives", help="what belongs to a title")
]
Start = Annotated[
    str,
    typer.Option(help="where embeddings start: lsa, random, or a pipeline or folder with vectors"),
]
Vocabulary = Annotated[int, typer.Option(help="words at most", min=1)]
Width = Annotated[int, typer.Option(help="of the vectors, unless start names some", min=2)]
TextWords = Annotated[int, typer.Option(help="words of a body or an answer that count", min=1)]
Temperature = Annotated[float, typer.Option(help="of the softmax", min=0.001)]
Dropout = Annotated[
    float, typer.Option(help="share of words left out while training", min=0, max=0.9)
]
LearnRate = Annotated[float, typer.Option(help="of Adam", min=0)]
BatchSize = Annotated[
    int, typer.Option(help="pairs at a time; each is a negative to the others", min=2)
]
Epochs = Annotated[int, typer.Option(help="at most", min=1)]
Seed = Annotated[int, typer.Option(help="for the draws", min=0)]


@app.command()
@one_line_errors
def extract(
    dump: Annotated[
        Path, typer.Argument(help="Posts.xml of a Stack Exchange dump, or the .7z of a site")
    ],
    output: Annotated[
        Path, typer.Argument(help="JSONL file for the questions; counts go beside it")
    ],
    cap_gb: Annotated[
        float, typer.Option(help="GB that may come out of a .7z", min=0.000001)
    ] = 8.0,
    limit: Annotated[int, typer.Option(help="posts to stop after; 0 for all", min=0)] = 0,
) -> None:
    """Write the questions of a dump with their answers."""
    counts, cap = output.with_suffix(".counts.json"), round(cap_gb * 1e9)
    if extracting.made_before(output, counts, extracting.settings_of(dump, cap, limit)):
        print(f"{output}: nothing changed since it was made")
        return
    result = extracting.go_through(dump, output, cap, limit)
    write_json(counts, extracting.to_json(result, output))
    extracting.print_result(result, output)
    extracting.check(result, dump, output)


@app.command()
@one_line_errors
def explore(
    questions: Questions,
    output: Annotated[Path, typer.Argument(help="folder for summary.json and explore.png")],
) -> None:
    """Say what is in the dump: posts, tags, lengths, scores, the most viewed."""
    frames = exploring.to_frames(read_records(questions))
    found = exploring.summarize(*frames)
    exploring.print_summary(found)
    plots.save(exploring.draw(*frames, found), output / "explore.png")
    write_json(output / "summary.json", found)


@app.command()
@one_line_errors
def train(
    questions: Questions,
    folder: Folder,
    positives: Positives = "both",
    start: Start = "lsa",
    vocabulary: Vocabulary = DEFAULT.vocabulary,
    width: Width = DEFAULT.width,
    text_words: TextWords = DEFAULT.text_words,
    temperature: Temperature = DEFAULT.temperature,
    dropout: Dropout = DEFAULT.dropout,
    learn_rate: LearnRate = DEFAULT.learn_rate,
    batch_size: BatchSize = DEFAULT.batch_size,
    epochs: Epochs = DEFAULT.epochs,
    dev_share: DevShare = 0.15,
    test_share: Annotated[
        float, typer.Option(help="share of the questions to score by", min=0.01, max=0.5)
    ] = 0.2,
    seed: Seed = 0,
) -> None:
    """Train the two towers on questions that are not held out."""
    check_new_folder(folder / "model", "words.json")
    known = read_questions(questions)
    parts = split(known, dev_share, test_share, seed)
    options = (
        positives,
        start,
        vocabulary,
        width,
        text_words,
        temperature,
        dropout,
        learn_rate,
        batch_size,
        epochs,
        seed,
    )
    made = training.fit(known, parts, tower.Settings(*options))
    with new_folder(folder / "model", "words.json") as part:
        tower.write(part, made)
        write_json(
            part / "split.json",
            {
                name: [known[i].id for i in getattr(parts, name)]
                for name in ("train", "dev", "test")
            },
        )
    print(
        f"{folder / 'model'}: {len(made.titles.words):,} words, kept after epoch {made.best} of {len(made.log)}"
    )


@app.command()
@one_line_errors
def evaluate(questions: Questions, folder: Folder, lang: Lang = "en", seed: Seed = 0) -> None:
    """Rank the right answer among all for questions that were held out, beside tf-idf, BM25 and averaged vectors."""
    encoders = read_encoders(folder / "model")
    known = read_questions(questions)
    parts = split_by_ids(known, folder / "model" / "split.json")
    ranks, setting, tf_idf = evaluating.rank_all(known, parts, encoders, lang, seed)
    metrics = evaluating.summarize(ranks, sum(len(question.answers) for question in known))
    console().print(evaluating.to_table(metrics))
    print(evaluating.describe(setting, metrics))
    plots.save(evaluating.draw(metrics), folder / "scores.png")
    write_json(folder / "metrics.json", {**metrics, **evaluating.to_json(setting, tf_idf)})


@app.command()
@one_line_errors
def folds(
    questions: Questions,
    output: Annotated[Path, typer.Argument(help="folder for metrics.json and scores.png")],
    n_folds: Annotated[int, typer.Option(help="parts; each is held out once", min=2)] = 5,
    positives: Positives = "both",
    start: Start = "lsa",
    vocabulary: Vocabulary = DEFAULT.vocabulary,
    width: Width = DEFAULT.width,
    text_words: TextWords = DEFAULT.text_words,
    temperature: Temperature = DEFAULT.temperature,
    dropout: Dropout = DEFAULT.dropout,
    learn_rate: LearnRate = DEFAULT.learn_rate,
    batch_size: BatchSize = DEFAULT.batch_size,
    epochs: Epochs = DEFAULT.epochs,
    dev_share: DevShare = 0.15,
    lang: Lang = "en",
    seed: Seed = 0,
) -> None:
    """The same with every question held out once: a tower for each fold."""
    known = read_questions(questions)
    options = (
        positives,
        start,
        vocabulary,
        width,
        text_words,
        temperature,
        dropout,
        learn_rate,
        batch_size,
        epochs,
        seed,
    )
    metrics = cross.validate(known, n_folds, dev_share, tower.Settings(*options), lang)
    console().print(evaluating.to_table(metrics))
    print(evaluating.gain_line(metrics))
    plots.save(evaluating.draw(metrics), output / "scores.png")
    write_json(output / "metrics.json", metrics)


@app.command()
@one_line_errors
def index(questions: Questions, folder: Folder, lang: Lang = "en") -> None:
    """Make the index over all titles, with the setting that evaluate chose."""
    encoder, _ = read_encoders(folder / "model")
    setting = evaluating.read_setting(folder / "metrics.json")
    known = read_questions(questions)
    with new_folder(folder / "index", "index.json") as part:
        serving.write_index(
            part,
            [question.id for question in known],
            [question.title for question in known],
            encoder,
            setting,
            stop_words(lang),
        )
    print(f"{folder / 'index'}: {len(known):,} titles")


@app.command()
@one_line_errors
def match(
    folder: Folder,
    question: Annotated[str, typer.Option(help="a title, or what someone asks")],
    k: Annotated[int, typer.Option(help="how many; all where there are fewer", min=1)] = 10,
) -> None:
    """Questions like this one."""
    matcher = serving.load(folder)
    found = matcher(question, k)
    table = Table(
        "score",
        "id",
        "title",
        title=Text(f"Like {question!r}, of {len(matcher.titles):,} titles"),
        title_justify="left",
    )
    for line in found:
        table.add_row(f"{line['score']:.3f}", str(line["id"]), Text(line["title"]))
    console().print(table)


if __name__ == "__main__":
    app()
