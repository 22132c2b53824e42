"""The files of a training: found in its folder, or named by options."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spacy.util import load_config

from scripts.doctor.workflow import workflow_of

LOGS = ("log.jsonl", "new/log.jsonl", "history.json", "history.csv", "log.csv")
MODELS = ("model-best", "new/model-best", "pipeline")


@dataclass(frozen=True)
class RunPaths:
    """Paths to the files of a training; None for what there is not."""

    log: Path | None = None
    model: Path | None = None
    config: Path | None = None
    train: Path | None = None
    dev: Path | None = None


def find_paths(folder: Path | None, options: RunPaths) -> RunPaths:
    """Complete the paths of the options by those in a training folder.

    The log is FOLDER/log.jsonl or new/log.jsonl (of Keras: history.json, history.csv, log.csv), the
    model is model-best, new/model-best, pipeline or a .keras file, the config is its config.cfg;
    train and dev are what the config's [paths] name. A pipeline that was assembled after the
    training may have the config of another training: its `paths.log` says so.

    Raises:
        ValueError: "... does not exist ...", "there is no log in ...", "nothing to look at ...".
    """
    for path in vars(options).values():
        if path and not path.exists():
            remedy = "check the path (relative paths start in the project's folder)"
            raise ValueError(f"{path} does not exist: {remedy}")
    if folder is None:
        if options == RunPaths():
            raise ValueError("nothing to look at: give a training folder, or a log by --log")
        return _complete(options, None)
    if not folder.is_dir():
        command = f"python -m weasel run {workflow_of(folder) or 'NAME'}"
        remedy = f"run a training first ({command}), or name another by vars.doctor.training"
        raise ValueError(f"{folder} does not exist: {remedy}")
    log = options.log or _log_in(folder)
    return _complete(replace(options, log=log, model=options.model or model_in(folder)), folder)


def _log_in(folder: Path) -> Path | None:
    """The log in a training folder; None if there is at least a config."""
    for name in LOGS:
        if (folder / name).is_file():
            return folder / name
    if (folder / "config.cfg").is_file():
        return None
    below = sorted(str(path.parent) for path in folder.glob("*/log.jsonl"))
    remedy = f"give one of {', '.join(below)}" if below else "train first, or give a log by --log"
    raise ValueError(f"there is no log in {folder} ({', '.join(LOGS)}): {remedy}")


def model_in(folder: Path) -> Path | None:
    """The model in a training folder: a pipeline of that training, or a .keras file.

    The .keras file may be in the folder `model` below.
    """
    for name in MODELS:
        pipeline = folder / name
        is_own = name != "pipeline" or _was_trained_in(folder, pipeline)
        if (pipeline / "config.cfg").exists() and is_own:
            return pipeline
    files = [*sorted(folder.glob("*.keras")), *sorted(folder.glob("model/*.keras"))]
    return next(iter(files), None)


def _complete(paths: RunPaths, folder: Path | None) -> RunPaths:
    """Add the config of the model, and the texts that the config names."""
    config = paths.config
    for parent in (paths.model, folder):
        if config is None and parent and (parent / "config.cfg").is_file():
            config = parent / "config.cfg"
    texts = _texts(config)
    train, dev = paths.train or texts.get("train"), paths.dev or texts.get("dev")
    return replace(paths, config=config, train=train, dev=dev)


def paths_section(config: Path | None) -> dict[str, Any]:
    """The [paths] of a config; empty if it cannot be read, which `read_config` reports."""
    if config is None:
        return {}
    try:
        return dict(load_config(config, interpolate=False).get("paths", {}))
    except Exception:
        return {}


def _texts(config: Path | None) -> dict[str, Path]:
    """The texts that a config names, if they exist."""
    section = paths_section(config)
    named = {name: section.get(name) for name in ("train", "dev")}
    texts = {name: Path(path) for name, path in named.items() if path and isinstance(path, str)}
    return {name: path for name, path in texts.items() if path.exists()}


def _was_trained_in(folder: Path, pipeline: Path) -> bool:
    """Whether a pipeline's config is that of the training in a folder, or does not say."""
    log = paths_section(pipeline / "config.cfg").get("log")
    return not isinstance(log, str) or Path(log).resolve().is_relative_to(folder.resolve())
