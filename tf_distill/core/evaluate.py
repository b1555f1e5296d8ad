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


class Evaluated(NamedTuple):
    """Networks after the test: their accuracy, and their answers, int32 `[networks, examples]`."""

    accuracy: Accuracy
    answers: np.ndarray

    def confusion(self, y: np.ndarray, classes: int) -> np.ndarray:
        """How often an example of each class (a row) got each answer (a column).

        Args:
            y: the class indices of the test examples.
            classes: their number.

        Returns:
            int64 `[classes, classes]`, summed over the networks.
        """
        pairs = (y.astype(np.int64) * classes + self.answers).ravel()
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


Fit = Callable[..., Weights]
"""Trains (samples, initial weights) by the random order of a number, 0 by default."""
Answerer = Callable[..., np.ndarray]
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


def answerer(learner: Learner, dataset: Dataset, fit: Fit) -> Answerer:
    """Compiles the answers of one network to the whole test split, for many calls.

    Returns:
        A function of samples, initial weights and the number of a random order, which trains the
        network on the samples by `fit` and gives the class indices that it predicts, int32
        `[examples]`; without samples (None), those of the weights as they are.
    """
    classes = predictor(learner, dataset.encoding, dataset.x_test)

    def answers(samples: Samples | None, weights: Weights, order: int = 0) -> np.ndarray:
        return classes(fit(samples, weights, order) if samples else weights).numpy()

    return answers


def tester(learner: Learner, dataset: Dataset, fit: Fit) -> Tester:
    """The same, but the function gives the network's accuracy."""
    answers = answerer(learner, dataset, fit)
    return lambda *given: float(np.mean(answers(*given) == dataset.y_test))


def evaluator(
    learner: Learner, dataset: Dataset, recipe: Recipe = REPLAY
) -> Callable[[Samples | None, Iterable], Evaluated]:
    """Tests many networks, each with a random order of its own.

    It gives a function of samples and an iterable of initial weights.
    """
    answers = answerer(learner, dataset, compiled_train(learner, recipe))

    def evaluate(samples: Samples | None, networks: Iterable[Weights]) -> Evaluated:
        numbered = ((samples, weights, order) for order, weights in enumerate(networks))
        found = np.stack(parallel.each(answers, numbered))
        return Evaluated(Accuracy.of((found == dataset.y_test).mean(axis=1).tolist()), found)

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
