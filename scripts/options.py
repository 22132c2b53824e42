"""Values of options that several workflows share. It imports nothing heavy: `--help` needs it."""

from typing import Literal

PhraseAttr = Literal["ORTH", "LOWER"]  # what phrases are compared by
MaskUnmatched = Literal["names", "none"]  # unmatched tokens to leave unknown in training
