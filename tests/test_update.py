"""A pipeline learns a label and keeps what it knew; what goes wrong says so in one line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from spacy.attrs import LOWER
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from scripts.entities.scores import score
from scripts.reading import read_docs, text_key
from scripts.update.__main__ import app
from scripts.update.corpus import (
    MixtureSettings,
    complete_example,
    label_raw_text,
    mix,
    sample,
    summary,
)
from scripts.update.evaluate import evaluate_systems, predict_labelled, print_table
from scripts.update.pipeline import (
    extract_ner,
    install_ner,
    load_with_ner,
    ner_labels,
    ner_name,
    replace_ner,
)
from scripts.update.unlabelled import EntityFinder, unlabelled
from tests.conftest import copy_project, run_module, weasel, wheel_name

FEW = ["--vars.update.max_steps", "60", "--vars.update.eval_frequency", "30"]
WORDS = ["I", "like", "my", "Pixel", "on", "Android"]
Write = Callable[[str, list[Any]], Path]


def spans(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, ent.label_) for ent in doc.ents]


def labelled_doc(nlp: Language, words: list[str], *ents: tuple[int, int, str]) -> Doc:
    doc = Doc(nlp.vocab, words=words)
    doc.set_ents([Span(doc, *ent[:2], label=ent[2]) for ent in ents])
    return doc


@pytest.fixture
def ruled() -> Language:
    """A stand-in for an old pipeline: it finds Pixel (GADGET) and, wrongly, Android."""
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "GADGET", "pattern": word} for word in ("Pixel", "Android")])
    return nlp


@pytest.fixture
def finder(ruled: Language, write_jsonl: Write) -> EntityFinder:
    patterns = [
        {"label": "GADGET", "pattern": "Pixel"},
        {"label": "GADGET", "pattern": "Nokia"},
        {"label": "OTHER", "pattern": "like"},
    ]
    return EntityFinder(ruled, write_jsonl("patterns.jsonl", patterns), "ORTH", ["GADGET"])


# Mixture


def numbered(nlp: Language, n: int, *ents: tuple[int, int, str]) -> list[Doc]:
    """Different texts with the same entities."""
    return [labelled_doc(nlp, [*WORDS, str(number)], *ents) for number in range(n)]


def tags(doc: Doc) -> list[str]:
    return [token.ent_iob_ for token in doc]


def test_what_a_new_example_leaves_unlabelled(finder: EntityFinder) -> None:
    docs = [
        labelled_doc(finder.nlp, WORDS, (5, 6, "SYSTEM")),
        labelled_doc(finder.nlp, ["Nokia", "too"]),
        labelled_doc(finder.nlp, ["nothing", "here"]),
    ]
    records = list(unlabelled(finder.find(docs)))
    assert [(record["label"], record["span"], record["found_by"]) for record in records] == [
        ("GADGET", "Pixel", ["patterns", "pipeline"]),
        ("GADGET", "Nokia", ["patterns"]),
    ]
    first = records[0]
    assert (first["start"], first["end"], first["text"]) == (10, 15, "I like my Pixel on Android ")
    assert finder.ignored_labels == ["OTHER"]


def test_an_empty_patterns_file_means_none(ruled: Language, write_jsonl: Write) -> None:
    finder = EntityFinder(ruled, write_jsonl("none.jsonl", []), "ORTH", ["GADGET"])
    (found,) = finder.find([labelled_doc(ruled, WORDS)])
    assert not found.by_patterns and len(found.by_pipeline) == 2


def test_new_examples_are_completed_and_their_own_spans_hold(finder: EntityFinder) -> None:
    example = labelled_doc(finder.nlp, [*WORDS, "not", "Nokia"], (5, 6, "SYSTEM"))
    (found,) = finder.find([example])
    completed = complete_example(example, found.by_pipeline, found.by_patterns)
    assert spans(completed) == [("Pixel", "GADGET"), ("Android", "SYSTEM")]
    # what only a pattern finds (Nokia) is unknown
    assert tags(completed) == ["O", "O", "O", "B", "O", "B", "O", ""]
    assert spans(example) == [("Android", "SYSTEM")], "the example itself is unchanged"


@pytest.mark.parametrize(("mask_unmatched", "tag"), [(True, ""), (False, "O")])
def test_names_in_raw_texts_may_be_unknown(
    finder: EntityFinder, mask_unmatched: bool, tag: str
) -> None:
    (found,) = finder.find([finder.nlp.make_doc("My Pixel has a Gizmo app")])
    raw = label_raw_text(found.example, found.by_pipeline, set(), mask_unmatched)
    assert spans(raw) == [("Pixel", "GADGET")]
    assert tags(raw) == ["O", "B", "O", "O", tag, "O"]
    by_hand = label_raw_text(found.example, found.by_pipeline, {"GADGET"}, mask_unmatched)
    assert spans(by_hand) == []
    assert tags(by_hand) == ["O", "", "O", "O", tag, "O"]


def test_sample_does_not_depend_on_the_order() -> None:
    texts = [f"text {number}" for number in range(50)]
    assert sample(texts, 5, 0) == sample(reversed(texts), 5, 0) != sample(texts, 5, 1)
    assert len(sample(texts, 99, 0)) == 50 and sample(texts, 0, 0) == []


def test_test_texts_never_train_and_each_text_counts_once(finder: EntityFinder) -> None:
    new = numbered(finder.nlp, 40, (5, 6, "SYSTEM"))
    tests = [labelled_doc(finder.nlp, [*WORDS, "1"]), finder.nlp.make_doc("raw Pixel 2")]
    raw = [f"raw  pixel {number}" for number in range(60)] + [new[3].text, "", "\ud800"]
    settings = MixtureSettings(rehearsal=1, mask_unmatched=True, dev_share=0.3, seed=0)
    mixture = mix(finder, [*new, new[0]], raw, tests, settings)
    keys = [text_key(doc.text) for doc in (*mixture.docs["train"], *mixture.docs["dev"])]
    assert len(keys) == len(set(keys)) == 39 + 39
    assert not set(keys) & {text_key(doc.text) for doc in tests}
    assert mixture.counts["new texts left out (in a gold file, or twice)"] == 2
    assert mixture.counts["raw texts left out (empty, too long or half a surrogate pair)"] == 2
    naive = [doc.text for doc in (*mixture.docs["naive_train"], *mixture.docs["naive_dev"])]
    assert sorted(naive) == sorted(doc.text for doc in new if doc.text != tests[0].text)
    naive_labels = set()
    for doc in mixture.docs["naive_train"]:
        naive_labels.update(ent.label_ for ent in doc.ents)
    assert naive_labels == {"SYSTEM"}


def test_the_new_examples_decide_on_the_labels_that_they_have(finder: EntityFinder) -> None:
    new = numbered(finder.nlp, 40, (3, 4, "GADGET"))
    settings = MixtureSettings(rehearsal=3, mask_unmatched=True, dev_share=0.3, seed=0)
    mixture = mix(finder, new, ["a Pixel"], [], settings)
    n_docs = len(mixture.docs["train"]) + len(mixture.docs["dev"])
    assert n_docs == 40, "nothing is left to rehearse"
    assert summary(mixture)["entities filled in"] == summary(mixture)["entities rehearsed"] == 0
    for doc in mixture.docs["train"]:
        assert spans(doc) == [("Pixel", "GADGET")] and doc[5].ent_iob_ == "O"


def test_a_mixture_that_cannot_be(finder: EntityFinder) -> None:
    new = numbered(finder.nlp, 30, (5, 6, "SYSTEM"))
    none = MixtureSettings(rehearsal=0, mask_unmatched=True, dev_share=0.3, seed=0)
    one = MixtureSettings(rehearsal=1, mask_unmatched=True, dev_share=0.3, seed=0)
    small_dev = MixtureSettings(rehearsal=0, mask_unmatched=True, dev_share=0.01, seed=0)
    with pytest.raises(
        ValueError, match=r"no new example with a label is left .* give more by vars\.update\.new"
    ):
        mix(finder, new, [], new, none)
    with pytest.raises(ValueError, match=r"no raw text is left .* vars\.update\.rehearsal to 0"):
        mix(finder, new, [new[0].text], [], one)
    with pytest.raises(ValueError, match=r"dev got no entity: give more new examples"):
        mix(finder, new[:1], [], [], small_dev)


# Pipeline

PARSER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 16,
    "maxout_pieces": 2,
}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16, "upstream": "tok2vec"}


def tok2vec(vectors: bool) -> dict[str, Any]:
    return {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": vectors or None,
        "width": 16,
        "depth": 1,
        "embed_size": 50,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": True,
    }


def add_tagger_and_ner(nlp: Language, layer: dict[str, Any], ner: str, use_upper: bool) -> Example:
    """Two components on one kind of layer, and an example for both."""
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": layer}
    parser = {**PARSER, "use_upper": use_upper, "tok2vec": layer}
    nlp.add_pipe("tagger", config={"model": tagger})
    nlp.add_pipe("ner", name=ner, config={"model": parser})
    words = ["my", "Pixel", "works"]
    reference = Doc(nlp.vocab, words=words, tags=["D", "N", "V"], ents=["O", "B-GADGET", "O"])
    return Example(Doc(nlp.vocab, words=words), reference)


def small(listening: bool, vectors: bool = False) -> Language:
    """A tagger and an NER, trained for a few steps.

    Both are on one tok2vec (`listening`), or each has its own.
    """
    nlp = spacy.blank("en")
    if vectors:
        nlp.vocab.set_vector("Pixel", np.ones(3, dtype="f"))
    if listening:
        nlp.add_pipe("tok2vec", config={"model": tok2vec(vectors)})
    layer = LISTENER if listening else tok2vec(vectors)
    example = add_tagger_and_ner(nlp, layer, "names", use_upper=True)
    nlp.initialize(lambda: [example])
    for _ in range(20):
        nlp.update([example])
    ruler: Any = nlp.add_pipe("entity_ruler", before="names")
    ruler.add_patterns([{"label": "GADGET", "pattern": "Nokia"}])
    nlp.add_pipe("sentencizer")
    return nlp


def train_on(base: Language, doc: Doc, steps: int) -> None:
    optimizer = base.resume_training()
    for _ in range(steps):
        base.update([Example(base.make_doc(doc.text), doc)], sgd=optimizer)


def word_tags(doc: Doc) -> list[str]:
    return [token.tag_ for token in doc]


@pytest.mark.parametrize(("listening", "vectors"), [(True, False), (False, False), (True, True)])
def test_other_components_stay_as_they_are(tmp_path: Path, listening: bool, vectors: bool) -> None:
    small(listening, vectors).to_disk(tmp_path / "old")
    old = spacy.load(tmp_path / "old")
    texts = ["my Pixel works", "your Nokia sings", "Android works my Pixel"]
    extract_ner(spacy.load(tmp_path / "old"), ["SYSTEM"], "en").to_disk(tmp_path / "base")
    base = spacy.load(tmp_path / "base")
    assert base.pipe_names == ["ner"] and ner_labels(base) == ["GADGET", "SYSTEM"]
    words = ["Android", "works", "my", "Pixel"]
    train_on(base, labelled_doc(base, words, (0, 1, "SYSTEM"), (3, 4, "GADGET")), 60)
    replace_ner(spacy.load(tmp_path / "old"), base).to_disk(tmp_path / "updated")
    updated = spacy.load(tmp_path / "updated")
    assert updated.pipe_names == old.pipe_names and ner_name(updated) == "names"
    assert spans(updated(texts[2])) == [("Android", "SYSTEM"), ("Pixel", "GADGET")]
    assert ("Nokia", "GADGET") in spans(updated(texts[1]))
    for text in texts:
        assert word_tags(old(text)) == word_tags(updated(text))
    for name in set(old.pipe_names) - {"names"}:
        kept, was = updated.get_pipe(name), old.get_pipe(name)
        assert not hasattr(was, "model") or kept.model.to_bytes() == was.model.to_bytes(), name


def test_the_attribute_of_vectors_is_kept(tmp_path: Path) -> None:
    """spaCy leaves out of a saved pipeline by what words are looked up."""
    small(True, vectors=True).to_disk(tmp_path / "old")
    settings = {"mode": "default", "attr": int(LOWER)}
    srsly.write_json(tmp_path / "old/vocab/vectors.cfg", settings)
    srsly.write_json(tmp_path / "base.json", {"new_labels": ["SYSTEM"]})
    old, base = str(tmp_path / "old"), str(tmp_path / "base")
    app(["prepare", old, base, "--base", str(tmp_path / "base.json")], standalone_mode=False)
    assert spacy.load(base).vocab.vectors.attr == LOWER
    (tmp_path / "new").mkdir()
    (tmp_path / "new/log.jsonl").write_text("")
    spacy.load(base).to_disk(tmp_path / "new/model-best")
    install_ner(tmp_path / "new", tmp_path / "out", load_with_ner(old))
    assert spacy.load(tmp_path / "out/pipeline").vocab.vectors.attr == LOWER


def test_a_shared_layer_goes_when_nothing_listens_to_it(trained: Path) -> None:
    folder, text = str(trained / "training/ner/pipeline"), "Swapped my Zenfone 9 for an iPhone 13."
    nlp = load_with_ner(folder)
    names = [name for name in nlp.pipe_names if name != "tok2vec"]
    before = spans(nlp(text))
    replaced = replace_ner(nlp, extract_ner(load_with_ner(folder), [], "en"))
    assert replaced.pipe_names == names and spans(replaced(text)) == before


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
    example = add_tagger_and_ner(nlp, listener, "ner", use_upper=False)
    nlp.initialize(lambda: [example])
    nlp.to_disk(tmp_path / "old")
    extract_ner(spacy.load(tmp_path / "old"), ["SYSTEM"], "en").to_disk(tmp_path / "base")
    base = spacy.load(tmp_path / "base")
    train_on(base, labelled_doc(base, ["Android", "works"], (0, 1, "SYSTEM")), 40)
    replace_ner(spacy.load(tmp_path / "old"), base).to_disk(tmp_path / "updated")
    updated = spacy.load(tmp_path / "updated")
    assert updated.pipe_names == nlp.pipe_names
    assert spans(updated("Android works")) == [("Android", "SYSTEM")]
    assert word_tags(updated("my Pixel works")) == word_tags(nlp("my Pixel works"))


def test_pipelines_that_cannot_be_updated(tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(
        ValueError,
        match=r"blank has no NER to update \(it has nothing\): .* vars\.update\.pipeline",
    ):
        load_with_ner(str(tmp_path / "blank"))
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
        load_with_ner(str(tmp_path / "damaged"))


# Scores


def test_labels_that_a_test_file_does_not_have_count_neither_way(ruled: Language) -> None:
    ruler: Any = ruled.get_pipe("entity_ruler")
    ruler.add_patterns([{"label": "VERB", "pattern": "like"}])
    (example,) = predict_labelled(ruled, [labelled_doc(ruled, WORDS, (3, 4, "GADGET"))])
    assert spans(example.predicted) == [("Pixel", "GADGET"), ("Android", "GADGET")]
    assert score([example])["ents_p"] == 0.5


def rules_before_ner(*words: str) -> Language:
    """Patterns in front of an NER that has learned to find nothing."""
    nlp = spacy.blank("en")
    ner: Any = nlp.add_pipe("ner")
    ner.add_label("GADGET")
    doc = labelled_doc(nlp, ["my", "Pixel", "and", "Nokia"])
    example = Example(nlp.make_doc(doc.text), doc)
    nlp.initialize(lambda: [example])
    for _ in range(20):
        nlp.update([example])
    ruler: Any = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "GADGET", "pattern": word} for word in words])
    return nlp


def test_a_label_that_drops_is_named(ruled: Language, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["my", "Pixel", "and", "Nokia"]
    gold = [labelled_doc(ruled, words, (1, 2, "GADGET"), (3, 4, "GADGET"))]
    systems = {
        "before": rules_before_ner("Pixel", "Nokia"),
        "updated": rules_before_ner("Pixel"),
        "naive": rules_before_ner("my"),
        "alone": rules_before_ner("Pixel"),
    }
    metrics = evaluate_systems(systems, {"old gold": gold, "new gold": gold})
    print_table(metrics)
    out = capsys.readouterr().out
    row = metrics["rows"][0]
    assert [row[key] for key in ("before", "naive", "entities")] == [1.0, 0.0, 2]
    assert metrics["ents_f"] == row["updated"] == pytest.approx(2 / 3)
    assert [dropped["gold"] for dropped in metrics["dropped"]] == ["old gold", "new gold"]
    assert "GADGET lost 33.3 points on the old test: more than 2 points of F" in out
    assert "old gold" not in out
    with pytest.raises(ValueError, match=r"the new test texts have no label"):
        evaluate_systems(systems, {"old gold": gold, "new gold": []})


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


NER = "training/ner/pipeline"
PATTERNS = ["--patterns", "assets/ner/patterns.jsonl"]
TESTS = ["--test", "assets/update/test.jsonl", "--old-test", "assets/ner/test.jsonl"]
CORPUS = ["corpus", NER, "out", *TESTS, "--texts", "assets/ner/texts.jsonl", *PATTERNS, "--new"]
CHECK = ["check", NER, "out", "--new"]
NEW = ["assets/update/train.jsonl", "--patterns", "assets/empty.jsonl"]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_workflow_leaves_tables_and_a_wheel(updated: Path) -> None:
    said = (updated / "said.txt").read_text()
    assert "new texts leave entities of known labels unlabelled" in said
    assert "GADGET by patterns" in said and "F by label" in said
    metrics = srsly.read_json(updated / "training/update/metrics.json")
    assert [(row["gold"], row["label"], row["entities"]) for row in metrics["rows"]] == [
        ("old gold", "GADGET", 157),
        ("new gold", "GADGET", 69),
        ("new gold", "SYSTEM", 96),
    ]
    assert metrics["old_labels"] == ["GADGET"] and metrics["labels"] == ["GADGET", "SYSTEM"]
    assert 0 < metrics["ents_f"] < 1
    assert metrics["rows"][2]["before"] is None and metrics["rows"][0]["updated"] > 0.3
    assert (updated / "training/update/scores.png").stat().st_size > 5_000
    assert (updated / "packages" / wheel_name("update")).exists()
    nlp = spacy.load(updated / "training/update/pipeline")
    assert [name for name in nlp.pipe_names if not name.endswith("_ruler")] == ["ner"]


def test_no_test_text_is_in_the_corpus(updated: Path) -> None:
    test_keys: set[bytes] = set()
    for name in ("update/test", "ner/test"):
        records = srsly.read_jsonl(updated / f"assets/{name}.jsonl")
        test_keys.update(text_key(record["text"]) for record in records)
    for name in ("train", "dev", "naive_train", "naive_dev"):
        docs = read_docs(updated / f"corpus/update/{name}.spacy", spacy.blank("en"))
        keys = {text_key(doc.text) for doc in docs}
        assert keys and not keys & test_keys


def test_second_run_skips_and_another_pipeline_reruns(updated: Path) -> None:
    again = weasel(updated, "update", ".", *FEW).stdout
    assert again.count("nothing changed") == 6 and "spacy train" not in again
    base = srsly.read_json(updated / "corpus/update/base.json")
    other = load_with_ner(str(updated / "training/ner/pipeline"))
    other.meta["description"] = "another"
    other.to_disk(updated / "other")
    weasel(updated, "update-check", ".", "--vars.update.pipeline", "other")
    changed = srsly.read_json(updated / "corpus/update/base.json")
    assert changed["fingerprint"] != base["fingerprint"] and changed["labels"] == base["labels"]
    weasel(updated, "update-check", ".")
    assert srsly.read_json(updated / "corpus/update/base.json") == base


def test_same_seed_same_bytes(
    updated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(updated)
    corpus, base, new = tmp_path / "corpus", tmp_path / "base", tmp_path / "new"
    app(["corpus", NER, str(corpus), *CORPUS[3:], NEW[0]], standalone_mode=False)
    prepare = ["prepare", NER, str(base), "--base", "corpus/update/base.json"]
    app(prepare, standalone_mode=False)
    settings = {
        "--training.max_steps": "60",
        "--training.eval_frequency": "30",
        "--training.optimizer.learn_rate": "0.001",
        "--paths.base": str(base),
        "--paths.train": str(corpus / "train.spacy"),
        "--paths.dev": str(corpus / "dev.spacy"),
        "--paths.log": str(new / "log.jsonl"),
        "--output": str(new),
        "--code": "scripts/components/training.py",
    }
    options = chain.from_iterable(settings.items())
    done = run_module(updated, "spacy", "train", "configs/update.cfg", *options)
    assert done.returncode == 0, done.stderr
    again, before = contents(corpus), contents(updated / "corpus/update")
    assert len(again) == 6 and {name: before[name] for name in again} == again
    for file in ("model", "moves"):
        old = updated / "training/update/pipeline/ner" / file
        assert (new / "model-best/ner" / file).read_bytes() == old.read_bytes()


def test_kill_in_mid_train_keeps_the_pipeline(updated: Path) -> None:
    pipeline = updated / "training/update/pipeline"
    before = contents(pipeline)
    command = [sys.executable, "-m", "weasel", "run", "update-train", ".", "--force"]
    process = subprocess.Popen(
        [*command, "--vars.update.max_steps", "5000"],
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


PREPARE = ["prepare", NER, "out", "--base"]
BASE = "corpus/update/base.json"
BAD = [
    (
        ["check", "nowhere", *CHECK[2:], *NEW],
        "no pipeline called 'nowhere': give a folder or an installed package by "
        "vars.update.pipeline (python -m weasel run ner makes the default)",
    ),
    (["check", "en", *CHECK[2:], *NEW], "no pipeline called 'en'"),
    (["check", "assets/ner", *CHECK[2:], *NEW], "no pipeline called 'assets/ner'"),
    (["check", "damaged", *CHECK[2:], *NEW], "damaged can't be loaded, train or install it again"),
    ([*CHECK, "assets/empty.jsonl", *NEW[1:]], "the new examples have no labelled span"),
    ([*CHECK, *NEW[:2], "nowhere.jsonl"], "nowhere.jsonl does not exist"),
    ([*CHECK, "broken.jsonl", *NEW[1:]], "broken.jsonl:2: broken JSON"),
    ([*CORPUS, "assets/ner/test.jsonl"], "no new example with a label is left"),
    (
        [*CORPUS, NEW[0], "--dev-share", "0.6"],
        "vars.update.dev_share is 0.6: it must lie between 0 and 0.5",
    ),
    ([*PREPARE, "base.json"], "base.json does not exist: run update-check first"),
    ([*PREPARE, BASE, "--lang", "de"], "language is en, not de: give --vars.lang en"),
    (["assemble", "nowhere", "out"], "nowhere holds no trained model: run the training first"),
    (
        ["evaluate", NER, "out", *TESTS],
        "no pipeline called 'out/pipeline': run update-train, update-naive and update-alone first",
    ),
]


@pytest.mark.parametrize(("args", "words"), BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    updated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(updated)
    Path("broken.jsonl").write_text('{"text": "fine", "spans": []}\n{"text": \n')
    Path("damaged").mkdir(exist_ok=True)
    Path("damaged/config.cfg").write_text("[nlp")
    with pytest.raises(SystemExit, match="1"):
        app(args, standalone_mode=False)
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("Error: ") and words in said[-1] and not Path("out").exists()
