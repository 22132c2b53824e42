"""Held-out questions stay held out, scores follow formulas, the served tower is the trained one."""

import shutil
import subprocess
import sys
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly
from sklearn.feature_extraction.text import TfidfVectorizer

from scripts.keras_models import load_keras, tensorflow
from scripts.questions import encoder, evaluate, lexical, serve
from scripts.questions.__main__ import app
from scripts.questions.embeddings import RESERVED, start_table
from scripts.questions.evaluate import HYBRID, TF_IDF, Task, make_task, mrr, ranks, summarize
from scripts.questions.nearest import Scan, top_k
from scripts.questions.network import contrastive_loss
from scripts.questions.options import TowerSettings
from scripts.questions.pairs import Pair, make_pairs
from scripts.questions.records import (
    Question,
    Split,
    folds,
    read_questions,
    split,
    to_question,
)
from scripts.questions.serve import load
from scripts.questions.text import spaced, words
from scripts.questions.train import train
from tests.conftest import ROOT, copy_project, shared_data, weasel
from tests.test_questions import SAMPLE, fails

TINY = ["--epochs", "2", "--width", "16", "--text-words", "40"]
TEXTS = [
    "Sour espresso, sour shots",
    "A burr grinder for espresso",
    "Milk foam collapses",
    "espresso espresso ESPRESSO machine",
]
SWEET = "grind finer for a sweet shot"


def run(*args: object) -> None:
    app([str(arg) for arg in args], standalone_mode=False)


@pytest.fixture(scope="session")
def questions_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    run("extract", SAMPLE, path)
    return path


@pytest.fixture(scope="session")
def trained_towers(questions_file: Path) -> Path:
    """A training folder after train, evaluate and index. Tests look at it and change nothing."""
    pytest.importorskip("tensorflow")
    folder = questions_file.parent / "training"
    run("train", questions_file, folder, *TINY)
    run("evaluate", questions_file, folder)
    run("index", questions_file, folder)
    return folder


def make(number: int, title: str = "", answers: tuple[str, ...] = ("an answer",)) -> Question:
    return Question(
        number, title or f"question number {number}", "a body", answers, 0 if answers else -1
    )


# Questions


def test_the_right_answer_is_the_accepted_one_else_the_highest() -> None:
    keys = ("id", "score", "accepted", "text")

    def right(*answers: tuple[int, int, bool, str]) -> Question:
        records = [dict(zip(keys, answer)) for answer in answers]
        return to_question({"id": 1, "title": "t", "body": "b", "answers": records})

    assert right((1, 9, False, "a"), (2, 1, True, "b")).right == 1
    assert right((1, 1, False, "a"), (2, 9, False, "b"), (3, 9, False, "c")).right == 1
    assert right((1, 9, True, " ... "), (2, 1, False, "b")) == Question(1, "t", "b", ("b",), 0)
    assert right().right == -1


def titles_of(known: list[Question], parts: Split) -> list[set[str]]:
    """The titles of each part, without differences in case and spaces."""
    titles = [question.title.lower().replace("  ", " ") for question in known]
    numbers = (parts.train, parts.dev, parts.test)
    return [set(map(titles.__getitem__, part)) for part in numbers]


def test_no_question_is_in_two_parts_not_even_one_asked_twice() -> None:
    known = [
        make(n, title=f"Same  question {n % 40}" if n % 2 else f"same question {n % 40}")
        for n in range(120)
    ]
    splits = [split(known, 0.2, 0.3, seed=3), *folds(known, 4, 0.2, seed=3)]
    for parts in splits:
        train, dev, test = titles_of(known, parts)
        assert not train & dev and not train & test and not dev & test
        assert sorted(parts.train + parts.dev + parts.test) == list(range(120))
    held_out = chain.from_iterable(parts.test for parts in splits[1:])
    assert sorted(held_out) == list(range(120))
    assert splits[0] == split(known, 0.2, 0.3, seed=3) != split(known, 0.2, 0.3, seed=4)


def test_too_few_questions_are_said_to_be() -> None:
    with pytest.raises(ValueError, match="1 questions with an answer are too few"):
        split([make(1), make(2, answers=()), make(3, answers=())], 0.2, 0.2, 0)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1}',
        '{"title": 7}',
        '{"body": null}',
        '{"id": "2"}',
        '{"score": "a"}',
        '{"answers": [{"id": 3}]}',
    ],
)
def test_lines_of_the_wrong_kinds_are_named(line: str, tmp_path: Path) -> None:
    sound = {
        "id": 1,
        "title": "t",
        "body": "b",
        "score": 1,
        "date": "2020",
        "tags": [],
        "views": None,
        "answers": [],
    }
    srsly.write_jsonl(tmp_path / "q.jsonl", [sound, {**sound, "id": 2, **srsly.json_loads(line)}])
    with pytest.raises(
        ValueError, match=r"q.jsonl:2: (is not a question|has the id 1, as an earlier line does)"
    ):
        read_questions(tmp_path / "q.jsonl")


@pytest.mark.parametrize(
    "line", ['{"id": 1}', '{"id": 1, "title": "t", "body": "b", "answers": 3}', "[]", "{"]
)
def test_lines_that_are_not_a_question_are_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"q.jsonl:1: "):
        read_questions(tmp_path / "q.jsonl")
    (tmp_path / "q.jsonl").write_text("")
    with pytest.raises(ValueError, match="holds no question"):
        read_questions(tmp_path / "q.jsonl")


# Scores


@pytest.mark.parametrize("stop", [frozenset(), frozenset({"for", "a"})])
def test_tf_idf_is_that_of_scikit_learn(stop: frozenset[str]) -> None:
    queries = ["sour espresso espresso", "a machine for milk", "nothing known"]

    def tokenize(text: str) -> list[str]:
        return [word for word in words(text) if word not in stop]

    vectorizer = TfidfVectorizer(tokenizer=tokenize, token_pattern=None, sublinear_tf=True)
    expected = vectorizer.fit_transform(TEXTS)
    index = lexical.tf_idf(TEXTS, "words", stop)
    for query in queries:
        theirs = (vectorizer.transform([query]) @ expected.T).toarray()[0]
        assert index.scores(query) == pytest.approx(theirs, abs=1e-6)


def test_bm25_is_the_formula() -> None:
    k1, b, lengths = 1.2, 0.6, np.array([4, 5, 3, 4])
    index = lexical.bm25(TEXTS, k1, b)
    idf = {"sour": np.log(1 + 3.5 / 1.5), "espresso": np.log(1 + 1.5 / 3.5)}
    weight = idf["sour"] * 2 / (2 + k1 * (1 - b + b * lengths[0] / 4)) + idf["espresso"] / (
        1 + k1 * (1 - b + b * lengths[0] / 4)
    )
    assert index.scores("Sour espresso")[0] == pytest.approx(weight / sum(idf.values()), rel=1e-5)
    scores = index.scores("espresso")
    assert scores[3] > scores[0] > scores[1] > scores[2] == 0 and scores.max() < 1


def test_terms() -> None:
    assert lexical.terms_of("letters", frozenset())("Tea") == [
        " te",
        "tea",
        "ea ",
        " tea",
        "tea ",
        " tea ",
    ]
    assert lexical.terms_of("letters", frozenset())("a") == [" a "] * 3
    assert lexical.terms_of("pairs", frozenset({"the"}))("the sour espresso") == [
        "sour",
        "espresso",
        "sour espresso",
    ]


def test_letters_find_other_forms_of_a_word() -> None:
    index = lexical.tf_idf(["grinding beans", "milk foam"], "letters")
    assert index.scores("grinders")[0] > 0 == index.scores("grinders")[1]


@pytest.mark.parametrize("texts", [[], [""], ["", "a b"]])
def test_indexes_of_nothing_give_zeros(texts: list[str]) -> None:
    for index in (lexical.tf_idf(texts), lexical.bm25(texts), lexical.tf_idf(texts, "letters")):
        scores = index.scores("unknown words")
        assert len(scores) == len(texts) and not scores.any() and np.isfinite(scores).all()


def test_an_index_is_the_same_read_again(tmp_path: Path) -> None:
    index = lexical.bm25(TEXTS, stop=frozenset({"a"}))
    index.write(tmp_path)
    again = lexical.Index.read(tmp_path)
    assert again.scores("a sour espresso").tolist() == index.scores("a sour espresso").tolist()
    assert isinstance(again.values, np.memmap)


def test_ranks_count_equal_scores_by_half() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.5, 0.5, 0.1], [0, 0, 0]], "f4")
    assert ranks(scores, np.array([1, 1, 0])).tolist() == [2, 1.5, 2]


def test_the_task_holds_all_answers_and_points_at_the_right_ones() -> None:
    known = [
        Question(1, "a", "", ("x", "y"), 1),
        Question(2, "b", "", (), -1),
        Question(3, "c", "", ("z",), 0),
    ]
    task = make_task(known, [1, 2, 0])
    assert (task.titles, task.right.tolist(), task.texts) == (["c", "a"], [2, 1], ["x", "y", "z"])


def test_summary_of_known_ranks() -> None:
    summary = summarize(
        {
            TF_IDF: np.array([1, 2, 20, 4.0]),
            "BM25": np.array([2, 2, 20, 40.0]),
            HYBRID: np.array([1, 1, 5, 4.0]),
        },
        50,
    )
    hybrid, tf_idf = summary["systems"][HYBRID], summary["systems"][TF_IDF]
    assert hybrid["mrr"] == pytest.approx(100 * (1 + 1 + 0.2 + 0.25) / 4)
    assert tf_idf["recall"] == 75 and hybrid["recall"] == 100
    assert summary["better_baseline"] == TF_IDF
    assert summary["gain"] == pytest.approx(100 * (0.5 + 0.15) / 4)
    low, high = summary["gain_interval"]
    assert low <= summary["gain"] <= high


# Towers


def test_pairs_are_of_the_kind_asked_for() -> None:
    known = [
        Question(1, "Sour Shots?", "Why...", ("Grind finer!", "Hotter"), 0),
        Question(2, "?!", "b", ("c",), 0),
        Question(3, "t", "", (), -1),
    ]
    assert make_pairs(known, "body") == [Pair(0, "sour shots", "why")]
    assert make_pairs(known, "answer") == [
        Pair(0, "sour shots", "grind finer"),
        Pair(0, "sour shots", "hotter"),
    ]
    assert len(make_pairs(known, "both")) == 3


def test_a_text_of_the_same_question_is_not_a_negative() -> None:
    keras = load_keras()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 2, 3)).astype("f4")
    question = np.array([[0], [1], [0], [2]])
    loss = contrastive_loss(0.5)(question, keras.ops.convert_to_tensor(vectors))
    scores = vectors[:, 0] @ vectors[:, 1].T / 0.5
    scores[0, 2] = scores[2, 0] = -np.inf
    expected = (np.log(np.exp(scores).sum(1)) + np.log(np.exp(scores).sum(0))) / 2 - np.diag(scores)
    assert np.asarray(loss) == pytest.approx(expected, rel=1e-4)


def test_the_arrays_are_the_keras_model(trained_towers: Path, questions_file: Path) -> None:
    keras = load_keras()
    tf = tensorflow()
    known = read_questions(questions_file)
    titles = [question.title for question in known] + ["zyxwv unknown", "sour " * 100]
    texts = [question.body for question in known] + ["espresso " * 200, "x"]
    of_titles, of_texts = encoder.read_encoders(trained_towers / "model")
    alone = keras.saving.load_model(trained_towers / "model" / "title_tower.keras")
    inputs = [tf.constant(list(map(spaced, side))) for side in (titles, texts)]
    assert np.abs(np.asarray(alone(inputs[0])) - of_titles.encode(titles)).max() < 1e-5
    whole = keras.saving.load_model(trained_towers / "model" / "model.keras")
    cosines = (of_titles.encode(titles) * of_texts.encode(texts)).sum(axis=1)
    assert np.abs(np.asarray(whole(inputs)).ravel() - cosines).max() < 1e-5
    assert not of_titles.encode(["zyxwv qqq"]).any()


def test_training_learns_and_is_the_same_each_time(
    questions_file: Path, trained_towers: Path, tmp_path: Path
) -> None:
    run("train", questions_file, tmp_path, *TINY)
    names = sorted(file.name for file in (tmp_path / "model").iterdir())
    assert names == [
        "model.keras",
        "split.json",
        "texts.npy",
        "title_tower.keras",
        "titles.npy",
        "words.json",
    ]
    for name in names:
        before = (trained_towers / "model" / name).read_bytes()
        assert (tmp_path / "model" / name).read_bytes() == before, name
    assert zipfile.is_zipfile(tmp_path / "model" / "title_tower.keras")


def test_words_of_held_out_titles_are_unknown_unless_an_answer_has_them() -> None:
    known = [
        Question(n, f"why is shot {n} sour", "it tastes sour and thin", (SWEET,), 0)
        for n in range(12)
    ]
    dev = [
        Question(n, f"heldoutword {n}", "heldoutbody text", ("grind finer",), 0)
        for n in range(20, 26)
    ]
    settings = TowerSettings(width=4, epochs=3, text_words=20)
    towers = train(known, dev, ["answerword sour", "answerword thin"], settings)
    assert "answerword" in towers.titles.words
    assert not {"heldoutword", "heldoutbody"} & set(towers.titles.words)
    assert towers.log and towers.best <= len(towers.log)
    assert {line["epoch"] for line in towers.log} == set(range(1, len(towers.log) + 1))


@pytest.mark.parametrize("learn_rate", [1e30, 0.0])
def test_training_that_helps_nothing_leaves_the_start(learn_rate: float) -> None:
    known = [
        Question(n, f"why is shot {n} sour", f"it tastes sour and thin {n}", (SWEET,), 0)
        for n in range(12)
    ]
    settings = TowerSettings(width=4, epochs=2, learn_rate=learn_rate, start="random")
    towers = train(known[:8], known[8:], [], settings)
    start = start_table(towers.titles.words, [], settings)[RESERVED:]
    assert towers.best == 0 and np.isfinite(towers.titles.table).all()
    directions = start / np.linalg.norm(start, axis=1, keepdims=True)
    assert towers.titles.encode(towers.titles.words) == pytest.approx(directions, abs=1e-5)


@pytest.mark.parametrize(
    ("start", "why"),
    [("en", "en has no vectors"), ("nothing_here", "no language or pipeline called")],
)
def test_a_start_without_vectors_is_refused(start: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        start_table(["sour"], ["sour shot"], TowerSettings(start=start))


def test_a_start_from_word_vectors_keeps_their_directions(tmp_path: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.vocab.set_vector("sour", np.array([3.0, 4.0, 0.0], "f4"))
    nlp.vocab.set_vector("milk", np.array([0.0, 0.0, 2.0], "f4"))
    nlp.to_disk(tmp_path / "v")
    settings = TowerSettings(start=str(tmp_path / "v"))
    table = start_table(["sour", "none", "milk"], [], settings)
    assert table.shape == (5, 3) and not table[[0, 1, 3]].any()
    assert table[2] / np.linalg.norm(table[2]) == pytest.approx([0.6, 0.8, 0])
    with pytest.raises(ValueError, match="knows none of the 1 words"):
        start_table(["zyx"], [], settings)


def test_without_tensorflow_the_remedy_is_named(
    questions_file: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    line = fails(capsys, "train", questions_file, tmp_path)
    assert (
        "tensorflow is not installed: pip install -r requirements-keras.txt" in line
        and not (tmp_path / "model").exists()
    )


def test_a_model_of_other_questions_is_not_scored(
    trained_towers: Path, questions_file: Path, tmp_path: Path, capsys: Any
) -> None:
    lines = questions_file.read_text("utf8").splitlines(keepends=True)
    (tmp_path / "fewer.jsonl").write_text("".join(lines[:-1]), encoding="utf8")
    line = fails(capsys, "evaluate", tmp_path / "fewer.jsonl", trained_towers)
    assert "was trained on other questions: run python -m weasel run questions-train again" in line


def test_metrics_hold_every_system(trained_towers: Path) -> None:
    metrics = srsly.read_json(trained_towers / "metrics.json")
    assert list(metrics["systems"]) == [
        "averaged vectors",
        "tf-idf",
        "BM25",
        "tf-idf of letters",
        "tower",
        "BM25 + letters",
        "hybrid",
    ]
    assert metrics["answers"] == 237 and 20 < metrics["questions"] < 40
    for line in metrics["systems"].values():
        assert line["mrr_interval"][0] <= line["mrr"] <= line["mrr_interval"][1] <= 100
    assert metrics["systems"]["BM25"]["mrr"] > 20
    setting = metrics["setting"]
    assert setting["bm25"] + setting["letters"] + setting["tower"] == pytest.approx(1)
    assert (trained_towers / "scores.png").exists()


# Matching


def test_match_finds_questions_like_this_one(trained_towers: Path) -> None:
    match = load(trained_towers)
    similar = match("my espresso is sour", k=5)
    assert "How do I fix sour espresso?" in [line["title"] for line in similar[:2]]
    assert [set(line) for line in similar] == [{"id", "title", "score"}] * 5
    scores = [line["score"] for line in similar]
    assert scores == sorted(scores, reverse=True)
    assert match(similar[0]["title"], k=1)[0]["id"] == similar[0]["id"]
    assert len(match("espresso", k=10_000)) == 170


@pytest.mark.parametrize(
    ("question", "k", "why"),
    [
        ("", 3, "the question is empty"),
        (" \n", 3, "the question is empty"),
        ("zzzyyyxxx", 3, "no word of 'zzzyyyxxx' is known in the titles"),
        ("?!", 3, "no word"),
    ],
)
def test_questions_that_match_nothing(
    question: str, k: int, why: str, trained_towers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in fails(capsys, "match", trained_towers, "--question", question, "--k", k)
    with pytest.raises(ValueError, match="it must be at least 1"):
        load(trained_towers)("espresso", k=0)


def test_match_prints_a_table(trained_towers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("match", trained_towers, "--question", "sour [b]espresso[/b]", "--k", 3)
    out = capsys.readouterr().out
    assert "of 170 titles" in out and "How do I fix sour espresso?" in out


def test_serving_needs_neither_tensorflow_nor_spacy(trained_towers: Path) -> None:
    code = (
        "import sys\n"
        "from scripts.questions.serve import load\n"
        f"match = load({str(trained_towers)!r})\n"
        "print(match('sour espresso', k=1)[0]['title'])\n"
        "heavy = {'tensorflow', 'keras', 'spacy', 'sklearn', 'bm25s', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "How do I fix sour espresso?\n[]\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda folder: shutil.rmtree(folder / "model"),
            "no model in .*: run python -m weasel run questions-train",
        ),
        (lambda folder: (folder / "model" / "titles.npy").unlink(), "model in .* is damaged"),
        (
            lambda folder: shutil.rmtree(folder / "index"),
            "no index in .*: run python -m weasel run questions-index",
        ),
        (
            lambda folder: (folder / "index" / "index.json").write_text('{"format": 0}'),
            "index in .* was made by another version or is damaged",
        ),
        (
            lambda folder: (folder / "model" / "words.json").write_text("{"),
            "model in .* was made by another version or is damaged",
        ),
        (
            lambda folder: (folder / "index" / "vectors.npy").write_bytes(b"\x93NUMPY"),
            "index in .* was made by another version or is damaged",
        ),
        (
            lambda folder: np.save(folder / "index" / "ids.npy", np.array([{}]), allow_pickle=True),
            "index in .* is damaged",
        ),
        (
            lambda folder: np.save(
                folder / "model" / "titles.npy", np.load(folder / "model" / "titles.npy") * 2
            ),
            "made with another model",
        ),
    ],
)
def test_missing_older_and_damaged_files(
    change: Any, why: str, trained_towers: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "training"
    shutil.copytree(trained_towers, folder)
    change(folder)
    with pytest.raises(ValueError, match=why):
        load(folder)


def test_index_before_evaluate_says_so(
    questions_file: Path, trained_towers: Path, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(trained_towers / "model", tmp_path / "model")
    assert "run python -m weasel run questions-evaluate first" in fails(
        capsys, "index", questions_file, tmp_path
    )
    assert "no model in" in fails(capsys, "evaluate", questions_file, tmp_path / "none")


def test_top_k_is_that_of_a_full_sort() -> None:
    rng = np.random.default_rng(0)
    for scores in (
        rng.normal(size=500).astype("f4"),
        rng.integers(0, 5, 500).astype("f4"),
        np.zeros(7, "f4"),
    ):
        for k in (1, 10, 1_000):
            assert top_k(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


@pytest.mark.parametrize("width", [16, 17])
def test_a_scan_finds_what_an_exact_search_finds(width: int, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20_000, width)).astype("f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    Scan.build(vectors).write(tmp_path / "codes")
    scan = Scan.read(tmp_path / "codes")
    same = 0
    for query in vectors[:20] + rng.normal(size=(20, width)).astype("f4") / 10:
        places, scores = scan.top_k(vectors, query, 10)
        assert scores == pytest.approx(vectors[places] @ query) and (np.diff(scores) <= 0).all()
        same += len(set(places.tolist()) & set(top_k(vectors @ query, 10).tolist()))
    assert same >= 198
    (tmp_path / "codes").write_bytes(b"none")
    with pytest.raises(ValueError, match="can't be read"):
        Scan.read(tmp_path / "codes")


def test_a_large_index_gives_what_a_small_one_gives(
    trained_towers: Path, questions_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    pytest.importorskip("faiss")
    folder = tmp_path / "training"
    shutil.copytree(trained_towers, folder)
    small = load(folder)("grinder for espresso", k=8)
    monkeypatch.setattr(serve, "MIN_SCAN_TITLES", 100)
    monkeypatch.setattr(serve, "CANDIDATES", 60)
    run("index", questions_file, folder)
    large = load(folder)
    assert large.scan and large("grinder for espresso", k=8) == small


# Whole


def test_the_setting_is_the_best_of_those_tried(trained_towers: Path, questions_file: Path) -> None:
    known = read_questions(questions_file)
    towers = encoder.read_encoders(trained_towers / "model")
    parts = split(known, 0.15, 0.2, 0)
    chosen = evaluate.choose(known, parts, towers, "en")
    setting = chosen.hybrid
    mrrs = {}
    for name, numbers in (("both", sorted(parts.train + parts.dev)), ("dev", parts.dev)):
        task: Task = make_task(known, numbers)
        searched = evaluate.Lexical(task, "en")
        bm25 = searched.bm25(setting.k1, setting.b, setting.stop)
        mixed = setting.bm25 * bm25 + setting.letters * searched.letters()
        with_tower = mixed + setting.tower * evaluate.tower_scores(towers, task)
        mrrs[name] = [mrr(ranks(scores, task.right)) for scores in (bm25, mixed, with_tower)]
    assert mrrs["both"][1] >= mrrs["both"][0] - 1e-6
    assert mrrs["dev"][2] >= mrrs["dev"][1] - 1e-6
    parts.test.clear()
    assert evaluate.choose(known, parts, towers, "en") == chosen, "test questions chose"


@pytest.mark.slow
def test_the_workflow_runs_whole(tmp_path: Path) -> None:
    folder = copy_project(tmp_path)
    sizes = {"epochs": "1", "width": "16", "k": "3"}
    overrides = []
    for name, size in sizes.items():
        overrides += [f"--vars.questions.{name}", size]
    done = weasel(folder, "questions", ".", *overrides)
    assert "of 170 titles" in done.stdout
    for name in (
        "explore.png",
        "summary.json",
        "scores.png",
        "metrics.json",
        "model/title_tower.keras",
        "index/index.json",
    ):
        assert (folder / "training" / "questions" / name).exists(), name
    again = weasel(folder, "questions", ".", *overrides)
    assert (
        "nothing has changed since it was made" in again.stdout
        and "Skipping 'questions-train'" in again.stdout
    )


@pytest.mark.slow
def test_the_beer_site_by_folds(tmp_path: Path) -> None:
    path = shared_data() / "questions" / "Posts.xml"
    if not path.exists():
        pytest.skip("needs shared/data")
    run("extract", path, tmp_path / "q.jsonl", "--limit", "900")
    run("folds", tmp_path / "q.jsonl", tmp_path / "folds", "--n-folds", "2")
    metrics = srsly.read_json(tmp_path / "folds" / "metrics.json")
    mrrs = {name: scores["mrr"] for name, scores in metrics["systems"].items()}
    assert mrrs["hybrid"] > mrrs[metrics["better_baseline"]] - 2
    assert mrrs["hybrid"] > mrrs["averaged vectors"] + 10
