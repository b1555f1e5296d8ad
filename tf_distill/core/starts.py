"""The start of a distilled set: noise, or real examples, chosen or moved in one of several ways."""

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_argmin

from tf_distill.common import Stream, UserError, numpy_generator
from tf_distill.core.inner import Samples
from tf_distill.core.learner import Learner, is_functional
from tf_distill.datasets import Dataset

EMBED_BATCH = 500
SHARE = 0.27
"""How far an example is moved, as a share of the norm of a typical word, or example."""
MOST = 6000
"""Training examples that the classifier learns from, and matching pursuit chooses from, at most."""
CLUSTERED = 10_000
"""Training examples of a class that k-means clusters, at most."""
DRAWN = 5
"""Random networks whose features matching pursuit compares."""


class Prototypes(NamedTuple):
    """A small labelled set: x float32 `[M, *shape]`, embedded; y labels `[M]`, as data have them.

    places: of the real training examples that they are `[M]`; None for other samples.
    """

    x: np.ndarray
    y: np.ndarray
    places: np.ndarray | None = None


def draw_real(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """Real training examples, drawn without repetition while a class has enough.

    Of a quantity they are spread over its quantiles, one from each.
    """
    draw = lambda own, count: np.resize(rng.permutation(own), count)  # noqa: E731
    return real_examples(dataset, size, draw, spread=True)


def class_plan(y_train: np.ndarray, size: int) -> np.ndarray:
    """The class of each of `size` places: the classes that have examples, in turn."""
    present = np.unique(y_train)
    return present[np.arange(size) % len(present)]


def groups(dataset: Dataset, size: int, spread: bool) -> np.ndarray:
    """The group of each training example, of which a set of `size` has some in turn, int `[N]`.

    Groups are the classes. Of a quantity they are as many quantiles as the set has places, if it is
    to be spread over them, else one group.
    """
    if dataset.target is None:
        return dataset.y_train
    ranks = np.argsort(np.argsort(dataset.y_train, kind="stable"), kind="stable")
    return ranks * (size if spread else 1) // len(ranks)


def by_class(
    dataset: Dataset,
    size: int,
    make: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]],
    spread: bool = False,
) -> Prototypes:
    """A set of `size` examples, class by class.

    Args:
        dataset: whose training split is taken.
        size: of the set.
        make: from the places of a class's training examples and a count to `[count, *shape]` and
            labels `[count]`.
        spread: as for `groups`.
    """
    x = np.empty((size, *dataset.encoding.shape), np.float32)
    y = np.empty(size, dataset.y_train.dtype)
    for places, own in _in_turn(dataset, size, spread):
        x[places], y[places] = make(own, len(places))
    return Prototypes(x, y)


def real_examples(
    dataset: Dataset,
    size: int,
    choose: Callable[[np.ndarray, int], np.ndarray],
    spread: bool = False,
) -> Prototypes:
    """A set of `size` training examples, class by class.

    Args:
        dataset: whose training split is taken.
        size: of the set.
        choose: from the places of a class's training examples and a count to as many places.
        spread: as for `groups`.
    """
    chosen = np.empty(size, np.int64)
    for places, own in _in_turn(dataset, size, spread):
        chosen[places] = choose(own, len(places))
    return Prototypes(embed(dataset, chosen), dataset.y_train[chosen], chosen)


def _in_turn(dataset: Dataset, size: int, spread: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each group its places in a set, and the places of its training examples."""
    group = groups(dataset, size, spread)
    plan = class_plan(group, size)
    for g in np.unique(plan):
        yield np.flatnonzero(plan == g), np.flatnonzero(group == g)


def embed(dataset: Dataset, index: np.ndarray) -> np.ndarray:
    """Training examples by their places, as the network sees them."""
    x = np.empty((len(index), *dataset.encoding.shape), np.float32)
    for start in range(0, len(index), EMBED_BATCH):
        part = slice(start, start + EMBED_BATCH)
        x[part] = dataset.encoding(tf.constant(dataset.x_train[index[part]]))
    return x


def directed(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """Real examples, each repeated for every class and moved in the direction of that class.

    To a random network any two long texts are nearly the same, and they differ in much that says
    little of their classes. These differ in their class alone. All words of a text move alike.

    Raises:
        UserError: a quantity, which has no classes.
    """
    if dataset.target:
        raise UserError("sample_init=linear is for classes; for a quantity use sample_init=real")
    order = rng.permutation(len(dataset.y_train))
    y = class_plan(dataset.y_train, size)
    turn = np.arange(size) // len(np.unique(dataset.y_train))
    directions = class_directions(dataset, order[:MOST])
    x = embed(dataset, np.resize(order, turn[-1] + 1))[turn] + directions[y]
    return Prototypes(x, y.astype(np.int32))


def k_means(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """The centres of k-means clusters within each class; a quantity is the mean of its cluster.

    A class with fewer examples than centres gives its examples themselves, repeated; so do
    examples that are the same.
    """

    def centres(own: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        if len(own) <= count:
            repeated = np.resize(own, count)
            return embed(dataset, repeated), dataset.y_train[repeated]
        own = rng.permutation(own)[:CLUSTERED] if len(own) > CLUSTERED else own
        x = embed(dataset, own)
        found = _clusters(x.reshape(len(x), -1), count, rng)
        filled, place = np.unique(found.labels_, return_inverse=True)
        means = np.bincount(place, dataset.y_train[own]) / np.bincount(place)
        turn = np.resize(np.arange(len(filled)), count)
        return found.cluster_centers_[filled[turn]].reshape(count, *x.shape[1:]), means[turn]

    return by_class(dataset, size, centres)


def medoids(dataset: Dataset, size: int, rng: np.random.Generator) -> Prototypes:
    """The real example nearest to each centre of k-means within its class, by `features`."""

    def nearest(own: np.ndarray, count: int) -> np.ndarray:
        if len(own) <= count:
            return np.resize(own, count)
        x, _ = features(dataset, own)
        found = _clusters(x, count, rng)
        return own[pairwise_distances_argmin(found.cluster_centers_, x)]

    return real_examples(dataset, size, nearest)


def matching_pursuit(
    learner: Learner, dataset: Dataset, size: int, rng: np.random.Generator
) -> Prototypes:
    """The real examples from which a kernel regression explains the classes, or a quantity, best.

    Orthogonal matching pursuit (Pati et al., 1993): each next example is the one whose kernel
    with all others explains most of what is left. The kernel is that of the last layer's inputs
    in random networks: as training with learned labels begins, this layer makes such a
    regression. Classes may have different numbers of examples. Too few examples are repeated.

    Raises:
        UserError: the network's layers are not known.
    """
    order = rng.permutation(len(dataset.y_train))[:MOST]
    x = _last_inputs(learner, dataset, order, rng)
    labels = dataset.y_train[order]
    left = labels[:, None] if dataset.target else np.eye(len(dataset.classes))[labels]
    left -= left.mean(axis=0)
    norms = np.einsum("ni,ni->n", x @ (x.T @ x), x)  # of the kernel's columns, less the basis
    least = 1e-9 * norms.max()
    basis = np.zeros((len(order), min(size, len(order))))
    chosen: list[int] = []
    for i in range(basis.shape[1]):
        gains = np.sum((x @ (x.T @ left)) ** 2, axis=1) / np.maximum(norms, least)
        gains[chosen] = -1
        chosen.append(int(np.argmax(gains)))
        column = x @ x[chosen[-1]]
        column -= basis @ (basis.T @ column)
        basis[:, i] = column / max(float(np.linalg.norm(column)), least)
        left -= np.outer(basis[:, i], basis[:, i] @ left)
        norms -= (x @ (x.T @ basis[:, i])) ** 2
    places = np.resize(order[chosen], size)
    return Prototypes(embed(dataset, places), dataset.y_train[places], places)


def _last_inputs(
    learner: Learner, dataset: Dataset, index: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The inputs of the last layer for training examples, of DRAWN random networks in a row.

    They are float64 `[len(index), DRAWN * features]`, with a mean of zero.
    """
    model = learner.model
    if not is_functional(model):
        raise UserError(
            "sample_init=matching_pursuit needs a functional or sequential model, got "
            f"{type(model).__name__}; use sample_init=medoids"
        )
    body = Learner(keras.Model(model.inputs, model.layers[-1].input))
    networks = [body.init(rng.integers(2**31, size=2, dtype=np.int32)) for _ in range(DRAWN)]
    apply = tf.function(body.apply)
    found = []
    for part in np.split(index, range(EMBED_BATCH, len(index), EMBED_BATCH)):
        x = tf.constant(embed(dataset, part))
        found.append(np.concatenate([apply(w, x) for w in networks], axis=1))
    features = np.concatenate(found).astype(np.float64)
    return features - features.mean(axis=0)


def _clusters(x: np.ndarray, count: int, rng: np.random.Generator) -> KMeans:
    if not np.isfinite(x).all():
        raise UserError(
            "training inputs have a NaN or an infinite number, so they have no clusters; leave "
            "these examples out"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer clusters, of equal examples
        return KMeans(count, n_init=1, random_state=int(rng.integers(2**31))).fit(x)


def real_starts(
    learner: Learner,
) -> dict[str, Callable[[Dataset, int, np.random.Generator], Prototypes]]:
    """The ways to make a start of real examples, by `sample_init`."""
    return {
        "real": draw_real,
        "linear": directed,
        "k_means": k_means,
        "medoids": medoids,
        "matching_pursuit": functools.partial(matching_pursuit, learner),
    }


def usual_labels(dataset: Dataset, size: int) -> np.ndarray:
    """The labels `[size]` of noise at the start: classes in turn, or quantiles of a quantity."""
    if dataset.target:
        return np.quantile(dataset.y_train, (np.arange(size) + 0.5) / size)
    return np.arange(size) % len(dataset.classes)


def initial_samples(
    shape: tuple[int, ...],
    targets: np.ndarray,
    *,
    steps: int,
    samples_per_step: int,
    epochs: int,
    inner_lr: float,
    label_init: str,
    seed: int,
    certainty: float = 1.0,
    scale: float = 1.0,
    real: np.ndarray | None = None,
) -> Samples:
    """The samples at the start of a distillation (Algorithm 1a, line 1).

    They are drawn from a standard normal, unless real ones are given, and scaled. Targets are in
    order, from one step to the next: with 4 samples a step and 10 classes in turn the steps have
    classes 0 to 3, 4 to 7, then 8, 9, 0, 1.

    Args:
        shape: of one embedded sample.
        targets: of the samples, float32 `[M, outputs]`.
        steps: gradient steps an epoch.
        samples_per_step: samples in each step, n.
        epochs: passes through the steps, each with its own learning rates.
        inner_lr: every learning rate at the start.
        label_init: "one_hot" for the targets, or "random" for standard normal labels.
        seed: of the run.
        certainty: of one-hot targets, which share the rest among the other classes.
        scale: a factor of the samples.
        real: as many real samples `[M, *shape]`.

    Returns:
        float32 x `[steps, n, *shape]`, y `[steps, n, outputs]`, lr `[epochs * steps]`.
    """
    outputs, size = targets.shape[1], (steps, samples_per_step)
    draw = numpy_generator(seed, Stream.SAMPLES).standard_normal
    x = real.reshape(*size, *shape) if real is not None else draw((*size, *shape), dtype=np.float32)
    if label_init == "random":
        draw = numpy_generator(seed, Stream.LABELS).standard_normal
        y = draw((*size, outputs), dtype=np.float32)
    else:
        y = targets.reshape(*size, outputs)
        if certainty < 1:
            rest = (1 - certainty) / max(outputs - 1, 1)
            y = np.float32(certainty) * y + np.float32(rest) * (1 - y)
    return Samples(np.float32(scale) * x, y, np.full(epochs * steps, inner_lr, np.float32))


def class_directions(dataset: Dataset, index: np.ndarray) -> np.ndarray:
    """The way to each class, `[classes, 1, channels]` for texts, else `[classes, *shape]`.

    It is the weights of a logistic regression on the mean word of a text, or on the whole
    example, for the training examples `index`, at SHARE of the norm of a typical one.
    """
    shape = dataset.encoding.shape
    x, norm = features(dataset, index)
    model = LogisticRegression(C=10, max_iter=2000).fit(x, dataset.y_train[index])
    weights = (
        model.coef_ if len(model.classes_) > 2 else np.concatenate([-model.coef_, model.coef_])
    )
    ways = np.zeros((len(dataset.classes), x.shape[1]), np.float32)
    ways[model.classes_] = SHARE * norm * weights / np.linalg.norm(weights, axis=1, keepdims=True)
    return ways.reshape(-1, 1, shape[1]) if len(shape) == 2 else ways.reshape(-1, *shape)


def features(dataset: Dataset, index: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean word of each text, or the whole example as one, and the norm of a typical word."""
    means, squares, words = [], 0.0, 0
    for part in np.split(index, range(EMBED_BATCH, len(index), EMBED_BATCH)):
        x = embed(dataset, part)
        vectors = x if x.ndim == 3 else x.reshape(len(x), 1, -1)
        there = vectors.any(axis=-1)  # zeros pad a short text
        means.append(vectors.sum(axis=1) / np.maximum(there.sum(axis=1, keepdims=True), 1))
        squares += float(np.sum(vectors**2))
        words += int(there.sum())
    return np.concatenate(means), float(np.sqrt(squares / max(words, 1)))
