"""Values of the workflow's options. It imports nothing heavy: `--help` needs it."""

from typing import Literal

By = Literal["label", "id", "kb_id"]  # what refine-labels compares
