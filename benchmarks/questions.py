"""Timings of the workflow `questions`.

The ten nearest of a million vectors, compared with a full sort; a dump, compared with pandas.
"""

import re
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, in_fresh_process, peak_memory
from scripts.files import need
from scripts.questions.extract import extract_dump
from scripts.questions.nearest import Scan, top_k

SAMPLE = Path("assets/questions/Posts.xml")
TITLES, WIDTH, K = 1_000_000, 64, 10
QUERIES = 50
COPIES = 400  # of the sample: 90 MB
CAP = 10**9
_ID = re.compile(rb'\b(Id|ParentId|AcceptedAnswerId)="(\d+)"')


def random_vectors(n: int, seed: int) -> np.ndarray:
    """Random directions, (n, WIDTH): the worst case for an index, as none is near another."""
    vectors = np.random.default_rng(seed).standard_normal((n, WIDTH), dtype="f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def nearest(n: int, n_queries: int) -> tuple[float, float, float, float, float]:
    """Time n_queries searches of n vectors.

    Returns:
        median seconds of a query by codes, by product and partition, and by product and full sort;
        the share of the ten that the codes find; seconds to make the codes.
    """
    vectors, queries = random_vectors(n, 0), random_vectors(n_queries, 1)
    start = time.perf_counter()
    scan = Scan.build(vectors)
    building = time.perf_counter() - start
    times, same = [], 0
    for query in queries:
        at = [time.perf_counter()]
        by_codes = scan.top_k(vectors, query, K)[0]
        at.append(time.perf_counter())
        exact = top_k(vectors @ query, K)
        at.append(time.perf_counter())
        full = np.argsort(-(vectors @ query))[:K]
        at.append(time.perf_counter())
        if set(full.tolist()) != set(exact.tolist()):
            raise ValueError(
                "partition and full sort find other rows, so their speeds can't be compared"
            )
        times.append(np.diff(at))
        same += len(set(by_codes.tolist()) & set(full.tolist()))
    ours, partition, peer = np.median(times, axis=0).tolist()
    return ours, partition, peer, same / (K * n_queries), building


def write_dump(path: Path, n_copies: int) -> None:
    """Write copies of the sample, each with its own ids."""
    head, row, rest = SAMPLE.read_bytes().partition(b"  <row")
    rows, end = row + rest[: rest.rindex(b"</posts>")], rest[rest.rindex(b"</posts>") :]
    with path.open("wb") as file:
        file.write(head)
        for copy in range(n_copies):
            file.write(_shift_ids(rows, copy * 1_000))
        file.write(end)


def _shift_ids(rows: bytes, shift: int) -> bytes:
    return _ID.sub(lambda match: b'%s="%d"' % (match[1], int(match[2]) + shift), rows)


def by_extract(path: Path, output: Path) -> tuple[float, int, int]:
    """(seconds of processor time, peak memory, questions) of `extract`."""
    start = time.process_time()
    result = extract_dump(path, output, CAP)
    return time.process_time() - start, peak_memory(), result.counts["written"]


class _Text(HTMLParser):
    """The text of HTML, in the simplest way."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def _text(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.pieces)


def by_pandas(path: Path, output: Path) -> tuple[float, int, int]:
    """(seconds of processor time, peak memory, questions) of the usual way with pandas.

    It reads the rows into a frame, takes the text out of the HTML, and joins answers and questions.
    """
    pandas = need("pandas", "questions")
    start = time.process_time()
    frame = pandas.read_xml(path, parser="etree")
    frame["Text"] = frame["Body"].map(_text)
    questions, answers = (frame[frame["PostTypeId"] == kind] for kind in (1, 2))
    groups = answers[["ParentId", "Id", "Score", "Text"]].groupby("ParentId")
    by_question = {parent: group.to_dict("records") for parent, group in groups}
    joined = questions.drop(columns="Body").assign(answers=questions["Id"].map(by_question))
    joined.to_json(output, orient="records", lines=True)
    return time.process_time() - start, peak_memory(), len(questions)


def run(scale: float) -> list[Row]:
    """Measure the search and `extract`, each in a fresh process.

    Args:
        scale: 1 for a million titles and 90 MB of Posts.xml, which takes some minutes; smaller
            scales are quick, but their numbers mean little.
    """
    return [_nearest_row(scale), *_extract_rows(scale)]


def _nearest_row(scale: float) -> Row:
    n = max(5_000, round(TITLES * scale))
    n_queries = max(3, round(QUERIES * scale))
    fast, partition, peer, same, building = in_fresh_process(nearest, n, n_queries)
    exact = f"product and partition find all, {1 / partition:,.0f} queries/s"
    note = f"{100 * same:.1f}% of the ten are found; {exact}; codes made in {building:.0f} s"
    reached = peer / fast >= 5
    return Row(
        f"top {K} of {n:,} x {WIDTH}",
        "queries/s",
        1 / fast,
        "product and full argsort",
        1 / peer,
        "ratio >= 5",
        reached,
        note,
    )


def _extract_rows(scale: float) -> list[Row]:
    copies = max(1, round(COPIES * scale))
    with tempfile.TemporaryDirectory() as name:
        large, small = Path(name, "large.xml"), Path(name, "small.xml")
        output = Path(name, "questions.jsonl")
        write_dump(large, copies)
        write_dump(small, max(1, copies // 10))
        mb = large.stat().st_size / 1e6
        seconds, peak, n = in_fresh_process(by_extract, large, output)
        peer_seconds, peer_peak, peer_n = in_fresh_process(by_pandas, large, output)
        small_peak = in_fresh_process(by_extract, small, output)[1]
    if n != peer_n:
        raise ValueError(
            f"extract finds {n} questions and pandas {peer_n}, so their speeds can't be compared"
        )
    note = f"pandas takes {peer_peak / 1e6:,.0f} MB; seconds are processor time"
    pace = (
        1e3 * mb / seconds,
        "pandas, html.parser",
        1e3 * mb / peer_seconds,
        "ratio >= 1",
        seconds <= peer_seconds,
        note,
    )
    memory = (peak / 1e6, "1x rows", small_peak / 1e6, "ratio <= 1.15", peak / small_peak <= 1.15)
    return [
        Row(f"extract, {mb:.0f} MB of Posts.xml", "kB/s", *pace),
        Row("extract, peak memory at 10x rows", "MB", *memory),
    ]
