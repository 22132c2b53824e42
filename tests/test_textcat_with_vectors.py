"""A text classifier with the static vectors that `vectors` made."""

import subprocess
import sys
from pathlib import Path

import spacy
import srsly
from spacy.tokens import DocBin


def test_static_vectors_in_textcat(vectors: Path, tmp_path: Path) -> None:
    """spaCy's own config for textcat takes the folder."""
    nlp = spacy.blank("en")
    lines = srsly.read_jsonl(vectors / "assets/ner/texts.jsonl")
    docs = [nlp.make_doc(line["text"]) for line in lines]
    for doc in docs:
        doc.cats = {"WATCH": float("watch" in doc.text), "OTHER": float("watch" not in doc.text)}
    DocBin(docs=docs[:300], store_user_data=True).to_disk(tmp_path / "train.spacy")
    DocBin(docs=docs[300:400], store_user_data=True).to_disk(tmp_path / "dev.spacy")
    run = [sys.executable, "-m", "spacy"]
    init = ["init", "config", "t.cfg", "--pipeline", "textcat", "--optimize", "accuracy"]
    subprocess.run([*run, *init], cwd=tmp_path, check=True)
    train = ["train", "t.cfg", "--output", "textcat", "--training.max_steps", "20"]
    train += ["--paths.train", "train.spacy", "--paths.dev", "dev.spacy"]
    train += ["--paths.vectors", str(vectors / "training/vectors/table")]
    subprocess.run([*run, *train], cwd=tmp_path, check=True)
    assert spacy.load(tmp_path / "textcat/model-last").vocab.vectors.shape[1] == 32
