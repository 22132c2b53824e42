"""From training to report, on one small run of the whole workflow."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.entities.matching import Pattern
from scripts.entities.prediction import predict
from scripts.entities.scores import errors, score
from scripts.ner.options import UseRuler
from scripts.ner.pipeline import assemble_pipeline, with_rulers
from scripts.reading import read_docs
from tests.conftest import copy_project, weasel
from tests.fixtures_ner import TINY

NLP = spacy.blank("en")


def doc(*ents: tuple[int, int, str]) -> Doc:
    made = Doc(NLP.vocab, words=["my", "Pixel", "6", "beats", "iPhone", "13", "Pro"])
    made.set_ents([Span(made, *ent[:2], label=ent[2]) for ent in ents])
    return made


def test_scores_are_those_of_spacy_with_seen_and_unseen_apart() -> None:
    gold = doc((1, 3, "G"), (4, 7, "G"))
    result = score([Example(doc((1, 3, "G"), (4, 6, "G")), gold)], seen={"pixel 6"})
    assert (result["ents_p"], result["ents_r"], result["ents_f"]) == (0.5, 0.5, 0.5)
    assert result["ents_per_type"] == {"G": {"p": 0.5, "r": 0.5, "f": 0.5}}
    assert result["seen"] == {"ents_p": 1.0, "ents_r": 1.0, "ents_f": 1.0, "entities": 1}
    assert result["unseen"] == {"ents_p": 0.0, "ents_r": 0.0, "ents_f": 0.0, "entities": 1}
    assert result["ents_f_interval"] == [0.5, 0.5]


def test_errors_by_kind() -> None:
    predicted, gold = doc((0, 1, "G"), (1, 3, "X"), (4, 6, "G")), doc((1, 3, "G"), (4, 7, "G"))
    wrong = errors(Example(predicted, gold))
    assert [span.text for span in wrong["spurious"]] == ["my"]
    assert [span.text for span in wrong["boundary"]] == ["iPhone 13"]
    assert [span.text for span in wrong["label"]] == ["Pixel 6"]
    assert wrong.keys() == {"missed", "spurious", "boundary", "label"} and not wrong["missed"]
    assert [span.text for span in errors(Example(doc(), doc((1, 3, "G"))))["missed"]] == ["Pixel 6"]


def test_the_workflow_leaves_metrics_report_and_wheel(trained: Path) -> None:
    metrics = json.loads((trained / "training/ner/metrics.json").read_text())
    assert metrics["test_texts"] == 150 and metrics["test_is_gold"]
    assert metrics["labels"] == ["GADGET"]
    for scores in (metrics, metrics["patterns_alone"]):
        assert 0 < scores["ents_p"] <= 1 and 0 < scores["ents_r"] <= 1
        assert 0 < scores["ents_per_type"]["GADGET"]["f"] == scores["ents_f"]
        assert scores["seen"]["entities"] + scores["unseen"]["entities"] == 157
    # After so few steps, the patterns in front of the model hold the score.
    assert metrics["ents_f"] >= metrics["patterns_alone"]["ents_f"] - 0.02
    page = (trained / "training/ner/report.html").read_text("utf8")
    assert page.count("data:image/png;base64,") == 2 and "http://" not in page
    assert "https://" not in page.replace("https://www.w3.org", "")
    assert "patterns alone" in page and 'class="entities"' in page and "missed" in page
    for name in ("scores.png", "curve.png"):
        assert (trained / "training/ner" / name).stat().st_size > 5_000
    assert len((trained / "training/ner/log.jsonl").read_text().splitlines()) == 4
    assert list((trained / "packages").glob("*.whl"))


def test_metrics_are_those_of_the_pipeline_that_is_packaged(trained: Path) -> None:
    metrics = json.loads((trained / "training/ner/metrics.json").read_text())
    nlp = spacy.load(trained / "training/ner/pipeline")
    test = list(read_docs(trained / "corpus/ner/test.spacy", nlp))
    scores = nlp.evaluate([Example(nlp.make_doc(gold.text), gold) for gold in test])
    for key in ("ents_p", "ents_r", "ents_f"):
        assert scores[key] == pytest.approx(metrics[key])
    assert scores["ents_per_type"]["GADGET"] == pytest.approx(metrics["ents_per_type"]["GADGET"])


def test_second_run_skips_and_a_change_reruns_what_depends_on_it(trained: Path) -> None:
    again = weasel(trained, "ner", ".", *TINY).stdout
    assert again.count("nothing changed") == 8 and "scripts.ner" not in again
    changed = weasel(trained, "ner", ".", *TINY, "--vars.ner.title", "another", "--dry").stdout
    assert changed.count("nothing changed") == 7 and changed.count("-m scripts.ner ") == 1
    assert "scripts.ner report" in changed
    config = trained / "configs" / "ner.cfg"
    before = config.read_text()
    try:
        config.write_text(before.replace("dropout = 0.1", "dropout = 0.2"))
        changed = weasel(trained, "ner", ".", *TINY, "--dry").stdout
        assert "scripts.ner debug" in changed and "spacy train" in changed
        assert "scripts.ner annotate" not in changed
    finally:
        config.write_text(before)


def test_same_seed_same_model(trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spacy", "train", "configs/ner.cfg"]
    command += ["--code", "scripts/components/training.py"]
    command += ["--training.max_steps", "10", "--training.eval_frequency", "10"]
    models = []
    for name in ("a", "b"):
        out = ["--output", str(tmp_path / name), "--paths.log", str(tmp_path / name / "log.jsonl")]
        subprocess.run([*command, *out], cwd=trained, check=True, capture_output=True)
        files = sorted((tmp_path / name / "model-last").rglob("model"))
        models.append([path.read_bytes() for path in files])
    assert models[0] == models[1] and models[0]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_kill_in_mid_train_keeps_the_best_model_and_the_rerun_completes(
    trained: Path, tmp_path: Path
) -> None:
    folder = copy_project(tmp_path)
    for name in ("corpus", "training", "project.lock"):
        subprocess.run(["cp", "-r", str(trained / name), str(folder)], check=True)
    best = folder / "training/ner/model-best"
    before = contents(best)
    other_seed = [*TINY, "--vars.seed", "1"]
    command = [sys.executable, "-m", "weasel", "run", "ner-train", ".", *other_seed]
    process = subprocess.Popen(
        [*command, "--vars.ner.max_steps", "2000"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.time() + 120
    while not (folder / "training/ner/new/model-last").exists() and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert contents(best) == before
    assert spacy.load(folder / "training/ner/pipeline")("my iPhone 13 rocks").ents
    weasel(folder, "ner-train", ".", *other_seed)
    assert contents(best) != before
    assert spacy.load(best)("my iPhone 13") is not None


@pytest.fixture
def new(trained: Path, tmp_path: Path) -> Path:
    """The output folder of a training."""
    folder = tmp_path / "new"
    shutil.copytree(trained / "training/ner/model-best", folder / "model-best")
    (folder / "log.jsonl").write_text("{}\n")
    return folder


@pytest.fixture
def dev(trained: Path) -> list[Doc]:
    return list(read_docs(trained / "corpus/ner/dev.spacy", NLP))[:20]


def test_patterns_that_need_a_tagger_are_not_put_in_front() -> None:
    with pytest.raises(ValueError, match=r"pattern 1 asks for POS.*vars\.ner\.ruler no"):
        with_rulers(spacy.blank("en"), [Pattern("X", [{"POS": "NOUN"}])], [], "ORTH")


@pytest.mark.parametrize(
    ("use", "rulers"),
    [
        ("yes", ["entity_ruler", "ner"]),
        ("no", ["ner"]),
        ("terms", ["entity_ruler", "ner", "term_ruler"]),
    ],
)
def test_rulers_by_order(
    new: Path, dev: list[Doc], tmp_path: Path, use: UseRuler, rulers: list[str]
) -> None:
    out = tmp_path / "out"
    patterns, terms = [Pattern("GADGET", "Zorp")], [Pattern("GADGET", "Blip")]
    choice = assemble_pipeline(new, out, dev, patterns, terms, "ORTH", use)
    assert choice["ruler"] == use
    assert spacy.load(out / "pipeline").pipe_names == ["tok2vec", *rulers]


def test_without_a_dev_by_hand_patterns_and_terms_go_in(
    new: Path, dev: list[Doc], tmp_path: Path
) -> None:
    silly = [Pattern("GADGET", word) for word in ("the", "a", "is")]
    out = tmp_path / "out"
    choice = assemble_pipeline(new, out, dev, silly, silly, "ORTH", "auto", by_dev=False)
    assert choice["ruler"] == "terms"
    nlp = spacy.load(out / "pipeline")
    assert [ent.text for ent in nlp("the").ents] == ["the"]


def test_patterns_that_lower_the_score_on_dev_are_left_out(
    new: Path, dev: list[Doc], tmp_path: Path
) -> None:
    silly = [Pattern("GADGET", word) for word in ("the", "a", "is", "I", "and", "it")]
    out = tmp_path / "out"
    choice = assemble_pipeline(new, out, dev, silly, silly, "ORTH", "auto")
    assert choice["ruler"] == "no" and list(choice["dev"]) == ["no", "yes", "terms"]
    assert spacy.load(out / "pipeline").pipe_names == ["tok2vec", "ner"]


def test_labels_that_the_gold_docs_have_not() -> None:
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "NEW_LABEL", "pattern": "Pixel"}])
    other = spacy.blank("xx")
    (example,) = predict(nlp, [Doc(other.vocab, words=["a", "Pixel"])])
    assert [span.label_ for span in errors(example)["spurious"]] == ["NEW_LABEL"]
    assert score([example])["ents_f"] is None


def test_auto_goes_without_patterns_that_need_a_tagger(
    new: Path, dev: list[Doc], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patterns = [Pattern("GADGET", [{"LEMMA": "phone"}])]
    choice = assemble_pipeline(new, tmp_path / "out", dev, patterns, [], "ORTH", "auto")
    assert choice["ruler"] == "no" and "goes without the patterns" in capsys.readouterr().err
