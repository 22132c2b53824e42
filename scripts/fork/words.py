"""Tell whether a text names a part of the project that a fork does not have."""

import re
from collections.abc import Iterable

from scripts.fork.selection import Selection

FOLDERS = "assets|corpus|training|docs|benchmarks|scripts|img"


def dropped_words(selection: Selection) -> re.Pattern[str]:
    """A pattern that finds the names of dropped workflows, their commands, vars, files and extras.

    The noun of a workflow is often a plain word ("update", "questions"): it counts where it stands
    for the workflow: in backticks, as a folder, page, module, section of vars or part of a command.
    """
    names = [*selection.dropped_workflows, *selection.dropped_commands]
    kept = [name for name in names if _begins_any(name, selection.commands)]
    compound = [re.escape(name) for name in names if "-" in name and name not in kept]
    patterns = [rf"(?<![\w-])(?:{'|'.join(compound)})(?![\w-])"] if compound else []
    if beginnings := "|".join(map(re.escape, kept)):
        patterns.append(rf"(?:\bweasel run |`)(?:{beginnings})(?![\w-])")
    if nouns := "|".join(selection.dropped_nouns):
        patterns += [
            rf"`(?:{nouns})`",
            rf"\bweasel run (?:{nouns})\b",
            rf"\b(?:{FOLDERS})/(?:{nouns})\b",
            rf"\b(?:scripts|benchmarks)\.(?:{nouns})\b",
            rf"\bvars\.(?:{nouns})\b",
            rf"\btest_(?:{nouns})_?\w*\.py\b",
            rf"\]\((?:{nouns})\.md",
        ]
    if variables := "|".join(map(re.escape, selection.dropped_variables)):
        patterns.append(rf"(?<![\w.])(?:{variables})(?![\w.]*\w)")
    if packages := "|".join(selection.dropped_packages):
        patterns.append(rf"(?:{packages})")
    if extras := "|".join(selection.dropped_extras):
        patterns.append(rf"\brequirements-(?:{extras})\b")
    return re.compile("|".join(patterns) or r"(?!)")


def _begins_any(name: str, commands: Iterable[str]) -> bool:
    """Whether the name of a workflow is the beginning of a command that is kept."""
    return any(command.startswith(f"{name}-") for command in commands)


def first_word(text: str, dropped: re.Pattern[str]) -> str | None:
    """The number of the first line that names something dropped, and that name; or None."""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := dropped.search(line):
            return f"line {number}: {match[0]}"
    return None


def replace_all(text: str, replacements: Iterable[tuple[str, str]]) -> str:
    """A text with strings replaced, the longest first, so that none cuts another."""
    for old, new in sorted(replacements, key=lambda pair: -len(pair[0])):
        text = text.replace(old, new)
    return text
