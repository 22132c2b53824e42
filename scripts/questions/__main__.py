"""Commands of the workflow `questions`."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.files import one_line_errors
from scripts.questions.options import Positives, TowerSettings

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

DEFAULT = TowerSettings()
Questions = Annotated[Path, typer.Argument(help="JSONL file that `extract` wrote")]
Folder = Annotated[Path, typer.Argument(help="training folder of the workflow")]
Lang = Annotated[str, typer.Option(help="language code, for stop words")]
DevShare = Annotated[float, typer.Option(help="share of the questions for dev", min=0.01, max=0.5)]
BelongsTo = Annotated[
    Positives, typer.Option("--positives", help="the texts that belong to a title")
]
Start = Annotated[
    str, typer.Option(help="first embeddings: lsa, random, or a pipeline or folder with vectors")
]
Vocabulary = Annotated[int, typer.Option(help="at most so many words", min=1)]
Width = Annotated[
    int, typer.Option(help="of the vectors; given vectors keep their own width", min=2)
]
TextWords = Annotated[
    int, typer.Option(help="only the first words of a body or an answer are used", min=1)
]
Temperature = Annotated[float, typer.Option(help="of the softmax over a batch", min=0.001)]
Dropout = Annotated[
    float, typer.Option(help="share of words that training leaves out", min=0, max=0.9)
]
LearnRate = Annotated[float, typer.Option(help="of Adam", min=0)]
BatchSize = Annotated[
    int, typer.Option(help="pairs in a batch; each is a negative of the others", min=2)
]
Epochs = Annotated[int, typer.Option(help="at most so many", min=1)]
Seed = Annotated[int, typer.Option(help="for the draws", min=0)]


@app.command()
@one_line_errors
def extract(
    dump: Annotated[
        Path, typer.Argument(help="Posts.xml of a Stack Exchange dump, or the .7z of a site")
    ],
    output: Annotated[
        Path,
        typer.Argument(help="JSONL file for the questions; .counts.json is written next to it"),
    ],
    cap_gb: Annotated[
        float, typer.Option(help="at most so many GB may come out of a .7z", min=0.000001)
    ] = 8.0,
    limit: Annotated[
        int, typer.Option(help="stop after so many posts; 0 for all of them", min=0)
    ] = 0,
) -> None:
    """Write the questions of a dump with their answers."""
    from scripts.files import write_json
    from scripts.questions.extract import (
        check_end,
        extract_dump,
        fingerprint,
        is_up_to_date,
        print_result,
        to_json,
    )

    counts, cap = output.with_suffix(".counts.json"), round(cap_gb * 1e9)
    if is_up_to_date(output, counts, fingerprint(dump, cap, limit)):
        print(f"{output}: nothing has changed since it was made")
        return
    result = extract_dump(dump, output, cap, limit)
    write_json(counts, to_json(result, output))
    print_result(result, output)
    check_end(result, dump, output)


@app.command()
@one_line_errors
def explore(
    questions: Questions,
    output: Annotated[Path, typer.Argument(help="folder for summary.json and explore.png")],
) -> None:
    """Summarise the dump: posts, tags, lengths, scores, most viewed questions."""
    from scripts.files import write_json
    from scripts.plots import save
    from scripts.questions.explore import draw, print_summary, summarize, to_frames
    from scripts.questions.records import read_records

    frames = to_frames(read_records(questions))
    summary = summarize(*frames)
    print_summary(summary)
    save(draw(*frames, summary), output / "explore.png")
    write_json(output / "summary.json", summary)


@app.command()
@one_line_errors
def train(
    questions: Questions,
    folder: Folder,
    positives: BelongsTo = DEFAULT.positives,
    start: Start = DEFAULT.start,
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
        float, typer.Option(help="share of the questions for test", min=0.01, max=0.5)
    ] = 0.2,
    seed: Seed = 0,
) -> None:
    """Train the two towers on the questions that are not held out."""
    from scripts.files import check_new_folder, new_folder, write_json
    from scripts.questions.records import ids_of, read_questions, split
    from scripts.questions.train import train_on_split, write_towers

    settings = TowerSettings(
        positives=positives,
        start=start,
        vocabulary=vocabulary,
        width=width,
        text_words=text_words,
        temperature=temperature,
        dropout=dropout,
        learn_rate=learn_rate,
        batch_size=batch_size,
        epochs=epochs,
        seed=seed,
    )
    model = folder / "model"
    check_new_folder(model, "words.json")
    records = read_questions(questions)
    parts = split(records, dev_share, test_share, seed)
    towers = train_on_split(records, parts, settings)
    with new_folder(model, "words.json") as part:
        write_towers(part, towers)
        write_json(part / "split.json", ids_of(records, parts))
    epoch = f"kept after epoch {towers.best} of {len(towers.log)}"
    print(f"{model}: {len(towers.titles.words):,} words, {epoch}")


@app.command()
@one_line_errors
def evaluate(questions: Questions, folder: Folder, lang: Lang = "en", seed: Seed = 0) -> None:
    """Rank the right answer among all, for held-out questions; compare with the baselines."""
    from scripts.files import write_json
    from scripts.plots import save
    from scripts.questions.encoder import read_encoders
    from scripts.questions.evaluate import (
        draw,
        gain_line,
        rank_all,
        summarize,
        to_table,
        weights_line,
    )
    from scripts.questions.records import read_questions, split_by_ids
    from scripts.scores import console

    encoders = read_encoders(folder / "model")
    records = read_questions(questions)
    parts = split_by_ids(records, folder / "model" / "split.json")
    ranks, chosen = rank_all(records, parts, encoders, lang, seed)
    metrics = summarize(ranks, sum(len(record.answers) for record in records))
    console().print(to_table(metrics))
    print(weights_line(chosen.hybrid))
    print(gain_line(metrics))
    save(draw(metrics), folder / "scores.png")
    write_json(folder / "metrics.json", {**metrics, **chosen.to_json()})


@app.command()
@one_line_errors
def folds(
    questions: Questions,
    output: Annotated[Path, typer.Argument(help="folder for metrics.json and scores.png")],
    n_folds: Annotated[int, typer.Option(help="parts; each is held out once", min=2)] = 5,
    positives: BelongsTo = DEFAULT.positives,
    start: Start = DEFAULT.start,
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
    """Cross-validate: hold each question out once, with a tower for each fold."""
    from scripts.files import write_json
    from scripts.plots import save
    from scripts.questions.evaluate import draw, gain_line, to_table
    from scripts.questions.folds import cross_validate
    from scripts.questions.records import read_questions
    from scripts.scores import console

    settings = TowerSettings(
        positives=positives,
        start=start,
        vocabulary=vocabulary,
        width=width,
        text_words=text_words,
        temperature=temperature,
        dropout=dropout,
        learn_rate=learn_rate,
        batch_size=batch_size,
        epochs=epochs,
        seed=seed,
    )
    metrics = cross_validate(read_questions(questions), n_folds, dev_share, settings, lang)
    console().print(to_table(metrics))
    print(gain_line(metrics))
    save(draw(metrics), output / "scores.png")
    write_json(output / "metrics.json", metrics)


@app.command()
@one_line_errors
def index(questions: Questions, folder: Folder, lang: Lang = "en") -> None:
    """Index all titles, with the settings that `evaluate` chose."""
    from scripts.files import new_folder
    from scripts.questions.encoder import read_encoders
    from scripts.questions.evaluate import read_settings
    from scripts.questions.records import read_questions, stop_words
    from scripts.questions.serve import write_index

    encoder, _ = read_encoders(folder / "model")
    settings = read_settings(folder / "metrics.json")
    records = read_questions(questions)
    ids = [record.id for record in records]
    titles = [record.title for record in records]
    with new_folder(folder / "index", "index.json") as part:
        write_index(part, ids, titles, encoder, settings, stop_words(lang))
    print(f"{folder / 'index'}: {len(titles):,} titles")


@app.command()
@one_line_errors
def match(
    folder: Folder,
    question: Annotated[str, typer.Option(help="a title, or any question")],
    k: Annotated[int, typer.Option(help="how many to list; at most all", min=1)] = 10,
) -> None:
    """List the questions that are most similar to a question."""
    from rich.table import Table
    from rich.text import Text

    from scripts.questions.serve import load
    from scripts.scores import console

    matcher = load(folder)
    matches = matcher(question, k)
    title = Text(f"Like {question!r}, of {len(matcher.titles):,} titles")
    table = Table("score", "id", "title", title=title, title_justify="left")
    for one in matches:
        table.add_row(f"{one['score']:.3f}", str(one["id"]), Text(one["title"]))
    console().print(table)


if __name__ == "__main__":
    app()
