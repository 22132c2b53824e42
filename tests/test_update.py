"""A pipeline learns a label and keeps what it knew; what goes wrong says so in one line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.entities.scores import score
from scripts.reading import read_docs, text_key
from scripts.update.__main__ import app
from scripts.update.corpus import completed, mix, rehearsed, sample, summary
from scripts.update.evaluate import evaluate, predict_known, print_table
from scripts.update.known import Known, unlabelled
from scripts.update.pipeline import extract_ner, labels, load_pipeline, ner_name, put_back
from tests.conftest import copy_project, run_module, weasel

FEW = ["--vars.update.max_steps", "60", "--vars.update.eval_frequency", "30"]
WORDS = ["I", "like", "my", "Pixel", "on", "Android"]
Write = Callable[[str, list[Any]], Path]


def spans(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def made(nlp: Language, words: list[str], *ents: tuple[int, int, str]) -> Doc:
    doc = Doc(nlp.vocab, words=words)
    doc.set_ents([Span(doc, *ent[:2], label=ent[2]) for ent in ents])
    return doc


@pytest.fixture
def ruled() -> Language:
    """A stand-in for an old pipeline: it finds Pixel (GADGET) and, wrongly, Android."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "GADGET", "pattern": word} for word in ("Pixel", "Android")])  # type: ignore[attr-defined]
    return nlp


@pytest.fixture
def known(ruled: Language, write_jsonl: Write) -> Known:
    patterns = [
        {"label": "GADGET", "pattern": "Pixel"},
        {"label": "GADGET", "pattern": "Nokia"},
        {"label": "OTHER", "pattern": "like"},
    ]
    return Known(ruled, write_jsonl("patterns.jsonl", patterns), "ORTH", ["GADGET"])


# Mixture


def test_what_a_new_example_leaves_unlabelled(known: Known) -> None:
    docs = [
        made(known.nlp, WORDS, (5, 6, "SYSTEM")),
        made(known.nlp, ["Nokia", "too"]),
        made(known.nlp, ["nothing", "here"]),
    ]
    found = list(unlabelled(known.find(docs)))
    assert [(line["label"], line["span"], line["found_by"]) for line in found] == [
        ("GADGET", "Pixel", ["patterns", "pipeline"]),
        ("GADGET", "Nokia", ["patterns"]),
    ]
    assert (found[0]["start"], found[0]["end"], found[0]["text"]) == (
        10,
        15,
        "I like my Pixel on Android ",
    )
    assert known.passed_over == ["OTHER"]


def test_new_examples_are_completed_and_their_own_spans_hold(known: Known) -> None:
    ((doc, by_pipeline, by_patterns),) = known.find(
        [made(known.nlp, [*WORDS, "not", "Nokia"], (5, 6, "SYSTEM"))]
    )
    filled = completed(doc, by_pipeline, by_patterns)
    assert spans(filled) == [("Pixel", "GADGET"), ("Android", "SYSTEM")]
    assert [token.ent_iob_ for token in filled] == [
        "O",
        "O",
        "O",
        "B",
        "O",
        "B",
        "O",
        "",
    ]  # what only a pattern finds is unknown
    assert spans(doc) == [("Android", "SYSTEM")], "the example itself is unchanged"


@pytest.mark.parametrize(("doubt", "tag"), [(True, ""), (False, "O")])
def test_names_in_raw_texts_may_be_unknown(known: Known, doubt: bool, tag: str) -> None:
    ((doc, by_pipeline, _),) = known.find([known.nlp.make_doc("My Pixel has a Gizmo app")])
    raw = rehearsed(doc, by_pipeline, set(), doubt)
    assert spans(raw) == [("Pixel", "GADGET")] and [token.ent_iob_ for token in raw] == [
        "O",
        "B",
        "O",
        "O",
        tag,
        "O",
    ]
    by_hand = rehearsed(doc, by_pipeline, {"GADGET"}, doubt)
    assert spans(by_hand) == [] and [token.ent_iob_ for token in by_hand] == [
        "O",
        "",
        "O",
        "O",
        tag,
        "O",
    ]


def test_sample_does_not_depend_on_the_order() -> None:
    texts = [f"text {number}" for number in range(50)]
    assert sample(texts, 5, 0) == sample(reversed(texts), 5, 0) != sample(texts, 5, 1)
    assert len(sample(texts, 99, 0)) == 50 and sample(texts, 0, 0) == []


def test_gold_texts_never_train_and_each_text_counts_once(known: Known) -> None:
    new = [made(known.nlp, [*WORDS, str(number)], (5, 6, "SYSTEM")) for number in range(40)]
    golds = [made(known.nlp, [*WORDS, "1"]), known.nlp.make_doc("raw Pixel 2")]
    raw = [f"raw  pixel {number}" for number in range(60)] + [new[3].text, "", "\ud800"]
    mixture = mix(known, [*new, new[0]], raw, golds, rehearsal=1, doubt=True, dev_share=0.3, seed=0)
    keys = [text_key(doc.text) for name in ("train", "dev") for doc in mixture.docs[name]]
    assert len(keys) == len(set(keys)) == 39 + 39 and not set(keys) & {
        text_key(doc.text) for doc in golds
    }
    assert mixture.counts["new texts left out (in a gold file, or twice)"] == 2
    assert mixture.counts["raw texts left out (empty, too long or half a surrogate pair)"] == 2
    naive = [doc.text for name in ("naive_train", "naive_dev") for doc in mixture.docs[name]]
    assert sorted(naive) == sorted(doc.text for doc in new if doc.text != golds[0].text)
    assert {ent.label_ for doc in mixture.docs["naive_train"] for ent in doc.ents} == {"SYSTEM"}


def test_the_new_examples_are_the_authority_on_the_labels_that_they_have(known: Known) -> None:
    new = [made(known.nlp, [*WORDS, str(number)], (3, 4, "GADGET")) for number in range(40)]
    mixture = mix(known, new, ["a Pixel"], [], rehearsal=3, doubt=True, dev_share=0.3, seed=0)
    assert len(mixture.docs["train"]) + len(mixture.docs["dev"]) == 40, (
        "nothing is left to rehearse"
    )
    assert summary(mixture)["entities filled in"] == summary(mixture)["entities rehearsed"] == 0
    assert all(
        spans(doc) == [("Pixel", "GADGET")] and doc[5].ent_iob_ == "O"
        for doc in mixture.docs["train"]
    )


def test_a_mixture_that_cannot_be(known: Known) -> None:
    new = [made(known.nlp, [*WORDS, str(number)], (5, 6, "SYSTEM")) for number in range(30)]
    settings: dict[str, Any] = {"doubt": True, "dev_share": 0.3, "seed": 0}
    with pytest.raises(
        ValueError, match=r"no new example with a label is left .* give more by vars\.update\.new"
    ):
        mix(known, new, [], new, rehearsal=0, **settings)
    with pytest.raises(ValueError, match=r"no raw text is left .* vars\.update\.rehearsal 0"):
        mix(known, new, [new[0].text], [], rehearsal=1, **settings)
    with pytest.raises(ValueError, match=r"dev got no entity: give more new examples"):
        mix(known, new[:1], [], [], rehearsal=0, **(settings | {"dev_share": 0.01}))


# Pipeline


def small(listening: bool, vectors: bool = False) -> Language:
    """A tagger and an NER, trained for a few steps, on one tok2vec (`listening`) or each on its own."""
    nlp = spacy.blank("en")
    if vectors:
        nlp.vocab.set_vector("Pixel", np.ones(3, dtype="f"))
    width = {
        "width": 16,
        "depth": 1,
        "embed_size": 50,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": True,
    }
    own = {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": vectors or None,
        **width,
    }
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16, "upstream": "tok2vec"}
    if listening:
        nlp.add_pipe("tok2vec", config={"model": own})
    tok2vec = listener if listening else own
    nlp.add_pipe(
        "tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}}
    )
    parser = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 16,
    }
    nlp.add_pipe(
        "ner",
        name="names",
        config={"model": {**parser, "maxout_pieces": 2, "use_upper": True, "tok2vec": tok2vec}},
    )
    words = ["my", "Pixel", "works"]
    reference = Doc(nlp.vocab, words=words, tags=["D", "N", "V"], ents=["O", "B-GADGET", "O"])
    examples = [Example(Doc(nlp.vocab, words=words), reference)]
    nlp.initialize(lambda: examples)
    for _ in range(20):
        nlp.update(examples)
    nlp.add_pipe("entity_ruler", before="names").add_patterns(
        [{"label": "GADGET", "pattern": "Nokia"}]
    )  # type: ignore[attr-defined]
    nlp.add_pipe("sentencizer")
    return nlp


@pytest.mark.parametrize(("listening", "vectors"), [(True, False), (False, False), (True, True)])
def test_other_components_stay_as_they_are(tmp_path: Path, listening: bool, vectors: bool) -> None:
    small(listening, vectors).to_disk(tmp_path / "old")
    old = spacy.load(tmp_path / "old")
    texts = ["my Pixel works", "your Nokia sings", "Android works my Pixel"]
    extract_ner(spacy.load(tmp_path / "old"), ["SYSTEM"], "en").to_disk(tmp_path / "base")
    base = spacy.load(tmp_path / "base")
    assert base.pipe_names == ["ner"] and labels(base) == ["GADGET", "SYSTEM"]
    doc = made(base, ["Android", "works", "my", "Pixel"], (0, 1, "SYSTEM"), (3, 4, "GADGET"))
    optimizer = base.resume_training()
    for _ in range(60):
        base.update([Example(base.make_doc(doc.text), doc)], sgd=optimizer)
    put_back(spacy.load(tmp_path / "old"), base).to_disk(tmp_path / "updated")
    updated = spacy.load(tmp_path / "updated")
    assert updated.pipe_names == old.pipe_names and ner_name(updated) == "names"
    assert spans(updated(texts[2])) == [("Android", "SYSTEM"), ("Pixel", "GADGET")] and (
        "Nokia",
        "GADGET",
    ) in spans(updated(texts[1]))
    for text in texts:
        assert [token.tag_ for token in old(text)] == [token.tag_ for token in updated(text)]
    for name in set(old.pipe_names) - {"names"}:
        kept, was = updated.get_pipe(name), old.get_pipe(name)
        assert not hasattr(was, "model") or kept.model.to_bytes() == was.model.to_bytes(), name


def test_a_shared_layer_goes_when_nothing_listens_to_it(trained: Path) -> None:
    nlp = load_pipeline(str(trained / "training/ner/pipeline"))
    names = [name for name in nlp.pipe_names if name != "tok2vec"]
    before = spans(nlp("Swapped my Zenfone 9 for an iPhone 13 mini."))
    made = put_back(
        nlp, extract_ner(load_pipeline(str(trained / "training/ner/pipeline")), [], "en")
    )
    assert (
        made.pipe_names == names
        and spans(made("Swapped my Zenfone 9 for an iPhone 13 mini.")) == before
    )


def test_a_transformer_is_copied_like_a_tok2vec(tmp_path: Path, tiny_bert: Path) -> None:
    pytest.importorskip("spacy_transformers")
    nlp = spacy.blank("en")
    nlp.add_pipe("transformer", config={"model": {"name": str(tiny_bert)}})
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
        "upstream": "*",
    }
    parser = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 16,
    }
    nlp.add_pipe(
        "ner",
        config={"model": {**parser, "maxout_pieces": 2, "use_upper": False, "tok2vec": listener}},
    )
    nlp.add_pipe(
        "tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}}
    )
    reference = Doc(
        nlp.vocab, words=["my", "Pixel", "works"], tags=["D", "N", "V"], ents=["O", "B-GADGET", "O"]
    )
    nlp.initialize(lambda: [Example(nlp.make_doc("my Pixel works"), reference)])
    nlp.to_disk(tmp_path / "old")
    extract_ner(spacy.load(tmp_path / "old"), ["SYSTEM"], "en").to_disk(tmp_path / "base")
    base = spacy.load(tmp_path / "base")
    doc = made(base, ["Android", "works"], (0, 1, "SYSTEM"))
    optimizer = base.resume_training()
    for _ in range(40):
        base.update([Example(base.make_doc(doc.text), doc)], sgd=optimizer)
    put_back(spacy.load(tmp_path / "old"), base).to_disk(tmp_path / "updated")
    updated = spacy.load(tmp_path / "updated")
    assert updated.pipe_names == nlp.pipe_names and spans(updated("Android works")) == [
        ("Android", "SYSTEM")
    ]
    assert [token.tag_ for token in updated("my Pixel works")] == [
        token.tag_ for token in nlp("my Pixel works")
    ]


def test_pipelines_that_cannot_be_updated(tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(
        ValueError,
        match=r"blank has no NER to update \(it has nothing\): .* vars\.update\.pipeline",
    ):
        load_pipeline(str(tmp_path / "blank"))
    two = spacy.blank("en")
    for name in ("a", "b"):
        two.add_pipe("ner", name=name)
    with pytest.raises(ValueError, match=r"the pipeline has 2 NERs \(a, b\)"):
        ner_name(two)
    with pytest.raises(
        ValueError, match=r"the pipeline's language is en, not de: give --vars\.lang en"
    ):
        extract_ner(small(True), [], "de")
    small(False).to_disk(tmp_path / "damaged")
    model = tmp_path / "damaged" / "names" / "model"
    model.write_bytes(model.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"damaged can't be loaded"):
        load_pipeline(str(tmp_path / "damaged"))


# Scores


def test_labels_that_a_gold_file_does_not_have_count_neither_way(ruled: Language) -> None:
    ruled.get_pipe("entity_ruler").add_patterns([{"label": "VERB", "pattern": "like"}])  # type: ignore[attr-defined]
    examples = predict_known(ruled, [made(ruled, WORDS, (3, 4, "GADGET"))])
    assert [spans(example.predicted) for example in examples] == [
        [("Pixel", "GADGET"), ("Android", "GADGET")]
    ]
    assert score(examples)["ents_p"] == 0.5


def test_a_label_that_drops_is_named(ruled: Language, capsys: pytest.CaptureFixture[str]) -> None:
    def system(*words: str) -> Language:
        """Patterns in front of an NER that learned to find nothing."""
        nlp = spacy.blank("en")
        nlp.add_pipe("ner").add_label("GADGET")  # type: ignore[attr-defined]
        examples = [
            Example(nlp.make_doc("my Pixel and Nokia"), made(nlp, ["my", "Pixel", "and", "Nokia"]))
        ]
        nlp.initialize(lambda: examples)
        for _ in range(20):
            nlp.update(examples)
        ruler = nlp.add_pipe("entity_ruler", first=True)
        ruler.add_patterns([{"label": "GADGET", "pattern": word} for word in words])  # type: ignore[attr-defined]
        return nlp

    gold = [made(ruled, ["my", "Pixel", "and", "Nokia"], (1, 2, "GADGET"), (3, 4, "GADGET"))]
    systems = {
        "before": system("Pixel", "Nokia"),
        "updated": system("Pixel"),
        "naive": system("my"),
        "alone": system("Pixel"),
    }
    metrics = evaluate(systems, {"old gold": gold, "new gold": gold})
    print_table(metrics)
    said = capsys.readouterr().out
    row = metrics["rows"][0]
    assert (row["before"], row["updated"], row["naive"], row["entities"]) == (
        1.0,
        pytest.approx(2 / 3),
        0.0,
        2,
    )
    assert metrics["ents_f"] == row["updated"] and [
        line["gold"] for line in metrics["dropped"]
    ] == ["old gold", "new gold"]
    assert "GADGET lost 33.3 points of F on the old gold: more than 2" in said
    with pytest.raises(ValueError, match=r"the new gold holds no labelled text"):
        evaluate(systems, {"old gold": gold, "new gold": []})


# The workflow


@pytest.fixture(scope="module")
def updated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the workflow ran with few steps."""
    folder = copy_project(tmp_path_factory.mktemp("update"))
    (folder / "training/ner").mkdir(parents=True)
    shutil.copytree(trained / "training/ner/pipeline", folder / "training/ner/pipeline")
    done = weasel(folder, "update", ".", *FEW)
    (folder / "said.txt").write_text(done.stdout + done.stderr)
    return folder


CORPUS = [
    "corpus",
    "training/ner/pipeline",
    "out",
    "--gold",
    "assets/update/test.jsonl",
    "--old-gold",
    "assets/ner/test.jsonl",
]
CORPUS += ["--texts", "assets/ner/texts.jsonl", "--patterns", "assets/ner/patterns.jsonl", "--new"]
CHECK = ["check", "training/ner/pipeline", "out", "--new"]
NEW = ["assets/update/train.jsonl", "--patterns", "assets/empty.jsonl"]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_workflow_leaves_tables_and_a_wheel(updated: Path) -> None:
    said = (updated / "said.txt").read_text()
    assert (
        "new texts leave entities of known labels unlabelled" in said
        and "GADGET by patterns" in said
        and "F by label" in said
    )
    metrics = srsly.read_json(updated / "training/update/metrics.json")
    assert [(row["gold"], row["label"], row["entities"]) for row in metrics["rows"]] == [
        ("old gold", "GADGET", 157),
        ("new gold", "GADGET", 69),
        ("new gold", "SYSTEM", 96),
    ]
    assert (
        metrics["old_labels"] == ["GADGET"]
        and metrics["labels"] == ["GADGET", "SYSTEM"]
        and 0 < metrics["ents_f"] < 1
    )
    assert metrics["rows"][2]["before"] is None and metrics["rows"][0]["updated"] > 0.3
    assert (updated / "training/update/scores.png").stat().st_size > 5_000
    assert list((updated / "packages").glob("en_gadget_system_ner-*.whl"))
    nlp = spacy.load(updated / "training/update/pipeline")
    assert [name for name in nlp.pipe_names if not name.endswith("_ruler")] == ["ner"]
    golds = {
        text_key(line["text"])
        for name in ("update/gold", "ner/test")
        for line in srsly.read_jsonl(updated / f"assets/{name}.jsonl")
    }
    for name in ("train", "dev", "naive_train", "naive_dev"):
        assert not golds & {
            text_key(doc.text) for doc in read_docs(updated / f"corpus/update/{name}.spacy", nlp)
        }


def test_second_run_skips_and_another_pipeline_reruns(updated: Path) -> None:
    again = weasel(updated, "update", ".", *FEW).stdout
    assert again.count("nothing changed") == 6 and "spacy train" not in again
    told = srsly.read_json(updated / "corpus/update/base.json")
    other = load_pipeline(str(updated / "training/ner/pipeline"))
    other.meta["description"] = "another"
    other.to_disk(updated / "other")
    weasel(updated, "update-check", ".", "--vars.update.pipeline", "other")
    changed = srsly.read_json(updated / "corpus/update/base.json")
    assert changed["fingerprint"] != told["fingerprint"] and changed["labels"] == told["labels"]
    weasel(updated, "update-check", ".")
    assert srsly.read_json(updated / "corpus/update/base.json") == told


def test_same_seed_same_bytes(
    updated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(updated)
    corpus, base, new = tmp_path / "corpus", tmp_path / "base", tmp_path / "new"
    app([*CORPUS[:2], str(corpus), *CORPUS[3:], "assets/update/train.jsonl"], standalone_mode=False)
    app(
        ["prepare", CORPUS[1], str(base), "--base", "corpus/update/base.json"],
        standalone_mode=False,
    )
    settings = [
        "--training.max_steps",
        "60",
        "--training.eval_frequency",
        "30",
        "--training.optimizer.learn_rate",
        "0.001",
    ]
    paths = [
        "--paths.base",
        str(base),
        "--paths.train",
        str(corpus / "train.spacy"),
        "--paths.dev",
        str(corpus / "dev.spacy"),
    ]
    paths += [
        "--output",
        str(new),
        "--paths.log",
        str(new / "log.jsonl"),
        "--code",
        "scripts/components/training.py",
    ]
    done = run_module(updated, "spacy", "train", "configs/update.cfg", *settings, *paths)
    assert done.returncode == 0, done.stderr
    again = contents(corpus)
    assert {
        name: data for name, data in contents(updated / "corpus/update").items() if name in again
    } == again and len(again) == 6
    for file in ("model", "moves"):
        assert (new / "model-best/ner" / file).read_bytes() == (
            updated / "training/update/pipeline/ner" / file
        ).read_bytes()


def test_kill_in_mid_train_keeps_the_pipeline(updated: Path) -> None:
    pipeline = updated / "training/update/pipeline"
    before = contents(pipeline)
    args = [
        sys.executable,
        "-m",
        "weasel",
        "run",
        "update-train",
        ".",
        "--vars.update.max_steps",
        "5000",
    ]
    process = subprocess.Popen(
        [*args, "--force"],
        cwd=updated,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    last = updated / "training/update/new/model-last"
    shutil.rmtree(last)
    deadline = time.time() + 60
    while not last.exists() and time.time() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert last.exists() and contents(pipeline) == before and spacy.load(pipeline) is not None


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ["check", "nowhere", *CHECK[2:], *NEW],
            "no pipeline called 'nowhere': give an installed one or a folder by vars.update.pipeline",
        ),
        (["check", "en", *CHECK[2:], *NEW], "no pipeline called 'en'"),
        (
            ["check", "assets/ner", *CHECK[2:], *NEW],
            "assets/ner can't be loaded, make or install it again",
        ),
        ([*CHECK, "assets/empty.jsonl", *NEW[1:]], "the new examples have no labelled span"),
        ([*CHECK, *NEW[:2], "nowhere.jsonl"], "nowhere.jsonl does not exist"),
        ([*CHECK, "broken.jsonl", *NEW[1:]], "broken.jsonl:2: broken JSON"),
        ([*CORPUS, "assets/ner/test.jsonl"], "no new example with a label is left"),
        (
            [*CORPUS, NEW[0], "--dev-share", "0.6"],
            "vars.update.dev_share is 0.6: it must lie between 0 and 0.5",
        ),
        (
            ["prepare", CORPUS[1], "out", "--base", "base.json"],
            "base.json does not exist: run update-check first",
        ),
        (
            ["prepare", CORPUS[1], "out", "--base", "corpus/update/base.json", "--lang", "de"],
            "language is en, not de: give --vars.lang en",
        ),
        (["compose", "nowhere", "out"], "nowhere holds no trained model: run the training first"),
        (
            ["evaluate", CORPUS[1], "out", *CORPUS[3:7]],
            "out/pipeline does not exist: run update-train, update-naive",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    updated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(updated)
    Path("broken.jsonl").write_text('{"text": "fine", "spans": []}\n{"text": \n')
    with pytest.raises(SystemExit, match="1"):
        app(args, standalone_mode=False)
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("Error: ") and words in said[-1] and not Path("out").exists()
