"""From training to report, on one small run of the whole workflow."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.entities.matching import Pattern
from scripts.entities.prediction import predict
from scripts.entities.scores import errors, score
from scripts.ner.pipeline import compose, with_rulers
from scripts.reading import read_docs
from tests.conftest import TINY, copy_project, weasel

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
    found = errors(
        Example(doc((0, 1, "G"), (1, 3, "X"), (4, 6, "G")), doc((1, 3, "G"), (4, 7, "G")))
    )
    assert {kind: [span.text for span in spans] for kind, spans in found.items()} == {
        "missed": [],
        "spurious": ["my"],
        "boundary": ["iPhone 13"],
        "label": ["Pixel 6"],
    }
    assert [span.text for span in errors(Example(doc(), doc((1, 3, "G"))))["missed"]] == ["Pixel 6"]


def test_the_workflow_leaves_metrics_report_and_wheel(trained: Path) -> None:
    metrics = json.loads((trained / "training/ner/metrics.json").read_text())
    assert (
        metrics["test_texts"] == 150 and metrics["test_is_gold"] and metrics["labels"] == ["GADGET"]
    )
    for scores in (metrics, metrics["patterns_alone"]):
        assert (
            0 < scores["ents_p"] <= 1
            and 0 < scores["ents_r"] <= 1
            and 0 < scores["ents_per_type"]["GADGET"]["f"] == scores["ents_f"]
        )
        assert scores["seen"]["entities"] + scores["unseen"]["entities"] == 157
    assert (
        metrics["ents_f"] >= metrics["patterns_alone"]["ents_f"] - 0.02
    )  # a few steps: the patterns in front hold the score
    page = (trained / "training/ner/report.html").read_text("utf8")
    assert (
        page.count("data:image/png;base64,") == 2
        and "http://" not in page
        and "https://" not in page.replace("https://www.w3.org", "")
    )
    assert "patterns alone" in page and 'class="entities"' in page and "missed" in page
    assert (trained / "training/ner/scores.png").stat().st_size > 5_000 and (
        trained / "training/ner/curve.png"
    ).stat().st_size > 5_000
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
    again = weasel(trained, "all", ".", *TINY).stdout
    assert again.count("nothing changed") == 8 and "Running command" not in again
    steps = ["--vars.ner.title", "another"]
    changed = weasel(trained, "all", ".", *TINY, *steps, "--dry").stdout
    assert (
        changed.count("nothing changed") == 7
        and changed.count("Running command") == 1
        and "scripts.ner report" in changed
    )
    config = trained / "configs" / "ner.cfg"
    before = config.read_text()
    try:
        config.write_text(before.replace("dropout = 0.1", "dropout = 0.2"))
        changed = weasel(trained, "all", ".", *TINY, "--dry").stdout
        assert (
            "scripts.ner debug" in changed
            and "spacy train" in changed
            and "scripts.ner annotate" not in changed
        )
    finally:
        config.write_text(before)


def test_same_seed_same_model(trained: Path, tmp_path: Path) -> None:
    models = []
    for name in ("a", "b"):
        command = [
            sys.executable,
            "-m",
            "spacy",
            "train",
            "configs/ner.cfg",
            "--code",
            "scripts/components/training.py",
        ]
        command += [
            "--output",
            str(tmp_path / name),
            "--paths.log",
            str(tmp_path / name / "log.jsonl"),
        ]
        subprocess.run(
            [*command, "--training.max_steps", "10", "--training.eval_frequency", "10"],
            cwd=trained,
            check=True,
            capture_output=True,
        )
        models.append(
            {
                path.name: path.read_bytes()
                for path in (tmp_path / name / "model-last").rglob("*")
                if path.name == "model"
            }
        )
    assert models[0] == models[1] and models[0]


def test_kill_in_mid_train_keeps_the_best_model_and_the_rerun_completes(
    trained: Path, tmp_path: Path
) -> None:
    folder = copy_project(tmp_path)
    for name in ("corpus", "training", "project.lock"):
        subprocess.run(["cp", "-r", str(trained / name), str(folder)], check=True)
    best = folder / "training/ner/model-best"
    before = {path: path.read_bytes() for path in best.rglob("*") if path.is_file()}
    args = [
        sys.executable,
        "-m",
        "weasel",
        "run",
        "ner-train",
        ".",
        *TINY,
        "--vars.seed",
        "1",
        "--vars.ner.max_steps",
    ]
    process = subprocess.Popen(
        [*args, "2000"],
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
    assert {path: path.read_bytes() for path in best.rglob("*") if path.is_file()} == before
    assert spacy.load(folder / "training/ner/pipeline")("my iPhone 13 rocks").ents
    weasel(folder, "ner-train", ".", *TINY, "--vars.seed", "1")
    assert {path: path.read_bytes() for path in best.rglob("*") if path.is_file()} != before
    assert spacy.load(best)("my iPhone 13") is not None


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
def test_rulers_by_order(trained: Path, tmp_path: Path, use: str, rulers: list[str]) -> None:
    new = tmp_path / "new"
    subprocess.run(
        ["cp", "-r", str(trained / "training/ner/model-best"), str(tmp_path / "model-best")],
        check=True,
    )
    new.mkdir()
    (tmp_path / "model-best").rename(new / "model-best")
    (new / "log.jsonl").write_text("{}\n")
    dev = list(read_docs(trained / "corpus/ner/dev.spacy", NLP))[:20]
    choice = compose(
        new,
        tmp_path / "out",
        dev,
        [Pattern("GADGET", "Zorp")],
        [Pattern("GADGET", "Blip")],
        "ORTH",
        use,
    )  # type: ignore[arg-type]
    assert choice["ruler"] == use and spacy.load(tmp_path / "out" / "pipeline").pipe_names == [
        "tok2vec",
        *rulers,
    ]


def test_without_a_dev_by_hand_patterns_and_terms_go_in(trained: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["cp", "-r", str(trained / "training/ner/model-best"), str(tmp_path)], check=True
    )
    (tmp_path / "log.jsonl").write_text("{}\n")
    dev = list(read_docs(trained / "corpus/ner/dev.spacy", NLP))[:20]
    silly = [Pattern("GADGET", word) for word in ("the", "a", "is")]
    assert (
        compose(tmp_path, tmp_path / "out", dev, silly, silly, "ORTH", "auto", by_dev=False)[
            "ruler"
        ]
        == "terms"
    )
    nlp = spacy.load(tmp_path / "out/pipeline")
    assert [ent.text for ent in nlp("the").ents] == ["the"]


def test_labels_that_the_gold_docs_have_not(trained: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "NEW_LABEL", "pattern": "Pixel"}])  # type: ignore[attr-defined]
    other = spacy.blank("xx")
    examples = predict(nlp, [Doc(other.vocab, words=["a", "Pixel"])])
    assert [span.label_ for span in errors(examples[0])["spurious"]] == ["NEW_LABEL"] and score(
        examples
    )["ents_f"] is None


def test_auto_goes_without_patterns_that_need_a_tagger(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(
        ["cp", "-r", str(trained / "training/ner/model-best"), str(tmp_path)], check=True
    )
    (tmp_path / "log.jsonl").write_text("{}\n")
    dev = list(read_docs(trained / "corpus/ner/dev.spacy", NLP))[:20]
    choice = compose(
        tmp_path,
        tmp_path / "out",
        dev,
        [Pattern("GADGET", [{"LEMMA": "phone"}])],
        [],
        "ORTH",
        "auto",
    )
    assert choice["ruler"] == "no" and "goes without the patterns" in capsys.readouterr().err
