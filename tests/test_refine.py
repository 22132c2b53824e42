"""The workflow refine: the component, the table's errors, the scores, and the report on labels."""

import json
import pickle
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from scripts.components.refine import LabelRefiner
from scripts.reading import DOC_ATTRS
from scripts.refine.__main__ import app
from scripts.refine.build import add_refiner, impossible_patterns, read_table
from scripts.refine.evaluate import evaluate_refiner
from scripts.refine.labels import compare_labels, describe
from tests.conftest import PROJECT, ROOT, copy_project, weasel, wheel_name

TABLE: list[dict[str, Any]] = [
    {
        "from": "GPE",
        "label": "TOURIST_DESTINATION",
        "text": "Bali",
        "aliases": ["Isle of  the GODS"],
        "id": "bali",
        "kb_id": "Q4648",
    },
    {"from": ["GPE", "LOC"], "label": "TOURIST_DESTINATION", "mention": ["beach"]},
    {
        "from": "CLOTHING",
        "label": "CHILDRENS_CLOTHING",
        "context": ["toddler", "for my son", [{"LOWER": {"REGEX": "^kid"}}]],
    },
    {"from": "CLOTHING", "label": "WORK_CLOTHING", "context": ["office"]},
]
NAME = "label_refiner"
KNOWN = {
    "GPE": ["Bali", "bali", "ISLE OF THE GODS", "Rome", "Palm Beach"],
    "CLOTHING": ["jacket", "shirt"],
    "PERSON": ["Ann"],
}


def pipeline(rows: list[dict[str, Any]] | None = None, **config: Any) -> Language:
    """A pipeline that finds the entities of KNOWN, with a refiner."""
    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("entity_ruler")
    for label, texts in KNOWN.items():
        ruler.add_patterns([{"label": label, "pattern": text} for text in texts])
    refiner(nlp, config).add_rows(TABLE if rows is None else rows)
    return nlp


def refiner(nlp: Language, config: dict[str, Any] | None = None) -> LabelRefiner:
    """The refiner of a pipeline, added with a config if one is given."""
    component: Any = nlp.get_pipe(NAME) if config is None else nlp.add_pipe(NAME, config=config)
    return component


def entities(doc: Doc) -> list[tuple[Any, ...]]:
    return [
        (ent.text, ent.label_, ent.ent_id_, ent.kb_id_, ent._.generic_label, ent._.refined_by)
        for ent in doc.ents
    ]


def labels(nlp: Language, text: str) -> list[str]:
    return [ent.label_ for ent in nlp(text).ents]


TEXT = "🌴 Ann left Rome for Bali with a jacket for my son. Palm Beach? ISLE OF THE GODS"
EXPECTED = [
    ("Ann", "PERSON", "", "", None, None),
    ("Rome", "GPE", "", "", None, None),
    ("Bali", "TOURIST_DESTINATION", "bali", "Q4648", "GPE", 0),
    ("jacket", "CHILDRENS_CLOTHING", "", "", "CLOTHING", 2),
    ("Palm Beach", "TOURIST_DESTINATION", "", "", "GPE", 1),
    ("ISLE OF THE GODS", "TOURIST_DESTINATION", "bali", "Q4648", "GPE", 0),
]


def test_texts_patterns_and_contexts() -> None:
    assert entities(pipeline()(TEXT)) == EXPECTED
    assert not pipeline().analyze_pipes()["problems"]["label_refiner"]


def test_survives_disk_bytes_processes_pickle_and_docbin(tmp_path: Path) -> None:
    nlp = pipeline(window=3)
    nlp.to_disk(tmp_path / "p")
    loaded = spacy.load(tmp_path / "p")
    assert (tmp_path / "p/label_refiner/table.jsonl").read_text("utf8").count("\n") == len(TABLE)
    other = pipeline([])
    refiner(other).from_bytes(refiner(nlp).to_bytes())
    for copied in (loaded, other):
        assert entities(copied(TEXT)) == EXPECTED and refiner(copied).window == 3
    assert [entities(doc) for doc in nlp.pipe([TEXT] * 3, n_process=2)] == [EXPECTED] * 3
    assert pickle.loads(pickle.dumps(refiner(nlp))).rows == TABLE
    assert entities(through_docbin(nlp(TEXT), store_user_data=True)) == EXPECTED
    plain = through_docbin(nlp(TEXT), store_user_data=False)
    # without user data, only the extensions are lost
    assert [row[:4] for row in entities(plain)] == [row[:4] for row in EXPECTED]


def through_docbin(doc: Doc, store_user_data: bool) -> Doc:
    data = DocBin(attrs=DOC_ATTRS, docs=[doc], store_user_data=store_user_data).to_bytes()
    (copy,) = DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)
    return copy


def test_load_pipeline_imports_the_component(tmp_path: Path) -> None:
    pipeline().to_disk(tmp_path / "p")
    program = (
        "from scripts.pipelines import load_pipeline\n"
        f"nlp = load_pipeline({str(tmp_path / 'p')!r}, 'make it')\n"
        "print([ent.label_ for ent in nlp('Bali').ents])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "['TOURIST_DESTINATION']", done.stderr


def test_initialize_takes_rows() -> None:
    nlp = pipeline([])
    ruler: Any = nlp.get_pipe("entity_ruler")
    nlp.config["initialize"]["components"] = {
        NAME: {"rows": TABLE},
        "entity_ruler": {"patterns": ruler.patterns},
    }
    nlp.initialize()
    assert entities(nlp(TEXT)) == EXPECTED
    assert refiner(nlp).labels == ("CHILDRENS_CLOTHING", "TOURIST_DESTINATION", "WORK_CLOTHING")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the nearest context decides
        ("a shirt for the office, a toddler two streets away", "WORK_CLOTHING"),
        # two contexts at the same distance: the row that stands first
        ("toddler shirt office", "CHILDRENS_CLOTHING"),
        # the sixth token after it: beyond the window
        ("shirt , and , and , toddler", "CLOTHING"),
        ("shirt , and , , toddler", "CHILDRENS_CLOTHING"),
        ("shirt", "CLOTHING"),
        ("kids shirt", "CHILDRENS_CLOTHING"),
    ],
)
def test_contexts(text: str, expected: str) -> None:
    assert labels(pipeline(), text) == [expected]


def test_order_of_the_rows_that_hold() -> None:
    rows = [
        {"from": "GPE", "label": "ANY"},
        {"from": "GPE", "label": "CONTEXT", "context": ["in"]},
        {"from": "GPE", "label": "SHORT", "mention": ["beach"]},
        {"from": "GPE", "label": "LONG", "mention": ["palm beach"]},
        {"from": "GPE", "label": "MENTION_CONTEXT", "mention": ["beach"], "context": ["hot"]},
        {"from": "GPE", "label": "TEXT", "text": "rome"},
        {"from": "GPE", "label": "TEXT_CONTEXT", "text": "rome", "context": ["Texas"]},
    ]
    nlp = pipeline(rows)
    expected = {
        "Bali": "ANY",
        "in Bali": "CONTEXT",
        "in Palm Beach": "LONG",
        "in hot Palm Beach": "MENTION_CONTEXT",
        "in Rome": "TEXT",
        "Rome , Texas": "TEXT_CONTEXT",
    }
    assert {text: labels(nlp, text)[0] for text in expected} == expected


def test_sides_and_sentence() -> None:
    row = {"from": "CLOTHING", "label": "X", "context": ["kids"]}
    text = "kids new shirt , jacket kids"
    assert labels(pipeline([{**row, "before": 2}]), text) == ["X", "CLOTHING"]
    assert labels(pipeline([{**row, "before": 0, "after": 1}]), text) == ["CLOTHING", "X"]
    nlp = pipeline([{**row, "sentence": True}])
    with pytest.raises(ValueError, match="needs sentences, which no component sets"):
        nlp("a shirt, two. kids")
    nlp.add_pipe("sentencizer", before="label_refiner")
    text = "a shirt that is long enough to be worn by any of the kids. A jacket."
    assert labels(nlp, text) == ["X", "CLOTHING"]
    assert labels(nlp, "shirt") == ["CLOTHING"] and not nlp("").ents


def test_keeps_what_it_does_not_know() -> None:
    nlp = spacy.blank("en")
    doc = nlp.make_doc("Ann Rome Bali . shirt")
    doc.set_ents(
        [
            Span(doc, 1, 2, label="GPE", kb_id="Q220", span_id="r"),
            Span(doc, 2, 3, label="GPE", kb_id="Q1"),
        ],
        missing=[doc[0:1]],
    )
    before = [(token.ent_iob_, token.ent_id_) for token in doc]
    first = LabelRefiner(nlp)
    first.add_rows(
        [
            {"from": "GPE", "label": "CITY", "text": "Rome"},
            {"from": "GPE", "label": "ISLAND", "text": "Bali", "kb_id": "Q4648"},
        ]
    )
    assert entities(first(doc)) == [
        ("Rome", "CITY", "r", "Q220", "GPE", 0),
        ("Bali", "ISLAND", "", "Q4648", "GPE", 1),
    ]
    assert [(token.ent_iob_, token.ent_id_) for token in doc] == before and doc[0].ent_iob_ == ""
    second = LabelRefiner(nlp)
    second.add_rows([{"from": "CITY", "label": "CAPITAL", "text": "rome"}])
    assert entities(second(doc))[0] == ("Rome", "CAPITAL", "r", "Q220", "GPE", 0)


BAD = [
    (
        {"from": "GPE", "label": "X", "txt": "a"},
        "unknown key 'txt': the keys are from, label, text",
    ),
    ({"label": "X", "text": "a"}, 'a row needs a "from"'),
    ({"from": "GPE", "text": "a"}, 'a row needs a "from"'),
    (
        {"from": "GPE", "label": None, "text": "a"},
        "'label' must be a string that is not empty, not None",
    ),
    ({"from": [], "label": "X", "text": "a"}, "'from' must be a label or a list of labels"),
    ({"from": "GPE", "label": "X", "text": " "}, "'text' must be a string that is not empty"),
    ({"from": "GPE", "label": "X", "text": "a", "aliases": "b"}, "'aliases' must be a list"),
    (
        {"from": "GPE", "label": "X", "context": ["a"], "before": -1},
        "'before' must be a number of tokens",
    ),
    (
        {"from": "GPE", "label": "X", "text": "a", "after": 2},
        "'after' needs a 'context' in the same row",
    ),
    ({"from": "GPE", "label": "X", "context": []}, "not a pattern: \\[\\]"),
    ({"from": "GPE", "label": "X", "mention": [""]}, "not a pattern: ''"),
    ({"from": "GPE", "label": "X", "mention": [[{"LOWR": "a"}]]}, "the Matcher refuses"),
    (
        {"from": "GPE", "label": "X", "mention": [[{"LOWER": {"REGEX": "("}}]]},
        "the Matcher refuses",
    ),
    ({"from": "GPE", "label": "CITY", "text": "OK"}, "contradicts row 1 on GPE 'ok': keep one"),
    (["GPE"], "not a row"),
]


@pytest.mark.parametrize(("row", "words"), BAD, ids=[words[:30] for _, words in BAD])
def test_bad_rows_are_named_and_none_is_added(row: Any, words: str) -> None:
    component = LabelRefiner(spacy.blank("en"))
    component.add_rows([{"from": "GPE", "label": "TOWN", "text": "ok"}])
    with pytest.raises(ValueError, match=f"^row 3: {words}"):
        component.add_rows([{"from": "GPE", "label": "TOWN", "text": "fine"}, row])
    assert len(component.rows) == 1


def test_100_000_rows() -> None:
    rows = [
        {
            "from": "GPE",
            "label": "PLACE",
            "text": f"Place {i}",
            "aliases": [f"Ort {i}"],
            "kb_id": f"Q{i}",
        }
        for i in range(100_000)
    ]
    component = LabelRefiner(spacy.blank("en"))
    component.add_rows(rows)
    doc = Doc(component.vocab, words=["ort", "99999"])
    doc.set_ents([Span(doc, 0, 2, label="GPE")])
    assert component(doc).ents[0].kb_id_ == "Q99999"


def test_what_build_says_of_a_table(capsys: Any) -> None:
    with pytest.raises(
        ValueError, match=r"the pipeline \[\] sets no entities: give one with an ner"
    ):
        add_refiner(spacy.blank("en"), TABLE, ["t:1"] * 4, 5)
    nlp = pipeline()
    unknown = {"from": "FOO", "label": "X", "text": "a"}
    with pytest.raises(
        ValueError,
        match=r"the table refines \['FOO'\], which no component .* gives .*correct the \"from\"",
    ):
        add_refiner(nlp, [unknown], ["t:1"], 5)
    add_refiner(nlp, TABLE, [f"t:{i}" for i in range(1, 5)], 5)
    assert "the table refines ['LOC'], which" in capsys.readouterr().err
    verb = {"from": "GPE", "label": "X", "context": [[{"POS": "VERB"}]]}
    with pytest.raises(ValueError, match="POS"):
        add_refiner(nlp, [verb], ["t:1"], 5)
    city = {"from": "GPE", "label": "X", "context": [{"LOWER": "New York"}], "sentence": True}
    component = add_refiner(nlp, [city], ["t:1"], 5)
    assert nlp.pipe_names == ["entity_ruler", "sentencizer", NAME]
    (line,) = impossible_patterns(component, nlp)
    assert line.startswith("t:1: a pattern can never match")


def gold_doc(nlp: Language, text: str, gold_labels: list[str]) -> Doc:
    """A Doc with the entities that a pipeline finds, with other labels."""
    doc = nlp.make_doc(text)
    ents = zip(nlp(text).ents, gold_labels)
    doc.set_ents([Span(doc, ent.start, ent.end, label=label) for ent, label in ents])
    return doc


def test_scores_of_each_system() -> None:
    nlp = pipeline()
    gold = [
        gold_doc(nlp, "Bali and Rome", ["TOURIST_DESTINATION", "GPE"]),
        gold_doc(nlp, "a shirt for my son", ["CHILDRENS_CLOTHING"]),
    ]
    metrics = evaluate_refiner(nlp, gold)
    assert list(metrics)[:4] == ["ents_p", "ents_r", "ents_f", "ents_per_type"]
    assert metrics["ents_f"] == metrics["ceiling"]["ents_f"] == 1
    assert metrics["names_alone"]["ents_f"] == pytest.approx(2 / 3)
    assert metrics["given_borders"]["whole_table"]["ents_r"] == 1
    assert metrics["by_kind"]["no row"] == {"mentions": 1, "correct": 1}
    with pytest.raises(ValueError, match=r"the test texts have the labels \['PERSON'\]"):
        evaluate_refiner(nlp, [nlp("Ann")])


def planted(n: int) -> list[Doc]:
    """Texts in which RED and BLUE have the same contexts, GREEN others, and RARE hardly any."""
    rng, vocab = random.Random(1), spacy.blank("en").vocab
    docs = []
    for i in range(n):
        label = ("RED", "BLUE", "GREEN")[i % 3] if i > 3 else "RARE"
        near = ["bought", "sold", "found"] if label != "GREEN" else ["ate", "cooked", "peeled"]
        filler = [rng.choice(["we", "they", "often", "never", "gladly", "today"]) for _ in range(6)]
        words = [*filler[:3], rng.choice(near), "the", f"{label}{i}", *filler[3:]]
        doc = Doc(vocab, words=words)
        doc.set_ents([Span(doc, 5, 6, label=label)])
        docs.append(doc)
    return docs


def test_a_planted_pair_is_found_and_another_is_not() -> None:
    report = compare_labels(planted(240), "label", 20, 0)
    verdicts = {frozenset((pair["a"], pair["b"])): pair["verdict"] for pair in report["pairs"]}
    assert verdicts == {
        frozenset(("RED", "BLUE")): "same",
        frozenset(("RED", "GREEN")): "apart",
        frozenset(("BLUE", "GREEN")): "apart",
    }
    lines = describe(report)
    assert "look the same (AUC 0." in lines[0]
    assert "merge them, and tell them apart with a table" in lines[0]
    assert lines[-2:] == [
        "too few mentions to compare (fewer than 20): RARE (4)",
        "3 pairs: 1 look the same, 0 unclear, 2 can be told apart",
    ]
    assert compare_labels(planted(240), "label", 20, 0) == report
    with pytest.raises(
        ValueError,
        match="no two labels with 20 mentions in at least two texts: no mention at all by kb_id",
    ):
        compare_labels(planted(60), "kb_id", 20, 0)


FEW = ["--vars.refine.min_mentions", "30"]


@pytest.fixture(scope="module")
def refined(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the default pipeline, in which the workflow `refine` ran."""
    folder = copy_project(tmp_path_factory.mktemp("refine"))
    for name in ("corpus", "training", "packages", "project.lock"):
        subprocess.run(["cp", "-r", str(trained / name), str(folder)], check=True)
    out = weasel(folder, "refine", ".", *FEW).stdout
    assert "GADGET -> EARBUDS" in out and "names, no contexts" in out and "pairs:" in out
    return folder


def test_workflow(refined: Path) -> None:
    folder = refined / "training/refine"
    metrics = srsly.read_json(folder / "metrics.json")
    assert list(metrics)[:4] == ["ents_p", "ents_r", "ents_f", "ents_per_type"]
    right = {name: scores["ents_r"] for name, scores in metrics["given_borders"].items()}
    assert right["commonest_label"] < 0.4 < right["names_alone"] < right["whole_table"]
    verdicts = {pair["verdict"] for pair in srsly.read_json(folder / "labels.json")["pairs"]}
    assert verdicts <= {"same", "unclear", "apart"}
    assert all((folder / name).stat().st_size > 10_000 for name in ("scores.png", "labels.png"))
    again = weasel(refined, "refine", ".", *FEW).stdout
    # build leaves the same bytes
    assert all(f"Skipping 'refine-{step}'" in again for step in ("evaluate", "package", "labels"))


def test_without_test_texts_nothing_is_scored(refined: Path, tmp_path: Path) -> None:
    pipeline, empty = refined / "training/refine/pipeline", ROOT / "assets/empty.jsonl"
    arguments = ["evaluate", str(pipeline), str(tmp_path), "--test", str(empty)]
    done = CliRunner().invoke(app, arguments)
    assert "holds no labelled text (vars.refine.test)" in done.stdout
    assert srsly.read_json(tmp_path / "metrics.json")["ents_f"] is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "holds no row: add lines such as"),
        (
            '{"from": "GADGET", "label": "PHONE", "text": "a"}\n\n{"from": ',
            "t.jsonl:3: broken JSON",
        ),
        (
            '{"from": "GADGET", "label": "PHONE", "text": "a"}\n'
            '{"from": "GADGET", "label": "WATCH", "text": " A "}',
            "t.jsonl:2: contradicts",
        ),
        (
            '\ufeff{"from": "GADGET", "label": "PHONE", "mention": [[{"LOWER": {"REGX": "a"}}]]}',
            "t.jsonl:1: the Matcher refuses",
        ),
        (
            '{"from": "GPE", "label": "CITY", "text": "a"}',
            "the table refines ['GPE'], which no component",
        ),
    ],
)
def test_bad_tables_are_one_line_and_leave_the_pipeline(
    refined: Path, tmp_path: Path, table: str, words: str
) -> None:
    (tmp_path / "t.jsonl").write_text(table, encoding="utf8")
    old, new = refined / "training/ner/pipeline", refined / "training/refine/pipeline"
    before = (new / "meta.json").stat().st_mtime_ns
    arguments = ["build", str(old), str(new), "--table", str(tmp_path / "t.jsonl")]
    fails_in_one_line(arguments, words)
    assert (new / "meta.json").stat().st_mtime_ns == before


def fails_in_one_line(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1 and words in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


OWN_TABLE = str(ROOT / "assets/refine/table.jsonl")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["build", "training/none", "out", "--table", OWN_TABLE],
            "no pipeline called 'training/none': give a folder or an installed package by "
            "vars.refine.pipeline (python -m weasel run ner makes the default)",
        ),
        (
            ["build", "nowhere_sm", "out", "--table", OWN_TABLE],
            "no pipeline called 'nowhere_sm'",
        ),
        (["build", "en", "out", "--table", "t.jsonl"], "t.jsonl does not exist: give a JSONL file"),
        (["build", "en", "used", "--table", OWN_TABLE], "used holds other things than what is to"),
        (
            ["evaluate", "nowhere", "out", "--test", str(ROOT / "assets/empty.jsonl")],
            "no pipeline called 'nowhere': run refine-build first",
        ),
        (
            ["labels", str(ROOT / "assets/ner/dev.jsonl"), "out"],
            "there are no two labels with 20 mentions",
        ),
    ],
)
def test_bad_arguments_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used/notes.txt").write_text("mine")
    places = {name: str(tmp_path / name) for name in ("out", "used")}
    fails_in_one_line([places.get(word, word) for word in arguments], words)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["notes.txt"]


def test_table_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("\ufeff" + json.dumps(TABLE[0]) + "\n", encoding="utf8")
    assert read_table(tmp_path / "t.jsonl") == ([TABLE[0]], [f"{tmp_path / 't.jsonl'}:1"])


@pytest.mark.slow
def test_wheel_refines_in_an_empty_environment(refined: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    wheel = str(refined / "packages" / wheel_name("refine"))
    install = [python, "-m", "pip", "install", "-q", wheel, "-c", str(ROOT / "constraints.txt")]
    subprocess.run(install, check=True)
    package = f"{PROJECT['vars']['lang']}_{PROJECT['vars']['refine']['name']}"
    program = (
        f"import spacy; nlp = spacy.load({package!r})\n"
        "doc = nlp('Sold my iPhone 13 for a Galaxy Tab S7.')\n"
        "print([(ent.text, ent.label_, ent._.generic_label) for ent in doc.ents])\n"
    )
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "('iPhone 13', 'PHONE', 'GADGET')" in done.stdout
    assert "('Galaxy Tab S7', 'TABLET', 'GADGET')" in done.stdout
