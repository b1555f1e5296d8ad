"""Word vectors: read from a file (GloVe, word2vec, fastText, .npz), or made of the texts."""

import codecs
import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse

from tf_distill.common import UserError, read_lines, read_npz_arrays
from tf_distill.datasets.text_files import is_number, refuse_other_kinds
from tf_distill.datasets.words import composed

USUAL = "glove.6B.100d.txt"
"""The default file."""
Vectors = dict[str, np.ndarray]
Line = tuple[int, str]
"""Its number from 1, and its text."""
BINARY = (".bin", ".model", ".kv", ".pkl")


def read_vectors(path: Path, wanted: Collection[str]) -> Vectors:
    """The vectors of wanted words, float32 `[dimension]`, from the first line that has the word.

    Words are in small letters and composed (NFC); one that has no line of its own takes that of
    the word with capital letters.

    Args:
        path: UTF-8 text with a word and its numbers on each line, as GloVe, word2vec and
            fastText (.vec) write it; a first line with the number of words and the dimension is
            skipped; also packed, with the ending .gz or .zip. Or .npz with arrays `words` `[N]` of
            strings and `vectors` `[N, dimension]`.
        wanted: the words.

    Raises:
        UserError: no such file, or a line that is broken, with its number.
    """
    path = path.expanduser()
    if not path.is_file():
        do = "name one that is there, or"
        if path.name == USUAL:
            do = (
                f"put {USUAL} there (from glove.6B.zip of https://nlp.stanford.edu/projects/glove/)"
                ", name a file with embeddings=FILE, or make vectors of the training texts with"
            )
        raise UserError(f"there is no file {path} with word vectors; {do} embeddings=train")
    if not {*map(str.lower, path.suffixes[-2:])}.isdisjoint(BINARY):
        raise UserError(
            f"{path} has the ending of a binary format, expected vectors as text or .npz; save "
            "them as text (in gensim: save_word2vec_format)"
        )
    found = _from_npz(path, wanted) if path.suffix.lower() == ".npz" else _from_text(path, wanted)
    if not found:
        raise UserError(
            f"{path} has none of the {len(wanted)} words of the dataset; expected a word "
            "and its vector on each line; name another file with embeddings=FILE"
        )
    return found


def _from_text(path: Path, wanted: Collection[str]) -> Vectors:
    exact: Vectors = {}
    capital: Vectors = {}
    dimension = None
    for line_number, line in _without_header(_lines(path)):
        word, *numbers = line.rsplit(" ", dimension or line.count(" "))
        dimension = dimension or len(numbers)
        surplus = _numbers_at_the_end(word) if " " in word else 0
        if len(numbers) != dimension or not dimension or surplus:
            raise _broken(path, line_number, f"{len(numbers) + surplus} numbers", dimension)
        if place := _place(word, wanted, exact, capital):
            found, small = place
            found[small] = _vector(numbers, path, line_number, dimension)
    return capital | exact


def _place(
    word: str, wanted: Collection[str], exact: Vectors, capital: Vectors
) -> tuple[Vectors, str] | None:
    """Where the vector of a word in a file belongs, and under which name; None if nowhere."""
    word = composed(word)
    for found, name in ((exact, word), (capital, word.lower())):
        if name in wanted:
            return None if name in found else (found, name)
    return None


def _lines(path: Path) -> Iterator[Line]:
    """The lines with blanks for tabs, without their ends, a byte order mark, and blank lines."""
    for number, line in enumerate(read_lines(path), 1):
        content = line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").replace(b"\t", b" ")
        if number == 1:
            refuse_other_kinds(content, path)
        if text := content.decode("utf-8", "replace").rstrip(" \r\n"):  # word2vec ends with a blank
            yield number, text


def _without_header(lines: Iterator[Line]) -> Iterator[Line]:
    """The lines without a first line `words dimension`, known by the numbers on the second."""
    first = list(itertools.islice(lines, 2))
    if len(first) == 2:
        head, numbers = first[0][1].split(" "), first[1][1].split(" ")[1:]
        counts = len(head) == 2 and all(n.isdecimal() and len(n) < 20 for n in head)
        if counts and len(numbers) == int(head[1]):
            first = first[1:]
    return itertools.chain(first, lines)


def _from_npz(path: Path, wanted: Collection[str]) -> Vectors:
    names = ("words", "vectors")
    words, vectors = read_npz_arrays(path, names, required=names).values()
    if words.dtype.kind not in "US" or vectors.dtype.kind not in "fiu":
        raise _no_archive(path, f"got {words.dtype} and {vectors.dtype}")
    if words.ndim != 1 or vectors.ndim != 2 or len(words) != len(vectors) or not vectors.shape[1]:
        raise _no_archive(path, f"got shapes {words.shape} and {vectors.shape}")
    if words.dtype.kind == "S":
        words = np.char.decode(words, "utf-8", "replace")
    exact: Vectors = {}
    capital: Vectors = {}
    for i, word in enumerate(words.tolist()):
        if place := _place(word, wanted, exact, capital):
            found, small = place
            found[small] = vectors[i].astype(np.float32)
            if not np.isfinite(found[small]).all():
                raise _no_archive(path, f"row {i} has a number that is not finite")
    return capital | exact


def _no_archive(path: Path, got: str) -> UserError:
    return UserError(
        f"{path} has no word vectors ({got}), expected an .npz with `words`, [N] "
        "strings, and `vectors`, [N, dimension] numbers"
    )


def _vector(numbers: list[str], path: Path, line_number: int, dimension: int) -> np.ndarray:
    try:
        vector = np.array(numbers, np.float32)
    except ValueError as error:  # could not convert string to float: 'x'
        raise _broken(path, line_number, str(error).rpartition(": ")[2], dimension) from None
    if not np.isfinite(vector).all():
        raise _broken(path, line_number, "a number that is not finite", dimension)
    return vector


def _numbers_at_the_end(word: str) -> int:
    """Counts the numbers at the end of a word with blanks, where a line has too many."""
    return sum(1 for _ in itertools.takewhile(is_number, reversed(word.split(" ")[1:])))


def _broken(path: Path, line_number: int, got: str, dimension: int | None) -> UserError:
    return UserError(
        f"{path}, line {line_number}: got {got}, expected a word and {dimension or 'its'} numbers "
        "parted by blanks; mend or delete this line"
    )


TRAIN = "train"
"""Stands for a file: vectors are made of the training texts."""
DIMENSION = 100
WINDOW = 5
SMOOTHING = 0.75
SCALE = 0.5
"""Root mean square of all numbers; GloVe's is 0.54 over the words of TREC."""
ROWS_AT_ONCE = 50_000


def train_vectors(numbered: np.ndarray, words: int, seed: int = 0) -> np.ndarray:
    """Makes vectors of V words: float32 `[V, 100]`, or less for few words; all of one norm.

    Args:
        numbered: texts, int32 `[N, length]`: word numbers from 0; negative for no word.
        words: V.
        seed: of the decomposition, and of the vectors of words that never stand near another.
    """
    from sklearn.decomposition import TruncatedSVD

    dimension = max(1, min(DIMENSION, words - 1))
    associations = positive_information(cooccurrence(numbered, words))
    vectors = np.zeros((words, dimension))
    if associations.nnz and words > 1:
        svd = TruncatedSVD(dimension, random_state=seed)
        vectors = svd.fit_transform(associations.astype(np.float32))
        # Half of the singular values' weight is best for similarity.
        vectors /= np.sqrt(np.maximum(svd.singular_values_, 1e-12))
    alone = np.linalg.norm(vectors, axis=1) < 1e-6
    vectors[alone] = np.random.default_rng(seed).standard_normal((alone.sum(), dimension))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / length * SCALE * np.sqrt(dimension)).astype(np.float32)


def cooccurrence(numbered: np.ndarray, words: int) -> scipy.sparse.csr_array:
    """Counts of two words at most WINDOW apart, symmetric, `[V, V]`; at distance d it is 1/d."""
    total = scipy.sparse.csr_array((words, words), dtype=np.float64)
    for start in range(0, len(numbered), ROWS_AT_ONCE):
        total = total + _pairs(numbered[start : start + ROWS_AT_ONCE], words)
    return total + total.T


def _pairs(rows: np.ndarray, words: int) -> scipy.sparse.csr_array:
    """Counts of pairs in the order of the text, `[V, V]`."""
    first, second, counts = [], [], []
    for distance in range(1, WINDOW + 1):
        one, other = rows[:, :-distance], rows[:, distance:]
        both = (one >= 0) & (other >= 0)
        first.append(one[both])
        second.append(other[both])
        counts.append(np.full(both.sum(), 1 / distance))
    places = (np.concatenate(first), np.concatenate(second))
    return scipy.sparse.csr_array((np.concatenate(counts), places), (words, words))


def positive_information(counts: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Positive pointwise mutual information in nats, of counts `[V, V]`.

    Contexts are weighted by their count to the power SMOOTHING, so that rare ones do not dominate.
    """
    table = counts.tocoo()
    total = table.sum()
    word = counts.sum(axis=1)
    context = counts.sum(axis=0) ** SMOOTHING
    expected = word[table.row] / total * context[table.col] / context.sum()
    values = np.maximum(np.log(table.data / total / expected), 0)
    found = scipy.sparse.csr_array((values, (table.row, table.col)), counts.shape)
    found.eliminate_zeros()
    return found
