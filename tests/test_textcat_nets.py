"""The Keras and PyTorch networks inside textcat: they learn, are the same again, and are stored without code."""

import io
import multiprocessing
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, import_file
from thinc.api import Adam

from scripts.vectors.folder import write_folder
from tests.conftest import ROOT

pytest.importorskip("tensorflow")
pytest.importorskip("torch")
MODULES = {
    kind: import_file(f"{kind}_textcat", ROOT / f"scripts/components/{kind}_textcat.py")
    for kind in ("keras", "torch")
}
NAMES = {"keras": "KerasTextCat", "torch": "TorchTextCat"}
FRAMEWORKS = {"keras": "Keras", "torch": "PyTorch"}
SMALL = {"network": "cnn", "embeddings": "learned", "rows": 500, "width": 16, "hidden": 8}
SMALL |= {"windows": [2, 3], "max_length": 20, "dropout": 0.1}
WORDS = {"GOOD": ["great", "lovely", "superb"], "BAD": ["awful", "broken", "worse"]}
each = pytest.mark.parametrize("kind", list(NAMES))


def examples_for(nlp: Language, exclusive: bool = True) -> list[Example]:
    texts = [
        (f"the {word} one {'is here ' * number}", label)
        for number in range(3)
        for label in WORDS
        for word in WORDS[label]
    ]
    found = [
        Example.from_dict(
            nlp.make_doc(text), {"cats": {name: float(name == label) for name in WORDS}}
        )
        for text, label in texts
    ]
    both = {"cats": dict.fromkeys(WORDS, 1.0)}
    return (
        found
        if exclusive
        else [
            *found,
            *(Example.from_dict(nlp.make_doc("great but broken"), both) for _ in range(6)),
        ]
    )


def trained(
    kind: str, steps: int = 30, exclusive: bool = True, nlp: Language | None = None, **settings: Any
) -> Language:
    nlp = nlp or spacy.blank("en")
    fix_random_seed(0)
    model = {
        "@architectures": f"quicksilver.{NAMES[kind]}.v1",
        "exclusive_classes": exclusive,
        **SMALL,
        **settings,
    }
    nlp.add_pipe(
        "textcat" if exclusive else "textcat_multilabel", name="textcat", config={"model": model}
    )
    examples = examples_for(nlp, exclusive)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.02)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module", params=list(NAMES))
def learned(request: pytest.FixtureRequest) -> tuple[str, Language]:
    return request.param, trained(request.param)


def scores(nlp: Language, texts: list[str]) -> np.ndarray[Any, Any]:
    return np.array([[doc.cats[label] for label in WORDS] for doc in nlp.pipe(texts)])


TEXTS = ["great one here", "an awful thing", "", "superb " * 30, "broken"]


@each
@pytest.mark.parametrize("network", ["cnn", "bilstm"])
@pytest.mark.parametrize("exclusive", [True, False])
def test_learns_one_label_or_several(kind: str, network: str, exclusive: bool) -> None:
    nlp = trained(kind, exclusive=exclusive, network=network)
    good, bad = scores(nlp, ["superb", "the worse one"])
    assert good[0] > 0.7 > 0.3 > good[1] and bad[1] > 0.7 > 0.3 > bad[0]
    if exclusive:
        assert scores(nlp, TEXTS).sum(axis=1) == pytest.approx(1)
    else:
        assert min(scores(nlp, ["great but broken"])[0]) > 0.5


def test_padding_batch_and_order_change_no_score(learned: tuple[str, Language]) -> None:
    _, nlp = learned
    together = scores(nlp, TEXTS)
    alone = np.concatenate([scores(nlp, [text]) for text in TEXTS])
    assert together[[0, 1, 3, 4]] == pytest.approx(
        alone[[0, 1, 3, 4]], abs=1e-6
    )  # spaCy itself gives 0 where all texts are empty
    assert scores(nlp, TEXTS[::-1]) == pytest.approx(together[::-1], abs=1e-6)
    assert scores(nlp, [TEXTS[3]]) == pytest.approx(scores(nlp, ["superb " * 20]), abs=1e-6), (
        "no more than max_length tokens count"
    )
    assert nlp.get_pipe("textcat").predict([]).shape == (0, 2)  # type: ignore[attr-defined]


def test_same_seed_same_bytes(learned: tuple[str, Language]) -> None:
    kind, nlp = learned
    again = trained(kind)
    assert (scores(again, TEXTS) == scores(nlp, TEXTS)).all()
    assert again.get_pipe("textcat").to_bytes() == nlp.get_pipe("textcat").to_bytes()  # type: ignore[attr-defined]


def test_stored_loaded_and_copied_it_scores_the_same(
    learned: tuple[str, Language], tmp_path: Path
) -> None:
    _, nlp = learned
    nlp.to_disk(tmp_path / "model")
    wanted = scores(nlp, TEXTS)
    assert (scores(spacy.load(tmp_path / "model"), TEXTS) == wanted).all()
    pipe: Any = nlp.get_pipe("textcat")
    copied = pipe.model.copy()
    docs = [nlp.make_doc(text) for text in TEXTS]
    assert copied.predict(docs) == pytest.approx(wanted, abs=1e-6)
    assert pipe.model.from_bytes(pipe.model.to_bytes()).predict(docs) == pytest.approx(
        wanted, abs=1e-6
    )


def test_what_is_stored_holds_no_pickle(learned: tuple[str, Language]) -> None:
    kind, nlp = learned
    pipe: Any = nlp.get_pipe("textcat")
    nodes = [shim for node in pipe.model.walk() for shim in node.shims]
    (data,) = [shim.to_bytes() for shim in nodes]
    if kind == "keras":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert sorted(archive.namelist()) == [
                "config.json",
                "metadata.json",
                "model.weights.h5",
            ]
    else:
        assert b"torch._utils" not in data and b".pkl" not in data


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_model_is_one_line(
    learned: tuple[str, Language], tmp_path: Path, damage: str
) -> None:
    kind, nlp = learned
    nlp.to_disk(tmp_path / "model")
    path = tmp_path / "model/textcat/model"
    pipe: Any = nlp.get_pipe("textcat")
    (shim,) = [shim for node in pipe.model.walk() for shim in node.shims]
    data = shim.to_bytes()
    spoiled = (
        data[: len(data) // 2]
        if damage == "cut"
        else bytes(np.random.default_rng(0).integers(0, 256, len(data), dtype="u1"))
    )
    with pytest.raises(ValueError, match=f"the {FRAMEWORKS[kind]} model is damaged"):
        shim.copy().from_bytes(spoiled)
    path.write_bytes(path.read_bytes().replace(data[-2000:], data[-2000:][::-1]))
    with pytest.raises(ValueError, match=f"the {FRAMEWORKS[kind]} model is damaged"):
        spacy.load(tmp_path / "model")


@each
def test_averages_are_used_and_given_back(kind: str) -> None:
    nlp = trained(kind, steps=0)
    optimizer = Adam(0.05, use_averages=True)
    examples = examples_for(nlp)
    for _ in range(5):
        nlp.update(examples, sgd=optimizer)
    plain = scores(nlp, TEXTS)
    with nlp.use_params(optimizer.averages):
        averaged = scores(nlp, TEXTS)
    assert not np.allclose(plain, averaged, atol=1e-3) and (scores(nlp, TEXTS) == plain).all()


@each
def test_gradient_is_that_of_the_cross_entropy(kind: str) -> None:
    """A step of plain gradient descent lowers the loss by what the gradient promises."""
    nlp = trained(kind, steps=3, dropout=0.0)
    pipe: Any = nlp.get_pipe("textcat")
    examples = examples_for(nlp)
    docs, truths = [example.predicted for example in examples], pipe._examples_to_truth(examples)[0]

    def loss() -> float:
        return float(-(truths * np.log(pipe.model.predict(docs))).sum())

    squares, rate, before = 0.0, 1e-4, loss()
    found, backprop = pipe.model.begin_update(docs)
    backprop(found - truths)

    def descend(key: Any, weights: Any, gradient: Any, **kwargs: Any) -> tuple[Any, Any]:
        nonlocal squares
        squares += float((gradient**2).sum())
        return weights - rate * gradient, gradient * 0

    pipe.model.finish_update(descend)
    assert before - loss() == pytest.approx(rate * squares, rel=0.05)


def with_vectors(folder: Path, width: int) -> Language:
    words = [word.encode() for label in WORDS for word in WORDS[label]]
    write_folder(
        folder,
        [(words, np.random.default_rng(0).standard_normal((len(words), width)).astype("f4"))],
        width,
    )
    return spacy.load(folder)


@each
@pytest.mark.parametrize("embeddings", ["frozen", "tuned"])
def test_static_vectors(kind: str, embeddings: str, tmp_path: Path) -> None:
    nlp = with_vectors(tmp_path / "v8", 8)
    table = nlp.vocab.vectors.data.copy()
    trained(kind, nlp=nlp, embeddings=embeddings)
    good, bad = scores(nlp, ["superb", "worse"])
    assert good[0] > 0.6 and bad[1] > 0.6 and (nlp.vocab.vectors.data == table).all()
    pipe: Any = nlp.get_pipe("textcat")
    (data,) = [shim.to_bytes() for node in pipe.model.walk() for shim in node.shims]
    assert (table[0].tobytes() in data) is False, "neither stored again nor left as it was"
    nlp.to_disk(tmp_path / "model")
    assert scores(spacy.load(tmp_path / "model"), ["superb"]) == pytest.approx(good[None], abs=1e-6)
    for other, words in (
        (with_vectors(tmp_path / "v5", 5), "vectors of width 5"),
        (spacy.blank("en"), "no static vectors"),
    ):
        with pytest.raises(ValueError, match=words):
            pipe.model.predict([other.make_doc("superb")])
    with pytest.raises(
        ValueError, match=f"embeddings is {embeddings}, but the pipeline has no static vectors"
    ):
        trained(kind, embeddings=embeddings)


def test_keras_is_traced_once_whatever_comes() -> None:
    nlp = trained("keras", steps=2)
    scores(nlp, TEXTS)
    shim: Any = nlp.get_pipe("textcat").model.shims[0]  # type: ignore[attr-defined]
    before = shim._traced
    scores(nlp, [word * number for number, word in enumerate(["great ", "bad "] * 20, start=1)])
    nlp.update(examples_for(nlp)[:5])
    assert shim._traced is before
    for function in before[1:]:
        assert (
            not hasattr(function, "experimental_get_tracing_count")
            or function.experimental_get_tracing_count() == 1
        )


def test_pytorch_keeps_its_weights_where_they_are() -> None:
    """Or each step leaves a copy of all weights in memory."""
    nlp = trained("torch", steps=1)
    network: Any = nlp.get_pipe("textcat").model.shims[0]._model  # type: ignore[attr-defined]
    places, before = (
        [weights.data_ptr() for weights in network.parameters()],
        network.last.weight.detach().clone(),
    )
    nlp.update(examples_for(nlp), sgd=Adam(0.02))
    assert [weights.data_ptr() for weights in network.parameters()] == places and not before.equal(
        network.last.weight
    )


def _in_fork(nlp: Language, answers: Any) -> None:
    try:
        nlp("great")
        answers.put("it ran")
    except ValueError as error:
        answers.put(str(error))


def test_keras_says_no_after_a_fork(learned: tuple[str, Language]) -> None:
    """TensorFlow hangs in a forked process: one line instead."""
    kind, nlp = learned
    if kind != "keras":
        pytest.skip("PyTorch runs after a fork")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_in_fork, args=(nlp, answers), daemon=True)
    process.start()
    try:
        assert "use n_process=1" in answers.get(timeout=30)
    finally:
        process.kill()
