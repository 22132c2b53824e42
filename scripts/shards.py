"""Make the shards of a corpus on several processes, and continue where an earlier run stopped.

The input alone decides where one shard ends and the next begins, so that the bytes of the shards do
not depend on the number of processes. Next to each finished shard is a JSON file with a digest of
its input; a rerun makes only the shards that are missing. manifest.json is written last.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

import srsly

from scripts.files import digest, write_bytes, write_json
from scripts.reading import Text

SHARD_CHARS = 1_000_000
MANIFEST = "manifest.json"

Summary: TypeAlias = dict[str, Any]
Shard: TypeAlias = tuple[bytes, Summary]  # the bytes of the file, and facts about it
Chunk: TypeAlias = Sequence[str | int]  # the input of one shard: texts, or byte offsets of a file
MakeShard: TypeAlias = Callable[[Any], Shard]


def text_chunks(texts: Iterable[Text], n_texts: int) -> Iterator[list[str]]:
    """Texts in chunks, one for each shard: `n_texts` of them, or fewer if they are long."""
    chunk: list[str] = []
    chars = 0
    for text in texts:
        chunk.append(text.text)
        chars += len(text.text)
        if len(chunk) >= n_texts or chars >= SHARD_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


_make_shard: MakeShard | None = None  # set once in each process by _start


def _start(prepare: Callable[..., MakeShard], args: tuple[Any, ...]) -> None:
    global _make_shard
    _make_shard = prepare(*args)


def _write(path: Path, chunk: Chunk) -> Summary:
    assert _make_shard is not None
    data, summary = _make_shard(chunk)
    write_bytes(path, data)
    return {"digest": digest(data), **summary}


class _ThisProcess:
    """An executor that runs each call at once, in this process."""

    def submit(self, function: Callable[..., Any], *args: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(function(*args))
        return future


def _executor(
    n_process: int, prepare: Callable[..., MakeShard], args: tuple[Any, ...]
) -> AbstractContextManager[Executor | _ThisProcess]:
    if n_process > 1:
        return ProcessPoolExecutor(n_process, initializer=_start, initargs=(prepare, args))
    _start(prepare, args)
    return nullcontext(_ThisProcess())


def make_shards(
    chunks: Iterable[Chunk],
    output: Path,
    settings: str,
    n_process: int,
    prepare: Callable[..., MakeShard],
    args: tuple[Any, ...],
    suffix: str = ".spacy",
) -> Generator[Summary, None, None]:
    """Write a shard for each chunk to `output`, unless an earlier run did.

    Args:
        chunks: the input of each shard; a few are held in memory at a time.
        output: gets shard-00000.spacy, shard-00000.json and so on, and manifest.json at the end.
        settings: a digest of all other input: of what decides the content of a shard.
        n_process: number of processes; -1 for one per core.
        prepare: called with `args` once in each process; returns the function that makes a shard.
        args: arguments of `prepare`.
        suffix: file name suffix of the shards.

    Yields:
        the summary of each shard, in order.

    Raises:
        ValueError: "a process was killed ...".
    """
    (output / MANIFEST).unlink(missing_ok=True)
    n_process = multiprocessing.cpu_count() if n_process < 0 else max(1, n_process)
    waiting: deque[tuple[Path, Summary, Future[Summary] | None]] = deque()
    n_shards = 0
    try:
        with _executor(n_process, prepare, args) as executor:
            for chunk in chunks:
                path = output / f"shard-{n_shards:05}{suffix}"
                n_shards += 1
                waiting.append(_submit(executor, path, settings, chunk))
                if len(waiting) > 2 * n_process:
                    yield _finish(*waiting.popleft())
            while waiting:
                yield _finish(*waiting.popleft())
    except BrokenProcessPool:
        remedy = "run again with fewer processes (n_process 1); it continues where it stopped"
        raise ValueError(f"a process was killed (out of memory?): {remedy}") from None
    _tidy(output, n_shards, suffix)


def _submit(
    executor: Executor | _ThisProcess, path: Path, settings: str, chunk: Chunk
) -> "tuple[Path, Summary, Future[Summary] | None]":
    """Start to make a shard: (its file, its summary so far, the rest). No rest if it is there."""
    source = {"settings": settings, "input": digest("\0".join(map(str, chunk)).encode("utf8"))}
    if summary := _earlier_summary(path, source):
        return path, summary, None
    return path, source, executor.submit(_write, path, chunk)


def _earlier_summary(path: Path, source: Summary) -> Summary:
    """The summary of a shard that an earlier run made of the same input; else an empty one."""
    try:
        summary: Summary = srsly.read_json(path.with_suffix(".json"))
    except ValueError:
        return {}
    same = path.exists() and all(summary.get(key) == value for key, value in source.items())
    return summary if same and digest(path.read_bytes()) == summary["digest"] else {}


def _finish(path: Path, summary: Summary, future: "Future[Summary] | None") -> Summary:
    if future is not None:
        summary |= future.result()
        write_json(path.with_suffix(".json"), summary)
    return summary


def finished_shards(folder: Path) -> list[Path]:
    """The shards of a finished run, in order.

    Raises:
        ValueError: "... is not finished ...", if the run was stopped or never started.
    """
    if not (folder / MANIFEST).exists():
        remedy = "run the command that makes it again (it continues where it stopped)"
        raise ValueError(f"{folder} is not finished: {remedy}")
    return [folder / name for name in srsly.read_json(folder / MANIFEST)["shards"]]


def _tidy(output: Path, n_shards: int, suffix: str) -> None:
    """Delete what earlier runs left, and write the manifest: the run is finished."""
    names = [f"shard-{number:05}{suffix}" for number in range(n_shards)]
    kept = {*names, *(Path(name).with_suffix(".json").name for name in names)}
    for file in [*output.glob("shard-*"), *output.glob(".*.part")]:
        if file.name not in kept:
            file.unlink()
    write_json(output / MANIFEST, {"shards": names})
