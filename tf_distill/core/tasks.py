"""What a network learns to answer: which of several classes, or a quantity.

All that differs between the two is in a `Task`: the rest of this room does not ask which it is.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill.core.losses import Losses, cross_entropies, squared_errors
from tf_distill.datasets import Dataset, Target


class Task(NamedTuple):
    """The loss of a task, its targets, and how answers are scored.

    losses: of targets and outputs. encode: from labels `[batch]`, as a dataset stores them, to
    targets `[batch, outputs]`. predict: from outputs `[batch, outputs]` to labels of `dtype`
    `[batch]`. score: of predicted labels `[..., N]` and true ones `[N]`; 1 for perfect. It is the
    accuracy, or R2.
    """

    losses: Losses
    encode: Callable[[tf.Tensor], tf.Tensor]
    predict: Callable[[tf.Tensor], tf.Tensor]
    dtype: tf.DType
    score: Callable[[np.ndarray, np.ndarray], np.ndarray]


def task_of(dataset: Dataset) -> Task:
    """The task of a dataset."""
    return task_for(dataset.target, dataset.outputs)


def task_for(target: Target | None, outputs: int) -> Task:
    """The task of a quantity or, without one, of the classes that so many outputs tell apart."""
    if target is None:
        one_hot = functools.partial(encode, outputs=outputs)
        return Task(cross_entropies, one_hot, predict, tf.int32, accuracy)
    return Task(
        squared_errors,
        functools.partial(standardised, target),
        functools.partial(in_units, target),
        tf.float64,
        r_squared,
    )


def encode(labels: tf.Tensor, outputs: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Class indices `[batch]` as targets `[batch, outputs]`: one-hot, or 0 and 1 if binary."""
    if outputs == 1:
        return tf.cast(labels, dtype)[:, tf.newaxis]
    return tf.one_hot(labels, outputs, dtype=dtype)


def predict(logits: tf.Tensor) -> tf.Tensor:
    """The predicted class indices, int32 `[batch]`, of logits `[batch, outputs]`."""
    if logits.shape[-1] == 1:
        return tf.cast(logits[:, 0] > 0, tf.int32)
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def accuracy(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The share of the examples that is right."""
    return np.mean(predicted == true, axis=-1)


def standardised(target: Target, labels: tf.Tensor) -> tf.Tensor:
    """Quantities `[batch]` as targets, float32 `[batch, 1]`."""
    scaled = (tf.cast(labels, tf.float64) - target.mean) / target.std
    return tf.cast(scaled, tf.float32)[:, tf.newaxis]


def in_units(target: Target, outputs: tf.Tensor) -> tf.Tensor:
    """Outputs `[batch, 1]` as quantities in the units of the data, float64 `[batch]`."""
    return tf.cast(outputs[:, 0], tf.float64) * target.std + target.mean


def r_squared(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """R2, the share of the variance that is explained: 0 for always the mean, below 0 for worse.

    True labels that are all the same have no variance; then any error gives 0.
    """
    errors, variance = np.mean((predicted - true) ** 2, axis=-1), np.var(true)
    return 1 - errors / (variance or np.maximum(errors, np.finfo(np.float64).tiny))
