"""The workflow opinions: the component, the log-odds by hand, the scores, and bad input."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from typer.testing import CliRunner

from scripts import pipelines
from scripts.components.opinions import SentenceSentiment, passages
from scripts.files import split_paths
from scripts.opinions.__main__ import app
from scripts.opinions.build import join
from scripts.opinions.count import evidence, key_of
from scripts.opinions.evaluate import accuracy, evaluate_opinions, read_gold_opinions
from scripts.opinions.joined import decide, sentiment_component
from scripts.opinions.log_odds import Mention, Row, count_opinions, describe, draw, log_odds
from scripts.reading import Skipped, Text, text_key
from tests.conftest import PROJECT, ROOT, copy_project, weasel, wheel_name

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
    examples = []
    for label in labels:
        cats = {name: float(name == label) for name in labels}
        for word, (start, end) in product(WORDS[label], (("I", "it ."), ("the", ""), ("", "."))):
            doc = nlp.make_doc(f"{start} {word} {end}".strip())
            examples.append(Example.from_dict(doc, {"cats": cats}))
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
    ruler: Any = nlp.add_pipe("entity_ruler")
    patterns = [
        {"label": "GADGET", "pattern": name, "id": name.split()[0].lower()}
        for name in ("Pixel 8", "Pixel 6", "iPad", "Fenix")
    ]
    ruler.add_patterns([*patterns, {"label": "BRAND", "pattern": "Acer"}])
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
    finder().to_disk(folder / "finder")
    sentiment.to_disk(folder / "sentiment")
    joined.to_disk(folder / "joined")
    spacy.blank("en").to_disk(folder / "blank")
    (folder / "damaged").mkdir()
    (folder / "damaged/config.cfg").write_text("[nlp")
    return folder


def opinions(doc: Doc) -> list[tuple[str, str]]:
    return [(ent.text, label) for ent, label, _ in doc._.opinions]


TEXT = "I love the Pixel 8. I bought an iPad. It is awful, broken! Fine weather. I hate Acer."
EXPECTED = [("Pixel 8", "POSITIVE"), ("iPad", "NEGATIVE"), ("Acer", "NEGATIVE")]


def test_entities_get_what_is_said_in_their_passage(joined: Language) -> None:
    doc = joined(TEXT)
    assert opinions(doc) == EXPECTED
    best = [max(sent._.sentiment, key=sent._.sentiment.get) for sent in doc.sents]
    assert best[:3] == ["POSITIVE", "NEUTRAL", "NEGATIVE"]
    cats = doc.ents[0]._.sentiment
    assert set(cats) == set(WORDS) and math.isclose(sum(cats.values()), 1, rel_tol=1e-5)
    assert joined.pipe_names == ["entity_ruler", "sentencizer", "sentence_sentiment"]
    assert not joined.analyze_pipes()["problems"]["sentence_sentiment"]


def passage_texts(doc: Doc, follow: int) -> list[tuple[str, int]]:
    return [(passage.text, len(ents)) for passage, ents in passages(doc, follow)]


def test_passages_end_at_the_next_entity(joined: Language) -> None:
    doc = joined(TEXT)
    first, last = ("I love the Pixel 8.", 1), ("I hate Acer.", 1)
    longer = "I bought an iPad. It is awful, broken!"
    assert passage_texts(doc, 0) == [first, ("I bought an iPad.", 1), last]
    assert passage_texts(doc, 1) == [first, (longer, 1), last]
    assert passage_texts(doc, 9) == [first, (f"{longer} Fine weather.", 1), last]
    assert not list(passages(joined(""), 1)) and not list(passages(joined("no name here."), 1))


def sentiments(doc: Doc) -> list[tuple[str, Any]]:
    return [(span.text, span._.sentiment) for span in (*doc.sents, *doc.ents)]


def record_calls(component: SentenceSentiment, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts of each call of the sentiment pipeline from now on."""
    calls: list[list[str]] = []
    assert component.sentiment is not None
    pipe = component.sentiment.pipe

    def recording(texts: Any) -> Any:
        calls.append(list(texts))
        return pipe(calls[-1])

    monkeypatch.setattr(component.sentiment, "pipe", recording)
    return calls


def test_batches_of_docs_are_judged_in_one_call_and_as_one_by_one(
    joined: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [TEXT, "", "  \n ", "I hate the Fenix.", "no name. love."]
    alone = [sentiments(joined(text)) for text in texts]
    calls = record_calls(sentiment_component(joined), monkeypatch)
    together = [sentiments(doc) for doc in joined.pipe(texts)]
    assert len(calls) == 1 and "" not in calls[0]
    for one, other in zip(alone, together):
        assert [text for text, _ in one] == [text for text, _ in other]
        for (_, a), (_, b) in zip(one, other):
            assert a == b or all(math.isclose(a[label], b[label], abs_tol=1e-5) for label in a)


@pytest.mark.parametrize("by_setting", [True, False])
def test_only_entities_skips_other_sentences(
    joined: Language, monkeypatch: pytest.MonkeyPatch, by_setting: bool
) -> None:
    component = sentiment_component(joined)
    calls = record_calls(component, monkeypatch)
    monkeypatch.setattr(component, "only_entities", by_setting)
    settings = {} if by_setting else {"sentence_sentiment": {"only_entities": True}}
    (doc,) = joined.pipe(["Fine weather. I love the Pixel 8."], component_cfg=settings)
    assert calls == [["I love the Pixel 8."]]
    assert [sent._.sentiment is None for sent in doc.sents] == [True, False]
    assert component.only_entities == by_setting


def test_survives_disk_bytes_processes_and_docbin(joined: Language, folders: Path) -> None:
    loaded = spacy.load(folders / "joined")
    other = join(finder(), sentiment_pipeline(("POSITIVE", "NEGATIVE")), follow=0)
    sentiment_component(other).from_bytes(sentiment_component(joined).to_bytes())
    for nlp in (loaded, other):
        component = sentiment_component(nlp)
        assert component.labels == sentiment_component(joined).labels and component.follow == 1
        assert rounded_opinions(nlp(TEXT)) == rounded_opinions(joined(TEXT))
    assert [opinions(doc) for doc in joined.pipe([TEXT] * 3, n_process=2)] == [EXPECTED] * 3
    data = DocBin(docs=[joined(TEXT)], store_user_data=True).to_bytes()
    (copy,) = DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab)
    assert opinions(copy) == EXPECTED


def rounded_opinions(doc: Doc) -> list[tuple[str, str, float]]:
    return [(ent.text, label, round(score, 5)) for ent, label, score in doc._.opinions]


def test_load_pipeline_imports_the_component(folders: Path) -> None:
    program = (
        "from scripts.pipelines import load_pipeline\n"
        f"nlp = load_pipeline({str(folders / 'joined')!r}, 'make it')\n"
        f"print([label for _, label, _ in nlp({TEXT!r})._.opinions])\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == str([label for _, label in EXPECTED]), done.stderr


def test_components_of_the_sentiment_pipeline_are_imported_too(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("textcat", "unused"):
        code = f'@Language.component("{name}")\ndef component(doc):\n    return doc\n'
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(pipelines, "COMPONENTS", tmp_path)
    assert pipelines.component_files(folders / "joined") == [tmp_path / "textcat.py"]


def test_initialize_takes_a_pipeline(folders: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("sentence_sentiment")
    component = sentiment_component(nlp)
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
    assert sentiment_component(nlp).follow == 2
    assert "some-extra>=1" in nlp.meta["requirements"]
    del sentiment.meta["requirements"]
    with pytest.raises(
        ValueError, match=r"sets no entities \(it has nothing\): give one with an ner"
    ):
        join(spacy.blank("en"), sentiment, 1)


# Counts


def test_log_odds_by_hand() -> None:
    """Three entities; prior 0.5 makes alpha 5, 2, 3 (sum 10).

    For the first: log(11 / (20 - 11)) - log(6 / (15 - 6)).
    """
    delta, deviation = log_odds(
        np.array([6.0, 1, 3]), np.array([1.0, 2, 2]), np.array([10.0, 4, 6]), 0.5
    )
    assert math.isclose(delta[0], math.log(11 / 9) - math.log(6 / 9))
    assert math.isclose(delta[1], math.log(3 / 17) - math.log(4 / 11))
    assert math.isclose(deviation[0], math.sqrt(1 / 11 + 1 / 6))


def mentions(**counts: tuple[int, int, int]) -> list[Mention]:
    """Mentions of entities: (praise, complaint, neutral) of each."""
    listed: list[Mention] = []
    for key, numbers in counts.items():
        for label, n in zip(("POSITIVE", "NEGATIVE", "NEUTRAL"), numbers):
            listed += [Mention(key, label)] * n
    return listed


def table(listed: list[Mention], min_mentions: int = 5) -> list[Row]:
    return count_opinions(listed, "POSITIVE", "NEGATIVE", min_mentions, 0.1)


def test_table_is_sorted_and_says_what_is_sure() -> None:
    rows = table(mentions(b=(1, 30, 2), a=(30, 1, 2), c=(9, 9, 5), rare=(2, 0, 0)))
    assert [(row.key, row.mentions, row.praise, row.complaint, row.neutral) for row in rows] == [
        ("a", 33, 30, 1, 2), ("c", 23, 9, 9, 5), ("b", 33, 1, 30, 2)
    ]  # fmt: skip
    assert [row.verdict for row in rows] == ["praise", "open", "complaint"]
    assert rows[0].low > 0 > rows[2].high
    deviation = (rows[0].high - rows[0].low) / (2 * 1.959964)
    assert math.isclose(rows[0].z, rows[0].log_odds / deviation, abs_tol=1e-3)
    assert describe(rows).startswith(
        "intervals that exclude 0: 2 of 3 (praise: a; complaint: b); intervals of 95%"
    )
    even = table(mentions(a=(9, 9, 1), b=(9, 9, 1)))
    assert describe(even) == (
        "no entity's interval excludes 0: these texts do not tell which of the 2 entities "
        "are praised or blamed"
    )
    assert all(row.log_odds == 0 for row in even)


def test_chance_names_few() -> None:
    """If all entities are judged alike, at most 5% of the 95% intervals exclude 0."""
    rng = np.random.default_rng(0)
    n_decided = 0
    for _ in range(40):
        sizes = rng.poisson(20, 30) + 1
        draws = [tuple(rng.multinomial(size, [0.35, 0.35, 0.3])) for size in sizes]
        rows = table(mentions(**{f"e{i}": draw for i, draw in enumerate(draws)}), min_mentions=1)
        n_decided += sum(row.verdict != "open" for row in rows)
    assert 0 < n_decided / (40 * 30) < 0.05


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "no entity is found in any text: give other texts"),
        (mentions(a=(3, 3, 3)), "there is only one entity, 'a', and nothing to compare it with"),
        (
            mentions(a=(3, 0, 0), b=(0, 1, 0)),
            "no entity has 5 mentions, the most frequent of 2 has 3: "
            "lower vars.opinions.min_mentions",
        ),
    ],
)
def test_nothing_to_count_is_named(listed: list[Mention], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table(listed)


def test_keys_and_thresholds(joined: Language) -> None:
    pixel, _, acer = joined(TEXT).ents
    assert key_of(pixel, "text") == "pixel 8" and key_of(pixel, "ent_id") == "pixel"
    assert key_of(pixel, "kb_id") == "" and key_of(pixel, "label") == "GADGET"
    assert key_of(acer, "ent_id") == ""
    cats = {"A": 0.6, "B": 0.4}
    assert decide(cats, 0.5) == "A" and decide(cats, 0.7) == "" and decide({"A": 1.0}, 1) == "A"


def test_evidence(joined: Language) -> None:
    texts = [
        Text(TEXT, "f", 1),
        Text(" ", "f", 2),
        Text("I hate the Fenix", "f", 3),
        Text("love the  Pixel 6", "f", 4),
        Text("\ud800", "f", 5),
    ]
    skipped, counts = Skipped(), Counter[str]()
    trained_on = {text_key("i hate the fenix")}
    records = list(evidence(joined, texts, "ent_id", 0, trained_on, skipped, counts))
    assert skipped.counts() == {
        "empty": 1,
        "half of a surrogate pair": 1,
        "sentiment was trained on it": 1,
    }
    assert counts == {"texts": 2, "mentions": 4, "without key": 1}
    assert [(record["key"], record["sentiment"], record["line"]) for record in records] == [
        ("pixel", "POSITIVE", 1), ("ipad", "NEGATIVE", 1), ("pixel", "POSITIVE", 4)
    ]  # fmt: skip
    assert records[1]["passage"] == "I bought an iPad. It is awful, broken!"
    assert set(records[1]["cats"]) == set(WORDS)


def test_runs_after_each_other_agree(joined: Language, write_jsonl: Callable[..., Path]) -> None:
    """Neither the counts nor the scores leave a setting behind in the pipeline."""
    gold = read_gold_opinions(write_jsonl("gold.jsonl", GOLD), joined, [*WORDS], Skipped())

    def run_all() -> list[Any]:
        texts = [Text(TEXT, "f", 1)]
        records = evidence(joined, texts, "text", 0, set(), Skipped(), Counter())
        first = list(records)
        metrics = evaluate_opinions(joined, gold, 0, "NEUTRAL")
        return [first, metrics, sentiments(joined(TEXT))]

    before = sentiments(joined(TEXT))
    assert all(cats is not None for _, cats in before)
    first, second = run_all(), run_all()
    assert first == second and first[-1] == before
    component = sentiment_component(joined)
    assert component.follow == 1 and component.only_entities is False


def test_chart_shows_both_ends(tmp_path: Path) -> None:
    rows = [Row(f"e{i}", 9, 3, 3, 3, 4.0 - i, 4.0 - i, 3.0 - i, 5.0 - i) for i in range(9)]
    draw(rows, 2, tmp_path / "a.png")
    draw(rows, 9, tmp_path / "b.png")
    assert 5_000 < (tmp_path / "a.png").stat().st_size < (tmp_path / "b.png").stat().st_size


# Scores


def gold_line(text: str, **sentiment_by_name: str) -> dict[str, Any]:
    spans = []
    for name, sentiment in sentiment_by_name.items():
        name = name.replace("_", " ")
        start = text.index(name)
        place = {"start": start, "end": start + len(name)}
        spans.append({**place, "label": "GADGET", "sentiment": sentiment})
    return {"text": text, "spans": spans}


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


def test_scores_of_each_system(joined: Language, write_jsonl: Callable[..., Path]) -> None:
    docs = read_gold_opinions(write_jsonl("gold.jsonl", GOLD), joined, [*WORDS], Skipped())
    assert [ent.label_ for ent in docs[0].ents] == ["POSITIVE", "NEGATIVE"]
    assert [ent.label_ for ent in docs[1].ents] == ["POSITIVE", "NEGATIVE"]
    assert len(docs) == 3 and not docs[2].ents
    metrics = evaluate_opinions(joined, docs, 0, "NEUTRAL")
    bordered = metrics["given_borders"]
    assert bordered["commonest_label"]["accuracy"] == 0.5
    assert bordered["commonest_label"]["macro_f"] == pytest.approx(1 / 3)
    # The second text has one passage, so one of its two entities must be wrong.
    # The sentence alone misses "It is awful" too.
    assert bordered["passage"]["accuracy"] == 0.75 and bordered["sentence"]["accuracy"] == 0.5
    assert metrics["borders"]["ents_r"] == 0.75
    assert metrics["ents_p"] == pytest.approx(metrics["ents_r"] * 4 / 3)


def test_accuracy_by_hand(joined: Language) -> None:
    def labelled(*labels: str) -> Doc:
        doc = Doc(joined.vocab, words=["a", "b", "c", "d"])
        doc.set_ents([Span(doc, i, i + 1, label) for i, label in enumerate(labels)])
        return doc

    first = (labelled("P", "P", "N"), labelled("P", "N", "N"))
    scores = accuracy([first, (labelled("U"), labelled("P"))])
    assert scores["accuracy"] == 0.5
    assert scores["f_per_label"] == pytest.approx({"N": 2 / 3, "P": 0.5})
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
        ({"spans": []}, "gold.jsonl:2: not an annotated text"),
    ],
)
def test_bad_gold_is_named(
    joined: Language, write_jsonl: Callable[..., Path], line: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        read_gold_opinions(write_jsonl("gold.jsonl", [GOLD[0], line]), joined, [*WORDS], Skipped())


# Commands


def test_comma_separated_paths() -> None:
    assert split_paths(["a b.txt, c", ""]) == [Path("a b.txt"), Path("c")]
    assert split_paths(None) == []


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeed(*arguments: Any) -> str:
    """Run a command that must succeed. Returns what it prints."""
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


@pytest.fixture
def two_labels(folders: Path, tmp_path: Path) -> Path:
    """A joined pipeline of two sentiment labels, made by the command."""
    sentiment_pipeline(("POSITIVE", "NEGATIVE")).to_disk(tmp_path / "two")
    folder = tmp_path / "joined"
    parts = ("--ner", folders / "finder", "--sentiment", tmp_path / "two")
    assert "sentiments POSITIVE, NEGATIVE" in succeed("build", folder, *parts, "--follow", 0)
    return folder


def test_evaluate_with_two_labels(
    two_labels: Path, tmp_path: Path, write_jsonl: Callable[..., Path]
) -> None:
    out, gold = tmp_path / "out", write_jsonl("gold.jsonl", GOLD)
    printed = succeed("evaluate", two_labels, out, "--test", gold, "--threshold", 0.5)
    assert "passage (shipped)" in printed
    assert srsly.read_json(out / "metrics.json")["test_mentions"] == 4
    printed = succeed("evaluate", two_labels, out, "--test", ROOT / "assets/empty.jsonl")
    assert "holds no labelled opinion" in printed and not (out / "scores.png").exists()


def test_count_with_two_labels(
    two_labels: Path, tmp_path: Path, write_jsonl: Callable[..., Path]
) -> None:
    out, count = tmp_path / "out", ("count", two_labels, tmp_path / "out", "--texts")
    praise, complaint = [{"text": "I love the iPad."}] * 6, [{"text": "I hate the Fenix."}] * 6
    texts = [*praise, *complaint, {"text": ""}, {"text": "the Acer"}]
    one, two = write_jsonl("one.jsonl", texts[:7]), write_jsonl("two.jsonl", texts[7:])
    printed = succeed(*count, f"{one},{two}", "--by", "ent_id", "--threshold", 0.6)
    assert "{'empty': 1}" in printed and "1 mentions have no ent_id" in printed
    rows = list(srsly.read_jsonl(out / "table.jsonl"))
    assert [row["key"] for row in rows] == ["ipad", "fenix"]
    assert [(row["praise"], row["complaint"]) for row in rows] == [(6, 0), (0, 6)]
    before = (out / "evidence.jsonl").read_bytes()
    assert len(before.splitlines()) == 12
    assert (out / "opinions.png").stat().st_size > 5_000
    done = run(*count, one, "--by", "kb_id")
    assert done.exit_code == 1
    assert "no mention has a kb_id: set vars.opinions.by to another" in done.stderr
    assert (out / "evidence.jsonl").read_bytes() == before


JOIN = ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/sentiment"]
COUNT = ["count", "P/joined", "OUT", "--texts", "T"]
BAD = [
    (
        ["build", "OUT", "--ner", "training/none", "--sentiment", "P/sentiment"],
        "no pipeline called 'training/none': give a folder or an installed package by "
        "vars.opinions.ner (python -m weasel run ner makes the default)",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "training/none"],
        "no pipeline called 'training/none': give a folder or an installed package by "
        "vars.opinions.sentiment (python -m weasel run textcat makes the default)",
    ),
    (
        ["build", "OUT", "--ner", "P/finder", "--sentiment", "P/blank"],
        "the sentiment pipeline sets no doc.cats (it has nothing)",
    ),
    (
        ["build", "OUT", "--ner", "P/blank", "--sentiment", "P/sentiment"],
        "the pipeline sets no entities (it has nothing)",
    ),
    ([*JOIN, "--praise", "JOY"], "'JOY' is not among the labels of the sentiment"),
    ([*JOIN, "--praise", "NEGATIVE"], "praise and complaint are both 'NEGATIVE'"),
    ([*JOIN, "--code", "no.py"], "no.py does not exist: --code takes files"),
    ([*JOIN, "--code", "C"], "own.py can't be imported: fix it (No module named"),
    (["build", "OUT", "--ner", "P", "--sentiment", "P/sentiment"], "no pipeline called"),
    (
        ["build", "OUT", "--ner", "P/damaged", "--sentiment", "P/sentiment"],
        "can't be loaded, train or install it again",
    ),
    (
        ["build", "OUT", "--ner", "P/damaged", "--sentiment", "P/sentiment"],
        "(registered functions of its own go into vars.opinions.code)",
    ),
    (["count", "P/finder", "OUT", "--texts", "T"], "is not a joined pipeline: run opinions-build"),
    (["count", "P/none", "OUT", "--texts", "T"], "none': run opinions-build first"),
    (["count", "P/joined", "OUT", "--texts", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
    (
        [*COUNT, "--complaint", "ANGER"],
        "'ANGER' is not among the labels of the sentiment pipeline",
    ),
    (COUNT, "broken.jsonl:2: broken JSON: fix the line, or set vars.opinions.bad_lines"),
    ([*COUNT, "--skip-bad"], "no entity is found in any text"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_bad_input_is_one_line(
    folders: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "broken.jsonl").write_text('{"text": "nothing here"}\n{"text"\n', encoding="utf8")
    (tmp_path / "own.py").write_text("import nothing_of_this_name\n", encoding="utf8")
    paths = {
        "C": str(tmp_path / "own.py"),
        "P": str(folders),
        "OUT": str(tmp_path / "out"),
        "T": str(tmp_path / "broken.jsonl"),
    }
    words_of_command = []
    for word in arguments:
        first, *rest = word.split("/")
        words_of_command.append("/".join([paths.get(first, first), *rest]))
    done = run(*words_of_command)
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert done.exit_code == 1 and len(lines) == 1 and words in lines[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


OWN_CODE = """
from spacy.util import registry


@registry.misc("shouting.v1")
def shouting():
    return None
"""


@pytest.fixture(scope="module")
def counted(trained: Path, sentiment: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the workflow ran, with a file of registered functions."""
    folder = copy_project(tmp_path_factory.mktemp("opinions"))
    for name in ("corpus", "training", "project.lock"):
        subprocess.run(["cp", "-r", str(trained / name), str(folder)], check=True)
    (folder / "training/textcat").mkdir()
    sentiment.to_disk(folder / "training/textcat/pipeline")
    (folder / "own.py").write_text(OWN_CODE)
    options = ["--vars.opinions.code", "own.py", "--vars.opinions.min_mentions", "10"]
    out = weasel(folder, "opinions", ".", *options).stdout
    assert "passage (shipped)" in out and "left out" in out and "interval" in out
    return folder


@pytest.mark.slow
def test_workflow(counted: Path) -> None:
    summary = json.loads((counted / "training/opinions/opinions.json").read_text("utf8"))
    assert summary["texts"] > 900 and summary["entities"] > 1


@pytest.mark.slow
def test_wheel_judges_in_an_empty_environment(counted: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    wheel = str(counted / "packages" / wheel_name("opinions"))
    install = [python, "-m", "pip", "install", "-q", wheel, "-c", str(ROOT / "constraints.txt")]
    subprocess.run(install, check=True)
    package = f"{PROJECT['vars']['lang']}_{PROJECT['vars']['opinions']['name']}"
    program = (
        f"import spacy; doc = spacy.load({package!r})('I love the iPhone 13.')\n"
        "print([(ent.text, label) for ent, label, _ in doc._.opinions])\n"
    )
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "[('iPhone 13', 'POSITIVE')]" in done.stdout
