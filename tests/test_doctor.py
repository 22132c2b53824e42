"""The doctor: planted faults are found, a healthy training is left alone; logs, bad input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from typer.testing import CliRunner

from scripts.doctor.__main__ import EXIT_SERIOUS, app
from scripts.doctor.checks import find_problems
from scripts.doctor.data import half_labelled
from scripts.doctor.outputs import one_label
from scripts.doctor.paths import RunPaths, find_paths
from scripts.doctor.settings import from_config, read_config
from scripts.doctor.texts import to_dataset
from scripts.doctor.training_run import Predictions, TrainingRun
from scripts.doctor.workflow import variables_of, workflow_of
from scripts.overrides import var_names
from scripts.pipelines import COMPONENTS, component_files, registered
from scripts.reading import write_docs
from tests.conftest import PROJECT, ROOT, run_module, weasel
from tests.fixtures_doctor import NLP, comments, diagnose, texts, train_ner

Fit = Callable[..., Path]
CONFIGS = [path for path in (ROOT / "configs").glob("*.cfg") if "[nlp]" in path.read_text("utf8")]
NOUNS = [name for name in PROJECT["vars"] if name in PROJECT["workflows"]]


# A healthy training


def test_nothing_is_found_in_a_healthy_ner(healthy_ner: Path) -> None:
    assert diagnose(healthy_ner) == {}


# Planted faults


def test_a_learning_rate_far_too_low(train_spacy: Fit) -> None:
    rate = {"training.optimizer.learn_rate": 1e-9}
    findings = diagnose(train_ner(train_spacy, comments(300, 1), comments(90, 2), **rate))
    what = {name: finding["what"] for name, finding in findings.items()}
    # nothing is learned: no entities
    assert set(what) == {
        "loss does not fall",
        "learning rate out of range",
        "one label swallows the rest",
    }
    assert "the score from 0.0 to 0.0" in what["loss does not fall"]
    expected = "is 1e-09 (Adam.v1, network), usual is 5e-05 to 0.02"
    assert expected in what["learning rate out of range"]
    expected = "finds 0 entities in the dev texts, which have 73"
    assert expected in what["one label swallows the rest"]


def test_a_loss_that_is_no_number_breaks_the_log(train_spacy: Fit, tmp_path: Path) -> None:
    explosive = {
        "training.optimizer.learn_rate": 1e6,
        "training.optimizer.grad_clip": 0.0,
        "paths.log": str(tmp_path / "log.jsonl"),
    }
    with pytest.raises(OverflowError, match="Invalid Nan"):  # of spaCy's logger
        train_ner(train_spacy, comments(300, 1), comments(90, 2), **explosive)
    config = (ROOT / "configs/ner.cfg").read_text("utf8")
    config = config.replace("learn_rate = 0.001", "learn_rate = 1e6")
    (tmp_path / "config.cfg").write_text(config)
    findings = diagnose("--log", tmp_path / "log.jsonl", "--config", tmp_path / "config.cfg")
    assert set(findings) == {"ended early", "learning rate out of range"}
    assert "ends at step 0 of 1600" in findings["ended early"]["what"]
    assert "can't write NaN" in findings["ended early"]["remedy"]


def test_too_few_examples_of_a_label(train_spacy: Fit) -> None:
    train, dev = comments(300, 1, places=0.1), comments(90, 2, places=0.1)
    findings = diagnose(train_ner(train_spacy, train, dev))
    assert set(findings) == {"too few examples"}
    expected = "1 of 2 labels have fewer than 50 entities in train: TOWN 11"
    assert expected in findings["too few examples"]["what"]


def test_texts_that_were_not_labelled(train_spacy: Fit) -> None:
    train = comments(300, 1, unlabelled=0.5)
    findings = diagnose(train_ner(train_spacy, train, comments(90, 2)))
    name = "labels missing in part of the data"
    assert name in findings and set(findings) <= {name, "too few examples", "overfitting"}
    assert "49 of 107 mentions" in findings[name]["what"]


# Advice


def one_sided() -> Predictions:
    return Predictions("texts", ["A"] * 50, ["A", "B"] * 25)


def advice(folder: str) -> str:
    """What is advised for a training in this folder, with all faults that name vars."""
    variables = variables_of([ROOT / folder])
    train = to_dataset(comments(300, 1, unlabelled=0.5))
    run = TrainingRun(predictions=one_sided(), train=train, variables=variables)
    findings = [one_label(run), half_labelled(run)]
    return " ".join(finding.remedy for finding in findings if finding)


@pytest.mark.parametrize("noun", NOUNS)
def test_advice_names_only_vars_of_the_workflow_at_hand(noun: str) -> None:
    text = advice(f"training/{noun}/model-best")
    known = var_names(PROJECT["vars"][noun], f"vars.{noun}")
    named = [word.strip(",;)(") for word in text.split() if "vars." in word]
    assert set(named) <= set(known)
    for key in ("max_steps", "learn_rate", "balance", "mask_unmatched"):
        assert (f"vars.{noun}.{key}" in named) == (key in PROJECT["vars"][noun])


def test_advice_names_settings_of_the_config_where_the_workflow_is_not_known() -> None:
    text = advice("somewhere/else")
    assert "vars." not in text
    assert "training.max_steps" in text and "training.optimizer.learn_rate" in text


def test_the_workflow_of_a_training_is_that_of_its_folder() -> None:
    assert workflow_of(ROOT / "training/ner/new/log.jsonl") == "ner"
    assert workflow_of(Path("/home/training/mine/training/ner")) == "ner"
    assert workflow_of(Path("/home/training/mine/log.jsonl")) == ""
    variables = variables_of([Path("/nowhere"), ROOT / "training/ner"])
    assert variables["max_steps"] == "vars.ner.max_steps"


# Logs


def test_a_log_cut_short_counts_as_far_as_it_is_complete(healthy_ner: Path, tmp_path: Path) -> None:
    lines = (healthy_ner / "log.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "log.jsonl").write_text("".join(lines[:6]) + lines[6][:40])
    done = CliRunner().invoke(app, ["examine", "--log", str(tmp_path / "log.jsonl")])
    assert done.exit_code == 0 and "(6 evaluations, to step 50)" in done.output
    assert "note: line 7 is incomplete: only the 6 lines before it count" in done.output


def test_a_log_of_bits(tmp_path: Path) -> None:
    lines = [
        {
            "step": 100 * i,
            "train_bits": 3 / i,
            "dev_bits": 2.0 + 0.2 * i,
            "best": i == 1,
            "text": "",
        }
        for i in range(1, 13)
    ]
    srsly.write_jsonl(tmp_path / "log.jsonl", lines)
    findings = diagnose(tmp_path)
    assert set(findings) == {"overfitting"}
    assert "lowest at step 100 of 1200 (2.2), then 4.1" in findings["overfitting"]["what"]


SPACY_LINE = '{{"step": {}, "losses": {{"ner": 1}}, "scores": {{}}, "score": 0}}\n'
NOT_A_LOG = "not a training log"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("log.jsonl", "", "log.jsonl is empty: the training wrote no evaluation"),
        ("log.jsonl", "step 1 loss 3\n", f"log.jsonl: {NOT_A_LOG}: give spaCy's JSONL"),
        ("log.jsonl", "{}\n[1]\n", f"log.jsonl:2: {NOT_A_LOG}"),
        ("log.jsonl", '{"text": "a"}\n', f"log.jsonl: {NOT_A_LOG}"),
        ("log.jsonl", '{"step": 1}\nx\n{"step": 2}\n', "log.jsonl:2: broken JSON in the middle of"),
        ("log.csv", "a,b\n1,2\n", f"log.csv: {NOT_A_LOG}"),
        ("log.csv", "epoch,loss\n1,zwei\n", f"log.csv: {NOT_A_LOG}"),
        ("log.csv", "epoch,lo", f"log.csv: {NOT_A_LOG}"),
        ("history.json", "[1, 2]", f"history.json: {NOT_A_LOG}"),
        ("history.json", '{"loss": [1.0, ', f"history.json: {NOT_A_LOG}"),
        ("log.jsonl", SPACY_LINE.format("Infinity"), f"log.jsonl: {NOT_A_LOG}"),
        ("log.jsonl", SPACY_LINE.format('"x"'), f"log.jsonl: {NOT_A_LOG}"),
        ("history.json", '{"loss": [1.0], "epoch": [NaN]}', f"history.json: {NOT_A_LOG}"),
        ("history.json", "[" * 200_000, f"history.json: {NOT_A_LOG}"),
    ],
)
def test_what_is_not_a_log(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    done = CliRunner().invoke(app, ["examine", "--log", str(tmp_path / name)])
    assert done.exit_code == 1 and words in done.stderr and done.stderr.count("\n") == 1


# Bad input


def test_nothing_to_look_at() -> None:
    done = CliRunner().invoke(app, ["examine"])
    assert done.exit_code == 1
    assert "nothing to look at: give a training folder, or a log by --log" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["{}/none"], "does not exist: run a training first (python -m weasel run NAME)"),
        (["{}/training/ner"], "does not exist: run a training first (python -m weasel run ner)"),
        (["{}"], "there is no log in"),
        (["--log", "{}/none.jsonl"], "none.jsonl does not exist: check the path"),
        (["--train", "{}/none.spacy"], "none.spacy does not exist: check the path"),
        (["--train", "{}/bad.spacy"], "bad.spacy: not a DocBin, or a damaged one"),
        (["--train", "{}/empty.spacy"], "empty.spacy holds no text"),
        (["--config", "{}/bad.cfg"], "bad.cfg is not a training config"),
        (
            ["--config", "{}/odd.cfg"],
            "odd.cfg is not a training config: a section or setting has the wrong type",
        ),
        (["--model", "{}/bad.keras"], "bad.keras is not a .keras file, or a damaged one"),
        (["--model", "{}/other"], "other': give a folder with a config.cfg"),
        (["--model", "{}/broken"], "broken can't be loaded, train or install it again"),
        (["--model", "{}/broken", "--code", "{}/no.py"], "no.py does not exist: --code takes"),
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
    paths = find_paths(healthy_ner, RunPaths())
    options = ["--model", tmp_path / "model", "--train", paths.train, "--dev", paths.dev]
    done = CliRunner().invoke(app, ["examine", *map(str, options)])
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
    assert "the model can't label the texts: train it, or leave the texts out" in done.stderr


def test_a_folder_with_a_config_needs_no_log(tmp_path: Path) -> None:
    """spaCy ends a training on labels that clash before it writes a log."""
    (tmp_path / "config.cfg").write_text(
        "[training]\nmax_steps = 10\n"
        '[training.optimizer]\n@optimizers = "Adam.v1"\nlearn_rate = 50\n'
    )
    done = CliRunner().invoke(app, ["examine", str(tmp_path)])
    assert done.exit_code == EXIT_SERIOUS
    assert "the highest learning rate is 50" in done.stdout and "not looked at: log" in done.stdout


def test_a_folder_of_trainings_names_them(tmp_path: Path) -> None:
    (tmp_path / "bow").mkdir()
    (tmp_path / "bow" / "log.jsonl").touch()
    done = CliRunner().invoke(app, ["examine", str(tmp_path)])
    assert done.exit_code == 1 and f"give one of {tmp_path / 'bow'}" in done.stderr


def test_in_a_fresh_clone_nothing_is_written(tmp_path: Path) -> None:
    folder, output = tmp_path / "training" / "ner", tmp_path / "doctor"
    done = CliRunner().invoke(app, ["examine", str(folder), "--output", str(output)])
    assert done.exit_code == 1 and "python -m weasel run ner" in done.stderr
    assert not output.exists()


# Output


def test_the_page_holds_findings_curve_and_layers(healthy_ner: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--train", str(healthy_ner / "dev.spacy"), "--output", str(out)]
    done = CliRunner().invoke(app, ["examine", str(healthy_ner), *options])
    assert done.exit_code == EXIT_SERIOUS
    assert "serious: duplicates across splits" in done.output and "Try: " in done.output
    page = (out / "report.html").read_text("utf8")
    for words in ("duplicates across splits", "data:image/png;base64,", "hashembed"):
        assert words in page
    findings = json.loads((out / "findings.json").read_text())["findings"]
    assert findings[0]["name"] == "duplicates across splits"
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_layers_count_every_parameter_once(healthy_ner: Path) -> None:
    done = CliRunner().invoke(app, ["layers", str(healthy_ner)])
    nlp = spacy.load(healthy_ner / "model-best")
    nodes: dict[int, Any] = {}
    for _, pipe in nlp.pipeline:
        nodes |= {node.id: node for node in pipe.model.walk()}  # type: ignore[attr-defined]
    n_parameters = 0
    for node in nodes.values():
        names = filter(node.has_param, node.param_names)
        n_parameters += sum(node.get_param(name).size for name in names)
    assert f"{n_parameters:,}" in done.output and "E (500, 32)" in done.output


COMPONENT_FILES = sorted(COMPONENTS.glob("*.py"))
each_component = pytest.mark.parametrize("file", COMPONENT_FILES, ids=lambda path: path.stem)


@each_component
def test_the_file_of_a_component_is_found_by_each_name_that_it_registers(
    file: Path, tmp_path: Path
) -> None:
    assert registered(file)
    for name in registered(file):
        (tmp_path / "config.cfg").write_text(f'[components.x]\nfactory = "{name}"\n')
        assert component_files(tmp_path) == [file]


@each_component
def test_layers_of_a_pipeline_with_a_component_of_the_project(file: Path, tmp_path: Path) -> None:
    """A new process has to find the file that registers the component."""
    spacy.util.import_file(file.stem, file)
    nlp = spacy.blank("en")
    factories = [name for name in registered(file) if nlp.has_factory(name)]
    if not factories:
        pytest.skip("it registers no component of a pipeline")
    nlp.add_pipe("ner").add_label("X")
    nlp.initialize()
    for name in factories:
        nlp.add_pipe(name)
    nlp.to_disk(tmp_path / "pipeline")
    done = run_module(ROOT, "scripts.doctor", "layers", str(tmp_path / "pipeline"))
    assert done.returncode == 0, done.stderr
    assert "hashembed" in done.stdout


def test_the_log_that_the_project_ships() -> None:
    findings = diagnose(ROOT / "assets" / "doctor" / "diverged")
    assert set(findings) == {"loss does not fall", "learning rate out of range"}


# Settings


@pytest.mark.parametrize("config", sorted(CONFIGS), ids=lambda path: path.name)
def test_the_settings_that_the_project_ships_are_usual(config: Path) -> None:
    settings = from_config(read_config(config))
    assert find_problems(TrainingRun(settings=settings)) == [] and settings.learn_rate
    expected = "linear" if "bow" in config.name else "network"
    assert settings.family == ("transformer" if "trf" in config.name else expected)


TRANSFORMER = {"transformer": {"factory": "transformer"}}
NETWORK = {"ner": {"factory": "ner", "model": {"@architectures": "spacy.Tok2Vec.v2"}}}
LINEAR = {"textcat": {"factory": "textcat", "model": {"@architectures": "spacy.TextCatBOW.v3"}}}


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize(
    ("components", "rate", "severity"),
    [
        (TRANSFORMER, 1e-3, "warning"),
        (TRANSFORMER, 0.01, "serious"),
        (NETWORK, 0.1, "warning"),
        (LINEAR, 0.1, ""),
    ],
)
def test_usual_learning_rates_depend_on_the_model(
    components: dict[str, Any], rate: float, severity: str, schedule: bool
) -> None:
    warm_up = {"@schedules": "warmup_linear.v1", "warmup_steps": 250, "total_steps": 20_000}
    learn_rate = {**warm_up, "initial_rate": rate} if schedule else rate
    optimizer = {"@optimizers": "Adam.v1", "learn_rate": learn_rate}
    block = {"components": components, "training": {"optimizer": optimizer}}
    findings = find_problems(TrainingRun(settings=from_config(block)))
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert all(f"the highest learning rate is {rate:g}" in finding.what for finding in findings)


def test_texts_that_the_batcher_drops() -> None:
    docs = [NLP.make_doc("word " * 3000), *texts(9, 1)]
    batcher = {"@batchers": "spacy.batch_by_padded.v1", "discard_oversize": True, "size": 2000}
    settings = from_config({"training": {"batcher": batcher}})
    findings = find_problems(TrainingRun(settings=settings, train=to_dataset(docs)))
    what = {finding.name: finding.what for finding in findings}["texts cut by max length"]
    assert "10% of the training texts have more than the 2000 tokens that the batcher takes" in what


@pytest.mark.slow
def test_the_workflow_and_the_table_of_figures(trained: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(trained, project)
    done = weasel(project, "doctor")
    assert "training/ner/model-best" in done.stdout
    assert "Look at training/doctor/report.html" in done.stdout and "hashembed" in done.stdout
    assert (project / "training" / "doctor" / "curve.png").exists()
    diverged = ["--vars.doctor.training", "assets/doctor/diverged"]
    done = weasel(project, "doctor-examine", ".", *diverged, check=False)
    assert done.returncode != 0 and "loss does not fall" in done.stdout
    weasel(project, "report")
    assert "patterns alone" in (project / "training" / "report" / "report.md").read_text()
