"""Let a teacher relabel the corpus before training, and list the terms that it found."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy.language import Language
from spacy.tokens import Doc

from scripts.files import new_folder, progress_bar, write_json, write_jsonl
from scripts.ner.options import TeacherFeatures
from scripts.ner.sources import Sources
from scripts.ner.teacher import (
    HAND_WEIGHT,
    MAX_TOKENS,
    MIN_TEXTS,
    N_COPIES,
    Featurize,
    Teacher,
    too_few,
)
from scripts.ner.terms import Decisions, Term, TermCollector
from scripts.reading import read_docs, text_key, write_docs

HAND_LABELLED = "labelled.spacy"  # a teacher learns from these labels and does not change them
Probabilities = dict[bytes, np.ndarray]  # by `text_key`: (n_tokens,) of being in an entity


def make_features(teacher: TeacherFeatures, encoder: str, gpu_id: int) -> dict[str, Featurize]:
    """The functions that turn texts into what the teacher looks at, by name; none for "none"."""
    if teacher == "none":
        return {}
    from scripts.ner.features import Encoder, word_features

    features: dict[str, Featurize] = {"words": word_features}
    if teacher == "encoder":
        features["encoder"] = Encoder(encoder, gpu_id)
    return features


@dataclass
class Relabelling:
    """Relabels Docs and counts the entities before and after.

    Args:
        teacher: finds entities; None to leave the Docs as they are.
        decisions: what the user decided on terms.
        collector: learns about the terms.
    """

    teacher: Teacher | None
    decisions: Decisions
    collector: TermCollector
    entities_before: int = 0
    entities_after: int = 0

    def relabel_train(self, docs: Sequence[Doc]) -> Probabilities:
        """Relabel training texts, and collect their phrases."""
        self.entities_before += sum(len(doc.ents) for doc in docs)
        for doc in docs:
            self.collector.add_known(doc)
        probabilities = self.relabel(docs)
        for doc in docs:
            self.collector.add_entities(doc)
        self.entities_after += sum(len(doc.ents) for doc in docs)
        return {text_key(doc.text): array for doc, array in zip(docs, probabilities)}

    def relabel(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """Relabel texts. Returns what `Teacher.relabel` does, or nothing without a teacher."""
        probabilities = self.teacher.relabel(docs) if self.teacher else []
        for doc in docs:
            self.decisions.drop_rejected(doc)
        return probabilities


def teach_corpus(
    corpus: Path,
    output: Path,
    nlp: Language,
    features: dict[str, Featurize],
    terms: Sequence[Term] = (),
    sources: Sources | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write train/*.spacy, dev.spacy, terms.jsonl and teach.json, and return a summary.

    If dev is drawn from silver texts, the teacher labels it, too: the patterns name too few
    entities to choose a model by.

    Args:
        corpus: the folder that ner-split wrote.
        output: the folder to write.
        nlp: the pipeline whose vocab the Docs get.
        features: what the teacher looks at, by name; empty to copy the corpus as it is.
        terms: the user's decisions on terms.
        sources: silver labels besides those of the patterns; None for none.
        seed: for the names that replace mentions, and for the texts that are drawn from many.
    """
    split = srsly.read_json(corpus / "split.json")
    decisions = Decisions(nlp.vocab, terms)
    summary: dict[str, Any] = {"features": list(features), "dev_is_gold": split["dev_is_gold"]}
    with new_folder(output, marker="teach.json") as folder:
        train = folder / "train"
        train.mkdir()
        files = _prepare(corpus / "train", train, sources or Sources(), decisions, nlp)
        sample = _sample(files, nlp) if features and _silver(files) else None
        teacher = _fit(sample, features, seed) if sample else None
        run = Relabelling(teacher, decisions, TermCollector(nlp.vocab))
        probabilities = _relabel_files(files, train, run, nlp, split["texts"]["train"])
        dev = list(read_docs(corpus / "dev.spacy", nlp))
        if not split["dev_is_gold"]:
            run.relabel(dev)
        write_docs(folder / "dev.spacy", dev)
        new_terms = _find_terms(_silver(train.iterdir()), run, probabilities, nlp)
        write_jsonl(folder / "terms.jsonl", [*terms, *new_terms])
        summary |= _teacher_summary(run, sample)
        summary |= {"terms_given": len(terms), "terms_found": len(new_terms)}
        write_json(folder / "teach.json", summary)
    return summary


@dataclass
class Sample:
    """Texts to learn from, and for each whether it is labelled by hand."""

    docs: list[Doc]
    by_hand: list[bool]


def _silver(files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if not file.name.endswith(HAND_LABELLED))


def _prepare(
    train: Path, output: Path, sources: Sources, decisions: Decisions, nlp: Language
) -> list[Path]:
    """The training files. Other sources and the user's decisions change copies of silver ones."""
    files = sorted(train.glob("*.spacy"))
    if not sources and not decisions.terms:
        return files
    prepared = []
    for file in files:
        docs = list(read_docs(file, nlp))
        for doc in docs if file.name != HAND_LABELLED else ():
            sources.apply(doc)
            decisions.apply(doc)
        prepared.append(output / file.name)
        write_docs(prepared[-1], docs)
    return prepared


def _sample(files: Iterable[Path], nlp: Language) -> Sample:
    """Texts for the teacher to learn from: all of them, or of very many as much as it needs.

    It gets as many tokens of texts without entities as of texts with entities and their copies.
    """
    with_entities: list[Doc] = []
    without: list[Doc] = []
    hand: set[str] = set()
    for file in files:
        for doc in read_docs(file, nlp):
            (with_entities if doc.ents else without).append(doc)
            if file.name == HAND_LABELLED:
                hand.add(doc.text)
        with_entities = _first_by_hash(with_entities, MAX_TOKENS // (1 + N_COPIES))
        without = _first_by_hash(without, MAX_TOKENS)
    docs = with_entities + without
    return Sample(docs, [doc.text in hand for doc in docs])


def _first_by_hash(docs: Iterable[Doc], max_tokens: int) -> list[Doc]:
    """The first Docs in the order of a hash of their texts, with at most `max_tokens` tokens."""
    docs = sorted(docs, key=lambda doc: text_key(doc.text))
    lengths = np.cumsum([len(doc) for doc in docs])
    return docs[: int(np.searchsorted(lengths, max_tokens, side="right"))]


def _fit(sample: Sample, features: dict[str, Featurize], seed: int) -> Teacher | None:
    """A teacher that has learned from the texts; None if they are too few."""
    print(f"the teacher looks at {' and '.join(features)}")
    if too_few(sample.docs):
        print(
            f"Warning: a teacher needs at least {MIN_TEXTS} texts with entities: the corpus stays "
            "as it is (vars.ner.entity_augmentation 0.7 may help)",
            file=sys.stderr,
        )
        return None
    return Teacher(features, seed).fit(sample.docs, sample.by_hand)


def _relabel_files(
    files: Iterable[Path], output: Path, run: Relabelling, nlp: Language, n_texts: int
) -> Probabilities:
    """Write the training files: silver ones relabelled, hand-labelled ones as they are.

    If there is a teacher, hand-labelled ones are written several times: training then weighs hand
    labels as the teacher does.
    """
    probabilities: Probabilities = {}
    with progress_bar("teach", n_texts, " texts") as bar:
        for file in files:
            docs = list(read_docs(file, nlp))
            (output / file.name).unlink(missing_ok=True)
            names = [file.name]
            if file.name != HAND_LABELLED:
                probabilities |= run.relabel_train(docs)
            elif run.teacher:
                names = [f"{number}-{HAND_LABELLED}" for number in range(HAND_WEIGHT)]
            for name in names:
                write_docs(output / name, docs)
            bar.update(len(docs))
    return probabilities


def _find_terms(
    files: Iterable[Path], run: Relabelling, probabilities: Probabilities, nlp: Language
) -> list[Term]:
    """The terms that the teacher found in relabelled files; none without a teacher."""
    if run.teacher is None:
        return []
    for doc in _read_all(files, nlp):
        run.collector.add_places(doc, probabilities[text_key(doc.text)])
    return run.collector.terms(run.teacher.threshold)


def _read_all(files: Iterable[Path], nlp: Language) -> Iterator[Doc]:
    for file in files:
        yield from read_docs(file, nlp)


def _teacher_summary(run: Relabelling, sample: Sample | None) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    if run.teacher:
        summary["confidence"] = round(run.teacher.confidence, 3)
    summary |= {"entities_before": run.entities_before, "entities_after": run.entities_after}
    if run.teacher and sample:
        summary["texts_that_taught"] = len(sample.docs)
    return summary
