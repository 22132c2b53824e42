"""Timings of `vectors` (convert, prune, neighbours, train) compared with gensim and spaCy."""

import gzip
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import spacy
import srsly

from benchmarks.measure import Row, in_fresh_process, peak_memory
from scripts.files import need
from scripts.nearest import top_k
from scripts.pipelines import load_nlp
from scripts.reading import Skipped
from scripts.vectors.convert import convert_file
from scripts.vectors.corpus import from_gensim, from_texts, write_sentences
from scripts.vectors.folder import write_folder
from scripts.vectors.options import Settings
from scripts.vectors.sources import Block
from scripts.vectors.train import FIRST_ALPHA, LAST_ALPHA, train_vectors
from scripts.vectors.word_vectors import read_folder

ROOT = Path(__file__).parent.parent
WIDTH = 300
ROWS = 3_000_000
PEER_ROWS = 300_000  # for gensim and spaCy init vectors, which take a minute for them
PRUNE_FROM, PRUNE_TO = 200_000, 20_000
SEARCHED_ROWS, QUERIES, K = 1_000_000, 100, 10
MAX_MEMORY = 1.5e9
EPOCHS = 3


def random_blocks(n_rows: int, seed: int = 0) -> Iterator[Block]:
    """Words and random vectors, 10,000 at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, n_rows, 10_000):
        n = min(10_000, n_rows - start)
        yield (
            [f"word{number}".encode() for number in range(start, start + n)],
            rng.standard_normal((n, WIDTH), "f4"),
        )


def write_binary(path: Path, n_rows: int) -> None:
    """Random vectors in word2vec's binary format, packed (quickly) if the path ends in .gz."""
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as file:
        file.write(f"{n_rows} {WIDTH}\n".encode())
        for words, rows in random_blocks(n_rows):
            for word, row in zip(words, rows):
                file.write(word + b" " + row.tobytes() + b"\n")
    os.sync()  # or the system would still be writing it when it is read


def write_text(path: Path, n_rows: int) -> None:
    """Random vectors in word2vec's text format."""
    with path.open("wb") as file:
        file.write(f"{n_rows} {WIDTH}\n".encode())
        for words, rows in random_blocks(n_rows):
            file.writelines(
                word + b" " + " ".join(map("{:.6f}".format, row)).encode() + b"\n"
                for word, row in zip(words, rows.tolist())
            )


def ours(source: Path, folder: Path, prune: int = 0) -> tuple[float, int]:
    """(seconds, peak memory) of converting a file."""
    load_nlp("en")  # spaCy imports its installed plugins on first use, seconds for some
    start = time.perf_counter()
    convert_file(source, folder, prune=prune)
    return time.perf_counter() - start, peak_memory()


def by_gensim_and_spacy(source: Path, text: Path, folder: Path) -> float:
    """Seconds of the usual way: gensim turns the binary file into text, which spaCy converts."""
    keyed_vectors = need("gensim.models", "vectors").KeyedVectors
    start = time.perf_counter()
    keyed_vectors.load_word2vec_format(str(source), binary=True).save_word2vec_format(
        str(text), binary=False
    )
    return time.perf_counter() - start + by_spacy(text, folder)


def by_spacy(text: Path, folder: Path, *options: str) -> float:
    """Seconds of `spacy init vectors`."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "spacy", "init", "vectors", "en", str(text), str(folder)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return time.perf_counter() - start


def unpack(path: Path) -> float:
    """Seconds of gunzip to /dev/null."""
    start = time.perf_counter()
    with open("/dev/null", "wb") as nothing:
        subprocess.run(["gunzip", "-c", str(path)], check=True, stdout=nothing)
    return time.perf_counter() - start


def search(folder: Path) -> tuple[float, list[list[int]]]:
    """Seconds of our exact search for the neighbours of some rows, all at once; the neighbours."""
    vectors = read_folder(folder)
    queries = np.asarray(vectors.table[:QUERIES])
    start = time.perf_counter()
    rows, _ = top_k(vectors.table, queries, K + 1)
    return time.perf_counter() - start, [line[1:] for line in rows.tolist()]


def search_by_gensim(folder: Path) -> tuple[float, list[list[int]]]:
    """The same by gensim's most_similar, one by one, in a table that is in memory."""
    vectors = read_folder(folder)
    keyed = need("gensim.models", "vectors").KeyedVectors(WIDTH)
    keyed.add_vectors(vectors.words, np.array(vectors.table))
    keyed.fill_norms()
    start = time.perf_counter()
    lines = [keyed.most_similar(word, topn=K) for word in vectors.words[:QUERIES]]
    seconds = time.perf_counter() - start
    rows = [keyed.key_to_index[word] for word, _ in itertools.chain.from_iterable(lines)]
    return seconds, [rows[first : first + K] for first in range(0, len(rows), K)]


def train_ours(sentences: Path, checkpoint: Path) -> float:
    """Seconds of our training, with reading and checkpoints."""
    need("gensim.models", "vectors")
    start = time.perf_counter()
    train_vectors(sentences, checkpoint, Settings(epochs=EPOCHS))
    return time.perf_counter() - start


def train_by_gensim(sentences: Path) -> float:
    """Seconds of gensim's Word2Vec with the same settings on lists of words."""
    word2vec = need("gensim.models", "vectors").Word2Vec
    same = Settings(epochs=EPOCHS)
    start = time.perf_counter()
    lists = [line.split() for line in sentences.read_text("utf8").splitlines()]
    word2vec(
        lists,
        sg=1,
        vector_size=same.vector_size,
        min_count=same.min_count,
        window=same.window,
        epochs=EPOCHS,
        workers=1,
        alpha=FIRST_ALPHA,
        min_alpha=LAST_ALPHA,
    )
    return time.perf_counter() - start


def run(scale: float) -> list[Row]:
    """Measure each command and what it is compared with, each time in a fresh process.

    Args:
        scale: 1 for the full sizes, a quarter of an hour and 12 GB on disk; less for fewer rows.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *_convert_rows(folder, scale),
            _prune_row(folder, scale),
            _search_row(folder, scale),
            _train_row(folder, scale),
        ]


def _sized(rows: int, scale: float) -> int:
    return max(1_000, round(rows * scale))


def _convert_rows(folder: Path, scale: float) -> list[Row]:
    n_rows, n_peer_rows = _sized(ROWS, scale), _sized(PEER_ROWS, scale)
    peer = _convert_by_peers(folder, n_peer_rows)
    seconds, memory, packed, gunzip = _convert_by_us(folder, n_rows)
    name, table = f"convert, {n_rows:,} x {WIDTH} .bin", 4 * WIDTH * n_rows
    ours, theirs = n_rows / seconds, n_peer_rows / peer
    speed = Row(
        name,
        "rows/s",
        ours,
        "gensim, then spacy init vectors",
        theirs,
        "ratio >= 20",
        ours / theirs >= 20,
        f"{n_peer_rows:,} rows",
    )
    space = Row(
        f"{name}, peak memory",
        "MB",
        memory / 1e6,
        "the table",
        table / 1e6,
        "<= 1,500 MB",
        memory <= MAX_MEMORY,
    )
    unpacking = Row(
        f"{name}.gz",
        "s",
        packed,
        "gunzip to /dev/null",
        gunzip,
        "ratio <= 3",
        packed / gunzip <= 3,
    )
    return [speed, space, unpacking]


def _convert_by_peers(folder: Path, n_rows: int) -> float:
    """Seconds of gensim and spaCy; they must make the same table as we do."""
    write_binary(folder / "few.bin", n_rows)
    seconds: float = in_fresh_process(
        by_gensim_and_spacy, folder / "few.bin", folder / "few.txt", folder / "peer"
    )
    if not _same_folder(folder, n_rows):
        raise ValueError(
            "convert makes another table than spacy init vectors, so their speeds can't be "
            "compared: run the tests of vectors"
        )
    (folder / "few.txt").unlink()
    return seconds


def _convert_by_us(folder: Path, n_rows: int) -> tuple[float, int, float, float]:
    """Seconds and peak memory of .bin, seconds of .bin.gz, and those of gunzip alone."""
    write_binary(folder / "all.bin", n_rows)
    seconds, memory = in_fresh_process(ours, folder / "all.bin", folder / "ours")
    (folder / "all.bin").unlink()
    write_binary(folder / "all.bin.gz", n_rows)
    shutil.rmtree(folder / "ours")
    packed, _ = in_fresh_process(ours, folder / "all.bin.gz", folder / "ours")
    gunzip = unpack(folder / "all.bin.gz")
    (folder / "all.bin.gz").unlink()
    shutil.rmtree(folder / "ours")
    return seconds, memory, packed, gunzip


def _same_folder(folder: Path, n_rows: int) -> bool:
    """Whether both ways give the same words and vectors; the other way's numbers were text."""
    ours(folder / "few.bin", folder / "ours")
    mine, other = (spacy.load(folder / name).vocab.vectors for name in ("ours", "peer"))
    same_words = list(mine.key2row) == list(other.key2row)
    shutil.rmtree(folder / "ours")
    same_shape = mine.shape == other.shape == (n_rows, WIDTH)
    return bool(same_words and same_shape and np.allclose(mine.data, other.data, atol=1e-6))


def _prune_row(folder: Path, scale: float) -> Row:
    n_rows = _sized(PRUNE_FROM, scale)
    n_kept = n_rows * PRUNE_TO // PRUNE_FROM
    write_binary(folder / "prune.bin", n_rows)
    write_text(folder / "prune.txt", n_rows)
    seconds, _ = in_fresh_process(ours, folder / "prune.bin", folder / "pruned", n_kept)
    peer = by_spacy(folder / "prune.txt", folder / "peer", "--prune", str(n_kept))
    mine, other = (spacy.load(folder / name).vocab.vectors.key2row for name in ("pruned", "peer"))
    same = sum(other[key] == row for key, row in mine.items())
    formats = "we read .bin, spaCy text, as it reads no .bin"
    return Row(
        f"convert, prune {n_rows:,} to {n_kept:,}",
        "rows/s",
        n_rows / seconds,
        "spacy init vectors --prune",
        n_rows / peer,
        "ratio >= 5, same rows",
        peer / seconds >= 5 and same == n_rows,
        f"{same:,} of {n_rows:,} words have the same row; {formats}",
    )


def _search_row(folder: Path, scale: float) -> Row:
    n_rows = _sized(SEARCHED_ROWS, scale)
    write_folder(folder / "searched", random_blocks(n_rows), WIDTH)
    seconds, rows = in_fresh_process(search, folder / "searched")
    peer, peer_rows = in_fresh_process(search_by_gensim, folder / "searched")
    pairs = zip(itertools.chain(*rows), itertools.chain(*peer_rows))
    same = sum(a == b for a, b in pairs)
    shutil.rmtree(folder / "searched")
    return Row(
        f"exact top {K} of {QUERIES} words, {n_rows:,} x {WIDTH}",
        "queries/s",
        QUERIES / seconds,
        "gensim most_similar, one by one",
        QUERIES / peer,
        "ratio >= 5",
        peer / seconds >= 5,
        f"{same} of {QUERIES * K} neighbours are the same; the rest are ties within float32",
    )


def _train_row(folder: Path, scale: float) -> Row:
    nlp = load_nlp("en")
    nlp.add_pipe("sentencizer")
    texts = ROOT / srsly.read_yaml(ROOT / "project.yml")["vars"]["vectors"]["texts"]
    sentences = itertools.chain(from_texts(texts, nlp, True, Skipped()), from_gensim(nlp, True))
    first = itertools.islice(sentences, _sized(50_000, scale))
    counts = write_sentences(folder / "sentences.txt", first)
    seconds = in_fresh_process(train_ours, folder / "sentences.txt", folder / "checkpoint")
    peer = in_fresh_process(train_by_gensim, folder / "sentences.txt")
    words = counts["tokens"] * EPOCHS
    return Row(
        "train",
        "words/s",
        words / seconds,
        "gensim's Word2Vec on lists",
        words / peer,
        "ratio >= 0.9",
        peer / seconds >= 0.9,
        f"skip-gram, width 100, {EPOCHS} epochs over {counts['tokens']:,} words, 1 thread",
    )
