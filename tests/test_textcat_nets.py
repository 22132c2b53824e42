"""The Keras and PyTorch networks inside textcat: they learn and are stored without code."""

import io
import itertools
import multiprocessing
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, import_file
from spacy.vectors import Vectors
from thinc.api import Adam

from scripts.components import network_textcat

pytest.importorskip("tensorflow")
pytest.importorskip("torch")
COMPONENT = Path(network_textcat.__file__)
NAMES = {"keras": "KerasTextCat", "torch": "TorchTextCat"}
FRAMEWORKS = {"keras": "Keras", "torch": "PyTorch"}
PACKAGES = {"keras": "tensorflow", "torch": "torch"}
SMALL = {"network": "cnn", "embeddings": "learned", "rows": 500, "width": 16, "hidden": 8}
SMALL |= {"windows": [2, 3], "max_length": 20, "dropout": 0.1}
WORDS = {"GOOD": ["great", "lovely", "superb"], "BAD": ["awful", "broken", "worse"]}
each = pytest.mark.parametrize("kind", list(NAMES))


def example(nlp: Language, text: str, *labels: str) -> Example:
    cats = {name: float(name in labels) for name in WORDS}
    return Example.from_dict(nlp.make_doc(text), {"cats": cats})


def examples_for(nlp: Language, exclusive: bool = True) -> list[Example]:
    """Short texts with a good or a bad word; some with both, if labels are not exclusive."""
    examples = []
    for number, label in itertools.product(range(3), WORDS):
        tail = "is here " * number
        examples += [example(nlp, f"the {word} one {tail}", label) for word in WORDS[label]]
    if not exclusive:
        examples += [example(nlp, "great but broken", *WORDS) for _ in range(6)]
    return examples


def trained(
    kind: str, steps: int = 30, exclusive: bool = True, nlp: Language | None = None, **settings: Any
) -> Language:
    nlp = nlp or spacy.blank("en")
    fix_random_seed(0)
    model = {"@architectures": f"quicksilver.{NAMES[kind]}.v1", "exclusive_classes": exclusive}
    factory = "textcat" if exclusive else "textcat_multilabel"
    nlp.add_pipe(factory, name="textcat", config={"model": {**model, **SMALL, **settings}})
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
    """(n_texts, n_labels)"""
    rows = [[*map(doc.cats.get, WORDS)] for doc in nlp.pipe(texts)]
    return np.array(rows, dtype=float)


def shim_of(nlp: Language) -> Any:
    """What stands between Thinc and the framework."""
    pipe: Any = nlp.get_pipe("textcat")
    (shim,) = itertools.chain(*(node.shims for node in pipe.model.walk()))
    return shim


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
    # spaCy itself gives 0 if all texts are empty
    assert together[[0, 1, 3, 4]] == pytest.approx(alone[[0, 1, 3, 4]], abs=1e-6)
    assert scores(nlp, TEXTS[::-1]) == pytest.approx(together[::-1], abs=1e-6)
    cut = scores(nlp, ["superb " * 20])
    assert scores(nlp, [TEXTS[3]]) == pytest.approx(cut, abs=1e-6), "max_length tokens are read"
    assert nlp.get_pipe("textcat").predict([]).shape == (0, 2)  # type: ignore[attr-defined]


def test_same_seed_same_bytes(learned: tuple[str, Language]) -> None:
    kind, nlp = learned
    again = trained(kind)
    assert (scores(again, TEXTS) == scores(nlp, TEXTS)).all()
    first, second = (shim_of(pipeline).to_bytes() for pipeline in (nlp, again))
    assert first == second


def test_stored_loaded_and_copied_it_scores_the_same(
    learned: tuple[str, Language], tmp_path: Path
) -> None:
    _, nlp = learned
    nlp.to_disk(tmp_path / "model")
    expected = scores(nlp, TEXTS)
    assert (scores(spacy.load(tmp_path / "model"), TEXTS) == expected).all()
    pipe: Any = nlp.get_pipe("textcat")
    copied = pipe.model.copy()
    docs = [nlp.make_doc(text) for text in TEXTS]
    assert copied.predict(docs) == pytest.approx(expected, abs=1e-6)
    read_again = pipe.model.from_bytes(pipe.model.to_bytes())
    assert read_again.predict(docs) == pytest.approx(expected, abs=1e-6)


def test_what_is_stored_holds_no_pickle(learned: tuple[str, Language]) -> None:
    kind, nlp = learned
    data = shim_of(nlp).to_bytes()
    if kind == "keras":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = sorted(archive.namelist())
        assert names == ["config.json", "metadata.json", "model.weights.h5"]
    else:
        assert b"torch._utils" not in data and b".pkl" not in data


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_damaged_model_is_one_line(
    learned: tuple[str, Language], tmp_path: Path, damage: str
) -> None:
    kind, nlp = learned
    nlp.to_disk(tmp_path / "model")
    path = tmp_path / "model/textcat/model"
    shim = shim_of(nlp)
    data = shim.to_bytes()
    noise = np.random.default_rng(0).integers(0, 256, len(data), dtype="u1").tobytes()
    spoiled = data[: len(data) // 2] if damage == "cut" else noise
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
    predicted, backprop = pipe.model.begin_update(docs)
    backprop(predicted - truths)

    def descend(key: Any, weights: Any, gradient: Any, **kwargs: Any) -> tuple[Any, Any]:
        nonlocal squares
        squares += float((gradient**2).sum())
        return weights - rate * gradient, gradient * 0

    pipe.model.finish_update(descend)
    assert before - loss() == pytest.approx(rate * squares, rel=0.05)


def with_vectors(width: int) -> Language:
    """A pipeline with random static vectors of the good and bad words."""
    nlp = spacy.blank("en")
    keys = [nlp.vocab.strings.add(word) for word in itertools.chain(*WORDS.values())]
    table = np.random.default_rng(0).standard_normal((len(keys), width)).astype("f4")
    nlp.vocab.vectors = Vectors(data=table, keys=keys)
    return nlp


@each
@pytest.mark.parametrize("embeddings", ["frozen", "tuned"])
def test_static_vectors(kind: str, embeddings: str, tmp_path: Path) -> None:
    nlp = with_vectors(8)
    table = nlp.vocab.vectors.data.copy()
    trained(kind, nlp=nlp, embeddings=embeddings)
    good, bad = scores(nlp, ["superb", "worse"])
    assert good[0] > 0.6 and bad[1] > 0.6 and (nlp.vocab.vectors.data == table).all()
    data = shim_of(nlp).to_bytes()
    assert table[0].tobytes() not in data, "neither stored again nor left as it was"
    nlp.to_disk(tmp_path / "model")
    assert scores(spacy.load(tmp_path / "model"), ["superb"]) == pytest.approx(good[None], abs=1e-6)


@each
@pytest.mark.parametrize("embeddings", ["frozen", "tuned"])
def test_other_static_vectors_are_refused(kind: str, embeddings: str) -> None:
    pipe: Any = trained(kind, 1, nlp=with_vectors(8), embeddings=embeddings).get_pipe("textcat")
    with pytest.raises(ValueError, match="vectors of width 5"):
        pipe.model.predict([with_vectors(5).make_doc("superb")])
    with pytest.raises(ValueError, match="no static vectors"):
        pipe.model.predict([spacy.blank("en").make_doc("superb")])
    missing = f"embeddings is {embeddings}, but the pipeline has no static vectors"
    with pytest.raises(ValueError, match=missing):
        trained(kind, embeddings=embeddings)


def test_keras_is_traced_once_whatever_comes() -> None:
    nlp = trained("keras", steps=2)
    scores(nlp, TEXTS)
    shim = shim_of(nlp)
    before = shim._traced
    scores(nlp, [word * number for number, word in enumerate(["great ", "bad "] * 20, start=1)])
    nlp.update(examples_for(nlp)[:5])
    assert shim._traced is before
    for function in before[1:]:
        if hasattr(function, "experimental_get_tracing_count"):
            assert function.experimental_get_tracing_count() == 1


def test_pytorch_keeps_its_weights_where_they_are() -> None:
    """Or each step leaves a copy of all weights in memory."""
    nlp = trained("torch", steps=1)
    network = shim_of(nlp)._model
    addresses = [weights.data_ptr() for weights in network.parameters()]
    before = network.last.weight.detach().clone()
    nlp.update(examples_for(nlp), sgd=Adam(0.02))
    assert [weights.data_ptr() for weights in network.parameters()] == addresses
    assert not before.equal(network.last.weight)


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


@pytest.mark.parametrize("missing", list(PACKAGES.values()))
def test_the_other_framework_need_not_be_installed(
    learned: tuple[str, Language], missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, nlp = learned
    nlp.to_disk(tmp_path / "model")
    expected = scores(nlp, TEXTS)
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    import_file(COMPONENT.stem, COMPONENT)
    if missing == PACKAGES[kind]:
        with pytest.raises(
            ValueError, match=rf"is not installed: pip install (-r requirements-|{missing}$)"
        ):
            spacy.load(tmp_path / "model")
    else:
        assert (scores(spacy.load(tmp_path / "model"), TEXTS) == expected).all()
