"""The workflow `textgen`: texts, n-grams, the network, samples, activations."""

import ast
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator
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
from scripts.textgen.folder import load
from scripts.textgen.network import Network
from scripts.textgen.ngrams import NGrams
from scripts.textgen.sample import compiles, cut_back, draw, generate
from scripts.textgen.train import Schedule, batches, read_settings
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
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpus and a tiny model of some of the project's own code. Tests look at it and change nothing."""
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("textgen")
    (folder / "tiny.cfg").write_text(TINY)
    done = run_module(
        ROOT, "scripts.textgen", "corpus", str(folder / "corpus"), "--texts", "scripts/ner"
    )
    assert done.returncode == 0, done.stderr
    done = run_module(
        ROOT,
        "scripts.textgen",
        "train",
        str(folder / "tiny.cfg"),
        str(folder / "corpus"),
        str(folder / "training"),
    )
    assert done.returncode == 0, done.stderr
    assert "step 20:" in done.stdout and "on dev" in done.stdout
    return folder


def test_code_without_prose(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CODE, encoding="utf8")
    text = sources.read(tmp_path / "a.py")
    assert compiles(text)
    for gone in ("#", "comment", "Read", "such", "it's", "words", "\n\n\n", "a b"):
        assert gone not in text
    for kept in (
        "import os\n",
        'mode="rb"',
        "'MSG'",
        "b'MSG'",
        "'key'",
        "raise ValueError('MSG')\n",
    ):
        assert kept in text
    assert text.startswith("'MSG'\n") and text.endswith("\n")
    (tmp_path / "a.py").write_text(
        "x = 1\n\f\ny = 2  # b\nz = 'a b'\n", encoding="utf8"
    )  # a form feed ends no line
    assert sources.read(tmp_path / "a.py") == "x = 1\n\ny = 2\nz = 'MSG'\n"


@pytest.mark.parametrize("file", ["json/decoder.py", "tokenize.py", "dataclasses.py", "turtle.py"])
def test_code_of_the_standard_library_still_means_the_same(file: str) -> None:
    """What is left compiles and has the functions and classes of the original."""
    path = next(found for found in sources.files_of("stdlib") if str(found).endswith(f"/{file}"))

    def names(source: str) -> list[str]:
        kinds = ast.FunctionDef | ast.ClassDef
        return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]

    assert names(sources.read(path)) == names(path.read_text("utf8")) != []


def test_the_frame_of_gutenberg_is_taken_away() -> None:
    frame = "The Project Gutenberg eBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nIt was.\n\n{}\nLicence.\n"
    for end in (
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***",
        "End of the Project Gutenberg EBook of X",
    ):
        assert sources.without_frame(frame.format(end)) == "It was.\n"
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
    assert other.decode(other.encode(text)) == "".join(
        character if character in "ab" else UNKNOWN for character in text
    )


def ids_of(text: str) -> tuple[Characters, NDArray[np.int64]]:
    characters = Characters.of(text)
    return characters, characters.encode(text)


@pytest.mark.parametrize("order", [1, 3, 6])
def test_ngram_probabilities_sum_to_one_and_are_what_bits_says(order: int) -> None:
    characters, ids = ids_of(CODE * 3)
    model = NGrams.of(ids[: len(CODE)], len(characters.known), order)
    bits = model.bits(ids)
    for place in (0, 1, 2, 50, 300, len(ids) - 1):
        probabilities = model.probabilities(ids[:place].tolist())
        assert probabilities.sum() == pytest.approx(1) and probabilities.min() > 0
        assert -np.log2(probabilities[ids[place]]) == pytest.approx(bits[place])


def test_longer_ngrams_know_a_text_that_repeats() -> None:
    characters, ids = ids_of("the cat sat on the mat. " * 50)
    bits = {
        order: NGrams.of(ids, len(characters.known), order).bits(ids).mean() for order in (1, 2, 6)
    }
    assert bits[1] > bits[2] > bits[6] and bits[6] < 0.2
    assert generate(
        NGrams.of(ids, len(characters.known), 6), characters, "the c", 6, temperature=0
    ) == ["at sat"]
    with pytest.raises(ValueError, match="shorter than an n-gram of 9"):
        NGrams.of(ids[:5], 20, 9)


def test_the_best_order_is_found() -> None:
    """Each order that is tried gives what a model of that order alone gives, and the best is the last that was worth its cost."""
    characters, ids = ids_of(CODE * 6)
    best, bits = evaluate.best_ngrams(
        ids[: 2 * len(CODE)], ids[2 * len(CODE) :], len(characters.known)
    )
    assert list(bits) == list(range(3, 3 + len(bits))) and list(bits)[-2] == len(best.orders)
    for order, value in bits.items():
        alone = NGrams.of(ids[: 2 * len(CODE)], len(characters.known), order)
        assert alone.bits(ids[2 * len(CODE) :]).mean() == pytest.approx(value)
    values = list(bits.values())
    assert values[-1] > values[-2] - 0.001 and all(
        after < before - 0.001 for before, after in pairwise(values[:-1])
    )


@pytest.mark.parametrize(
    "rest",
    ["\nx = 1\n", "\n\n    def g(self):\n", "\n\n    @property\n", "\n    \n    class A:\n"],
)
def test_where_a_function_ends(rest: str) -> None:
    function = "def f(\n    a,\n):\n    b = 1\n\n    define = 2\n    def h():\n        pass"
    found = re.search(evaluate.OUTSIDE, function + rest)
    assert found and (function + rest)[: found.start()] == function


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 3), st.integers(0, 6), st.floats(0.05, 1))
def test_draws_stay_in_what_top_k_and_top_p_leave(
    seed: int, temperature: float, top_k: int, top_p: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(20, 6))
    probabilities = np.exp(logits / temperature) / np.exp(logits / temperature).sum(
        axis=1, keepdims=True
    )
    drawn = draw(logits, temperature, top_k, top_p, rng)
    for row, i in enumerate(drawn):
        likelier = probabilities[row] > probabilities[row, i]
        assert likelier.sum() < (top_k or 6) and probabilities[row][likelier].sum() < top_p + 1e-9
    assert (draw(logits, 0, top_k, top_p, rng) == logits.argmax(axis=1)).all()


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(np.tile([0.5, 0.3, 0.2, 0.0001], (20_000, 1)))
    counts = np.bincount(draw(logits, 1.0, 0, 1.0, np.random.default_rng(0)), minlength=4) / 20_000
    assert counts == pytest.approx([0.5, 0.3, 0.2, 0], abs=0.015)
    colder = np.bincount(draw(logits, 0.5, 0, 1.0, np.random.default_rng(0)), minlength=4) / 20_000
    assert colder == pytest.approx([0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38, 0], abs=0.015)


def test_what_compiles() -> None:
    assert (
        compiles("x = 1\n")
        and not compiles("x = = 1\n")
        and not compiles("a\0b")
        and compiles("'\\d'\n")
    )
    assert cut_back("def f():\n    return 1\n\ndef g(:\n") == "def f():\n    return 1\n\n"
    assert cut_back("def (") == ""
    assert (
        compiles("    return 1\n")
        and not compiles("return 1\n")
        and not compiles("    return 1\n  x\n")
    )
    assert cut_back("\n    for i in x:\n        y\n  z\n") == "\n    for i in x:\n        y\n"


def test_functions_are_scored() -> None:
    written = ["def f():\n    return 1\n", "def f():\n    return 1\n", "def g(:\n", ""]
    found = evaluate.score_functions(written, "x = 2\ndef f():\n    return 1\n")
    assert (found["functions"], found["ended"], found["compile"], found["share"]) == (4, 3, 2, 0.5)
    assert (found["different"], found["copied"], found["mean_lines"]) == (1, 2, 2.0)


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


@pytest.mark.parametrize(
    ("n", "batch", "chunk"), [(1000, 4, 10), (333, 7, 16), (50, 64, 20), (40, 1, 20)]
)
def test_batches_go_through_the_text_in_streams(n: int, batch: int, chunk: int) -> None:
    found, seen = batches(np.arange(n), schedule(batch, chunk), 0, 0), []
    before = None
    for places, anew in found:
        if anew and before is not None:
            break
        assert places.shape[1] == chunk and places.min() >= 0 and places.max() < n
        assert (
            before is None or (places[:, 0] == before[:, -1] + 1).all()
        )  # the state that is carried is that of the character before
        seen, before = [*seen, *places.ravel()], places
    assert len(set(seen)) == len(seen) >= n - chunk * (batch + 2)
    again = batches(np.arange(n), schedule(batch, chunk), 0, 1)
    first = batches(np.arange(n), schedule(batch, chunk), 0, 0)
    next(first)
    assert (next(again)[0] == next(first)[0]).all()


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


def test_training_leaves_a_model_and_no_checkpoint(made: Path) -> None:
    log = [
        json.loads(line) for line in (made / "training/log.jsonl").read_text("utf8").splitlines()
    ]
    assert [line["step"] for line in log] == [20, 40] and log[1]["dev_bits"] < log[0][
        "dev_bits"
    ] < math.log2(120)
    assert all(len(line["sample"]) == 200 for line in log) and log[1]["learn_rate"] < 1e-6
    assert sorted(path.name for path in (made / "training").iterdir() if path.name[0] != ".") == [
        "curve.png",
        "log.jsonl",
        "model",
    ]


def test_the_network_measures_as_it_generates(made: Path) -> None:
    """Bits over streams of a long text are those that one character after the other gives."""
    saved = load(made / "training/model")
    network = Network(saved.model)
    ids = saved.characters.encode((made / "corpus/dev.txt").read_bytes().decode("utf8"))[:1500]
    states, logits = network.start(ids[:0], 1)
    one_by_one = []
    for i in ids:
        one_by_one.append(-(logits[0, i] - np.logaddexp.reduce(logits[0])) / np.log(2))
        states, logits = network.step(states, np.array([i]))
    assert network.bits(ids[:255]) == pytest.approx(one_by_one[:255], abs=1e-4)
    assert network.bits(ids) == pytest.approx(one_by_one, abs=0.01)  # where a stream begins too
    assert len(network.bits(ids)) == 1500 and (network.bits(ids) > 0).all()


def test_a_stopped_run_goes_on_to_the_same_bytes(made: Path, tmp_path: Path) -> None:
    text = (made / "corpus/train.txt").read_bytes().decode("utf8")[:6000]
    characters = Characters.of(text)
    ids = characters.encode(text)
    shape, plan = read_settings(
        made / "tiny.cfg", {"training.max_steps": 12, "training.eval_frequency": 4}
    )

    def run(left: train.Arrays | None) -> Iterator[train.Trainer]:
        trainer = train.Trainer(len(characters.known), shape, plan, 0)
        if left:
            trainer.restore(left)
        for _ in train.train(ids[:5000], ids[5000:], trainer, plan, 0):
            yield trainer

    whole = [trainer.arrays() for trainer in run(None)]
    folder.write_checkpoint(tmp_path / "c.npz", whole[0], "f", characters)
    left = folder.read_checkpoint(tmp_path / "c.npz", "f", characters)
    resumed = [trainer.arrays() for trainer in run(left)]
    assert len(whole) == 3 and len(resumed) == 2 and not list(run(whole[-1]))
    assert all(np.array_equal(resumed[-1][name], values) for name, values in whole[-1].items())
    for known, fingerprint, words in (
        (Characters.of("abc"), "f", "other characters"),
        (characters, "g", "another text, config or seed"),
    ):
        with pytest.raises(ValueError, match=words):
            folder.read_checkpoint(tmp_path / "c.npz", fingerprint, known)
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:-100])
    with pytest.raises(ValueError, match="checkpoint is damaged"):
        folder.read_checkpoint(tmp_path / "c.npz", "f", characters)
    assert (
        Network(trainer_model := next(run(None)).model).bits(ids[:300]).shape == (300,)
        and trainer_model.name == "textgen"
    )


def test_samples(made: Path, tmp_path: Path) -> None:
    def sampled(*prefixes: str, **more: Any) -> list[str]:
        commands.sample(
            made / "training/model", tmp_path / "s.jsonl", list(prefixes), length=40, n=2, **more
        )
        return [
            json.loads(line)["text"]
            for line in (tmp_path / "s.jsonl").read_text("utf8").splitlines()
        ]

    greedy = sampled("def ", "\\nclass ", temperature=0)
    assert greedy[0] == greedy[1] and greedy[0].startswith("def ") and len(greedy[0]) == 44
    assert len(greedy) == 4 and greedy[3].startswith("\nclass ")
    warm = sampled("import ", temperature=1, stop="e", seed=3)
    assert warm[0] != warm[1] and all("e" not in text for text in warm)
    assert (
        warm
        == sampled("import ", temperature=1, stop="e", seed=3)
        != sampled("import ", temperature=1, stop="e", seed=4)
    )
    assert sampled("x = 1\n(", code="cut") == ["x = 1\n"] * 2 and sampled(
        "x = = ", code="only"
    ) == [] == sampled("x = = ", code="cut")
    commands.sample(
        made / "training/model",
        tmp_path / "s.txt",
        prefixes=ROOT / "assets/textgen/prefixes.jsonl",
        length=5,
        n=1,
    )
    assert (tmp_path / "s.txt").read_text("utf8").count("\n\n") >= 5


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"prefix": ["def 漢"]}, "the prefix has characters that the model never saw: '漢'"),
        ({"output": Path("s.pdf")}, "give a file that ends in .jsonl or .txt"),
        ({"model": Path("nowhere")}, "run textgen-train first"),
    ],
)
def test_samples_that_cant_be(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(SystemExit):
        commands.sample(
            **{"model": made / "training/model", "output": tmp_path / "s.jsonl", **more}
        )
    assert words in capsys.readouterr().err and not (tmp_path / "s.jsonl").exists()


def test_a_model_of_other_characters(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("смотри, как это работает\n" * 30, encoding="utf8")
    commands.corpus(tmp_path, str(tmp_path / "a.txt"))
    with pytest.raises(SystemExit):
        commands.evaluate(made / "training/model", tmp_path, tmp_path)
    assert (
        "characters that the model never saw" in capsys.readouterr().err
        and not (tmp_path / "metrics.json").exists()
    )


def test_a_model_that_is_damaged(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "training/model", tmp_path / "model")
    (tmp_path / "model/model.keras").write_bytes(
        (made / "training/model/model.keras").read_bytes()[:5000]
    )
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "model")
    shutil.copy(made / "training/model/model.keras", tmp_path / "model")
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
    done = CliRunner().invoke(
        commands.app,
        ["train", str(ROOT / "configs/textgen.cfg"), str(tmp_path), str(tmp_path / "training")],
    )
    assert (
        done.exit_code == 1
        and "do not belong together, or are damaged: run textgen-corpus again" in done.stderr
    )


@pytest.mark.parametrize("args", [["--nosection", "3"], ["--training"], ["foo"], ["--model", "3"]])
def test_settings_that_can_not_be_read(tmp_path: Path, args: list[str]) -> None:
    write_corpus(tmp_path, "ababab", "bababa")
    done = CliRunner().invoke(
        commands.app,
        [
            "train",
            str(ROOT / "configs/textgen.cfg"),
            str(tmp_path),
            str(tmp_path / "training"),
            *args,
        ],
    )
    assert (
        done.exit_code == 1
        and done.stderr.startswith("Error: ")
        and done.stderr.count("\n") == 1
        and not done.stdout
    )


def write_corpus(folder: Path, train_text: str, dev: str) -> None:
    characters = Characters.of(train_text + dev).known
    for name, text in (("train", train_text), ("dev", dev)):
        (folder / f"{name}.txt").write_text(text, encoding="utf8")
    told = {"characters": characters, "code": False, "train": len(train_text), "dev": len(dev)}
    (folder / "corpus.json").write_text(json.dumps(told))


def tiny_trainer(
    made: Path, n_characters: int = 4, **settings: float
) -> tuple[train.Trainer, Schedule]:
    given = {
        "model.dropout": 0.0,
        "training.warmup": 0,
        **{f"training.{name}": value for name, value in settings.items()},
    }
    shape, plan = read_settings(made / "tiny.cfg", given)
    return train.Trainer(n_characters, shape, plan, 0), plan


def test_the_state_is_carried_from_step_to_step(made: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (2, 8, 32))
    losses = []
    for anew in (False, True):
        trainer, _ = tiny_trainer(made)
        trainer.update(ids[0], ids[0], True)
        losses.append(trainer.update(ids[1], ids[1], anew))
    assert losses[0] != losses[1]


def test_gradients_are_clipped(made: Path) -> None:
    ids, moved = np.random.default_rng(0).integers(0, 4, (8, 32)), []
    for clip in (1.0, 1e-12):  # far below the epsilon of Adam
        trainer, _ = tiny_trainer(made, clip=clip)
        before = [weights.copy() for weights in trainer.model.get_weights()]
        trainer.update(ids, ids, True)
        moved.append(
            max(
                np.abs(a - b).max()
                for a, b in zip(before, trainer.model.get_weights(), strict=True)
            )
        )
    assert moved[0] > 1e-3 and moved[1] < 1e-5


def test_patience_ends_a_training_and_the_best_is_kept(made: Path, tmp_path: Path) -> None:
    """The more the network learns of the one text, the less it expects the other."""
    text, dev = np.zeros(3000, np.int64), np.ones(300, np.int64)
    trainer, plan = tiny_trainer(made, patience=2, eval_frequency=1, max_steps=30)
    assert [found.best for found in train.train(text, dev, trainer, plan, 0)] == [
        True,
        False,
        False,
    ]
    write_corpus(tmp_path, "a" * 3000 + "b", "b" * 300)
    args = [
        "train",
        str(made / "tiny.cfg"),
        str(tmp_path),
        str(tmp_path / "training"),
        "--training.eval_frequency",
        "10",
    ]
    done = CliRunner().invoke(commands.app, args)
    assert done.exit_code == 0, done.stderr
    log = [
        json.loads(line)
        for line in (tmp_path / "training/log.jsonl").read_text("utf8").splitlines()
    ]
    assert (
        len(log) == 4
        and log[0]["dev_bits"] < log[-1]["dev_bits"]
        and load(tmp_path / "training/model").facts["step"] == 10
    )


def test_a_command_that_was_killed_goes_on_to_the_same_model(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["train", str(made / "tiny.cfg"), str(made / "corpus"), str(tmp_path)]
    write = folder.write_checkpoint

    def killed(*given: Any) -> None:
        write(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_checkpoint", killed)
    assert CliRunner().invoke(commands.app, args).exit_code != 0
    monkeypatch.undo()
    assert (tmp_path / "checkpoint.npz").exists() and not (tmp_path / "model").exists()
    done = CliRunner().invoke(commands.app, args)
    assert done.exit_code == 0 and "goes on after step 20 of 40" in done.stdout

    def told(path: Path) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (path / "log.jsonl").read_text("utf8").splitlines()]
        return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]

    assert told(tmp_path) == told(made / "training")
    assert (tmp_path / "model/model.json").read_bytes() == (
        made / "training/model/model.json"
    ).read_bytes()


def test_properties_of_cut_code() -> None:
    text = "    z)\n  x\nname = 'a'\n    odd = 1\n  line\nf('b')\n"
    known = activations.properties(text, code=True)["inside string"]
    assert [text[i] for i in range(len(text)) if known[i]] == ["'", "a", "'", "'", "b", "'"]


def test_properties_of_code() -> None:
    text = 'def f(a):\n    return ["x y", (1)]\n'
    known = activations.properties(text, code=True)

    def where(name: str) -> str:
        return "".join(
            character for character, value in zip(text, known[name], strict=True) if value
        )

    assert (
        where("keyword") == "defreturn"
        and where("inside string") == '"x y"'
        and where("indentation") == "    "
    )
    assert (
        where("line start") == "d " and where("digit") == "1" and known["bracket depth"].max() == 2
    )
    assert where("bracket depth") == '(a)["x y", (1)]' and known["column"][-1] == len(
        '    return ["x y", (1)]'
    )
    fed = activations.properties("x\f = 'a'\n\f\ny = 'b'\n", code=True)["inside string"]
    assert [i for i, value in enumerate(fed) if value] == [5, 6, 7, 15, 16, 17]
    prose = activations.properties('He said "no" twice.', code=False)
    assert (
        "".join(c for c, v in zip('He said "no" twice.', prose["inside quotes"], strict=True) if v)
        == '"no'
    )


def test_the_unit_that_knows_a_property_is_found() -> None:
    text = "ab (cd) ef [gh] " * 30
    known = activations.properties(text, code=True)
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(len(text), 7)), rng.normal(size=(len(text), 5))
    second[:, 3] = 0.5 - known["bracket depth"] + rng.normal(scale=0.05, size=len(text))
    units = {unit.property: unit for unit in activations.telling_units([first, second], known)}
    assert (units["bracket depth"].layer, units["bracket depth"].unit) == (2, 3)
    assert units["bracket depth"].correlation < -0.95 and abs(units["column"].correlation) < 0.3
    assert "digit" not in units  # there is none in the text
    with pytest.raises(ValueError, match="no unit '3:1': there are 1:0 to 1:6, 2:0 to 2:4"):
        activations.chosen("1:2, 3:1", [first, second])


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
    assert text[activations.passage(text, n)] == shown


def test_activations_are_drawn(made: Path, tmp_path: Path) -> None:
    commands.activations(
        made / "training/model", made / "corpus", tmp_path, length=600, shown=150, top=2
    )
    assert (tmp_path / "activations.png").stat().st_size > 5_000
    page = (tmp_path / "activations.html").read_text("utf8")
    assert page.count("<span") == 300 and page.count("<h3>layer") == 2
    assert {"layer", "unit", "property", "correlation"} == set(
        json.loads((tmp_path / "activations.json").read_text())[0]
    )


@pytest.mark.slow
def test_workflow(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    folder = copy_project(tmp_path)
    (folder / "tiny.cfg").write_text(TINY)
    own = [
        "--vars.textgen.config",
        "tiny.cfg",
        "--vars.textgen.texts",
        "scripts/textgen",
        "--vars.textgen.functions",
        "5",
    ]
    weasel(folder, "textgen", ".", *own, "--vars.textgen.length", "60")
    metrics = json.loads((folder / "training/textgen/metrics.json").read_text())
    assert (
        metrics["dev_bits"] > metrics["ngram_bits"] > 1
        and metrics["code"]
        and metrics["network"]["functions"] == 5
    )
    samples = [
        json.loads(line)["text"]
        for line in (folder / "training/textgen/samples.jsonl").read_text("utf8").splitlines()
    ]
    assert 0 < len(samples) <= 18 and all(
        map(compiles, samples)
    )  # what no cut makes into code is left out
    assert "Skipping 'textgen-train'" in weasel(folder, "textgen", ".", *own).stdout


@pytest.mark.slow
def test_ngrams_on_tinyshakespeare() -> None:
    path = shared_data() / "shakespeare" / "tinyshakespeare.txt"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    characters, ids = ids_of(path.read_text("utf8"))
    border = int(0.9 * len(ids))
    assert NGrams.of(ids[:border], len(characters.known), 8).bits(
        ids[border:]
    ).mean() == pytest.approx(2.17, abs=0.02)
