"""doc.similarity by a trained model, wherever a Doc has been; pairs, scores and bad input."""

import copy
import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from spacy.attrs import LOWER
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vectors import Vectors

from scripts.components.similarity import KEY, TextSimilarity, cosines, pair_of
from scripts.reading import read_docs, text_key
from scripts.similarity.__main__ import app
from scripts.similarity.corpus import make_corpus, read_lee, split_lee, to_doc
from scripts.similarity.evaluate import averaged, evaluate_systems, gain_line, worst
from scripts.similarity.pairs import (
    Pair,
    distinct,
    groups,
    read_pairs,
    scale,
    split,
    text_keys,
    texts_of,
    without,
)
from scripts.vectors.folder import write_folder
from tests.conftest import ROOT, copy_project, run_module, weasel

Write = Callable[[str, list[Any]], Path]
WORDS = ["the", "a", "is", "my", "parcel", "package", "late", "coffee", "tea", "cold", "phone"]
WORDS += ["screen", "broken", "cracked", "hot", "nice"]
SUBJECTS = [
    ("parcel", "package", 1.0),
    ("broken", "cracked", 1.0),
    ("coffee", "tea", 1.0),
    ("parcel", "phone", 0.0),
    ("coffee", "screen", 0.0),
    ("phone", "tea", 0.1),
]
ENDS = [("late", "late"), ("cold", "hot")]
PAIRS = [
    Pair(f"{start} {a} is {end}", f"the {b} is {other}", score)
    for start, (a, b, score), (end, other) in product(("the", "my"), SUBJECTS, ENDS)
]


def blank(hash_width: int = 32, width: int = 12, attr: int | None = None) -> Language:
    """A pipeline with random vectors and the component, not trained."""
    nlp = spacy.blank("en")
    rows = np.random.default_rng(0).standard_normal((len(WORDS), width)).astype("f4")
    nlp.vocab.reset_vectors(width=width)
    for word, row in zip(WORDS, rows):
        nlp.vocab.set_vector(word, row)
    if attr is not None:
        nlp.vocab.vectors = Vectors(
            data=nlp.vocab.vectors.data, keys=list(nlp.vocab.vectors.key2row), attr=attr
        )
    nlp.add_pipe(
        "text_similarity",
        config={
            "model": {"@architectures": "quicksilver.WeightedVectors.v1", "hash_width": hash_width}
        },
    )
    return nlp


def examples(nlp: Language, pairs: list[Pair]) -> list[Example]:
    docs = [to_doc(pair, nlp) for pair in pairs]
    return [Example(nlp.make_doc(doc.text), doc) for doc in docs]


def train(nlp: Language, steps: int = 60) -> Language:
    batch = examples(nlp, PAIRS)
    optimizer = nlp.initialize(lambda: batch)
    optimizer.learn_rate = 0.02
    for _ in range(steps):
        nlp.update(batch, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module")
def nlp() -> Language:
    return train(blank())


def pipe_of(nlp: Language) -> TextSimilarity:
    return nlp.get_pipe("text_similarity")  # type: ignore[return-value]


def plain(a: Doc, b: Doc) -> float:
    """What spaCy says without hooks."""
    return float(cosines(mean_vector(a)[None], mean_vector(b)[None])[0])


def mean_vector(doc: Doc) -> np.ndarray:
    """The mean of the static vectors of a Doc, (width,)."""
    return np.mean([token.vocab[token.orth].vector for token in doc], axis=0)


TEXTS = ["my parcel is late", "the package is late!"]

# Hooks


def test_all_kinds_of_text_use_the_model_both_ways(nlp: Language) -> None:
    a, b = nlp.pipe(TEXTS)
    lexeme = nlp.vocab["parcel"]
    texts = [a, b, a[1:3], b[0:1], a[1], b[1]]
    vector_of = pipe_of(nlp).hooks.vector
    for one, other in product(texts, [*texts, lexeme]):
        value = one.similarity(other)
        assert type(value) is float and -1 <= value <= 1
        vectors = one.vector, vector_of(lexeme) if other is lexeme else other.vector
        cosine = float(cosines(vectors[0][None], vectors[1][None])[0])
        assert value == pytest.approx(cosine, abs=1e-6)
        if other is not lexeme:
            assert value == other.similarity(one)
    for text in texts:
        length = float(np.linalg.norm(text.vector))
        assert text.vector.shape == (12 + 32,)
        assert text.vector_norm == pytest.approx(length, rel=1e-5)
    assert a.similarity(a[:]) == pytest.approx(1, abs=1e-6)
    assert a[1].similarity(a[1:2]) == pytest.approx(1, abs=1e-6)
    assert a.similarity(b) != pytest.approx(plain(a, b), abs=0.01)


def test_the_pipeline_stays_an_ordinary_one(nlp: Language) -> None:
    assert type(nlp) is type(spacy.blank("en")) and type(nlp).pipe is Language.pipe
    assert not hasattr(spacy.blank("en").pipe, "nlp")
    copied = copy.deepcopy(nlp)
    assert copied.pipe.nlp is copied  # type: ignore[attr-defined]
    a, b = copied.pipe(TEXTS)
    assert a.similarity(b) == nlp(TEXTS[0]).similarity(nlp(TEXTS[1]))


def test_it_learns_what_is_alike_and_the_gradient_is_right(nlp: Language) -> None:
    fresh = train(blank(), 0)
    before, after = (
        pipe.evaluate(examples(pipe, PAIRS))["similarity_spearman"] for pipe in (fresh, nlp)
    )
    assert after > 0.6 > before + 0.2
    parcel = nlp("my parcel is late")
    to_package = parcel.similarity(nlp("the package is late"))
    assert to_package > parcel.similarity(nlp("the phone is late")) + 0.3
    model, batch = pipe_of(fresh).model, examples(fresh, PAIRS[:7])
    pairs = [pair_of(example.reference) for example in batch]
    texts = [pair[0].as_doc() for pair in pairs] + [pair[1].as_doc() for pair in pairs]
    vectors, backprop = model.begin_update(texts)
    _, d_vectors = pipe_of(fresh).get_loss(batch, vectors)
    backprop(d_vectors)
    layer = model.layers[1]
    for name in ("shift", "mix", "from_vector", "from_features", "hashed"):
        param, gradient = layer.get_param(name), layer.get_grad(name).copy()
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        losses = []
        for step in (0.01, -0.02):
            param[place] += step
            losses.append(pipe_of(fresh).get_loss(batch, model.predict(texts))[0])
        param[place] += 0.01
        assert (losses[0] - losses[1]) / 0.02 == pytest.approx(gradient[place], rel=0.05), name


@pytest.mark.parametrize(("hash_width", "zero"), [(0, True), (32, False)])
def test_texts_without_known_words(hash_width: int, zero: bool) -> None:
    nlp = train(blank(hash_width), 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty, unknown, known = nlp.pipe(["", "zzz qqq", "my parcel"])
        for doc in (empty, unknown, empty[0:0]):
            assert np.isfinite(doc.vector).all() and np.isfinite(doc.vector_norm)
            assert np.isfinite(doc.similarity(known))
        assert empty.similarity(known) == known.similarity(empty) == empty.similarity(empty) == 0
        assert not empty.vector.any() and unknown.vector.any() != zero
        assert unknown.similarity(nlp("qqq zzz")) == pytest.approx(0 if zero else 1, abs=1e-6)


# Where Docs have been


def test_docs_from_other_processes_have_their_hooks(
    nlp: Language, capfd: pytest.CaptureFixture[str]
) -> None:
    parcel = nlp("the parcel")
    expected = pytest.approx([doc.similarity(parcel) for doc in nlp.pipe(TEXTS)], abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [doc.similarity(parcel) for doc in nlp.pipe(TEXTS, n_process=2)] == expected
        numbered = zip(TEXTS, range(2))
        tuples = list(nlp.pipe(numbered, as_tuples=True, n_process=2))
    assert [number for _, number in tuples] == [0, 1]
    assert [doc[:].similarity(parcel) for doc, _ in tuples] == expected
    assert "W109" not in capfd.readouterr().err
    assert not next(iter(nlp.pipe(TEXTS, n_process=2, disable=["text_similarity"]))).user_hooks


def test_docs_from_a_docbin_need_one_line(nlp: Language) -> None:
    a, b = nlp.pipe(TEXTS)
    kept = DocBin(store_user_data=True, docs=[a, b]).to_bytes()
    c, d = DocBin().from_bytes(kept).get_docs(nlp.vocab)
    expected = pytest.approx(a.similarity(b), abs=1e-6)
    assert c.similarity(d) == pytest.approx(plain(a, b), abs=1e-5), "the page says: spaCy's average"
    assert a.similarity(d) == expected, "one Doc with hooks is enough, asked from its side"
    assert pipe_of(nlp).restore(c).similarity(d) == expected
    assert pipe_of(nlp)(d).similarity(c) == expected
    assert c[1:3].similarity(d) == a[1:3].similarity(b)


def test_copies_and_pickles_keep_their_hooks(nlp: Language) -> None:
    a, b = nlp.pipe(TEXTS)
    assert a.copy().similarity(b) == a.similarity(b)
    of_span = pytest.approx(a[1:3].similarity(b), abs=1e-6)
    assert a[1:3].as_doc().similarity(b) == of_span
    c, d = pickle.loads(pickle.dumps([a, b]))
    assert c.similarity(d) == pytest.approx(a.similarity(b), abs=1e-6)
    assert c[0:2].similarity(d[1]) == pytest.approx(a[0:2].similarity(b[1]))
    with pytest.warns(UserWarning, match="W109"):
        a.to_bytes()


def test_pipelines_keep_it(nlp: Language, tmp_path: Path) -> None:
    expected = pytest.approx(nlp(TEXTS[0]).similarity(nlp(TEXTS[1])), abs=1e-6)
    nlp.to_disk(tmp_path / "saved")
    for other in (spacy.load(tmp_path / "saved"), blank().from_bytes(nlp.to_bytes())):
        second = other(TEXTS[1])
        assert other(TEXTS[0]).similarity(second) == expected
        (sent_back,) = other.pipe(TEXTS[:1], n_process=2)
        assert sent_back.similarity(second) == expected
    lower = train(blank(0, attr=LOWER), 3)
    lower.to_disk(tmp_path / "lower")
    again = spacy.load(tmp_path / "lower")  # which has forgotten what its vectors are looked up by
    assert again("PARCEL").vector.any() and np.allclose(
        again("PARCEL").vector, again("parcel").vector
    )


def test_vectors_of_another_width_and_none(nlp: Language) -> None:
    other = blank(width=7)
    pipe_of(other).model = nlp.get_pipe("text_similarity").model  # type: ignore[attr-defined]
    with pytest.raises(
        ValueError,
        match=r"the vectors are of width 7, but 12 in training: load the vectors of the training",
    ):
        other("my parcel")
    bare = spacy.blank("en")
    bare.add_pipe("text_similarity")
    with pytest.raises(
        ValueError,
        match=r"there are no vectors to train on: name some by .*vars\.similarity\.vectors",
    ):
        bare.initialize(lambda: examples(bare, PAIRS))
    with pytest.raises(ValueError, match=r'a pair needs two spans in doc\.spans\["similarity"\]'):
        nlp.update([Example(nlp.make_doc("a"), nlp.make_doc("a"))])


# Pairs


BAD_PAIRS: list[tuple[str, str | bytes, str]] = [
    ("a.jsonl", '{"text1": "a", "text2": "b"}', "a.jsonl:1: the score is missing: give each pair"),
    ("a.jsonl", '{"text1": "a", "text2": "b", "score": "high"}', "a.jsonl:1: the score is not a n"),
    ("a.jsonl", '{"text1": "a", "text2": "b", "score": "high"}', "score is not a number: 'high'"),
    ("a.jsonl", '{"text1": "a", "text2": "b", "score": true}', "score is not a number: True"),
    ("a.jsonl", '\n{"text1": "a", "text2": "b", "score": NaN}', "a.jsonl:2: the score is not a"),
    ("a.jsonl", '{"text1": "a", "score": 1}', 'a.jsonl:1: a pair needs two texts, "text2" is miss'),
    ("a.jsonl", '{"text1": "a", "score": 1}', '"text2" is missing or empty'),
    ("a.jsonl", '{"text1": " ", "text2": "b", "score": 1}', '"text1" is missing or empty'),
    (
        "a.jsonl",
        '{"text1": "a\\ud800", "text2": "b", "score": 1}',
        '"text1" has half of a surrogate',
    ),
    ("a.jsonl", '{"text1": ', "a.jsonl:1: broken JSON"),
    ("a.csv", "one,two\na,b", "the columns text1, text2, score are missing"),
    ("a.csv", 'text1,text2,score\na,b,1\n"a,b,1\n', "can't be read as a table"),
    ("a.csv", "text1,text2,score\na,b,1,2\n", "a.csv:2: more fields than columns"),
    ("a.csv", "text1,text2,score\na,b,\n", "a.csv:2: the score is missing"),
    ("a.csv", "text1,text2,score\na\n", 'a.csv:2: a pair needs two texts, "text2"'),
    ("a.csv", b"text1,text2,score\na\xff,b,1\n", "a.csv:2: not UTF-8"),
    ("a.xlsx", "", "don't know how to read"),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD_PAIRS)
def test_bad_pairs_are_named(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError) as error:
        read_pairs(tmp_path / name)
    assert words in str(error.value)


def test_tables_and_jsonl_say_the_same(tmp_path: Path, write_jsonl: Write) -> None:
    expected = [Pair("one, two", 'say "so"', 2.5), Pair("three\nlines", "é", 0)]
    (tmp_path / "a.csv").write_text(
        'text1,score,text2\n"one, two",2.5,"say ""so"""\n"three\nlines",0,é\n', encoding="utf-8-sig"
    )
    (tmp_path / "a.tsv").write_text(
        'text1\ttext2\tscore\none, two\t"say ""so"""\t2.5\n"three\nlines"\té\t0\n', encoding="utf8"
    )
    records = [{"text1": pair.text1, "text2": pair.text2, "score": pair.score} for pair in expected]
    for path in (tmp_path / "a.csv", tmp_path / "a.tsv", write_jsonl("a.jsonl", records)):
        assert read_pairs(path) == expected


def test_scores_are_scaled_and_doubles_counted() -> None:
    assert [pair.score for pair in scale([Pair("a", "b", -1), Pair("a", "c", 3)], -1, 4)] == [
        0,
        0.8,
    ]
    with pytest.raises(
        ValueError,
        match=r"the score 3 is outside 0 to 1: give the right range by vars\.similarity\.range",
    ):
        scale([Pair("a", "c", 3)], 0, 1)
    assert distinct([Pair("a", "b", 1), Pair("B ", "a", 2), Pair("a", "c", 1)]) == (
        [Pair("a", "b", 1), Pair("a", "c", 1)],
        1,
    )
    assert without([Pair("a", "b", 1), Pair("c", "d", 1)], [Pair("x", " A", 1)]) == [
        Pair("c", "d", 1)
    ]


def test_groups_are_texts_linked_by_pairs() -> None:
    """Each group is named after its lowest key, whatever the order of the pairs."""
    links = [("a", "b"), ("c", "d"), ("b", "e"), ("f", "F "), ("d", "g"), ("h", "c")]
    pairs = [Pair(first, second, 0) for first, second in links]
    group_of = groups(pairs)
    expected = {}
    for texts in ("abe", "cdgh", "f"):
        keys = list(map(text_key, texts))
        expected |= dict.fromkeys(keys, min(keys))
    assert group_of == expected == groups(pairs[::-1]) and set(group_of) == text_keys(pairs)
    assert groups([]) == {}


@pytest.mark.parametrize("dense", [False, True])
def test_no_text_is_on_two_sides(dense: bool) -> None:
    pairs = [
        Pair(f"text {i}", f"text {j}", (i * j) % 5 / 4)
        for j, i in combinations(range(40), 2)
        if dense or i // 4 == j // 4
    ]
    kept, held_out, between = split(pairs, 0.3, 0)
    kept_texts, held_out_texts = text_keys(kept), text_keys(held_out)
    assert kept and held_out and not kept_texts & held_out_texts
    assert len(kept) + len(held_out) + len(between) == len(pairs)
    assert bool(between) == dense
    assert all(len(kept_texts & set(pair.keys)) == 1 for pair in between)
    again = split(pairs[::-1], 0.3, 0)
    assert {frozenset(kept), frozenset(held_out)} == set(map(frozenset, again[:2]))
    test = [Pair("text 1", "other", 0.5), *(Pair(f"o{i}", "o", i / 4) for i in range(4))]
    corpus = make_corpus(pairs, test, range_option="0:1", dev_share=0.3, test_share=0.2, seed=0)
    n_in_test = sum("text 1" in (pair.text1, pair.text2) for pair in pairs)
    assert corpus.left_out["training pairs with a text of the test pairs"] == n_in_test > 0
    assert corpus.summary()["test"]["pairs"] == 5 and corpus.summary()["range"] == [0, 1]


def test_impossible_splits() -> None:
    settings: dict[str, Any] = {
        "range_option": "found",
        "dev_share": 0.2,
        "test_share": 0.2,
        "seed": 0,
    }
    same = [Pair(f"a{i}", f"b{i}", 2) for i in range(50)]
    with pytest.raises(
        ValueError, match=r"all scores are the same \(2\), so there is nothing to learn"
    ):
        make_corpus(same, [], **settings)
    with pytest.raises(
        ValueError, match=r"the training pairs are missing: give some by vars\.similarity\.train"
    ):
        make_corpus([], same, **settings)
    with pytest.raises(ValueError, match=r"vars\.similarity\.range is '5', which is not a range"):
        make_corpus([*same, Pair("x", "y", 1)], [], **(settings | {"range_option": "5"}))
    remedy = r"give more pairs, or another vars\.similarity\.\w+_share or vars\.seed"
    with pytest.raises(ValueError, match=rf"got \d pairs: {remedy}"):
        make_corpus([Pair("x", "y", 1), Pair("u", "v", 0)], [], **settings)
    with pytest.raises(ValueError, match="with one and the same score"):
        make_corpus(
            [*same, Pair("x", "y", 1)],
            [Pair(f"c{i}", "d", i) for i in range(3)],
            **(settings | {"range_option": "0:2"}),
        )


def test_ratings_of_news_are_split_by_text() -> None:
    texts, ratings = read_lee()
    assert len(texts) == 50 and ratings.shape == (50, 50)
    assert (ratings == ratings.T).all() and (ratings >= 0.2).all()
    train, test = split_lee(texts, ratings, 20, 0)
    assert (len(train), len(test)) == (30 * 29 // 2, 20 * 19 // 2)
    assert not set(texts_of(train)) & set(texts_of(test))


# Scores


def test_metrics_compare_with_the_usual_similarities(nlp: Language) -> None:
    metrics, similarities = evaluate_systems(nlp, PAIRS, texts_of(PAIRS))
    assert list(metrics["systems"]) == ["trained", "averaged vectors", "SIF", "tf-idf"]
    assert metrics["pairs"] == len(PAIRS)
    by_scorer = nlp.evaluate(examples(nlp, PAIRS))["similarity_spearman"]
    assert metrics["similarity_spearman"] == pytest.approx(by_scorer, abs=0.02)
    low, high = metrics["gain_interval"]
    assert metrics["gain"] > 0.2 and low <= metrics["gain"] <= high
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b = nlp.make_doc(PAIRS[0].text1), nlp.make_doc(PAIRS[0].text2)
        assert similarities["averaged vectors"][0] == pytest.approx(plain(a, b), abs=1e-5)
        averaged(nlp, [Pair("zzz", "qqq", 1)])
    lines = worst(PAIRS, similarities)
    gaps = [abs(line["rank by score"] - line["rank by similarity"]) for line in lines]
    assert np.allclose(gaps, sorted(gaps, reverse=True), atol=0.002)
    assert {"text1", "text2", "score", "similarity"} <= set(lines[0])
    assert "trained less averaged vectors: +" in gain_line(metrics)


# The commands

CORPUS = ["corpus", "out", "--train", "assets/similarity/train.jsonl"]
CORPUS += ["--test", "assets/similarity/test.jsonl", "--range", "0:5", "--vectors", "table"]
TRAIN = ["configs/similarity.cfg", "--code", "scripts/components/similarity.py"]
TRAIN += ["--paths.vectors", "table"]
TRAIN += ["--training.max_steps", "20", "--training.eval_frequency", "10"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a similarity was trained for a few steps on small random vectors."""
    folder = copy_project(tmp_path_factory.mktemp("similarity"))
    texts = texts_of(read_pairs(folder / "assets/similarity/train.jsonl"))
    words = sorted(set(" ".join(texts).lower().split()))
    rows = np.random.default_rng(0).standard_normal((len(words), 16)).astype("f4")
    write_folder(folder / "table", [([word.encode() for word in words], rows)], 16, attr="LOWER")
    for args in (
        ("scripts.similarity", "corpus", "corpus/similarity", *CORPUS[2:]),
        ("spacy", "train", *TRAIN, "--output", "new", "--paths.log", "new/log.jsonl"),
    ):
        done = run_module(folder, *args)
        assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app(["assemble", "new", "training/similarity"], standalone_mode=False)
        app(["evaluate", "training/similarity", "corpus/similarity"], standalone_mode=False)
    return folder


def test_the_workflow_leaves_scores_and_a_pipeline(folder: Path) -> None:
    training = folder / "training/similarity"
    metrics = srsly.read_json(training / "metrics.json")
    counts = srsly.read_json(folder / "corpus/similarity/split.json")
    assert metrics["pairs"] == counts["test"]["pairs"] > 120
    assert counts["train"]["pairs"] + counts["dev"]["pairs"] >= 360
    assert counts["left out"]["training pairs with a text of the test pairs"] == 0
    assert (training / "scatter.png").stat().st_size > 10_000
    assert len(list(srsly.read_jsonl(training / "worst.jsonl"))) == 30
    assert (training / "log.jsonl").exists()
    nlp = spacy.load(training / "pipeline")
    assert nlp.vocab.vectors.attr == LOWER
    assert -1 < nlp("Where is my parcel?").similarity(nlp("the parcel is late")) < 1


def test_no_text_is_in_two_parts(folder: Path) -> None:
    nlp = spacy.blank("en")
    texts: list[str] = []
    for name in ("train", "dev", "test"):
        docs = list(read_docs(folder / f"corpus/similarity/{name}.spacy", nlp))
        assert all(0 <= pair_of(doc)[2] <= 1 and len(doc.spans[KEY]) == 2 for doc in docs)
        spans = chain.from_iterable(doc.spans[KEY] for doc in docs)
        texts += {span.text for span in spans}
    assert len(texts) == len(set(texts))


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (folder / "corpus/similarity").iterdir()}
    model = (folder / "training/similarity/pipeline/text_similarity/model").read_bytes()
    done = run_module(folder, "spacy", "train", *TRAIN, "--output", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new/model-best/text_similarity/model").read_bytes() == model
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app(["corpus", str(tmp_path / "c"), *CORPUS[2:]], standalone_mode=False)
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()} == before


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            [*CORPUS[:-1], "nowhere"],
            "no static vectors called 'nowhere': train some (python -m weasel run vectors-corpus",
        ),
        (
            [*CORPUS[:-1], "bare"],
            "'bare' has no static vectors: train some (python -m weasel run vectors-corpus",
        ),
        ([*CORPUS[:3], "nowhere.jsonl", *CORPUS[4:]], "nowhere.jsonl does not exist"),
        ([*CORPUS[:7], "0:1", *CORPUS[8:]], "is outside 0 to 1"),
        ([*CORPUS[:3], CORPUS[5], *CORPUS[4:]], "train got 0 pairs: give more pairs"),
        (
            [*CORPUS[:3], "same.jsonl", "--test", "assets/empty.jsonl", *CORPUS[6:]],
            "all scores are the same (3)",
        ),
        (["assemble", "nowhere", "out"], "nowhere holds no trained model: run the training first"),
        (["evaluate", "nowhere", "corpus/similarity"], "no pipeline called 'nowhere/pipeline'"),
        (
            ["evaluate", "blank", "corpus/similarity"],
            "blank/pipeline has no text_similarity: train one",
        ),
        (
            ["evaluate", "wider", "corpus/similarity"],
            "the vectors are of width 9, but 16 in training",
        ),
        (
            ["evaluate", "training/similarity", "corpus/similarity", "--part", "all"],
            "all.jsonl does not exist",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    spacy.blank("en").to_disk("bare")
    Path("blank").mkdir(exist_ok=True)
    spacy.blank("en").to_disk("blank/pipeline")
    srsly.write_jsonl(
        "same.jsonl", [{"text1": f"a{i}", "text2": f"b{i}", "score": 3} for i in range(50)]
    )
    if not Path("wider").exists():
        shutil.copytree("training/similarity/pipeline", "wider/pipeline")
        shutil.rmtree("wider/pipeline/vocab")
        write_folder(Path("nine"), [([b"parcel"], np.ones((1, 9), "f4"))], 9)
        shutil.copytree("nine/vocab", "wider/pipeline/vocab")
    with pytest.raises(SystemExit, match="1"):
        app(args, standalone_mode=False)
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("Error: ") and words in lines[-1] and not Path("out").exists()


@pytest.mark.slow
def test_the_whole_workflow_and_its_wheel_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    folder = copy_project(tmp_path / "project")
    small = ["--vars.vectors.epochs", "1", "--vars.vectors.vector_size", "24"]
    small += ["--vars.similarity.max_steps", "40"]
    done = weasel(folder, "similarity", ".", *small)
    assert "trained less averaged vectors" in done.stdout
    again = weasel(folder, "similarity", ".", *small).stdout
    assert "Skipping 'similarity-train'" in again and "Skipping 'similarity-package'" in again
    (wheel,) = (folder / "packages").glob("*.whl")
    nlp = spacy.load(folder / "training/similarity/pipeline")
    expected = nlp("Where is my parcel?")[2:].similarity(nlp("The package is late."))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env/bin/python")
    install = ["-m", "pip", "install", "-q", str(wheel), "-c", str(ROOT / "constraints.txt")]
    subprocess.run([python, *install], check=True)
    name = wheel.name.split("-")[0]
    program = f"""
import spacy
nlp = spacy.load({name!r})
a, b = nlp.pipe(["Where is my parcel?", "The package is late."], n_process=2)
print(a[2:].similarity(b))
"""
    out = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert float(out.stdout) == pytest.approx(expected, abs=1e-6)
