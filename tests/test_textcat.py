"""Text classification: reading labelled texts, the split, the scores, and the whole workflow."""

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from sklearn.metrics import brier_score_loss, f1_score
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from typer.testing import CliRunner

from scripts.components.training import create_class_weights
from scripts.reading import Skipped
from scripts.textcat import scores as scoring
from scripts.textcat.__main__ import app
from scripts.textcat.baseline import fit, predict
from scripts.textcat.compare import choose_variant, decision
from scripts.textcat.folds import clear_other_settings, make_folds
from scripts.textcat.labelled import Labelled, read_labelled
from scripts.textcat.split import Split, make_split, readable, rebalance, to_docs
from scripts.textcat.variants import parse_variants
from tests.conftest import ROOT, wheel_name

Write = Callable[[str, list[Any]], Path]
CODE = ["--code", "scripts/components/training.py"]
DRAWN = ["--dev", "assets/empty.jsonl", "--test", "assets/empty.jsonl"]
FEW = ["--training.max_steps", "60", "--training.eval_frequency", "20"]


def numbered(counts: dict[str, int], start: int = 0) -> list[Labelled]:
    """Texts such as "A text number 7", as many of each label as `counts` says."""
    texts = []
    for label, n in counts.items():
        for number in range(start, start + n):
            line = len(texts) + 1
            text = f"{label} text number {number}"
            texts.append(Labelled(text, {label: True}, True, "f.jsonl", line))
    return texts


def contents(texts: Iterable[Labelled]) -> list[str]:
    return [text.text for text in texts]


def text_and_label(texts: Iterable[Labelled]) -> list[tuple[str, str]]:
    return [(text.text, text.labels[0]) for text in texts]


# Reading


def test_jsonl_with_label_labels_and_cats(write_jsonl: Write) -> None:
    lines = [
        {"text": "a", "label": "X"},
        {"text": "b", "label": ["X", "Y"]},
        {"text": "c", "cats": {"X": 0, "Y": 1.0}},
    ]
    texts = list(read_labelled(write_jsonl("t.jsonl", lines)))
    assert [text.labels for text in texts] == [("X",), ("X", "Y"), ("Y",)]
    assert [text.whole for text in texts] == [True, True, False] and texts[2].line == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"text": "a"}, "t.jsonl:1: no label: each line needs a"),
        ({"text": "a", "label": ""}, "t.jsonl:1: no label"),
        ({"text": "a", "label": 3}, "t.jsonl:1: no label"),
        ({"text": None, "label": "X"}, 't.jsonl:1: no "text"'),
        ({"text": "a", "cats": {"X": 0.7}}, "another value than 0 and 1"),
    ],
)
def test_a_bad_line_is_named_or_counted(
    write_jsonl: Write, line: dict[str, Any], words: str
) -> None:
    path = write_jsonl("t.jsonl", [line, {"text": "b", "label": "X"}])
    with pytest.raises(ValueError, match=words):
        list(read_labelled(path))
    strict = Skipped(strict=True, var="vars.textcat.bad_lines")
    with pytest.raises(ValueError, match=r"set vars.textcat.bad_lines to skip-bad"):
        list(read_labelled(path, strict))
    skipped = Skipped()
    assert contents(read_labelled(path, skipped)) == ["b"]
    (reason,) = skipped.counts()
    assert ":" not in reason and skipped.records[0]["line"] == 1


def test_csv_with_line_breaks_in_a_field_and_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffid,review,stars\n1,"good,\nreally ""good""",5\n2,bad,1\n'.encode())
    texts = list(read_labelled(path, text_field="review", label_field="stars"))
    assert text_and_label(texts) == [('good,\nreally "good"', "5"), ("bad", "1")]
    with pytest.raises(ValueError, match=r"no column 'text' \(there is id, review, stars\)"):
        list(read_labelled(path))
    path.write_bytes(b'text,label\n"never closed,X\n')
    with pytest.raises(ValueError, match=r"t.csv:\d: not a table"):
        list(read_labelled(path))
    path.write_bytes(b"text,label\nfine,X\ncaf\xe9,X\n")
    with pytest.raises(ValueError, match=r"t.csv:3: not utf8: give its encoding by vars.textcat"):
        list(read_labelled(path))


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    files = {"sci.space/1": b"Orbit \xe9", "sci.space/2": b"Moon", "rec.autos/7": b"Car"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"sci.space/1:1: not utf8: give its encoding"):
        list(read_labelled(tmp_path))
    skipped = Skipped()
    assert contents(read_labelled(tmp_path, skipped)) == ["Car", "Moon"]
    assert skipped.counts() == {"not utf8": 1}
    texts = read_labelled(tmp_path, encoding="latin-1")
    expected = [("Car", "rec.autos"), ("Orbit é", "sci.space"), ("Moon", "sci.space")]
    assert text_and_label(texts) == expected
    with pytest.raises(ValueError, match="no encoding called 'utf9'"):
        list(read_labelled(tmp_path, encoding="utf9"))


def test_a_file_for_each_class(tmp_path: Path) -> None:
    (tmp_path / "rt").mkdir()
    (tmp_path / "rt" / "rt-polarity.pos").write_text("fine film\n\nlovely\n")
    (tmp_path / "rt" / "neg.txt").write_text("awful\n")
    texts = list(read_labelled(tmp_path / "rt"))
    expected = [("awful", "neg"), ("fine film", "pos"), ("lovely", "pos")]
    assert text_and_label(texts) == expected and [text.line for text in texts] == [1, 1, 3]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no labelled text in"):
        list(read_labelled(tmp_path / "none"))


def test_empty_texts_and_half_surrogates_are_set_aside() -> None:
    texts = [Labelled(text, {"X": True}, True, "f", 1) for text in ("", "  ", "fine", "\ud800")]
    skipped = Skipped()
    assert contents(readable(texts, spacy.blank("en"), skipped)) == ["fine"]
    assert skipped.counts() == {"empty": 2, "half of a surrogate pair": 1}


# Split


def test_split_has_the_same_mix_in_each_part_and_no_text_twice() -> None:
    pool = numbered({"A": 60, "B": 30, "C": 10})
    doubled = [*pool, *pool[:5], Labelled("A  TEXT number 7", {"A": True}, True, "f", 1)]
    split = make_split(doubled, [], [], labels="auto", shares=(0.2, 0.2), seed=1)
    sizes = {name: len(part) for name, part in split.parts.items()}
    assert sizes == {"train": 60, "dev": 20, "test": 20}
    assert split.per_label("dev") == split.per_label("test") == {"A": 12, "B": 6, "C": 2}
    texts = contents(chain(*split.parts.values()))
    assert len(set(texts)) == len(texts) == 100
    assert split.left_out["duplicates left out"] == 6 and split.exclusive
    again = make_split(doubled, [], [], labels="auto", shares=(0.2, 0.2), seed=1)
    other = make_split(doubled, [], [], labels="auto", shares=(0.2, 0.2), seed=2)
    assert again.parts == split.parts != other.parts


def test_texts_of_dev_and_test_never_train_and_contradictions_go() -> None:
    pool, test = numbered({"A": 20, "B": 20}), numbered({"A": 3, "B": 3})
    pool.append(Labelled(pool[10].text, {"B": True}, True, "f", 1))
    split = make_split(pool, test[:2], test, labels="single", shares=(0.1, 0.1), seed=0)
    assert split.left_out["texts left out, they are in dev or test"] == 6
    assert split.left_out["texts left out, the same text has other labels elsewhere"] == 2
    assert split.left_out["dev texts left out, they are in test"] == 2
    assert split.parts["test"] == test
    assert not set(contents(test)) & set(contents(split.parts["train"]))


@pytest.mark.parametrize(
    ("pool", "dev", "labels", "words"),
    [
        ({}, {}, "auto", "no text to train on"),
        ({"A": 9}, {}, "auto", "all texts have the label 'A'"),
        ({"A": 9, "B": 1}, {}, "auto", "the label 'B' has 1 text to train on"),
        (
            {"A": 9, "B": 9},
            {"C": 1},
            "auto",
            "f.jsonl:1: the label 'C' never occurs in training: it has A, B",
        ),
        ({"A": 2, "B": 2}, {}, "auto", "too few texts to draw some of each label"),
    ],
)
def test_what_cannot_be_split_is_one_line(
    pool: dict[str, int], dev: dict[str, int], labels: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make_split(numbered(pool), numbered(dev, 900), [], labels=labels, shares=(0.2, 0.2), seed=0)


def test_two_labels_where_one_is_asked_for() -> None:
    both = Labelled("both", {"A": True, "B": True}, True, "g.jsonl", 4)
    pool = [*numbered({"A": 9, "B": 9}), both]
    with pytest.raises(ValueError, match=r"g.jsonl:4: 2 labels, but vars.textcat.labels is single"):
        make_split(pool, [], [], labels="single", shares=(0.2, 0.2), seed=0)
    split = make_split(pool, [], [], labels="auto", shares=(0.2, 0.2), seed=0)
    assert not split.exclusive
    with pytest.raises(ValueError, match=r"vars.textcat.balance is oversample"):
        rebalance(split, "oversample", 0)


def test_what_is_not_known_of_a_label_stays_unknown() -> None:
    pool = numbered({"A": 9, "B": 9})
    pool.append(Labelled("x", {"A": True, "B": True}, True, "f", 1))
    pool.append(Labelled("y", {"B": False}, False, "f", 2))
    split = make_split(pool, pool[:2], pool[2:4], labels="auto", shares=(0.2, 0.2), seed=0)
    docs = to_docs(split.parts["train"], split, spacy.blank("en"))
    cats = {doc.text: doc.cats for doc in docs}
    assert cats["x"] == {"A": 1.0, "B": 1.0} and cats["y"] == {"B": 0.0}


def unbalanced() -> Split:
    pool = numbered({"A": 40, "B": 10})
    dev, test = numbered({"A": 3, "B": 3}, 900), numbered({"A": 3, "B": 3}, 950)
    return make_split(pool, dev, test, labels="auto", shares=(0.1, 0.1), seed=0)


@pytest.mark.parametrize(
    ("how", "sizes", "weights"),
    [
        ("oversample", {"A": 40, "B": 40}, {}),
        ("undersample", {"A": 10, "B": 10}, {}),
        ("none", {"A": 40, "B": 10}, {}),
        ("weights", {"A": 40, "B": 10}, {"A": 50 / 80, "B": 50 / 20}),
    ],
)
def test_balance(how: Any, sizes: dict[str, int], weights: dict[str, float]) -> None:
    split = unbalanced()
    assert rebalance(split, how, 3) == weights and split.per_label("train") == sizes


@pytest.mark.parametrize("factory", ["textcat", "textcat_multilabel"])
def test_class_weights_multiply_the_gradient(factory: str) -> None:
    nlp = spacy.blank("en")
    pipe: Any = nlp.add_pipe(factory)
    cats = {"one": {"A": 1.0, "B": 0.0}, "two": {"A": 0.0, "B": 1.0}}
    examples = [Example.from_dict(nlp.make_doc(word), {"cats": cats[word]}) for word in cats]
    nlp.initialize(lambda: examples)
    scores = np.full((2, 2), 0.5, dtype="f4")
    _, plain = pipe.get_loss(examples, scores)
    create_class_weights({"A": 3.0, "B": 0.5})(nlp)
    loss, weighed = pipe.get_loss(examples, scores)
    exclusive = factory == "textcat"
    assert np.allclose(weighed / plain, [[3, 3], [0.5, 0.5]] if exclusive else [[3, 1], [1, 0.5]])
    assert loss == pytest.approx((weighed**2).mean())


# Folds


def test_folds_cover_all_texts_once() -> None:
    texts = numbered({"A": 30, "B": 30})
    splits = list(make_folds(texts, 5, seed=0))
    tested = contents(chain(*(split.parts["test"] for split in splits)))
    assert sorted(tested) == sorted(contents(texts))
    for split in splits:
        assert split.per_label("test") == {"A": 6, "B": 6} and len(split.parts["dev"]) == 5
        assert len(set(contents(chain(*split.parts.values())))) == 60
    with pytest.raises(ValueError, match=r"the label 'B' has 3 texts, fewer than folds .*n_folds"):
        list(make_folds(numbered({"A": 30, "B": 3}), 5, seed=0))


def test_folds_made_with_other_settings_are_thrown_away(tmp_path: Path) -> None:
    clear_other_settings(tmp_path / "f", {"seed": 0})
    (tmp_path / "f/0").mkdir()
    clear_other_settings(tmp_path / "f", {"seed": 0})
    assert (tmp_path / "f/0").exists()
    clear_other_settings(tmp_path / "f", {"seed": 1})
    assert not (tmp_path / "f/0").exists()


def test_variants_of_the_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert parse_variants("baseline, bow,") == ["baseline", "bow"]
    for names in ("", "bow,lstm"):
        with pytest.raises(ValueError, match=r"vars.textcat.variants is .*: give some of baseline"):
            parse_variants(names)


# Scores


def example(nlp: Language, scores: dict[str, float], truths: dict[str, float]) -> Example:
    predicted, reference = Doc(nlp.vocab, words=["a"]), Doc(nlp.vocab, words=["a"])
    predicted.cats, reference.cats = scores, truths
    return Example(predicted, reference)


@pytest.mark.parametrize("exclusive", [True, False])
def test_scores_are_those_of_spacy_and_scikit_learn(exclusive: bool) -> None:
    rng, labels, nlp = np.random.default_rng(0), ["A", "B", "C"], spacy.blank("en")
    scores = rng.random((80, 3))
    gold = np.eye(3, dtype=bool)[rng.integers(0, 3, 80)] if exclusive else rng.random((80, 3)) > 0.6
    examples = []
    for row, truth in zip(scores.tolist(), gold.astype(float).tolist()):
        examples.append(example(nlp, dict(zip(labels, row)), dict(zip(labels, truth))))
    theirs = Scorer.score_cats(examples, "cats", labels=labels, multi_label=not exclusive)
    ours = scoring.score(gold, scores, labels, exclusive)
    keys = ["cats_macro_f", "cats_macro_p", "cats_macro_r", "cats_micro_f", "cats_macro_auc"]
    for key in (*keys, "cats_score"):
        assert ours[key] == pytest.approx(theirs[key]), key
    assert ours["cats_score_desc"] == theirs["cats_score_desc"]
    predicted_labels = scoring.decide(scores, exclusive)
    assert ours["cats_macro_f"] == pytest.approx(f1_score(gold, predicted_labels, average="macro"))
    assert ours["accuracy"] == pytest.approx((predicted_labels == gold).all(axis=1).mean())
    low, high = ours["accuracy_interval"]
    assert low < ours["accuracy"] < high and 0.1 < high - low < 0.3


def test_what_gold_does_not_say_is_neither_right_nor_wrong() -> None:
    gold, scores = np.array([[True, False], [False, False]]), np.array([[0.9, 0.9], [0.2, 0.9]])
    known = np.array([[True, False], [True, True]])
    metrics = scoring.score(gold, scores, ["A", "B"], False, known)
    assert metrics["cats_f_per_type"]["A"] == {"p": 1.0, "r": 1.0, "f": 1.0}
    assert metrics["accuracy"] == 0.5


def test_calibration_of_a_small_example() -> None:
    scores = np.array([[0.95, 0.05], [0.85, 0.15], [0.25, 0.75], [0.25, 0.75]])
    gold = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=bool)
    exclusive = scoring.calibration(gold, scores, True)
    assert exclusive["ece"] == pytest.approx((0.05 + 0.15 + 2 * 0.25) / 4)
    assert [row["decisions"] for row in exclusive["bins"]] == [2, 1, 1]
    assert exclusive["brier"] == pytest.approx(2 * brier_score_loss(gold[:, 0], scores[:, 0]))
    each_label = scoring.calibration(gold, scores, False)
    assert each_label["brier"] == pytest.approx(exclusive["brier"] / 2)


def test_thresholds() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.6, 0.4]])
    gold = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], dtype=bool)
    assert scoring.lowest_threshold(gold, scores, 1.0) == 0.8
    assert scoring.lowest_threshold(gold, scores, 0.6) == 0.6
    assert scoring.lowest_threshold(~gold, scores, 0.9) is None
    assert scoring.above(gold, scores, 0.65) == {"coverage": 0.6, "accuracy": pytest.approx(2 / 3)}
    assert scoring.above(gold, scores, 0.95) == {"coverage": 0.0, "accuracy": None}
    one_label = np.array([[1], [1], [0]], dtype=bool)
    assert scoring.best_thresholds(one_label, np.array([[0.4], [0.3], [0.2]])) == [0.3]


@pytest.mark.parametrize("exclusive", [True, False])
def test_baseline_learns_and_knows_labels_that_never_train(exclusive: bool) -> None:
    texts = ["good fine", "good film", "bad awful", "bad film"] * 5
    gold = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]] * 5, dtype=bool)
    scores = predict(fit(texts, gold, exclusive, 10.0, False), ["good", "bad"], 3)
    assert scores.shape == (2, 3) and scores[0, 0] > 0.5 > scores[0, 1]
    assert scores[1, 1] > 0.5 and scores[:, 2].max() == 0


# Comparison


def compared(baseline: float, bow: float, cnn: float) -> dict[str, dict[str, float]]:
    """Macro F of three; bow is the best on dev."""
    rows = {"baseline": baseline, "bow": bow, "cnn": cnn}
    dev = {"baseline": 0.9, "bow": 0.8, "cnn": 0.7}
    return {name: {"cats_macro_f": rows[name], "dev_cats_macro_f": dev[name]} for name in rows}


def test_one_sentence_says_what_is_shipped_and_whether_it_beats_the_baseline() -> None:
    rows = compared(0.5, 0.6, 0.4)
    assert choose_variant(rows, "auto") == "bow" and choose_variant(rows, "cnn") == "cnn"
    assert decision(rows, "bow", "auto") == "ships bag of words, the best variant on dev"
    assert decision(rows, "cnn", "cnn") == (
        "ships CNN, set by vars.textcat.ship, although it does not beat the baseline on test "
        "(macro F 40.0, baseline 50.0)"
    )
    del rows["baseline"]
    assert decision(rows, "bow", "auto") == "ships bag of words, the best variant on dev"


# Workflow


def test_the_workflow_leaves_tables_pictures_and_a_wheel(classified: Path) -> None:
    split = srsly.read_json(classified / "corpus/textcat/split.json")
    assert split["labels"] == ["NEGATIVE", "NEUTRAL", "POSITIVE"] and split["test"]["texts"] == 150
    metrics = srsly.read_json(classified / "training/textcat/metrics.json")
    assert metrics["variant"] == "bow" and set(metrics["variants"]) == {"baseline", "bow"}
    for row in metrics["variants"].values():
        assert 0.4 < row["cats_macro_f"] < 0.9
        assert row["texts_per_second"] > 100 and row["megabytes"] > 0
        low, high = row["cats_macro_f_interval"]
        assert low < row["cats_macro_f"] < high
    own = srsly.read_json(classified / "training/textcat/bow/metrics.json")
    assert own["cats_macro_f"] == metrics["cats_macro_f"] and own["thresholds"]["wanted"] == 0.9
    for name in ("scores.png", "bow/calibration.png", "baseline/calibration.png"):
        assert (classified / "training/textcat" / name).stat().st_size > 10_000
    assert (classified / "packages" / wheel_name("textcat", "_bow")).exists()


def test_what_is_shipped_scores_as_the_report_says(classified: Path) -> None:
    nlp = spacy.load(classified / "training/textcat/pipeline")
    lines = list(srsly.read_jsonl(classified / "assets/textcat/test.jsonl"))
    docs = nlp.pipe(line["text"] for line in lines)
    right = [max(doc.cats, key=doc.cats.get) == line["label"] for doc, line in zip(docs, lines)]
    metrics = srsly.read_json(classified / "training/textcat/metrics.json")
    assert np.mean(right) == pytest.approx(metrics["accuracy"])


LABELS = ("POSITIVE", "NEGATIVE", "app", "device")


def with_two_labels(line: dict[str, Any]) -> dict[str, Any]:
    """A message of the project with its sentiment and its topic as labels."""
    holds = (line["label"], line["meta"]["topic"])
    return {"text": line["text"], "cats": {label: int(label in holds) for label in LABELS}}


def test_own_data_with_several_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = map(with_two_labels, srsly.read_jsonl("assets/textcat/train.jsonl"))
    srsly.write_jsonl(tmp_path / "mine.jsonl", lines)
    mine, corpus, bow = (str(tmp_path / name) for name in ("mine.jsonl", "corpus", "bow"))
    for command in (
        ["corpus", corpus, "--texts", mine, *DRAWN, "--balance", "weights"],
        ["baseline", corpus, str(tmp_path / "baseline")],
        ["train", "configs/textcat_bow.cfg", bow, corpus, *CODE, *FEW],
        ["evaluate", bow, corpus, *CODE],
    ):
        done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "thresholds with the best F on dev: NEGATIVE" in done.stdout
    for name in ("baseline", "bow"):
        metrics = srsly.read_json(tmp_path / name / "metrics.json")
        assert not metrics["exclusive"] and metrics["cats_macro_auc"] > 0.53
        assert set(metrics["thresholds"]["per_label"]) == set(LABELS)
    nlp = spacy.load(tmp_path / "bow/pipeline")
    assert nlp.get_pipe_meta("textcat").factory == "textcat_multilabel"
    weights = nlp.config["initialize"]["after_init"]["weights"]
    assert weights == srsly.read_json(tmp_path / "corpus/split.json")["weights"]
    assert len(weights) == 4


def test_same_seed_same_model(
    classified: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    corpus = str(classified / "corpus/textcat")
    command = ["train", "configs/textcat_bow.cfg", str(tmp_path), corpus, *CODE, *FEW]
    CliRunner().invoke(app, command)
    model = "pipeline/textcat/model"
    before = (classified / "training/textcat/bow" / model).read_bytes()
    assert (tmp_path / model).read_bytes() == before


TRAIN = ["train", "configs/textcat_bow.cfg", "OUT", "CORPUS"]
TEXTS = ["--texts", "assets/textcat/train.jsonl"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["corpus", "OUT", "--texts", "gone.jsonl", *DRAWN], "gone.jsonl does not exist"),
        (["corpus", "OUT", *TEXTS, *DRAWN, "--share", "0.7"], "vars.textcat.share is 0.7"),
        (
            ["train", "configs/textcat_bow.cfg", "OUT", "OUT", *CODE],
            "split.json does not exist: run textcat-corpus first",
        ),
        ([*TRAIN, "--code", "gone.py"], "gone.py does not exist"),
        (
            [*TRAIN, *CODE, "--training.logger.log_to", "foo"],
            "log_to must be console or wandb",
        ),
        ([*TRAIN, *CODE, "--paths.vectors", "gone"], "gone"),
        (["evaluate", "OUT", "CORPUS", *CODE], "does not exist: run textcat-"),
        (["compare", "OUT"], "no variant is trained"),
        (
            ["compare", "TRAINED", "--ship", "keras"],
            "vars.textcat.ship is keras, which is not trained: there is bow, or auto",
        ),
        (
            ["folds", "OUT", *TEXTS, *CODE, "--variants", "lstm"],
            "vars.textcat.variants is 'lstm': give some of baseline, bow",
        ),
    ],
)
def test_bad_input_is_one_line(
    classified: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(ROOT)
    paths = {
        "OUT": tmp_path / "out",
        "CORPUS": classified / "corpus/textcat",
        "TRAINED": classified / "training/textcat",
    }
    done = CliRunner().invoke(app, [str(paths.get(word, word)) for word in command])
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert words in line
    assert not (tmp_path / "out" / "pipeline").exists()


@pytest.mark.slow
def test_folds_train_and_score_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    few = ["--variants", "baseline,bow", "--n-folds", "3", "--first", "1", *FEW]
    command = ["folds", str(tmp_path), *TEXTS, *CODE, *few]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "fold 1, bow: accuracy" in first.stdout and "1 of 3 folds" in first.stdout
    results = srsly.read_json(tmp_path / "metrics.json")
    assert results["n_folds"] == 3 and set(results["folds"]) == {"baseline", "bow"}
    scores = tmp_path / "0/bow/metrics.json"
    written = scores.stat().st_mtime_ns
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert again.stdout == first.stdout and scores.stat().st_mtime_ns == written
