"""Values of the options of `wikipedia`."""

from typing import Literal

PART_MB = 4.0  # MB of the dump's file that a process reads at a time

Unit = Literal["paragraph", "page"]  # what becomes one text
