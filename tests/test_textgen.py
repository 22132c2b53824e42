"""The workflow `textgen`: texts, n-grams, the network, samples, activations."""

import ast
import itertools
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from scripts.textgen import __main__ as commands
from scripts.textgen import activations, evaluate, folder, sources, train
from scripts.textgen.characters import UNKNOWN, Characters, split
from scripts.textgen.drawing import passage
from scripts.textgen.folder import load
from scripts.textgen.network import Network
from scripts.textgen.ngrams import NGrams
from scripts.textgen.properties import properties
from scripts.textgen.sample import compiles, cut_back, draw, generate
from scripts.textgen.settings import Schedule, read_settings
from scripts.textgen.train import batches
from tests.conftest import ROOT, copy_project, run_module, shared_data, weasel

TINY = """
[model]
cell = "gru"
layers = 2
width = 24
embedding = 8
dropout = 0.1

[training]
batch = 8
chunk = 32
learn_rate = 0.01
warmup = 5
max_steps = 40
eval_frequency = 20
patience = 5
clip = 1.0
"""
CODE = '''"""Read things."""
# a comment, é
import os  # another


def read(path, mode="rb"):
    """Read the whole of a file."""
    with open(path, mode) as stream:  # closed at the end
        if not stream: raise ValueError(f"no such {path!r} here")
        return {b"a b": 'key', r"\\d + x": "it's"}["key"]



TEXT = "two" "words and more"
'''


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of some of the project's own code, and a tiny model of it.

    Tests do not change it.
    """
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("textgen")
    (folder / "tiny.cfg").write_text(TINY)
    config, corpus, training = (str(folder / name) for name in ("tiny.cfg", "corpus", "training"))
    done = run_module(ROOT, "scripts.textgen", "corpus", corpus, "--texts", "scripts/textgen")
    assert done.returncode == 0, done.stderr
    done = run_module(ROOT, "scripts.textgen", "train", config, corpus, training)
    assert done.returncode == 0, done.stderr
    assert "step 20:" in done.stdout and "on dev" in done.stdout
    return folder


def test_code_without_prose(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CODE, encoding="utf8")
    text = sources.read(tmp_path / "a.py")
    assert compiles(text)
    for gone in ("#", "comment", "Read", "such", "it's", "words", "\n\n\n", "a b"):
        assert gone not in text
    kept = ["import os\n", 'mode="rb"', "'MSG'", "b'MSG'", "'key'", "raise ValueError('MSG')\n"]
    assert all(part in text for part in kept)
    assert text.startswith("'MSG'\n") and text.endswith("\n")


def test_a_form_feed_does_not_end_a_line_of_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n\f\ny = 2  # b\nz = 'a b'\n", encoding="utf8")
    assert sources.read(tmp_path / "a.py") == "x = 1\n\ny = 2\nz = 'MSG'\n"


@pytest.mark.parametrize("file", ["json/decoder.py", "tokenize.py", "dataclasses.py", "turtle.py"])
def test_code_of_the_standard_library_still_means_the_same(file: str) -> None:
    """What is left has the functions and classes of the original."""
    path = next(path for path in sources.files_of("stdlib") if str(path).endswith(f"/{file}"))

    def names(source: str) -> list[str]:
        kinds = ast.FunctionDef | ast.ClassDef
        return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]

    assert names(sources.read(path)) == names(path.read_text("utf8")) != []


def test_the_frame_of_gutenberg_is_taken_away() -> None:
    begin = "The Project Gutenberg eBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***"
    for end in (
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***",
        "End of the Project Gutenberg EBook of X",
    ):
        book = f"{begin}\n\nIt was.\n\n{end}\nLicence.\n"
        assert sources.without_frame(book) == "It was.\n"
    assert sources.without_frame("No frame.\n") == "No frame.\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.txt", b"", "holds no text"),
        ("latin.txt", b"caf\xe9\n", "latin.txt:1: not UTF-8"),
        ("no.jsonl", b'{"txt": "a"}\n', 'no.jsonl:1: no "text"'),
        ("half.py", b"def f(:\n  '''\n", "half.py: not Python"),
        ("quote.py", b"x = 'abc\n", "quote.py: not Python"),
        ("old.py", b'print "hello world"\n', "old.py: not Python"),
        ("null.py", b"x = 1\0\n", "null.py: not Python"),
        ("half.jsonl", b'{"text": "a\\ud800"}\n', "half.jsonl:1: half of a surrogate pair"),
        ("a.pdf", b"x", "don't know how to read"),
        ("none.txt", None, "does not exist"),
    ],
)
def test_texts_that_cant_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SystemExit):
        commands.corpus(tmp_path / "corpus", str(tmp_path / name))
    assert words in capsys.readouterr().err
    assert not (tmp_path / "corpus").exists()


def test_split_by_text_or_at_the_end() -> None:
    assert split(["a" * 90 + "b" * 10], 0.1, 0) == ("a" * 90, "b" * 10)
    texts = [f"text {i} " * 5 for i in range(40)]
    train, dev = split([*texts, texts[3]], 0.2, 0)
    assert sorted([*train.split("\n"), *dev.split("\n")]) == sorted(texts)
    assert 0.18 < len(dev) / len(train + dev) < 0.25 and split(texts, 0.2, 1) != (train, dev)


@settings(max_examples=200)
@given(st.lists(st.integers(30, 3000), min_size=2, max_size=8), st.integers(0, 5))
def test_the_share_of_dev_with_few_texts(lengths: list[int], seed: int) -> None:
    texts = [chr(ord("a") + i) * length for i, length in enumerate(lengths)]
    train, dev = split(texts, 0.1, seed)
    assert 0.04 < len(dev) / len(train + dev) < 0.22
    assert Counter(train + dev) - Counter("\n" * 20) == Counter("".join(texts))


@given(st.text(max_size=50))
def test_characters_go_and_come_back(text: str) -> None:
    characters = Characters.of(text)
    assert characters.decode(characters.encode(text)) == text
    other = Characters.of("ab")
    expected = [character if character in "ab" else UNKNOWN for character in text]
    assert other.decode(other.encode(text)) == "".join(expected)


def ids_of(text: str) -> tuple[Characters, NDArray[np.int64]]:
    characters = Characters.of(text)
    return characters, characters.encode(text)


@pytest.mark.parametrize("order", [1, 3, 6])
def test_ngram_probabilities_sum_to_one_and_are_what_bits_says(order: int) -> None:
    characters, ids = ids_of(CODE * 3)
    model = NGrams.of(ids[: len(CODE)], len(characters.alphabet), order)
    bits = model.bits(ids)
    for place in (0, 1, 2, 50, 300, len(ids) - 1):
        probabilities = model.probabilities(ids[:place].tolist())
        assert probabilities.sum() == pytest.approx(1) and probabilities.min() > 0
        assert -np.log2(probabilities[ids[place]]) == pytest.approx(bits[place])


def test_longer_ngrams_know_a_text_that_repeats() -> None:
    characters, ids = ids_of("the cat sat on the mat. " * 50)
    models = {order: NGrams.of(ids, len(characters.alphabet), order) for order in (1, 2, 6)}
    bits = {order: model.bits(ids).mean() for order, model in models.items()}
    assert bits[1] > bits[2] > bits[6] and bits[6] < 0.2
    assert generate(models[6], characters, "the c", 6, temperature=0) == ["at sat"]
    with pytest.raises(ValueError, match="shorter than an n-gram of 9"):
        NGrams.of(ids[:5], 20, 9)


def test_the_best_order_is_found() -> None:
    """The bits of each order are those of a model of that order alone.

    The best order is the last one that saved enough.
    """
    characters, ids = ids_of(CODE * 6)
    train, dev = ids[: 2 * len(CODE)], ids[2 * len(CODE) :]
    best, bits = evaluate.best_ngrams(train, dev, len(characters.alphabet))
    assert list(bits) == list(range(3, 3 + len(bits))) and list(bits)[-2] == len(best.orders)
    for order, value in bits.items():
        alone = NGrams.of(train, len(characters.alphabet), order)
        assert alone.bits(dev).mean() == pytest.approx(value)
    values = list(bits.values())
    assert values[-1] > values[-2] - 0.001
    assert all(after < before - 0.001 for before, after in pairwise(values[:-1]))


@pytest.mark.parametrize(
    "rest",
    ["\nx = 1\n", "\n\n    def g(self):\n", "\n\n    @property\n", "\n    \n    class A:\n"],
)
def test_where_a_function_ends(rest: str) -> None:
    function = "def f(\n    a,\n):\n    b = 1\n\n    define = 2\n    def h():\n        pass"
    match = re.search(evaluate.FUNCTION_END, function + rest)
    assert match and (function + rest)[: match.start()] == function


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 3), st.integers(0, 6), st.floats(0.05, 1))
def test_draws_stay_in_what_top_k_and_top_p_leave(
    seed: int, temperature: float, top_k: int, top_p: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(20, 6))
    weights = np.exp(logits / temperature)
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    drawn = draw(logits, temperature, top_k, top_p, rng)
    for row, i in enumerate(drawn):
        more_likely = probabilities[row] > probabilities[row, i]
        assert more_likely.sum() < (top_k or 6)
        assert probabilities[row][more_likely].sum() < top_p + 1e-9
    assert (draw(logits, 0, top_k, top_p, rng) == logits.argmax(axis=1)).all()


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(np.tile([0.5, 0.3, 0.2, 0.0001], (20_000, 1)))
    counts = np.bincount(draw(logits, 1.0, 0, 1.0, np.random.default_rng(0)), minlength=4) / 20_000
    assert counts == pytest.approx([0.5, 0.3, 0.2, 0], abs=0.015)
    colder = np.bincount(draw(logits, 0.5, 0, 1.0, np.random.default_rng(0)), minlength=4) / 20_000
    assert colder == pytest.approx([0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38, 0], abs=0.015)


@pytest.mark.parametrize("code", ["x = 1\n", "'\\d'\n", "    return 1\n"])
def test_code_that_compiles(code: str) -> None:
    assert compiles(code)


@pytest.mark.parametrize("code", ["x = = 1\n", "a\0b", "return 1\n", "    return 1\n  x\n"])
def test_code_that_does_not_compile(code: str) -> None:
    assert not compiles(code)


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("def f():\n    return 1\n\ndef g(:\n", "def f():\n    return 1\n\n"),
        ("def (", ""),
        ("\n    for i in x:\n        y\n  z\n", "\n    for i in x:\n        y\n"),
    ],
)
def test_code_is_cut_back_until_it_compiles(code: str, kept: str) -> None:
    assert cut_back(code) == kept


def test_functions_are_scored() -> None:
    written = ["def f():\n    return 1\n", "def f():\n    return 1\n", "def g(:\n", ""]
    scores = evaluate.score_functions(written, "x = 2\ndef f():\n    return 1\n")
    assert scores == {
        "functions": 4,
        "ended": 3,
        "compile": 2,
        "share": 0.5,
        "mean_lines": 2.0,
        "different": 1,
        "copied": 2,
    }


def schedule(batch: int, chunk: int) -> Schedule:
    return Schedule(
        batch=batch,
        chunk=chunk,
        learn_rate=0.1,
        warmup=0,
        max_steps=1,
        eval_frequency=1,
        patience=0,
        clip=1,
    )


SIZES = [(1000, 4, 10), (333, 7, 16), (50, 64, 20), (40, 1, 20)]


@pytest.mark.parametrize(("n", "batch", "chunk"), SIZES)
def test_batches_go_through_the_text_in_streams(n: int, batch: int, chunk: int) -> None:
    """Each chunk of a stream begins where the last one ended: its state is that of the text."""
    seen: list[int] = []
    before = None
    for places, anew in batches(np.arange(n), schedule(batch, chunk), 0, 0):
        if anew and before is not None:
            break
        assert places.shape[1] == chunk and places.min() >= 0 and places.max() < n
        assert before is None or (places[:, 0] == before[:, -1] + 1).all()
        seen += places.ravel().tolist()
        before = places
    assert len(set(seen)) == len(seen) >= n - chunk * (batch + 2)


@pytest.mark.parametrize(("n", "batch", "chunk"), SIZES)
def test_batches_can_begin_at_any_step(n: int, batch: int, chunk: int) -> None:
    all_batches = batches(np.arange(n), schedule(batch, chunk), 0, 0)
    next(all_batches)
    later = batches(np.arange(n), schedule(batch, chunk), 0, 1)
    assert (next(later)[0] == next(all_batches)[0]).all()


def test_a_text_that_is_too_short() -> None:
    with pytest.raises(ValueError, match="39 characters and is shorter than two chunks of 20"):
        next(batches(np.arange(39), schedule(1, 20), 0, 0))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"model.cell": "rnn"}, "model.cell"),
        ({"training.learn_rate": 0}, "training.learn_rate"),
        ({"model.widht": 3}, "model.widht"),
        ({"model.dropout": 1.0}, "model.dropout"),
    ],
)
def test_settings_that_are_wrong(setting: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_settings(ROOT / "configs" / "textgen.cfg", setting)


def read_log(folder: Path) -> list[dict[str, Any]]:
    return read_jsonl(folder / "log.jsonl")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def test_training_leaves_a_model_and_no_checkpoint(trained: Path) -> None:
    log = read_log(trained / "training")
    assert [line["step"] for line in log] == [20, 40]
    assert log[1]["dev_bits"] < log[0]["dev_bits"] < math.log2(120)
    assert all(len(line["sample"]) == 200 for line in log) and log[1]["learn_rate"] < 1e-6
    names = sorted(path.name for path in (trained / "training").iterdir() if path.name[0] != ".")
    assert names == ["curve.png", "log.jsonl", "model"]


def test_the_network_measures_as_it_generates(trained: Path) -> None:
    """Bits over streams of a long text are those that one character after the other gives."""
    saved = load(trained / "training/model")
    network = Network(saved.model)
    ids = saved.characters.encode((trained / "corpus/dev.txt").read_bytes().decode("utf8"))[:1500]
    states, logits = network.start(ids[:0], 1)
    one_by_one = []
    for i in ids:
        one_by_one.append(-(logits[0, i] - np.logaddexp.reduce(logits[0])) / np.log(2))
        states, logits = network.step(states, np.array([i]))
    assert network.bits(ids[:255]) == pytest.approx(one_by_one[:255], abs=1e-4)
    assert network.bits(ids) == pytest.approx(one_by_one, abs=0.01)  # where a stream begins too
    assert len(network.bits(ids)) == 1500 and (network.bits(ids) > 0).all()


def test_a_stopped_run_continues_to_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    text = (trained / "corpus/train.txt").read_bytes().decode("utf8")[:6000]
    characters = Characters.of(text)
    ids = characters.encode(text)
    shape, plan = read_settings(
        trained / "tiny.cfg", {"training.max_steps": 12, "training.eval_frequency": 4}
    )

    def run(arrays: train.Arrays | None) -> Iterator[train.Trainer]:
        trainer = train.Trainer(len(characters.alphabet), shape, plan, 0)
        if arrays:
            trainer.restore(arrays)
        for _ in train.train(ids[:5000], ids[5000:], trainer, plan, 0):
            yield trainer

    whole = [trainer.arrays() for trainer in run(None)]
    folder.write_checkpoint(tmp_path / "c.npz", whole[0], "f", characters)
    checkpoint = folder.read_checkpoint(tmp_path / "c.npz", "f", characters)
    resumed = [trainer.arrays() for trainer in run(checkpoint)]
    assert len(whole) == 3 and len(resumed) == 2 and not list(run(whole[-1]))
    assert all(np.array_equal(resumed[-1][name], values) for name, values in whole[-1].items())
    model = next(run(None)).model
    assert model.name == "textgen" and Network(model).bits(ids[:300]).shape == (300,)


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    characters, path = Characters.of("abcd"), tmp_path / "c.npz"
    folder.write_checkpoint(path, {"step": np.arange(100)}, "f", characters)
    for alphabet, fingerprint, words in (
        ("abc", "f", "other characters"),
        ("abcd", "g", "another text, config or seed"),
    ):
        with pytest.raises(ValueError, match=words):
            folder.read_checkpoint(path, fingerprint, Characters.of(alphabet))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="checkpoint is damaged"):
        folder.read_checkpoint(path, "f", characters)


@pytest.fixture
def sampled(trained: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Two texts of 40 characters for each prefix."""

    def sample(*prefixes: str, **options: Any) -> list[str]:
        output = tmp_path / "s.jsonl"
        model = trained / "training/model"
        commands.sample(model, output, list(prefixes), length=40, n=2, **options)
        return [line["text"] for line in read_jsonl(output)]

    return sample


def test_samples_begin_with_their_prefix(sampled: Callable[..., list[str]]) -> None:
    greedy = sampled("def ", "\\nclass ", temperature=0)
    assert greedy[0] == greedy[1] and greedy[0].startswith("def ") and len(greedy[0]) == 44
    assert len(greedy) == 4 and greedy[3].startswith("\nclass ")


def test_samples_depend_on_the_seed(sampled: Callable[..., list[str]]) -> None:
    texts = sampled("import ", temperature=1, stop="e", seed=3)
    assert texts[0] != texts[1] and all("e" not in text for text in texts)
    assert texts == sampled("import ", temperature=1, stop="e", seed=3)
    assert texts != sampled("import ", temperature=1, stop="e", seed=4)


def test_samples_of_code(sampled: Callable[..., list[str]]) -> None:
    assert sampled("x = 1\n(", code="cut") == ["x = 1\n"] * 2
    assert sampled("x = = ", code="only") == [] == sampled("x = = ", code="cut")


def test_samples_as_text(trained: Path, tmp_path: Path) -> None:
    prefixes, output = ROOT / "assets/textgen/prefixes.jsonl", tmp_path / "s.txt"
    commands.sample(trained / "training/model", output, prefixes=prefixes, length=5, n=1)
    assert output.read_text("utf8").count("\n\n") >= 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prefix": ["def 漢"]}, "the prefix has characters that the model never saw: '漢'"),
        ({"output": Path("s.pdf")}, "give a file that ends in .jsonl or .txt"),
        ({"model": Path("nowhere")}, "run textgen-train first"),
    ],
)
def test_samples_that_cant_be(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, Any],
    words: str,
) -> None:
    arguments = {"model": trained / "training/model", "output": tmp_path / "s.jsonl"}
    with pytest.raises(SystemExit):
        commands.sample(**arguments | options)
    assert words in capsys.readouterr().err and not (tmp_path / "s.jsonl").exists()


def test_a_model_of_other_characters(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("смотри, как это работает\n" * 30, encoding="utf8")
    commands.corpus(tmp_path, str(tmp_path / "a.txt"))
    with pytest.raises(SystemExit):
        commands.evaluate(trained / "training/model", tmp_path, tmp_path)
    assert "characters that the model never saw" in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


def test_a_model_that_is_damaged(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "training/model", tmp_path / "model")
    (tmp_path / "model/model.keras").write_bytes(
        (trained / "training/model/model.keras").read_bytes()[:5000]
    )
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "model")
    shutil.copy(trained / "training/model/model.keras", tmp_path / "model")
    for facts, words in (
        ('{"characters": "abc", "step": 1}', "do not belong together"),
        ("[]", "model.json is damaged"),
        ('{"characters": "abc"}', "model.json is damaged"),
        ("", "model.json is damaged"),
    ):
        (tmp_path / "model/model.json").write_text(facts)
        with pytest.raises(ValueError, match=words):
            load(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.json", ""),
        ("corpus.json", "[]"),
        ("corpus.json", '{"characters": 3, "code": true, "train": 6, "dev": 6}'),
        ("corpus.json", '{"characters": "ba\ufffd", "code": true, "train": 6, "dev": 6}'),
        ("train.txt", "aaa"),
        ("train.txt", "abcabc"),
        ("dev.txt", ""),
    ],
)
def test_a_corpus_that_does_not_belong_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    write_corpus(tmp_path, "ababab", "bababa")
    (tmp_path / name).write_text(content, encoding="utf8")
    with pytest.raises(SystemExit):
        commands.evaluate(tmp_path / "model", tmp_path, tmp_path)
    assert "run textgen-train first" in capsys.readouterr().err
    done = run_train(ROOT / "configs/textgen.cfg", tmp_path, tmp_path / "training")
    words = "do not belong together, or are damaged: run textgen-corpus again"
    assert done.exit_code == 1 and words in done.stderr


@pytest.mark.parametrize("args", [["--nosection", "3"], ["--training"], ["foo"], ["--model", "3"]])
def test_settings_that_can_not_be_read(tmp_path: Path, args: list[str]) -> None:
    write_corpus(tmp_path, "ababab", "bababa")
    done = run_train(ROOT / "configs/textgen.cfg", tmp_path, tmp_path / "training", *args)
    assert done.exit_code == 1 and done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1 and not done.stdout


def run_train(*args: Any) -> Any:
    return CliRunner().invoke(commands.app, ["train", *map(str, args)])


def write_corpus(folder: Path, train_text: str, dev: str) -> None:
    characters = Characters.of(train_text + dev).alphabet
    for name, text in (("train", train_text), ("dev", dev)):
        (folder / f"{name}.txt").write_text(text, encoding="utf8")
    facts = {"characters": characters, "code": False, "train": len(train_text), "dev": len(dev)}
    (folder / "corpus.json").write_text(json.dumps(facts))


def tiny_trainer(
    trained: Path, n_characters: int = 4, **settings: float
) -> tuple[train.Trainer, Schedule]:
    overrides = {f"training.{name}": value for name, value in settings.items()}
    overrides |= {"model.dropout": 0.0, "training.warmup": 0}
    shape, plan = read_settings(trained / "tiny.cfg", overrides)
    return train.Trainer(n_characters, shape, plan, 0), plan


def test_the_state_is_carried_from_step_to_step(trained: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (2, 8, 32))
    losses = []
    for anew in (False, True):
        trainer, _ = tiny_trainer(trained)
        trainer.update(ids[0], ids[0], True)
        losses.append(trainer.update(ids[1], ids[1], anew))
    assert losses[0] != losses[1]


def largest_change(trainer: train.Trainer, ids: NDArray[np.int64]) -> float:
    """The largest change of a weight by one step."""
    before = [weights.copy() for weights in trainer.model.get_weights()]
    trainer.update(ids, ids, True)
    after = trainer.model.get_weights()
    return max(np.abs(new - old).max() for old, new in zip(before, after, strict=True))


def test_gradients_are_clipped(trained: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (8, 32))
    assert largest_change(tiny_trainer(trained, clip=1.0)[0], ids) > 1e-3
    far_below_the_epsilon_of_adam = 1e-12
    clipped, _ = tiny_trainer(trained, clip=far_below_the_epsilon_of_adam)
    assert largest_change(clipped, ids) < 1e-5


def test_patience_ends_a_training(trained: Path) -> None:
    """The more the network learns of one text, the less it expects the other."""
    text, dev = np.zeros(3000, np.int64), np.ones(300, np.int64)
    trainer, plan = tiny_trainer(trained, patience=2, eval_frequency=1, max_steps=30)
    evaluations = train.train(text, dev, trainer, plan, 0)
    assert [evaluation.best for evaluation in evaluations] == [True, False, False]


def test_the_best_model_is_kept(trained: Path, tmp_path: Path) -> None:
    write_corpus(tmp_path, "a" * 3000 + "b", "b" * 300)
    training = tmp_path / "training"
    options = ["--training.eval_frequency", "10"]
    done = run_train(trained / "tiny.cfg", tmp_path, training, *options)
    assert done.exit_code == 0, done.stderr
    log = read_log(training)
    assert len(log) == 4 and log[0]["dev_bits"] < log[-1]["dev_bits"]
    assert load(training / "model").facts["step"] == 10


def test_a_command_that_was_killed_continues_to_the_same_model(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = [trained / "tiny.cfg", trained / "corpus", tmp_path]
    write = folder.write_checkpoint

    def write_and_die(*args: Any) -> None:
        write(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_checkpoint", write_and_die)
    assert run_train(*args).exit_code != 0
    monkeypatch.undo()
    assert (tmp_path / "checkpoint.npz").exists() and not (tmp_path / "model").exists()
    done = run_train(*args)
    assert done.exit_code == 0 and "continues after step 20 of 40" in done.stdout
    logs = [read_log(path) for path in (tmp_path, trained / "training")]
    for line in itertools.chain(*logs):
        del line["seconds"]
    assert logs[0] == logs[1]
    models = [path / "model/model.json" for path in (tmp_path, trained / "training")]
    assert models[0].read_bytes() == models[1].read_bytes()


def characters_with(text: str, values: NDArray[np.float64]) -> str:
    """The characters of a text for which a property holds."""
    pairs = zip(text, values, strict=True)
    return "".join(character for character, value in pairs if value)


def test_properties_of_cut_code() -> None:
    text = "    z)\n  x\nname = 'a'\n    odd = 1\n  line\nf('b')\n"
    values = properties(text, code=True)["inside string"]
    assert characters_with(text, values) == "'a''b'"


def test_properties_of_code() -> None:
    text = 'def f(a):\n    return ["x y", (1)]\n'
    values = properties(text, code=True)
    for name, expected in {
        "keyword": "defreturn",
        "inside string": '"x y"',
        "indentation": "    ",
        "line start": "d ",
        "digit": "1",
        "bracket depth": '(a)["x y", (1)]',
    }.items():
        assert characters_with(text, values[name]) == expected
    assert values["bracket depth"].max() == 2
    assert values["column"][-1] == len('    return ["x y", (1)]')


def test_properties_of_code_with_form_feeds() -> None:
    values = properties("x\f = 'a'\n\f\ny = 'b'\n", code=True)["inside string"]
    assert np.flatnonzero(values).tolist() == [5, 6, 7, 15, 16, 17]


def test_properties_of_prose() -> None:
    text = 'He said "no" twice.'
    values = properties(text, code=False)["inside quotes"]
    assert characters_with(text, values) == '"no'


def test_the_unit_that_knows_a_property_is_found() -> None:
    text = "ab (cd) ef [gh] " * 30
    values = properties(text, code=True)
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(len(text), 7)), rng.normal(size=(len(text), 5))
    second[:, 3] = 0.5 - values["bracket depth"] + rng.normal(scale=0.05, size=len(text))
    ranked = activations.units_of_properties([first, second], values)
    units = {unit.property: unit for unit in ranked}
    assert (units["bracket depth"].layer, units["bracket depth"].unit) == (2, 3)
    assert units["bracket depth"].correlation < -0.95 and abs(units["column"].correlation) < 0.3
    assert "digit" not in units  # there is none in the text
    with pytest.raises(ValueError, match="no unit '3:1': there are 1:0 to 1:6, 2:0 to 2:4"):
        activations.parse_units("1:2, 3:1", [first, second])


@pytest.mark.parametrize(
    ("text", "n", "shown"),
    [
        ("ab\n\ncd\n\nefg", 3, "efg"),
        ("ab\n\ncd\n\nefg", 4, "d\n\ne"),
        ("abcdef", 2, "de"),
        ("abc", 9, "abc"),
        ("abcd\n\n", 2, "d\n"),
    ],
)
def test_the_passage_that_is_drawn(text: str, n: int, shown: str) -> None:
    assert text[passage(text, n)] == shown


def test_activations_are_drawn(trained: Path, tmp_path: Path) -> None:
    model, corpus = trained / "training/model", trained / "corpus"
    commands.activations(model, corpus, tmp_path, length=600, shown=150, top=2)
    assert (tmp_path / "activations.png").stat().st_size > 5_000
    page = (tmp_path / "activations.html").read_text("utf8")
    assert page.count("<span") == 300 and page.count("<h3>layer") == 2
    units = json.loads((tmp_path / "activations.json").read_text())
    assert set(units[0]) == {"layer", "unit", "property", "correlation"}


@pytest.mark.slow
def test_workflow(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    folder = copy_project(tmp_path)
    (folder / "tiny.cfg").write_text(TINY)
    own = ["--vars.textgen.config", "tiny.cfg", "--vars.textgen.texts", "scripts/textgen"]
    own += ["--vars.textgen.functions", "5"]
    weasel(folder, "textgen", ".", *own, "--vars.textgen.length", "60")
    metrics = json.loads((folder / "training/textgen/metrics.json").read_text())
    assert metrics["dev_bits"] > metrics["ngram_bits"] > 1
    assert metrics["code"] and metrics["network"]["functions"] == 5
    samples = [line["text"] for line in read_jsonl(folder / "training/textgen/samples.jsonl")]
    # Samples that no cut turns into code are left out.
    assert 0 < len(samples) <= 18 and all(map(compiles, samples))
    assert "Skipping 'textgen-train'" in weasel(folder, "textgen", ".", *own).stdout


@pytest.mark.slow
def test_ngrams_on_tinyshakespeare() -> None:
    path = shared_data() / "shakespeare" / "tinyshakespeare.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    characters, ids = ids_of(path.read_text("utf8"))
    border = int(0.9 * len(ids))
    model = NGrams.of(ids[:border], len(characters.alphabet), 8)
    assert model.bits(ids[border:]).mean() == pytest.approx(2.17, abs=0.02)
