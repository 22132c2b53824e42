"""Values of the options of `textgen`."""

from typing import Literal

# Samples to keep: all; those that compile; or each cut back to lines that compile.
Code = Literal["any", "only", "cut"]
