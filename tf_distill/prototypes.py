"""Small labelled sets of real training examples, or made from them class by class."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill.datasets.base import Dataset

EMBED_BATCH = 500


class Prototypes(NamedTuple):
    """A small labelled set: x float32 `[M, *shape]`, embedded; y class indices `[M]`."""

    x: np.ndarray
    y: np.ndarray


def random_real(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """Real training examples, drawn without repetition while a class has enough."""

    def draw(own: np.ndarray, count: int) -> np.ndarray:
        return embed(dataset, np.resize(rng.permutation(own), count))

    return by_class(dataset, size, draw)


def class_plan(y_train: np.ndarray, size: int) -> np.ndarray:
    """The class of each of `size` places: the classes that have examples, in turn."""
    present = np.unique(y_train)
    return present[np.arange(size) % len(present)]


def by_class(
    dataset: Dataset, size: int, make: Callable[[np.ndarray, int], np.ndarray]
) -> Prototypes:
    """A set of `size` where `make(own, count)` gives a class's `[count, *shape]`.

    `own` are the places of the class's examples in the training split.
    """
    y = class_plan(dataset.y_train, size)
    x = np.empty((size, *dataset.encoding.shape), np.float32)
    for c in np.unique(y):
        places = np.flatnonzero(y == c)
        x[places] = make(np.flatnonzero(dataset.y_train == c), len(places))
    return Prototypes(x, y.astype(np.int32))


def embed(dataset: Dataset, index: np.ndarray) -> np.ndarray:
    """Training examples by their places, as the network sees them."""
    x = np.empty((len(index), *dataset.encoding.shape), np.float32)
    for start in range(0, len(index), EMBED_BATCH):
        part = slice(start, start + EMBED_BATCH)
        x[part] = dataset.encoding(tf.constant(dataset.x_train[index[part]]))
    return x
