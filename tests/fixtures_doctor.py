"""Small trainings for the tests of `doctor`, with a fault or without."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, Span
from typer.testing import CliRunner

from tests.conftest import ROOT

NLP = spacy.blank("en")
COMMON = (
    "the a of and it was is very this that my our your at on with for but so then again still "
    "quite never"
)
TOPICS = {
    "SPORT": "match goal team coach season league score ball referee stadium fans striker cup "
    "defence injury training win draw",
    "FOOD": "soup bread sauce kitchen chef oven taste recipe pepper lunch dinner cheese bakery "
    "plate spoon salad butter menu",
    "TRAVEL": "train ticket airport hotel luggage flight beach passport station map tour island "
    "ferry museum bus harbour guide visa",
    "MONEY": "bank loan interest budget salary tax invoice savings debt pension price cash wallet "
    "fee account broker shares rent",
}
NAMES = (
    "Zorvex Palmira Tunoki Belwick Sarento Quillon Farnova Ostrel Mindra Calpero Vireon Dastok "
    "Lumeya Kestrin Ombari Rulven"
)
PLACES = (
    "Ardenholt Brimsea Corvale Dunmarsh Eastwick Fennbury Glaston Harrowby Islemoor Jorvale "
    "Kingsmere Larkhill"
)
FRAMES = (
    "I bought a {} last week and it broke",
    "my old {} still works fine",
    "{} has a better screen than mine",
    "nobody at work likes the {}",
    "we moved to {P} in spring",
    "the shop in {P} sold me a {}",
    "there is nothing to do in {P} at night",
    "call me when you are in {P}",
    "the weather was bad again today",
    "she said nothing about it for weeks",
)
FEW_STEPS = {"training.max_steps": 120, "training.eval_frequency": 10, "training.patience": 0}
SMALL = {
    "training.max_steps": 80,
    "components.tok2vec.model.encode.width": 32,
    "components.tok2vec.model.encode.depth": 2,
    "components.tok2vec.model.embed.rows": [500, 200, 200, 200],
    "training.batcher.size": 200,
}
Findings = dict[str, dict[str, str]]


def message(rng: random.Random, topics: Sequence[str], length: int = 10) -> str:
    words = [rng.choice(TOPICS[rng.choice(topics)].split()) for _ in range(length // 2)]
    words += rng.choices(COMMON.split(), k=length - length // 2)
    rng.shuffle(words)
    return " ".join(words)


def texts(
    n: int,
    seed: int,
    labels: Sequence[str] = ("SPORT", "FOOD", "TRAVEL"),
    several: bool = False,
    noise: float = 0.0,
) -> list[Doc]:
    """Texts whose words show their topic; with noise some labels are drawn."""
    rng, docs = random.Random(seed), []
    for i in range(n):
        topics = rng.sample(labels, rng.choice((1, 2))) if several else [labels[i % len(labels)]]
        doc = NLP.make_doc(message(rng, topics))
        annotated = [rng.choice(labels)] if rng.random() < noise else topics
        doc.cats = {label: float(label in annotated) for label in labels}
        docs.append(doc)
    return docs


def comments(n: int, seed: int, unlabelled: float = 0.0, places: float = 1.0) -> list[Doc]:
    """Texts with products (PRODUCT) and towns (TOWN).

    Args:
        unlabelled: share of the texts without their labels.
        places: share of the towns that are labelled.
    """
    rng, docs = random.Random(seed), []
    while len(docs) < n:
        name, place = rng.choice(NAMES.split()), rng.choice(PLACES.split())
        product = f"{name} {rng.randint(1, 99)}"
        text = rng.choice(FRAMES).replace("{P}", place).format(product)
        doc = NLP.make_doc(f"{text} {' '.join(rng.choices(COMMON.split(), k=6))}")
        ents = [Span(doc, token.i, token.i + 2, "PRODUCT") for token in doc if token.text == name]
        for token in doc:
            if token.text == place and rng.random() < places:
                ents.append(Span(doc, token.i, token.i + 1, "TOWN"))
        doc.set_ents([] if rng.random() < unlabelled else ents)
        docs.append(doc)
    return docs


def diagnose(*args: str | Path) -> Findings:
    """The findings of a training by their names; the exit code is checked."""
    from scripts.doctor.__main__ import EXIT_SERIOUS, app

    done = CliRunner().invoke(app, ["examine", *map(str, args), "--json"])
    assert done.exit_code in (0, EXIT_SERIOUS), done.output
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    is_serious = any(finding["severity"] == "serious" for finding in findings.values())
    assert done.exit_code == (EXIT_SERIOUS if is_serious else 0)
    return findings


@pytest.fixture(scope="module")
def train_spacy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train by `spacy train` in this process; returns the folder as the workflows leave it."""
    import scripts.components.training  # noqa: F401  which the configs name
    from scripts.reading import write_docs

    def run(config: str, train: Sequence[Doc], dev: Sequence[Doc], **settings: Any) -> Path:
        from spacy.cli.train import train as spacy_train

        folder = tmp_path_factory.mktemp("run")
        write_docs(folder / "train.spacy", train)
        write_docs(folder / "dev.spacy", dev)
        paths = {f"paths.{name}": str(folder / f"{name}.spacy") for name in ("train", "dev")}
        overrides = {**FEW_STEPS, **paths, "paths.log": str(folder / "log.jsonl"), **settings}
        spacy_train(ROOT / "configs" / config, folder, overrides=overrides)
        return folder

    return run


def train_ner(
    train_spacy: Callable[..., Path], train: Sequence[Doc], dev: Sequence[Doc], **settings: Any
) -> Path:
    return train_spacy("ner.cfg", train, dev, **{**SMALL, **settings})


@pytest.fixture(scope="module")
def healthy_ner(train_spacy: Callable[..., Path]) -> Path:
    return train_ner(train_spacy, comments(300, 1), comments(90, 2))
