"""Let a teacher relabel the training texts: DocBin files to train on, a dev to choose by, and the terms that it found."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import srsly
from spacy.language import Language
from spacy.tokens import Doc

from scripts.files import new_folder, progress_bar, write_json, write_jsonl
from scripts.ner.features import Encoder, word_features
from scripts.ner.sources import Sources
from scripts.ner.teacher import (
    COPIES,
    ENOUGH,
    HAND_WEIGHT,
    MOST_TOKENS,
    Featurize,
    Teacher,
    too_few,
)
from scripts.ner.terms import Decided, Finder, words_of
from scripts.reading import read_docs, text_key, write_docs

Teach = Literal["words", "encoder", "none"]
HAND = "labelled.spacy"  # hand labels, which a teacher learns from and does not change


def features_of(teach: Teach, encoder: str, gpu_id: int) -> dict[str, Featurize]:
    """What the teacher looks at: hashed words, and with an encoder its features too; nothing where there is to be no teacher."""
    features: dict[str, Featurize] = {} if teach == "none" else {"words": word_features}
    return features | ({"encoder": Encoder(encoder, gpu_id)} if teach == "encoder" else {})


def teach_corpus(
    corpus: Path,
    output: Path,
    nlp: Language,
    features: dict[str, Featurize],
    terms: Sequence[dict[str, Any]] = (),
    sources: Sources | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Write train/*.spacy, dev.spacy, terms.jsonl and teach.json under `output`, and return what was done.

    Where dev is drawn from silver texts, the teacher labels it too: patterns name too few entities to choose by.

    Args:
        corpus: the folder that ner-split filled.
        output: the folder to write.
        nlp: whose vocab the Docs get.
        features: what the teacher looks at, by name; empty to copy the corpus as it is.
        terms: what the user has said of terms.
        sources: of silver labels beside the patterns; None for none.
        seed: for the names that mentions are swapped for, and for the texts that are drawn from many.
    """
    split = srsly.read_json(corpus / "split.json")
    decided, sources = Decided(nlp.vocab, terms), sources or Sources()
    counts = Counter({"entities_before": 0, "entities_after": 0})
    told: dict[str, Any] = {"features": list(features), "dev_is_gold": split["dev_is_gold"]}
    teacher, finder = None, Finder(nlp.vocab, set())
    probabilities: dict[bytes, np.ndarray] = {}  # of a text's tokens to be in an entity
    with new_folder(output, marker="teach.json") as made:
        files = _prepare(corpus / "train", made / "train", sources, decided, nlp)
        silver = [file for file in files if file.name != HAND]
        if silver and features:
            print(f"the teacher looks at {' and at '.join(features)}")
            sample, by_hand = _sample(files, nlp)
            if too_few(sample):
                print(
                    f"Warning: a teacher needs at least {ENOUGH} texts with entities: the corpus stays as it is "
                    "(vars.ner.entity_augmentation 0.7 may help)",
                    file=sys.stderr,
                )
            else:
                teacher = Teacher(features, seed).fit(sample, by_hand)
                counts["texts_that_taught"] = len(sample)
                told["confidence"] = round(teacher.confidence, 3)
        with progress_bar("teach", split["texts"]["train"], " texts") as bar:
            for file in files:
                docs = list(read_docs(file, nlp))
                if file in silver:
                    for doc, probability in zip(
                        docs, _relabel(docs, teacher, decided, finder, counts)
                    ):
                        probabilities[text_key(doc.text)] = probability
                    write_docs(file, docs)
                elif teacher is not None:
                    file.unlink()
                    for number in range(HAND_WEIGHT):
                        write_docs(file.with_name(f"{number}-{HAND}"), docs)
                bar.update(len(docs))
        dev = list(read_docs(corpus / "dev.spacy", nlp))
        if not split["dev_is_gold"]:
            _relabel(dev, teacher, decided, None, Counter())
        write_docs(made / "dev.spacy", dev)
        found = (
            _terms(
                (doc for file in silver for doc in read_docs(file, nlp)),
                probabilities,
                finder,
                teacher.sure,
            )
            if teacher
            else []
        )
        write_jsonl(made / "terms.jsonl", [*terms, *found])
        done = {**told, **counts, "terms_given": len(terms), "terms_found": len(found)}
        write_json(made / "teach.json", done)
    return done


def _prepare(
    train: Path, to: Path, sources: Sources, decided: Decided, nlp: Language
) -> list[Path]:
    """Copies of the training files, silver ones with the other sources' entities and the user's decisions in them."""
    to.mkdir()
    files = []
    for file in sorted(train.glob("*.spacy")):
        docs = list(read_docs(file, nlp))
        for doc in docs if file.name != HAND else ():
            sources.apply(doc)
            decided.apply(doc)
        files.append(to / file.name)
        write_docs(files[-1], docs)
    return files


def _sample(files: list[Path], nlp: Language) -> tuple[list[Doc], list[bool]]:
    """Texts to learn from, and whether each is labelled by hand: all of them, or of very many as much as is needed of those with
    entities and of the others."""
    lots: dict[bool, list[Doc]] = {True: [], False: []}
    hand: set[str] = set()
    for file in files:
        for doc in read_docs(file, nlp):
            lots[bool(doc.ents)].append(doc)
            hand.update([doc.text] if file.name == HAND else [])
        lots = {
            has: _first(lot, MOST_TOKENS // (1 + COPIES) if has else MOST_TOKENS)
            for has, lot in lots.items()
        }
    docs = [*lots[True], *lots[False]]
    return docs, [doc.text in hand for doc in docs]


def _first(docs: list[Doc], most: int) -> list[Doc]:
    """The Docs in the order of a hash of their texts, up to a number of tokens."""
    docs = sorted(docs, key=lambda doc: text_key(doc.text))
    lengths = np.cumsum([len(doc) for doc in docs])
    return docs[: int(np.searchsorted(lengths, most, side="right"))]


def _relabel(
    docs: list[Doc],
    teacher: Teacher | None,
    decided: Decided,
    finder: Finder | None,
    counts: Counter[str],
) -> list[np.ndarray]:
    """Let the teacher set the entities of Docs. Gives the probability of their tokens to be in one, (n_tokens,) for each Doc."""
    counts["entities_before"] += sum(len(doc.ents) for doc in docs)
    if finder is not None:
        finder.known.update((words_of(ent), ent.label_) for doc in docs for ent in doc.ents)
    probabilities = teacher.relabel(docs) if teacher is not None else []
    for doc in docs:
        decided.drop_rejected(doc)
        if finder is not None:
            finder.see(doc)
    counts["entities_after"] += sum(len(doc.ents) for doc in docs)
    return probabilities


def _terms(
    docs: Iterable[Doc], probabilities: dict[bytes, np.ndarray], finder: Finder, sure: float
) -> list[dict[str, Any]]:
    for doc in docs:
        finder.weigh(doc, probabilities[text_key(doc.text)])
    return finder.terms(sure)
