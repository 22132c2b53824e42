"""The workflow opinions: the component by itself and in a wheel, the log-odds by hand, the scores, and what bad input gets."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from typer.testing import CliRunner

from scripts.components.opinions import SentenceSentiment, passages
from scripts.files import split_paths
from scripts.opinions.__main__ import app
from scripts.opinions.build import join
from scripts.opinions.count import decide, evidence, key_of
from scripts.opinions.evaluate import accuracy, evaluate, read_gold_opinions
from scripts.opinions.odds import Mention, Row, count, draw, in_words, log_odds
from scripts.reading import Skipped, Text, text_key
from tests.conftest import ROOT, copy_project, weasel

WORDS = {
    "POSITIVE": ["love", "great", "superb"],
    "NEGATIVE": ["hate", "awful", "broken"],
    "NEUTRAL": ["bought", "mailed", "wore"],
}


def sentiment_pipeline(labels: tuple[str, ...] = ("POSITIVE", "NEGATIVE", "NEUTRAL")) -> Language:
    """A textcat that has learned a few words by heart."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 1,
        "no_output_layer": False,
        "length": 4096,
    }
    nlp.add_pipe("textcat", config={"model": model})
    examples = [
        Example.from_dict(
            nlp.make_doc(f"{start} {word} {end}".strip()),
            {"cats": {name: float(name == label) for name in labels}},
        )
        for label in labels
        for word in WORDS[label]
        for start, end in (("I", "it ."), ("the", ""), ("", "."))
    ]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.05
    for _ in range(30):
        nlp.update(examples, sgd=optimizer)
    return nlp


@pytest.fixture(scope="module")
def sentiment() -> Language:
    return sentiment_pipeline()


def finder() -> Language:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    patterns = [
        {"label": "GADGET", "pattern": name, "id": name.split()[0].lower()}
        for name in ("Pixel 8", "Pixel 6", "iPad", "Fenix")
    ]
    ruler.add_patterns([*patterns, {"label": "BRAND", "pattern": "Acer"}])  # type: ignore[attr-defined]
    return nlp


@pytest.fixture(scope="module")
def joined(sentiment: Language) -> Language:
    """Tests change nothing in it."""
    return join(finder(), sentiment, follow=1)


@pytest.fixture(scope="module")
def folders(
    sentiment: Language, joined: Language, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the pipelines `finder`, `sentiment`, `joined` and others that can't be used."""
    folder = tmp_path_factory.mktemp("pipelines")
    for name, nlp in {
        "finder": finder(),
        "sentiment": sentiment,
        "joined": joined,
        "blank": spacy.blank("en"),
    }.items():
        nlp.to_disk(folder / name)
    return folder


def said(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, label) for ent, label, _ in doc._.opinions]


TEXT = "I love the Pixel 8. I bought an iPad. It is awful, broken! Fine weather. I hate Acer."
EXPECTED = [("Pixel 8", "POSITIVE"), ("iPad", "NEGATIVE"), ("Acer", "NEGATIVE")]


def test_entities_get_what_is_said_in_their_passage(joined: Language) -> None:
    doc = joined(TEXT)
    assert said(doc) == EXPECTED
    assert [max(sent._.sentiment, key=sent._.sentiment.get) for sent in doc.sents][:3] == [
        "POSITIVE",
        "NEUTRAL",
        "NEGATIVE",
    ]
    assert set(doc.ents[0]._.sentiment) == set(WORDS) and math.isclose(
        sum(doc.ents[0]._.sentiment.values()), 1, rel_tol=1e-5
    )
    assert joined.pipe_names == ["entity_ruler", "sentencizer", "sentence_sentiment"]
    assert not joined.analyze_pipes()["problems"]["sentence_sentiment"]


def test_passages_end_at_the_next_entity(joined: Language) -> None:
    doc = joined(TEXT)
    found = {
        follow: [(passage.text, len(ents)) for passage, ents in passages(doc, follow)]
        for follow in (0, 1, 9)
    }
    assert found[0] == [("I love the Pixel 8.", 1), ("I bought an iPad.", 1), ("I hate Acer.", 1)]
    assert found[1][1] == ("I bought an iPad. It is awful, broken!", 1) and found[9][1] == (
        "I bought an iPad. It is awful, broken! Fine weather.",
        1,
    )
    assert [pair for i, pair in enumerate(found[9]) if i != 1] == [
        pair for i, pair in enumerate(found[0]) if i != 1
    ]
    assert not list(passages(joined(""), 1)) and not list(passages(joined("no name here."), 1))


def test_batches_of_docs_are_judged_in_one_call_and_as_one_by_one(
    joined: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [TEXT, "", "  \n ", "I hate the Fenix.", "no name. love."]
    alone = [
        [(span.text, span._.sentiment) for span in (*doc.sents, *doc.ents)]
        for doc in map(joined, texts)
    ]
    component: Any = joined.get_pipe("sentence_sentiment")
    calls: list[list[str]] = []
    pipe = component.sentiment.pipe
    monkeypatch.setattr(
        component.sentiment, "pipe", lambda texts: pipe(calls.append(list(texts)) or calls[-1])
    )
    together = [
        [(span.text, span._.sentiment) for span in (*doc.sents, *doc.ents)]
        for doc in joined.pipe(texts)
    ]
    assert len(calls) == 1 and "" not in calls[0]
    for one, other in zip(alone, together):
        assert [text for text, _ in one] == [text for text, _ in other]
        for (_, a), (_, b) in zip(one, other):
            assert a == b or all(math.isclose(a[label], b[label], abs_tol=1e-5) for label in a)
    monkeypatch.setattr(component, "only_entities", True)
    (doc,) = joined.pipe(["Fine weather. I love the Pixel 8."])
    assert calls[-1] == ["I love the Pixel 8."] and [
        sent._.sentiment is None for sent in doc.sents
    ] == [True, False]


def test_survives_disk_bytes_processes_and_docbin(joined: Language, folders: Path) -> None:
    loaded = spacy.load(folders / "joined")
    other = join(finder(), sentiment_pipeline(("POSITIVE", "NEGATIVE")), follow=0)
    other.get_pipe("sentence_sentiment").from_bytes(
        joined.get_pipe("sentence_sentiment").to_bytes()
    )  # type: ignore[attr-defined]
    expected = joined(TEXT)._.opinions
    for nlp in (loaded, other):
        component: Any = nlp.get_pipe("sentence_sentiment")
        assert (
            component.labels == tuple(joined.get_pipe("sentence_sentiment").labels)
            and component.follow == 1
        )  # type: ignore[attr-defined]
        assert [
            (ent.text, label, round(score, 5)) for ent, label, score in nlp(TEXT)._.opinions
        ] == [(ent.text, label, round(score, 5)) for ent, label, score in expected]
    assert [said(doc) for doc in joined.pipe([TEXT] * 3, n_process=2)] == [said(joined(TEXT))] * 3
    data = DocBin(docs=[joined(TEXT)], store_user_data=True).to_bytes()
    assert [said(doc) for doc in DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)] == [
        said(joined(TEXT))
    ]


def test_initialize_takes_a_pipeline(folders: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    component: Any = nlp.add_pipe("sentence_sentiment")
    component.initialize(lambda: [], nlp=nlp, pipeline=str(folders / "sentiment"))
    assert set(component.labels) == set(WORDS)


def test_component_says_what_it_lacks(sentiment: Language) -> None:
    component = SentenceSentiment(spacy.blank("en").vocab, "s", follow=1, only_entities=False)
    with pytest.raises(
        ValueError, match="s has no sentiment pipeline: give it one by set_pipeline"
    ):
        component(spacy.blank("en")("a"))
    with pytest.raises(
        ValueError, match=r"sets no doc\.cats \(it has nothing\): give one with a trained textcat"
    ):
        component.set_pipeline(spacy.blank("en"))
    component.set_pipeline(sentiment)
    with pytest.raises(
        ValueError, match="needs sentences, which no component sets: put a sentencizer before it"
    ):
        component(spacy.blank("en")("a b"))
    with pytest.raises(ValueError, match="follow must be 0 or more sentences, not -1"):
        SentenceSentiment(None, "s", follow=-1, only_entities=False)


def test_join_keeps_a_parser_and_replaces_an_older_join(sentiment: Language) -> None:
    nlp = finder()
    nlp.add_pipe("senter")
    sentiment.meta["requirements"] = ["some-extra>=1"]
    join(join(nlp, sentiment, 0), sentiment, 2)
    assert nlp.pipe_names == ["entity_ruler", "senter", "sentence_sentiment"]
    assert (
        nlp.get_pipe("sentence_sentiment").follow == 2
        and "some-extra>=1" in nlp.meta["requirements"]
    )  # type: ignore[attr-defined]
    del sentiment.meta["requirements"]
    with pytest.raises(
        ValueError, match=r"sets no entities \(it has nothing\): give one with an ner"
    ):
        join(spacy.blank("en"), sentiment, 1)


# Counts


def test_log_odds_by_hand() -> None:
    """Three entities; prior 0.5 makes alpha 5, 2, 3 (sum 10). For the first: log(11 / (20 - 11)) - log(6 / (15 - 6))."""
    delta, deviation = log_odds(
        np.array([6.0, 1, 3]), np.array([1.0, 2, 2]), np.array([10.0, 4, 6]), 0.5
    )
    assert math.isclose(delta[0], math.log(11 / 9) - math.log(6 / 9))
    assert math.isclose(delta[1], math.log(3 / 17) - math.log(4 / 11))
    assert math.isclose(deviation[0], math.sqrt(1 / 11 + 1 / 6))


def mentions(**counts: tuple[int, int, int]) -> list[Mention]:
    labels = ("POSITIVE", "NEGATIVE", "NEUTRAL")
    return [
        Mention(key, label)
        for key, numbers in counts.items()
        for label, n in zip(labels, numbers)
        for _ in range(n)
    ]


def test_table_is_sorted_and_says_what_is_sure() -> None:
    rows = count(
        mentions(b=(1, 30, 2), a=(30, 1, 2), c=(9, 9, 5), rare=(2, 0, 0)),
        "POSITIVE",
        "NEGATIVE",
        5,
        0.1,
    )
    assert [(row.key, row.mentions, row.praise, row.complaint, row.neutral) for row in rows] == [
        ("a", 33, 30, 1, 2), ("c", 23, 9, 9, 5), ("b", 33, 1, 30, 2)
    ]  # fmt: skip
    assert [row.verdict for row in rows] == ["praise", "open", "complaint"] and rows[
        0
    ].low > 0 > rows[2].high
    assert math.isclose(
        rows[0].z, rows[0].log_odds / ((rows[0].high - rows[0].low) / (2 * 1.959964)), abs_tol=1e-3
    )
    assert in_words(rows).startswith(
        "intervals that exclude 0: 2 of 3 (praise: a; complaint: b); intervals of 95%"
    )
    even = count(mentions(a=(9, 9, 1), b=(9, 9, 1)), "POSITIVE", "NEGATIVE", 5, 0.1)
    assert (
        in_words(even)
        == "no entity's interval excludes 0: these texts do not tell which of the 2 entities are praised or blamed"
    )
    assert all(row.log_odds == 0 for row in even)


def test_chance_names_few() -> None:
    """Where all entities are judged alike, no more intervals exclude 0 than a 95% interval may leave out."""
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(40):
        sizes = rng.poisson(20, 30) + 1
        counts = {
            f"e{i}": tuple(rng.multinomial(size, [0.35, 0.35, 0.3])) for i, size in enumerate(sizes)
        }
        sure += sum(
            row.verdict != "open"
            for row in count(mentions(**counts), "POSITIVE", "NEGATIVE", 1, 0.1)
        )
    assert 0 < sure / (40 * 30) < 0.05


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no entity is found in any text: give other texts"),
        (mentions(a=(3, 3, 3)), "there is only one entity, 'a', and nothing to compare it with"),
        (
            mentions(a=(3, 0, 0), b=(0, 1, 0)),
            "no entity has 5 mentions, the most frequent of 2 has 3: lower vars.opinions.min_mentions",
        ),
    ],
)
def test_nothing_to_count_is_named(given: list[Mention], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        count(given, "POSITIVE", "NEGATIVE", 5, 0.1)


def test_keys_and_thresholds(joined: Language) -> None:
    pixel, _, acer = joined(TEXT).ents
    assert [key_of(pixel, by) for by in ("text", "ent_id", "kb_id", "label")] == [
        "pixel 8",
        "pixel",
        "",
        "GADGET",
    ]
    assert key_of(acer, "ent_id") == ""
    assert (
        decide({"A": 0.6, "B": 0.4}, 0.5) == "A"
        and decide({"A": 0.6, "B": 0.4}, 0.7) == ""
        and decide({"A": 1.0}, 1) == "A"
    )


def test_evidence(joined: Language) -> None:
    texts = [
        Text(TEXT, "f", 1),
        Text(" ", "f", 2),
        Text("I hate the Fenix", "f", 3),
        Text("love the  Pixel 6", "f", 4),
        Text("\ud800", "f", 5),
    ]
    skipped, seen = Skipped(), Counter[str]()
    lines = list(
        evidence(joined, texts, "ent_id", 0, {text_key("i hate the fenix")}, skipped, seen)
    )
    assert skipped.counts() == {
        "empty": 1,
        "half of a surrogate pair": 1,
        "sentiment was trained on it": 1,
    }
    assert seen == {"texts": 2, "mentions": 4, "without key": 1}
    assert [(line["key"], line["sentiment"], line["line"]) for line in lines] == [
        ("pixel", "POSITIVE", 1), ("ipad", "NEGATIVE", 1), ("pixel", "POSITIVE", 4)
    ]  # fmt: skip
    assert lines[1]["passage"] == "I bought an iPad. It is awful, broken!" and set(
        lines[1]["cats"]
    ) == set(WORDS)


def test_chart_shows_both_ends(tmp_path: Path) -> None:
    rows = [Row(f"e{i}", 9, 3, 3, 3, 4.0 - i, 4.0 - i, 3.0 - i, 5.0 - i) for i in range(9)]
    draw(rows, 2, tmp_path / "a.png")
    draw(rows, 9, tmp_path / "b.png")
    assert 5_000 < (tmp_path / "a.png").stat().st_size < (tmp_path / "b.png").stat().st_size


# Scores


def gold_line(text: str, **spans: str) -> dict[str, Any]:
    found = [
        (text.index(name.replace("_", " ")), name.replace("_", " "), label)
        for name, label in spans.items()
    ]
    return {
        "text": text,
        "spans": [
            {"start": at, "end": at + len(n), "label": "GADGET", "sentiment": s}
            for at, n, s in found
        ],
    }


GOLD = [
    gold_line(
        "I love the Pixel 8. I bought an iPad. It is awful, broken!",
        Pixel_8="POSITIVE",
        iPad="NEGATIVE",
    ),
    gold_line(
        "The Fenix is great, superb, the Zenfone awful.", Fenix="POSITIVE", Zenfone="NEGATIVE"
    ),
    gold_line("no name"),
]


def test_scores_of_each_way(joined: Language, write_jsonl: Callable[..., Path]) -> None:
    docs = read_gold_opinions(write_jsonl("gold.jsonl", GOLD), joined, [*WORDS], Skipped())
    assert [[ent.label_ for ent in doc.ents] for doc in docs] == [
        ["POSITIVE", "NEGATIVE"],
        ["POSITIVE", "NEGATIVE"],
        [],
    ]
    metrics = evaluate(joined, docs, 0, "NEUTRAL")
    given = metrics["given_borders"]
    assert given["commonest_label"]["accuracy"] == 0.5 and given["commonest_label"][
        "macro_f"
    ] == pytest.approx(1 / 3)
    # the second text has one passage, so one of its two entities must be wrong; the sentence alone misses "It is awful" too
    assert given["passage"]["accuracy"] == 0.75 and given["sentence"]["accuracy"] == 0.5
    assert metrics["borders"]["ents_r"] == 0.75 and metrics["ents_p"] == pytest.approx(
        metrics["ents_r"] * 4 / 3
    )
    assert joined.get_pipe("sentence_sentiment").follow == 1  # type: ignore[attr-defined]


def test_accuracy_by_hand(joined: Language) -> None:
    def doc(*labels: str) -> Doc:
        made = Doc(joined.vocab, words=["a", "b", "c", "d"])
        made.set_ents([spacy.tokens.Span(made, i, i + 1, label) for i, label in enumerate(labels)])
        return made

    scores = accuracy([(doc("P", "P", "N"), doc("P", "N", "N")), (doc("U"), doc("P"))])
    assert scores["accuracy"] == 0.5 and scores["f_per_label"] == pytest.approx(
        {"N": 2 / 3, "P": 0.5}
    )
    assert scores["macro_f"] == pytest.approx((2 / 3 + 0.5) / 2)
    low, high = scores["accuracy_interval"]
    assert low == 0 and high == pytest.approx(2 / 3)  # only the first text, or only the second


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            {"text": "a b", "spans": [{"start": 0, "end": 1, "label": "X"}]},
            'gold.jsonl:2: a span has no sentiment: each needs a "sentiment"',
        ),
        (
            gold_line("iPad", iPad="JOY"),
            "gold.jsonl:2: 'JOY' is not among the labels of the sentiment pipeline",
        ),
        ({"spans": []}, "gold.jsonl:2: no gold text"),
    ],
)
def test_bad_gold_is_named(
    joined: Language, write_jsonl: Callable[..., Path], line: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        read_gold_opinions(write_jsonl("gold.jsonl", [GOLD[0], line]), joined, [*WORDS], Skipped())


# Commands


def test_paths_apart_by_commas() -> None:
    assert (
        split_paths(["a b.txt, c", ""]) == [Path("a b.txt"), Path("c")] and split_paths(None) == []
    )


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_commands_with_two_labels(
    folders: Path, tmp_path: Path, write_jsonl: Callable[..., Path]
) -> None:
    sentiment_pipeline(("POSITIVE", "NEGATIVE")).to_disk(tmp_path / "two")
    done = run(
        "build",
        tmp_path / "joined",
        "--ner",
        folders / "finder",
        "--sentiment",
        tmp_path / "two",
        "--follow",
        0,
    )
    assert done.exit_code == 0 and "sentiments POSITIVE, NEGATIVE" in done.stdout, done.output
    done = run(
        "evaluate",
        tmp_path / "joined",
        tmp_path / "out",
        "--gold",
        write_jsonl("gold.jsonl", GOLD),
        "--threshold",
        0.5,
    )
    assert done.exit_code == 0 and "passage (shipped)" in done.stdout, done.output
    assert srsly.read_json(tmp_path / "out/metrics.json")["test_mentions"] == 4
    texts = (
        [{"text": "I love the iPad."}] * 6
        + [{"text": "I hate the Fenix."}] * 6
        + [{"text": ""}, {"text": "the Acer"}]
    )
    one, two = write_jsonl("one.jsonl", texts[:7]), write_jsonl("two.jsonl", texts[7:])
    done = run(
        "count",
        tmp_path / "joined",
        tmp_path / "out",
        "--texts",
        f"{one},{two}",
        "--by",
        "ent_id",
        "--threshold",
        0.6,
    )
    assert (
        done.exit_code == 0
        and "{'empty': 1}" in done.stdout
        and "1 mentions have no ent_id" in done.stdout
    ), done.output
    table = list(srsly.read_jsonl(tmp_path / "out/table.jsonl"))
    assert [(row["key"], row["praise"], row["complaint"]) for row in table] == [
        ("ipad", 6, 0),
        ("fenix", 0, 6),
    ]
    assert len((tmp_path / "out/evidence.jsonl").read_text("utf8").splitlines()) == 12
    assert (tmp_path / "out/opinions.png").stat().st_size > 5_000
    done = run(
        "evaluate", tmp_path / "joined", tmp_path / "out", "--gold", ROOT / "assets/empty.jsonl"
    )
    assert "holds no gold opinion" in done.stdout and not (tmp_path / "out/scores.png").exists()
    before = (tmp_path / "out/evidence.jsonl").read_bytes()
    done = run("count", tmp_path / "joined", tmp_path / "out", "--texts", one, "--by", "kb_id")
    assert done.exit_code == 1 and "no mention has a kb_id: count by another" in done.stderr
    assert (tmp_path / "out/evidence.jsonl").read_bytes() == before


BAD = [
    (
        ["build", "OUT", "--ner", "training/none", "--sentiment", "P/sentiment"],
        "training/none does not exist: make it (python -m weasel run ner)",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "training/none"],
        "none does not exist: make it (python -m weasel run textcat)",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/blank"],
        "the sentiment pipeline sets no doc.cats (it has nothing)",
    ),
    (
        ["build", "OUT", "--ner", "P/blank", "--sentiment", "P/sentiment"],
        "the pipeline sets no entities (it has nothing)",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/sentiment", "--praise", "JOY"],
        "'JOY' is not among the labels of the sentiment",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/sentiment", "--praise", "NEGATIVE"],
        "praise and complaint are both 'NEGATIVE'",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/sentiment", "--code", "no.py"],
        "no.py does not exist: give the file",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/sentiment", "--code", "C"],
        "own.py can't be imported: mend it, or install",
    ),
    (
        ["build", "OUT", "--ner", "P", "--sentiment", "P/sentiment"],
        "can't be loaded, make or install it again",
    ),
    (
        ["count", "P/finder", "OUT", "--texts", "T"],
        "is no joined pipeline: make it (python -m weasel run opinions-build)",
    ),
    (["count", "P/joined", "OUT", "--texts", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
    (
        ["count", "P/joined", "OUT", "--texts", "T", "--complaint", "ANGER"],
        "'ANGER' is not among the labels of the sentiment pipeline",
    ),
    (["count", "P/joined", "OUT", "--texts", "T"], "broken.jsonl:2: broken JSON"),
    (["count", "P/joined", "OUT", "--texts", "T", "--skip-bad"], "no entity is found in any text"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_bad_input_is_one_line(
    folders: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "broken.jsonl").write_text('{"text": "nothing here"}\n{"text"\n', encoding="utf8")
    (tmp_path / "own.py").write_text("import nothing_of_this_name\n", encoding="utf8")
    places = {
        "C": str(tmp_path / "own.py"),
        "P": str(folders),
        "OUT": str(tmp_path / "out"),
        "T": str(tmp_path / "broken.jsonl"),
    }
    done = run(
        *("/".join(places.get(part, part) for part in word.split("/")) for word in arguments)
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert (
        done.exit_code == 1
        and len(lines) == 1
        and words in lines[0]
        and "Traceback" not in done.stderr
    )
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_workflow_and_wheel(trained: Path, sentiment: Language, tmp_path: Path) -> None:
    """The whole workflow through weasel; the wheel runs in an empty environment, with a sentiment pipeline that has code of its own."""
    folder = tmp_path / "project"
    folder.mkdir()
    copy_project(folder)
    for name in ("corpus", "training", "project.lock"):
        subprocess.run(["cp", "-r", str(trained / name), str(folder)], check=True)
    (folder / "training/textcat").mkdir()
    sentiment.to_disk(folder / "training/textcat/pipeline")
    code = 'from spacy.util import registry\n\n\n@registry.misc("shouting.v1")\ndef shouting():\n    return None\n'
    (folder / "own.py").write_text(code)
    done = weasel(
        folder, "opinions", ".", "--vars.opinions.code", "own.py", "--vars.opinions.min_mentions", "10"
    )
    assert (
        "passage (shipped)" in done.stdout
        and "left out" in done.stdout
        and "interval" in done.stdout
    )
    assert json.loads((folder / "training/opinions/opinions.json").read_text("utf8"))["texts"] > 900
    (wheel,) = (folder / "packages").glob("en_gadget_opinions-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", str(wheel), "-c", str(ROOT / "constraints.txt")],
        check=True,
    )
    program = "import spacy; doc = spacy.load('en_gadget_opinions')('I love the iPhone 13.')"
    program += "; print([(ent.text, label) for ent, label, _ in doc._.opinions])"
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "[('iPhone 13', 'POSITIVE')]" in done.stdout
