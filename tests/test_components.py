"""What `spacy train` asks for by name (logger, augmenter), and entry points of packages."""

import json
import random
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.components.training import create_entity_augmenter, create_logger
from tests.conftest import ROOT, run_module

NLP = spacy.blank("en")


@pytest.mark.parametrize(
    "group",
    [
        "spacy_factories",
        "spacy_architectures",
        "spacy_loggers",
        "spacy_misc",
        "thinc_initializers",
        "spacy_callbacks",
    ],
)
def test_every_entry_point_imports(group: str) -> None:
    for point in entry_points(group=group):
        assert point.load() is not None, point


def example() -> Example:
    doc = Doc(
        NLP.vocab,
        words=["my", "Galaxy", "S21", "beats", "Zorp", "."],
        spaces=[True, True, True, True, False, False],
    )
    doc.set_ents([Span(doc, 1, 3, label="G")], missing=[doc[4:5]], default="outside")
    return Example(NLP.make_doc(doc.text), doc)


def test_invented_names_keep_shape_labels_and_unknown_tokens() -> None:
    (invented,) = create_entity_augmenter(1.0, 0)(NLP, example())
    doc = invented.reference
    assert [token.text for token in doc if token.i not in (1, 2)] == ["my", "beats", "Zorp", "."]
    assert doc[1].text != "Galaxy" and [token.shape_ for token in doc[1:3]] == ["Xxxxx", "Xdd"]
    assert [(ent.start, ent.end, ent.label_) for ent in doc.ents] == [(1, 3, "G")]
    assert [token.ent_iob_ for token in doc] == ["O", "B", "I", "O", "", "O"]
    assert invented.predicted.text == doc.text


def test_level_is_the_share_of_texts_and_seed_decides() -> None:
    def run(seed: int) -> list[str]:
        augment = create_entity_augmenter(0.5, seed)
        return [next(iter(augment(NLP, example()))).reference.text for _ in range(200)]

    assert run(1) == run(1) != run(2)
    assert 60 < sum(text == "my Galaxy S21 beats Zorp." for text in run(1)) < 140
    assert all(
        text == "my Galaxy S21 beats Zorp."
        for text in [next(iter(create_entity_augmenter(0, 0)(NLP, example()))).reference.text]
    )


def test_augmenter_leaves_other_draws_alone() -> None:
    random.seed(5)
    state = random.getstate()
    list(create_entity_augmenter(1.0, 0)(NLP, example()))
    assert random.getstate() == state


def test_logger_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="log_to must be console or wandb, not 'mlflow'"):
        create_logger("mlflow", "log.jsonl", "x")


def test_wandb_logs_offline(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    corpus = trained / "corpus" / "ner"
    paths = [
        "--paths.train",
        str(corpus / "train"),
        "--paths.dev",
        str(corpus / "dev.spacy"),
        "--paths.log",
        str(tmp_path / "out" / "log.jsonl"),
    ]
    steps = [
        "--training.max_steps",
        "4",
        "--training.eval_frequency",
        "2",
        "--training.logger.log_to",
        "wandb",
    ]
    code = ["--code", "scripts/components/training.py", "--output", str(tmp_path / "out")]
    done = run_module(ROOT, "spacy", "train", "configs/ner.cfg", *code, *paths, *steps)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb"))
    assert [
        json.loads(line)["step"]
        for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    ] == [0, 2, 4]
