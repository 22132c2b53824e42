"""Every format becomes the folder that spaCy itself would make of it; damage is one line."""

import gzip
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy
import srsly
from gensim.models import FastText, KeyedVectors

from scripts.vectors import folder
from scripts.vectors.convert import convert_file
from scripts.vectors.folder import write_folder
from tests.conftest import run_module, shared_data

WORDS = ["the", "of", "phone", "Phone", "New_York", "café", "naïve", "🙂", "42", "x"] + [
    f"word{i}" for i in range(190)
]
WIDTH = 20


@pytest.fixture(scope="module")
def known() -> KeyedVectors:
    """200 words and vectors, three of which are equal."""
    rows = np.random.default_rng(0).standard_normal((len(WORDS), WIDTH)).astype("f4").round(4)
    rows[[50, 120]] = rows[7]
    vectors = KeyedVectors(WIDTH)
    vectors.add_vectors(WORDS, rows)
    return vectors


def write(known: KeyedVectors, path: Path) -> Path:
    """The vectors in the format that the path's suffixes name."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if path.suffix == ".kv":
        known.save(str(path))
    elif path.suffix == ".zip":
        known.save_word2vec_format(str(path.with_suffix(".txt")), write_header=False)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("small.txt", "a 1 2\n")
            archive.write(path.with_suffix(".txt"), "large.txt")
    else:
        known.save_word2vec_format(
            str(plain), binary=plain.suffix == ".bin", write_header="glove" not in path.name
        )
        if plain.suffix == ".vec":  # fastText ends each line with a space
            plain.write_bytes(plain.read_bytes().replace(b"\n", b" \n"))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


@pytest.mark.parametrize(
    "name", ["v.bin", "v.bin.gz", "v.txt", "v.txt.gz", "glove.txt", "glove.zip", "v.vec", "v.kv"]
)
def test_each_format_gives_the_same_folder(known: KeyedVectors, tmp_path: Path, name: str) -> None:
    summary = convert_file(write(known, tmp_path / name), tmp_path / "out")
    vectors = spacy.load(tmp_path / "out").vocab.vectors
    assert (summary.words, summary.rows, summary.width) == (
        200,
        200,
        WIDTH,
    ) and not summary.left_out
    assert [vectors.strings[key] for key in vectors.key2row] == WORDS
    assert np.array_equal(vectors.data, known.vectors)


def test_large_kv_with_its_table_in_another_file(known: KeyedVectors, tmp_path: Path) -> None:
    known.save(str(tmp_path / "v.kv"), separately=["vectors"])
    assert (tmp_path / "v.kv.vectors.npy").exists()
    convert_file(tmp_path / "v.kv", tmp_path / "out")
    assert np.array_equal(spacy.load(tmp_path / "out").vocab.vectors.data, known.vectors)


def test_equals_spacys_own_conversion(tmp_path: Path) -> None:
    """Without equal rows: those make spaCy sort the table by value."""
    rng = np.random.default_rng(1)
    vectors = KeyedVectors(WIDTH)
    vectors.add_vectors(WORDS, rng.standard_normal((len(WORDS), WIDTH)).astype("f4"))
    vectors.save_word2vec_format(str(tmp_path / "v.txt"))
    convert_file(tmp_path / "v.txt", tmp_path / "ours", prune=50)
    convert_file(tmp_path / "v.txt", tmp_path / "whole")
    for options, name in (((), "whole"), (("--prune", "50"), "ours")):
        command = [
            sys.executable,
            "-m",
            "spacy",
            "init",
            "vectors",
            "en",
            "v.txt",
            "spacys",
            *options,
        ]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        ours, spacys = spacy.load(tmp_path / name), spacy.load(tmp_path / "spacys")
        assert ours.vocab.vectors.key2row == spacys.vocab.vectors.key2row
        assert np.array_equal(ours.vocab.vectors.data, spacys.vocab.vectors.data)
        assert set(WORDS) <= set(ours.vocab.strings) <= set(spacys.vocab.strings)
        assert ours("phone New_York")[0].similarity(ours("café")[0]) == spacys("phone")[
            0
        ].similarity(spacys("café")[0])
        assert {**ours.meta["vectors"], "name": ""} == {**spacys.meta["vectors"], "name": ""}


def test_prune_keeps_the_most_frequent_if_rows_are_equal(
    known: KeyedVectors, tmp_path: Path
) -> None:
    summary = convert_file(write(known, tmp_path / "v.bin"), tmp_path / "out", prune=100)
    vectors = spacy.load(tmp_path / "out").vocab.vectors
    assert (summary.words, summary.rows) == (200, 100)
    assert [vectors.strings[key] for key, row in vectors.key2row.items()][:100] == WORDS[:100]
    assert vectors.key2row[vectors.strings["word110"]] == 7  # WORDS[120] has the vector of WORDS[7]


def test_limit_keeps_the_first(known: KeyedVectors, tmp_path: Path) -> None:
    convert_file(write(known, tmp_path / "v.bin"), tmp_path / "out", limit=30, prune=10)
    vectors = spacy.load(tmp_path / "out").vocab.vectors
    assert vectors.n_keys == 30 and vectors.shape == (10, WIDTH)


def test_lower_survives_a_reload(known: KeyedVectors, tmp_path: Path) -> None:
    summary = convert_file(write(known, tmp_path / "v.bin"), tmp_path / "out", attr="LOWER")
    nlp = spacy.load(tmp_path / "out")
    assert summary.left_out == {"word came before": 1}  # Phone
    assert np.array_equal(nlp("PHONE")[0].vector, known["phone"]) and np.array_equal(
        nlp("new_york")[0].vector, known["New_York"]
    )


def test_unusable_words_are_counted_and_left_out(tmp_path: Path) -> None:
    lines = [
        b"the 1 2",
        b"\xff\xfe 1 2",
        b"nothing nan 2",
        b"far inf 2",
        b"the 3 4",
        b"New York 5 6",
        b"of 7 8",
    ]
    (tmp_path / "glove.txt").write_bytes(b"\n".join(lines) + b"\n")
    summary = convert_file(tmp_path / "glove.txt", tmp_path / "out")
    assert summary.left_out == {
        "word is not UTF-8": 1,
        "vector has NaN or infinity": 2,
        "word came before": 1,
    }
    assert summary.with_spaces == 1 and "1 words have spaces" in summary.describe(tmp_path)
    vectors = spacy.load(tmp_path / "out").vocab.vectors
    assert [vectors.strings[key] for key in vectors.key2row] == ["the", "New York", "of"]
    assert vectors.data.tolist() == [[1, 2], [5, 6], [7, 8]]


def cut(data: bytes) -> bytes:
    return data[:-30]


DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("v.bin", cut, "ends early or is damaged (its header promises 200 rows, 199 are there)"),
    (
        "v.bin",
        lambda data: data.replace(b"200 20", b"900000000 20", 1),
        "its header promises 900,000,000 rows of width 20",
    ),
    (
        "v.bin.gz",
        lambda data: gzip.compress(gzip.decompress(data).replace(b"200 20", b"900000000 20", 1)),
        "its header promises 900,000,000",
    ),
    ("v.bin", lambda data: data + b"more 1234", "more rows than the 200 that its header promises"),
    ("v.bin", lambda data: data.replace(b"200 20", b"200 21", 1), "ends early or is damaged"),
    ("v.bin", lambda data: data.replace(b"200 20", b"100 40", 1), "or another width"),
    ("v.bin.gz", cut, "ends early or is damaged"),
    ("v.txt.gz", cut, "ends early or is damaged"),
    ("v.txt.gz", lambda data: b"no gzip at all", "ends early or is damaged"),
    (
        "v.txt",
        lambda data: b"\n".join(data.split(b"\n")[:-3]) + b"\n",
        "its header promises 200 rows, 198 are there",
    ),
    ("v.txt", lambda data: data + b"more" + b" 1" * WIDTH + b"\n", "more rows than the 200"),
    (
        "v.txt",
        lambda data: data.replace(b"word5 ", b"word5 1 2 ", 1),
        "v.txt:17: 22 numbers after the word, but the first row has 20",
    ),
    (
        "glove.txt",
        lambda data: b"first 1 2\n" + data,
        "glove.txt:2: 20 numbers after the word, but the first row has 2",
    ),
    (
        "glove.txt",
        lambda data: re.sub(rb"\nof \S+", b"\nof 1_0", data),
        "glove.txt:2: something that is not a number",
    ),
    ("v.txt", lambda data: data.replace(b"200 20", b"-200 20", 1), "not word vectors"),
    ("v.txt", lambda data: data.replace(b"200 20", b"200 0", 1), "not word vectors"),
    (
        "glove.txt",
        lambda data: data.replace(b"\nword5 ", b"\nword5\xc2\xa0", 1),
        "glove.txt:16: 19 numbers after the word, but the first row has 20",
    ),
    (
        "glove.txt",
        lambda data: data.replace(b"\nof ", b"\nof x", 1),
        "glove.txt:2: something that is not a number",
    ),
    ("v.txt", lambda data: b"", "empty"),
    ("v.bin", lambda data: b"", "empty"),
    ("v.kv", lambda data: b"", "not gensim's KeyedVectors"),
    ("v.kv", cut, "not gensim's KeyedVectors"),
    ("glove.zip", cut, "not a zip, or one that was cut short"),
    ("v.txt", lambda data: b"Just some prose.\nAnd more of it.\n", "not word vectors"),
    ("v.bin", lambda data: b"Just some prose.\nAnd more of it.\n", "not word vectors"),
]


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGE)
def test_damage_is_named_and_leaves_nothing(
    known: KeyedVectors, tmp_path: Path, name: str, damage: Callable[[bytes], bytes], words: str
) -> None:
    path = write(known, tmp_path / name)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r".") as raised:
        convert_file(path, tmp_path / "out" / "vectors")
    assert words in str(raised.value) and str(path) in str(raised.value)
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")


def test_text_given_as_binary_and_the_other_way(known: KeyedVectors, tmp_path: Path) -> None:
    text, binary = write(known, tmp_path / "a.txt"), write(known, tmp_path / "b.bin")
    with pytest.raises(
        ValueError, match=r"holds text, not word2vec's binary format: rename it to \.txt"
    ):
        convert_file(text.rename(tmp_path / "a.bin"), tmp_path / "out")
    with pytest.raises(ValueError, match=r"rename it to \.bin"):
        convert_file(binary.rename(tmp_path / "b.txt"), tmp_path / "out")


def test_a_name_without_bin_is_read_by_content(known: KeyedVectors, tmp_path: Path) -> None:
    """The asset word2vec-google-news-300.gz has no .bin in its name."""
    path = write(known, tmp_path / "v.bin.gz").rename(tmp_path / "word2vec-google-news-300.gz")
    assert convert_file(path, tmp_path / "out").words == 200


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    (tmp_path / "v.kv").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match="has no place in word vectors"):
        convert_file(tmp_path / "v.kv", tmp_path / "out")
    assert not (tmp_path / "harm").exists()


def test_members_of_a_zip(known: KeyedVectors, tmp_path: Path) -> None:
    path = write(known, tmp_path / "glove.zip")
    assert convert_file(path, tmp_path / "out", member="small.txt").words == 1
    with pytest.raises(
        ValueError, match=r"no file 'none.txt' in it: there is small.txt, large.txt"
    ):
        convert_file(path, tmp_path / "out", member="none.txt")


def test_an_old_folder_stays_if_a_new_one_fails(known: KeyedVectors, tmp_path: Path) -> None:
    convert_file(write(known, tmp_path / "v.bin"), tmp_path / "out")
    (tmp_path / "v.bin").write_bytes((tmp_path / "v.bin").read_bytes()[:-40])
    with pytest.raises(ValueError, match="ends early"):
        convert_file(tmp_path / "v.bin", tmp_path / "out")
    assert spacy.load(tmp_path / "out").vocab.vectors.n_keys == 200


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("a nan nan\n")
    with pytest.raises(ValueError, match="no vector is left"):
        convert_file(tmp_path / "v.txt", tmp_path / "out")


def test_same_input_same_bytes_and_another_table_another_meta(
    known: KeyedVectors, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        convert_file(write(known, tmp_path / "v.bin"), tmp_path / name / "out")
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert files and all(
        path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
        for path in files
    )
    rows = np.ones((1, 3), "f4")
    metas = set()
    for word, value, attr in (
        (b"a", 1, "ORTH"),
        (b"a", 2, "ORTH"),
        (b"b", 1, "ORTH"),
        (b"a", 1, "LOWER"),
    ):
        write_folder(tmp_path / "one", [([word], rows * value)], 3, attr=attr)
        metas.add((tmp_path / "one/meta.json").read_text())
    assert len(metas) == 4


def test_blocks_of_the_kept_rows(
    known: KeyedVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows, kept and pruned, than fit into a block; of equally near rows the first counts."""
    monkeypatch.setattr(folder, "PRUNED_BLOCK", 16)
    monkeypatch.setattr(folder, "KEPT_BLOCK", 7)
    convert_file(write(known, tmp_path / "v.bin"), tmp_path / "out", prune=60)
    vectors = spacy.load(tmp_path / "out").vocab.vectors
    unit = known.vectors / np.linalg.norm(known.vectors, axis=1, keepdims=True)
    nearest = (unit[60:].astype("f8") @ unit[:60].T.astype("f8")).round(6).argmax(axis=1)
    assert list(vectors.key2row.values()) == [*range(60), *nearest.tolist()]
    assert vectors.key2row[vectors.strings["word110"]] == 7  # row 50 has the same vector


def test_other_things_at_the_output_are_not_replaced(known: KeyedVectors, tmp_path: Path) -> None:
    source = write(known, tmp_path / "v.bin")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/thesis.txt").write_text("years")
    with pytest.raises(ValueError, match="holds other things"):
        convert_file(source, tmp_path / "docs")
    with pytest.raises(ValueError, match="is a file: give a folder"):
        convert_file(source, source)
    assert source.exists() and (tmp_path / "docs/thesis.txt").exists()


def test_a_byte_order_mark_and_windows_line_ends_are_no_words(
    known: KeyedVectors, tmp_path: Path
) -> None:
    path = write(known, tmp_path / "v.txt")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    convert_file(path, tmp_path / "out")
    vectors = spacy.load(tmp_path / "out").vocab.vectors
    assert [vectors.strings[key] for key in vectors.key2row] == WORDS


def test_fasttext_kv(tmp_path: Path) -> None:
    model = FastText(
        [["one", "two", "three"]] * 20, vector_size=8, min_count=1, epochs=1, bucket=50
    )
    model.wv.save(str(tmp_path / "v.kv"))
    with pytest.raises(
        ValueError, match=r"FastText keeps no table of whole words in it.*save_word2vec_format"
    ):
        convert_file(tmp_path / "v.kv", tmp_path / "out")
    model.wv.save_word2vec_format(str(tmp_path / "v.vec"))
    convert_file(tmp_path / "v.vec", tmp_path / "out")
    assert np.allclose(spacy.load(tmp_path / "out")("two")[0].vector, model.wv["two"], atol=1e-6)


def test_the_command_prints_one_line(tmp_path: Path) -> None:
    done = run_module(
        Path.cwd(), "scripts.vectors", "convert", str(tmp_path / "none.bin"), str(tmp_path / "out")
    )
    assert (
        done.returncode == 1 and "does not exist" in done.stderr and "Traceback" not in done.stderr
    )


def test_real_words(tmp_path: Path) -> None:
    path = shared_data() / "vectors" / "wordvecs1000.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    vectors = srsly.read_json(path)["vectors"]
    lines = [f"{word} {' '.join(map(str, numbers))}" for word, numbers in vectors.items()]
    (tmp_path / "glove.txt").write_text("\n".join(lines), encoding="utf8")
    assert convert_file(tmp_path / "glove.txt", tmp_path / "out").words == 1_000
    nlp = spacy.load(tmp_path / "out")
    assert (
        nlp("mother")[0].similarity(nlp("father")[0])
        > 0.7
        > nlp("mother")[0].similarity(nlp("city")[0])
    )
