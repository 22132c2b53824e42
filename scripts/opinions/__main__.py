"""The commands of the workflow `opinions`: each reads, calls a function, and writes the result."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.files import (
    one_line_errors,
    remove,
    replacing,
    restore_folder,
    split_paths,
    write_json,
    write_jsonl,
)
from scripts.opinions.options import By

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Joined = Annotated[Path, typer.Argument(help="folder that build wrote")]
Code = Annotated[
    list[str] | None,
    typer.Option(help="files with registered functions of the pipelines, comma-separated"),
]
Praise = Annotated[str, typer.Option(help="label of praise")]
Complaint = Annotated[str, typer.Option(help="label of complaint")]
Threshold = Annotated[
    float,
    typer.Option(help="minimum score of a label; below it the sentiment is neutral", min=0, max=1),
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
            help="sentences without an entity after that of an entity, judged with it", min=0
        ),
    ] = 1,
    code: Code = None,
) -> None:
    """Join a pipeline that finds entities with one that knows sentiment."""
    from scripts.opinions.build import NO_NER, NO_SENTIMENT, join, save_joined
    from scripts.opinions.joined import check_labels, load_with_code, sentiment_component

    for name in (ner, sentiment):
        restore_folder(Path(name))
    finder = load_with_code(ner, NO_NER, split_paths(code))
    nlp = join(finder, load_with_code(sentiment, NO_SENTIMENT, split_paths(code)), follow)
    labels = sentiment_component(nlp).labels
    check_labels(labels, praise, complaint)
    save_joined(nlp, output)
    print(f"{output}: {' -> '.join(nlp.pipe_names)}, sentiments {', '.join(labels)}")


@app.command()
@one_line_errors
def evaluate(
    pipeline: Joined,
    output: Annotated[Path, typer.Argument(help="folder for metrics.json and scores.png")],
    test: Annotated[Path, typer.Option(help="hand-labelled texts whose spans have a sentiment")],
    praise: Praise = "POSITIVE",
    complaint: Complaint = "NEGATIVE",
    threshold: Threshold = 0,
    code: Code = None,
) -> None:
    """Score the sentiment of entities, with given borders and end to end, next to baselines."""
    from scripts.opinions.evaluate import draw, evaluate_opinions, print_tables, read_gold_opinions
    from scripts.opinions.joined import load_joined
    from scripts.reading import Skipped

    restore_folder(pipeline)
    nlp, labels = load_joined(pipeline, split_paths(code), praise, complaint)
    neutral = next((label for label in labels if label not in (praise, complaint)), "NEUTRAL")
    rejected = Skipped()
    docs = read_gold_opinions(test, nlp, [*labels, neutral], rejected)
    if rejected.records:
        print(f"left out of the test labels: {rejected.counts()}, first {rejected.records[0]}")
    if not any(doc.ents for doc in docs):
        print(f"{test} holds no labelled opinion (vars.opinions.test): nothing is scored")
        remove(output / "scores.png")
        unknown = dict.fromkeys(("ents_p", "ents_r", "ents_f"))
        write_json(output / "metrics.json", {**unknown, "ents_per_type": {}})
        return
    metrics = evaluate_opinions(nlp, docs, threshold, neutral)
    print_tables(metrics)
    draw(metrics, output / "scores.png")
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
    texts: Annotated[list[str], typer.Option(help="texts to go through; files, comma-separated")],
    by: Annotated[By, typer.Option(help="what counts as one entity")] = "text",
    praise: Praise = "POSITIVE",
    complaint: Complaint = "NEGATIVE",
    threshold: Threshold = 0,
    min_mentions: Annotated[
        int, typer.Option(help="minimum mentions of an entity in the table", min=1)
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
    """Go through texts and report which entities go with praise and which with complaint."""
    from collections import Counter
    from dataclasses import asdict

    from scripts.opinions.count import evidence, read_all, text_keys, write_evidence
    from scripts.opinions.joined import load_joined
    from scripts.opinions.log_odds import count_opinions, describe, draw, print_table
    from scripts.reading import Skipped

    restore_folder(pipeline)
    nlp, _ = load_joined(pipeline, split_paths(code), praise, complaint)
    skipped = Skipped(strict=not skip_bad, var="vars.opinions.bad_lines")
    counts: Counter[str] = Counter()
    learned = text_keys(split_paths(trained_on))
    all_texts = read_all(split_paths(texts), skipped)
    records = evidence(nlp, all_texts, by, threshold, learned, skipped, counts)
    with replacing(output / "evidence.jsonl") as part:
        mentions = write_evidence(part, records)
        left_out = skipped.counts() or "no text"
        print(f"{counts['texts']} texts, {counts['mentions']} mentions, left out: {left_out}")
        if counts["without key"]:
            print(f"{counts['without key']} mentions have no {by} and are not counted")
            if not mentions:
                raise ValueError(
                    f"no mention has a {by}: set vars.opinions.by to another (text always works)"
                )
        rows = count_opinions(mentions, praise, complaint, min_mentions, prior)
    print_table(rows, top)
    print(describe(rows))
    draw(rows, top, output / "opinions.png")
    write_jsonl(output / "table.jsonl", [{**asdict(row), "verdict": row.verdict} for row in rows])
    summary = {"skipped": skipped.counts(), "entities": len(rows), "says": describe(rows)}
    write_json(output / "opinions.json", {**counts, **summary})


if __name__ == "__main__":
    app()
