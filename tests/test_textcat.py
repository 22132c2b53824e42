"""Text classification: reading labelled texts, the split, the scores, and the workflow on the project's own messages."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from sklearn.metrics import brier_score_loss, f1_score
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example
from typer.testing import CliRunner

from scripts.components.training import create_class_weights
from scripts.reading import Skipped
from scripts.textcat import scores as scoring
from scripts.textcat.__main__ import app
from scripts.textcat.baseline import fit, predict
from scripts.textcat.folds import fresh, make_folds
from scripts.textcat.labelled import Labelled, read_labelled
from scripts.textcat.split import balance, readable, split, to_docs
from scripts.vectors.folder import write_folder
from tests.conftest import ROOT, copy_project, weasel

Write = Callable[[str, list[Any]], Path]
FEW = ["--vars.textcat.max_steps", "60", "--vars.textcat.eval_frequency", "20"]
CODE = ["--code", "scripts/components/training.py"]
NONE = ["--dev", "assets/empty.jsonl", "--test", "assets/empty.jsonl"]


def made_up(counts: dict[str, int], start: int = 0) -> list[Labelled]:
    texts = [
        (f"{label} text number {start + i}", label) for label, n in counts.items() for i in range(n)
    ]
    return [
        Labelled(text, {label: True}, True, "f.jsonl", line)
        for line, (text, label) in enumerate(texts, start=1)
    ]


# Reading


def test_jsonl_with_label_labels_and_cats(write_jsonl: Write) -> None:
    lines = [
        {"text": "a", "label": "X"},
        {"text": "b", "label": ["X", "Y"]},
        {"text": "c", "cats": {"X": 0, "Y": 1.0}},
    ]
    found = list(read_labelled(write_jsonl("t.jsonl", lines)))
    assert [text.labels for text in found] == [("X",), ("X", "Y"), ("Y",)]
    assert [text.whole for text in found] == [True, True, False] and found[2].line == 3


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
    skipped = Skipped()
    assert [text.text for text in read_labelled(path, skipped)] == ["b"] and len(
        skipped.records
    ) == 1


def test_csv_with_line_breaks_in_a_field_and_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffid,review,stars\n1,"good,\nreally ""good""",5\n2,bad,1\n'.encode())
    found = list(read_labelled(path, text_field="review", label_field="stars"))
    assert [(text.text, text.labels) for text in found] == [
        ('good,\nreally "good"', ("5",)),
        ("bad", ("1",)),
    ]
    with pytest.raises(ValueError, match=r"no column 'text' \(there is id, review, stars\)"):
        list(read_labelled(path))
    path.write_bytes(b'text,label\n"never closed,X\n')
    with pytest.raises(ValueError, match=r"t.csv:\d: not a table"):
        list(read_labelled(path))


def test_a_folder_for_each_class_and_a_file_for_each_class(tmp_path: Path) -> None:
    for name, data in {
        "sci.space/1": b"Orbit \xe9",
        "sci.space/2": b"Moon",
        "rec.autos/7": b"Car",
    }.items():
        (tmp_path / "news" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "news" / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"sci.space/1:1: not utf8: give its encoding"):
        list(read_labelled(tmp_path / "news"))
    found = list(read_labelled(tmp_path / "news", encoding="latin-1"))
    assert [(text.text, text.labels[0]) for text in found] == [
        ("Car", "rec.autos"),
        ("Orbit é", "sci.space"),
        ("Moon", "sci.space"),
    ]
    with pytest.raises(ValueError, match="no encoding called 'utf9'"):
        list(read_labelled(tmp_path / "news", encoding="utf9"))
    (tmp_path / "rt").mkdir()
    (tmp_path / "rt" / "rt-polarity.pos").write_text("fine film\n\nlovely\n")
    (tmp_path / "rt" / "neg.txt").write_text("awful\n")
    assert [(text.text, text.labels[0], text.line) for text in read_labelled(tmp_path / "rt")] == [
        ("awful", "neg", 1),
        ("fine film", "pos", 1),
        ("lovely", "pos", 3),
    ]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no labelled text in"):
        list(read_labelled(tmp_path / "none"))


def test_empty_texts_and_half_surrogates_are_set_aside() -> None:
    texts = [Labelled(text, {"X": True}, True, "f", 1) for text in ("", "  ", "fine", "\ud800")]
    skipped = Skipped()
    assert [text.text for text in readable(texts, spacy.blank("en"), skipped)] == ["fine"]
    assert skipped.counts() == {"empty": 2, "half of a surrogate pair": 1}


# Split


def test_split_has_the_same_mix_in_each_part_and_no_text_twice() -> None:
    pool = made_up({"A": 60, "B": 30, "C": 10})
    doubled = [*pool, *pool[:5], Labelled("A  TEXT number 7", {"A": True}, True, "f", 1)]
    made = split(doubled, [], [], labels="auto", shares=(0.2, 0.2), seed=1)
    assert {name: len(part) for name, part in made.parts.items()} == {
        "train": 60,
        "dev": 20,
        "test": 20,
    }
    assert made.per_label("dev") == made.per_label("test") == {"A": 12, "B": 6, "C": 2}
    texts = [text.text for part in made.parts.values() for text in part]
    assert (
        len(set(texts)) == len(texts) == 100
        and made.counts["duplicates left out"] == 6
        and made.exclusive
    )
    assert split(doubled, [], [], labels="auto", shares=(0.2, 0.2), seed=1).parts == made.parts
    assert split(doubled, [], [], labels="auto", shares=(0.2, 0.2), seed=2).parts != made.parts


def test_texts_of_dev_and_test_never_train_and_contradictions_go() -> None:
    pool, test = made_up({"A": 20, "B": 20}), made_up({"A": 3, "B": 3})
    pool.append(Labelled(pool[10].text, {"B": True}, True, "f", 1))
    made = split(pool, test[:2], test, labels="single", shares=(0.1, 0.1), seed=0)
    assert made.counts["texts left out, they are in dev or test"] == 6
    assert made.counts["texts left out, the same text has other labels elsewhere"] == 2
    assert made.counts["dev texts left out, they are in test"] == 2
    assert made.parts["test"] == test and not {text.text for text in test} & {
        text.text for text in made.parts["train"]
    }


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
        split(made_up(pool), made_up(dev, 900), [], labels=labels, shares=(0.2, 0.2), seed=0)


def test_two_labels_where_one_is_asked_for() -> None:
    pool = [
        *made_up({"A": 9, "B": 9}),
        Labelled("both", {"A": True, "B": True}, True, "g.jsonl", 4),
    ]
    with pytest.raises(ValueError, match=r"g.jsonl:4: 2 labels, but vars.textcat.labels is single"):
        split(pool, [], [], labels="single", shares=(0.2, 0.2), seed=0)
    made = split(pool, [], [], labels="auto", shares=(0.2, 0.2), seed=0)
    assert not made.exclusive
    with pytest.raises(ValueError, match=r"vars.textcat.balance is oversample"):
        balance(made, "oversample", 0)


def test_what_is_not_known_of_a_label_stays_unknown() -> None:
    pool = made_up({"A": 9, "B": 9})
    pool += [
        Labelled("x", {"A": True, "B": True}, True, "f", 1),
        Labelled("y", {"B": False}, False, "f", 2),
    ]
    made = split(pool, pool[:2], pool[2:4], labels="auto", shares=(0.2, 0.2), seed=0)
    cats = {doc.text: doc.cats for doc in to_docs(made.parts["train"], made, spacy.blank("en"))}
    assert cats["x"] == {"A": 1.0, "B": 1.0} and cats["y"] == {"B": 0.0}


@pytest.mark.parametrize(
    ("how", "sizes"),
    [
        ("oversample", {"A": 40, "B": 40}),
        ("undersample", {"A": 10, "B": 10}),
        ("none", {"A": 40, "B": 10}),
    ],
)
def test_balance(how: Any, sizes: dict[str, int]) -> None:
    made = split(
        made_up({"A": 40, "B": 10}),
        made_up({"A": 3, "B": 3}, 900),
        made_up({"A": 3, "B": 3}, 950),
        labels="auto",
        shares=(0.1, 0.1),
        seed=0,
    )
    assert balance(made, how, 3) == {} and made.per_label("train") == sizes
    again = split(
        made_up({"A": 40, "B": 10}),
        made_up({"A": 3, "B": 3}, 900),
        made_up({"A": 3, "B": 3}, 950),
        labels="auto",
        shares=(0.1, 0.1),
        seed=0,
    )
    assert balance(again, "weights", 3) == {"A": 50 / 80, "B": 50 / 20} and again.per_label(
        "train"
    ) == {"A": 40, "B": 10}


@pytest.mark.parametrize("factory", ["textcat", "textcat_multilabel"])
def test_class_weights_multiply_the_gradient(factory: str) -> None:
    nlp = spacy.blank("en")
    pipe: Any = nlp.add_pipe(factory)
    examples = [
        Example(nlp.make_doc(word), doc)
        for word, cats in (("one", {"A": 1.0, "B": 0.0}), ("two", {"A": 0.0, "B": 1.0}))
        for doc in [nlp.make_doc(word)]
        if not doc.cats.update(cats)
    ]
    nlp.initialize(lambda: examples)
    scores = np.full((2, 2), 0.5, dtype="f4")
    _, plain = pipe.get_loss(examples, scores)
    create_class_weights({"A": 3.0, "B": 0.5})(nlp)
    loss, weighed = pipe.get_loss(examples, scores)
    exclusive = factory == "textcat"
    assert np.allclose(weighed / plain, [[3, 3], [0.5, 0.5]] if exclusive else [[3, 1], [1, 0.5]])
    assert loss == pytest.approx((weighed**2).mean())


def test_folds_cover_all_texts_once() -> None:
    texts = made_up({"A": 30, "B": 30})
    made = list(make_folds(texts, 5, seed=0))
    tested = [text.text for fold in made for text in fold.parts["test"]]
    assert sorted(tested) == sorted(text.text for text in texts)
    for fold in made:
        assert fold.per_label("test") == {"A": 6, "B": 6} and len(fold.parts["dev"]) == 5
        assert len({text.text for part in fold.parts.values() for text in part}) == 60
    with pytest.raises(ValueError, match="the label 'B' has 3 texts, fewer than folds"):
        list(make_folds(made_up({"A": 30, "B": 3}), 5, seed=0))


def test_folds_made_with_other_settings_are_thrown_away(tmp_path: Path) -> None:
    fresh(tmp_path / "f", {"seed": 0})
    (tmp_path / "f/0").mkdir()
    fresh(tmp_path / "f", {"seed": 0})
    assert (tmp_path / "f/0").exists()
    fresh(tmp_path / "f", {"seed": 1})
    assert not (tmp_path / "f/0").exists()


# Scores


@pytest.mark.parametrize("exclusive", [True, False])
def test_scores_are_those_of_spacy_and_scikit_learn(exclusive: bool) -> None:
    rng, labels, nlp = np.random.default_rng(0), ["A", "B", "C"], spacy.blank("en")
    scores = rng.random((80, 3))
    gold = np.eye(3, dtype=bool)[rng.integers(0, 3, 80)] if exclusive else rng.random((80, 3)) > 0.6
    examples = []
    for row, truth in zip(scores, gold):
        predicted, reference = Doc(nlp.vocab, words=["a"]), Doc(nlp.vocab, words=["a"])
        predicted.cats, reference.cats = (
            dict(zip(labels, map(float, row))),
            dict(zip(labels, map(float, truth))),
        )
        examples.append(Example(predicted, reference))
    theirs = Scorer.score_cats(examples, "cats", labels=labels, multi_label=not exclusive)
    ours = scoring.score(gold, scores, labels, exclusive)
    for key in (
        "cats_macro_f",
        "cats_macro_p",
        "cats_macro_r",
        "cats_micro_f",
        "cats_macro_auc",
        "cats_score",
    ):
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
    found = scoring.score(gold, scores, ["A", "B"], False, known)
    assert (
        found["cats_f_per_type"]["A"] == {"p": 1.0, "r": 1.0, "f": 1.0} and found["accuracy"] == 0.5
    )


def test_calibration_of_a_small_example() -> None:
    scores = np.array([[0.95, 0.05], [0.85, 0.15], [0.25, 0.75], [0.25, 0.75]])
    gold = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=bool)
    found = scoring.calibration(gold, scores, True)
    assert found["ece"] == pytest.approx((0.05 + 0.15 + 2 * 0.25) / 4)
    assert [row["decisions"] for row in found["bins"]] == [2, 1, 1]
    assert found["brier"] == pytest.approx(2 * brier_score_loss(gold[:, 0], scores[:, 0]))
    assert scoring.calibration(gold, scores, False)["brier"] == pytest.approx(found["brier"] / 2)


def test_thresholds() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.6, 0.4]])
    gold = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], dtype=bool)
    assert (
        scoring.least_threshold(gold, scores, 1.0) == 0.8
        and scoring.least_threshold(gold, scores, 0.6) == 0.6
    )
    assert scoring.least_threshold(~gold, scores, 0.9) is None
    assert scoring.above(gold, scores, 0.65) == {"coverage": 0.6, "accuracy": pytest.approx(2 / 3)}
    assert scoring.above(gold, scores, 0.95) == {"coverage": 0.0, "accuracy": None}
    assert scoring.best_thresholds(
        np.array([[1], [1], [0]], dtype=bool), np.array([[0.4], [0.3], [0.2]])
    ) == [0.3]


@pytest.mark.parametrize("exclusive", [True, False])
def test_baseline_learns_and_knows_labels_that_never_train(exclusive: bool) -> None:
    texts, gold = (
        ["good fine", "good film", "bad awful", "bad film"] * 5,
        np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]] * 5, dtype=bool),
    )
    found = predict(fit(texts, gold, exclusive, 10.0, False), ["good", "bad"], 3)
    assert (
        found.shape == (2, 3)
        and found[0, 0] > 0.5 > found[0, 1]
        and found[1, 1] > 0.5
        and found[:, 2].max() == 0
    )


# Workflow


@pytest.fixture(scope="session")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the bag of words and the baseline ran with few steps. Tests look at it and change nothing."""
    folder = copy_project(tmp_path_factory.mktemp("textcat"))
    for step in ("corpus", "baseline", "bow-train", "bow-evaluate", "bow-package", "compare"):
        weasel(folder, f"textcat-{step}", ".", *FEW)
    return folder


def test_the_workflow_leaves_tables_pictures_and_a_wheel(classified: Path) -> None:
    made = srsly.read_json(classified / "corpus/textcat/split.json")
    assert made["labels"] == ["NEGATIVE", "NEUTRAL", "POSITIVE"] and made["test"]["texts"] == 150
    found = srsly.read_json(classified / "training/textcat/metrics.json")
    assert found["variant"] == "bow" and set(found["variants"]) == {"baseline", "bow"}
    for row in found["variants"].values():
        assert (
            0.4 < row["cats_macro_f"] < 0.9
            and row["texts_per_second"] > 100
            and row["megabytes"] > 0
        )
        assert (
            row["cats_macro_f_interval"][0] < row["cats_macro_f"] < row["cats_macro_f_interval"][1]
        )
    own = srsly.read_json(classified / "training/textcat/bow/metrics.json")
    assert own["cats_macro_f"] == found["cats_macro_f"] and own["thresholds"]["wanted"] == 0.9
    for name in ("scores.png", "bow/calibration.png", "baseline/calibration.png"):
        assert (classified / "training/textcat" / name).stat().st_size > 10_000
    assert (classified / "packages/en_feedback_textcat_bow-0.1.0-py3-none-any.whl").exists()


def test_what_is_shipped_scores_as_the_report_says(classified: Path) -> None:
    nlp = spacy.load(classified / "training/textcat/pipeline")
    lines = list(srsly.read_jsonl(classified / "assets/textcat/test.jsonl"))
    docs = nlp.pipe(line["text"] for line in lines)
    right = [max(doc.cats, key=doc.cats.get) == line["label"] for doc, line in zip(docs, lines)]
    assert np.mean(right) == pytest.approx(
        srsly.read_json(classified / "training/textcat/metrics.json")["accuracy"]
    )


def test_own_data_with_several_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    labels = ("POSITIVE", "NEGATIVE", "app", "device")
    lines = list(srsly.read_jsonl("assets/textcat/train.jsonl"))
    wanted = [(line["text"], (line["label"], line["meta"]["topic"])) for line in lines]
    mine = [
        {"text": text, "cats": {label: int(label in holds) for label in labels}}
        for text, holds in wanted
    ]
    srsly.write_jsonl(tmp_path / "mine.jsonl", mine)
    corpus, bow = str(tmp_path / "corpus"), str(tmp_path / "bow")
    for command in (
        ["corpus", corpus, "--texts", str(tmp_path / "mine.jsonl"), *NONE, "--balance", "weights"],
        ["baseline", corpus, str(tmp_path / "baseline")],
        [
            "train",
            "configs/textcat_bow.cfg",
            bow,
            corpus,
            *CODE,
            "--training.max_steps",
            "60",
            "--training.eval_frequency",
            "20",
        ],
        ["evaluate", bow, corpus, *CODE],
    ):
        done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "thresholds with the best F on dev: NEGATIVE" in done.stdout
    for name in ("baseline", "bow"):
        metrics = srsly.read_json(tmp_path / name / "metrics.json")
        assert (
            not metrics["exclusive"]
            and set(metrics["thresholds"]["per_label"]) == set(labels)
            and metrics["cats_macro_auc"] > 0.53
        )
    nlp = spacy.load(tmp_path / "bow/pipeline")
    assert nlp.get_pipe_meta("textcat").factory == "textcat_multilabel"
    weights = nlp.config["initialize"]["after_init"]["weights"]
    assert (
        weights == srsly.read_json(tmp_path / "corpus/split.json")["weights"] and len(weights) == 4
    )


def test_same_seed_same_model(
    classified: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    few = ["--training.max_steps", "60", "--training.eval_frequency", "20"]
    CliRunner().invoke(
        app,
        [
            "train",
            "configs/textcat_bow.cfg",
            str(tmp_path),
            str(classified / "corpus/textcat"),
            *CODE,
            *few,
        ],
    )
    models = [
        folder / "pipeline/textcat/model"
        for folder in (tmp_path, classified / "training/textcat/bow")
    ]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["corpus", "OUT", "--texts", "gone.jsonl", *NONE], "gone.jsonl does not exist"),
        (
            ["corpus", "OUT", "--texts", "assets/textcat/train.jsonl", *NONE, "--share", "0.7"],
            "vars.textcat.share is 0.7",
        ),
        (
            ["train", "configs/textcat_bow.cfg", "OUT", "OUT", *CODE],
            "split.json does not exist: run textcat-corpus first",
        ),
        (
            ["train", "configs/textcat_bow.cfg", "OUT", "CORPUS", "--code", "gone.py"],
            "gone.py does not exist",
        ),
        (
            [
                "train",
                "configs/textcat_bow.cfg",
                "OUT",
                "CORPUS",
                *CODE,
                "--training.logger.log_to",
                "foo",
            ],
            "log_to must be console or wandb",
        ),
        (
            [
                "train",
                "configs/textcat_vectors.cfg",
                "OUT",
                "CORPUS",
                *CODE,
                "--paths.vectors",
                "gone",
            ],
            "gone",
        ),
        (["evaluate", "OUT", "CORPUS", *CODE], "does not exist: run textcat-"),
        (["compare", "OUT"], "no variant is trained"),
        (
            ["compare", "TRAINED", "--ship", "keras"],
            "vars.textcat.ship is keras, which is not trained: there is bow, or auto",
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
    places = {
        "OUT": tmp_path / "out",
        "CORPUS": classified / "corpus/textcat",
        "TRAINED": classified / "training/textcat",
    }
    done = CliRunner().invoke(app, [str(places.get(word, word)) for word in command])
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert words in line
    assert not (tmp_path / "out" / "pipeline").exists()


@pytest.mark.slow
def test_all_variants_and_the_wheels_of_the_networks_elsewhere(
    classified: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(classified, tmp_path / "project")
    write_folder(
        folder / "training/vectors/table", [([b"great", b"broken"], np.eye(2, 16, dtype="f4"))], 16
    )
    own = [
        *FEW,
        "--vars.textcat.trf_max_steps",
        "4",
        "--vars.textcat.trf_eval_frequency",
        "2",
        "--vars.transformer",
        str(tiny_bert),
    ]
    weasel(folder, "vectors-table", ".")
    for variant in ("cnn", "vectors", "keras", "torch", "trf"):
        for step in ("train", "evaluate"):
            weasel(folder, f"textcat-{variant}-{step}", ".", *own)
    done = weasel(folder, "textcat-compare", ".", "--vars.textcat.ship", "torch")
    found = srsly.read_json(folder / "training/textcat/metrics.json")
    assert (
        set(found["variants"]) == {"baseline", "bow", "cnn", "vectors", "keras", "torch", "trf"}
        and found["variant"] == "torch"
    )
    assert all(
        f"{name} has a lower macro F than the baseline" in done.stdout for name in ("transformer",)
    )
    assert spacy.load(folder / "training/textcat/vectors/pipeline").vocab.vectors.shape == (2, 16)
    for variant in ("keras", "torch"):
        weasel(folder, f"textcat-{variant}-package", ".")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    wheels = [
        str(wheel)
        for name in ("keras", "torch")
        for wheel in (folder / "packages").glob(f"*_{name}-*.whl")
    ]
    subprocess.run(
        [python, "-m", "pip", "install", "-q", *wheels, "-c", str(ROOT / "constraints.txt")],
        check=True,
    )
    program = """
import json, sys, spacy
lines = [json.loads(line) for line in open(sys.argv[1])]
docs = list(spacy.load(sys.argv[2]).pipe(line["text"] for line in lines))
print(sum(max(doc.cats, key=doc.cats.get) == line["label"] for doc, line in zip(docs, lines)) / len(lines))
"""
    for variant in ("keras", "torch"):
        run = [
            python,
            "-c",
            program,
            str(ROOT / "assets/textcat/test.jsonl"),
            f"en_feedback_textcat_{variant}",
        ]
        scored = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert float(scored.stdout.split()[-1]) == pytest.approx(
            found["variants"][variant]["accuracy"]
        )
