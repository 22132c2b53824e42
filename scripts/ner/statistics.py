"""What the patterns matched: counts by pattern and label, as JSON and as printed lines."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from scripts.entities.matching import Match, Pattern

NO_PATTERNS = {
    "labels": {},
    "patterns": [],
    "note": "trained on hand labels alone: no patterns were matched",
}


@dataclass
class Counts:
    """What was matched in some texts. The counts of shards add up."""

    texts: int = 0
    tokens: int = 0
    without_match: int = 0
    # By pattern, before and after overlaps are resolved.
    matches: Counter[int] = field(default_factory=Counter)
    entities: Counter[int] = field(default_factory=Counter)
    # By (pattern dropped, pattern kept).
    overlaps: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add_doc(
        self, n_tokens: int, matches: Sequence[Match], overlaps: Iterable[tuple[Match, Match]]
    ) -> None:
        """Count the matches of one Doc, and its overlaps: (dropped, kept)."""
        self.texts += 1
        self.tokens += n_tokens
        if not matches:
            self.without_match += 1
            return
        self.matches.update(match[0] for match in matches)
        self.entities.update(match[0] for match in matches)
        self.entities.subtract(dropped[0] for dropped, _ in overlaps)
        self.overlaps.update((dropped[0], kept[0]) for dropped, kept in overlaps)

    def add(self, other: "Counts") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def to_json(self) -> dict[str, Any]:
        counters = {name: value for name, value in vars(self).items() if isinstance(value, Counter)}
        return vars(self) | {name: sorted(value.items()) for name, value in counters.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Counts":
        return cls(
            data["texts"],
            data["tokens"],
            data["without_match"],
            Counter(dict(data["matches"])),
            Counter(dict(data["entities"])),
            Counter({(dropped, kept): times for (dropped, kept), times in data["overlaps"]}),
        )


class LeftOut(NamedTuple):
    """How many texts and lines were left out; the dicts by reason."""

    repeated: int
    set_aside: dict[str, int]
    bad_lines: dict[str, int]


def statistics(
    counts: Counts,
    patterns: Sequence[Pattern],
    never: dict[int, str],
    left_out: LeftOut,
    n_shards: int,
) -> dict[str, Any]:
    """Everything that a user should know about what the patterns matched, as JSON.

    Args:
        counts: of all shards.
        patterns: in the order of their file.
        never: why a pattern cannot match, by its index.
        left_out: texts and lines that were left out.
        n_shards: number of shards.
    """
    lines = _by_pattern(counts, patterns, never)
    labels = _by_label(lines)
    overlaps = _by_overlap(counts, patterns)
    between_labels = [line["times"] for line in overlaps if len(set(line["labels"])) == 2]
    return {
        "texts": counts.texts,
        "tokens": counts.tokens,
        "texts_without_match": counts.without_match,
        "repeated_texts_dropped": left_out.repeated,
        "set_aside": left_out.set_aside,
        "bad_lines_skipped": left_out.bad_lines,
        "shards": n_shards,
        "labels": labels,
        "labels_without_match": [label for label in labels if not labels[label]["matches"]],
        "patterns_without_match": [line["pattern"] for line in lines if not line["matches"]],
        "overlaps_resolved": sum(counts.overlaps.values()),
        "overlaps_between_labels": sum(between_labels),
        "overlaps": overlaps,
        "patterns": lines,
    }


def _by_pattern(
    counts: Counts, patterns: Sequence[Pattern], never: dict[int, str]
) -> list[dict[str, Any]]:
    lines = []
    for index, pattern in enumerate(patterns):
        line = {
            "line": index + 1,
            "label": pattern.label,
            "id": pattern.id,
            "pattern": str(pattern),
            "matches": counts.matches[index],
            "entities": counts.entities[index],
        }
        if index in never and not line["matches"]:
            line["never"] = never[index]
        lines.append(line)
    return lines


def _by_label(lines: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    labels: dict[str, dict[str, int]] = {}
    for line in lines:
        sums = labels.setdefault(line["label"], {"patterns": 0, "matches": 0, "entities": 0})
        sums["patterns"] += 1
        sums["matches"] += line["matches"]
        sums["entities"] += line["entities"]
    return labels


def _by_overlap(counts: Counts, patterns: Sequence[Pattern]) -> list[dict[str, Any]]:
    """Which pattern gave way to which, the most frequent first."""
    overlaps = []
    for (loser, winner), times in sorted(
        counts.overlaps.items(), key=lambda item: (-item[1], item[0])
    ):
        dropped, kept = patterns[loser], patterns[winner]
        overlaps.append(
            {
                "dropped": str(dropped),
                "kept": str(kept),
                "labels": [dropped.label, kept.label],
                "times": times,
            }
        )
    return overlaps


def print_statistics(stats: dict[str, Any], path: Path) -> None:
    """Print what a user should see at once; problems with the patterns go to stderr.

    Args:
        stats: what `statistics` returns.
        path: the file that holds all of it.
    """
    print(
        f"{stats['texts']} texts, {stats['tokens']} tokens; "
        f"{stats['texts_without_match']} texts without a match (kept as negatives)"
    )
    for label, counts in stats["labels"].items():
        print(
            f"{label}: {counts['matches']} matches of {counts['patterns']} patterns, "
            f"{counts['entities']} entities"
        )
    print(
        f"{stats['overlaps_resolved']} overlaps resolved (longest, then first in the file), "
        f"{stats['overlaps_between_labels']} of them between labels"
    )
    for key, title in (("set_aside", "set aside"), ("bad_lines_skipped", "bad lines skipped")):
        if stats[key]:
            print(f"{title}: {stats[key]}")
    if stats["repeated_texts_dropped"]:
        print(f"repeated texts dropped: {stats['repeated_texts_dropped']}")
    for warning in _warnings(stats, path):
        print(f"Warning: {warning}", file=sys.stderr)


def _warnings(stats: dict[str, Any], path: Path) -> list[str]:
    never = [line for line in stats["patterns"] if "never" in line]
    warnings = [
        f"pattern {line['line']} can never match, {line['never']}: {line['pattern']}"
        for line in never
    ]
    warnings += [
        f"label {label} has no match at all, so no pipeline can learn it: see {path}"
        for label in stats["labels_without_match"]
    ]
    n_silent = len(stats["patterns_without_match"])
    if n_silent:
        n_patterns = len(stats["patterns"])
        warnings.append(f"{n_silent} of {n_patterns} patterns never matched: see {path}")
    return warnings
