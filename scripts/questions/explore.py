"""Summarise the questions of a dump: counts with pandas, and one figure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.files import need
from scripts.plots import COLOURS, subplots
from scripts.questions.text import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_TAGS = 15
MAX_VIEWED = 10  # questions
QUARTILES = {"least": 0, "25%": 0.25, "median": 0.5, "75%": 0.75, "most": 1}
DISTRIBUTIONS = (
    *("title_words", "body_words", "answer_words"),
    *("question_score", "answer_score", "views"),
)
ANSWER_COLUMNS = ["score", "accepted", "words"]


def to_frames(records: Iterable[dict[str, Any]]) -> tuple[Any, Any]:
    """Numbers of questions and of answers as two frames, without the texts.

    Raises:
        ValueError: "no question ...".
    """
    pandas = need("pandas", "questions")
    questions: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for record in records:
        questions.append(_question_row(record))
        answers += map(_answer_row, record["answers"])
    if not questions:
        raise ValueError("no question to look at: run python -m weasel run questions-extract first")
    frame = pandas.DataFrame(questions)
    frame["date"] = pandas.to_datetime(frame["date"], errors="coerce", format="ISO8601", utc=True)
    return frame, pandas.DataFrame(answers, columns=ANSWER_COLUMNS)


def _question_row(record: dict[str, Any]) -> dict[str, Any]:
    row = {key: record[key] for key in ("id", "title", "tags", "score", "views", "date")}
    row["title_words"] = len(words(record["title"]))
    row["body_words"] = len(words(record["body"]))
    row["answers"] = len(record["answers"])
    row["accepted"] = any(answer["accepted"] for answer in record["answers"])
    return row


def _answer_row(answer: dict[str, Any]) -> dict[str, Any]:
    n_words = len(words(answer["text"]))
    return {"score": answer["score"], "accepted": answer["accepted"], "words": n_words}


def summarize(questions: Any, answers: Any) -> dict[str, Any]:
    """Counts, shares in percent, quartiles, frequent tags and most viewed questions.

    Args:
        questions: the first frame of `to_frames`.
        answers: the second.
    """
    tags = questions["tags"].explode().dropna().value_counts(sort=True)
    tags = tags.sort_index().sort_values(ascending=False, kind="stable")
    years = questions["date"].dt.year.dropna().astype(int).value_counts().sort_index()
    return {
        "questions": len(questions),
        "answers": len(answers),
        "answered": 100 * float((questions["answers"] > 0).mean()),
        "accepted": 100 * float(questions["accepted"].mean()),
        "tags": len(tags),
        "most_used_tags": {str(tag): int(count) for tag, count in tags.head(MAX_TAGS).items()},
        "by_year": {str(year): int(count) for year, count in years.items()},
        "title_words": _quartiles(questions["title_words"]),
        "body_words": _quartiles(questions["body_words"]),
        "answer_words": _quartiles(answers["words"]),
        "question_score": _quartiles(questions["score"]),
        "answer_score": _quartiles(answers["score"]),
        "views": _quartiles(questions["views"].dropna()),
        "most_viewed": _most_viewed(questions),
    }


def _most_viewed(questions: Any) -> list[dict[str, Any]]:
    viewed = questions.dropna(subset=["views"])
    viewed = viewed.sort_values(["views", "id"], ascending=[False, True]).head(MAX_VIEWED)
    viewed = viewed[["id", "title", "views", "score"]].astype({"views": int})
    return list(viewed.to_dict("records"))


def _quartiles(values: Any) -> dict[str, float] | None:
    """Minimum, quartiles and maximum; None if there are no values."""
    if not len(values):
        return None
    return {name: float(values.quantile(share)) for name, share in QUARTILES.items()}


def print_summary(summary: dict[str, Any]) -> None:
    """Print the counts, the distributions, the tags and the most viewed questions."""
    from rich.console import Console
    from rich.table import Table

    width = None if Console().is_terminal else 120
    out = Console(markup=False, emoji=False, highlight=False, width=width)
    answered = f"{summary['answered']:.0f}% with an answer"
    accepted = f"{summary['accepted']:.0f}% with an accepted one"
    others = f"{summary['answers']:,} answers, {summary['tags']:,} tags"
    out.print(f"{summary['questions']:,} questions ({answered}, {accepted}), {others}")
    table = Table("", *QUARTILES)
    for key in DISTRIBUTIONS:
        if summary[key]:
            cells = [f"{value:,.0f}" for value in summary[key].values()]
            table.add_row(key.replace("_", " "), *cells)
    out.print(table)
    tags = ", ".join(f"{tag} {n:,}" for tag, n in summary["most_used_tags"].items())
    out.print(f"most used tags: {tags}")
    table = Table("most viewed", "views", "score")
    for line in summary["most_viewed"]:
        table.add_row(line["title"], f"{line['views']:,}", str(line["score"]))
    out.print(table)


def draw(questions: Any, answers: Any, summary: dict[str, Any]) -> "Figure":
    """Four panels: tags, questions by year, scores, and lengths in words."""
    figure, axes = subplots(2, 2, figsize=(10.5, 7), layout="constrained")
    _draw_tags(axes[0, 0], summary)
    _draw_years(axes[0, 1], questions)
    _draw_scores(axes[1, 0], {"questions": questions["score"], "answers": answers["score"]})
    lengths = {
        "titles": questions["title_words"],
        "bodies": questions["body_words"],
        "answers": answers["words"],
    }
    _draw_lengths(axes[1, 1], lengths)
    return figure


def _draw_tags(axes: Any, summary: dict[str, Any]) -> None:
    tags = summary["most_used_tags"]
    drawn = axes.barh(list(tags), list(tags.values()), color=COLOURS[1])
    axes.bar_label(drawn, fontsize=9, padding=2)
    axes.invert_yaxis()
    axes.set_title(f"most used of {summary['tags']:,} tags, questions", loc="left", fontsize=11)


def _draw_years(axes: Any, questions: Any) -> None:
    """Questions by year, stacked: with an accepted answer, with another answer, without."""
    year = questions["date"].dt.year
    accepted, answered = questions["accepted"], questions["answers"] > 0
    kinds = (
        ("accepted answer", accepted, 3),
        ("answered", answered & ~accepted, 1),
        ("no answer", ~answered & ~accepted, 0),
    )
    years = sorted(year.dropna().astype(int).unique())
    names = [str(each) for each in years]
    bottom = np.zeros(len(years))
    for label, chosen, colour in kinds:
        counts = year[chosen].value_counts().reindex(years, fill_value=0).to_numpy()
        axes.bar(names, counts, bottom=bottom, label=label, color=COLOURS[colour])
        bottom += counts
    axes.set_title("questions by year", loc="left", fontsize=11)
    axes.set_ylim(0, 1.25 * max(1, bottom.max()))
    axes.tick_params(axis="x", rotation=45 if len(years) > 8 else 0)
    style = {"fontsize": 9, "handlelength": 1, "columnspacing": 1}
    axes.legend(frameon=False, ncols=3, loc="upper right", **style)


def _draw_scores(axes: Any, scores: dict[str, Any]) -> None:
    """Histograms of scores in percent; what is outside the middle 98% is drawn at the ends."""
    low, high = np.percentile([*scores["questions"], *scores["answers"]], [1, 99])
    whole_numbers = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.5)
    bins = whole_numbers if high - low < 60 else np.linspace(low, high, 40)
    for (label, values), colour in zip(scores.items(), COLOURS[1:]):
        weights = np.full(len(values), 100 / max(1, len(values)))
        style = {"histtype": "step", "linewidth": 1.8, "color": colour, "label": label}
        axes.hist(np.clip(values, low, high), bins=bins, weights=weights, **style)
    axes.set_title("score, % of posts (the outermost 1% at the ends)", loc="left", fontsize=11)
    axes.legend(frameon=False)


def _draw_lengths(axes: Any, lengths: dict[str, Any]) -> None:
    boxes = [np.maximum(1, values) for values in lengths.values()]
    style = {"showfliers": False, "patch_artist": True, "widths": 0.5}
    drawn = axes.boxplot(boxes, vert=False, **style)
    for box, median in zip(drawn["boxes"], drawn["medians"]):
        box.set(facecolor=COLOURS[1], alpha=0.5)
        median.set(color="black")
    names = [f"{name}\nmedian {values.median():.0f}" for name, values in lengths.items()]
    axes.set_yticks(range(1, len(lengths) + 1), names)
    axes.invert_yaxis()
    axes.set_xlim(0, None)
    axes.set_title("words (box: the middle half)", loc="left", fontsize=11)
