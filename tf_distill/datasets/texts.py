"""Text datasets: IMDB and TREC from tensorflow-datasets, SST-5 by a builder of our own."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_distill.datasets import tfds_source
from tf_distill.datasets.base import Dataset
from tf_distill.embeddings import read_vectors
from tf_distill.text import TextEncoding, vocabulary

GLOVE = Path("glove", "glove.6B.100d.txt")


def load_imdb(data_dir: Path, embeddings: Path | None) -> Dataset:
    """IMDB: 25,000 and 25,000 film reviews, negative or positive, of 400 words."""
    train, test, _ = tfds_source.load("imdb_reviews", data_dir, ("text", "label"))
    classes = ("negative", "positive")
    return _embedded("imdb", classes, train, test, embeddings or data_dir / GLOVE, length=400)


def load_sst5(data_dir: Path, embeddings: Path | None) -> Dataset:
    """SST-5: 8,544 and 2,210 sentences of film reviews in five grades, of 30 words.

    The 1,101 sentences of the development split are left aside.
    """
    train, test, features = tfds_source.load_sst5(data_dir, ("text", "label"))
    classes = tuple(features["label"].names)
    return _embedded("sst5", classes, train, test, embeddings or data_dir / GLOVE, length=30)


def load_trec6(data_dir: Path, embeddings: Path | None) -> Dataset:
    """TREC-6: 5,452 and 500 questions by the kind of their answer, of 30 words."""
    train, test, features = tfds_source.load("trec", data_dir, ("text", "label-coarse"))
    classes = tuple(features["label-coarse"].names)
    return _embedded("trec6", classes, train, test, embeddings or data_dir / GLOVE, length=30)


def load_trec50(data_dir: Path, embeddings: Path | None) -> Dataset:
    """TREC-50: the same questions by 50 finer kinds, of 20 words.

    tensorflow-datasets merges fine labels of one name across the coarse ones, so the
    classes here are the pairs of coarse and fine that occur in training.
    """
    keys = ("text", "label-coarse", "label-fine")
    train, test, features = tfds_source.load("trec", data_dir, keys)
    coarse, fine = (features[key].names for key in keys[1:])
    pairs = np.unique(np.stack(train[1:]), axis=1).T
    classes = tuple(f"{coarse[c]}:{fine[f]}" for c, f in pairs)
    train, test = ((texts, _rows_in(pairs, *labels)) for texts, *labels in (train, test))
    return _embedded("trec50", classes, train, test, embeddings or data_dir / GLOVE, length=20)


def _rows_in(pairs: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The row of each (first, second) in pairs `[n, 2]`."""
    number = {tuple(pair): i for i, pair in enumerate(pairs.tolist())}
    return np.array([number[pair] for pair in zip(first.tolist(), second.tolist(), strict=True)])


def _embedded(name, classes, train, test, embeddings: Path, length: int) -> Dataset:
    """Texts and labels as numbered words, with the vectors of the training words."""
    words = vocabulary(tf.constant(train[0]), size=50_000)
    found = read_vectors(embeddings, frozenset(words))
    known = [word for word in words if word in found]
    encoding = TextEncoding(known, np.stack([found[word] for word in known]), length)
    (raw_train, y_train), (raw_test, y_test) = train, test
    return Dataset(
        name,
        classes,
        encoding.number(raw_train),
        y_train.astype(np.int32),
        encoding.number(raw_test),
        y_test.astype(np.int32),
        encoding,
        raw_train=raw_train,
        raw_test=raw_test,
    )
