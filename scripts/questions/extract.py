"""Questions with their answers out of the rows of a dump. Posts wait in a temporary database on disk, so that memory stays flat."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly

from scripts.files import digest, progress_bar, remove, replacing, sibling
from scripts.questions.dump import Row, Rows, push, size_of
from scripts.questions.text import to_text

CODE = digest(
    b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
)  # what other code made is not kept
QUESTION, ANSWER = "1", "2"  # PostTypeId
LONGEST_BODY = 200_000  # characters of HTML; Stack Exchange takes 30,000
BATCH = 1_000  # posts handed to the database at a time
CACHE = 8_000  # kB that the database may hold
FINGERPRINTED = 2**20  # bytes at either end of a dump that tell it from another
MALFORMED, ORPHANS, OTHERS, DUPLICATES = (
    "malformed",
    "answers without their question",
    "other posts",
    "posts that came before",
)
_TABLES = """
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -{cache};
    CREATE TABLE questions (id INTEGER PRIMARY KEY, accepted INTEGER, line TEXT);
    CREATE TABLE answers (id INTEGER PRIMARY KEY, question INTEGER, line TEXT);
"""


class Malformed(ValueError):
    """A row that is no post: it is counted and left out."""


class _Enough(Exception):
    """Ends the reading where a limit is reached."""


@dataclass
class Result:
    """What became of a dump."""

    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""  # the Id of the last row that was read
    ends_early: bool = False  # whether the dump has no end
    made_of: str = ""  # a fingerprint of the dump, the settings and the code


def split_tags(tags: str) -> list[str]:
    """The tags of a question, in both forms that dumps have: "<espresso><grinder>" and "|espresso|grinder|"."""
    return [tag for tag in tags.replace("><", "|").strip("<>| ").split("|") if tag]


def parse_row(row: Row) -> tuple[str, dict[str, Any]] | None:
    """(kind of post, record) of a row's attributes; None for posts that are neither question nor answer.

    Raises:
        Malformed: for a row without Id, type, body or (of questions) title, with numbers or dates that are none, or far too long.
    """
    kind = row.get("PostTypeId", "")
    if not kind.isdecimal() or "Id" not in row:
        raise Malformed("no Id or PostTypeId")
    if kind not in (QUESTION, ANSWER):
        return None
    body, title, date = (
        row.get("Body", ""),
        " ".join(row.get("Title", "").split()),
        row.get("CreationDate", ""),
    )
    if (
        not body.strip()
        or len(body) > LONGEST_BODY
        or (kind == QUESTION and not title)
        or not date[:4].isdecimal()
    ):
        raise Malformed("no body, title or date, or too long")
    score = _number(row, "Score")
    record: dict[str, Any] = {
        "id": _number(row, "Id"),
        "text": to_text(body),
        "score": score or 0,
        "date": date,
    }
    if kind == ANSWER:
        if (parent := _number(row, "ParentId")) is None:
            raise Malformed("no ParentId")
        return kind, {**record, "question": parent}
    asked = {
        "tags": split_tags(row.get("Tags", "")),
        "views": _number(row, "ViewCount"),
        "accepted": _number(row, "AcceptedAnswerId"),
    }
    return kind, {
        "id": record["id"],
        "title": title,
        "body": record["text"],
        "score": record["score"],
        "date": date,
        **asked,
    }


def _number(row: Row, key: str) -> int | None:
    """A whole number of a row; None where the attribute is missing or empty.

    Raises:
        Malformed: for anything else.
    """
    value = row.get(key, "")
    if not value:
        return None
    try:
        number = int(value)
    except ValueError:
        raise Malformed(f"{key} is no number") from None
    if abs(number) >= 2**63:
        raise Malformed(f"{key} is out of range")
    return number


class Store:
    """Posts in a temporary SQLite file, to bring answers to their questions however far apart the two stand in the dump."""

    def __init__(self, path: Path) -> None:
        remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._base = sqlite3.connect(path)
        self._base.executescript(_TABLES.format(cache=CACHE))
        self._waiting: dict[str, list[tuple[Any, ...]]] = {QUESTION: [], ANSWER: []}
        self.duplicates = 0

    def add(self, kind: str, record: dict[str, Any]) -> None:
        """Take a question or an answer, as `parse_row` gives them; of two with the same id the first stays."""
        other = record["accepted"] if kind == QUESTION else record.pop("question")
        waiting = self._waiting[kind]
        waiting.append((record["id"], other, srsly.json_dumps(record)))
        if len(waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        for kind, table in ((QUESTION, "questions"), (ANSWER, "answers")):
            rows = self._waiting[kind]
            done = self._base.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", rows)
            self.duplicates += len(rows) - max(0, done.rowcount)
            rows.clear()

    def orphans(self) -> int:
        """How many answers have no question here."""
        self._flush()
        self._base.execute("CREATE INDEX by_question ON answers (question)")
        found = self._base.execute(
            "SELECT count(*) FROM answers WHERE question NOT IN (SELECT id FROM questions)"
        )
        return int(found.fetchone()[0])

    def questions(self) -> Iterator[dict[str, Any]]:
        """The questions by id, each with its answers by id. To be called after `orphans`."""
        for number, accepted, line in self._base.execute(
            "SELECT id, accepted, line FROM questions ORDER BY id"
        ):
            rows = self._base.execute(
                "SELECT line FROM answers WHERE question = ? ORDER BY id", (number,)
            )
            answers = [srsly.json_loads(row[0]) for row in rows]
            for answer in answers:
                answer["accepted"] = answer["id"] == accepted
            yield {**srsly.json_loads(line), "answers": answers}

    def close(self) -> None:
        self._base.close()


def go_through(path: Path, output: Path, cap: int, limit: int = 0) -> Result:
    """Write the questions of a dump, a line each, with their answers.

    Args:
        path: Posts.xml, or a .7z with one.
        output: JSONL file; while it is made, a database of about the dump's size lies beside it.
        cap: bytes that may come out of an archive.
        limit: posts to stop after; 0 for all.

    Raises:
        ValueError: for what is no dump or is refused (see scripts.questions.dump); "... holds no question ...". `output` stays as it was.
        OSError: where the disk is full.
    """
    result = Result(made_of=settings_of(path, cap, limit))
    base = sibling(output.with_suffix(".sqlite"))
    try:
        with progress_bar("read", size_of(path), "B") as bar, closing(Store(base)) as store:
            _read(path, cap, limit, store, result, bar)
            counts = result.counts
            counts[ORPHANS], counts[DUPLICATES] = store.orphans(), store.duplicates
            with replacing(output) as new, new.open("w", encoding="utf8") as file:
                for record in store.questions():
                    counts["with answers"] += bool(record["answers"])
                    counts["with an accepted answer"] += any(
                        answer["accepted"] for answer in record["answers"]
                    )
                    counts["written"] += 1
                    file.write(srsly.json_dumps(record) + "\n")
                if not counts["written"]:
                    check(result, path, output)
                    raise ValueError(
                        f"{path} holds no question: {counts['rows']:,} rows, {counts[MALFORMED]:,} of them malformed"
                    )
    except sqlite3.Error as error:
        raise OSError(
            f"{base}, where posts wait for their answers, can't be written ({error}): twice the dump's size must be free"
        ) from None
    finally:
        remove(base)
    return result


def _read(path: Path, cap: int, limit: int, store: Store, result: Result, bar: Any) -> None:
    """Bring the posts of a dump into the store, and count them."""
    rows, counts = Rows(path), result.counts

    def take(found: Iterator[Row]) -> None:
        for row in found:
            counts["rows"] += 1
            try:
                post = parse_row(row)
            except Malformed:
                counts[MALFORMED] += 1
                continue
            counts[
                "questions" if post and post[0] == QUESTION else "answers" if post else OTHERS
            ] += 1
            if post:
                store.add(*post)
            if limit and counts["questions"] + counts["answers"] >= limit:
                raise _Enough

    def sink(piece: bytes, position: int) -> None:
        bar.update(position - bar.n)
        take(rows.feed(piece))

    try:
        push(path, sink, cap)
        take(rows.close())
        result.ends_early = rows.ends_early
    except _Enough:
        pass
    counts["rows"] += rows.malformed
    counts[MALFORMED] += rows.malformed
    result.last = rows.last


def settings_of(path: Path, cap: int, limit: int) -> str:
    """A fingerprint of all that decides what is written: the dump by its size, its time and its ends.

    Raises:
        ValueError: for what is no dump.
    """
    size = size_of(path)
    with path.open("rb") as file:
        head = file.read(FINGERPRINTED)
        file.seek(max(0, size - FINGERPRINTED))
        return digest(
            f"{CODE} {size} {path.stat().st_mtime_ns} {digest(head)} {digest(file.read())} {cap} {limit}".encode()
        )


def made_before(output: Path, counts: Path, made_of: str) -> bool:
    """Whether a file is there, whole, and made of the same."""
    try:
        told = srsly.read_json(counts)
        return bool(
            (told["made_of"], told["bytes"], told["ends_early"])
            == (made_of, output.stat().st_size, False)
        )
    except (ValueError, KeyError, TypeError, OSError):
        return False


def check(result: Result, path: Path, output: Path) -> None:
    """See that a dump has its end.

    Raises:
        ValueError: "... ends early, behind the row with Id ...".
    """
    if result.ends_early:
        written = (
            f"{result.counts['written']:,} questions are in {output}"
            if result.counts["written"]
            else "no question came before"
        )
        raise ValueError(
            f"{path} ends early, behind the row with Id {result.last or '(none)'}: fetch or copy it again ({written})"
        )


def to_json(result: Result, output: Path) -> dict[str, Any]:
    """The counts, and what tells `made_before` that the file is what a run would write."""
    places = {"last_row": result.last, "ends_early": result.ends_early, "made_of": result.made_of}
    return {**dict(sorted(result.counts.items())), **places, "bytes": output.stat().st_size}


def print_result(result: Result, output: Path) -> None:
    """Print what was written, and what was left out."""
    counts = result.counts
    with_answers = f"{counts['with answers']:,} with answers, {counts['with an accepted answer']:,} with an accepted one"
    print(
        f"{output}: {counts['written']:,} questions ({with_answers}), {counts['answers'] - counts[ORPHANS]:,} answers"
    )
    left_out = ", ".join(
        f"{counts[kind]:,} {kind}"
        for kind in (OTHERS, MALFORMED, ORPHANS, DUPLICATES)
        if counts[kind]
    )
    print(f"{counts['rows']:,} rows; left out: {left_out or 'none'}")
