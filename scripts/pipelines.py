"""Load pipelines, and put what `spacy train` made into place."""

import ast
import contextlib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import spacy
import srsly
from spacy.language import Language
from spacy.util import get_lang_class, import_file, is_package

from scripts.files import new_folder, replace_folder

COMPONENTS = Path(__file__).parent / "components"


def load_nlp(name: str) -> Language:
    """A blank pipeline for a language code ("en"), or an installed or saved pipeline.

    Raises:
        ValueError: "no language or pipeline called ...", when it is neither.
    """
    try:
        get_lang_class(name)
    except ImportError:
        remedy = "give a code such as en, an installed pipeline or a folder"
        return load_pipeline(name, remedy, what="language or pipeline")
    try:
        return spacy.blank(name)
    except ImportError as error:  # the tokenizers of some languages are packages of their own
        raise ValueError(f"the language {name!r} needs another package: {error}") from error


def load_pipeline(
    name: str, remedy: str, code: Sequence[Path] = (), what: str = "pipeline"
) -> Language:
    """An installed or saved pipeline. The project's own components that it uses are imported first.

    Args:
        name: a folder, or an installed package.
        remedy: what to do if there is no such pipeline, for the error.
        code: more files with registered functions, as spaCy's --code takes them.
        what: what is missing, for the error.

    Raises:
        ValueError: "no WHAT called ...", "... can't be loaded ...", and what `import_code` raises.
    """
    folder = Path(name)
    if not (folder / "config.cfg").is_file() and not is_package(name):
        raise ValueError(f"no {what} called {name!r}: {remedy}")
    import_code([*code, *component_files(folder)])
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return spacy.load(name)
    except Exception as error:  # damaged files raise whatever their readers raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(f"{name} can't be loaded, train or install it again: {reason}") from error


def import_code(files: Iterable[Path]) -> None:
    """Import files with registered functions, as spaCy's --code does.

    Raises:
        ValueError: "... does not exist ..." or "... can't be imported ...".
    """
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file} does not exist: --code takes files with registered functions")
        try:
            import_file(file.stem, file)
        except Exception as error:  # whatever the file raises, or a library that it needs
            reason = error or type(error).__name__
            raise ValueError(f"{file} can't be imported: fix it ({reason})") from error


def component_files(folder: Path) -> list[Path]:
    """The files of scripts/components that register what the config of a saved pipeline names.

    A component may hold a pipeline of its own: the configs in subfolders count too.
    """
    configs = "".join(path.read_text("utf8") for path in sorted(folder.rglob("config.cfg")))
    names = set(re.findall(r'"([^"\n]*)"', configs))
    return [file for file in sorted(COMPONENTS.glob("*.py")) if names & {*registered(file)}]


def registered(file: Path) -> list[str]:
    """The names under which a file registers its functions, which its decorators have."""
    tree = ast.parse(file.read_text("utf8"))
    names = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            calls = [call for call in node.decorator_list if isinstance(call, ast.Call)]
            arguments = map(_name_argument, calls)
            names += [part.value for part in arguments if isinstance(part, ast.Constant)]
    return [name for name in names if isinstance(name, str)]


def _name_argument(call: ast.Call) -> ast.expr | None:
    """The first argument of a decorator, or the one called `name`."""
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "name"), None)


def best_model(new: Path) -> Path:
    """The folder of the best model in the output folder of `spacy train`.

    Raises:
        ValueError: "... holds no trained model ...".
    """
    if not (new / "model-best").exists():
        raise ValueError(f"{new} holds no trained model: run the training first")
    return new / "model-best"


def install_training(new: Path, folder: Path, nlp: Language | None = None) -> None:
    """Move the output of `spacy train` into place: FOLDER/pipeline and FOLDER/log.jsonl.

    Args:
        new: the output folder of `spacy train`, with model-best and log.jsonl.
        folder: keeps its earlier pipeline until the new one is complete.
        nlp: the pipeline to save; None for model-best as it is.

    Raises:
        ValueError: as `best_model` does.
    """
    best = best_model(new)
    folder.mkdir(parents=True, exist_ok=True)
    if nlp is None:
        replace_folder(best, folder / "pipeline")
    else:
        save_pipeline(nlp, folder / "pipeline", best)
    (new / "log.jsonl").replace(folder / "log.jsonl")


def save_pipeline(nlp: Language, folder: Path, source: Path) -> None:
    """Save a pipeline in one step; its vectors keep the attribute that they have in `source`."""
    with new_folder(folder) as part:
        nlp.to_disk(part)
        keep_vectors_attr(part, source)


def keep_vectors_attr(pipeline: Path, source: Path) -> None:
    """Write down again the attribute (ORTH, LOWER) by which a saved pipeline looks vectors up.

    spaCy reads it, but leaves it out when it saves.

    Args:
        pipeline: the folder of the pipeline.
        source: the folder that has it, of vectors or of a pipeline; any other path changes nothing.
    """
    here, there = (folder / "vocab" / "vectors.cfg" for folder in (pipeline, source))
    if here.exists() and there.exists() and "attr" in (config := srsly.read_json(there)):
        srsly.write_json(here, config)


def describe_vectors(name: str, remedy: str) -> dict[str, Any]:
    """Name, shape and checksum of the static vectors of a pipeline or a vectors folder.

    Args:
        name: a folder, or an installed package.
        remedy: what to do if there are none, for the error.

    Raises:
        ValueError: "no static vectors called ...", "... has no static vectors ...".
    """
    table = load_pipeline(name, remedy, what="static vectors").vocab.vectors
    if not table.size:
        raise ValueError(f"{name!r} has no static vectors: {remedy}")
    checksum = crc32(srsly.msgpack_dumps(table.key2row), crc32(table.data.tobytes(), table.attr))
    return {"name": name, "rows": table.shape[0], "width": table.shape[1], "crc32": checksum}
