"""Learns two or three labelled points that stand for all of Iris, through nearest neighbours.

The points' places and label logits are variables; the prediction for a flower is the mean
of the points' labels, each weighted by one over its distance; and gradient descent lowers
a cross-entropy over all 150 flowers.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.datasets import load_iris

from tf_distill.knn import SoftLabelKNeighborsClassifier

SHARPNESS = 10.0
"""The power of the probabilities in the loss. With two points they are a straight line from one
label to the other, so no probability can be near 1, and the plain cross-entropy (a power of 1)
would trade correct answers for it; a high power counts the winner, as the accuracy does."""
LEARNING_RATE = 0.05
HARD = 4.0
"""The logit of a point's own class where its label begins, next to zeros: 0.96 of the label."""


class Flowers(NamedTuple):
    """Petal length and width in cm `[150, 2]`, class `[150]` and the classes' names."""

    x: np.ndarray
    y: np.ndarray
    names: list[str]


class Points(NamedTuple):
    """Places `[n, 2]` in cm and label distributions `[n, 3]`."""

    places: np.ndarray
    labels: np.ndarray


def flowers() -> Flowers:
    """Iris, its petals only."""
    iris = load_iris()
    return Flowers(iris.data[:, 2:], iris.target, list(iris.target_names))


def draw(data: Flowers, classes: list[int], rng: np.random.Generator) -> Points:
    """One random flower of each of some classes, with a hard label."""
    rows = [rng.choice(np.flatnonzero(data.y == c)) for c in classes]
    return Points(data.x[rows], np.eye(len(data.names))[classes])


def classifier(points: Points) -> SoftLabelKNeighborsClassifier:
    """The classifier that the points are: all of them decide, by one over the distance."""
    return SoftLabelKNeighborsClassifier(algorithm="kd_tree").fit(*points)


def correct(points: Points, data: Flowers) -> int:
    """How many of the 150 flowers the points classify right."""
    return int((classifier(points).predict(data.x) == data.y).sum())


def every_draw(data: Flowers) -> np.ndarray:
    """How many flowers each choice of one flower a class classifies right: `[50, 50, 50]`."""
    first, second, third = (cdist(data.x[data.y == c], data.x) for c in range(len(data.names)))
    right = np.zeros((len(first), len(second), len(third)), int)
    for x, c in enumerate(data.y):
        distances = np.ix_(first[:, x], second[:, x], third[:, x])
        right += np.stack(np.broadcast_arrays(*distances)).argmin(0) == c
    return right


def probabilities(places: tf.Tensor, labels: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """`SoftLabelKNeighborsClassifier.predict_proba`, differentiable: `[m, 3]` for x `[m, 2]`."""
    squares = tf.reduce_sum((x[:, None] - places) ** 2, -1)
    weights = tf.math.rsqrt(squares + 1e-9)  # a flower's own place would be at distance 0
    return weights / tf.reduce_sum(weights, 1, keepdims=True) @ labels


def loss(places: tf.Tensor, labels: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Cross-entropy in nats of the sharpened probabilities for flowers x `[m, 2]`, y `[m]`."""
    sharp = SHARPNESS * tf.math.log(probabilities(places, labels, x) + 1e-9)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, sharp))


def learn(start: Points, data: Flowers, *, move: bool, relabel: bool, steps: int) -> list[Points]:
    """Optimises points by Adam on the loss over all flowers.

    Args:
        start: points with hard labels.
        data: the flowers.
        move: whether places are learned.
        relabel: whether labels are learned; else they stay hard.
        steps: of gradient descent.

    Returns:
        The points before the first step and after each.
    """
    x, y = tf.constant(data.x), tf.constant(data.y)
    places, logits = tf.Variable(start.places), tf.Variable(HARD * start.labels)
    learned = [places] * move + [logits] * relabel
    adam = keras.optimizers.Adam(LEARNING_RATE)
    adam.build(learned)

    def labels() -> tf.Tensor:
        return tf.nn.softmax(logits) if relabel else tf.constant(start.labels)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            value = loss(places, labels(), x, y)
        adam.apply(tape.gradient(value, learned), learned)

    history = [Points(places.numpy(), labels().numpy())]
    for _ in range(steps):
        step()
        history.append(Points(places.numpy(), labels().numpy()))
    return history


def two_points(data: Flowers, steps: int = 300, seed: int = 0) -> list[Points]:
    """Figure 4: from a setosa and a virginica to two points that separate three classes."""
    start = draw(data, [0, 2], np.random.default_rng(seed))
    return learn(start, data, move=True, relabel=True, steps=steps)


def four_ways(data: Flowers, steps: int = 300, seed: int = 2) -> dict[str, list[Points]]:
    """Figure 3: the same three random flowers, one of each class, learn in four ways.

    Returns:
        For each way the points before the first step and after each. A step of selection
        is another random draw, and its list is short: four draws.
    """
    rng = np.random.default_rng(seed)
    draws = [draw(data, [0, 1, 2], rng) for _ in range(4)]
    ways = {"generation": (True, False), "soft labels": (False, True), "both": (True, True)}
    return {"selection": draws} | {
        way: learn(draws[0], data, move=move, relabel=relabel, steps=steps)
        for way, (move, relabel) in ways.items()
    }
