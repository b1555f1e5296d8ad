"""The distilled set: samples, labels and learning rates as variables to be learned."""

from collections.abc import Collection

import numpy as np
import tensorflow as tf

from tf_distill.core.inner import Samples


class DistilledSet(tf.Module):
    """Samples x, labels y and learning rates, the last kept positive by a softplus.

    Args:
        samples: initial values: x `[steps, n, ...]`, y `[steps, n, outputs]`, lr
            `[epochs * steps]`, all of them positive.
        learned: what of x, lr and y is learned, the rest stays as it is: without y the
            labels are hard (DD), with it they are soft (SLDD).
    """

    def __init__(self, samples: Samples, learned: Collection[str] = ("x", "lr", "y")):
        super().__init__(name="distilled")
        self.x = tf.Variable(samples.x, name="x")
        self.y = tf.Variable(samples.y, name="y")
        self.rate = tf.Variable(_inverse_softplus(samples.lr), name="rate")
        self._learned = tuple(learned)

    def set(self, samples: Samples) -> None:
        """Takes the values of other samples of the same shapes."""
        self.x.assign(samples.x)
        self.y.assign(samples.y)
        self.rate.assign(_inverse_softplus(samples.lr))

    @property
    def samples(self) -> Samples:
        """The values as tensors, with learning rates in place of what is stored."""
        return Samples(
            tf.convert_to_tensor(self.x), tf.convert_to_tensor(self.y), tf.nn.softplus(self.rate)
        )

    @property
    def learned(self) -> list[tf.Variable]:
        """The variables that the outer optimizer updates, in the order of `pull_back`."""
        variables = {"x": self.x, "lr": self.rate, "y": self.y}
        return [variables[name] for name in self._learned]

    def pull_back(self, gradients: Samples) -> list[tf.Tensor]:
        """Gradients of `samples` as gradients of `learned`, through the softplus."""
        stored = gradients._replace(lr=gradients.lr * tf.sigmoid(self.rate))
        return [getattr(stored, name) for name in self._learned]


def _inverse_softplus(value: np.ndarray) -> np.ndarray:
    value = np.asarray(value)
    return (value + np.log(-np.expm1(-value.astype(np.float64)))).astype(value.dtype)
