"""What a user would try first: small sets of real data, of cluster centres, of averages.

The six baselines of Sections 4.2 and 4.3 train the network, or a nearest-neighbour
classifier, on one of these sets. Nothing here looks at test data, but for
`neighbour_accuracies`, which measures on what it is given.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier

from tf_distill.datasets.base import Dataset
from tf_distill.inner import Samples
from tf_distill.losses import encode
from tf_distill.prototypes import EMBED_BATCH, Prototypes, by_class, class_plan, embed


def k_means(dataset: Dataset, size: int, seed: int) -> Prototypes:
    """The centres of k-means clusters within each class.

    A class with fewer examples than centres gives its examples themselves, repeated.
    """

    def centres(own: np.ndarray, count: int) -> np.ndarray:
        if len(own) <= count:
            return embed(dataset, np.resize(own, count))
        x = embed(dataset, own)
        found = KMeans(count, n_init=1, random_state=seed).fit(x.reshape(len(x), -1))
        return found.cluster_centers_.reshape(count, *x.shape[1:])

    return by_class(dataset, size, centres)


def average(dataset: Dataset, size: int) -> Prototypes:
    """The mean of each class, repeated where a class has several places."""

    def mean(own: np.ndarray, count: int) -> np.ndarray:
        return np.repeat(embed(dataset, own).mean(axis=0, keepdims=True), count, axis=0)

    return by_class(dataset, size, mean)


def shortage(dataset: Dataset, size: int) -> str:
    """A sentence on the classes that have too few examples for a set of `size`, or none."""
    wanted = np.bincount(class_plan(dataset.y_train, size), minlength=len(dataset.classes))
    has = np.bincount(dataset.y_train, minlength=len(dataset.classes))
    short, missing = np.count_nonzero((has > 0) & (has < wanted)), np.count_nonzero(has == 0)
    words = []
    if short:
        words.append(f"{short} have fewer training examples than places, theirs are repeated")
    if missing:
        words.append(f"{missing} have none, other classes take their places")
    return f"Of {len(has)} classes {'; '.join(words)}." if words else ""


def as_samples(prototypes: Prototypes, like: Samples, lr: np.ndarray | float) -> Samples:
    """Prototypes dealt to inner steps, with one-hot labels.

    Args:
        prototypes: as many as `like` has samples.
        like: gives the shapes.
        lr: one learning rate, or one for each inner step.
    """
    steps, n, *shape = like.x.shape
    y = encode(tf.constant(prototypes.y), like.y.shape[-1])
    return Samples(
        tf.reshape(tf.constant(prototypes.x, tf.float32), [steps, n, *shape]),
        tf.reshape(y, [steps, n, -1]),
        tf.constant(np.broadcast_to(lr, like.lr.shape), tf.float32),
    )


def neighbour_accuracies(
    sets: Sequence[Prototypes],
    dataset: Dataset,
    x: np.ndarray,
    y: np.ndarray,
    neighbours: int,
    others: bool = False,
) -> list[float]:
    """Accuracies of k-nearest-neighbour classifiers, by Euclidean distance.

    Args:
        sets: what to fit one classifier each on.
        dataset: gives the encoding.
        x: stored inputs `[N, ...]` to measure on.
        y: their class indices `[N]`.
        neighbours: k.
        others: leave out what is itself in a set, since it is its own nearest neighbour.
    """
    models = [KNeighborsClassifier(neighbours).fit(s.x.reshape(len(s.x), -1), s.y) for s in sets]
    right, counted = np.zeros(len(sets)), np.zeros(len(sets))
    for start in range(0, len(y), EMBED_BATCH):
        part = slice(start, start + EMBED_BATCH)
        flat = dataset.encoding(tf.constant(x[part])).numpy().reshape(len(x[part]), -1)
        for i, model in enumerate(models):
            hits = model.predict(flat) == y[part]
            if others:
                hits = hits[model.kneighbors(flat, 1)[0][:, 0] > 0]
            right[i] += np.count_nonzero(hits)
            counted[i] += len(hits)
    return (right / np.maximum(counted, 1)).tolist()
