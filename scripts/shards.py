"""Make the shards of a corpus on several processes, and go on where an earlier run stopped.

The shards are cut by the input alone, so that their bytes do not depend on the number of processes. Beside each finished
one lies a JSON file with a fingerprint of what went in; a rerun makes only what is missing. manifest.json closes the run.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import srsly

from scripts.files import digest, write_bytes, write_json
from scripts.reading import Text

SHARD_CHARS = 1_000_000
MANIFEST = "manifest.json"

Shard = tuple[bytes, dict[str, Any]]  # the bytes of a file, and what is to be told of it
MakeShard = Callable[[Any], Shard]
Lot = Sequence[
    str | int
]  # what a shard is made of: texts, or the bytes of a file between which to read


def lots(texts: Iterable[Text], n_texts: int) -> Iterator[list[str]]:
    """Texts in lots for a shard each: `n_texts` of them, or fewer where they are long."""
    lot: list[str] = []
    chars = 0
    for text in texts:
        lot.append(text.text)
        chars += len(text.text)
        if len(lot) >= n_texts or chars >= SHARD_CHARS:
            yield lot
            lot, chars = [], 0
    if lot:
        yield lot


_make_shard: MakeShard | None = None  # what this process makes shards with


def _start(prepare: Callable[..., MakeShard], args: tuple[Any, ...]) -> None:
    global _make_shard
    _make_shard = prepare(*args)


def _write(path: Path, lot: Lot) -> dict[str, Any]:
    assert _make_shard is not None
    data, told = _make_shard(lot)
    write_bytes(path, data)
    return {"digest": digest(data), **told}


def _here(function: Callable[..., Any], *args: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(function(*args))
    return future


def make_shards(
    all_lots: Iterable[Lot],
    output: Path,
    settings: str,
    n_process: int,
    prepare: Callable[..., MakeShard],
    args: tuple[Any, ...],
    suffix: str = ".spacy",
    noun: str = "ner",
) -> Generator[dict[str, Any], None, None]:
    """Write a shard for each lot to `output`, unless an earlier run did.

    Args:
        all_lots: a lot for each shard; a few are held at a time.
        output: the folder; gets shard-00000.spacy and shard-00000.json ..., and manifest.json at the end.
        settings: a fingerprint of all that decides what a shard holds, apart from its lot.
        n_process: processes; -1 for one a core.
        prepare: called with `args` once in each process; gives what makes a shard of a lot.
        suffix: of the shards.
        noun: the workflow, for its var n_process.

    Yields:
        what is to be told of each shard, in order.

    Raises:
        ValueError: "a process was killed ...".
    """
    (output / MANIFEST).unlink(missing_ok=True)
    n_process = multiprocessing.cpu_count() if n_process < 0 else max(1, n_process)
    waiting: deque[tuple[Path, dict[str, Any], Future[dict[str, Any]] | None]] = deque()
    n_shards = 0
    if n_process == 1:
        _start(prepare, args)
    pool = (
        ProcessPoolExecutor(n_process, initializer=_start, initargs=(prepare, args))
        if n_process > 1
        else nullcontext()
    )
    try:
        with pool as executor:
            submit = executor.submit if executor else _here
            for lot in all_lots:
                path = output / f"shard-{n_shards:05}{suffix}"
                n_shards += 1
                about = {
                    "settings": settings,
                    "input": digest("\0".join(map(str, lot)).encode("utf8")),
                }
                made = _made_before(path, about)
                waiting.append(
                    (path, made, None) if made else (path, about, submit(_write, path, lot))
                )
                if len(waiting) > 2 * n_process:
                    yield _finish(*waiting.popleft())
            while waiting:
                yield _finish(*waiting.popleft())
    except BrokenProcessPool:
        raise ValueError(
            f"a process was killed (out of memory?): run again, with fewer (--vars.{noun}.n_process 1)"
        ) from None
    _tidy(output, n_shards, suffix)


def _made_before(path: Path, about: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run told of a shard, if it is there, whole, and made of the same; else nothing."""
    beside = path.with_suffix(".json")
    try:
        told: dict[str, Any] = srsly.read_json(beside)
    except ValueError:
        return {}
    same = path.exists() and all(told.get(key) == value for key, value in about.items())
    return told if same and digest(path.read_bytes()) == told["digest"] else {}


def _finish(
    path: Path, about: dict[str, Any], future: "Future[dict[str, Any]] | None"
) -> dict[str, Any]:
    if future is not None:
        about |= future.result()
        write_json(path.with_suffix(".json"), about)
    return about


def finished_shards(folder: Path) -> list[Path]:
    """The shards of a finished run, in order.

    Raises:
        ValueError: "... is not finished", when the run was stopped on the way or never made.
    """
    if not (folder / MANIFEST).exists():
        raise ValueError(
            f"{folder} is not finished: run ner-annotate (it continues where it stopped)"
        )
    return [folder / name for name in srsly.read_json(folder / MANIFEST)["shards"]]


def _tidy(output: Path, n_shards: int, suffix: str) -> None:
    """Delete what earlier runs left, and say in the manifest that the run is finished."""
    names = [f"shard-{number:05}{suffix}" for number in range(n_shards)]
    kept = {*names, *(Path(name).with_suffix(".json").name for name in names)}
    for file in [*output.glob("shard-*"), *output.glob(".*.part")]:
        if file.name not in kept:
            file.unlink()
    write_json(output / MANIFEST, {"shards": names})
