"""The workflow refine: the component by itself and in a wheel, the table's errors, the scores, and the report on labels."""

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
from scripts.refine.build import add_refiner, hopeless, read_table
from scripts.refine.evaluate import evaluate
from scripts.refine.labels import compare_labels, in_words
from tests.conftest import ROOT, copy_project, weasel

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
KNOWN = {
    "GPE": ["Bali", "bali", "ISLE OF THE GODS", "Rome", "Palm Beach"],
    "CLOTHING": ["jacket", "shirt"],
    "PERSON": ["Ann"],
}


def pipeline(rows: list[dict[str, Any]] | None = None, **config: Any) -> Language:
    """A pipeline that finds the entities of KNOWN, with a refiner."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": label, "pattern": text} for label, texts in KNOWN.items() for text in texts]
    )  # type: ignore[attr-defined]
    nlp.add_pipe("label_refiner", config=config).add_rows(TABLE if rows is None else rows)  # type: ignore[attr-defined]
    return nlp


def seen(doc: Doc) -> list[tuple[Any, ...]]:
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
    assert seen(pipeline()(TEXT)) == EXPECTED
    assert not pipeline().analyze_pipes()["problems"]["label_refiner"]


def test_survives_disk_bytes_processes_pickle_and_docbin(tmp_path: Path) -> None:
    nlp = pipeline(window=3)
    nlp.to_disk(tmp_path / "p")
    loaded = spacy.load(tmp_path / "p")
    assert (tmp_path / "p/label_refiner/table.jsonl").read_text("utf8").count("\n") == len(TABLE)
    other = pipeline([])
    other.get_pipe("label_refiner").from_bytes(nlp.get_pipe("label_refiner").to_bytes())  # type: ignore[attr-defined]
    for copied in (loaded, other):
        assert seen(copied(TEXT)) == EXPECTED and copied.get_pipe("label_refiner").window == 3  # type: ignore[attr-defined]
    assert [seen(doc) for doc in nlp.pipe([TEXT] * 3, n_process=2)] == [EXPECTED] * 3
    assert pickle.loads(pickle.dumps(nlp.get_pipe("label_refiner"))).rows == TABLE
    data = DocBin(attrs=DOC_ATTRS, docs=[nlp(TEXT)], store_user_data=True).to_bytes()
    assert [seen(doc) for doc in DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)] == [
        EXPECTED
    ]
    (plain,) = (
        DocBin()
        .from_bytes(DocBin(attrs=DOC_ATTRS, docs=[nlp(TEXT)]).to_bytes())
        .get_docs(spacy.blank("en").vocab)
    )
    assert [row[:4] for row in seen(plain)] == [
        row[:4] for row in EXPECTED
    ]  # without user data, only the extensions are lost


def test_initialize_takes_rows() -> None:
    nlp = pipeline([])
    nlp.config["initialize"]["components"]["label_refiner"] = {"rows": TABLE}
    nlp.config["initialize"]["components"]["entity_ruler"] = {
        "patterns": nlp.get_pipe("entity_ruler").patterns
    }  # type: ignore[attr-defined]
    nlp.initialize()
    assert seen(nlp(TEXT)) == EXPECTED
    assert nlp.get_pipe("label_refiner").labels == (
        "CHILDRENS_CLOTHING",
        "TOURIST_DESTINATION",
        "WORK_CLOTHING",
    )  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a shirt for the office, a toddler two streets away",
            "WORK_CLOTHING",
        ),  # the nearest context decides
        ("toddler shirt office", "CHILDRENS_CLOTHING"),  # as near: the row that stands first
        ("shirt , and , and , toddler", "CLOTHING"),  # the sixth token after it: beyond the window
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
    assert labels(pipeline([{**row, "before": 2}]), "kids new shirt , jacket kids") == [
        "X",
        "CLOTHING",
    ]
    assert labels(pipeline([{**row, "before": 0, "after": 1}]), "kids new shirt , jacket kids") == [
        "CLOTHING",
        "X",
    ]
    nlp = pipeline([{**row, "sentence": True}])
    with pytest.raises(ValueError, match="asks for the sentence, which no component sets"):
        nlp("a shirt, two. kids")
    nlp.add_pipe("sentencizer", before="label_refiner")
    text = "a shirt that is long enough to be worn by any of the kids. A jacket."
    assert (
        labels(nlp, text) == ["X", "CLOTHING"]
        and labels(nlp, "shirt") == ["CLOTHING"]
        and not nlp("").ents
    )


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
    refiner = LabelRefiner(nlp)
    refiner.add_rows(
        [
            {"from": "GPE", "label": "CITY", "text": "Rome"},
            {"from": "GPE", "label": "ISLAND", "text": "Bali", "kb_id": "Q4648"},
        ]
    )
    assert seen(refiner(doc)) == [
        ("Rome", "CITY", "r", "Q220", "GPE", 0),
        ("Bali", "ISLAND", "", "Q4648", "GPE", 1),
    ]
    assert [(token.ent_iob_, token.ent_id_) for token in doc] == before and doc[0].ent_iob_ == ""
    second = LabelRefiner(nlp)
    second.add_rows([{"from": "CITY", "label": "CAPITAL", "text": "rome"}])
    assert seen(second(doc))[0] == ("Rome", "CAPITAL", "r", "Q220", "GPE", 0)


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
        "'after' must stand beside a 'context'",
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
    refiner = LabelRefiner(spacy.blank("en"))
    refiner.add_rows([{"from": "GPE", "label": "TOWN", "text": "ok"}])
    with pytest.raises(ValueError, match=f"^row 3: {words}"):
        refiner.add_rows([{"from": "GPE", "label": "TOWN", "text": "fine"}, row])
    assert len(refiner.rows) == 1


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
    refiner = LabelRefiner(spacy.blank("en"))
    refiner.add_rows(rows)
    doc = Doc(refiner.vocab, words=["ort", "99999"])
    doc.set_ents([Span(doc, 0, 2, label="GPE")])
    assert refiner(doc).ents[0].kb_id_ == "Q99999"


def test_what_build_says_of_a_table(capsys: Any) -> None:
    with pytest.raises(
        ValueError, match=r"the pipeline \[\] sets no entities: give one with an ner"
    ):
        add_refiner(spacy.blank("en"), TABLE, ["t:1"] * 4, 5)
    nlp = pipeline()
    with pytest.raises(
        ValueError,
        match=r"the table refines \['FOO'\], which no component of the pipeline gives .*correct the \"from\"",
    ):
        add_refiner(nlp, [{"from": "FOO", "label": "X", "text": "a"}], ["t:1"], 5)
    add_refiner(nlp, TABLE, [f"t:{i}" for i in range(1, 5)], 5)
    assert "the table refines ['LOC'], which" in capsys.readouterr().err
    with pytest.raises(ValueError, match="POS"):
        add_refiner(
            nlp, [{"from": "GPE", "label": "X", "context": [[{"POS": "VERB"}]]}], ["t:1"], 5
        )
    refiner = add_refiner(
        nlp,
        [{"from": "GPE", "label": "X", "context": [{"LOWER": "New York"}], "sentence": True}],
        ["t:1"],
        5,
    )
    assert nlp.pipe_names == ["entity_ruler", "sentencizer", "label_refiner"]
    assert next(hopeless(refiner, nlp)).startswith("t:1: a pattern can never match")


def test_scores_of_each_way() -> None:
    nlp = pipeline()
    gold = []
    for text, given in [
        ("Bali and Rome", ["TOURIST_DESTINATION", "GPE"]),
        ("a shirt for my son", ["CHILDRENS_CLOTHING"]),
    ]:
        doc = nlp(text)
        made = nlp.make_doc(text)
        made.set_ents(
            [Span(made, ent.start, ent.end, label=label) for ent, label in zip(doc.ents, given)]
        )
        gold.append(made)
    metrics = evaluate(nlp, gold)
    assert (
        list(metrics)[:4] == ["ents_p", "ents_r", "ents_f", "ents_per_type"]
        and metrics["ents_f"] == 1
    )
    assert (
        metrics["names_alone"]["ents_f"] == pytest.approx(2 / 3)
        and metrics["ceiling"]["ents_f"] == 1
    )
    assert metrics["given_borders"]["whole_table"]["ents_r"] == 1 and metrics["by_kind"][
        "no row"
    ] == {"mentions": 1, "correct": 1}
    with pytest.raises(ValueError, match=r"the gold texts have the labels \['PERSON'\]"):
        evaluate(nlp, [nlp("Ann")])


def planted(n: int) -> list[Doc]:
    """Texts in which RED and BLUE stand in the same contexts, GREEN in others, RARE hardly anywhere."""
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
    assert {frozenset((pair["a"], pair["b"])): pair["verdict"] for pair in report["pairs"]} == {
        frozenset(("RED", "BLUE")): "same",
        frozenset(("RED", "GREEN")): "apart",
        frozenset(("BLUE", "GREEN")): "apart",
    }
    words = in_words(report)
    assert (
        "look the same (AUC 0." in words[0]
        and "merge them, and tell them apart by a table" in words[0]
    )
    assert words[-2:] == [
        "too few mentions to compare (fewer than 20): RARE (4)",
        "3 pairs: 1 look the same, 0 unclear, 2 can be told apart",
    ]
    assert compare_labels(planted(240), "label", 20, 0) == report
    with pytest.raises(
        ValueError,
        match="no two labels with 20 mentions in two texts or more: no mention at all by kb_id",
    ):
        compare_labels(planted(60), "kb_id", 20, 0)


@pytest.fixture(scope="module")
def refined(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with what `all` made, in which the workflow `refine` ran."""
    folder = copy_project(tmp_path_factory.mktemp("refine"))
    for name in ("corpus", "training", "packages", "project.lock"):
        subprocess.run(["cp", "-r", str(trained / name), str(folder)], check=True)
    done = weasel(folder, "refine", ".", "--vars.refine.min_mentions", "30")
    assert (
        "GADGET -> EARBUDS" in done.stdout
        and "names, no contexts" in done.stdout
        and "pairs:" in done.stdout
    )
    return folder


def test_workflow(refined: Path) -> None:
    made = refined / "training/refine"
    metrics = srsly.read_json(made / "metrics.json")
    assert list(metrics)[:4] == ["ents_p", "ents_r", "ents_f", "ents_per_type"]
    given = {name: scores["ents_r"] for name, scores in metrics["given_borders"].items()}
    assert given["commonest_label"] < 0.4 < given["names_alone"] < given["whole_table"]
    assert {pair["verdict"] for pair in srsly.read_json(made / "labels.json")["pairs"]} <= {
        "same",
        "unclear",
        "apart",
    }
    assert all((made / name).stat().st_size > 10_000 for name in ("scores.png", "labels.png"))
    again = weasel(refined, "refine", ".", "--vars.refine.min_mentions", "30").stdout
    assert all(
        f"Skipping 'refine-{step}'" in again for step in ("evaluate", "package", "labels")
    )  # build leaves the same bytes


def test_no_gold_is_no_score(refined: Path, tmp_path: Path) -> None:
    arguments = [
        str(refined / "training/refine/pipeline"),
        str(tmp_path),
        "--gold",
        str(ROOT / "assets/empty.jsonl"),
    ]
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert (
        "holds no gold text" in done.stdout
        and srsly.read_json(tmp_path / "metrics.json")["ents_f"] is None
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "holds no row: add lines such as"),
        (
            '{"from": "GADGET", "label": "PHONE", "text": "a"}\n\n{"from": ',
            "t.jsonl:3: broken JSON",
        ),
        (
            '{"from": "GADGET", "label": "PHONE", "text": "a"}\n{"from": "GADGET", "label": "WATCH", "text": " A "}',
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
    before = (refined / "training/refine/pipeline/meta.json").stat().st_mtime_ns
    arguments = [
        str(refined / "training/ner/pipeline"),
        str(refined / "training/refine/pipeline"),
        "--table",
        str(tmp_path / "t.jsonl"),
    ]
    done = CliRunner().invoke(app, ["build", *arguments])
    assert (
        done.exit_code == 1
        and words in done.stderr
        and done.stderr.count("\n") == 1
        and "Traceback" not in done.stderr
    )
    assert (refined / "training/refine/pipeline/meta.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["build", "training/none", "out", "--table", "t.jsonl"],
            "training/none does not exist: make it",
        ),
        (
            ["build", "nowhere_sm", "out", "--table", str(ROOT / "assets/refine/table.jsonl")],
            "no language or pipeline called 'nowhere_sm'",
        ),
        (["build", "en", "out", "--table", "t.jsonl"], "t.jsonl does not exist: give a JSONL file"),
        (
            ["labels", str(ROOT / "assets/ner/dev.jsonl"), "out"],
            "there are no two labels with 20 mentions",
        ),
    ],
)
def test_bad_arguments_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(
        app, [str(tmp_path / "out") if word == "out" else word for word in arguments]
    )
    assert (
        done.exit_code == 1
        and words in done.stderr
        and done.stderr.count("\n") == 1
        and "Traceback" not in done.stderr
    )
    assert not (tmp_path / "out").exists()


def test_table_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("\ufeff" + json.dumps(TABLE[0]) + "\n", encoding="utf8")
    assert read_table(tmp_path / "t.jsonl") == ([TABLE[0]], [f"{tmp_path / 't.jsonl'}:1"])


@pytest.mark.slow
def test_wheel_refines_in_an_empty_environment(refined: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    (wheel,) = (refined / "packages").glob("en_gadget_refined-*.whl")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", str(wheel), "-c", str(ROOT / "constraints.txt")],
        check=True,
    )
    program = "import spacy; doc = spacy.load('en_gadget_refined')('Sold my iPhone 13 for a Galaxy Tab S7.')"
    program += "; print([(ent.text, ent.label_, ent._.generic_label) for ent in doc.ents])"
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (
        "('iPhone 13', 'PHONE', 'GADGET')" in done.stdout
        and "('Galaxy Tab S7', 'TABLET', 'GADGET')" in done.stdout
    )
