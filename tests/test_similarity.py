"""doc.similarity and friends by a trained model, wherever a Doc has been; pairs in, correlations out; bad input in one line."""

import pickle
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
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
from scripts.reading import read_docs
from scripts.similarity import evaluate as evaluating
from scripts.similarity.__main__ import app
from scripts.similarity.corpus import make, read_lee, split_lee, to_doc
from scripts.similarity.pairs import Pair, distinct, read_pairs, scale, split, without
from scripts.vectors.folder import write_folder
from tests.conftest import ROOT, copy_project, run_module, weasel

Write = Callable[[str, list[Any]], Path]
WORDS = [
    "the",
    "a",
    "is",
    "my",
    "parcel",
    "package",
    "late",
    "coffee",
    "tea",
    "cold",
    "phone",
    "screen",
    "broken",
    "cracked",
    "hot",
    "nice",
]
ALIKE = [("parcel", "package"), ("broken", "cracked"), ("coffee", "tea")]
PAIRS = [
    Pair(f"{start} {a} is {end}", f"the {b} is {other}", score)
    for start in ("the", "my")
    for a, b, score in [(a, b, 1.0) for a, b in ALIKE]
    + [("parcel", "phone", 0.0), ("coffee", "screen", 0.0), ("phone", "tea", 0.1)]
    for end, other in (("late", "late"), ("cold", "hot"))
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
    some = examples(nlp, PAIRS)
    optimizer = nlp.initialize(lambda: some)
    optimizer.learn_rate = 0.02
    for _ in range(steps):
        nlp.update(some, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module")
def nlp() -> Language:
    return train(blank())


def pipe_of(nlp: Language) -> TextSimilarity:
    return nlp.get_pipe("text_similarity")  # type: ignore[return-value]


def plain(a: Doc, b: Doc) -> float:
    """What spaCy says without hooks."""
    rows = [np.mean([token.vocab[token.orth].vector for token in doc], axis=0) for doc in (a, b)]
    return float(cosines(rows[0][None], rows[1][None])[0])


TEXTS = ["my parcel is late", "the package is late!"]

# Hooks


def test_all_kinds_of_text_use_the_model_both_ways(nlp: Language) -> None:
    a, b = nlp.pipe(TEXTS)
    things = [a, b, a[1:3], b[0:1], a[1], b[1], nlp.vocab["parcel"]]
    for one in things[:-1]:
        for other in things:
            value = one.similarity(other)
            assert type(value) is float and -1 <= value <= 1
            vectors = [
                thing.vector if thing is not things[-1] else pipe_of(nlp).hooks.vector(thing)
                for thing in (one, other)
            ]
            assert value == pytest.approx(
                float(cosines(vectors[0][None], vectors[1][None])[0]), abs=1e-6
            )
            if other is not things[-1]:
                assert value == other.similarity(one)
        assert one.vector.shape == (12 + 32,) and one.vector_norm == pytest.approx(
            float(np.linalg.norm(one.vector)), rel=1e-5
        )
    assert a.similarity(a[:]) == pytest.approx(1, abs=1e-6) and a[1].similarity(
        a[1:2]
    ) == pytest.approx(1, abs=1e-6)
    assert a.similarity(b) != pytest.approx(plain(a, b), abs=0.01)


def test_it_learns_what_is_alike_and_the_gradient_is_right(nlp: Language) -> None:
    fresh = train(blank(), 0)
    before, after = (
        pipe.evaluate(examples(pipe, PAIRS))["similarity_spearman"] for pipe in (fresh, nlp)
    )
    assert after > 0.6 > before + 0.2
    parcel = nlp("my parcel is late")
    assert (
        parcel.similarity(nlp("the package is late"))
        > parcel.similarity(nlp("the phone is late")) + 0.3
    )
    model, some = pipe_of(fresh).model, examples(fresh, PAIRS[:7])
    texts = [
        doc
        for side in (0, 1)
        for doc in (pair_of(example.reference)[side].as_doc() for example in some)
    ]
    vectors, backprop = model.begin_update(texts)
    _, d_vectors = pipe_of(fresh).get_loss(some, vectors)
    backprop(d_vectors)
    layer = model.layers[1]
    for name in ("shift", "mix", "from_vector", "from_features", "hashed"):
        param, gradient = layer.get_param(name), layer.get_grad(name).copy()
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        losses = []
        for step in (0.01, -0.02):
            param[place] += step
            losses.append(pipe_of(fresh).get_loss(some, model.predict(texts))[0])
        param[place] += 0.01
        assert (losses[0] - losses[1]) / 0.02 == pytest.approx(gradient[place], rel=0.05), name


@pytest.mark.parametrize(("hash_width", "zero"), [(0, True), (32, False)])
def test_texts_without_known_words(hash_width: int, zero: bool) -> None:
    nlp = train(blank(hash_width), 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty, unknown, known = nlp.pipe(["", "zzz qqq", "my parcel"])
        for doc in (empty, unknown, empty[0:0]):
            assert (
                np.isfinite(doc.vector).all()
                and np.isfinite(doc.vector_norm)
                and np.isfinite(doc.similarity(known))
            )
        assert empty.similarity(known) == known.similarity(empty) == empty.similarity(empty) == 0
        assert not empty.vector.any() and unknown.vector.any() != zero
        assert unknown.similarity(nlp("qqq zzz")) == pytest.approx(0 if zero else 1, abs=1e-6)


# Where Docs have been


def test_docs_from_other_processes_have_their_hooks(
    nlp: Language, capfd: pytest.CaptureFixture[str]
) -> None:
    here = [doc.similarity(nlp("the parcel")) for doc in nlp.pipe(TEXTS)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [
            doc.similarity(nlp("the parcel")) for doc in nlp.pipe(TEXTS, n_process=2)
        ] == pytest.approx(here, abs=1e-6)
        tuples = list(
            nlp.pipe(
                [(text, number) for number, text in enumerate(TEXTS)], as_tuples=True, n_process=2
            )
        )
    assert [number for _, number in tuples] == [0, 1]
    assert [doc[:].similarity(nlp("the parcel")) for doc, _ in tuples] == pytest.approx(
        here, abs=1e-6
    )
    assert "W109" not in capfd.readouterr().err
    assert not next(iter(nlp.pipe(TEXTS, n_process=2, disable=["text_similarity"]))).user_hooks


def test_docs_from_a_docbin_need_one_line(nlp: Language) -> None:
    a, b = nlp.pipe(TEXTS)
    kept = DocBin(store_user_data=True, docs=[a, b]).to_bytes()
    c, d = DocBin().from_bytes(kept).get_docs(nlp.vocab)
    assert c.similarity(d) == pytest.approx(plain(a, b), abs=1e-5), (
        "the page says that this is spaCy's average"
    )
    assert a.similarity(d) == pytest.approx(a.similarity(b), abs=1e-6), (
        "one Doc with hooks is enough, asked from its side"
    )
    assert pipe_of(nlp).restore(c).similarity(d) == pytest.approx(a.similarity(b), abs=1e-6)
    assert pipe_of(nlp)(d).similarity(c) == pytest.approx(a.similarity(b), abs=1e-6) and c[
        1:3
    ].similarity(d) == a[1:3].similarity(b)


def test_copies_and_pickles_keep_their_hooks(nlp: Language) -> None:
    a, b = nlp.pipe(TEXTS)
    assert a.copy().similarity(b) == a.similarity(b) and a[1:3].as_doc().similarity(
        b
    ) == pytest.approx(a[1:3].similarity(b), abs=1e-6)
    c, d = pickle.loads(pickle.dumps([a, b]))
    assert c.similarity(d) == pytest.approx(a.similarity(b), abs=1e-6) and c[0:2].similarity(
        d[1]
    ) == pytest.approx(a[0:2].similarity(b[1]))
    with pytest.warns(UserWarning, match="W109"):
        a.to_bytes()


def test_pipelines_keep_it(nlp: Language, tmp_path: Path) -> None:
    want = nlp(TEXTS[0]).similarity(nlp(TEXTS[1]))
    nlp.to_disk(tmp_path / "saved")
    for other in (spacy.load(tmp_path / "saved"), blank().from_bytes(nlp.to_bytes())):
        assert other(TEXTS[0]).similarity(other(TEXTS[1])) == pytest.approx(want, abs=1e-6)
        assert [
            doc.similarity(other(TEXTS[1])) for doc in other.pipe(TEXTS[:1], n_process=2)
        ] == pytest.approx([want], abs=1e-6)
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


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.jsonl",
            '{"text1": "a", "text2": "b"}',
            "a.jsonl:1: the score is missing: give each pair one",
        ),
        (
            "a.jsonl",
            '{"text1": "a", "text2": "b", "score": "high"}',
            "a.jsonl:1: the score is no number: 'high'",
        ),
        ("a.jsonl", '{"text1": "a", "text2": "b", "score": true}', "the score is no number: True"),
        (
            "a.jsonl",
            '\n{"text1": "a", "text2": "b", "score": NaN}',
            "a.jsonl:2: the score is no number",
        ),
        (
            "a.jsonl",
            '{"text1": "a", "score": 1}',
            'a.jsonl:1: a pair needs two texts, "text2" is missing or empty',
        ),
        ("a.jsonl", '{"text1": " ", "text2": "b", "score": 1}', '"text1" is missing or empty'),
        (
            "a.jsonl",
            '{"text1": "a\\ud800", "text2": "b", "score": 1}',
            '"text1" has half of a surrogate pair',
        ),
        ("a.jsonl", '{"text1": ', "a.jsonl:1: broken JSON"),
        ("a.csv", "one,two\na,b", "the columns text1, text2, score are missing"),
        ("a.csv", 'text1,text2,score\na,b,1\n"a,b,1\n', "can't be read as a table"),
        ("a.csv", "text1,text2,score\na,b,1,2\n", "a.csv:2: more fields than columns"),
        ("a.csv", "text1,text2,score\na,b,\n", "a.csv:2: the score is missing"),
        ("a.csv", "text1,text2,score\na\n", 'a.csv:2: a pair needs two texts, "text2"'),
        ("a.csv", b"text1,text2,score\na\xff,b,1\n", "a.csv:2: not UTF-8"),
        ("a.xlsx", "", "don't know how to read"),
    ],
)
def test_pairs_that_are_none(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError) as error:
        read_pairs(tmp_path / name)
    assert words in str(error.value)


def test_tables_and_jsonl_say_the_same(tmp_path: Path, write_jsonl: Write) -> None:
    want = [Pair("one, two", 'say "so"', 2.5), Pair("three\nlines", "é", 0)]
    (tmp_path / "a.csv").write_text(
        'text1,score,text2\n"one, two",2.5,"say ""so"""\n"three\nlines",0,é\n', encoding="utf-8-sig"
    )
    (tmp_path / "a.tsv").write_text(
        'text1\ttext2\tscore\none, two\t"say ""so"""\t2.5\n"three\nlines"\té\t0\n', encoding="utf8"
    )
    records = [{"text1": pair.text1, "text2": pair.text2, "score": pair.score} for pair in want]
    for path in (tmp_path / "a.csv", tmp_path / "a.tsv", write_jsonl("a.jsonl", records)):
        assert read_pairs(path) == want


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


@pytest.mark.parametrize("dense", [False, True])
def test_no_text_is_on_two_sides(dense: bool) -> None:
    pairs = [
        Pair(f"text {i}", f"text {j}", (i * j) % 5 / 4)
        for i in range(40)
        for j in range(i)
        if dense or i // 4 == j // 4
    ]
    kept, held_out, between = split(pairs, 0.3, 0)
    texts = [{key for pair in part for key in pair.keys} for part in (kept, held_out)]
    assert (
        kept
        and held_out
        and not texts[0] & texts[1]
        and len(kept) + len(held_out) + len(between) == len(pairs)
    )
    assert bool(between) == dense and all(len(texts[0] & set(pair.keys)) == 1 for pair in between)
    assert {frozenset(part) for part in (kept, held_out)} == {
        frozenset(part) for part in split(pairs[::-1], 0.3, 0)[:2]
    }
    made = make(
        pairs,
        [Pair("text 1", "other", 0.5), *(Pair(f"o{i}", "o", i / 4) for i in range(4))],
        given_range="0:1",
        dev_share=0.3,
        test_share=0.2,
        seed=0,
    )
    assert (
        made.left_out["training pairs with a text of the test pairs"]
        == sum("text 1" in (pair.text1, pair.text2) for pair in pairs)
        > 0
    )
    assert made.summary()["test"]["pairs"] == 5 and made.summary()["range"] == [0, 1]


def test_splits_that_cannot_be() -> None:
    settings: dict[str, Any] = {
        "given_range": "found",
        "dev_share": 0.2,
        "test_share": 0.2,
        "seed": 0,
    }
    same = [Pair(f"a{i}", f"b{i}", 2) for i in range(50)]
    with pytest.raises(
        ValueError, match=r"all scores are the same \(2\): there is nothing to learn"
    ):
        make(same, [], **settings)
    with pytest.raises(
        ValueError, match=r"there is no pair to train on: give some by vars\.similarity\.train"
    ):
        make([], same, **settings)
    with pytest.raises(ValueError, match=r"vars\.similarity\.range is '5', which is no range"):
        make([*same, Pair("x", "y", 1)], [], **(settings | {"given_range": "5"}))
    with pytest.raises(
        ValueError,
        match=r"got \d pairs: give more pairs, or another vars\.similarity\.\w+_share or seed",
    ):
        make([Pair("x", "y", 1), Pair("u", "v", 0)], [], **settings)
    with pytest.raises(ValueError, match="with one and the same score"):
        make(
            [*same, Pair("x", "y", 1)],
            [Pair(f"c{i}", "d", i) for i in range(3)],
            **(settings | {"given_range": "0:2"}),
        )


def test_ratings_of_news_are_split_by_text() -> None:
    texts, ratings = read_lee()
    assert (
        len(texts) == 50
        and ratings.shape == (50, 50)
        and (ratings == ratings.T).all()
        and (ratings >= 0.2).all()
    )
    train, test = split_lee(texts, ratings, 20, 0)
    sides = [{text for pair in part for text in (pair.text1, pair.text2)} for part in (train, test)]
    assert (len(train), len(test)) == (30 * 29 // 2, 20 * 19 // 2) and not sides[0] & sides[1]


# Scores


def test_metrics_compare_with_what_one_would_use_otherwise(nlp: Language) -> None:
    texts = sorted({text for pair in PAIRS for text in (pair.text1, pair.text2)})
    metrics, found = evaluating.evaluate(nlp, PAIRS, texts)
    assert list(metrics["systems"]) == ["trained", "averaged vectors", "SIF", "tf-idf"] and metrics[
        "pairs"
    ] == len(PAIRS)
    assert metrics["similarity_spearman"] == pytest.approx(
        nlp.evaluate(examples(nlp, PAIRS))["similarity_spearman"], abs=0.02
    )
    assert (
        metrics["gain"] > 0.2
        and metrics["gain_interval"][0] <= metrics["gain"] <= metrics["gain_interval"][1]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b = nlp.make_doc(PAIRS[0].text1), nlp.make_doc(PAIRS[0].text2)
        assert found["averaged vectors"][0] == pytest.approx(plain(a, b), abs=1e-5)
        evaluating.averaged(nlp, [Pair("zzz", "qqq", 1)])
    worst = evaluating.worst(PAIRS, found)
    gaps = [abs(line["rank by score"] - line["rank by similarity"]) for line in worst]
    assert np.allclose(gaps, sorted(gaps, reverse=True), atol=0.002) and {
        "text1",
        "text2",
        "score",
        "similarity",
    } <= set(worst[0])
    assert "trained less averaged vectors: +" in evaluating.gain_line(metrics)


# The commands

CORPUS = [
    "corpus",
    "out",
    "--train",
    "assets/similarity/train.jsonl",
    "--test",
    "assets/similarity/test.jsonl",
    "--range",
    "0:5",
    "--vectors",
    "table",
]
TRAIN = [
    "configs/similarity.cfg",
    "--code",
    "scripts/components/similarity.py",
    "--paths.vectors",
    "table",
]
TRAIN += ["--training.max_steps", "20", "--training.eval_frequency", "10"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a similarity was trained for a few steps on small random vectors."""
    folder = copy_project(tmp_path_factory.mktemp("similarity"))
    words = sorted(
        {
            word
            for line in srsly.read_jsonl(folder / "assets/similarity/train.jsonl")
            for word in line["text1"].lower().split()
        }
    )
    rows = np.random.default_rng(0).standard_normal((len(words), 16)).astype("f4")
    write_folder(folder / "table", [([word.encode() for word in words], rows)], 16, attr="LOWER")
    for args in (
        ("scripts.similarity", "corpus", "corpus/similarity", *CORPUS[2:]),
        ("spacy", "train", *TRAIN, "--output", "new"),
    ):
        done = run_module(folder, *args)
        assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        app(["compose", "new", "training/similarity"], standalone_mode=False)
        app(["evaluate", "training/similarity", "corpus/similarity"], standalone_mode=False)
    return folder


def test_the_workflow_leaves_scores_and_a_pipeline(folder: Path) -> None:
    made = folder / "training/similarity"
    metrics, told = (
        srsly.read_json(made / "metrics.json"),
        srsly.read_json(folder / "corpus/similarity/split.json"),
    )
    assert (
        metrics["pairs"] == told["test"]["pairs"] > 120
        and told["train"]["pairs"] + told["dev"]["pairs"] >= 360
    )
    assert (
        told["left out"]["training pairs with a text of the test pairs"] == 0
        and (made / "scatter.png").stat().st_size > 10_000
    )
    assert len(list(srsly.read_jsonl(made / "worst.jsonl"))) == 30
    nlp = spacy.load(made / "pipeline")
    assert nlp.vocab.vectors.attr == LOWER
    assert -1 < nlp("Where is my parcel?").similarity(nlp("the parcel is late")) < 1
    sides = []
    for name in ("train", "dev", "test"):
        docs = list(read_docs(folder / f"corpus/similarity/{name}.spacy", nlp))
        assert all(0 <= pair_of(doc)[2] <= 1 and len(doc.spans[KEY]) == 2 for doc in docs)
        sides.append({span.text for doc in docs for span in doc.spans[KEY]})
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (folder / "corpus/similarity").iterdir()}
    model = (folder / "training/similarity/pipeline/text_similarity/model").read_bytes()
    done = run_module(folder, "spacy", "train", *TRAIN, "--output", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new/model-best/text_similarity/model").read_bytes() == model
    app(
        [
            *CORPUS[:1],
            str(tmp_path / "c"),
            *(str(folder / arg) if "/" in arg or arg == "table" else arg for arg in CORPUS[2:]),
        ],
        standalone_mode=False,
    )
    after = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    assert {name: data for name, data in after.items() if name != "vectors.json"} == {
        name: data for name, data in before.items() if name != "vectors.json"
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            [*CORPUS[:-1], "nowhere"],
            "no vectors called 'nowhere': give a folder or an installed pipeline, or make it first",
        ),
        (
            [*CORPUS[:-1], "bare"],
            "'bare' has no static vectors: train some (python -m weasel run vectors), or name a pipeline",
        ),
        ([*CORPUS[:3], "nowhere.jsonl", *CORPUS[4:]], "nowhere.jsonl does not exist"),
        ([*CORPUS[:7], "0:1", *CORPUS[8:]], "is outside 0 to 1"),
        ([*CORPUS[:3], CORPUS[5], *CORPUS[4:]], "train got 0 pairs: give more pairs"),
        (
            [*CORPUS[:3], "same.jsonl", "--test", "assets/empty.jsonl", *CORPUS[6:]],
            "all scores are the same (3)",
        ),
        (["compose", "nowhere", "out"], "nowhere holds no trained model: run the training first"),
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
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("Error: ") and words in said[-1] and not Path("out").exists()


@pytest.mark.slow
def test_the_whole_workflow_and_its_wheel_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    folder = copy_project(tmp_path / "project")
    few = [
        "--vars.vectors.epochs",
        "1",
        "--vars.vectors.vector_size",
        "24",
        "--vars.similarity.max_steps",
        "40",
    ]
    done = weasel(folder, "similarity", ".", *few)
    assert "trained less averaged vectors" in done.stdout
    again = weasel(folder, "similarity", ".", *few).stdout
    assert "Skipping 'similarity-train'" in again and "Skipping 'similarity-package'" in again
    (wheel,) = (folder / "packages").glob("*.whl")
    nlp = spacy.load(folder / "training/similarity/pipeline")
    want = nlp("Where is my parcel?")[2:].similarity(nlp("The package is late."))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env/bin/python")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", str(wheel), "-c", str(ROOT / "constraints.txt")],
        check=True,
    )
    program = "import spacy; nlp = spacy.load('en_message_similarity')"
    program += "; a, b = nlp.pipe(['Where is my parcel?', 'The package is late.'], n_process=2); print(a[2:].similarity(b))"
    out = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert float(out.stdout) == pytest.approx(want, abs=1e-6)
