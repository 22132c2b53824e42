"""Properties of each character of a text: its place, its kind, its role in Python code."""

import io
import keyword
import token
import tokenize
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_OPEN, _CLOSE = "([{", ")]}"
_KINDS = {
    "capital": str.isupper,
    "digit": str.isdigit,
    "white space": str.isspace,
    "vowel": lambda character: character.lower() in "aeiou",
    "punctuation": lambda character: not character.isalnum() and not character.isspace(),
}


def properties(text: str, code: bool) -> dict[str, Floats]:
    """The properties of each character of a text, (n,) each.

    1 where a property holds, else 0; numbers for the depth of brackets and the column.

    Args:
        text: to look at.
        code: whether it is Python code, which may be cut anywhere.
    """
    values = _positions(text)
    for name, holds in _KINDS.items():
        values[name] = np.array([holds(character) for character in text], float)
    return values | (_roles(text) if code else {"inside quotes": _inside_quotes(text)})


def _positions(text: str) -> dict[str, Floats]:
    names = ("line start", "indentation", "column", "bracket depth")
    values = {name: np.zeros(len(text)) for name in names}
    column, depth, indentation = 0, 0, True
    for i, character in enumerate(text):
        indentation = character == " " and (column == 0 or indentation)
        depth += character in _OPEN
        values["column"][i], values["bracket depth"][i] = column, depth
        values["line start"][i], values["indentation"][i] = column == 0, indentation
        depth = max(0, depth - (character in _CLOSE))
        column = 0 if character == "\n" else column + 1
    return values


def _inside_quotes(text: str) -> Floats:
    return np.cumsum([character == '"' for character in text]) % 2.0


def _roles(text: str) -> dict[str, Floats]:
    """What Python's tokenizer says, as far as it can read the text."""
    names = ("inside string", "keyword", "name", "operator")
    values = {name: np.zeros(len(text)) for name in names}
    lines = list(io.StringIO(text))
    begins = np.cumsum([0, *map(len, lines)])
    # The tokenizer starts at a line that is not indented, and after an error at the next such line.
    starts = [i for i, line in enumerate(lines) if not line[0].isspace()]
    while starts:
        reached = starts[0]
        for role, (line, column), (end, end_column) in _tokens(lines, starts[0]):
            if role:
                values[role][begins[line] + column : begins[end] + end_column] = 1
            reached = end
        starts = [i for i in starts if i > reached]
    return values


def _tokens(
    lines: list[str], start: int
) -> Iterator[tuple[str | None, tuple[int, int], tuple[int, int]]]:
    """The tokens of some lines, from line `start` up to the first that can't be read.

    Yields:
        (role or None, (line, column) of its begin, (line, column) of its end).
    """
    rest = iter(lines[start:])
    try:
        for kind, string, (line, column), (end, end_column), _ in tokenize.generate_tokens(
            partial(next, rest, "")
        ):
            begin = start + line - 1, column
            yield _role(kind, string), begin, (start + end - 1, end_column)
    except (tokenize.TokenError, SyntaxError):
        return


def _role(kind: int, string: str) -> str | None:
    if kind == token.NAME:
        return "keyword" if keyword.iskeyword(string) else "name"
    return {token.STRING: "inside string", token.OP: "operator"}.get(kind)
