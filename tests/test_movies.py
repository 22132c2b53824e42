"""Tests of `movies`: reading, held-out pairs, training, ranking, and the steps on its own films."""

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

from scripts.movies import plot
from scripts.movies.__main__ import app
from scripts.movies.baselines import best_of, by_svd, popularity
from scripts.movies.factors import Factors, measure, ranks
from scripts.movies.folder import Trained, read_trained, write_trained
from scripts.movies.items import Item, number_of, read_items, value_of, values_of, words_of
from scripts.movies.neighbours import nearest, rows_of, split_titles
from scripts.movies.network import Network
from scripts.movies.options import Settings
from scripts.movies.pairs import Pairs, split, to_matrix
from scripts.movies.rate import fit_scores
from scripts.movies.recommend import check_groups, groups_of, recommend_items
from scripts.movies.train import train_embeddings
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
    """The books of shared/data with their links to articles, each once, starting with a capital."""
    path = shared_data() / "books" / "books.ndjson"
    if not path.exists():
        pytest.skip("shared/data/books is not there")
    items: dict[str, Item] = {}
    for line in path.read_text("utf8").splitlines():
        title, _, links, *_ = json.loads(line)
        articles = [link for link in links if not re.match(r"\s*:?[a-zA-Z-]+:\S", link)]
        names = filter(None, (link.split("#")[0].strip() for link in articles))
        own = tuple(dict.fromkeys(name[0].upper() + name[1:] for name in names))
        if own:
            items.setdefault(title, Item(title, own, {}))
    return split(*to_matrix(list(items.values()), 2, Counter()), 0.1, seed)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training folder of a run on the films. Tests change only what their step writes."""
    path = tmp_path_factory.mktemp("movies")
    code, out, err = run("train", FILMS, path)
    assert code == 0, err
    assert "240 items, 889 links" in out
    assert "links left out, on fewer items than min_count: 1360" in out
    return path


@pytest.fixture(scope="session")
def trained(films: Path) -> Trained:
    return read_trained(films / "model")


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
    assert [item.title for item in read_items(path, skipped)] == ["first", "last"]
    assert len(skipped.records) == 1


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
    assert value_of(record, "properties.genre") == ["a", "b"]
    assert value_of(record, "score.x") is None
    assert words_of(["a", 2, None, ""]) == ["a", "2"] and words_of(None) == []


# Pairs


@pytest.mark.parametrize("seed", range(3))
def test_held_out_pairs_leave_each_item_and_link_one_to_train_on(seed: int) -> None:
    pairs = of_films(0.3, seed)
    parts = [part.toarray() for part in (pairs.train, pairs.dev, pairs.test)]
    total = sum(parts)
    assert total.max() == 1
    assert pairs.n_pairs()["dev"] == pairs.n_pairs()["test"] == round(0.3 * total.sum())
    assert parts[0].sum(axis=0).min() >= 1 and parts[0].sum(axis=1).min() >= 1
    again, other = of_films(0.3, seed), of_films(0.3, seed + 1)
    assert (again.test != pairs.test).nnz == 0 and (other.test != pairs.test).nnz > 0


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
    assert counts["links left out, on fewer items than min_count"] == 2
    assert counts["items left out, all their links were"] == 1
    with pytest.raises(ValueError, match="no link is on 3 items or more"):
        to_matrix(items, 3, Counter())
    with pytest.raises(ValueError, match="1 item and 2 link to learn from"):
        to_matrix(items[:1], 1, Counter())
    with pytest.raises(ValueError, match="can be held out, which are too few"):
        split(titles, links, matrix, 0.1, 0)


# Ranking


def rank_by_hand(scores: Any, known: Any, link: int) -> float:
    """The rank of a link by the scores of all links, (n_links,), without other known links."""
    others = [score for other, score in enumerate(scores) if other != link and not known[other]]
    same = sum(abs(score - scores[link]) < 1e-9 for score in others)
    return 1 + sum(score > scores[link] + 1e-9 for score in others) + same / 2


def test_ranks_and_their_means_are_those_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.movies.factors.MAX_SCORES", 30)  # blocks of an item or two
    random = np.random.default_rng(0)
    factors = Factors(*(random.normal(size=size).round(1) for size in ((9, 2), (14, 2), (14,))))
    known, others = (random.random((9, 14)) < share for share in (0.3, 0.2))
    known_pairs = sparse.csr_matrix(known.astype("f4"))
    held_out = sparse.csr_matrix((others & ~known).astype("f4"))
    items, link_ranks = ranks(factors, known_pairs, held_out)
    expected = []
    for item, link in zip(*held_out.nonzero()):
        scores = [float(factors.items[item] @ row) for row in factors.links] + factors.bias
        expected.append(rank_by_hand(scores, known[item], link))
    assert items.tolist() == held_out.nonzero()[0].tolist() and link_ranks.tolist() == expected
    scores = measure(items, link_ranks)
    by_item = [link_ranks[items == item] for item in np.unique(items)]
    assert scores["recall"] == pytest.approx(np.mean([(own <= 10).mean() for own in by_item]))
    assert scores["mrr"] == pytest.approx(np.mean([(1 / own).mean() for own in by_item]))
    assert scores["mrr_interval"][0] < scores["mrr"] < scores["mrr_interval"][1]


def test_a_method_that_tells_nothing_apart_gets_the_middle_rank() -> None:
    held_out = sparse.csr_matrix(np.eye(1, 101, dtype="f4"))
    flat = Factors(np.zeros((1, 1), "f4"), np.zeros((101, 1), "f4"), np.zeros(101, "f4"))
    assert ranks(flat, sparse.csr_matrix((1, 101), dtype="f4"), held_out)[1].tolist() == [51]


def test_svd_of_full_rank_gives_the_pairs_back() -> None:
    train = sparse.csr_matrix((np.random.default_rng(0).random((40, 300)) < 0.1).astype("f4"))
    train = train[:, np.flatnonzero(train.getnnz(axis=0))]
    errors = []
    for setting, factors in by_svd(train, 0):
        is_weighed_back = "weighed back" in setting or "-0.0" in setting
        if is_weighed_back and "rows" not in setting:
            scores = factors.scores(np.arange(40))
            errors.append(np.abs(scores - train.toarray()).mean())
    assert min(errors) < 0.02 < max(errors)


# Training


@pytest.mark.parametrize("max_candidates", [10_000, 50])
def test_no_true_pair_is_a_negative_of_its_item(max_candidates: int) -> None:
    pairs = of_films()
    network = Network(pairs.train, Settings(width=4, max_candidates=max_candidates))
    rows, columns, targets, log_presence = network.batch(np.asarray([3, 200, 17]))
    true = pairs.train.toarray()[rows]
    assert (targets == true[:, columns]).all() and targets.sum() == true.sum()
    n_links = 889 if max_candidates == 10_000 else np.count_nonzero(true.any(axis=0))
    assert len(columns) == n_links
    assert (log_presence <= 0).all() and (log_presence.min() < -0.5) == (max_candidates == 50)


def test_links_of_a_batch_stand_for_all() -> None:
    """Divided by the probability of each to be in a batch, their sum is that of all links."""
    pairs = of_films()
    network = Network(pairs.train, Settings(width=4, batch_size=60, max_candidates=1))
    scores, random, sums = np.linspace(1, 2, 889), np.random.default_rng(0), []
    for _ in range(200):
        _, columns, _, log_presence = network.batch(random.permutation(240)[:60])
        sums.append((scores[columns] / np.exp(log_presence)).sum())
    assert np.mean(sums) == pytest.approx(scores.sum(), rel=0.1)


def test_a_run_that_was_killed_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.movies.checkpoint.SAVE_SECONDS", 0)
    pairs, settings = of_films(), Settings(width=8, max_epochs=5, batch_size=60)
    whole, log = train_embeddings(pairs, settings)

    def kill(line: dict[str, Any]) -> None:
        if line["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_embeddings(pairs, settings, tmp_path / "c.npz", kill)
    seen: list[int] = []
    resumed, same_log = train_embeddings(
        pairs, settings, tmp_path / "c.npz", lambda line: seen.append(line["epoch"])
    )
    assert same_log == log and seen == [4, 5]
    assert resumed.to_bytes(1, 0) == whole.to_bytes(1, 0)


def test_a_checkpoint_of_other_pairs_is_not_resumed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.movies.checkpoint.SAVE_SECONDS", 0)
    seen: list[int] = []

    def train(seed: int) -> None:
        train_embeddings(
            of_films(seed=seed),
            Settings(width=4, max_epochs=1),
            tmp_path / "c.npz",
            lambda line: seen.append(line["epoch"]),
        )

    train(seed=0)
    train(seed=1)
    (tmp_path / "c.npz").write_bytes(b"damaged")
    train(seed=0)
    assert seen == [0, 1] * 3


def probability(trained: Trained, scores: Any) -> Any:
    calibration = trained.facts["calibration"]
    return 1 / (1 + np.exp(-(calibration["slope"] * scores + calibration["offset"])))


def test_the_keras_model_gives_the_probability_of_the_arrays(films: Path, trained: Trained) -> None:
    import keras

    model = keras.saving.load_model(films / "model" / "model.keras", compile=False, safe_mode=True)
    rows, columns = np.asarray([0, 5, 9]), np.asarray([3, 0, 700])
    expected = probability(trained, trained.factors.scores_of(rows, columns))
    assert model.predict([rows, columns], verbose=0).ravel() == pytest.approx(expected, rel=1e-3)
    assert np.linalg.norm(trained.items, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_probability_is_calibrated_on_pairs_that_were_not_trained(
    trained: Trained,
) -> None:
    """Over all pairs that are not in train or dev, its sum is near the number of test pairs."""
    pairs, calibration = trained.pairs, trained.facts["calibration"]
    expected = probability(trained, trained.factors.scores(np.arange(len(pairs.titles))))
    expected[(pairs.train + pairs.dev).nonzero()] = 0
    assert expected.sum() == pytest.approx(pairs.test.nnz, rel=0.3)
    assert calibration["auc"] > 0.75 and calibration["auc_cosine"] > 0.65


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        assert run("train", FILMS, tmp_path / name, "--width", 8, "--max-epochs", 2)[0] == 0
    for file in ("model.keras", "embeddings.npz", "names.json", "train.json"):
        a, b = (tmp_path / name / "model" / file for name in "ab")
        assert a.read_bytes() == b.read_bytes(), file
    assert not (tmp_path / "a" / "checkpoint.npz").exists()


def test_embeddings_rank_held_out_links_above_popularity(trained: Trained) -> None:
    pairs = trained.pairs
    ours, popular = (
        measure(*ranks(factors, pairs.train, pairs.test))["recall"]
        for factors in (trained.factors, popularity(pairs.train))
    )
    assert ours > 1.5 * popular > 0.1


# Steps


def run_without_tensorflow(*steps: list[Any]) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "from scripts.movies.__main__ import app\n"
        "for step in eval(sys.argv[1]): app(step, standalone_mode=False)"
    )
    words = repr([list(map(str, step)) for step in steps])
    command = [sys.executable, "-c", code, words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_no_step_but_train_needs_tensorflow(films: Path) -> None:
    done = run_without_tensorflow(
        ["neighbours", films, "--title", "vertigo"],
        ["recommend", films, "--likes", "Vertigo | psycho"],
        ["rate", FILMS, films, "--score", "properties.runtime"],
    )
    assert done.returncode == 0, done.stderr
    assert "Rear Window" in done.stdout and "both link to" in done.stdout
    assert "no dislikes: 100 random other items take their place" in done.stdout
    assert "Alfred Hitchcock" in done.stdout
    assert "232 items" in done.stdout and srsly.read_json(films / "rate.json")["r2"] > 0.1
    lines = list(srsly.read_jsonl(films / "neighbours.jsonl"))
    assert len(lines) == 240 and all(len(line["neighbours"]) == 10 for line in lines)
    without = run_without_tensorflow(["train", FILMS, films / "new"])
    assert without.returncode == 1
    message = "tensorflow is not installed: pip install -r requirements-keras.txt"
    assert f"Error: {message}" in without.stderr


def test_neighbours_are_those_with_the_highest_cosine(trained: Trained) -> None:
    row = trained.pairs.titles.index("Alien")
    cosines = trained.items @ trained.items[row]
    cosines[row] = -1
    titles, links = trained.pairs.titles, trained.pairs.links
    neighbours = nearest(trained, row, 3)
    expected = [titles[other] for other in np.argsort(-cosines)[:3]]
    assert [neighbour.title for neighbour in neighbours] == expected
    assert neighbours[0].score == pytest.approx(cosines.max(), abs=1e-5)
    pairs = trained.pairs.train.toarray()
    for neighbour in neighbours:
        shared = [links.index(link) for link in neighbour.links]
        assert pairs[row, shared].all() and pairs[titles.index(neighbour.title), shared].all()


def test_titles_in_any_case_and_unknown_ones(trained: Trained) -> None:
    titles = trained.pairs.titles
    rows = rows_of(titles, split_titles("the good, the bad and the ugly | M"))
    assert [titles[row] for row in rows] == ["The Good, the Bad and the Ugly", "M"]
    with pytest.raises(ValueError, match="no item is called 'Vertigoo': did you mean Vertigo"):
        rows_of(titles, ["Vertigoo"])
    with pytest.raises(ValueError, match="no item is called 'xqzw': check the title's spelling"):
        rows_of(titles, ["xqzw"])


def test_likes_and_dislikes(trained: Trained) -> None:
    titles = trained.pairs.titles
    likes = rows_of(titles, ["Yojimbo", "Ran", "Ikiru"])
    dislikes = rows_of(titles, ["Casablanca"])
    recommended = recommend_items(trained, likes, dislikes, 5)
    names = {item.title for item in recommended}
    assert names & {"Seven Samurai", "Rashomon", "Throne of Blood", "The Hidden Fortress"}
    assert not names & {"Yojimbo", "Ran", "Ikiru", "Casablanca"}
    scores = [item.score for item in recommended]
    assert scores == sorted(scores, reverse=True)
    own = trained.pairs.train[titles.index(recommended[0].title)].indices
    reasons = [trained.pairs.links.index(link) for link in recommended[0].links]
    assert reasons and set(reasons) <= set(own)
    with pytest.raises(ValueError, match="Casablanca is both liked and disliked"):
        recommend_items(trained, np.append(likes, dislikes), dislikes, 5)
    with pytest.raises(ValueError, match="nothing is liked"):
        recommend_items(trained, likes[:0], dislikes, 5)
    with pytest.raises(ValueError, match="nothing to recommend"):
        recommend_items(trained, np.arange(240), dislikes[:0], 5)


def test_what_is_left_out_of_a_group_is_found_again(trained: Trained) -> None:
    values = values_of(read_items(FILMS), trained.pairs.titles, "properties.director")
    groups = groups_of(values)
    assert {"Akira Kurosawa", "Alfred Hitchcock"} <= set(groups)
    assert min(map(len, groups.values())) >= 3
    some = {name: groups[name] for name in sorted(groups)[:8]}
    check = check_groups(trained, some)
    assert check["recall"] > 0.6 > 0.2 > max(check["popularity"], check["chance"])


def test_a_score_that_follows_a_direction_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    items, way = random.normal(size=(200, 10)), random.normal(size=10)
    coefficients, scores = fit_scores(items, items @ way + 0.1 * random.normal(size=200))
    assert scores["r2"] > 0.95 and scores["rmse"] < scores["rmse_of_mean"]
    assert coefficients == pytest.approx(way, abs=0.1)
    assert fit_scores(items, random.normal(size=200))[1]["r2"] < 0.1
    with pytest.raises(ValueError, match="29 items have a score, which are too few: 30 are needed"):
        fit_scores(items[:29], items[:29, 0])
    with pytest.raises(ValueError, match="all scores are 7"):
        fit_scores(items, np.full(200, 7.0))


def test_the_plot_colours_frequent_values_and_spreads_its_names() -> None:
    first, coloured = plot.main_values([["a", "b"], "b", None, ["c"], "b", 1999])
    assert (first, coloured) == (["a", "b", "", "c", "b", "1999"], ["b", "1999", "a", "c"])
    first, coloured = plot.main_values([[str(i), "all"] for i in range(20)])
    assert set(first) == {"all", *coloured} and len(coloured) <= plot.MAX_COLOURS
    points = np.random.default_rng(0).normal(size=(500, 2))
    rows = plot.items_to_name(points, np.arange(500)).tolist()
    assert 20 < len(rows) <= plot.GRID**2 and 499 in rows and len(set(rows)) == len(rows)


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
        ([{"links": ["a"]}], ", or set vars.movies.bad_lines to skip-bad"),
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
            "no trained item has 'properties.imdb'",
        ),
        (["rate", str(FILMS), "FOLDER", "--score", "properties.director"], "0 items have a score"),
        (
            ["plot", str(FILMS), "FOLDER", "--colour", "nothing"],
            "no trained item has 'nothing'",
        ),
        (
            ["neighbours", "NOWHERE", "--title", "Alien"],
            "train first (python -m weasel run movies-train)",
        ),
        (
            ["train", "nowhere.jsonl", "NOWHERE"],
            "nowhere.jsonl is not a file: name a JSONL file with titles",
        ),
        (["train", str(FILMS), "NOWHERE", "--share", "0.5"], "vars.movies.share is 0.5"),
    ],
)
def test_bad_input_is_one_line(films: Path, tmp_path: Path, args: list[str], words: str) -> None:
    paths = {"FOLDER": films, "NOWHERE": tmp_path / "nowhere"}
    code, _, err = run(*(paths.get(arg, arg) for arg in args))
    assert code == 1 and err.startswith("Error: ") and words in err and err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_folder_says_what_to_run(films: Path, tmp_path: Path, trained: Trained) -> None:
    for name, content in (
        ("embeddings.npz", b"damaged"),
        ("train.json", b'{"format": 0}'),
        ("names.json", b'{"titles": [], "links": []}'),
    ):
        write_trained(tmp_path / "model", trained.pairs, trained.factors, b"", trained.facts)
        (tmp_path / "model" / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"train again \(python -m weasel run movies-train\)"):
            read_trained(tmp_path / "model")


def test_brackets_in_titles_are_not_markup(tmp_path: Path) -> None:
    lines = []
    for i in range(40):
        links = [f"[{i % 3}/]", f"b{i % 4}", f"c{i % 5}"]
        lines.append({"title": f"[bold]{i}[/b] [/x]", "links": links, "score": i})
    srsly.write_jsonl(tmp_path / "i.jsonl", lines)
    items, folder = tmp_path / "i.jsonl", tmp_path / "f"
    code, out, err = run("train", items, folder, "--max-epochs", "1", "--width", "4")
    assert code == 0, err
    for args in (
        ["neighbours", folder, "--title", "[bold]3[/b] [/x]"],
        ["rate", items, folder],
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


def test_embeddings_that_are_not_numbers_end_the_training() -> None:
    with pytest.raises(ValueError, match=r"not numbers any more after epoch 1|the loss is"):
        train_embeddings(of_films(), Settings(width=4, learn_rate=1e38, max_epochs=3))


def test_a_folder_with_other_things_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/thesis.txt").write_text("mine")
    code, out, err = run("train", FILMS, tmp_path)
    assert code == 1 and "holds other things" in err and "epoch" not in out
    assert (tmp_path / "model/thesis.txt").exists()


@pytest.mark.parametrize(
    "value", [10**400, float("nan"), float("inf"), "9" * 400, [[[7]]], True, None, {}, "none"]
)
def test_what_is_not_a_finite_number_is_none(value: Any) -> None:
    assert number_of(value) is None


@pytest.mark.slow
def test_the_workflow_runs_from_end_to_end(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    weasel(project, "movies", ".", "--vars.movies.max_epochs", "20")
    folder = project / "training" / "movies"
    files = ["metrics.json", "scores.png", "neighbours.jsonl", "recommend.json", "rate.json"]
    for file in (*files, "tsne.png", "model/model.keras"):
        assert (folder / file).stat().st_size > 100, file
    metrics = srsly.read_json(folder / "metrics.json")
    assert {"popularity", "svd", "ours"} <= set(metrics["methods"])
    assert metrics["recommend"]["recall"] > 0.6
    again = weasel(project, "movies-train", ".", "--vars.movies.max_epochs", "20")
    assert "Skipping" in again.stdout


@pytest.mark.slow
def test_books_above_popularity_and_at_least_level_with_svd() -> None:
    pairs = of_books(0)
    network, _ = train_embeddings(pairs, Settings())
    # the sixth setting is what dev chose of all on three seeds
    candidates = itertools.islice(by_svd(pairs.train, 0, (256,)), 6)
    _, svd = best_of(candidates, pairs, "SVD")
    popular, theirs, ours = (
        measure(*ranks(factors, pairs.train, pairs.test))["recall"]
        for factors in (popularity(pairs.train), svd, network.factors())
    )
    assert ours > 2 * popular and ours > theirs - 0.01
