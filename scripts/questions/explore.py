"""What is in a dump: a summary with pandas, and one figure."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from scripts.files import need
from scripts.plots import COLOURS, subplots
from scripts.questions.text import words

MOST_SHOWN = 15  # tags
MOST_VIEWED = 10


def to_frames(records: Iterable[dict[str, Any]]) -> tuple[Any, Any]:
    """Numbers of questions and of answers as two frames, without the texts.

    Raises:
        ValueError: "no question ...".
    """
    pandas = need("pandas", "questions")
    questions: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for record in records:
        found = record["answers"]
        about = {key: record[key] for key in ("id", "title", "tags", "score", "views", "date")}
        lengths = {
            "title_words": len(words(record["title"])),
            "body_words": len(words(record["body"])),
        }
        answered = {"answers": len(found), "accepted": any(answer["accepted"] for answer in found)}
        questions.append({**about, **lengths, **answered})
        answers += (
            {
                "score": answer["score"],
                "accepted": answer["accepted"],
                "words": len(words(answer["text"])),
            }
            for answer in found
        )
    if not questions:
        raise ValueError("no question to look at: run python -m weasel run questions-extract first")
    frame = pandas.DataFrame(questions)
    frame["date"] = pandas.to_datetime(frame["date"], errors="coerce", format="ISO8601", utc=True)
    return frame, pandas.DataFrame(answers, columns=["score", "accepted", "words"])


def summarize(questions: Any, answers: Any) -> dict[str, Any]:
    """Counts, shares in percent, quartiles, and the most frequent tags and most viewed questions, as plain data."""
    n = len(questions)
    tags = questions["tags"].explode().dropna().value_counts(sort=True)
    tags = tags.sort_index().sort_values(ascending=False, kind="stable")
    viewed = (
        questions.dropna(subset=["views"])
        .sort_values(["views", "id"], ascending=[False, True])
        .head(MOST_VIEWED)
    )
    years = questions["date"].dt.year.dropna().astype(int).value_counts().sort_index()
    return {
        "questions": n,
        "answers": len(answers),
        "answered": 100 * float((questions["answers"] > 0).mean()),
        "accepted": 100 * float(questions["accepted"].mean()),
        "tags": len(tags),
        "most_used_tags": {str(tag): int(count) for tag, count in tags.head(MOST_SHOWN).items()},
        "by_year": {str(year): int(count) for year, count in years.items()},
        "title_words": _quartiles(questions["title_words"]),
        "body_words": _quartiles(questions["body_words"]),
        "answer_words": _quartiles(answers["words"]),
        "question_score": _quartiles(questions["score"]),
        "answer_score": _quartiles(answers["score"]),
        "views": _quartiles(questions["views"].dropna()),
        "most_viewed": [
            {
                "id": int(row.id),
                "title": row.title,
                "views": int(row.views),
                "score": int(row.score),
            }
            for row in viewed.itertuples()
        ],
    }


def _quartiles(values: Any) -> dict[str, float] | None:
    """Least, quartiles and most; None where there is no value."""
    if not len(values):
        return None
    return {
        name: float(values.quantile(share))
        for name, share in (
            ("least", 0),
            ("25%", 0.25),
            ("median", 0.5),
            ("75%", 0.75),
            ("most", 1),
        )
    }


def print_summary(found: dict[str, Any]) -> None:
    """Print the counts, the distributions, and tags beside the most viewed questions."""
    out = Console(
        markup=False, emoji=False, highlight=False, width=None if Console().is_terminal else 120
    )
    shares = (
        f"{found['answered']:.0f}% with an answer, {found['accepted']:.0f}% with an accepted one"
    )
    out.print(
        f"{found['questions']:,} questions ({shares}), {found['answers']:,} answers, {found['tags']:,} tags"
    )
    table = Table("", "least", "25%", "median", "75%", "most")
    for key in (
        "title_words",
        "body_words",
        "answer_words",
        "question_score",
        "answer_score",
        "views",
    ):
        if found[key]:
            table.add_row(
                key.replace("_", " "), *(f"{value:,.0f}" for value in found[key].values())
            )
    out.print(table)
    out.print(
        "most used tags: " + ", ".join(f"{tag} {n:,}" for tag, n in found["most_used_tags"].items())
    )
    table = Table("most viewed", "views", "score")
    for line in found["most_viewed"]:
        table.add_row(line["title"], f"{line['views']:,}", str(line["score"]))
    out.print(table)


def draw(questions: Any, answers: Any, found: dict[str, Any]) -> Figure:
    """Four panels: tags, questions by year with the share that was answered, scores, lengths in words."""
    figure, ((tags, years), (scores, lengths)) = subplots(
        2, 2, figsize=(10.5, 7), layout="constrained"
    )
    names = list(found["most_used_tags"])
    tags.bar_label(
        tags.barh(names, list(found["most_used_tags"].values()), color=COLOURS[1]),
        fontsize=9,
        padding=2,
    )
    tags.invert_yaxis()
    tags.set_title(f"most used of {found['tags']:,} tags, questions", loc="left", fontsize=11)
    _draw_years(years, questions)
    low, high = (
        float(np.percentile([*questions["score"], *answers["score"]], share)) for share in (1, 99)
    )
    bins = (
        np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.5)
        if high - low < 60
        else np.linspace(low, high, 40)
    )
    for values, label, colour in (
        (questions["score"], "questions", COLOURS[1]),
        (answers["score"], "answers", COLOURS[2]),
    ):
        weights = np.full(len(values), 100 / max(1, len(values)))
        scores.hist(
            np.clip(values, low, high),
            bins=bins,
            weights=weights,
            histtype="step",
            color=colour,
            linewidth=1.8,
            label=label,
        )
    scores.set_title("score, % of posts (the outermost 1% at the ends)", loc="left", fontsize=11)
    scores.legend(frameon=False)
    columns = {
        "titles": questions["title_words"],
        "bodies": questions["body_words"],
        "answers": answers["words"],
    }
    drawn = lengths.boxplot(
        [np.maximum(1, values) for values in columns.values()],
        vert=False,
        showfliers=False,
        patch_artist=True,
        widths=0.5,
    )
    for box, median in zip(drawn["boxes"], drawn["medians"]):
        box.set(facecolor=COLOURS[1], alpha=0.5)
        median.set(color="black")
    lengths.set_yticks(
        range(1, len(columns) + 1),
        [f"{name}\nmedian {values.median():.0f}" for name, values in columns.items()],
    )
    lengths.invert_yaxis()
    lengths.set_xlim(0, None)
    lengths.set_title("words (box: the middle half)", loc="left", fontsize=11)
    return figure


def _draw_years(axes: Any, questions: Any) -> None:
    """Questions by year, stacked: with an accepted answer, with another, without."""
    year = questions["date"].dt.year
    accepted, answered = questions["accepted"], questions["answers"] > 0
    kinds = (
        ("accepted answer", accepted, 3),
        ("answered", answered & ~accepted, 1),
        ("no answer", ~answered & ~accepted, 0),
    )
    years = sorted(year.dropna().astype(int).unique())
    bottom = np.zeros(len(years))
    for label, chosen, colour in kinds:
        counts = year[chosen].value_counts().reindex(years, fill_value=0).to_numpy()
        axes.bar(
            [str(each) for each in years], counts, bottom=bottom, label=label, color=COLOURS[colour]
        )
        bottom += counts
    axes.set_title("questions by year", loc="left", fontsize=11)
    axes.set_ylim(0, 1.25 * max(1, bottom.max()))
    axes.tick_params(axis="x", rotation=45 if len(years) > 8 else 0)
    axes.legend(
        frameon=False, ncols=3, fontsize=9, loc="upper right", handlelength=1, columnspacing=1
    )
