"""The doctor on trainings of `textcat`: planted faults are found, healthy ones are left alone."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc

from scripts.doctor.checks import find_problems
from scripts.doctor.layers import pipeline_layers, total
from scripts.doctor.settings import from_config, read_config
from scripts.doctor.texts import to_dataset
from scripts.doctor.training_run import TrainingRun
from tests.conftest import ROOT
from tests.fixtures_doctor import NLP, diagnose, texts

Fit = Callable[..., Path]
BOW = {
    "components.textcat.model.length": 4096,
    "training.batcher.size": 200,
    "training.optimizer.learn_rate": 0.01,
}
SEVERAL = {"components.textcat.factory": "textcat_multilabel", "labels.exclusive": False}


def bow(train_spacy: Fit, train: Sequence[Doc], dev: Sequence[Doc], **settings: Any) -> Path:
    return train_spacy("textcat_bow.cfg", train, dev, **{**BOW, **settings})


def several(n: int, seed: int) -> list[Doc]:
    return texts(n, seed, several=True)


# Healthy trainings: nothing is found


def test_nothing_is_found_in_a_healthy_training(train_spacy: Fit) -> None:
    assert diagnose(bow(train_spacy, texts(300, 1), texts(90, 2))) == {}


def test_nothing_is_found_in_a_healthy_training_with_noise(train_spacy: Fit) -> None:
    train, dev = texts(600, 1, noise=0.2), texts(90, 2, noise=0.2)
    assert diagnose(bow(train_spacy, train, dev)) == {}


def test_nothing_is_found_in_a_healthy_training_with_several_labels(train_spacy: Fit) -> None:
    assert diagnose(bow(train_spacy, several(300, 1), several(90, 2), **SEVERAL)) == {}


def test_nothing_is_found_in_a_healthy_cnn(train_spacy: Fit) -> None:
    small = {
        "components.textcat.model.tok2vec.embed.rows": [500],
        "training.batcher.size": 200,
        "training.eval_frequency": 20,
    }
    folder = train_spacy("textcat_cnn.cfg", texts(300, 1), texts(90, 2), **small)
    assert diagnose(folder) == {}


# Planted faults


def test_dev_labels_that_are_shuffled(train_spacy: Fit) -> None:
    dev = texts(90, 2)
    shuffled = random.Random(0).sample([doc.cats for doc in dev], len(dev))
    for doc, cats in zip(dev, shuffled):
        doc.cats = cats
    findings = diagnose(bow(train_spacy, texts(300, 1), dev))
    name = "loss falls, score does not"
    assert name in findings and set(findings) <= {name, "overfitting"}
    assert "guessing gives about 33.3" in findings[name]["what"]


def test_too_little_data_with_noise_is_learned_by_heart(train_spacy: Fit) -> None:
    train, dev = texts(100, 1, noise=0.5), texts(90, 2, noise=0.5)
    findings = diagnose(bow(train_spacy, train, dev))
    assert set(findings) == {"overfitting"}
    assert "scores 100.0 on its training texts" in findings["overfitting"]["what"]


def same_words(n: int, seed: int) -> list[Doc]:
    """Texts of which three quarters are USUAL and a quarter is RARE, with nothing to tell why."""
    docs = texts(n, seed, labels=("SPORT",))
    for i, doc in enumerate(docs):
        doc.cats = {"USUAL": float(i % 4 != 0), "RARE": float(i % 4 == 0)}
    return docs


def test_one_label_swallows_the_other(train_spacy: Fit) -> None:
    steps = {"training.max_steps": 15, "training.eval_frequency": 5}
    findings = diagnose(bow(train_spacy, same_words(240, 1), same_words(80, 2), **steps))
    name = "one label swallows the rest"
    assert set(findings) == {name}
    assert findings[name]["what"] == "100% of the texts in dev get USUAL, which 75% have"


def test_dev_of_another_kind(train_spacy: Fit) -> None:
    dev = [*texts(20, 2), *texts(70, 3, labels=("MONEY",))]
    findings = diagnose(bow(train_spacy, texts(300, 1), dev))
    name = "train and dev differ"
    assert name in findings
    assert set(findings) <= {name, "loss falls, score does not", "overfitting"}
    for words in (
        "MONEY (70 times)",
        "78% of them would have to change",
        "train lacks 39% of the words of dev, but only 0%",
    ):
        assert words in findings[name]["what"]


def test_dev_texts_that_are_in_train_too(train_spacy: Fit) -> None:
    dev = texts(90, 2)
    findings = diagnose(bow(train_spacy, [*texts(300, 1), *dev[:20]], dev))
    assert set(findings) == {"duplicates across splits"}
    assert "20 of 90 dev texts (22%)" in findings["duplicates across splits"]["what"]


def test_texts_without_labels_among_others(train_spacy: Fit) -> None:
    train = several(300, 1)
    for doc in train[::3]:
        doc.cats = {}
    findings = diagnose(bow(train_spacy, train, several(90, 2), **SEVERAL))
    name = "labels missing in part of the data"
    assert set(findings) == {name}
    assert "of 300 training texts 100 have no labels at all" in findings[name]["what"]


def longer(n: int, seed: int) -> list[Doc]:
    """Texts of which every second is twice as long."""
    docs = texts(n, seed)
    for i in range(0, n, 2):
        cats, docs[i] = docs[i].cats, NLP.make_doc(f"{docs[i].text} {docs[i].text}")
        docs[i].cats = cats
    return docs


def test_texts_longer_than_the_reader_takes(train_spacy: Fit) -> None:
    limit = {"corpora.train.max_length": 15}
    findings = diagnose(bow(train_spacy, longer(300, 1), longer(90, 2), **limit))
    name = "texts cut by max length"
    assert set(findings) == {name}
    expected = "50% of the training texts have more than the 15 tokens that the reader"
    assert expected in findings[name]["what"]


def test_a_softmax_for_several_labels(train_spacy: Fit) -> None:
    exclusive = {**SEVERAL, "labels.exclusive": True}
    findings = diagnose(bow(train_spacy, several(300, 1), several(90, 2), **exclusive))
    name = "output does not fit the labels"
    assert set(findings) == {name} and findings[name]["severity"] == "serious"
    assert "168 of 300 training texts have several labels" in findings[name]["what"]


def test_a_sigmoid_for_labels_that_exclude_each_other(train_spacy: Fit) -> None:
    findings = diagnose(bow(train_spacy, texts(300, 1), texts(90, 2), **SEVERAL))
    name = "output does not fit the labels"
    assert set(findings) == {name} and "just one label" in findings[name]["what"]


def test_batches_of_one_word(train_spacy: Fit) -> None:
    findings = diagnose(
        bow(train_spacy, texts(300, 1), texts(90, 2), **{"training.batcher.size": 1})
    )
    name = "batch size out of range"
    assert set(findings) == {name}
    assert "a batch has 1 words, usual is 30 to 20,000" in findings[name]["what"]


# Settings and layers


def test_texts_longer_than_a_component_reads() -> None:
    block = read_config(ROOT / "configs" / "textcat_keras.cfg")
    block["components"]["textcat"]["model"]["max_length"] = 9
    run = TrainingRun(settings=from_config(block), train=to_dataset(texts(300, 1)))
    (finding,) = find_problems(run)
    assert finding.name == "texts cut by max length"
    expected = "have more than the 9 tokens that textcat takes: their end is not read"
    assert f"100% of the training texts {expected}" in finding.what


def test_layers_of_a_keras_network_inside_spacy() -> None:
    pytest.importorskip("tensorflow")
    import scripts.components.network_textcat  # noqa: F401  which the config names

    nlp = spacy.blank("en")
    network = {"@architectures": "quicksilver.KerasTextCat.v1", "exclusive_classes": True}
    network |= {"network": "cnn", "embeddings": "learned"}
    sizes = {"rows": 50, "width": 4, "hidden": 3, "windows": [2], "max_length": 5, "dropout": 0.0}
    nlp.add_pipe("textcat", config={"model": {**network, **sizes}})
    doc = nlp.make_doc("good")
    doc.cats = {"A": 1.0, "B": 0.0}
    nlp.initialize(lambda: [spacy.training.Example(nlp.make_doc(doc.text), doc)])
    layers = pipeline_layers(nlp)
    assert total(layers) == 50 * 4 + (2 * 4 * 3 + 3) + (3 * 2 + 2)
    assert "embed (Embedding)" in [layer.name for layer in layers]
    assert layers[0].parameters == total(layers)
