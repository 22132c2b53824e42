"""Make the shards of a corpus on several processes, and go on where an earlier run stopped.

The shards are cut by the input alone, so that their bytes do not depend on the number of processes. A manifest lists the
finished ones with a fingerprint of what went in; a rerun makes only what is missing.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import srsly

from scripts.corpus import Text
from scripts.files import digest, write_bytes, write_jsonl

SHARD_CHARS = 1_000_000
MANIFEST = "manifest.jsonl"

Shard = tuple[bytes, dict[str, Any]]  # the bytes of a file, and what is to be told of it
MakeShard = Callable[[list[str]], Shard]


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


def _write(path: Path, texts: list[str]) -> dict[str, Any]:
    assert _make_shard is not None
    data, told = _make_shard(texts)
    write_bytes(path, data)
    return {"digest": digest(data), **told}


def _here(function: Callable[..., Any], *args: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(function(*args))
    return future


def make_shards(
    texts: Iterator[list[str]], output: Path, settings: str, n_process: int, prepare: Callable[..., MakeShard], args: tuple[Any, ...]
) -> list[dict[str, Any]]:
    """Write a shard for each lot of texts to `output`, unless an earlier run did.

    Args:
        texts: a lot for each shard; a few are held at a time.
        output: the folder; gets shard-00000.spacy ... and the manifest.
        settings: a fingerprint of all that decides what a shard holds, apart from its texts.
        n_process: processes; -1 for one a core.
        prepare: called with `args` once in each process; gives what makes a shard of texts.

    Returns:
        the manifest's line of each shard, in order.

    Raises:
        ValueError: "a process was killed ...".
    """
    done = {line["file"]: line for line in read_manifest(output) if line.get("settings") == settings and "file" in line}
    n_process = multiprocessing.cpu_count() if n_process < 0 else max(1, n_process)
    waiting: deque[tuple[dict[str, Any], Future[dict[str, Any]] | None]] = deque()
    shards: list[dict[str, Any]] = []
    if n_process == 1:
        _start(prepare, args)
    pool = ProcessPoolExecutor(n_process, initializer=_start, initargs=(prepare, args)) if n_process > 1 else nullcontext()
    with pool as executor, (output / MANIFEST).open("a", encoding="utf8") as manifest:
        submit = executor.submit if executor else _here

        def finish() -> None:
            line, future = waiting.popleft()
            if future is not None:
                line |= future.result()
                manifest.write(srsly.json_dumps(line) + "\n")
                manifest.flush()
            shards.append(line)

        try:
            for number, lot in enumerate(texts):
                path = output / f"shard-{number:05}.spacy"
                line = {"file": path.name, "settings": settings, "input": digest("\0".join(lot).encode("utf8"))}
                old = done.get(path.name, {})
                if old.get("input") == line["input"] and path.exists() and digest(path.read_bytes()) == old["digest"]:
                    waiting.append((old, None))
                else:
                    waiting.append((line, submit(_write, path, lot)))
                if len(waiting) > 2 * n_process:
                    finish()
            while waiting:
                finish()
        except BrokenProcessPool:
            raise ValueError("a process was killed (out of memory?): run again, with fewer (--vars.ner.n_process 1)") from None
    _tidy(output, settings, shards)
    return shards


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The lines of a folder's manifest; one cut short by a kill does not count."""
    path = folder / MANIFEST
    lines = []
    for line in path.read_text("utf8").splitlines() if path.exists() else []:
        try:
            lines.append(srsly.json_loads(line))
        except ValueError:
            continue
    return lines


def finished_shards(folder: Path) -> list[Path]:
    """The shards of a finished run, in order.

    Raises:
        ValueError: "... is not finished", when the run was stopped on the way or never made.
    """
    lines = read_manifest(folder)
    if not lines or not lines[-1].get("finished"):
        raise ValueError(f"{folder} is not finished: run ner-annotate (it continues where it stopped)")
    return [folder / line["file"] for line in lines[:-1]]


def _tidy(output: Path, settings: str, shards: list[dict[str, Any]]) -> None:
    """Write the manifest in order, with its last line, and delete what earlier runs left."""
    write_jsonl(output / MANIFEST, [*shards, {"finished": True, "shards": len(shards), "settings": settings}])
    names = {shard["file"] for shard in shards}
    for file in [*output.glob("shard-*.spacy"), *output.glob(".*.part")]:
        if file.name not in names:
            file.unlink()
