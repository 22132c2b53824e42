"""The doctor: each fault planted in a small training is found, healthy trainings are left alone; logs, layers, bad input."""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.cli.train import train as spacy_train
from spacy.tokens import Doc, Span
from typer.testing import CliRunner

import scripts.components.training  # noqa: F401  what the configs name
from scripts.doctor.__main__ import FOUND_SERIOUS, app
from scripts.doctor.case import Case
from scripts.doctor.checks import examine
from scripts.doctor.places import Places, find
from scripts.doctor.settings import from_config, read_config
from scripts.doctor.texts import to_part
from scripts.reading import write_docs
from scripts.update.pipeline import extract_ner
from tests.conftest import ROOT, weasel

NLP = spacy.blank("en")
COMMON = "the a of and it was is very this that my our your at on with for but so then again still quite never"
TOPICS = {
    "SPORT": "match goal team coach season league score ball referee stadium fans striker cup defence injury training win draw",
    "FOOD": "soup bread sauce kitchen chef oven taste recipe pepper lunch dinner cheese bakery plate spoon salad butter menu",
    "TRAVEL": "train ticket airport hotel luggage flight beach passport station map tour island ferry museum bus harbour guide visa",
    "MONEY": "bank loan interest budget salary tax invoice savings debt pension price cash wallet fee account broker shares rent",
}
NAMES = "Zorvex Palmira Tunoki Belwick Sarento Quillon Farnova Ostrel Mindra Calpero Vireon Dastok Lumeya Kestrin Ombari Rulven"
PLACES = "Ardenholt Brimsea Corvale Dunmarsh Eastwick Fennbury Glaston Harrowby Islemoor Jorvale Kingsmere Larkhill"
FRAMES = (
    "I bought a {} last week and it broke", "my old {} still works fine", "{} has a better screen than mine", "nobody at work likes the {}",
    "we moved to {P} in spring", "the shop in {P} sold me a {}", "there is nothing to do in {P} at night", "call me when you are in {P}",
    "the weather was bad again today", "she said nothing about it for weeks",
)  # fmt: skip
FEW_STEPS = {"training.max_steps": 120, "training.eval_frequency": 10, "training.patience": 0}
BOW = {
    "components.textcat.model.length": 4096,
    "training.batcher.size": 200,
    "training.optimizer.learn_rate": 0.01,
}
SEVERAL = {"components.textcat.factory": "textcat_multilabel", "labels.exclusive": False}
SMALL = {
    "training.max_steps": 80, "components.tok2vec.model.encode.width": 32, "components.tok2vec.model.encode.depth": 2,
    "components.tok2vec.model.embed.rows": [500, 200, 200, 200], "training.batcher.size": 200,
}  # fmt: skip


# What to train on


def message(rng: random.Random, topics: Sequence[str], length: int = 10) -> str:
    words = [
        rng.choice(TOPICS[rng.choice(topics)].split()) for _ in range(length // 2)
    ] + rng.choices(COMMON.split(), k=length - length // 2)
    rng.shuffle(words)
    return " ".join(words)


def texts(
    n: int,
    seed: int,
    labels: Sequence[str] = ("SPORT", "FOOD", "TRAVEL"),
    several: bool = False,
    noise: float = 0.0,
) -> list[Doc]:
    """Texts whose words tell their topic; with noise some labels are drawn."""
    rng, docs = random.Random(seed), []
    for i in range(n):
        topics = rng.sample(labels, rng.choice((1, 2))) if several else [labels[i % len(labels)]]
        doc = NLP.make_doc(message(rng, topics))
        told = [rng.choice(labels)] if rng.random() < noise else topics
        doc.cats = {label: float(label in told) for label in labels}
        docs.append(doc)
    return docs


def comments(n: int, seed: int, unlabelled: float = 0.0, places: float = 1.0) -> list[Doc]:
    """Texts with products (PRODUCT) and towns (TOWN); a share of the texts without their labels, a share of the towns labelled."""
    rng, docs = random.Random(seed), []
    while len(docs) < n:
        name, place = rng.choice(NAMES.split()), rng.choice(PLACES.split())
        number = str(rng.randint(1, 99))
        text = (
            rng.choice(FRAMES).replace("{P}", place).format(f"{name} {number}")
            + " "
            + " ".join(rng.choices(COMMON.split(), k=6))
        )
        doc = NLP.make_doc(text)
        ents = [Span(doc, token.i, token.i + 2, "PRODUCT") for token in doc if token.text == name]
        ents += [
            Span(doc, token.i, token.i + 1, "TOWN")
            for token in doc
            if token.text == place and rng.random() < places
        ]
        doc.set_ents([] if rng.random() < unlabelled else ents)
        docs.append(doc)
    return docs


# Training and looking


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train by `spacy train` in this process; gives the folder as the workflows leave it."""

    def run(config: str, train: Sequence[Doc], dev: Sequence[Doc], **settings: Any) -> Path:
        folder = tmp_path_factory.mktemp("training")
        write_docs(folder / "train.spacy", train)
        write_docs(folder / "dev.spacy", dev)
        paths = {f"paths.{name}": str(folder / f"{name}.spacy") for name in ("train", "dev")}
        overrides = {**FEW_STEPS, **paths, "paths.log": str(folder / "log.jsonl"), **settings}
        spacy_train(ROOT / "configs" / config, folder, overrides=overrides)
        return folder

    return run


def bow(
    fit: Callable[..., Path], train: Sequence[Doc], dev: Sequence[Doc], **settings: Any
) -> Path:
    return fit("textcat_bow.cfg", train, dev, **{**BOW, **settings})


def diagnose(*args: str | Path) -> dict[str, dict[str, str]]:
    """What is found, by its name; the exit code is checked."""
    done = CliRunner().invoke(app, ["examine", *map(str, args), "--json"])
    assert done.exit_code in (0, FOUND_SERIOUS), done.output
    found = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.exit_code == (
        FOUND_SERIOUS if any(finding["severity"] == "serious" for finding in found.values()) else 0
    )
    return found


def ner(
    fit: Callable[..., Path], train: Sequence[Doc], dev: Sequence[Doc], **settings: Any
) -> Path:
    return fit("ner.cfg", train, dev, **{**SMALL, **settings})


# Healthy trainings: nothing is found


@pytest.fixture(scope="module")
def healthy_ner(fit: Callable[..., Path]) -> Path:
    return ner(fit, comments(300, 1), comments(90, 2))


def test_nothing_is_found_in_a_healthy_ner(healthy_ner: Path) -> None:
    assert diagnose(healthy_ner) == {}


def test_nothing_is_found_in_a_healthy_textcat(fit: Callable[..., Path]) -> None:
    assert diagnose(bow(fit, texts(300, 1), texts(90, 2))) == {}


def test_nothing_is_found_in_a_healthy_textcat_with_noise(fit: Callable[..., Path]) -> None:
    assert diagnose(bow(fit, texts(600, 1, noise=0.2), texts(90, 2, noise=0.2))) == {}


def test_nothing_is_found_in_a_healthy_textcat_with_several_labels(
    fit: Callable[..., Path],
) -> None:
    assert (
        diagnose(bow(fit, texts(300, 1, several=True), texts(90, 2, several=True), **SEVERAL)) == {}
    )


def test_nothing_is_found_in_a_healthy_cnn(fit: Callable[..., Path]) -> None:
    small = {
        "components.textcat.model.tok2vec.embed.rows": [500],
        "training.batcher.size": 200,
        "training.eval_frequency": 20,
    }
    assert diagnose(fit("textcat_cnn.cfg", texts(300, 1), texts(90, 2), **small)) == {}


def test_nothing_is_found_in_a_healthy_update(
    fit: Callable[..., Path], healthy_ner: Path, tmp_path: Path
) -> None:
    extract_ner(spacy.load(healthy_ner / "model-best"), ["SHOP"], "en").to_disk(tmp_path / "base")
    settings = {"paths.base": str(tmp_path / "base"), "training.batcher.size": 200}
    assert diagnose(fit("update.cfg", comments(300, 3), comments(90, 4), **settings)) == {}


# Planted faults


def test_a_learning_rate_far_too_low(fit: Callable[..., Path]) -> None:
    found = diagnose(
        ner(fit, comments(300, 1), comments(90, 2), **{"training.optimizer.learn_rate": 1e-9})
    )
    assert set(found) == {
        "loss does not fall",
        "learning rate out of range",
        "one label swallows the rest",
    }  # nothing is learned: no entities
    assert "the score from 0.0 to 0.0" in found["loss does not fall"]["what"]
    assert (
        "is 1e-09 (Adam.v1, network), usual is 5e-05 to 0.02"
        in found["learning rate out of range"]["what"]
    )
    assert (
        "finds 0 entities in the dev texts, which have 73"
        in found["one label swallows the rest"]["what"]
    )


def test_a_loss_that_is_no_number_breaks_the_log(fit: Callable[..., Path], tmp_path: Path) -> None:
    where: list[Path] = []
    explosive = {
        "training.optimizer.learn_rate": 1e6,
        "training.optimizer.grad_clip": 0.0,
        "paths.log": str(tmp_path / "log.jsonl"),
    }
    with pytest.raises(OverflowError, match="Invalid Nan"):  # of spaCy's logger
        where.append(ner(fit, comments(300, 1), comments(90, 2), **explosive))
    (tmp_path / "config.cfg").write_text(
        (ROOT / "configs/ner.cfg")
        .read_text("utf8")
        .replace("learn_rate = 0.001", "learn_rate = 1e6")
    )
    found = diagnose("--log", tmp_path / "log.jsonl", "--config", tmp_path / "config.cfg")
    assert set(found) == {"ended early", "learning rate out of range"}
    assert (
        "ends at step 0 of 1600" in found["ended early"]["what"]
        and "can't write NaN" in found["ended early"]["remedy"]
    )


def test_dev_labels_that_are_shuffled(fit: Callable[..., Path]) -> None:
    dev = texts(90, 2)
    for doc, cats in zip(dev, random.Random(0).sample([doc.cats for doc in dev], len(dev))):
        doc.cats = cats
    found = diagnose(bow(fit, texts(300, 1), dev))
    assert "loss falls, score does not" in found and set(found) <= {
        "loss falls, score does not",
        "overfitting",
    }
    assert "chance has about 33.3" in found["loss falls, score does not"]["what"]


def test_too_little_data_with_noise_is_learned_by_heart(fit: Callable[..., Path]) -> None:
    found = diagnose(bow(fit, texts(100, 1, noise=0.5), texts(90, 2, noise=0.5)))
    assert (
        set(found) == {"overfitting"}
        and "scores 100.0 on its training texts" in found["overfitting"]["what"]
    )


def test_one_label_swallows_the_other(fit: Callable[..., Path]) -> None:
    def alike(n: int, seed: int) -> list[Doc]:
        docs = texts(n, seed, labels=("SPORT",))
        for i, doc in enumerate(docs):
            doc.cats = {"USUAL": float(i % 4 != 0), "RARE": float(i % 4 == 0)}
        return docs

    found = diagnose(
        bow(
            fit,
            alike(240, 1),
            alike(80, 2),
            **{"training.max_steps": 15, "training.eval_frequency": 5},
        )
    )
    assert set(found) == {"one label swallows the rest"}
    assert (
        found["one label swallows the rest"]["what"]
        == "100% of the texts in dev get USUAL, which 75% have"
    )


def test_too_few_examples_of_a_label(fit: Callable[..., Path]) -> None:
    found = diagnose(ner(fit, comments(300, 1, places=0.1), comments(90, 2, places=0.1)))
    assert (
        set(found) == {"too few examples"}
        and "1 of 2 labels have fewer than 50 entities in train: TOWN 11"
        in found["too few examples"]["what"]
    )


def test_dev_of_another_kind(fit: Callable[..., Path]) -> None:
    found = diagnose(bow(fit, texts(300, 1), [*texts(20, 2), *texts(70, 3, labels=("MONEY",))]))
    assert "train and dev differ" in found and set(found) <= {
        "train and dev differ",
        "loss falls, score does not",
        "overfitting",
    }
    for words in (
        "MONEY (70 times)",
        "78% of them would have to change",
        "train lacks 39% of the words of dev, where it lacks 0%",
    ):
        assert words in found["train and dev differ"]["what"]


def test_dev_texts_that_train_too(fit: Callable[..., Path]) -> None:
    dev = texts(90, 2)
    found = diagnose(bow(fit, [*texts(300, 1), *dev[:20]], dev))
    assert (
        set(found) == {"duplicates across splits"}
        and "20 of 90 dev texts (22%)" in found["duplicates across splits"]["what"]
    )


def test_texts_that_were_not_labelled(fit: Callable[..., Path]) -> None:
    found = diagnose(ner(fit, comments(300, 1, unlabelled=0.5), comments(90, 2)))
    name = "labels missing in part of the data"
    assert name in found and set(found) <= {name, "too few examples", "overfitting"}
    assert "49 of 107 mentions" in found[name]["what"]


def test_texts_without_labels_among_others(fit: Callable[..., Path]) -> None:
    train = texts(300, 1, several=True)
    for doc in train[::3]:
        doc.cats = {}
    found = diagnose(bow(fit, train, texts(90, 2, several=True), **SEVERAL))
    assert set(found) == {"labels missing in part of the data"}
    assert (
        "of 300 training texts 100 have no labels at all"
        in found["labels missing in part of the data"]["what"]
    )


def test_texts_longer_than_the_reader_takes(fit: Callable[..., Path]) -> None:
    def longer(n: int, seed: int) -> list[Doc]:
        docs = texts(n, seed)
        for i in range(0, n, 2):
            cats, docs[i] = docs[i].cats, NLP.make_doc(f"{docs[i].text} {docs[i].text}")
            docs[i].cats = cats
        return docs

    found = diagnose(bow(fit, longer(300, 1), longer(90, 2), **{"corpora.train.max_length": 15}))
    assert set(found) == {"texts cut by max length"}
    assert (
        "50% of the training texts have more than the 15 tokens that the reader"
        in found["texts cut by max length"]["what"]
    )


def test_a_softmax_for_several_labels(fit: Callable[..., Path]) -> None:
    found = diagnose(
        bow(
            fit,
            texts(300, 1, several=True),
            texts(90, 2, several=True),
            **{**SEVERAL, "labels.exclusive": True},
        )
    )
    assert set(found) == {"output does not fit the labels"}
    assert (
        "168 of 300 training texts have several labels"
        in found["output does not fit the labels"]["what"]
    )
    assert found["output does not fit the labels"]["severity"] == "serious"


def test_a_sigmoid_for_labels_that_exclude_each_other(fit: Callable[..., Path]) -> None:
    found = diagnose(bow(fit, texts(300, 1), texts(90, 2), **SEVERAL))
    assert (
        set(found) == {"output does not fit the labels"}
        and "just one label" in found["output does not fit the labels"]["what"]
    )


def test_batches_of_one_word(fit: Callable[..., Path]) -> None:
    found = diagnose(bow(fit, texts(300, 1), texts(90, 2), **{"training.batcher.size": 1}))
    assert (
        set(found) == {"batch size out of range"}
        and "a batch has 1 words, usual is 30 to 20,000" in found["batch size out of range"]["what"]
    )


# Logs


def test_a_log_cut_short_counts_as_far_as_it_is_whole(healthy_ner: Path, tmp_path: Path) -> None:
    lines = (healthy_ner / "log.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "log.jsonl").write_text("".join(lines[:6]) + lines[6][:40])
    done = CliRunner().invoke(app, ["examine", "--log", str(tmp_path / "log.jsonl")])
    assert done.exit_code == 0 and "(6 evaluations, to step 50)" in done.output
    assert "note: the log ends within line 7: the 6 lines before it count" in done.output


def test_the_log_of_textgen(tmp_path: Path) -> None:
    lines = [
        {
            "step": 100 * i,
            "train_bits": 3 / i,
            "dev_bits": 2.0 + 0.2 * i,
            "best": i == 1,
            "sample": "for",
        }
        for i in range(1, 13)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = diagnose(tmp_path)
    assert (
        set(found) == {"overfitting"}
        and "lowest at step 100 of 1200 (2.2), then 4.1" in found["overfitting"]["what"]
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("log.jsonl", "", "log.jsonl is empty: the training wrote no evaluation"),
        ("log.jsonl", "step 1 loss 3\n", "log.jsonl: not a training log: give spaCy's JSONL"),
        ("log.jsonl", "{}\n[1]\n", "log.jsonl:2: not a training log"),
        ("log.jsonl", '{"text": "a"}\n', "log.jsonl: not a training log"),
        (
            "log.jsonl",
            '{"step": 1}\nx\n{"step": 2}\n',
            "log.jsonl:2: broken JSON in the middle of the log",
        ),
        ("log.csv", "a,b\n1,2\n", "log.csv: not a training log"),
        ("log.csv", "epoch,loss\n1,zwei\n", "log.csv: not a training log"),
        ("log.csv", "epoch,lo", "log.csv: not a training log"),
        ("history.json", "[1, 2]", "history.json: not a training log"),
        ("history.json", '{"loss": [1.0, ', "history.json: not a training log"),
        (
            "log.jsonl",
            '{"step": Infinity, "losses": {"ner": 1}, "scores": {}, "score": 0}\n',
            "log.jsonl: not a training log",
        ),
        (
            "log.jsonl",
            '{"step": "x", "losses": {"ner": 1}, "scores": {}, "score": 0}\n',
            "log.jsonl: not a training log",
        ),
        ("history.json", '{"loss": [1.0], "epoch": [NaN]}', "history.json: not a training log"),
        ("history.json", "[" * 200_000, "history.json: not a training log"),
    ],
)
def test_what_is_no_log(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    done = CliRunner().invoke(app, ["examine", "--log", str(tmp_path / name)])
    assert done.exit_code == 1 and words in done.stderr and done.stderr.count("\n") == 1


# Bad input


def test_nothing_to_look_at() -> None:
    done = CliRunner().invoke(app, ["examine"])
    assert (
        done.exit_code == 1
        and "nothing to look at: give a training folder, or a log by --log" in done.stderr
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["{}/none"], "does not exist: run a training first (python -m weasel run ner)"),
        (["{}"], "there is no log in"),
        (["--log", "{}/none.jsonl"], "none.jsonl does not exist: check the path"),
        (["--train", "{}/none.spacy"], "none.spacy does not exist: check the path"),
        (["--train", "{}/bad.spacy"], "bad.spacy: not a DocBin, or a damaged one"),
        (["--train", "{}/empty.spacy"], "empty.spacy holds no text"),
        (["--config", "{}/bad.cfg"], "bad.cfg is no training config"),
        (
            ["--config", "{}/odd.cfg"],
            "odd.cfg is no training config: a section or setting has the wrong type",
        ),
        (["--model", "{}/bad.keras"], "bad.keras is no .keras file, or a damaged one"),
        (["--model", "{}/other"], "other is no pipeline: give a folder with a config.cfg"),
        (["--model", "{}/broken"], "broken can't be loaded: train it again"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, args: list[str], words: str) -> None:
    for name in ("other", "broken"):
        (tmp_path / name).mkdir()
    for name in ("bad.spacy", "bad.keras"):
        (tmp_path / name).write_bytes(b"no such thing")
    write_docs(tmp_path / "empty.spacy", [])
    (tmp_path / "bad.cfg").write_text("[training\nx")
    (tmp_path / "odd.cfg").write_text("[training]\noptimizer = 3\n")
    (tmp_path / "broken" / "config.cfg").write_text('[nlp]\nlang = "en"\npipeline = ["ner"]\n')
    done = CliRunner().invoke(app, ["examine", *(arg.format(tmp_path) for arg in args)])
    assert done.exit_code == 1 and words in done.stderr and done.stderr.count("\n") == 1


def test_a_model_that_was_never_trained_is_one_line(healthy_ner: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("ner").add_label("A")
    nlp.to_disk(tmp_path / "model")
    found = find(healthy_ner, Places())
    given = [
        "--model",
        str(tmp_path / "model"),
        "--train",
        str(found.train),
        "--dev",
        str(found.dev),
    ]
    done = CliRunner().invoke(app, ["examine", *given])
    assert (
        done.exit_code == 1
        and "the model can't label the texts: train it, or leave the texts out" in done.stderr
    )
    assert done.stderr.count("\n") == 1


def test_a_folder_with_a_config_needs_no_log(tmp_path: Path) -> None:
    """spaCy ends a training on labels that clash before it writes a log."""
    (tmp_path / "config.cfg").write_text(
        '[training]\nmax_steps = 10\n[training.optimizer]\n@optimizers = "Adam.v1"\nlearn_rate = 50\n'
    )
    done = CliRunner().invoke(app, ["examine", str(tmp_path)])
    assert (
        done.exit_code == FOUND_SERIOUS
        and "the highest learning rate is 50" in done.stdout
        and "not looked at: log" in done.stdout
    )


def test_a_folder_of_trainings_names_them(tmp_path: Path) -> None:
    (tmp_path / "bow").mkdir()
    (tmp_path / "bow" / "log.jsonl").touch()
    done = CliRunner().invoke(app, ["examine", str(tmp_path)])
    assert done.exit_code == 1 and f"give one of {tmp_path / 'bow'}" in done.stderr


# What is told


def test_the_page_holds_findings_curve_and_layers(healthy_ner: Path, tmp_path: Path) -> None:
    args = [
        "examine",
        str(healthy_ner),
        "--train",
        str(healthy_ner / "dev.spacy"),
        "--output",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, args)
    assert (
        done.exit_code == FOUND_SERIOUS
        and "serious: duplicates across splits" in done.output
        and "Try: " in done.output
    )
    page = (tmp_path / "out" / "report.html").read_text("utf8")
    assert (
        "duplicates across splits" in page
        and "data:image/png;base64," in page
        and "hashembed" in page
    )
    assert (
        json.loads((tmp_path / "out" / "findings.json").read_text())["findings"][0]["name"]
        == "duplicates across splits"
    )
    assert (tmp_path / "out" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_layers_count_every_parameter_once(healthy_ner: Path) -> None:
    done = CliRunner().invoke(app, ["layers", str(healthy_ner)])
    nlp = spacy.load(healthy_ner / "model-best")
    nodes = {node.id: node for _, pipe in nlp.pipeline for node in pipe.model.walk()}  # type: ignore[attr-defined]
    n_parameters = sum(
        node.get_param(name).size
        for node in nodes.values()
        for name in node.param_names
        if node.has_param(name)
    )
    assert f"{n_parameters:,}" in done.output and "E (500, 32)" in done.output


def test_the_log_that_the_project_ships() -> None:
    found = diagnose(ROOT / "assets" / "doctor" / "diverged")
    assert set(found) == {"loss does not fall", "learning rate out of range"}


# Settings


@pytest.mark.parametrize(
    "config",
    sorted(file for file in (ROOT / "configs").glob("*.cfg") if "[nlp]" in file.read_text("utf8")),
    ids=lambda path: path.name,
)
def test_the_settings_that_the_project_ships_are_usual(config: Path) -> None:
    settings = from_config(read_config(config))
    assert examine(Case(settings=settings)) == [] and settings.learn_rate
    assert settings.family == (
        "transformer" if "trf" in config.name else "linear" if "bow" in config.name else "network"
    )


@pytest.mark.parametrize(
    ("config", "rate", "severity"),
    [
        ("ner_trf.cfg", 1e-3, "warning"),
        ("ner_trf.cfg", 0.01, "serious"),
        ("ner.cfg", 0.1, "warning"),
        ("textcat_bow.cfg", 0.1, ""),
    ],
)
def test_usual_learning_rates_depend_on_the_model(config: str, rate: float, severity: str) -> None:
    block = read_config(ROOT / "configs" / config)
    optimizer = block["training"]["optimizer"]
    if isinstance(optimizer["learn_rate"], dict):
        optimizer["learn_rate"]["initial_rate"] = rate
    else:
        optimizer["learn_rate"] = rate
    found = examine(Case(settings=from_config(block)))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(f"the highest learning rate is {rate:g}" in finding.what for finding in found)


def test_texts_longer_than_a_component_reads() -> None:
    block = read_config(ROOT / "configs" / "textcat_keras.cfg")
    block["components"]["textcat"]["model"]["max_length"] = 9
    found = examine(Case(settings=from_config(block), train=to_part(texts(300, 1))))
    assert [finding.name for finding in found] == ["texts cut by max length"]
    assert (
        "100% of the training texts have more than the 9 tokens that textcat takes: their end is not read"
        in found[0].what
    )


def test_texts_that_the_batcher_drops() -> None:
    docs = [NLP.make_doc("word " * 3000), *texts(9, 1)]
    found = examine(
        Case(
            settings=from_config(read_config(ROOT / "configs" / "ner_trf.cfg")), train=to_part(docs)
        )
    )
    told = {finding.name: finding.what for finding in found}["texts cut by max length"]
    assert "10% of the training texts have more than the 2000 tokens that the batcher takes" in told


@pytest.mark.slow
def test_the_workflow_and_the_table_of_figures(trained: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(trained, project)
    done = weasel(project, "doctor")
    assert (
        "training/ner/model-best" in done.stdout
        and "Look at training/doctor/report.html" in done.stdout
    )
    assert (project / "training" / "doctor" / "curve.png").exists() and "hashembed" in done.stdout
    done = weasel(
        project,
        "doctor-examine",
        ".",
        "--vars.doctor.training",
        "assets/doctor/diverged",
        check=False,
    )
    assert done.returncode != 0 and "loss does not fall" in done.stdout
    weasel(project, "report")
    assert "patterns alone" in (project / "training" / "report" / "report.md").read_text()


def test_in_a_fresh_clone_it_says_what_to_run_first(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["examine", str(tmp_path / "training" / "ner"), "--output", str(tmp_path / "doctor")]
    )
    assert (
        done.exit_code == 1
        and "python -m weasel run ner" in done.stderr
        and not (tmp_path / "doctor").exists()
    )
