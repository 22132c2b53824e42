"""Leave out the tests of a module that name what a fork does not have, and what only they use."""

import ast
import re
from collections.abc import Iterable, Sequence

MAX_COLUMNS = 100


def filter_tests(text: str, dropped: re.Pattern[str]) -> str:
    """The text of a module without the parts in which `dropped` finds something.

    A part is a function, a class or a statement at the top level. Parts that use a left-out name go
    as well, and so do imports that nothing needs any more.

    Returns:
        The text, "" if no test is left of those that were there.
    """
    parts = _parts(text)
    kept = [part for part in parts if not dropped.search(part.text)]
    gone: set[str] = set()
    for part in parts:
        gone |= set() if part in kept else part.defines
    while users := [part for part in kept if part.uses & gone]:
        kept = [part for part in kept if part not in users]
        for part in users:
            gone |= part.defines
    if len(kept) == len(parts):
        return text
    if not any(part.is_test for part in kept) and any(part.is_test for part in parts):
        return ""
    return "".join(_without_unused(kept))


class Part:
    """A statement at the top level of a module, with the comments and blank lines before it."""

    def __init__(self, node: ast.stmt, text: str) -> None:
        self.node, self.text = node, text
        self.is_import = isinstance(node, (ast.Import, ast.ImportFrom))
        self.is_test = isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        self.defines = set(_defined(node))
        names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
        arguments = [part.arg for part in ast.walk(node) if isinstance(part, ast.arg)]
        self.uses = {name.id for name in names} | set(arguments)


def _defined(node: ast.stmt) -> Iterable[str]:
    """The names that a statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [_local_name(alias) for alias in node.names]
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


def _parts(text: str) -> list[Part]:
    """The statements at the top level of a module."""
    lines = text.splitlines(keepends=True)
    parts = []
    start = 0
    for node in ast.parse(text).body:
        end = node.end_lineno or 0
        parts.append(Part(node, "".join(lines[start:end])))
        start = end
    return parts


def _without_unused(parts: Sequence[Part]) -> Iterable[str]:
    """The texts of parts, imports without the names that nothing uses."""
    used: set[str] = set()
    for part in parts:
        used |= set() if part.is_import else part.uses
    blank = ""  # lines before imports that are left out
    for part in parts:
        if not isinstance(part.node, (ast.Import, ast.ImportFrom)):
            yield part.text
            continue
        code = part.text.lstrip("\n")
        blank = blank or part.text[: len(part.text) - len(code)]
        if needed := [alias for alias in part.node.names if _local_name(alias) in used]:
            is_whole = len(needed) == len(part.node.names)
            part.node.names = needed
            yield blank + (code if is_whole else _import_text(part.node))
            blank = ""


def _local_name(alias: ast.alias) -> str:
    return (alias.asname or alias.name).split(".")[0]


def _import_text(node: ast.Import | ast.ImportFrom) -> str:
    """An import as a formatter writes it: on one line, or a name a line where that is too long."""
    text = ast.unparse(node)
    if len(text) > MAX_COLUMNS:
        head, _, names = text.partition(" import ")
        text = f"{head} import (\n    {names.replace(', ', f',{chr(10)}    ')},\n)"
    return text + "\n"
