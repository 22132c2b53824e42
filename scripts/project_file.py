"""Read and write project.yml with its comments and layout kept."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

WIDTH = 118


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def load_yaml(path: Path) -> Any:
    """The content of a YAML file, with its comments. Raises ValueError "... is not valid YAML"."""
    try:
        return parse_yaml(path.read_text("utf8"))
    except Exception as error:  # ruamel has a kind of exception for each kind of mistake
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def parse_yaml(text: str) -> Any:
    """The content of YAML, with its comments."""
    return _yaml().load(text)


def dump_yaml(content: Any) -> str:
    """What `load_yaml` read, changed or not, as text."""
    stream = io.StringIO()
    _yaml().dump(content, stream)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def flow_list(items: Iterable[Any]) -> CommentedSeq:
    """A list that is written on one line: [a, b]."""
    sequence = CommentedSeq(list(items))
    sequence.fa.set_flow_style()
    return sequence
