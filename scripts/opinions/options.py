"""Values of the workflow's options. It imports nothing heavy: `--help` needs it."""

from typing import Literal

By = Literal["text", "ent_id", "kb_id", "label"]  # what counts as one entity
