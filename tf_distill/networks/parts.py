"""Parts that the networks of the registry share."""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

Shape = tuple[int, ...]


def xavier() -> keras.initializers.Initializer:
    """Xavier normal without truncation; a new object for each weight makes draws independent."""
    return keras.initializers.VarianceScaling(1.0, "fan_avg", "untruncated_normal")


def scaled(units: int, width: float) -> int:
    """So many times the units; at least one."""
    return max(1, round(units * width))


def dense(units: int, activation: str | None = None) -> layers.Layer:
    """A dense layer."""
    return layers.Dense(units, activation, kernel_initializer=xavier())


def dropping(rate: float) -> list[layers.Layer]:
    """A layer of dropout, or no layer for rate 0."""
    return [layers.Dropout(rate)] if rate else []


def head(hidden: list[int], outputs: int, dropout: float) -> list[layers.Layer]:
    """Hidden dense layers, dropout, and the logits."""
    return [*(dense(units, "relu") for units in hidden), *dropping(dropout), dense(outputs)]


def custom_gradient(function: Callable) -> Callable:
    """As `tf.custom_gradient`, but autograph would compile the function without its gradient."""
    return tf.autograph.experimental.do_not_convert(tf.custom_gradient(function))
