"""Distillation accuracy: networks trained on a distilled set, tested on real data."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill.common import Stream, seed_key
from tf_distill.core import parallel
from tf_distill.core.compiling import compiled, graph_function
from tf_distill.core.inner import REPLAY, Recipe, Samples, train
from tf_distill.core.learner import Learner, Weights, fixed_network
from tf_distill.core.losses import predict
from tf_distill.datasets import Dataset

TEST_BATCH = 250
"""Test examples at a time, on each core."""


class Accuracy(NamedTuple):
    """Fractions of the test examples, over networks: mean and population standard deviation."""

    mean: float
    std: float
    networks: int

    @classmethod
    def of(cls, accuracies: Sequence[float]) -> "Accuracy":
        """Of the networks' own accuracies."""
        return cls(float(np.mean(accuracies)), float(np.std(accuracies)), len(accuracies))


Fit = Callable[..., Weights]
"""Trains (samples, initial weights) by the random order of a number, 0 by default."""
Tester = Callable[..., float]


def compiled_train(learner: Learner, recipe: Recipe = REPLAY) -> Fit:
    """`inner.train` for this network, compiled once for each shape of samples."""
    fit = compiled(lambda samples, weights, order: train(learner, samples, weights, recipe, order))

    def trained(samples: Samples, weights: Weights, order: int = 0) -> Weights:
        return fit(samples, weights, tf.constant(order))

    return trained


def predictor(
    learner: Learner, encoding: Callable[[tf.Tensor], tf.Tensor], inputs: np.ndarray
) -> Callable[[Weights], tf.Tensor]:
    """Compiles the prediction of stored inputs `[examples, ...]`, for many calls.

    Returns:
        A function of weights, which gives the predicted class indices, int32 `[examples]`.
    """
    x, examples = tf.constant(inputs), len(inputs)
    parts = -(-examples // TEST_BATCH)

    def predict_part(i: tf.Tensor, found: tf.TensorArray, weights: Weights):
        part = x[i * TEST_BATCH : (i + 1) * TEST_BATCH]
        return i + 1, found.write(i, predict(learner.apply(weights, encoding(part))))

    @graph_function
    def classes(weights: Weights) -> tf.Tensor:
        found = tf.TensorArray(tf.int32, parts, infer_shape=False, element_shape=[None])
        _, found = tf.while_loop(
            lambda i, _: i < parts,
            lambda i, found: predict_part(i, found, weights),
            (0, found),
            parallel_iterations=parallel.at_once(),
        )
        return found.concat()

    classes._omit_frequent_tracing_warning = True  # each network and split has its own
    return classes


def tester(learner: Learner, dataset: Dataset, fit: Fit) -> Tester:
    """Compiles the test of one network on the whole test split, for many calls.

    Returns:
        A function of samples, initial weights and the number of a random order, which trains the
        network on the samples by `fit` and gives its accuracy; without samples (None), that of
        the weights as they are.
    """
    classes = predictor(learner, dataset.encoding, dataset.x_test)

    def test(samples: Samples | None, weights: Weights, order: int = 0) -> float:
        predicted = classes(fit(samples, weights, order) if samples else weights)
        return float(np.mean(predicted.numpy() == dataset.y_test))

    return test


def evaluator(
    learner: Learner, dataset: Dataset, recipe: Recipe = REPLAY
) -> Callable[[Samples | None, Iterable], Accuracy]:
    """The same over many networks, each with a random order of its own.

    It gives a function of samples and an iterable of initial weights.
    """
    test = tester(learner, dataset, compiled_train(learner, recipe))

    def evaluate(samples: Samples | None, networks: Iterable[Weights]) -> Accuracy:
        numbered = ((samples, weights, order) for order, weights in enumerate(networks))
        return Accuracy.of(parallel.each(test, numbered))

    return evaluate


def test_networks(learner: Learner, init: str, networks: int, seed: int) -> Iterable[Weights]:
    """The initial weights of the networks that test a distilled set, drawn one after the other.

    With init="fixed" that is the one network of the run, with "random" so many fresh ones, which
    the distillation has not seen.
    """
    if init == "fixed":
        yield fixed_network(learner, seed)
        return
    stream = seed_key(seed, Stream.EVALUATION)
    for i in range(networks):
        yield learner.init(tf.random.fold_in(stream, i))
