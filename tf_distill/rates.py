"""Learning rates for other networks than a set was distilled for."""

import dataclasses

import tensorflow as tf

from tf_distill import seeds
from tf_distill.datasets.base import Dataset
from tf_distill.evaluate import evaluator
from tf_distill.inner import Samples
from tf_distill.learner import Learner

SCALES = (1.0, 0.5, 2.0, 0.25, 4.0, 0.125, 0.0625, 0.03125)
"""The factors tried by default, those nearest to 1 first."""


def scaled(samples: Samples, factor: float) -> Samples:
    """The samples with all learning rates times one factor."""
    x, y, lr = (tf.convert_to_tensor(value) for value in samples)
    return Samples(x, y, lr * factor)


def training_part(dataset: Dataset, size: int, seed: int) -> Dataset:
    """The dataset with random examples of its training split in place of its test split.

    Args:
        dataset: its test split is not looked at.
        size: examples, cut to the size of the training split.
        seed: of the run.
    """
    draw = seeds.generator(seed, seeds.Stream.HELD_OUT)
    part = draw.permutation(len(dataset.y_train))[:size]
    raw = None if dataset.raw_train is None else dataset.raw_train[part]
    x, y = dataset.x_train[part], dataset.y_train[part]
    return dataclasses.replace(dataset, x_test=x, y_test=y, raw_test=raw)


def best_scale(
    learner: Learner,
    samples: Samples,
    dataset: Dataset,
    seed: int,
    *,
    networks: int = 3,
    size: int = 1000,
    scales: tuple[float, ...] = SCALES,
) -> float:
    """The factor of the learning rates with which a network learns best from samples.

    Chosen by the accuracy on training data, from random initial networks other than
    those that sets are tested with.

    Args:
        learner: the network.
        samples: the distilled set.
        dataset: of which only training data are used.
        seed: of the run.
        networks: initial networks that each factor is tried on, the same for all.
        size: training examples to measure on.
        scales: the factors; the first of equally good ones is chosen.
    """
    measure = evaluator(learner, training_part(dataset, size, seed))
    stream = seeds.key(seed, seeds.Stream.HELD_OUT)
    initial = [learner.init(tf.random.fold_in(stream, i)) for i in range(networks)]
    return max(scales, key=lambda scale: measure(scaled(samples, scale), initial).mean)
