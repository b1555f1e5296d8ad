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
from tf_distill.core.tasks import Task, task_of
from tf_distill.datasets import Dataset

TEST_BATCH = 250
"""Test examples at a time, on each core."""


class Accuracy(NamedTuple):
    """Fractions of the test examples, over networks: mean and population standard deviation.

    For a quantity they are R2, the share of its variance that is explained.
    """

    mean: float
    std: float
    networks: int

    @classmethod
    def of(cls, accuracies: Sequence[float]) -> "Accuracy":
        """Of the networks' own accuracies."""
        return cls(float(np.mean(accuracies)), float(np.std(accuracies)), len(accuracies))


class Evaluated(NamedTuple):
    """Networks after the test: their accuracy, and their answers `[networks, examples]`.

    Answers are class indices, int32, or quantities, float64.
    """

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

    def rmse(self, y: np.ndarray) -> Accuracy:
        """The root mean squared error of quantities, in the units of the data.

        `y` are those of the test examples.
        """
        return Accuracy.of(np.sqrt(np.mean((self.answers - y) ** 2, axis=1)).tolist())


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
    learner: Learner,
    encoding: Callable[[tf.Tensor], tf.Tensor],
    inputs: np.ndarray,
    task: Task,
) -> Callable[[Weights], tf.Tensor]:
    """Compiles the prediction of stored inputs `[examples, ...]`, for many calls.

    Returns:
        A function of weights, which gives the predicted labels `[examples]`.
    """
    x, examples = tf.constant(inputs), len(inputs)
    parts = -(-examples // TEST_BATCH)

    def predict_part(i: tf.Tensor, found: tf.TensorArray, weights: Weights):
        part = x[i * TEST_BATCH : (i + 1) * TEST_BATCH]
        return i + 1, found.write(i, task.predict(learner.apply(weights, encoding(part))))

    @graph_function
    def labels(weights: Weights) -> tf.Tensor:
        found = tf.TensorArray(task.dtype, parts, infer_shape=False, element_shape=[None])
        _, found = tf.while_loop(
            lambda i, _: i < parts,
            lambda i, found: predict_part(i, found, weights),
            (0, found),
            parallel_iterations=parallel.at_once(),
        )
        return found.concat()

    labels._omit_frequent_tracing_warning = True  # each network and split has its own
    return labels


def answerer(learner: Learner, dataset: Dataset, fit: Fit) -> Answerer:
    """Compiles the answers of one network to the whole test split, for many calls.

    Returns:
        A function of samples, initial weights and the number of a random order, which trains the
        network on the samples by `fit` and gives the labels that it predicts `[examples]`; without
        samples (None), those of the weights as they are.
    """
    labels = predictor(learner, dataset.encoding, dataset.x_test, task_of(dataset))

    def answers(samples: Samples | None, weights: Weights, order: int = 0) -> np.ndarray:
        return labels(fit(samples, weights, order) if samples else weights).numpy()

    return answers


def tester(learner: Learner, dataset: Dataset, fit: Fit) -> Tester:
    """The same, but the function gives the network's accuracy."""
    answers, score = answerer(learner, dataset, fit), task_of(dataset).score
    return lambda *given: float(score(answers(*given), dataset.y_test))


def evaluator(
    learner: Learner, dataset: Dataset, recipe: Recipe = REPLAY
) -> Callable[[Samples | None, Iterable], Evaluated]:
    """Tests many networks, each with a random order of its own.

    It gives a function of samples and an iterable of initial weights.
    """
    answers = answerer(learner, dataset, compiled_train(learner, recipe))
    score = task_of(dataset).score

    def evaluate(samples: Samples | None, networks: Iterable[Weights]) -> Evaluated:
        numbered = ((samples, weights, order) for order, weights in enumerate(networks))
        found = np.stack(parallel.each(answers, numbered))
        return Evaluated(Accuracy.of(score(found, dataset.y_test).tolist()), found)

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
