"""The rank of the right answer among all, for questions that were held out: our setting beside tf-idf, BM25 and averaged vectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly
from matplotlib.figure import Figure
from rich.table import Table

from scripts import plots
from scripts.files import need
from scripts.questions import lexical
from scripts.questions.encoder import Encoder
from scripts.questions.lexical import Setting
from scripts.questions.records import Question, Split, stop_words
from scripts.questions.text import words
from scripts.scores import middle

Floats1d = npt.NDArray[np.float64]
Floats2d = npt.NDArray[np.float32]
TF_IDF, BM25, LETTERS, BOTH = "tf-idf", "BM25", "tf-idf of letters", "BM25 + letters"
AVERAGED, TOWER, HYBRID = "averaged vectors", "tower", "hybrid"
TOP = 10
RESAMPLES = 2_000
TF_IDF_GRID = [(kind, stop) for kind in ("words", "pairs") for stop in (False, True)]
BM25_GRID = [(k1, b, stop) for k1 in (0.9, 1.5, 2.0) for b in (0.4, 0.75) for stop in (False, True)]
LETTERS_GRID = (0.0, 0.5, 1.0, 2.0)  # weights beside BM25, whose weight is 1
TOWER_GRID = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # weights beside the other two together


@dataclass(frozen=True)
class Task:
    """Titles to search with, and the texts among which the right one is."""

    titles: list[str]
    right: npt.NDArray[np.int64]  # (n_titles,): the number of each title's right text
    texts: list[str]


def make_task(questions: Sequence[Question], chosen: Sequence[int]) -> Task:
    """The task for some questions: all answers of all questions are candidates. Questions without an answer are left out."""
    starts = np.cumsum([0, *(len(question.answers) for question in questions)])
    some = [number for number in chosen if questions[number].answers]
    right = np.array([starts[number] + questions[number].right for number in some], "i8")
    return Task(
        [questions[number].title for number in some],
        right,
        [answer for question in questions for answer in question.answers],
    )


def ranks(scores: Floats2d, right: npt.NDArray[np.int64]) -> Floats1d:
    """The rank of the right text of each row of scores, (n, n_texts), from 1; of equal scores the mean rank counts."""
    own = scores[np.arange(len(right)), right][:, None]
    return np.asarray(1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2)


def mrr(found: Floats1d) -> float:
    """Mean reciprocal rank."""
    return float(np.mean(1 / found))


def lexical_scores(index: lexical.Index, titles: Sequence[str]) -> Floats2d:
    """(n_titles, n_texts)."""
    return np.stack([index.scores(title) for title in titles])


def tower_scores(towers: tuple[Encoder, Encoder], task: Task) -> Floats2d:
    """Cosines of the title tower's and the text tower's vectors, (n_titles, n_texts)."""
    return towers[0].encode(task.titles) @ towers[1].encode(task.texts).T


def averaged_scores(task: Task, texts: Sequence[str], seed: int) -> Floats2d:
    """Cosines of averaged word vectors, skip-gram, trained on texts (Mikolov et al. 2013)."""
    models = need("gensim.models", "questions")
    options = {
        "vector_size": 100,
        "window": 10,
        "min_count": 2,
        "sg": 1,
        "epochs": 10,
        "workers": 1,
        "seed": seed,
    }
    vectors = models.Word2Vec([words(text) for text in texts], **options).wv

    def mean(text: str) -> Any:
        known = [word for word in words(text) if word in vectors]
        return (
            vectors.get_mean_vector(known, pre_normalize=True, post_normalize=True)
            if known
            else np.zeros(100, "f4")
        )

    a, b = (np.stack([mean(text) for text in side]) for side in (task.titles, task.texts))
    return np.asarray(a @ b.T, "f4")


def _best(grid: Sequence[Any], score: Callable[[Any], float]) -> Any:
    """The best of a grid, the first of equals."""
    return max(grid, key=score)


def choose(
    questions: Sequence[Question], split: Split, towers: tuple[Encoder, Encoder], lang: str
) -> tuple[Setting, tuple[str, bool]]:
    """The setting of the hybrid, and that of tf-idf: the highest MRR on questions that are not in test.

    tf-idf and BM25 learn nothing of questions, so all of train and dev choose for them; the tower's weight is chosen on dev, which did not
    train it.

    Args:
        questions: all.
        split: which of them are held out.
        towers: trained on the split's train.
        lang: language code, for stop words.
    """
    stop = {True: stop_words(lang), False: frozenset[str]()}
    known, dev = (
        make_task(questions, sorted(split.train + split.dev)),
        make_task(questions, split.dev),
    )

    def of(index: lexical.Index) -> float:
        return mrr(ranks(lexical_scores(index, known.titles), known.right))

    kind = _best(
        TF_IDF_GRID, lambda given: of(lexical.tf_idf(known.texts, given[0], stop[given[1]]))
    )
    k1, b, left_out = _best(
        BM25_GRID, lambda given: of(lexical.bm25(known.texts, given[0], given[1], stop[given[2]]))
    )
    bm25, letters = (
        lexical.bm25(known.texts, k1, b, stop[left_out]),
        lexical.tf_idf(known.texts, "letters"),
    )
    both = [lexical_scores(index, known.titles) for index in (bm25, letters)]
    x = _best(LETTERS_GRID, lambda given: mrr(ranks(both[0] + given * both[1], known.right)))
    mixed = lexical_scores(bm25, dev.titles) + x * lexical_scores(letters, dev.titles)
    tower = tower_scores(towers, dev)
    y = _best(TOWER_GRID, lambda given: mrr(ranks(mixed + given * (1 + x) * tower, dev.right))) * (
        1 + x
    )
    total = 1 + x + y
    return Setting(k1, b, left_out, 1 / total, x / total, y / total), kind


def rank_all(
    questions: Sequence[Question],
    split: Split,
    towers: tuple[Encoder, Encoder],
    lang: str,
    seed: int,
) -> tuple[dict[str, Floats1d], Setting, tuple[str, bool]]:
    """The ranks that each system gives the right answers of the test questions; the setting; that of tf-idf."""
    setting, (kind, left_out) = choose(questions, split, towers, lang)
    task, stop = make_task(questions, split.test), stop_words(lang)
    own = [
        text for number in split.train for text in (questions[number].title, questions[number].body)
    ]
    scores = {
        AVERAGED: averaged_scores(task, own + task.texts, seed),
        TF_IDF: lexical_scores(
            lexical.tf_idf(task.texts, kind, stop if left_out else frozenset()), task.titles
        ),
        BM25: lexical_scores(
            lexical.bm25(task.texts, setting.k1, setting.b, stop if setting.stop else frozenset()),
            task.titles,
        ),
        LETTERS: lexical_scores(lexical.tf_idf(task.texts, "letters"), task.titles),
        TOWER: tower_scores(towers, task),
    }
    scores[BOTH] = setting.bm25 * scores[BM25] + setting.letters * scores[LETTERS]
    scores[HYBRID] = scores[BOTH] + setting.tower * scores[TOWER]
    return (
        {name: ranks(values, task.right) for name, values in scores.items()},
        setting,
        (kind, left_out),
    )


def summarize(found: Mapping[str, Floats1d], n_texts: int) -> dict[str, Any]:
    """MRR and recall@10 of each system in percent with 95% intervals (percentile bootstrap over questions, Efron 1979), and what the hybrid
    gains on the better of tf-idf and BM25, on the same resamples.

    Args:
        found: ranks, (n_questions,), by system.
        n_texts: candidates.
    """
    n = len(found[HYBRID])
    draws = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    systems: dict[str, dict[str, Any]] = {}
    for name, values in found.items():
        line: dict[str, Any] = {}
        for key, each in (("mrr", 100 / values), ("recall", 100.0 * (values <= TOP))):
            line |= {key: float(each.mean()), f"{key}_interval": middle(each[draws].mean(axis=1))}
        systems[name] = line
    better = max((TF_IDF, BM25), key=lambda name: systems[name]["mrr"])
    gain = 100 / found[HYBRID] - 100 / found[better]
    told = {
        "better_baseline": better,
        "gain": float(gain.mean()),
        "gain_interval": middle(gain[draws].mean(axis=1)),
    }
    return {"questions": n, "answers": n_texts, "systems": systems, **told}


def to_table(metrics: Mapping[str, Any]) -> Table:
    """The systems, the hybrid last."""
    title = f"The right one of {metrics['answers']:,} answers, for {metrics['questions']} questions that were held out"
    table = Table(title=title, title_justify="left")
    for column in ("searched by", "MRR", "95%", f"recall@{TOP}", "95%"):
        table.add_column(column, justify="left" if column == "searched by" else "right")
    for name, line in metrics["systems"].items():
        cells = [
            text
            for key in ("mrr", "recall")
            for text in (f"{line[key]:.1f}", "{:.1f} to {:.1f}".format(*line[f"{key}_interval"]))
        ]
        table.add_row(name, *cells)
    return table


def describe(setting: Setting, metrics: Mapping[str, Any]) -> str:
    """What was chosen and what it gains, as two lines."""
    weights = f"{setting.bm25:.2f} BM25 (k1 {setting.k1:g}, b {setting.b:g}) + {setting.letters:.2f} letters + {setting.tower:.2f} tower"
    return f"hybrid: {weights}\n{gain_line(metrics)}"


def gain_line(metrics: Mapping[str, Any]) -> str:
    """What the hybrid gains, as a sentence."""
    low, high = metrics["gain_interval"]
    return f"MRR, hybrid less {metrics['better_baseline']}: {metrics['gain']:+.1f} (95%: {low:+.1f} to {high:+.1f})"


def draw(metrics: Mapping[str, Any]) -> Figure:
    """Bars of MRR and recall@10 for each system."""
    systems = metrics["systems"]
    groups = {
        label: {name.replace(" ", "\n", 1): systems[name][key] for name in systems}
        for key, label in (("mrr", "MRR"), ("recall", f"recall@{TOP}"))
    }
    figure = plots.bars(
        groups,
        f"The right one of {metrics['answers']:,} answers, {metrics['questions']} questions held out",
        "%",
    )
    axes = figure.axes[0]
    axes.legend(
        frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.16)
    )  # below names of two lines
    return figure


def to_json(setting: Setting, tf_idf: tuple[str, bool]) -> dict[str, Any]:
    """What was chosen, for metrics.json."""
    return {"setting": asdict(setting), "tf_idf": {"terms": tf_idf[0], "stop": tf_idf[1]}}


def read_setting(path: Path) -> Setting:
    """The setting that `questions-evaluate` chose.

    Raises:
        ValueError: "no setting in ...".
    """
    try:
        told: Any = srsly.read_json(path)
        return Setting(**told["setting"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(
            f"no setting in {path}: run python -m weasel run questions-evaluate first"
        ) from None
