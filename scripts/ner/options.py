"""Values and defaults of the options of `ner`. It imports nothing heavy: `--help` needs it."""

from typing import Literal

TrainOn = Literal["silver", "labelled", "both"]  # labels to train on
TeacherFeatures = Literal["words", "encoder", "none"]  # what the teacher looks at
UseRuler = Literal["auto", "terms", "yes", "no"]  # what to put around the model
SHARD_TEXTS = 2_000  # texts in a shard
