"""Values of the options of `textcat`."""

from typing import Literal

Labels = Literal["auto", "single", "multi"]
Balance = Literal["none", "oversample", "undersample", "weights"]
