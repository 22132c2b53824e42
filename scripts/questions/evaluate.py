"""The rank of the right answer among all answers, for questions that were held out.

The hybrid is compared with tf-idf, BM25 and averaged word vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import srsly

from scripts.files import need
from scripts.questions import lexical
from scripts.questions.encoder import Encoder
from scripts.questions.options import MatchSettings
from scripts.questions.records import Question, Split, stop_words
from scripts.questions.text import words
from scripts.scores import middle

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

Floats1d = npt.NDArray[np.float64]
Floats2d = npt.NDArray[np.float32]
Ints1d = npt.NDArray[np.int64]
Candidate = TypeVar("Candidate")
TF_IDF, BM25, LETTERS, BOTH = "tf-idf", "BM25", "tf-idf of letters", "BM25 + letters"
AVERAGED, TOWER, HYBRID = "averaged vectors", "tower", "hybrid"
TOP = 10
RESAMPLES = 2_000
TF_IDF_GRID = list(product(("words", "pairs"), (False, True)))  # kind of terms, leave out stop
BM25_GRID = list(product((0.9, 1.5, 2.0), (0.4, 0.75), (False, True)))  # k1, b, leave out stop
LETTERS_GRID = (0.0, 0.5, 1.0, 2.0)  # weights; that of BM25 is 1
TOWER_GRID = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # weights; that of the other two together is 1
VECTOR_WIDTH = 100  # of the averaged word vectors


@dataclass(frozen=True)
class Task:
    """Titles to search with, and the texts that are searched."""

    titles: list[str]
    right: Ints1d  # (n_titles,): the position of each title's right text
    texts: list[str]


@dataclass(frozen=True)
class Chosen:
    """The settings with the highest MRR on questions that are not in test."""

    hybrid: MatchSettings
    tf_idf_kind: str  # see `lexical.terms_of`
    tf_idf_stop: bool  # leave stop words out

    def to_json(self) -> dict[str, Any]:
        """For metrics.json."""
        tf_idf = {"terms": self.tf_idf_kind, "stop": self.tf_idf_stop}
        return {"setting": asdict(self.hybrid), "tf_idf": tf_idf}


class Lexical:
    """The indexes of a task's texts."""

    def __init__(self, task: Task, lang: str) -> None:
        self.task = task
        self.stop = {True: stop_words(lang), False: frozenset[str]()}

    def tf_idf(self, kind: str, leave_out_stop: bool) -> Floats2d:
        """(n_titles, n_texts)."""
        return self._scores(lexical.tf_idf(self.task.texts, kind, self.stop[leave_out_stop]))

    def bm25(self, k1: float, b: float, leave_out_stop: bool) -> Floats2d:
        """(n_titles, n_texts)."""
        return self._scores(lexical.bm25(self.task.texts, k1, b, self.stop[leave_out_stop]))

    def letters(self) -> Floats2d:
        """(n_titles, n_texts)."""
        return self._scores(lexical.tf_idf(self.task.texts, "letters"))

    def _scores(self, index: lexical.Index) -> Floats2d:
        return np.stack([index.scores(title) for title in self.task.titles])


def make_task(questions: Sequence[Question], chosen: Sequence[int]) -> Task:
    """The task of some questions: the answers of all questions are searched.

    Questions without an answer are left out.
    """
    starts = np.cumsum([0, *(len(question.answers) for question in questions)])
    answered = [number for number in chosen if questions[number].answers]
    right = np.array([starts[number] + questions[number].right for number in answered], "i8")
    titles = [questions[number].title for number in answered]
    texts = list(chain.from_iterable(question.answers for question in questions))
    return Task(titles, right, texts)


def ranks(scores: Floats2d, right: Ints1d) -> Floats1d:
    """The rank of the right text in each row of scores, (n, n_texts), from 1.

    Texts with equal scores share the mean of their ranks.
    """
    own = scores[np.arange(len(right)), right][:, None]
    return np.asarray(1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2)


def mrr(ranks: Floats1d) -> float:
    """Mean reciprocal rank."""
    return float(np.mean(1 / ranks))


def tower_scores(towers: tuple[Encoder, Encoder], task: Task) -> Floats2d:
    """Cosines of the title tower's and the text tower's vectors, (n_titles, n_texts)."""
    return towers[0].encode(task.titles) @ towers[1].encode(task.texts).T


def averaged_scores(task: Task, texts: Sequence[str], seed: int) -> Floats2d:
    """Cosines of averaged word vectors, (n_titles, n_texts).

    The vectors are trained on texts, by skip-gram (Mikolov et al. 2013).
    """
    models = need("gensim.models", "questions")
    vectors = models.Word2Vec(
        [words(text) for text in texts],
        vector_size=VECTOR_WIDTH,
        window=10,
        min_count=2,
        sg=1,
        epochs=10,
        workers=1,
        seed=seed,
    ).wv
    titles = np.stack([_mean_vector(vectors, title) for title in task.titles])
    candidates = np.stack([_mean_vector(vectors, text) for text in task.texts])
    return np.asarray(titles @ candidates.T, "f4")


def _mean_vector(vectors: Any, text: str) -> npt.NDArray[np.float32]:
    """(width,): zeros for a text without a known word."""
    known = [word for word in words(text) if word in vectors]
    if not known:
        return np.zeros(VECTOR_WIDTH, "f4")
    return np.asarray(vectors.get_mean_vector(known, pre_normalize=True, post_normalize=True))


def choose(
    questions: Sequence[Question], split: Split, towers: tuple[Encoder, Encoder], lang: str
) -> Chosen:
    """The settings with the highest MRR on questions that are not in test; the first if equal.

    tf-idf and BM25 learn nothing from questions, so train and dev choose for them. The tower's
    weight is chosen on dev, which did not train it.

    Args:
        questions: all.
        split: which of them are held out.
        towers: trained on the train part.
        lang: language code, for stop words.
    """
    known = make_task(questions, sorted(split.train + split.dev))
    dev = make_task(questions, split.dev)
    searched = Lexical(known, lang)

    def known_mrr(scores: Floats2d) -> float:
        return mrr(ranks(scores, known.right))

    kind, tf_idf_stop = _best(TF_IDF_GRID, lambda one: known_mrr(searched.tf_idf(*one)))
    bm25_settings = _best(BM25_GRID, lambda one: known_mrr(searched.bm25(*one)))
    bm25, letters = searched.bm25(*bm25_settings), searched.letters()
    letters_weight = _best(LETTERS_GRID, lambda weight: known_mrr(bm25 + weight * letters))

    of_dev = Lexical(dev, lang)
    mixed = of_dev.bm25(*bm25_settings) + letters_weight * of_dev.letters()
    tower, total = tower_scores(towers, dev), 1 + letters_weight
    share = _best(TOWER_GRID, lambda share: mrr(ranks(mixed + share * total * tower, dev.right)))
    tower_weight = share * total
    total += tower_weight
    weights = 1 / total, letters_weight / total, tower_weight / total
    return Chosen(MatchSettings(*bm25_settings, *weights), kind, tf_idf_stop)


def _best(grid: Sequence[Candidate], score: Callable[[Candidate], float]) -> Candidate:
    """The candidate with the highest score, the first of equals."""
    return max(grid, key=score)


def rank_all(
    questions: Sequence[Question],
    split: Split,
    towers: tuple[Encoder, Encoder],
    lang: str,
    seed: int,
) -> tuple[dict[str, Floats1d], Chosen]:
    """The ranks that each system gives the right answers of test, and the chosen settings."""
    chosen = choose(questions, split, towers, lang)
    task, hybrid = make_task(questions, split.test), chosen.hybrid
    searched = Lexical(task, lang)
    of_train = [(questions[number].title, questions[number].body) for number in split.train]
    texts = [*chain.from_iterable(of_train), *task.texts]
    scores = {
        AVERAGED: averaged_scores(task, texts, seed),
        TF_IDF: searched.tf_idf(chosen.tf_idf_kind, chosen.tf_idf_stop),
        BM25: searched.bm25(hybrid.k1, hybrid.b, hybrid.stop),
        LETTERS: searched.letters(),
        TOWER: tower_scores(towers, task),
    }
    scores[BOTH] = hybrid.bm25 * scores[BM25] + hybrid.letters * scores[LETTERS]
    scores[HYBRID] = scores[BOTH] + hybrid.tower * scores[TOWER]
    return {name: ranks(values, task.right) for name, values in scores.items()}, chosen


def summarize(ranks: Mapping[str, Floats1d], n_texts: int) -> dict[str, Any]:
    """MRR and recall@10 of each system in percent, and the gain of the hybrid over a baseline.

    The baseline is the better of tf-idf and BM25. The 95% intervals are by percentile bootstrap
    over questions (Efron 1979), on the same resamples for all.

    Args:
        ranks: (n_questions,), by system.
        n_texts: how many texts were searched.
    """
    n = len(ranks[HYBRID])
    draws = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    systems = {name: _scores_of(values, draws) for name, values in ranks.items()}
    better = max((TF_IDF, BM25), key=lambda name: systems[name]["mrr"])
    gain = 100 / ranks[HYBRID] - 100 / ranks[better]
    return {
        "questions": n,
        "answers": n_texts,
        "systems": systems,
        "better_baseline": better,
        "gain": float(gain.mean()),
        "gain_interval": middle(gain[draws].mean(axis=1)),
    }


def _scores_of(ranks: Floats1d, draws: npt.NDArray[np.int64]) -> dict[str, Any]:
    """MRR and recall@10 of a system with intervals, from ranks, (n,), and draws, (n_draws, n)."""
    scores: dict[str, Any] = {}
    for key, values in (("mrr", 100 / ranks), ("recall", 100.0 * (ranks <= TOP))):
        scores[key] = float(values.mean())
        scores[f"{key}_interval"] = middle(values[draws].mean(axis=1))
    return scores


def to_table(metrics: Mapping[str, Any]) -> "Table":
    """A row for each system, the hybrid last."""
    from rich.table import Table

    answers, questions = metrics["answers"], metrics["questions"]
    title = f"The right one of {answers:,} answers, for {questions} questions that were held out"
    table = Table(title=title, title_justify="left")
    for column in ("searched by", "MRR", "95%", f"recall@{TOP}", "95%"):
        table.add_column(column, justify="left" if column == "searched by" else "right")
    for name, scores in metrics["systems"].items():
        cells = []
        for key in ("mrr", "recall"):
            low, high = scores[f"{key}_interval"]
            cells += [f"{scores[key]:.1f}", f"{low:.1f} to {high:.1f}"]
        table.add_row(name, *cells)
    return table


def weights_line(settings: MatchSettings) -> str:
    """The chosen settings as a line."""
    bm25 = f"{settings.bm25:.2f} BM25 (k1 {settings.k1:g}, b {settings.b:g})"
    return f"hybrid: {bm25} + {settings.letters:.2f} letters + {settings.tower:.2f} tower"


def gain_line(metrics: Mapping[str, Any]) -> str:
    """The gain of the hybrid as a line."""
    low, high = metrics["gain_interval"]
    interval = f"95%: {low:+.1f} to {high:+.1f}"
    return f"MRR, hybrid less {metrics['better_baseline']}: {metrics['gain']:+.1f} ({interval})"


def draw(metrics: Mapping[str, Any]) -> "Figure":
    """Bars of MRR and recall@10 for each system."""
    from scripts.plots import bars

    groups: dict[str, dict[str, float]] = {"MRR": {}, f"recall@{TOP}": {}}
    for name, scores in metrics["systems"].items():
        label = name.replace(" ", "\n", 1)
        groups["MRR"][label] = scores["mrr"]
        groups[f"recall@{TOP}"][label] = scores["recall"]
    answers, questions = metrics["answers"], metrics["questions"]
    title = f"The right one of {answers:,} answers, {questions} questions held out"
    figure = bars(groups, title, "%")
    below = (0.5, -0.16)  # names of two lines
    figure.axes[0].legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=below)
    return figure


def read_settings(path: Path) -> MatchSettings:
    """The settings that `evaluate` chose.

    Raises:
        ValueError: "no settings in ...".
    """
    try:
        metrics: Any = srsly.read_json(path)
        return MatchSettings(**metrics["setting"])
    except (OSError, ValueError, KeyError, TypeError):
        remedy = "run python -m weasel run questions-evaluate first"
        raise ValueError(f"no settings in {path}: {remedy}") from None
