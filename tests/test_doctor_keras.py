"""The doctor on Keras: histories, .keras files, layers."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly
from typer.testing import CliRunner

from scripts.doctor.__main__ import app
from scripts.doctor.keras_settings import read_keras_settings
from scripts.doctor.logs import read_log
from tests.conftest import ROOT
from tests.fixtures_doctor import Findings, diagnose

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
ROWS, DEV = 300, 100
X = np.random.default_rng(0).normal(size=(ROWS, 8)).astype("f4")
POSITIVE = (X[:, 0] + X[:, 1] > 0).astype("f4")
SEVERAL = (X[:, :3] > 0).astype("f4")
NOISE = np.random.default_rng(1).integers(0, 2, ROWS).astype("f4")


@dataclass(frozen=True)
class Training:
    folder: Path
    findings: Findings


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Training]:
    """Fit a network with one hidden layer, save its history and the model, and diagnose them."""

    def run(
        y: Any,
        optimizer: Any,
        activation: str = "sigmoid",
        loss: str = "binary_crossentropy",
        **sizes: int,
    ) -> Training:
        folder = tmp_path_factory.mktemp("keras")
        keras.utils.set_random_seed(0)
        units = 1 if y.ndim == 1 else y.shape[1]
        layers = [
            keras.layers.Input((8,)),
            keras.layers.Dense(sizes.get("hidden", 16), "relu"),
            keras.layers.Dense(units, activation),
        ]
        model = keras.Sequential(layers)
        model.compile(optimizer, loss, metrics=["accuracy"])
        log = keras.callbacks.CSVLogger(folder / "history.csv")
        epochs, dev = sizes.get("epochs", 12), (X[-DEV:], y[-DEV:])
        done = model.fit(
            X[:-DEV], y[:-DEV], validation_data=dev, epochs=epochs, verbose=0, callbacks=[log]
        )
        model.save(folder / "model.keras")
        (folder / "history.json.txt").write_text(json.dumps(done.history))
        return Training(folder, diagnose(folder))

    return run


@pytest.fixture(scope="module")
def healthy(fit: Callable[..., Training]) -> Training:
    return fit(POSITIVE, keras.optimizers.Adam(0.01))


def test_nothing_is_found_in_a_healthy_training(healthy: Training) -> None:
    assert healthy.findings == {}


def test_the_history_as_json_is_the_same(healthy: Training, tmp_path: Path) -> None:
    (healthy.folder / "history.json.txt").rename(tmp_path / "history.json")
    from_csv, from_json = (
        read_log(healthy.folder / "history.csv"),
        read_log(tmp_path / "history.json"),
    )
    assert from_csv.unit == "epoch" and from_csv.score == from_csv.scores["val_accuracy"]
    assert np.allclose(from_csv.dev_losses, from_json.dev_losses) and np.allclose(
        from_csv.losses["loss"], from_json.losses["loss"]
    )


def test_a_loss_that_is_no_number(fit: Callable[..., Training]) -> None:
    findings = fit(POSITIVE, keras.optimizers.SGD(1e20)).findings
    assert set(findings) == {"NaN or exploding loss", "learning rate out of range"}
    assert "12 of 12 evaluations, first at epoch 0" in findings["NaN or exploding loss"]["what"]
    assert (
        "is 1e+20 (SGD, keras), usual is 0.0001 to 1"
        in findings["learning rate out of range"]["what"]
    )


def test_a_loss_that_grows(tmp_path: Path) -> None:
    srsly.write_jsonl(
        tmp_path / "log.jsonl",
        [{"epoch": i, "loss": 10.0 ** (i - 1), "val_loss": 1.0} for i in range(6)],
    )
    findings = diagnose("--log", tmp_path / "log.jsonl")
    assert (
        findings["NaN or exploding loss"]["what"]
        == "the loss loss grew from 0.1 at the start to 5.5e+03 in the last third"
    )


def test_noise_is_learned_by_heart(fit: Callable[..., Training]) -> None:
    findings = fit(NOISE, keras.optimizers.Adam(0.01), epochs=20, hidden=256).findings
    assert "overfitting" in findings and set(findings) <= {
        "overfitting",
        "loss falls, score does not",
    }
    assert "the loss on dev was lowest at epoch" in findings["overfitting"]["what"]


def test_a_softmax_with_the_loss_of_several_labels(fit: Callable[..., Training]) -> None:
    findings = fit(SEVERAL, keras.optimizers.Adam(0.01), activation="softmax").findings
    assert set(findings) == {"output does not fit the labels"}
    assert (
        "a softmax over 3 units, but the loss binary_crossentropy"
        in findings["output does not fit the labels"]["what"]
    )


@pytest.mark.parametrize(
    ("units", "activation", "loss", "words"),
    [
        (
            3,
            "sigmoid",
            "categorical_crossentropy",
            "a sigmoid for each of 3 units, but the loss categorical_crossentropy",
        ),
        (
            3,
            "softmax",
            keras.losses.BinaryCrossentropy(),
            "a softmax over 3 units, but the loss binary_crossentropy",
        ),
        (1, "softmax", "binary_crossentropy", "a softmax over one unit, which is always 1"),
        (3, "softmax", keras.losses.CategoricalCrossentropy(), ""),
        (3, "sigmoid", "binary_crossentropy", ""),
        (1, "linear", "mse", ""),
        (
            3,
            "softmax",
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "categorical_crossentropy has from_logits",
        ),
        (
            3,
            "sigmoid",
            keras.losses.CategoricalCrossentropy(name="cce"),
            "a sigmoid for each of 3 units, but the loss categorical_crossentropy",
        ),
        (3, "linear", keras.losses.SparseCategoricalCrossentropy(from_logits=True), ""),
        (3, "softmax", ["binary_crossentropy", "mse"], ""),  # of several outputs
    ],
)
def test_which_activation_goes_with_which_loss(
    tmp_path: Path, units: int, activation: str, loss: Any, words: str
) -> None:
    model = keras.Sequential(
        [keras.layers.Input((8,)), keras.layers.Dense(units), keras.layers.Activation(activation)]
    )
    if isinstance(loss, list):
        given = keras.layers.Input((8,))
        model = keras.Model(
            given,
            [keras.layers.Dense(1, "sigmoid")(given), keras.layers.Dense(units, activation)(given)],
        )
    model.compile("adam", loss)
    model.save(tmp_path / "model.keras")
    findings = diagnose("--model", tmp_path / "model.keras")
    assert words in findings["output does not fit the labels"]["what"] if words else findings == {}


def test_the_rate_that_a_schedule_warms_up_to(tmp_path: Path) -> None:
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 100, warmup_target=1e-3, warmup_steps=20)
    model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(schedule), "mse")
    model.save(tmp_path / "model.keras")
    assert diagnose("--model", tmp_path / "model.keras") == {}


@pytest.mark.parametrize(
    ("history", "names"),
    [
        ({"loss": [1 / (i + 1) for i in range(10)]}, set()),  # without validation
        (
            {"loss": [0.6, 0.4, 0.3, 0.2, 0.1], "val_accuracy": [0.74, 0.76, 0.77, 0.77, 0.78]},
            set(),
        ),
        (
            {
                "loss": [0.31, 0.3, 0.29, 0.288, 0.286],
                "val_accuracy": [0.868, 0.87, 0.872, 0.875, 0.875],
            },
            set(),
        ),
        (
            {
                "loss": [1, 0.7, 0.4, 0.2],
                "val_top_k_categorical_accuracy": [0.5] * 4,
                "val_accuracy": [0.3, 0.5, 0.6, 0.7],
            },
            set(),
        ),
        (
            {"loss": [1, 0.7, 0.4, 0.2], "val_accuracy": [0.5, 0.49, 0.52, 0.5]},
            {"loss falls, score does not"},
        ),
        (
            {"loss": [0.6, 0.4, 0.3, 0.1, 0.03], "val_loss": [0.51, 0.52, 0.58, 0.66, 0.75]},
            {"overfitting"},
        ),
        ({"loss": [1, 0.7, 0.4, 0.2], "val_accuracy": [None] * 4}, set()),
    ],
)
def test_short_histories(
    tmp_path: Path, history: dict[str, list[float | None]], names: set[str]
) -> None:
    """A score after a whole first epoch may be a good one already."""
    srsly.write_json(tmp_path / "history.json", history)
    assert set(diagnose("--log", tmp_path / "history.json")) == names


@pytest.mark.parametrize(
    "config",
    [
        b"{}",
        b"[]",
        b'{"config": null}',
        b'{"config": {"layers": [1]}}',
        b'{"config": {}, "compile_config": 3}',
    ],
)
def test_a_keras_file_of_another_shape_is_one_line(tmp_path: Path, config: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(ValueError, match=r"model.keras is not a .keras file, or a damaged one"):
        read_keras_settings(tmp_path / "model.keras")


def test_a_csv_cut_short_counts_as_far_as_it_is_whole(healthy: Training, tmp_path: Path) -> None:
    text = (healthy.folder / "history.csv").read_text()
    (tmp_path / "history.csv").write_text(text[:-5])
    curve = read_log(tmp_path / "history.csv")
    assert len(curve.steps) == 11 and curve.notes == [
        "line 13 is incomplete: only the 11 epochs before it count"
    ]


def test_layers_of_a_keras_file(healthy: Training) -> None:
    done = CliRunner().invoke(app, ["layers", str(healthy.folder / "model.keras")])
    assert "(any, 16)" in done.output and "(Dense)" in done.output
    assert f"{8 * 16 + 16:,}" in done.output and f"{8 * 16 + 16 + 16 + 1}" in done.output


def test_layers_with_several_outputs_and_of_a_folder_that_holds_its_model_in_another(
    tmp_path: Path,
) -> None:
    keras = pytest.importorskip("keras")
    given, state = keras.layers.Input((None,)), keras.layers.Input((5,))
    hidden, after = keras.layers.GRU(5, return_sequences=True, return_state=True)(
        keras.layers.Embedding(7, 3)(given), initial_state=[state]
    )
    (tmp_path / "model").mkdir()
    keras.Model([given, state], [hidden, after]).save(tmp_path / "model" / "model.keras")
    done = CliRunner().invoke(app, ["layers", str(tmp_path)])
    assert (
        "(any, any, 5), (any, 5)" in done.output and f"{7 * 3 + 3 * 5 * (3 + 5 + 2)}" in done.output
    )
    (tmp_path / "model" / "model.keras").write_bytes(b"no model")
    done = CliRunner().invoke(app, ["layers", str(tmp_path)])
    assert done.exit_code == 1 and "model.keras can't be loaded" in done.output


def test_nothing_heavy_is_imported_for_findings(healthy: Training) -> None:
    heavy = ("tensorflow", "keras", "sklearn", "matplotlib")
    program = (
        "import sys\nfrom scripts.doctor.__main__ import examine\n"
        f"examine({str(healthy.folder)!r})\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
