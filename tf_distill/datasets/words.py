"""Words: texts are split into them, numbered, embedded, and decoded again.

TensorFlow's string operations do the splitting, so that a served model splits raw text in its
graph as it was split for training.
"""

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
AT_ONCE, BYTES_AT_ONCE = 20_000, 2**23
"""The most texts and bytes that are split at once: words take 100 times the memory of texts."""


def tokenize(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits strings `[batch]` into lower-case words and punctuation marks, `[batch, (words)]`.

    English contractions keep their apostrophe, split as in GloVe: "isn't" gives "is"
    and "n't", "who's" gives "who" and "'s". Bytes that are no UTF-8 become U+FFFD.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    texts = tf.strings.lower(texts, encoding="utf-8")
    for pattern, replacement in (
        (r"<br ?/?>", " "),
        ("\u2019|\u0001", "'"),
        (r"n't\b", " n\u0001t "),
        (r"'(s|m|d|re|ve|ll)\b", " \u0001\\1 "),
        (r"([^\pL\pM\pN\s\x01])", r" \1 "),
        ("\u0001", "'"),
    ):
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return tf.strings.split(texts)


def survey(
    texts: Sequence[bytes] | np.ndarray | tf.Tensor, size: int
) -> tuple[list[str], np.ndarray]:
    """The `size` most frequent words, ties in alphabetical order, and each text's number of words.

    The texts are strings `[N]`, the numbers integers `[N]`.
    """
    counts: Counter[bytes] = Counter()
    lengths = []
    for some in _some_at_once(texts):
        words = tokenize(tf.constant(texts[some], tf.string))
        counts.update(words.flat_values.numpy().tolist())
        lengths.append(words.row_lengths().numpy())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word.decode() for word, _ in ranked[:size]], np.concatenate([[], *lengths])


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
    Every text is padded or cut to `length` words.
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

    def table(self) -> tf.lookup.StaticHashTable:
        """A new table from words to their numbers."""
        first = UNKNOWN + 1
        numbers = tf.range(first, first + len(self.words), dtype=tf.int32)
        words = tf.constant(self.words, tf.string)
        entries = tf.lookup.KeyValueTensorInitializer(words, numbers)
        return tf.lookup.StaticHashTable(entries, UNKNOWN)

    def number(self, texts: tf.Tensor) -> np.ndarray:
        """Texts `[N]` as word numbers, int32 `[N, length]`."""
        table, numbers = self.table(), np.zeros((len(texts), self.length), np.int32)
        for some in _some_at_once(texts):
            numbers[some] = number_words(tf.constant(texts[some], tf.string), table, self.length)
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


def number_words(texts: tf.Tensor, table: tf.lookup.StaticHashTable, length: int) -> tf.Tensor:
    """Texts `[batch]` as word numbers, int32 `[batch, length]`, padded at the end or cut."""
    return table.lookup(tokenize(texts)).to_tensor(PADDING, shape=[None, length])
