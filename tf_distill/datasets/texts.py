"""Text datasets: IMDB and TREC from tensorflow-datasets, SST-5 by a builder of our own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_distill.datasets import tfds_source
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.embedded import GLOVE, embed
from tf_distill.datasets.parts import Parts
from tf_distill.datasets.tfds_source import Arrays


def load_imdb(data_dir: Path, embeddings: str | None) -> Dataset:
    """IMDB: 25,000 and 25,000 film reviews, negative or positive, of 400 words."""
    train, test, _ = tfds_source.load("imdb_reviews", data_dir, ("text", "label"))
    classes = ("negative", "positive")
    return _ready("imdb", classes, train, test, data_dir, embeddings, length=400)


def load_sst5(data_dir: Path, embeddings: str | None) -> Dataset:
    """SST-5: 8,544 and 2,210 sentences of film reviews in five grades, of 30 words.

    The 1,101 sentences of the development split are left aside.
    """
    train, test, features = tfds_source.load_sst5(data_dir, ("text", "label"))
    classes = tuple(features["label"].names)
    return _ready("sst5", classes, train, test, data_dir, embeddings, length=30)


def load_trec6(data_dir: Path, embeddings: str | None) -> Dataset:
    """TREC-6: 5,452 and 500 questions by the kind of their answer, of 30 words."""
    train, test, features = tfds_source.load("trec", data_dir, ("text", "label-coarse"))
    classes = tuple(features["label-coarse"].names)
    return _ready("trec6", classes, train, test, data_dir, embeddings, length=30)


def load_trec50(data_dir: Path, embeddings: str | None) -> Dataset:
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
    return _ready("trec50", classes, train, test, data_dir, embeddings, length=20)


def _rows_in(pairs: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The row of each (first, second) in pairs `[n, 2]`."""
    number = {tuple(pair): i for i, pair in enumerate(pairs.tolist())}
    return np.array([number[pair] for pair in zip(first.tolist(), second.tolist(), strict=True)])


def _ready(
    name: str,
    classes: Sequence[str],
    train: Arrays,
    test: Arrays,
    data_dir: Path,
    embeddings: str | None,
    length: int,
) -> Dataset:
    """Texts and class indices of a known dataset."""
    labels = [y.astype(np.int32) for y in (train[1], test[1])]
    parts = Parts(tuple(classes), train[0], labels[0], test[0], labels[1])
    return embed(name, parts, embeddings or data_dir / GLOVE, length)
