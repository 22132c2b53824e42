"""Recommender from links: reading, held-out pairs, training, ranking, and the steps on the project's own films."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly
from scipy import sparse
from typer.testing import CliRunner

from scripts.movies import evaluate, folder, plot, rate, recommend
from scripts.movies import train as training
from scripts.movies.__main__ import app
from scripts.movies.factors import Factors, measure, ranks
from scripts.movies.items import Item, number_of, read_items, value_of, words_of
from scripts.movies.neighbours import nearest, rows_of, split_titles
from scripts.movies.network import Network, Settings
from scripts.movies.pairs import Pairs, split, to_matrix
from scripts.reading import Skipped
from tests.conftest import ROOT, copy_project, shared_data, weasel

Write = Callable[[str, list[Any]], Path]
FILMS = ROOT / "assets" / "movies" / "films.jsonl"


def run(*args: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(arg) for arg in args])
    return done.exit_code, done.stdout, done.stderr


def of_films(share: float = 0.1, seed: int = 0) -> Pairs:
    return split(*to_matrix(read_items(FILMS), 2, Counter()), share, seed)


def of_books(seed: int) -> Pairs:
    """The books of shared/data as our records: links to articles, their first letter a capital, each once."""
    path = shared_data() / "books" / "books.ndjson"
    if not path.exists():
        pytest.skip("shared/data/books is not there")
    items: dict[str, Item] = {}
    for line in path.read_text("utf8").splitlines():
        title, _, links, *_ = json.loads(line)
        bare = [
            link.split("#")[0].strip()
            for link in links
            if not re.match(r"\s*:?[a-zA-Z-]+:\S", link)
        ]
        own = tuple(dict.fromkeys(link[0].upper() + link[1:] for link in bare if link))
        if own:
            items.setdefault(title, Item(title, own, {}))
    return split(*to_matrix(list(items.values()), 2, Counter()), 0.1, seed)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training folder of a run on the films. Tests look at it and change nothing but what their step writes."""
    path = tmp_path_factory.mktemp("movies")
    code, out, err = run("train", FILMS, path)
    assert code == 0, err
    assert (
        "240 items, 889 links" in out
        and "links left out, on fewer items than min_count: 1360" in out
    )
    return path


@pytest.fixture(scope="session")
def trained(films: Path) -> folder.Trained:
    return folder.read_trained(films / "model")


# Reading


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"links": ["a"]}, 'i.jsonl:2: no "title"'),
        ({"title": None, "links": ["a"]}, 'i.jsonl:2: no "title"'),
        ({"title": "\ud800", "links": ["a"]}, 'i.jsonl:2: no "title"'),
        ({"title": "x"}, 'i.jsonl:2: no list of "links"'),
        ({"title": "x", "links": None}, 'i.jsonl:2: no list of "links"'),
        ({"title": "x", "links": "a"}, 'i.jsonl:2: no list of "links"'),
        ({"title": "x", "links": ["a", 3]}, 'i.jsonl:2: no list of "links"'),
        (["x"], "i.jsonl:2: not an object"),
    ],
)
def test_a_bad_line_is_named_or_counted(write_jsonl: Write, line: Any, words: str) -> None:
    path = write_jsonl(
        "i.jsonl", [{"title": "first", "links": ["a"]}, line, {"title": "last", "links": ["b"]}]
    )
    with pytest.raises(ValueError, match=words):
        read_items(path)
    skipped = Skipped()
    assert [item.title for item in read_items(path, skipped)] == ["first", "last"] and len(
        skipped.records
    ) == 1


def test_a_broken_line_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"title": "one", "links": ["a"]}\n{"title": \n')
    with pytest.raises(ValueError, match=r"i.jsonl:2: broken JSON"):
        read_items(path)
    assert [item.title for item in read_items(path, Skipped())] == ["one"]


def test_titles_twice_empty_ones_and_items_without_links_are_counted(write_jsonl: Write) -> None:
    lines = [
        {"title": "x", "links": ["a", " a ", "", "b"]},
        {"title": "x", "links": ["c"]},
        {"title": " ", "links": ["a"]},
    ]
    counts: Counter[str] = Counter()
    items = read_items(write_jsonl("i.jsonl", [*lines, {"title": "y", "links": []}]), None, counts)
    assert [(item.title, item.links) for item in items] == [("x", ("a", "b"))]
    assert sorted(counts.values()) == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("207 minutes", 207),
        (["about 1,024 pages", "3"], 1024),
        ("87%", 87),
        ("7.5/10", 7.5),
        (91, 91),
        ("none", None),
        (True, None),
        (None, None),
    ],
)
def test_the_first_number_of_a_text_counts(value: Any, number: float | None) -> None:
    assert number_of(value) == number


def test_values_are_found_by_dotted_paths() -> None:
    record = {"score": 3, "properties": {"genre": ["a", "b"]}}
    assert (
        value_of(record, "properties.genre") == ["a", "b"] and value_of(record, "score.x") is None
    )
    assert words_of(["a", 2, None, ""]) == ["a", "2"] and words_of(None) == []


# Pairs


@pytest.mark.parametrize("seed", range(3))
def test_held_out_pairs_leave_each_item_and_link_one_to_train_on(seed: int) -> None:
    pairs = of_films(0.3, seed)
    parts = [part.toarray() for part in (pairs.train, pairs.dev, pairs.test)]
    assert sum(parts).max() == 1 and pairs.n_pairs()["dev"] == pairs.n_pairs()["test"] == round(
        0.3 * sum(parts).sum()
    )
    assert parts[0].sum(axis=0).min() >= 1 and parts[0].sum(axis=1).min() >= 1
    again = of_films(0.3, seed)
    assert (again.test != pairs.test).nnz == 0 and (
        of_films(0.3, seed + 1).test != pairs.test
    ).nnz > 0


def test_held_out_links_are_as_frequent_in_dev_as_in_test() -> None:
    pairs = of_films(0.2)
    often = np.bincount(pairs.train.indices)
    dev, test = (often[part.indices].mean() for part in (pairs.dev, pairs.test))
    assert dev == pytest.approx(test, rel=0.15)


def test_rare_links_and_items_that_have_no_others_are_left_out() -> None:
    items = [Item("x", ("a", "b"), {}), Item("y", ("a", "b", "c"), {}), Item("z", ("d",), {})]
    counts: Counter[str] = Counter()
    titles, links, matrix = to_matrix(items, 2, counts)
    assert (titles, links, matrix.toarray().tolist()) == (["x", "y"], ["a", "b"], [[1, 1], [1, 1]])
    assert (
        counts["links left out, on fewer items than min_count"] == 2
        and counts["items left out, all their links were"] == 1
    )
    with pytest.raises(ValueError, match="no link is on 3 items or more"):
        to_matrix(items, 3, Counter())
    with pytest.raises(ValueError, match="1 item and 2 link to learn from"):
        to_matrix(items[:1], 1, Counter())
    with pytest.raises(ValueError, match="can be held out, which are too few"):
        split(titles, links, matrix, 0.1, 0)


# Ranking


def test_ranks_and_their_means_are_those_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.movies.factors.CELLS", 30)  # blocks of an item or two
    random = np.random.default_rng(0)
    factors = Factors(*(random.normal(size=size).round(1) for size in ((9, 2), (14, 2), (14,))))
    parts = [
        sparse.csr_matrix((random.random((9, 14)) < share).astype("f4")) for share in (0.3, 0.2)
    ]
    known, held_out = (
        parts[0],
        sparse.csr_matrix(np.where(parts[0].toarray() > 0, 0, parts[1].toarray())),
    )
    of_item, found = ranks(factors, known, held_out)
    expected = []
    for item, link in zip(*held_out.nonzero()):
        scores = [
            factors.items[item] @ factors.links[other] + factors.bias[other] for other in range(14)
        ]
        others = [scores[other] for other in range(14) if other != link and not known[item, other]]
        same = sum(abs(other - scores[link]) < 1e-9 for other in others)
        expected.append(1 + sum(other > scores[link] + 1e-9 for other in others) + same / 2)
    assert of_item.tolist() == held_out.nonzero()[0].tolist() and found.tolist() == expected
    told = measure(of_item, found)
    by_item = [found[of_item == item] for item in np.unique(of_item)]
    assert told["recall"] == pytest.approx(np.mean([(own <= 10).mean() for own in by_item]))
    assert told["mrr"] == pytest.approx(np.mean([(1 / own).mean() for own in by_item]))
    assert told["mrr_interval"][0] < told["mrr"] < told["mrr_interval"][1]


def test_a_method_that_tells_nothing_apart_gets_the_middle_rank() -> None:
    held_out = sparse.csr_matrix(np.eye(1, 101, dtype="f4"))
    flat = Factors(np.zeros((1, 1), "f4"), np.zeros((101, 1), "f4"), np.zeros(101, "f4"))
    assert ranks(flat, sparse.csr_matrix((1, 101), dtype="f4"), held_out)[1].tolist() == [51]


def test_svd_of_full_rank_gives_the_pairs_back() -> None:
    train = sparse.csr_matrix((np.random.default_rng(0).random((40, 300)) < 0.1).astype("f4"))
    train = train[:, np.flatnonzero(train.getnnz(axis=0))]
    found = {
        told: factors
        for told, factors in evaluate.by_svd(train, 0)
        if "weighed back" in told or "-0.0" in told
    }
    errors = [
        np.abs(factors.scores(np.arange(40)) - train.toarray()).mean()
        for told, factors in found.items()
        if "rows" not in told
    ]
    assert min(errors) < 0.02 < max(errors)


# Training


@pytest.mark.parametrize("most", [10_000, 50])
def test_no_true_pair_is_a_negative_of_its_item(most: int) -> None:
    pairs = of_films()
    network = Network(pairs.train, Settings(width=4, max_candidates=most))
    rows, columns, targets, log_odds = network.batch(np.asarray([3, 200, 17]))
    true = pairs.train.toarray()[rows]
    assert (targets == true[:, columns]).all() and targets.sum() == true.sum()
    assert len(columns) == (889 if most == 10_000 else np.count_nonzero(true.any(axis=0)))
    assert (log_odds <= 0).all() and (log_odds.min() < -0.5) == (most == 50)


def test_links_of_a_batch_stand_for_all() -> None:
    """Weighed by how likely each is to be in a batch, they sum up to what all links would."""
    pairs = of_films()
    network = Network(pairs.train, Settings(width=4, batch_size=60, max_candidates=1))
    scores, random, sums = np.linspace(1, 2, 889), np.random.default_rng(0), []
    for _ in range(200):
        _, columns, _, log_odds = network.batch(random.permutation(240)[:60])
        sums.append((scores[columns] / np.exp(log_odds)).sum())
    assert np.mean(sums) == pytest.approx(scores.sum(), rel=0.1)


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_SECONDS", 0)
    pairs, settings = of_films(), Settings(width=8, max_epochs=5, batch_size=60)
    whole, log = training.train(pairs, settings)

    def kill(line: dict[str, Any]) -> None:
        if line["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(pairs, settings, tmp_path / "c.npz", kill)
    seen: list[int] = []
    resumed, same_log = training.train(
        pairs, settings, tmp_path / "c.npz", lambda line: seen.append(line["epoch"])
    )
    assert same_log == log and seen == [4, 5]
    assert resumed.to_bytes(1, 0) == whole.to_bytes(1, 0)


def test_a_checkpoint_of_other_pairs_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_SECONDS", 0)
    seen: list[int] = []
    for seed in (0, 1):
        training.train(
            of_films(seed=seed),
            Settings(width=4, max_epochs=1),
            tmp_path / "c.npz",
            lambda line: seen.append(line["epoch"]),
        )
    (tmp_path / "c.npz").write_bytes(b"damaged")
    training.train(
        of_films(),
        Settings(width=4, max_epochs=1),
        tmp_path / "c.npz",
        lambda line: seen.append(line["epoch"]),
    )
    assert seen == [0, 1] * 3


def test_the_keras_model_gives_the_probability_of_the_arrays(
    films: Path, trained: folder.Trained
) -> None:
    import keras

    model = keras.saving.load_model(films / "model" / "model.keras", compile=False, safe_mode=True)
    rows, columns = np.asarray([0, 5, 9]), np.asarray([3, 0, 700])
    told = trained.facts["calibration"]
    expected = 1 / (
        1 + np.exp(-(told["slope"] * trained.factors.scores_of(rows, columns) + told["offset"]))
    )
    assert model.predict([rows, columns], verbose=0).ravel() == pytest.approx(expected, rel=1e-3)
    assert np.linalg.norm(trained.items, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_probability_is_calibrated_on_pairs_that_were_not_trained(
    trained: folder.Trained,
) -> None:
    """What it promises of all pairs outside of training is near the number of those that are held out for test."""
    pairs, told = trained.pairs, trained.facts["calibration"]
    scores = trained.factors.scores(np.arange(len(pairs.titles)))
    promised = 1 / (1 + np.exp(-(told["slope"] * scores + told["offset"])))
    promised[(pairs.train + pairs.dev).nonzero()] = 0
    assert promised.sum() == pytest.approx(pairs.test.nnz, rel=0.3)
    assert told["auc"] > 0.75 and told["auc_cosine"] > 0.65


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        assert run("train", FILMS, tmp_path / name, "--width", 8, "--max-epochs", 2)[0] == 0
    for file in ("model.keras", "embeddings.npz", "names.json", "train.json"):
        assert (tmp_path / "a" / "model" / file).read_bytes() == (
            tmp_path / "b" / "model" / file
        ).read_bytes(), file
    assert not (tmp_path / "a" / "checkpoint.npz").exists()


def test_embeddings_rank_held_out_links_above_popularity(trained: folder.Trained) -> None:
    pairs = trained.pairs
    ours, popular = (
        measure(*ranks(factors, pairs.train, pairs.test))["recall"]
        for factors in (trained.factors, evaluate.popularity(pairs.train))
    )
    assert ours > 1.5 * popular > 0.1


# Steps


def test_no_step_but_train_needs_tensorflow(films: Path) -> None:
    steps = [
        ["neighbours", films, "--title", "vertigo"],
        ["recommend", films, "--likes", "Vertigo | psycho"],
        ["rate", FILMS, films, "--score", "properties.runtime"],
    ]
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\nfrom scripts.movies.__main__ import app\n"
        "for step in eval(sys.argv[1]): app(step, standalone_mode=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, repr([[str(word) for word in step] for step in steps])],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "Rear Window" in done.stdout and "both link to" in done.stdout
    assert (
        "no dislikes: 100 other items, drawn by chance, stand for them" in done.stdout
        and "Alfred Hitchcock" in done.stdout
    )
    assert "232 items" in done.stdout and srsly.read_json(films / "rate.json")["r2"] > 0.1
    lines = list(srsly.read_jsonl(films / "neighbours.jsonl"))
    assert len(lines) == 240 and all(len(line["neighbours"]) == 10 for line in lines)
    without = subprocess.run(
        [sys.executable, "-c", code, repr([["train", str(FILMS), str(films / "new")]])],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (
        without.returncode == 1
        and "Error: TensorFlow is not installed: pip install -r requirements-keras.txt"
        in without.stderr
    )


def test_neighbours_are_those_with_the_highest_cosine(trained: folder.Trained) -> None:
    row = trained.pairs.titles.index("Alien")
    cosines = trained.items @ trained.items[row]
    cosines[row] = -1
    found = nearest(trained, row, 3)
    assert [one.title for one in found] == [
        trained.pairs.titles[other] for other in np.argsort(-cosines)[:3]
    ]
    assert found[0].score == pytest.approx(cosines.max(), abs=1e-5)
    both = trained.pairs.train.toarray()
    for one in found:
        other = trained.pairs.titles.index(one.title)
        assert all(
            both[row, link] and both[other, link]
            for link in map(trained.pairs.links.index, one.links)
        )


def test_titles_in_any_case_and_unknown_ones(trained: folder.Trained) -> None:
    titles = trained.pairs.titles
    text = "the good, the bad and the ugly | M"
    assert [titles[row] for row in rows_of(titles, split_titles(text))] == [
        "The Good, the Bad and the Ugly",
        "M",
    ]
    with pytest.raises(ValueError, match="no item is called 'Vertigoo': did you mean Vertigo"):
        rows_of(titles, ["Vertigoo"])
    with pytest.raises(ValueError, match="no item is called 'xqzw': it has no links"):
        rows_of(titles, ["xqzw"])


def test_likes_and_dislikes(trained: folder.Trained) -> None:
    titles = trained.pairs.titles
    likes, dislikes = (
        rows_of(titles, names) for names in (["Yojimbo", "Ran", "Ikiru"], ["Casablanca"])
    )
    found = recommend.recommend(trained, likes, dislikes, 5)
    assert {one.title for one in found} & {
        "Seven Samurai",
        "Rashomon",
        "Throne of Blood",
        "The Hidden Fortress",
    }
    assert not {one.title for one in found} & {"Yojimbo", "Ran", "Ikiru", "Casablanca"}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    own = trained.pairs.train[titles.index(found[0].title)].indices
    assert found[0].links and {trained.pairs.links.index(link) for link in found[0].links} <= set(
        own
    )
    with pytest.raises(ValueError, match="Casablanca is both liked and disliked"):
        recommend.recommend(trained, np.append(likes, dislikes), dislikes, 5)
    with pytest.raises(ValueError, match="nothing is liked"):
        recommend.recommend(trained, likes[:0], dislikes, 5)
    with pytest.raises(ValueError, match="nothing to recommend"):
        recommend.recommend(trained, np.arange(240), dislikes[:0], 5)


def test_what_is_left_out_of_a_group_is_found_again(trained: folder.Trained) -> None:
    of_title = {
        item.title: value_of(item.record, "properties.director") for item in read_items(FILMS)
    }
    groups = recommend.groups_of([of_title[title] for title in trained.pairs.titles])
    assert {"Akira Kurosawa", "Alfred Hitchcock"} <= set(groups) and min(
        map(len, groups.values())
    ) >= 3
    told = recommend.check(trained, {name: groups[name] for name in sorted(groups)[:8]})
    assert told["recall"] > 0.6 > 0.2 > max(told["popularity"], told["chance"])


def test_a_score_that_follows_a_direction_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    items, way = random.normal(size=(200, 10)), random.normal(size=10)
    coefficients, told = rate.rate(items, items @ way + 0.1 * random.normal(size=200))
    assert (
        told["r2"] > 0.95
        and coefficients == pytest.approx(way, abs=0.1)
        and told["rmse"] < told["rmse_of_mean"]
    )
    assert rate.rate(items, random.normal(size=200))[1]["r2"] < 0.1
    with pytest.raises(ValueError, match="29 items have a score, which are too few: 30 are needed"):
        rate.rate(items[:29], items[:29, 0])
    with pytest.raises(ValueError, match="all scores are 7"):
        rate.rate(items, np.full(200, 7.0))


def test_the_plot_colours_frequent_values_and_spreads_its_names() -> None:
    first, named = plot.main_values([["a", "b"], "b", None, ["c"], "b", 1999])
    assert (first, named) == (["a", "b", "", "c", "b", "1999"], ["b", "1999", "a", "c"])
    first, named = plot.main_values([[str(i), "all"] for i in range(20)])
    assert set(first) == {"all", *named} and len(named) <= plot.COLOURED
    places = np.random.default_rng(0).normal(size=(500, 2))
    rows = plot.to_name(places, np.arange(500))
    assert 20 < len(rows) <= plot.CELLS**2 and 499 in rows and len(set(rows.tolist())) == len(rows)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "no item with a title and links in it"),
        ([{"title": "one", "links": ["a", "b", "c"]}], "no link is on 2 items or more"),
        (
            [{"title": str(i), "links": [f"only {i}"]} for i in range(20)],
            "no link is on 2 items or more",
        ),
        (
            [{"title": str(i), "links": ["a", "b"]} for i in range(3)],
            "can be held out, which are too few",
        ),
        ([{"title": "x", "links": "a"}], 'i.jsonl:1: no list of "links"'),
    ],
)
def test_bad_items_are_one_line_and_leave_nothing(
    write_jsonl: Write, tmp_path: Path, lines: list[Any], words: str
) -> None:
    code, _, err = run("train", write_jsonl("i.jsonl", lines), tmp_path / "out")
    assert code == 1 and err.startswith("Error: ") and words in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["neighbours", "FOLDER", "--title", "Vertigoo"], "did you mean Vertigo"),
        (["recommend", "FOLDER", "--likes", " | "], "nothing is liked"),
        (
            ["rate", str(FILMS), "FOLDER", "--score", "properties.imdb"],
            "no item that was trained has 'properties.imdb'",
        ),
        (["rate", str(FILMS), "FOLDER", "--score", "properties.director"], "0 items have a score"),
        (
            ["plot", str(FILMS), "FOLDER", "--colour", "nothing"],
            "no item that was trained has 'nothing'",
        ),
        (["neighbours", "NOWHERE", "--title", "Alien"], "run movies-train first"),
        (["train", "nowhere.jsonl", "NOWHERE"], "nowhere.jsonl is no file: vars.movies.items"),
        (["train", str(FILMS), "NOWHERE", "--share", "0.5"], "vars.movies.share is 0.5"),
    ],
)
def test_bad_input_is_one_line(films: Path, tmp_path: Path, args: list[str], words: str) -> None:
    places = {"FOLDER": films, "NOWHERE": tmp_path / "nowhere"}
    code, _, err = run(*(places.get(arg, arg) for arg in args))
    assert code == 1 and err.startswith("Error: ") and words in err and err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_folder_says_what_to_run(
    films: Path, tmp_path: Path, trained: folder.Trained
) -> None:
    for name, content in (
        ("embeddings.npz", b"damaged"),
        ("train.json", b'{"format": 0}'),
        ("names.json", b'{"titles": [], "links": []}'),
    ):
        folder.write_trained(tmp_path / "model", trained.pairs, trained.factors, b"", trained.facts)
        (tmp_path / "model" / name).write_bytes(content)
        with pytest.raises(ValueError, match="run movies-train again"):
            folder.read_trained(tmp_path / "model")


def test_brackets_in_titles_are_no_markup(tmp_path: Path) -> None:
    lines = [
        {
            "title": f"[bold]{i}[/b] [/x]",
            "links": [f"[{i % 3}/]", f"b{i % 4}", f"c{i % 5}"],
            "score": i,
        }
        for i in range(40)
    ]
    srsly.write_jsonl(tmp_path / "i.jsonl", lines)
    code, out, err = run(
        "train", tmp_path / "i.jsonl", tmp_path / "f", "--max-epochs", "1", "--width", "4"
    )
    assert code == 0, err
    for args in (
        ["neighbours", tmp_path / "f", "--title", "[bold]3[/b] [/x]"],
        ["rate", tmp_path / "i.jsonl", tmp_path / "f"],
    ):
        code, out, err = run(*args)
        assert code == 0 and ("[bold]" in out or "[0/]" in out), err


def test_items_without_the_property_of_groups_are_scored_all_the_same(
    films: Path, tmp_path: Path
) -> None:
    shutil.copytree(films / "model", tmp_path / "model")
    code, out, err = run("evaluate", FILMS, tmp_path, "--group", "properties.publisher")
    assert code == 0 and "no item has properties.publisher" in out, err
    assert "recommend" not in srsly.read_json(tmp_path / "metrics.json")


def test_embeddings_that_are_no_numbers_end_the_training() -> None:
    with pytest.raises(ValueError, match=r"no numbers any more after epoch 1|the loss is"):
        training.train(of_films(), Settings(width=4, learn_rate=1e38, max_epochs=3))


def test_a_folder_with_other_things_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/thesis.txt").write_text("mine")
    code, out, err = run("train", FILMS, tmp_path)
    assert (
        code == 1
        and "holds other things" in err
        and "epoch" not in out
        and (tmp_path / "model/thesis.txt").exists()
    )


@pytest.mark.parametrize(
    "value", [10**400, float("nan"), float("inf"), "9" * 400, [[[7]]], True, None, {}, "none"]
)
def test_what_is_no_finite_number_is_none(value: Any) -> None:
    assert number_of(value) is None


@pytest.mark.slow
def test_the_workflow_runs_from_end_to_end(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    weasel(project, "movies", ".", "--vars.movies.max_epochs", "20")
    made = project / "training" / "movies"
    for file in (
        "metrics.json",
        "scores.png",
        "neighbours.jsonl",
        "recommend.json",
        "rate.json",
        "tsne.png",
        "model/model.keras",
    ):
        assert (made / file).stat().st_size > 100, file
    metrics = srsly.read_json(made / "metrics.json")
    assert {"popularity", "svd", "ours"} <= set(metrics["methods"]) and metrics["recommend"][
        "recall"
    ] > 0.6
    assert (
        "Skipping" in weasel(project, "movies-train", ".", "--vars.movies.max_epochs", "20").stdout
    )


@pytest.mark.slow
def test_books_above_popularity_and_at_least_level_with_svd() -> None:
    pairs = of_books(0)
    network, _ = training.train(pairs, Settings())
    some = itertools.islice(
        evaluate.by_svd(pairs.train, 0, (256,)), 6
    )  # the sixth is what dev chose of all on three seeds
    _, svd = evaluate.best_of(some, pairs, "SVD")
    popular, theirs, ours = (
        measure(*ranks(factors, pairs.train, pairs.test))["recall"]
        for factors in (evaluate.popularity(pairs.train), svd, network.factors())
    )
    assert ours > 2 * popular and ours > theirs - 0.01
