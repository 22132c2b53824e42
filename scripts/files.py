"""Write files and folders whole or not at all, and turn bad input into one line on stderr.

Every command imports this module, so it imports nothing that takes long.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from scripts.overrides import check_overrides

if TYPE_CHECKING:
    from tqdm import tqdm

P = ParamSpec("P")
R = TypeVar("R")


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Make a command end with one line on stderr and exit code 1 if its input is bad.

    Bad input is a ValueError, an OSError, or input that is too large for memory. The vars on
    weasel's command line are checked first.
    """

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            check_overrides()
            return command(*args, **kwargs)
        except (ValueError, OSError, MemoryError) as error:
            print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
            raise SystemExit(1) from None

    return wrapper


def sibling(path: Path) -> Path:
    """The temporary name, in the same folder, under which a file or folder is first written."""
    return path.with_name(f".{path.name}.part")


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write that replaces `path` when the block ends without an error.

    A kill at any moment leaves either the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = sibling(path)
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        remove(part)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step."""
    with replacing(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Like `write_bytes`, for text (UTF-8)."""
    write_bytes(path, text.encode("utf8"))


def write_json(path: Path, data: Any) -> None:
    """Like `write_bytes`, for JSON; the order of keys is kept."""
    import srsly

    write_text(path, srsly.json_dumps(data, indent=2) + "\n")


def write_jsonl(path: Path, lines: Iterable[Any]) -> None:
    """Like `write_bytes`, for JSONL."""
    import srsly

    write_text(path, "".join(srsly.json_dumps(line) + "\n" for line in lines))


def check_new_folder(path: Path, marker: str = "") -> None:
    """Check that `new_folder` may replace what is there. Call it before long work.

    Raises:
        ValueError: "... is a file ..." or "... holds other things ...".
    """
    if path.is_file():
        raise ValueError(f"{path} is a file: give a folder, which will be created")
    if marker and path.exists() and any(path.iterdir()) and not (path / marker).exists():
        reason = "holds other things than what is to be written"
        raise ValueError(f"{path} {reason}: give another folder")


@contextmanager
def new_folder(path: Path, marker: str = "") -> Iterator[Path]:
    """A folder to fill that replaces `path` when the block ends without an error.

    After an error `path` is as it was.

    Args:
        path: the folder.
        marker: a file that every folder of this kind has; a folder without it is not replaced.

    Raises:
        ValueError: as `check_new_folder` does.
    """
    check_new_folder(path, marker)
    part = sibling(path)
    remove(part)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        remove(part)
        raise
    replace_folder(part, path)


def replace_folder(new: Path, path: Path) -> None:
    """Move a folder to `path`, and delete the folder that was there.

    A kill between the two renames leaves the old folder as `.NAME.old`; `restore_folder` brings it
    back.
    """
    old = path.with_name(f".{path.name}.old")
    restore_folder(path)
    if path.exists():
        os.replace(path, old)
    os.replace(new, path)
    remove(old)


def restore_folder(path: Path) -> None:
    """Undo a `replace_folder` that was killed between its two renames."""
    old = path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():
        os.replace(old, path)
    remove(old)


def split_paths(values: Iterable[str] | None) -> list[Path]:
    """Comma-separated paths, in one or more strings: how a var holds several. Skips empty ones."""
    names = ",".join(values or ()).split(",")
    return [Path(name.strip()) for name in names if name.strip()]


def need(module: str, extra: str) -> Any:
    """A module of a package that only some workflows need.

    Raises:
        ValueError: "... is not installed: pip install -r requirements-EXTRA.txt ...".
    """
    try:
        return import_module(module)
    except ImportError:
        package = module.split(".")[0]
        command = f"pip install -r requirements-{extra}.txt -c constraints.txt"
        raise ValueError(f"{package} is not installed: {command}") from None


def digest(data: bytes) -> str:
    """A short fingerprint of bytes (BLAKE2b, 16 bytes, hexadecimal)."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class _PlainLines:
    """A stream for tqdm that is not a terminal: each state of the bar becomes a line."""

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(text.strip("\r\n ") + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(title: str, total: int | None, unit: str) -> "tqdm[Any]":
    """A bar with rate and time left on a terminal, or a plain line every ten seconds in a log."""
    from tqdm import tqdm

    scale = {"unit_scale": True, "unit_divisor": 1024 if unit == "B" else 1000}
    if sys.stderr.isatty():
        return tqdm(desc=title, total=total, unit=unit, leave=False, **scale)
    plain = {"file": _PlainLines(), "mininterval": 10, "delay": 10, "ncols": 80, "ascii": True}
    return tqdm(desc=title, total=total, unit=unit, **plain, **scale)
