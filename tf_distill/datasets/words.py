"""Words: texts are split into them, numbered, embedded, and decoded again.

TensorFlow's string operations do the splitting, so that a served model splits raw text in its
graph as it was split for training.
"""

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.datasets.base import Encoding

PADDING, UNKNOWN = 0, 1
"""The numbers before the first word; both have a zero vector."""
NO_WORD = "\u00b7"
"""Stands in a decoded sentence for a vector that is near to no word, such as padding."""
WITHOUT_BLANKS = "".join(
    rf"\p{{{script}}}"
    for script in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
)
"""Scripts that put no blanks between words: each of their letters counts as a word."""
AT_ONCE, BYTES_AT_ONCE = 20_000, 2**23
"""The most texts and bytes that are split at once: words take 100 times the memory of texts."""


def tokenize(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits strings `[batch]` into lower-case words and punctuation marks, `[batch, (words)]`.

    English contractions keep their apostrophe, split as in GloVe: "isn't" gives "is"
    and "n't", "who's" gives "who" and "'s". A letter of Chinese, Japanese, Thai and other scripts
    without blanks is a word, with the marks on it. Bytes that are no UTF-8 become U+FFFD.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    texts = tf.strings.lower(texts, encoding="utf-8")
    for pattern, replacement in (
        (r"<br ?/?>", " "),
        ("\u2019|\u0001", "'"),
        (r"n't\b", " n\u0001t "),
        (r"'(s|m|d|re|ve|ll)\b", " \u0001\\1 "),
        (rf"([^\pL\pM\pN\s\x01]|[{WITHOUT_BLANKS}]\pM*)", r" \1 "),
        ("\u0001", "'"),
    ):
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return tf.strings.split(texts)


def composed(word: str) -> str:
    """A word in Unicode's normal form NFC: an accent is part of its letter, where it can be."""
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def other_forms(word: str) -> set[str]:
    """A composed word as it is written otherwise: decomposed, or composed against NFC's rules."""
    if word.isascii():
        return set()
    whole = word
    for apart, letter in _excluded().items():
        whole = whole.replace(apart, letter)
    return {unicodedata.normalize("NFD", word), whole} - {word}


@functools.cache
def _excluded() -> dict[str, str]:
    """Letters that NFC takes apart, such as those of Hindi with a dot, by their parts."""
    letters = map(chr, range(0x0900, 0xFB50))
    parts = {unicodedata.normalize("NFC", letter): letter for letter in letters}
    return {apart: letter for apart, letter in parts.items() if len(apart) > 1}


def survey(
    texts: Sequence[bytes] | np.ndarray | tf.Tensor, size: int
) -> tuple[list[str], np.ndarray]:
    """The `size` most frequent words, ties in alphabetical order, and each text's number of words.

    The texts are strings `[N]`, the numbers integers `[N]`. Words are composed, and one that is
    written in several normal forms counts as one.
    """
    counts: Counter[bytes] = Counter()
    lengths = []
    for some in _some_at_once(texts):
        words = tokenize(tf.constant(texts[some], tf.string))
        counts.update(words.flat_values.numpy().tolist())
        lengths.append(words.row_lengths().numpy())
    whole: Counter[str] = Counter()
    for word, times in counts.items():
        whole[composed(word.decode())] += times
    ranked = sorted(whole, key=lambda word: (-whole[word], word.encode()))
    return ranked[:size], np.concatenate([[], *lengths])


def _some_at_once(texts: Sequence[bytes] | np.ndarray | tf.Tensor) -> Iterator[slice]:
    """Slices of the texts, each of at most AT_ONCE texts and BYTES_AT_ONCE bytes or one text."""
    plain: Any = texts.numpy() if isinstance(texts, tf.Tensor) else texts
    start, total = 0, 0
    for i, text in enumerate(plain):
        if i > start and (i - start >= AT_ONCE or total + len(text) > BYTES_AT_ONCE):
            yield slice(start, i)
            start, total = i, 0
        total += len(text)
    if len(plain):
        yield slice(start, len(plain))


class TextEncoding(Encoding):
    """Word numbers to frozen vectors, and texts to word numbers.

    The first of the words has the number 2; their vectors are float32 `[len(words), dimension]`.
    Every text is padded or cut to `length` words. Words are composed (NFC); a text may have them in
    other forms.
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray, length: int):
        self.words, self.length = tuple(words), length
        self.shape: tuple[int, ...] = (length, vectors.shape[1])
        rows = np.concatenate([np.zeros((2, vectors.shape[1])), vectors])
        self.vectors = tf.constant(rows, tf.float32)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Word numbers `[batch, length]` to float32 `[batch, length, dimension]`."""
        return tf.gather(self.vectors, x)

    def metadata(self) -> dict[str, Any]:
        """Shape and vocabulary, without the vectors."""
        return {"kind": "text", "shape": self.shape, "vocabulary": self.words}

    def tables(self) -> list[tf.lookup.StaticHashTable]:
        """New tables from words to their numbers: of composed words, and of their other forms."""
        numbered = {word: number for number, word in enumerate(self.words, UNKNOWN + 1)}
        others = {form: n for word, n in numbered.items() for form in other_forms(word)}
        return [_table(forms) for forms in (numbered, others) if forms]

    def number(self, texts: tf.Tensor) -> np.ndarray:
        """Texts `[N]` as word numbers, int32 `[N, length]`."""
        tables, numbers = self.tables(), np.zeros((len(texts), self.length), np.int32)
        for some in _some_at_once(texts):
            numbers[some] = number_words(tf.constant(texts[some], tf.string), tables, self.length)
        return numbers

    def nearest(self, vectors: np.ndarray) -> np.ndarray:
        """The number of the word nearest to each vector of `[N, dimension]`, integers `[N]`."""
        from sklearn.metrics import pairwise_distances_argmin

        first = UNKNOWN + 1
        return first + pairwise_distances_argmin(vectors, self.vectors[first:].numpy())

    def decode(self, vectors: np.ndarray) -> list[str]:
        """The word nearest to each vector of `[N, dimension]`, in Euclidean distance (Alg. 1b).

        A vector that is nearer to zero than to a word is NO_WORD, or left out at the end.
        """
        numbers = self.nearest(vectors)
        far = np.linalg.norm(vectors - self.vectors.numpy()[numbers], axis=1)
        is_word = far <= np.linalg.norm(vectors, axis=1)
        kept = numbers[: np.append(np.flatnonzero(is_word), -1).max() + 1]
        shown = zip(kept, is_word, strict=False)
        return [self.words[i - UNKNOWN - 1] if word else NO_WORD for i, word in shown]


Vectors = str | TextEncoding | None
"""Where texts have their word vectors from: a file, "train", an encoding that brings its words too,
or None for the default file."""


def unseen_words(x: np.ndarray) -> float:
    """The chance that a word of a new text does not occur in texts of these word numbers.

    It is the share of words that occur once, the Good-Turing estimate (Good, "The population
    frequencies of species and the estimation of population parameters", 1953).
    """
    times = np.bincount(x[x > UNKNOWN])
    return float((times == 1).sum() / max(1, times.sum()))


def forget_words(x: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Replaces a random share of word numbers of any shape by UNKNOWN; the seed is int32 `[2]`."""
    drawn = tf.random.stateless_uniform(tf.shape(x), seed) < rate
    return tf.where(drawn & (x > UNKNOWN), tf.cast(UNKNOWN, x.dtype), x)


def number_words(
    texts: tf.Tensor, tables: Sequence[tf.lookup.StaticHashTable], length: int
) -> tf.Tensor:
    """Texts `[batch]` as word numbers, int32 `[batch, length]`, padded at the end or cut.

    A word has its number in one of the tables, and UNKNOWN in the others.
    """
    words = tokenize(texts)
    found = [tf.cast(table.lookup(words.flat_values), tf.int32) for table in tables]
    numbers = words.with_flat_values(functools.reduce(tf.maximum, found))
    return numbers.to_tensor(PADDING, shape=[None, length])


def _table(numbers: dict[str, int]) -> tf.lookup.StaticHashTable:
    entries = tf.lookup.KeyValueTensorInitializer(
        tf.constant([*numbers], tf.string), tf.constant([*numbers.values()], tf.int32)
    )
    return tf.lookup.StaticHashTable(entries, UNKNOWN)
