"""A training that writes its log, checkpoints and best model to a folder, and can be continued."""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import srsly

from scripts.files import (
    check_new_folder,
    digest,
    new_folder,
    progress_bar,
    remove,
    restore_folder,
    write_jsonl,
)
from scripts.textgen import folder as files
from scripts.textgen.corpus import Corpus
from scripts.textgen.sample import generate
from scripts.textgen.settings import Schedule, Shape
from scripts.textgen.train import Evaluation, Trainer, train

SAMPLE_LENGTH = 200  # characters of the sample at each evaluation
Log = list[dict[str, Any]]


@dataclass
class Run:
    """A training of a corpus in a folder.

    Attributes:
        folder: gets log.jsonl, and model at the end; checkpoint.npz and best until then.
        corpus: to train on.
        shape: of the network.
        schedule: of the training.
        seed: for weights and for where streams begin.
    """

    folder: Path
    corpus: Corpus
    shape: Shape
    schedule: Schedule
    seed: int

    def __post_init__(self) -> None:
        """Raises ValueError where the model would take the place of other files."""
        check_new_folder(self.folder / "model", marker=files.FACTS)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.npz"

    @property
    def best(self) -> Path:
        return self.folder / "best"

    def settings(self) -> dict[str, Any]:
        return {
            "model": self.shape.model_dump(),
            "training": self.schedule.model_dump(),
            "seed": self.seed,
        }

    @cached_property
    def fingerprint(self) -> str:
        """A digest of settings and texts: a checkpoint of others is not continued."""
        everything = {**self.settings(), "train": self.corpus.train, "dev": self.corpus.dev}
        return digest(srsly.json_dumps(everything).encode())

    def train(self) -> Log:
        """Train, from the checkpoint if there is one, and write the model. Returns the log.

        Raises:
            ValueError: for a damaged checkpoint or log, one of other settings, a text that is too
                short, and a loss that is not a number.
        """
        characters = self.corpus.characters
        arrays = files.read_checkpoint(self.checkpoint, self.fingerprint, characters)
        log = files.read_log(self.folder / "log.jsonl", int(arrays["step"])) if arrays else []
        trainer = Trainer(len(characters.alphabet), self.shape, self.schedule, self.seed)
        if arrays:
            trainer.restore(arrays)
            print(f"continues after step {trainer.step} of {self.schedule.max_steps}")
        self._train(trainer, log)
        restore_folder(self.best)
        with new_folder(self.folder / "model", marker=files.FACTS) as copy:
            shutil.copytree(self.best, copy, dirs_exist_ok=True)
        return log

    def _train(self, trainer: Trainer, log: Log) -> None:
        """Train, and add a line to the log at each evaluation."""
        characters = self.corpus.characters
        seconds_before = log[-1]["seconds"] if log else 0.0
        ids = characters.encode(self.corpus.train), characters.encode(self.corpus.dev)
        with progress_bar("training", self.schedule.max_steps, "step") as bar:
            bar.update(trainer.step)
            for evaluation in train(*ids, trainer, self.schedule, self.seed, bar.update):
                line = self._log_line(evaluation, seconds_before)
                log.append(line)
                bar.write(
                    f"step {line['step']}: {evaluation.train_bits:.3f} bits per character in "
                    f"training, {evaluation.dev_bits:.3f} on dev\n{line['sample']}\n"
                )
                self._write(trainer, evaluation, log)

    def _log_line(self, evaluation: Evaluation, seconds_before: float) -> dict[str, Any]:
        characters = self.corpus.characters
        begin = "\n" if "\n" in characters.alphabet else ""
        sample = generate(
            evaluation.network, characters, begin, SAMPLE_LENGTH, seed=evaluation.step
        )[0]
        seconds = round(seconds_before + evaluation.seconds, 2)
        return {**evaluation.to_json(), "seconds": seconds, "sample": sample}

    def _write(self, trainer: Trainer, evaluation: Evaluation, log: Log) -> None:
        """Write the model if it is the best so far, the log and a checkpoint."""
        characters = self.corpus.characters
        if evaluation.best:
            facts = {
                **self.settings(),
                "step": evaluation.step,
                "dev_bits": evaluation.dev_bits,
            }
            files.save(self.best, files.Saved(evaluation.network.model, characters, facts))
        write_jsonl(self.folder / "log.jsonl", log)
        files.write_checkpoint(self.checkpoint, trainer.arrays(), self.fingerprint, characters)

    def tidy(self) -> None:
        """Remove what is needed only to continue."""
        remove(self.checkpoint)
        remove(self.best)
