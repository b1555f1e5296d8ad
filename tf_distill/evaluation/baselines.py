"""Baselines, which a user would try first: small sets of real data, cluster centres, averages.

The six baselines of Sections 4.2 and 4.3 train the network, or a nearest-neighbour classifier,
on one of these sets. Every choice is made on training data.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from sklearn.cluster import KMeans
from sklearn.neighbors import KNeighborsClassifier

from tf_distill.common import Stream
from tf_distill.core import (
    EMBED_BATCH,
    Prototypes,
    Samples,
    by_class,
    class_plan,
    draw_real,
    embed,
    encode,
)
from tf_distill.datasets import Dataset
from tf_distill.evaluation.bench import (
    LEARNING_STEPS,
    RATES,
    Bench,
    Done,
    Measured,
    Row,
    Subject,
    training_view,
    with_rate,
)


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
    """A sentence on classes with too few examples for a set of `size`; "" if there are enough."""
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
        like: has the shapes.
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
        sets: one classifier is fitted to each.
        dataset: has the encoding.
        x: stored inputs `[N, ...]` to measure on.
        y: their class indices `[N]`.
        neighbours: k.
        others: leave out inputs that are in the set: each would be its own nearest neighbour.
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


BEST = 0.2
"""The share of the drawn sets that "optimized real" keeps (Section 4.2)."""
K_MEANS_SETS = 5
NEIGHBOURS = (1, 3, 5, 9)
"""Numbers of neighbours that are tried on training data; the paper does not tell its own."""


def distilled_set(subject: Subject, done: Done) -> Measured:
    """The set as it is meant to be used."""
    return Measured(
        subject.bench.test([subject.samples]), "Trained as the set says, rates learned with it."
    )


def random_real(subject: Subject, done: Done) -> Measured:
    """Real training examples, the same number, in the same number of steps."""
    sets = real_sets(subject)
    return _trained(subject, sets, f"{len(sets)} draws of real training examples")


def optimized_real(subject: Subject, done: Done) -> Measured:
    """The random sets with the best accuracy on training data."""
    lr = np.array(done["random_real"]["lr"], np.float32)
    sets = [as_samples(p, subject.samples, lr) for p in real_sets(subject)]
    best = best_sets(subject.bench, sets)
    how = (
        f"The {len(best)} of {len(sets)} draws with the best accuracy on training data, trained "
        "with the learning rates of random real."
    )
    return Measured(subject.bench.test(best), how, lr.tolist())


def best_sets(bench: Bench, sets: list[Samples]) -> list[Samples]:
    """The fifth of the sets, at least one, with the best accuracy on training data."""
    scores = np.array([bench.training_accuracy([s]) for s in sets])
    keep = np.argsort(-scores, kind="stable")[: max(1, round(BEST * len(sets)))]
    return [sets[i] for i in keep]


def k_means_row(subject: Subject, done: Done) -> Measured:
    """Cluster centres of each class."""
    sets = _k_means_sets(subject)
    return _trained(subject, sets, f"Centres of k-means in each class, {_count(sets, 'start')}")


def average_row(subject: Subject, done: Done) -> Measured:
    """The mean of each class."""
    sets = [average(subject.run.dataset, subject.size)]
    return _trained(subject, sets, "The mean of each class")


def random_real_neighbours(subject: Subject, done: Done) -> Measured:
    """No network: nearest neighbours among real examples."""
    return _neighbours(subject, real_sets(subject))


def k_means_neighbours(subject: Subject, done: Done) -> Measured:
    """No network: nearest neighbours among cluster centres."""
    return _neighbours(subject, _k_means_sets(subject))


ROWS = (
    Row("distilled", "distilled", "distilled set", distilled_set),
    Row("random_real", "baseline", "random real", random_real),
    Row("optimized_real", "baseline", "optimized real", optimized_real),
    Row("k_means", "baseline", "k-means", k_means_row),
    Row("average", "baseline", "average real", average_row),
    Row("random_real_neighbours", "baseline", "random real, k-NN", random_real_neighbours),
    Row("k_means_neighbours", "baseline", "k-means, k-NN", k_means_neighbours),
)


def real_sets(subject: Subject) -> list[Prototypes]:
    """The draws of real training examples, the same for the same seed."""
    rngs = [subject.rng(Stream.BASELINES, i) for i in range(subject.protocol.baseline_sets)]
    return [draw_real(subject.run.dataset, subject.size, rng) for rng in rngs]


def _k_means_sets(subject: Subject) -> list[Prototypes]:
    classes = np.unique(subject.run.dataset.y_train)
    one_a_class = subject.size <= len(classes)  # then every start finds the mean
    starts = range(1 if one_a_class else min(K_MEANS_SETS, subject.protocol.baseline_sets))
    seed = subject.run.config.seed
    return [k_means(subject.run.dataset, subject.size, seed + i) for i in starts]


def _trained(subject: Subject, sets: list[Prototypes], what: str) -> Measured:
    """The network trained on each set, with rates tuned for sets of this kind."""
    samples = [as_samples(s, subject.samples, subject.samples.lr.numpy()) for s in sets]
    lr = subject.bench.tune(samples)
    how = (
        f"{what}, one-hot labels. The best of {len(RATES)} learning rates on training data, then "
        f"one for each inner step learned by hypergradients in {LEARNING_STEPS} steps. "
        f"{shortage(subject.run.dataset, subject.size)}"
    )
    accuracies = subject.bench.test([with_rate(s, lr) for s in samples])
    return Measured(accuracies, how.strip(), lr.tolist())


def _neighbours(subject: Subject, sets: list[Prototypes]) -> Measured:
    view = training_view(subject.run.dataset, subject.run.config.seed)
    tried = [k for k in NEIGHBOURS if k <= subject.size]
    scores = [
        np.mean(neighbour_accuracies(sets, view, view.x_test, view.y_test, k, others=True))
        for k in tried
    ]
    best = tried[int(np.argmax(scores))]
    dataset = subject.run.dataset
    how = (
        f"k-nearest neighbours on {_count(sets, 'set')}, no network; k = {best}, the best of "
        f"{', '.join(map(str, tried))} on training data. {shortage(dataset, subject.size)}"
    )
    accuracies = neighbour_accuracies(sets, dataset, dataset.x_test, dataset.y_test, best)
    return Measured(accuracies, how.strip())


def _count(things: Sequence, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) > 1)}"
