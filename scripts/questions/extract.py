"""From the rows of a dump to questions with their answers.

Posts wait in a temporary database on disk, so the memory in use does not grow with the dump.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly

from scripts.files import digest, progress_bar, remove, replacing, sibling
from scripts.questions.dump import Row, Rows, push, size_of
from scripts.questions.text import to_text

SOURCES = [Path(__file__).with_name(name) for name in ("dump.py", "extract.py", "text.py")]
CODE_DIGEST = digest(b"".join(file.read_bytes() for file in SOURCES))
QUESTION, ANSWER = "1", "2"  # PostTypeId
MAX_BODY_CHARS = 200_000  # of HTML; Stack Exchange allows 30,000
BATCH = 1_000  # posts handed to the database at a time
CACHE_KB = 8_000  # of the database
FINGERPRINT_BYTES = 2**20  # at both ends of a dump, to recognise it
MALFORMED = "malformed"
ORPHANS = "answers without their question"
OTHERS = "other posts"
DUPLICATES = "posts that came before"
_TABLES = f"""
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA temp_store = FILE;
    PRAGMA cache_size = -{CACHE_KB};
    CREATE TABLE questions (id INTEGER PRIMARY KEY, accepted INTEGER, line TEXT);
    CREATE TABLE answers (id INTEGER PRIMARY KEY, question INTEGER, line TEXT);
"""


class Malformed(ValueError):
    """A row that is not a valid post: it is counted and left out."""


class _LimitReached(Exception):
    """Ends the reading."""


@dataclass
class Result:
    """What was read and written."""

    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""  # the Id of the last row that was read
    ends_early: bool = False  # whether the dump was cut short
    fingerprint: str = ""  # of the dump, the settings and the code


def split_tags(tags: str) -> list[str]:
    """The tags of a question, in both forms that dumps have.

    "<espresso><grinder>" and "|espresso|grinder|".
    """
    return [tag for tag in tags.replace("><", "|").strip("<>| ").split("|") if tag]


def parse_row(row: Row) -> tuple[str, dict[str, Any]] | None:
    """(post type, record) of a row's attributes; None for posts of other types.

    Raises:
        Malformed: for a row without Id, type, body, date or (of questions) title, with numbers or
            dates that are not valid, or with a body that is far too long.
    """
    kind = row.get("PostTypeId", "")
    if not kind.isdecimal() or "Id" not in row:
        raise Malformed("no Id or PostTypeId")
    if kind not in (QUESTION, ANSWER):
        return None
    body, date = row.get("Body", ""), row.get("CreationDate", "")
    title = " ".join(row.get("Title", "").split())
    complete = body.strip() and date[:4].isdecimal() and (title or kind == ANSWER)
    if not complete or len(body) > MAX_BODY_CHARS:
        raise Malformed("no body, title or date, or too long")
    return kind, _question(row, title) if kind == QUESTION else _answer(row)


def _question(row: Row, title: str) -> dict[str, Any]:
    return {
        "id": _number(row, "Id"),
        "title": title,
        "body": to_text(row["Body"]),
        "score": _number(row, "Score") or 0,
        "date": row["CreationDate"],
        "tags": split_tags(row.get("Tags", "")),
        "views": _number(row, "ViewCount"),
        "accepted": _number(row, "AcceptedAnswerId"),
    }


def _answer(row: Row) -> dict[str, Any]:
    parent = _number(row, "ParentId")
    if parent is None:
        raise Malformed("no ParentId")
    return {
        "id": _number(row, "Id"),
        "text": to_text(row["Body"]),
        "score": _number(row, "Score") or 0,
        "date": row["CreationDate"],
        "question": parent,
    }


def _number(row: Row, key: str) -> int | None:
    """A whole number of a row; None if the attribute is missing or empty.

    Raises:
        Malformed: for anything else.
    """
    value = row.get(key, "")
    if not value:
        return None
    try:
        number = int(value)
    except ValueError:
        raise Malformed(f"{key} is not a number") from None
    if abs(number) >= 2**63:
        raise Malformed(f"{key} is out of range")
    return number


class Store:
    """Posts in a temporary SQLite file.

    It finds the answers of a question, however far apart they are in the dump.
    """

    def __init__(self, path: Path) -> None:
        remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path)
        self._database.executescript(_TABLES)
        self._waiting: dict[str, list[tuple[Any, ...]]] = {QUESTION: [], ANSWER: []}
        self.duplicates = 0

    def add(self, kind: str, record: dict[str, Any]) -> None:
        """Take a post, as `parse_row` returns it; of two with the same id the first is kept."""
        other = record["accepted"] if kind == QUESTION else record.pop("question")
        waiting = self._waiting[kind]
        waiting.append((record["id"], other, srsly.json_dumps(record)))
        if len(waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        for kind, table in ((QUESTION, "questions"), (ANSWER, "answers")):
            rows = self._waiting[kind]
            insert = f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)"
            inserted = self._database.executemany(insert, rows)
            self.duplicates += len(rows) - max(0, inserted.rowcount)
            rows.clear()

    def orphans(self) -> int:
        """How many answers have no question here."""
        self._flush()
        self._database.execute("CREATE INDEX by_question ON answers (question)")
        count = "SELECT count(*) FROM answers WHERE question NOT IN (SELECT id FROM questions)"
        return int(self._database.execute(count).fetchone()[0])

    def questions(self) -> Iterator[dict[str, Any]]:
        """The questions by id, each with its answers by id. Call `orphans` first."""
        select = "SELECT id, accepted, line FROM questions ORDER BY id"
        for number, accepted, line in self._database.execute(select):
            answers = list(self._answers(number))
            for answer in answers:
                answer["accepted"] = answer["id"] == accepted
            yield {**srsly.json_loads(line), "answers": answers}

    def _answers(self, question: int) -> Iterator[dict[str, Any]]:
        select = "SELECT line FROM answers WHERE question = ? ORDER BY id"
        for (line,) in self._database.execute(select, (question,)):
            yield srsly.json_loads(line)

    def close(self) -> None:
        self._database.close()


def extract_dump(path: Path, output: Path, cap: int, limit: int = 0) -> Result:
    """Write the questions of a dump with their answers, one per line.

    Args:
        path: Posts.xml, or a .7z with one.
        output: JSONL file; a temporary database of about the dump's size is written next to it.
        cap: at most so many bytes may come out of an archive.
        limit: stop after so many posts; 0 for all.

    Raises:
        ValueError: if the file is not a dump or is refused (see scripts.questions.dump); "... holds
            no question ...". `output` is then unchanged.
        OSError: if the disk is full.
    """
    result = Result(fingerprint=fingerprint(path, cap, limit))
    database = sibling(output.with_suffix(".sqlite"))
    try:
        with progress_bar("read", size_of(path), "B") as bar, closing(Store(database)) as store:
            _Reader(path, store, result, limit, bar).read(cap)
            result.counts[ORPHANS] = store.orphans()
            result.counts[DUPLICATES] = store.duplicates
            with replacing(output) as part:
                _write_questions(part, store, result.counts)
                _check_not_empty(result, path, output)
    except sqlite3.Error as error:
        reason = f"{database}, where posts wait for their answers, can't be written ({error})"
        raise OSError(f"{reason}: twice the dump's size must be free") from None
    finally:
        remove(database)
    return result


class _Reader:
    """Brings the posts of a dump into a store, and counts them."""

    def __init__(self, path: Path, store: Store, result: Result, limit: int, bar: Any) -> None:
        self.rows = Rows(path)
        self.store = store
        self.result = result
        self.counts = result.counts
        self.limit = limit
        self.bar = bar

    def read(self, cap: int) -> None:
        """Read the dump to its end, or to the limit."""
        with suppress(_LimitReached):
            push(self.rows.path, self._take_piece, cap)
            self._take(self.rows.close())
            self.result.ends_early = self.rows.ends_early
        self.counts["rows"] += self.rows.malformed
        self.counts[MALFORMED] += self.rows.malformed
        self.result.last = self.rows.last

    def _take_piece(self, piece: bytes, position: int) -> None:
        self.bar.update(position - self.bar.n)
        self._take(self.rows.feed(piece))

    def _take(self, rows: Iterator[Row]) -> None:
        for row in rows:
            self._take_row(row)
            posts = self.counts["questions"] + self.counts["answers"]
            if self.limit and posts >= self.limit:
                raise _LimitReached

    def _take_row(self, row: Row) -> None:
        self.counts["rows"] += 1
        try:
            post = parse_row(row)
        except Malformed:
            self.counts[MALFORMED] += 1
            return
        if post is None:
            self.counts[OTHERS] += 1
            return
        self.counts["questions" if post[0] == QUESTION else "answers"] += 1
        self.store.add(*post)


def _write_questions(path: Path, store: Store, counts: Counter[str]) -> None:
    with path.open("w", encoding="utf8") as file:
        for record in store.questions():
            accepted = [answer["accepted"] for answer in record["answers"]]
            counts["with answers"] += bool(accepted)
            counts["with an accepted answer"] += any(accepted)
            counts["written"] += 1
            file.write(srsly.json_dumps(record) + "\n")


def _check_not_empty(result: Result, path: Path, output: Path) -> None:
    counts = result.counts
    if not counts["written"]:
        check_end(result, path, output)
        rows = f"{counts['rows']:,} rows, {counts[MALFORMED]:,} of them malformed"
        raise ValueError(f"{path} holds no question ({rows}): give another dump")


def check_end(result: Result, path: Path, output: Path) -> None:
    """Check that a dump was read to its end.

    Raises:
        ValueError: "... ends early, after the row with Id ...".
    """
    if not result.ends_early:
        return
    written = "there was no question before"
    if result.counts["written"]:
        written = f"{result.counts['written']:,} questions are in {output}"
    reason = f"ends early, after the row with Id {result.last or '(none)'}"
    raise ValueError(f"{path} {reason}: fetch or copy it again ({written})")


def fingerprint(path: Path, cap: int, limit: int) -> str:
    """A fingerprint of all that decides what is written.

    The dump counts by its size, its time, and its first and last MB.

    Raises:
        ValueError: if the file is not a dump.
    """
    size = size_of(path)
    with path.open("rb") as file:
        head = digest(file.read(FINGERPRINT_BYTES))
        file.seek(max(0, size - FINGERPRINT_BYTES))
        tail = digest(file.read())
    parts = (CODE_DIGEST, size, path.stat().st_mtime_ns, head, tail, cap, limit)
    return digest(" ".join(map(str, parts)).encode())


def is_up_to_date(output: Path, counts: Path, fingerprint: str) -> bool:
    """Whether the output is there, complete, and made from the same dump by the same settings.

    Args:
        output: the questions.
        counts: the counts, as `to_json` gives them.
        fingerprint: of the dump, the settings and the code.
    """
    try:
        content: Any = srsly.read_json(counts)
        facts = content["made_of"], content["bytes"], content["ends_early"]
        return bool(facts == (fingerprint, output.stat().st_size, False))
    except (ValueError, KeyError, TypeError, OSError):
        return False


def to_json(result: Result, output: Path) -> dict[str, Any]:
    """The counts, and what `is_up_to_date` needs."""
    facts = {"last_row": result.last, "ends_early": result.ends_early}
    source = {"made_of": result.fingerprint, "bytes": output.stat().st_size}
    return {**dict(sorted(result.counts.items())), **facts, **source}


def print_result(result: Result, output: Path) -> None:
    """Print what was written, and what was left out."""
    counts = result.counts
    accepted = f"{counts['with an accepted answer']:,} with an accepted one"
    questions = f"{counts['written']:,} questions ({counts['with answers']:,} with answers"
    n_answers = counts["answers"] - counts[ORPHANS]
    print(f"{output}: {questions}, {accepted}), {n_answers:,} answers")
    reasons = [kind for kind in (OTHERS, MALFORMED, ORPHANS, DUPLICATES) if counts[kind]]
    left_out = ", ".join(f"{counts[kind]:,} {kind}" for kind in reasons)
    print(f"{counts['rows']:,} rows; left out: {left_out or 'none'}")
