"""Keras layers that TensorFlow has only without a second derivative."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tf_distill")
class ChannelNormalization(keras.layers.Layer):
    """Local response normalisation over neighbouring channels, in PyTorch's convention.

        y[c] = x[c] / (1 + alpha / size * sum of x[i]^2 for size channels around c)^beta

    The window holds size // 2 channels before c and (size - 1) // 2 after it.
    `tf.nn.local_response_normalization` has no second derivative; this one is made
    of differentiable parts.
    """

    def __init__(self, size: int = 4, alpha: float = 0.001 / 9, beta: float = 0.75, **kwargs):
        super().__init__(**kwargs)
        self.size, self.alpha, self.beta = size, alpha, beta

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Normalises `[batch, ..., channels]`."""
        before, after = self.size // 2, (self.size - 1) // 2
        channels = x.shape[-1]
        squares = tf.pad(tf.square(x), [[0, 0]] * (len(x.shape) - 1) + [[before, after]])
        window = tf.add_n([squares[..., i : i + channels] for i in range(self.size)])
        return x * tf.pow(1.0 + (self.alpha / self.size) * window, -self.beta)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        return {**super().get_config(), "size": self.size, "alpha": self.alpha, "beta": self.beta}
