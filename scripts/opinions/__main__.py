"""The commands of the workflow `opinions`: each reads, calls a function over plain data, and writes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.language import Language

from scripts.components.opinions import SentenceSentiment
from scripts.files import (
    new_folder,
    one_line_errors,
    progress_bar,
    remove,
    replacing,
    restore_folder,
    split_paths,
    write_json,
    write_jsonl,
)
from scripts.opinions import build as building
from scripts.opinions import count as counting
from scripts.opinions import evaluate as evaluating
from scripts.opinions import odds
from scripts.opinions.count import By
from scripts.pipelines import keep_vectors_attr
from scripts.reading import Skipped, Text, read_texts, source_files, text_key

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Joined = Annotated[Path, typer.Argument(help="folder that build wrote")]
Code = Annotated[
    list[str] | None,
    typer.Option(help="file with the pipeline's own registered functions; several apart by commas"),
]
Praise = Annotated[str, typer.Option(help="label of praise")]
Complaint = Annotated[str, typer.Option(help="label of complaint")]
Threshold = Annotated[
    float,
    typer.Option(help="least score of a label; below it the sentiment is neither", min=0, max=1),
]


@app.command()
@one_line_errors
def build(
    output: Annotated[Path, typer.Argument(help="folder for the joined pipeline")],
    ner: Annotated[
        str, typer.Option(help="pipeline that finds entities: a folder, or an installed one")
    ],
    sentiment: Annotated[
        str, typer.Option(help="pipeline with a textcat: a folder, or an installed one")
    ],
    praise: Praise = "POSITIVE",
    complaint: Complaint = "NEGATIVE",
    follow: Annotated[
        int,
        typer.Option(
            help="sentences behind an entity's that name none and are judged with it", min=0
        ),
    ] = 1,
    code: Code = None,
) -> None:
    """Join a pipeline that finds entities and one that knows sentiment."""
    for name in (ner, sentiment):
        restore_folder(Path(name))
    building.import_code(split_paths(code))
    finder = building.load_pipeline(ner, "ner")
    nlp = building.join(finder, building.load_pipeline(sentiment, "textcat"), follow)
    labels = _component(nlp).labels
    building.check_labels(labels, praise, complaint)
    with new_folder(output, "meta.json") as folder:
        nlp.to_disk(folder)
        keep_vectors_attr(folder, Path(ner))
        keep_vectors_attr(folder / building.NAME / "pipeline", Path(sentiment))
    print(f"{output}: {' -> '.join(nlp.pipe_names)}, sentiments {', '.join(labels)}")


@app.command()
@one_line_errors
def evaluate(
    pipeline: Joined,
    output: Annotated[Path, typer.Argument(help="folder for metrics.json and scores.png")],
    test: Annotated[Path, typer.Option(help="texts with spans that have a sentiment")],
    praise: Praise = "POSITIVE",
    complaint: Complaint = "NEGATIVE",
    threshold: Threshold = 0,
    code: Code = None,
) -> None:
    """Score the sentiment of entities with given borders and end to end, beside simpler ways."""
    nlp = _load(pipeline, code, praise, complaint)
    labels = _component(nlp).labels
    neutral = next((label for label in labels if label not in (praise, complaint)), "NEUTRAL")
    rejected = Skipped()
    docs = evaluating.read_gold_opinions(test, nlp, [*labels, neutral], rejected)
    if rejected.records:
        print(f"left out of the gold labels: {rejected.counts()}, first {rejected.records[0]}")
    if not any(doc.ents for doc in docs):
        print(f"{test} holds no gold opinion (vars.opinions.test): nothing is scored")
        remove(output / "scores.png")
        write_json(
            output / "metrics.json",
            {"ents_p": None, "ents_r": None, "ents_f": None, "ents_per_type": {}},
        )
        return
    metrics = evaluating.evaluate(nlp, docs, threshold, neutral)
    evaluating.print_tables(metrics)
    evaluating.draw(metrics, output / "scores.png")
    write_json(output / "metrics.json", metrics)


@app.command()
@one_line_errors
def count(
    pipeline: Joined,
    output: Annotated[
        Path,
        typer.Argument(
            help="folder for evidence.jsonl, table.jsonl, opinions.json and opinions.png"
        ),
    ],
    texts: Annotated[
        list[str], typer.Option(help="texts to go through; several files apart by commas")
    ],
    by: Annotated[By, typer.Option(help="what counts as one entity")] = "text",
    praise: Praise = "POSITIVE",
    complaint: Complaint = "NEGATIVE",
    threshold: Threshold = 0,
    min_mentions: Annotated[
        int, typer.Option(help="fewest mentions of an entity in the table", min=1)
    ] = 5,
    prior: Annotated[
        float,
        typer.Option(
            help="added to praise and to complaint, as a share of an entity's mentions", min=1e-6
        ),
    ] = 0.1,
    top: Annotated[int, typer.Option(help="entities at either end that are shown", min=1)] = 15,
    trained_on: Annotated[
        list[str] | None,
        typer.Option(help="texts that the sentiment pipeline was trained on: left out"),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option(help="leave out bad lines instead of stopping at the first")
    ] = False,
    code: Code = None,
) -> None:
    """Go through texts and say which entities go with praise and which with complaint."""
    nlp = _load(pipeline, code, praise, complaint)
    files = [file for path in split_paths(texts) for file in source_files(path)]
    known = {text_key(text.text) for path in split_paths(trained_on) for text in read_texts(path)}
    skipped, seen, mentions = Skipped(), Counter[str](), list[odds.Mention]()
    with replacing(output / "evidence.jsonl") as part, part.open("w", encoding="utf8") as stream:
        for line in counting.evidence(
            nlp, _texts(files, skipped if skip_bad else None), by, threshold, known, skipped, seen
        ):
            mentions.append(odds.Mention(line["key"], line["sentiment"]))
            stream.write(srsly.json_dumps(line) + "\n")
        print(
            f"{seen['texts']} texts, {seen['mentions']} mentions, left out: {skipped.counts() or 'no text'}"
        )
        if seen["without key"]:
            print(f"{seen['without key']} mentions have no {by} and are not counted")
            if not mentions:
                raise ValueError(
                    f"no mention has a {by}: count by another vars.opinions.by (text always works)"
                )
        rows = odds.count(mentions, praise, complaint, min_mentions, prior)
    odds.print_table(rows, top)
    print(odds.in_words(rows))
    odds.draw(rows, top, output / "opinions.png")
    write_jsonl(output / "table.jsonl", ({**asdict(row), "verdict": row.verdict} for row in rows))
    write_json(
        output / "opinions.json",
        {**seen, "skipped": skipped.counts(), "entities": len(rows), "says": odds.in_words(rows)},
    )


def _texts(files: list[Path], skipped: Skipped | None) -> Iterator[Text]:
    with progress_bar("texts", sum(file.stat().st_size for file in files), "B") as bar:
        for file in files:
            yield from read_texts(file, skipped, bar)


def _load(pipeline: Path, code: list[str] | None, praise: str, complaint: str) -> Language:
    restore_folder(pipeline)
    building.import_code(split_paths(code))
    nlp = building.load_pipeline(str(pipeline), "opinions-build")
    if building.NAME not in nlp.pipe_names:
        raise ValueError(
            f"{pipeline} is no joined pipeline: make it (python -m weasel run opinions-build)"
        )
    building.check_labels(_component(nlp).labels, praise, complaint)
    return nlp


def _component(nlp: Language) -> SentenceSentiment:
    component: Any = nlp.get_pipe(building.NAME)
    return component


if __name__ == "__main__":
    app()
