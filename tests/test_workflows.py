"""A tiny run of each variant in a copy of the project, and of the user's own data in each format."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from scripts.vectors.folder import write_folder
from tests.conftest import TINY, copy_project, shared_data, weasel

FEW = [*TINY, "--vars.ner.max_steps", "40", "--vars.ner.eval_frequency", "20"]


@pytest.fixture(scope="session")
def annotated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the corpus made, for the variants to train on."""
    folder = copy_project(tmp_path_factory.mktemp("variants"))
    (folder / "training").mkdir()
    subprocess.run(
        ["cp", "-r", str(trained / "corpus"), str(trained / "project.lock"), str(folder)],
        check=True,
    )
    return folder


@pytest.fixture(scope="session")
def vectors(annotated: Path) -> Path:
    """The project in which the workflow `vectors` ran with few epochs."""
    few = ["--vars.vectors.epochs", "2", "--vars.vectors.vector_size", "32"]
    done = weasel(annotated, "vectors", ".", *few)
    assert "epoch 2 of 2: loss" in done.stdout and "recall@10" in done.stdout
    return annotated


def test_vectors_from_text_to_patterns(vectors: Path) -> None:
    made = vectors / "training/vectors"
    scores = srsly.read_json(made / "metrics.json")
    assert (
        scores["words"] > 10_000
        and scores["analogies"]["all"]["covered"] > 4_000
        and scores["similarities"]["WordSim-353"]["covered"] > 250
    )
    members = list(srsly.read_jsonl(made / "members.jsonl"))
    assert (
        srsly.read_json(made / "classify.json")["members"]
        == len(members)
        == len(list(srsly.read_jsonl(made / "patterns.jsonl")))
        > 12
    )
    assert len(list(srsly.read_jsonl(made / "ranking.jsonl"))) == len(members)
    assert all(
        (made / name).stat().st_size > 10_000 for name in ("tsne.png", "tsne.svg", "ranking.png")
    )
    assert (made / "index/index.faiss").exists() and srsly.read_json(made / "index.json")[
        "recall"
    ] > 0.5
    assert (
        "Skipping 'vectors-train'"
        in weasel(
            vectors,
            "vectors-train",
            ".",
            "--vars.vectors.epochs",
            "2",
            "--vars.vectors.vector_size",
            "32",
        ).stdout
    )
    assert (
        "coffee" in weasel(vectors, "vectors-nearest", ".").stdout
        and "king" in weasel(vectors, "vectors-analogy", ".").stdout
    )


def test_patterns_of_the_class_go_into_ner(vectors: Path) -> None:
    own = [
        "--vars.ner.patterns",
        "training/vectors/patterns.jsonl",
        "--vars.ner.texts",
        "texts.txt",
    ]
    (vectors / "texts.txt").write_text(
        "We went to France and on to Turkey.\nMy phone has no signal in China.\n"
    )
    weasel(vectors, "ner-annotate", ".", *own)
    assert set(srsly.read_json(vectors / "corpus/ner/stats.json")["labels"]) == {"COUNTRY"}
    weasel(vectors, "ner-annotate", ".", *TINY)


def test_static_vectors(vectors: Path) -> None:
    weasel(vectors, "ner-vectors", ".", *FEW)
    for name in ("model-best", "pipeline"):
        pipeline = spacy.load(vectors / "training/ner-vectors" / name)
        assert (
            pipeline.vocab.vectors.shape[1] == 32
            and pipeline.config["components"]["tok2vec"]["model"]["embed"]["include_static_vectors"]
        )
        assert (
            np.array_equal(pipeline("PHONE")[0].vector, pipeline("phone")[0].vector)
            and pipeline("phone")[0].has_vector
        )
    assert (
        json.loads((vectors / "training/ner-vectors/metrics.json").read_text())["test_texts"] == 150
    )
    assert (vectors / "packages/en_gadget_ner_vectors-0.1.0-py3-none-any.whl").exists()
    assert "Skipping 'ner-vectors-train'" in weasel(vectors, "ner-vectors", ".", *FEW).stdout
    spacy.blank("en").to_disk(vectors / "training/other")
    write_folder(vectors / "training/other", [([b"phone"], np.ones((1, 32), "f4"))], 32)
    again = weasel(
        vectors, "ner-vectors", ".", *FEW, "--vars.vectors.table", "training/other"
    ).stdout
    assert "Skipping 'ner-vectors-train'" not in again


def test_static_vectors_in_textcat(vectors: Path) -> None:
    """spaCy's own config for textcat takes the folder too."""
    nlp = spacy.blank("en")
    lines = srsly.read_jsonl(vectors / "assets/ner/texts.jsonl")
    docs = [nlp.make_doc(line["text"]) for line in lines]
    for doc in docs:
        doc.cats = {"WATCH": float("watch" in doc.text), "OTHER": float("watch" not in doc.text)}
    for name, some in (("train", docs[:300]), ("dev", docs[300:400])):
        DocBin(docs=some, store_user_data=True).to_disk(vectors / f"{name}.spacy")
    run = [sys.executable, "-m", "spacy"]
    subprocess.run(
        [*run, "init", "config", "t.cfg", "--pipeline", "textcat", "--optimize", "accuracy"],
        cwd=vectors,
        check=True,
    )
    paths = [
        "--paths.train",
        "train.spacy",
        "--paths.dev",
        "dev.spacy",
        "--paths.vectors",
        "training/vectors/table",
    ]
    subprocess.run(
        [*run, "train", "t.cfg", "--output", "textcat", *paths, "--training.max_steps", "20"],
        cwd=vectors,
        check=True,
    )
    assert spacy.load(vectors / "textcat/model-last").vocab.vectors.shape[1] == 32


def test_vectors_that_others_made(annotated: Path) -> None:
    countries = [
        line["text"] for line in srsly.read_jsonl(annotated / "assets/vectors/countries.jsonl")
    ]
    words = [
        *countries,
        *(
            word
            for line in srsly.read_jsonl(annotated / "assets/vectors/groups.jsonl")
            for word in line["words"]
        ),
    ]
    words = [word.replace(" ", "_") for word in dict.fromkeys(words)] + [
        f"other{i}" for i in range(800)
    ]
    rows = np.random.default_rng(0).standard_normal((len(words), 24)).astype("f4")
    rows[: len(countries), 0] += 6
    lines = [word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(words, rows)]
    (annotated / "v.bin.gz").write_bytes(
        gzip.compress(f"{len(words)} 24\n".encode() + b"".join(lines))
    )
    ring = [[0, 0], [9, 0], [9, 9], [0, 0]]
    norway = {
        "type": "Feature",
        "id": "NOR",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    srsly.write_json(
        annotated / "world.geo.json", {"type": "FeatureCollection", "features": [norway]}
    )
    own = [
        "--vars.vectors.source",
        "v.bin.gz",
        "--vars.vectors.top",
        "0",
        "--vars.vectors.world",
        "world.geo.json",
    ]
    weasel(annotated, "vectors-pretrained", ".", *own)
    assert srsly.read_json(annotated / "training/vectors/classify.json")["gold_r"] > 0.9
    assert (annotated / "training/vectors/map.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "no static vectors called 'nowhere'"),
        ("training/empty", "has no static vectors"),
    ],
)
def test_vectors_that_are_none(annotated: Path, name: str, words: str) -> None:
    spacy.blank("en").to_disk(annotated / "training/empty")
    done = weasel(annotated, "vectors-table", ".", "--vars.vectors.table", name, check=False)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_encoder_and_transformer(annotated: Path, tiny_bert: Path) -> None:
    own = [*FEW, "--vars.transformer", str(tiny_bert), "--vars.ner.encoder", str(tiny_bert)]
    weasel(annotated, "ner-encoder", ".", *own)
    taught = srsly.read_json(annotated / "corpus/ner-encoder/teach.json")
    assert (
        taught["features"] == ["words", "encoder"]
        and taught["entities_after"] > taught["entities_before"]
    )
    assert "transformer" not in spacy.load(annotated / "training/ner-encoder/pipeline").pipe_names
    assert "Skipping 'ner-encoder-teach'" in weasel(annotated, "ner-trf", ".", *own).stdout
    assert spacy.load(annotated / "training/ner-trf/pipeline").pipe_names[0] == "transformer"
    for name in ("encoder", "trf"):
        assert (
            json.loads((annotated / f"training/ner-{name}/metrics.json").read_text())["test_texts"]
            == 150
        )
        assert (annotated / f"packages/en_gadget_ner_{name}-0.1.0-py3-none-any.whl").exists()


@pytest.mark.slow
def test_own_data_without_gold_says_silver(tmp_path: Path) -> None:
    folder = copy_project(tmp_path)
    lines = [
        f"The {shop} on {street} sells tea number {i}"
        for i, (shop, street) in enumerate([("Bakery", "Elm Road"), ("Deli", "Oak Lane")] * 60)
    ]
    (folder / "my texts.txt").write_text("\n".join(lines), encoding="utf8")
    srsly.write_jsonl(
        folder / "p.jsonl",
        [
            {"label": "STREET", "pattern": "Elm Road"},
            {"label": "SHOP", "pattern": [{"LOWER": "deli"}]},
        ],
    )
    own = [
        "--vars.ner.texts",
        "my texts.txt",
        "--vars.ner.patterns",
        "p.jsonl",
        "--vars.ner.name",
        "town",
    ]
    none = ["--vars.ner.dev", "assets/empty.jsonl", "--vars.ner.test", "assets/empty.jsonl"]
    done = weasel(folder, "ner", ".", *FEW, *own, *none)
    assert "SILVER labels" in done.stdout and "No gold file was given" in done.stdout
    metrics = json.loads((folder / "training/ner/metrics.json").read_text())
    assert not metrics["test_is_gold"] and metrics["labels"] == ["SHOP", "STREET"]
    assert "No gold file was given" in (folder / "training/ner/report.html").read_text("utf8")
    assert (folder / "packages/en_town-0.1.0-py3-none-any.whl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("data", ["fashion", "wnut17"])
def test_published_data(tmp_path: Path, data: str) -> None:
    source = shared_data() / data
    if not source.exists():
        pytest.skip(f"{source} is not here")
    folder = copy_project(tmp_path)
    own = [
        "--vars.ner.texts",
        str(source / "training.jsonl"),
        "--vars.ner.patterns",
        str(source / "patterns.jsonl"),
    ]
    own += ["--vars.ner.dev", "assets/empty.jsonl", "--vars.ner.test", str(source / "eval.jsonl")]
    if data == "wnut17":
        own = [
            "--vars.ner.train_on",
            "labelled",
            "--vars.ner.labelled",
            str(source / "train.conll"),
        ]
        own += [
            "--vars.ner.dev",
            str(source / "dev.conll"),
            "--vars.ner.test",
            str(source / "test.conll"),
        ]
    weasel(folder, "ner", ".", *FEW, *own)
    metrics = json.loads((folder / "training/ner/metrics.json").read_text())
    if data == "fashion":
        assert metrics["test_texts"] == 500 and metrics["patterns_alone"][
            "ents_f"
        ] == pytest.approx(0.465, abs=0.001)
    else:
        assert (
            metrics["test_texts"] > 1_000
            and len(metrics["labels"]) == 6
            and metrics["patterns_alone"] is None
        )
