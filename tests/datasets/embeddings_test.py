"""Word vectors: read from a file, refused with the broken line, and made of texts."""

import gzip
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics.pairwise import cosine_similarity

from tf_distill.common.errors import UserError
from tf_distill.datasets.embeddings import (
    SCALE,
    SMOOTHING,
    cooccurrence,
    positive_information,
    read_vectors,
    train_vectors,
)

GOOD = "the 0.1 -0.2 3e-1\ncat 1 2 3\n. . . 4 5 6\ncaf\u00e9 7 8 9\ncat 0 0 0\n"


def write(path, text, encoding="utf-8"):
    file = path / "vectors.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return file


def test_reads_the_wanted_words(tmp_path):
    path = write(tmp_path, GOOD)
    found = read_vectors(path, {"the", "cat", "caf\u00e9", ". . .", "dog"})
    assert sorted(found) == [". . .", "caf\u00e9", "cat", "the"]
    np.testing.assert_allclose(found["the"], [0.1, -0.2, 0.3], rtol=1e-6)
    np.testing.assert_array_equal(found["cat"], [1, 2, 3])  # the first of two lines
    np.testing.assert_array_equal(found[". . ."], [4, 5, 6])
    assert {v.dtype for v in found.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("packed", ["v.vec", "v.npz", "v.vec.zip"])
def test_words_with_capital_letters_and_in_other_forms_are_found(tmp_path, packed):
    words = ["Apple", "apple", "APPLE", "Nomen", "Cafe\u0301"]
    text = "".join(f"{word} {i} 1\n" for i, word in enumerate(words))
    path = tmp_path / packed
    if packed.endswith("npz"):
        np.savez(path, words=words, vectors=np.stack([np.arange(5), np.ones(5)], 1))
    elif packed.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("v.vec", text)
    else:
        path.write_text(text, encoding="utf-8")
    found = read_vectors(path, {"apple", "nomen", "caf\u00e9", "verb"})
    assert {word: vector[0] for word, vector in found.items()} == {
        "apple": 1, "nomen": 3, "caf\u00e9": 4
    }  # fmt: skip


def test_an_archive_of_several_files_is_refused_with_a_way_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        for name in ("v.50d.txt", "v.100d.txt"):
            archive.writestr(name, "the 1 2\n")
    with pytest.raises(UserError, match=r"has 2 files .* unpack it and name one") as error:
        read_vectors(tmp_path / "v.zip", {"the"})
    zipfile.ZipFile(tmp_path / "v.zip").extractall(tmp_path)
    named = re.search(r"\((.*?),", str(error.value))[1]
    assert list(read_vectors(tmp_path / named, {"the"})) == ["the"]


FORMS = {
    "fasttext": "2 3\nthe 1 2 3 \ncat 4 5 6 \n",
    "windows": "the 1 2 3\r\ncat 4 5 6",
    "word2vec": "2 3\nthe 1 2 3\ncat 4 5 6\n",
    "bom": "\ufeffthe 1 2 3\ncat 4 5 6\n",
    "bom and header": "\ufeff2 3\nthe 1 2 3\ncat 4 5 6\n",
    "blank lines": "the 1 2 3\n\ncat 4 5 6\n\n \n\n",
    "a number as a word": "7 1 2 3\nthe 1 2 3\ncat 4 5 6\n",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_text(tmp_path, form, packed):
    text = FORMS[form].encode()
    path = tmp_path / ("v.vec.gz" if packed else "v.vec")
    path.write_bytes(gzip.compress(text) if packed else text)
    found = read_vectors(path, {"the", "cat", "2"})
    assert {w: v.tolist() for w, v in found.items()} == {"the": [1, 2, 3], "cat": [4, 5, 6]}


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_an_archive(tmp_path, dtype):
    vectors = np.arange(6, dtype=dtype).reshape(3, 2)
    np.savez(tmp_path / "v.npz", words=["the", "caf\u00e9", "the"], vectors=vectors)
    found = read_vectors(tmp_path / "v.npz", {"the", "caf\u00e9"})
    assert {w: v.tolist() for w, v in found.items()} == {"the": [0, 1], "caf\u00e9": [2, 3]}
    assert found["the"].dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"words": ["the"]}, "has no array 'vectors', expected words, vectors"),
        ({"words": np.array(["the"], object), "vectors": [[1.0]]}, "can't read .* objects"),
        ({"words": ["the", "cat"], "vectors": [[1.0]]}, r"shapes \(2,\) and \(1, 1\)"),
        ({"words": [1], "vectors": [[1.0]]}, "got int64 and float64"),
        ({"words": ["the"], "vectors": [[np.nan]]}, "row 0 has a number that is not finite"),
    ],
)
def test_an_archive_of_other_things_is_refused(tmp_path, arrays, text):
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(UserError, match=text) as error:
        read_vectors(tmp_path / "v.npz", {"the"})
    assert "\n" not in str(error.value)


def test_damaged_and_binary_files_are_refused(tmp_path):
    (tmp_path / "v.vec.gz").write_bytes(gzip.compress(b"the 1 2\n" * 999)[:-20])
    (tmp_path / "v.npz").write_bytes(b"garbage")
    (tmp_path / "v.bin").write_bytes(b"2 2\nthe \0\0")
    for name, text in {"v.vec.gz": "can't read", "v.npz": "can't read",
                       "v.bin": "ending of a binary format"}.items():  # fmt: skip
        with pytest.raises(UserError, match=text):
            read_vectors(tmp_path / name, {"the"})


def test_bytes_that_are_no_utf8_spoil_their_word_only(tmp_path, monkeypatch):
    write(tmp_path, b"the 1 2\n\xff\xfe 0 0\ncat 3 4\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sorted(read_vectors(Path("~/vectors.txt"), {"cat", "the"})) == ["cat", "the"]


BROKEN = [
    ("the 1 2 3\ncat 1 2\n", "line 2: got 2 numbers, expected a word and 3 numbers"),
    ("the 1 2 3\ncat 1 2 3 4\n", "line 2: got 4 numbers, expected a word and 3 numbers"),
    ("the\ncat 1 2 3\n", "line 1: got 0 numbers"),
    ("the 1 2 3\ncat 1 x 3\n", "line 2: got 'x', expected a word and 3 numbers"),
    ("the 1 2 3\ncat 1 nan 3\n", "line 2: got a number that is not finite"),
    ("the 1 2 3\ncat 1 1e999 3\n", "line 2: got a number that is not finite"),
    ("2 4\nthe 1 2 3\ncat 1 2 3\n", "line 2: got 3 numbers, expected a word and 1 numbers"),
    ("2 3\nthe 1 2 3\ncat 1 2\n", "line 3: got 2 numbers, expected a word and 3 numbers"),
    ("", "has none of the 2 words of the dataset"),
    ("dog 1 2\n", "has none of the 2 words of the dataset"),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_a_broken_line_is_named(tmp_path, text, expected):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        read_vectors(path, {"the", "cat"})
    assert re.match(rf"{path},? {expected}", str(error.value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("missing.txt", "name one that is there, or embeddings=train$"),
        ("glove.6B.100d.txt", r"put glove\.6B\.100d\.txt there \(from .* embeddings=train$"),
    ],
)
def test_a_missing_file_says_what_to_do(tmp_path, name, do):
    with pytest.raises(UserError, match=rf"no file .*{name} with word vectors; {do}"):
        read_vectors(tmp_path / name, {"the"})


def test_cooccurrence_by_hand(monkeypatch):
    numbered = np.array([[0, 1, 2, -1], [1, -1, 0, -1]])
    both = 1 + 0.5  # next in one text, two apart in the other
    expected = [[0, both, 0.5], [both, 0, 1], [0.5, 1, 0]]
    np.testing.assert_allclose(cooccurrence(numbered, 3).toarray(), expected)
    # It does not depend on how rows are parted.
    numbered = np.random.default_rng(0).integers(-1, 9, (50, 12))
    whole = cooccurrence(numbered, 9).toarray()
    monkeypatch.setattr("tf_distill.datasets.embeddings.ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(cooccurrence(numbered, 9).toarray(), whole)


def test_positive_information_by_its_definition():
    counts = np.array([[0, 6.0, 1], [6, 0, 2], [1, 2, 0]])
    found = positive_information(scipy.sparse.csr_array(counts)).toarray()
    word, context = counts.sum(1) / counts.sum(), counts.sum(0) ** SMOOTHING
    with np.errstate(divide="ignore"):
        expected = np.log(counts / counts.sum() / np.outer(word, context / context.sum()))
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-12)


def grammar(texts=600):
    """Texts of a noun of one of two groups between the verbs of its group."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, texts)
    noun, verbs = rng.integers(0, 5, texts), rng.integers(0, 4, (texts, 2))
    before, after = 10 + 4 * group + verbs.T
    return np.stack([before, 5 * group + noun, after], 1)


def test_words_of_like_company_lie_together():
    vectors = train_vectors(grammar(), 18)
    np.testing.assert_array_equal(vectors, train_vectors(grammar(), 18))
    alike = cosine_similarity(vectors)
    same, other = alike[:5, :5][~np.eye(5, dtype=bool)], alike[:5, 5:10]
    assert same.min() > other.max() + 0.2


@pytest.mark.parametrize("words", [1, 2, 18, 300])
def test_shape_and_scale(words):
    numbered = np.random.default_rng(1).integers(0, words, (200, 8))
    vectors = train_vectors(numbered, words)
    assert vectors.shape == (words, max(1, min(100, words - 1)))
    assert vectors.dtype == np.float32
    assert np.sqrt((vectors**2).mean()) == pytest.approx(SCALE, rel=1e-3)
    assert len(np.unique(train_vectors(np.array([[0], [1], [2]]), 3), axis=0)) == 3  # alone
