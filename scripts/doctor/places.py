"""Where a training left what: found by the project's habits, or given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.util import load_config

LOGS = ("log.jsonl", "new/log.jsonl", "history.json", "history.csv", "log.csv")
MODELS = ("model-best", "new/model-best", "pipeline")


@dataclass(frozen=True)
class Places:
    """Paths to what there is; None for what there is not."""

    log: Path | None = None
    model: Path | None = None
    config: Path | None = None
    train: Path | None = None
    dev: Path | None = None


def find(folder: Path | None, given: Places) -> Places:
    """Fill in what was not given from a training folder.

    The log is FOLDER/log.jsonl or new/log.jsonl (a Keras history: history.json, history.csv, log.csv), the model model-best,
    new/model-best, pipeline or a .keras file, the config its config.cfg, and train and dev what that config's [paths] name. A pipeline
    that was put together after the training (update, opinions) has a config of another training: its `paths.log` tells.

    Raises:
        ValueError: "... does not exist ...", "there is no log in ...", "nothing to look at ...".
    """
    for path in (given.log, given.model, given.config, given.train, given.dev):
        if path and not path.exists():
            raise ValueError(
                f"{path} does not exist: check the path (it is read from the project's folder)"
            )
    if folder is None:
        if given == Places():
            raise ValueError("nothing to look at: give a training folder, or a log by --log")
        return _complete(given, None)
    if not folder.is_dir():
        raise ValueError(
            f"{folder} does not exist: run a training first (python -m weasel run ner), or name another by vars.doctor.training"
        )
    log = given.log or next((folder / name for name in LOGS if (folder / name).is_file()), None)
    if log is None and not (folder / "config.cfg").is_file():
        below = sorted(str(path.parent) for path in folder.glob("*/log.jsonl"))
        other = (
            f"give one of {', '.join(below)}" if below else "train first, or give a log by --log"
        )
        raise ValueError(f"there is no log in {folder} ({', '.join(LOGS)}): {other}")
    model = given.model or model_of(folder)
    return _complete(Places(log, model, given.config, given.train, given.dev), folder)


def model_of(folder: Path) -> Path | None:
    """The model that a training folder holds: a pipeline of that training, or a .keras file in it or in its folder `model`."""
    own = [
        folder / name
        for name in MODELS
        if (folder / name / "config.cfg").exists()
        and (name != "pipeline" or _is_of(folder / name, folder))
    ]
    return next(
        iter([*own, *sorted(folder.glob("*.keras")), *sorted(folder.glob("model/*.keras"))]), None
    )


def _complete(places: Places, folder: Path | None) -> Places:
    """Add the config of the model, and the texts that the config names."""
    config = places.config
    for parent in (places.model, folder):
        if config is None and parent and (parent / "config.cfg").is_file():
            config = parent / "config.cfg"
    paths = _paths(config)
    train, dev = (
        given or paths.get(name) for given, name in ((places.train, "train"), (places.dev, "dev"))
    )
    return Places(places.log, places.model, config, train, dev)


def _raw_paths(config: Path | None) -> dict[str, Any]:
    try:
        return dict(load_config(config, interpolate=False).get("paths", {})) if config else {}
    except Exception:  # read_config says what is wrong with it
        return {}


def _paths(config: Path | None) -> dict[str, Path]:
    """The texts that a config names, where they are there."""
    found = {
        name: Path(path)
        for name, path in _raw_paths(config).items()
        if isinstance(path, str) and path
    }
    return {
        name: path for name, path in found.items() if name in ("train", "dev") and path.exists()
    }


def _is_of(pipeline: Path, folder: Path) -> bool:
    """Whether the config of a pipeline is that of the training in this folder, or says nothing of that."""
    log = _raw_paths(pipeline / "config.cfg").get("log")
    return not isinstance(log, str) or {part.resolve() for part in Path(log).parents} >= {
        folder.resolve()
    }
