"""Neighbours, analogies, classes, rankings and figures of vectors whose geometry is known."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import srsly
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from scripts.entities.patterns import read_patterns
from scripts.nearest import BLOCK, top_k
from scripts.pipelines import keep_vectors_attr, load_nlp
from scripts.projection import project
from scripts.vectors.classify import Classifier, read_words, score_members, to_patterns
from scripts.vectors.evaluate import Section, read_analogies, read_pairs, score_vectors
from scripts.vectors.folder import write_folder
from scripts.vectors.neighbours import CellIndex, compare, nearest_words, read_index, write_index
from scripts.vectors.plot import draw, known_words, read_groups
from scripts.vectors.rank import draw_map, draw_ranking, rank_names, read_countries, read_world
from scripts.vectors.word_vectors import WordVectors, read_folder
from tests.conftest import ROOT, run_module, shared_data

rng = np.random.default_rng(0)


def folder_of(path: Path, words: list[str], rows: np.ndarray) -> WordVectors:
    write_folder(path, [([word.encode() for word in words], rows.astype("f4"))], rows.shape[1])
    return read_folder(path)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> WordVectors:
    """40 towns and 40 fruits around two directions, 920 other words around none.

    king - man + woman is queen.
    """
    centre = 4 * np.eye(2, 30)
    rows = rng.standard_normal((1_004, 30)) * 0.5
    rows[:40] += centre[0]
    rows[40:80] += centre[1]
    man, woman, royal = rng.standard_normal((3, 30))
    rows[1_000:] = [man, woman, man + royal, woman + royal]
    words = (
        [f"town{i}" for i in range(40)]
        + [f"Fruit_{i}" for i in range(40)]
        + [f"word{i}" for i in range(920)]
    )
    return folder_of(
        tmp_path_factory.mktemp("space") / "vectors",
        [*words, "man", "woman", "king", "queen"],
        rows,
    )


@pytest.mark.parametrize("n_queries", [1, 7, 1_100])
def test_top_k_is_exact_over_blocks(n_queries: int) -> None:
    table = rng.standard_normal((BLOCK + 500, 8)).astype("f4")
    table[BLOCK + 3] = 0
    queries = rng.standard_normal((n_queries, 8)).astype("f4")
    rows, cosines = top_k(table, queries, 5)
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    expected = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ unit.T
    best = np.sort(expected, axis=1)[:, ::-1][:, :5]
    assert np.allclose(cosines, best, atol=1e-5) and np.allclose(
        np.take_along_axis(expected, rows, 1), best, atol=1e-5
    )


def test_equal_rows_come_in_their_order() -> None:
    table = np.ones((BLOCK + 10, 3), "f4")
    assert top_k(table, table[:2], 4)[0].tolist() == [[0, 1, 2, 3]] * 2
    with pytest.raises(ValueError, match="can't find 4 neighbours in a table of 3 rows"):
        top_k(table[:3], table[:1], 4)


def test_nearest_is_gensims_most_similar(space: WordVectors) -> None:
    keyed = KeyedVectors(30)
    keyed.add_vectors(space.words, np.array(space.table))
    for positive, negative in (
        (["king"], []),
        (["woman", "king"], ["man"]),
        (["town1", "town2"], []),
    ):
        ours = nearest_words(
            space, [[word] for word in positive], [negative] if negative else [], k=7
        )
        theirs = keyed.most_similar(positive, negative, topn=7)
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        assert np.allclose(
            [cosine for _, cosine in ours], [cosine for _, cosine in theirs], atol=1e-5
        )
    assert nearest_words(space, [["woman"], ["king"]], [["man"]], k=1)[0][0] == "queen"


def test_words_are_found_in_other_forms_and_misspelt_ones_named(space: WordVectors) -> None:
    assert space.row("fruit 3") == space.row("Fruit_3") == 43
    with pytest.raises(ValueError, match=r"no vector for 'quen' in .*: did you mean queen"):
        space.rows(["quen"])


def test_no_folder_no_vectors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no vectors in"):
        read_folder(tmp_path)
    load_nlp("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="the table is empty"):
        read_folder(tmp_path / "blank")


def test_index_finds_nearly_all(tmp_path: Path) -> None:
    centres = rng.standard_normal((50, 16))
    table = (centres[rng.integers(0, 50, 5_000)] + 0.3 * rng.standard_normal((5_000, 16))).astype(
        "f4"
    )
    index = CellIndex.build(table)
    vectors = folder_of(tmp_path / "vectors", [f"w{i}" for i in range(5_000)], table)
    write_index(index, tmp_path / "index", vectors)
    again = read_index(tmp_path / "index", vectors)
    assert again.index.nprobe < again.index.nlist
    assert compare(table, again, 10, 50, 0)["recall"] > 0.9
    exact, cosines = top_k(table, table[:1], 3)
    rows, near = again.top_k(table, table[0], 3)
    assert rows.tolist() == exact[0].tolist() and np.allclose(near, cosines[0], atol=1e-5)
    with pytest.raises(ValueError, match=r"no index in .*: make it with python -m weasel run vec"):
        read_index(tmp_path, vectors)
    other = folder_of(tmp_path / "other", [f"w{i}" for i in range(5_000)], table[::-1])
    with pytest.raises(ValueError, match="is the index of another table"):
        read_index(tmp_path / "index", other)
    (tmp_path / "index/index.faiss").write_bytes(b"none")
    with pytest.raises(ValueError, match="can't be read, build it again"):
        read_index(tmp_path / "index", vectors)


def test_evaluation_is_gensims(tmp_path: Path) -> None:
    """On vectors of the words of the sets, so that all is covered and some answers are right."""
    every = read_analogies(Path(datapath("questions-words.txt")))[:4]
    sections = [Section(section.name, section.questions[:60]) for section in every]
    pairs = read_pairs(Path(datapath("wordsim353.tsv")))
    questions = list(chain.from_iterable(section.questions for section in sections))
    rated = chain.from_iterable((a, b) for a, b, _ in pairs)
    words = list(dict.fromkeys([*chain.from_iterable(questions), *rated]))
    rows = rng.standard_normal((len(words), 12))
    for section in sections:
        for number, question in enumerate(section.questions):
            if number % 3:
                a, b, c, d = map(words.index, question)
                rows[d] = rows[b] - rows[a] + rows[c]
    vectors = folder_of(tmp_path / "vectors", words, rows)
    ours = score_vectors(vectors, sections, {"WordSim-353": pairs})
    keyed = KeyedVectors(12)
    keyed.add_vectors(words, rows.astype("f4"))
    lines: list[str] = []
    for section in sections:
        lines += [f": {section.name}", *map(" ".join, section.questions)]
    (tmp_path / "questions.txt").write_text("\n".join(lines))
    accuracy, theirs = keyed.evaluate_word_analogies(str(tmp_path / "questions.txt"))
    assert 0.1 < accuracy < 0.9 and ours["analogies"]["all"]["accuracy"] == pytest.approx(accuracy)
    for section in theirs[:-1]:
        assert ours["analogies"][section["section"]]["correct"] == len(section["correct"])
    _, spearman, oov = keyed.evaluate_word_pairs(datapath("wordsim353.tsv"))
    similarities = ours["similarities"]["WordSim-353"]
    assert oov == 0 and similarities["spearman"] == pytest.approx(spearman[0], abs=1e-4)


def test_evaluation_of_unknown_words_covers_nothing(space: WordVectors) -> None:
    scores = score_vectors(space, [Section("s", [["a", "b", "c", "d"]])], {"p": [("a", "b", 1.0)]})
    assert scores["analogies"]["all"] == {
        "accuracy": None,
        "correct": 0,
        "covered": 0,
        "questions": 1,
    }
    assert scores["similarities"]["p"] == {"spearman": None, "covered": 0, "pairs": 1}


def test_pruned_tables_answer_with_the_word_whose_row_it_is(tmp_path: Path) -> None:
    rows = np.eye(4)[[0, 1, 2, 0, 1]] + 0.01 * np.arange(5)[:, None]
    write_folder(
        tmp_path / "v",
        [([b"said", b"told", b"far", b"says", b"tells"], rows.astype("f4"))],
        4,
        prune=3,
    )
    vectors = read_folder(tmp_path / "v")
    assert (
        nearest_words(vectors, [["says"]], k=1)[0][0] == "said"
        and nearest_words(vectors, [["said"]], k=1)[0][0] != "said"
    )
    scores = score_vectors(
        vectors, [], {"p": [("says", "tells", 1.0), ("said", "told", 2.0), ("far", "says", 3.0)]}
    )
    assert scores["similarities"]["p"]["covered"] == 3


def test_evaluation_keeps_to_the_most_frequent_words(
    space: WordVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.vectors.evaluate.MAX_WORDS", 10)
    scores = score_vectors(space, [], {"p": [("town1", "town2", 1.0), ("town1", "king", 1.0)]})
    assert scores["similarities"]["p"]["covered"] == 1


def test_broken_sets_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(": s\none two three\n")
    with pytest.raises(ValueError, match="a:2: not an analogy"):
        read_analogies(tmp_path / "a")
    (tmp_path / "b").write_text("one\ttwo\tmuch\n")
    with pytest.raises(ValueError, match="b:1: not a rated pair"):
        read_pairs(tmp_path / "b")


def test_classify_finds_the_class(space: WordVectors, tmp_path: Path) -> None:
    examples = [f"Fruit {i}" for i in range(8)] + ["durian"]
    classifier = Classifier(space, examples, 1_004)
    scores = classifier.cross_validate()
    members = classifier.members()
    assert classifier.missing == ["durian"]
    assert scores["average_precision"] > 0.4 and {
        "p",
        "r",
        "f",
        "c",
        "average_precision_of_mean",
    } <= set(scores)
    others = [member for member in members if not member.example]
    assert len(members) - len(others) == 8
    scored = score_members(members, [f"Fruit_{i}" for i in range(40)], classifier)
    assert scored["gold"] == 32
    assert scored["gold_r"] > 0.8 and scored["gold_p"] > 0.5
    assert [member.score for member in members] == sorted(
        (member.score for member in members), reverse=True
    )
    few = classifier.members(12)
    assert (
        sum(member.example for member in few) == 8
        and [member for member in few if not member.example] == others[:4]
    )
    patterns = to_patterns(members[:3], "FRUIT", load_nlp("en"), lower=False)
    assert patterns[0] == {
        "label": "FRUIT",
        "pattern": members[0].word.replace("_", " "),
        "id": "vectors",
    }
    lower = to_patterns(members[:1], "FRUIT", load_nlp("en"), lower=True)
    assert lower[0]["pattern"] == [{"LOWER": token.lower()} for token in members[0].word.split("_")]
    srsly.write_jsonl(tmp_path / "patterns.jsonl", patterns + lower)
    assert len(read_patterns(tmp_path / "patterns.jsonl")) == 4


def test_too_few_examples(space: WordVectors, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"only 2 of the 3 examples have vectors in .*: give 5 or more"
    ):
        Classifier(space, ["town1", "town2", "nowhere"], 1_000)
    with pytest.raises(ValueError, match="only 3 words are left that are not examples"):
        Classifier(space, [f"town{i}" for i in range(8)], 11)
    members = Classifier(space, [f"Fruit {i}" for i in range(8)], 40).members()
    assert sum(member.example for member in members) == 8, (
        "examples are members wherever they stand in the table"
    )
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match="no words in it"):
        read_words(tmp_path / "empty.txt")


def test_plot_keeps_groups_apart(space: WordVectors) -> None:
    known, missing = known_words(
        space,
        {
            "towns": [f"town{i}" for i in range(30)],
            "fruit": [f"Fruit_{i}" for i in range(30)] + ["durian"],
        },
    )
    assert missing == ["durian"] and len(known["fruit"]) == 30
    points = project(space.vectors([*known["towns"], *known["fruit"]]))
    towns, fruit = points[:30], points[30:]
    between = np.linalg.norm(towns.mean(axis=0) - fruit.mean(axis=0))
    assert between > 2 * max(towns.std(axis=0).max(), fruit.std(axis=0).max())
    figure = draw(known, points, "title")
    labels = [text.get_text() for text in figure.axes[0].texts]
    again = draw(known, points, "title")
    assert [text.get_position() for text in figure.axes[0].texts] == [
        text.get_position() for text in again.axes[0].texts
    ]
    assert (
        len([label for label in labels if label]) == 60
        and len(figure.axes[0].get_legend().get_texts()) == 2
    )


def test_groups_that_are_none(space: WordVectors, tmp_path: Path) -> None:
    srsly.write_jsonl(tmp_path / "g.jsonl", [{"group": "a"}])
    with pytest.raises(ValueError, match=r"g.jsonl:1: not a group"):
        read_groups(tmp_path / "g.jsonl")
    with pytest.raises(ValueError, match="fewer than 5 words"):
        known_words(space, {"a": ["town1", "nowhere"]})


def test_rank_orders_by_cosine(space: WordVectors) -> None:
    names = {
        "Fruit_1": ["Fruit_1", "town5"],
        "town1": ["town1"],
        "second name": ["unheard", "town2"],
        "none": ["unheard"],
    }
    ranking = rank_names(space, names, "town3, town4")
    assert {name for name, _ in ranking} == {"Fruit_1", "town1", "second name"}
    assert ranking[-1][0] == "Fruit_1"
    assert len(draw_ranking(ranking, "town3").axes[0].patches) == 3
    with pytest.raises(ValueError, match="none of the 1 names has a vector"):
        rank_names(space, {"none": ["unheard"]}, "town1")


def square(x: int, iso: str) -> dict[str, object]:
    ring = [[x, 0], [x + 1, 0], [x + 1, 1], [x, 1], [x, 0]]
    return {
        "type": "Feature",
        "id": iso,
        "properties": {"name": iso},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def test_map_paints_the_countries_that_have_vectors(space: WordVectors, tmp_path: Path) -> None:
    features = [square(0, "AAA"), square(2, "BBB"), square(4, "CCC")]
    (tmp_path / "w.geo.json").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )
    lines = [
        {"text": "town1", "iso": "AAA"},
        {"text": "nowhere", "iso": "BBB", "aliases": ["town2"]},
    ]
    srsly.write_jsonl(tmp_path / "c.jsonl", lines)
    cosines = dict(rank_names(space, read_countries(tmp_path / "c.jsonl"), "town3"))
    assert set(cosines) == {"AAA", "BBB"}
    figure = draw_map(read_world(tmp_path / "w.geo.json"), cosines, "town3")
    assert "2 of 3" in figure.axes[0].get_title(loc="left")
    with pytest.raises(ValueError, match="no country of the map"):
        draw_map(read_world(tmp_path / "w.geo.json"), {"ZZZ": 1.0}, "town3")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match="not a map that GeoPandas can read"):
        read_world(tmp_path / "bad.json")
    with pytest.raises(ValueError, match="does not exist"):
        read_world(tmp_path / "none.json")


def test_attr_is_kept_where_spacy_forgets_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "vectors", [([b"apple"], np.ones((1, 3), "f4"))], 3, attr="LOWER")
    nlp = load_nlp(str(tmp_path / "vectors"))
    nlp.to_disk(tmp_path / "saved")
    assert not load_nlp(str(tmp_path / "saved"))("APPLE")[0].has_vector, (
        "spaCy keeps the attribute now: keep_vectors_attr can go"
    )
    keep_vectors_attr(tmp_path / "saved", tmp_path / "vectors")
    assert load_nlp(str(tmp_path / "saved"))("APPLE")[0].has_vector


def test_words_that_look_like_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    folder_of(tmp_path / "v", ["a", "[/b]", "[red]", ":heart:", "$^$"], np.eye(5) + 1)
    done = run_module(ROOT, "scripts.vectors", "nearest", str(tmp_path / "v"), "a")
    assert done.returncode == 0 and all(
        word in done.stdout for word in ("[/b]", "[red]", ":heart:", "$^$")
    )
    (tmp_path / "m.txt").write_text("[/b]\n$^$\n")
    done = run_module(
        ROOT,
        "scripts.vectors",
        "rank",
        str(tmp_path / "v"),
        str(tmp_path),
        "--members",
        str(tmp_path / "m.txt"),
        "--term",
        "a",
    )
    assert done.returncode == 0 and (tmp_path / "ranking.png").exists(), done.stderr


def test_commands_print_json(space: WordVectors, tmp_path: Path) -> None:
    done = run_module(
        ROOT, "scripts.vectors", "nearest", str(space.path), "king", "--k", "3", "--json"
    )
    assert len(json.loads(done.stdout)) == 3 and set(json.loads(done.stdout)[0]) == {
        "word",
        "cosine",
    }
    done = run_module(
        ROOT, "scripts.vectors", "analogy", str(space.path), "man", "woman", "king", "--json"
    )
    assert json.loads(done.stdout)[0]["word"] == "queen"
    done = run_module(ROOT, "scripts.vectors", "nearest", str(space.path), "quen")
    assert (
        done.returncode == 1
        and done.stderr.startswith("Error: no vector for 'quen'")
        and done.stderr.count("\n") == 1
    )


def test_a_map_of_the_real_world() -> None:
    path = shared_data() / "world" / "countries.geo.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    ours = read_countries(ROOT / "assets" / "vectors" / "countries.jsonl")
    world = read_world(path)
    assert len(set(world.index) & set(ours)) >= 165
