"""The distilled set: samples, labels and learning rates as variables to be learned."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_distill.core.inner import Samples

LEAST = 1e-6
"""The least probability that a label starts with."""


class Form(NamedTuple):
    """How a variable stands for a value with bounds.

    value: from the variable; pull_back: from the variable and d loss / d value to
    d loss / d variable; stored: from a value, an array, to the variable's.
    """

    value: Callable[[tf.Variable], tf.Tensor]
    pull_back: Callable[[tf.Variable, tf.Tensor], tf.Tensor]
    stored: Callable[[np.ndarray], np.ndarray]


def _inverse_softplus(value: np.ndarray) -> np.ndarray:
    return value + np.log(-np.expm1(-value))


def _softmax_back(logits: tf.Variable, gradient: tf.Tensor) -> tf.Tensor:
    value = tf.nn.softmax(logits)
    return value * (gradient - tf.reduce_sum(gradient * value, -1, keepdims=True))


PLAIN = Form(tf.convert_to_tensor, lambda variable, gradient: gradient, lambda value: value)
POSITIVE = Form(
    tf.nn.softplus, lambda variable, gradient: gradient * tf.sigmoid(variable), _inverse_softplus
)
SOFTMAX = Form(tf.nn.softmax, _softmax_back, lambda value: np.log(np.maximum(value, LEAST)))


def below(most: float | tf.Variable) -> Form:
    """Numbers between 0 and `most`, by a sigmoid; of one output they are probabilities."""

    def pull_back(variable: tf.Variable, gradient: tf.Tensor) -> tf.Tensor:
        share = tf.sigmoid(variable)
        return gradient * most * share * (1 - share)

    def stored(value: np.ndarray) -> np.ndarray:
        share = np.clip(value / np.asarray(most), LEAST, 1 - LEAST)
        return np.log(share / (1 - share))

    return Form(lambda variable: most * tf.sigmoid(variable), pull_back, stored)


class DistilledSet(tf.Module):
    """Samples x, labels y and learning rates, which are positive.

    Args:
        samples: initial values: x `[steps, n, ...]`, y `[steps, n, outputs]`, lr
            `[epochs * steps]`, all of them positive.
        learned: what of x, lr and y is learned, the rest stays as it is: without y the
            labels are hard (DD), with it they are soft (SLDD).
        probabilities: whether labels stay probabilities; otherwise they are any real numbers.
        growth: how many times its start a rate that all inner steps share may become; None for a
            rate of its own for each step, without a bound.
    """

    def __init__(
        self,
        samples: Samples,
        learned: Collection[str] = ("x", "lr", "y"),
        probabilities: bool = False,
        growth: float | None = None,
    ):
        super().__init__(name="distilled")
        binary = samples.y.shape[-1] == 1
        label = PLAIN if not probabilities else below(1.0) if binary else SOFTMAX
        self._steps, self._growth = len(samples.lr), growth
        rate_form = POSITIVE
        if growth is not None:
            self.most = tf.Variable(growth * samples.lr[0], trainable=False, name="most")
            rate_form = below(self.most)
        self._forms = Samples(PLAIN, label, rate_form)
        x, y, rate = self._stored(samples)
        self.x, self.y = tf.Variable(x, name="x"), tf.Variable(y, name="y")
        self.rate = tf.Variable(rate, name="rate")
        self._learned = tuple(learned)

    def set(self, samples: Samples) -> None:
        """Takes the values of other samples of the same shapes, as if begun with them."""
        if self._growth is not None:
            self.most.assign(self._growth * samples.lr[0])
        for variable, value in zip(self._variables, self._stored(samples), strict=True):
            variable.assign(value)

    @property
    def samples(self) -> Samples:
        """The values as tensors."""
        x, y, lr = (
            form.value(variable)
            for form, variable in zip(self._forms, self._variables, strict=True)
        )
        return Samples(x, y, tf.broadcast_to(lr, [self._steps]))

    @property
    def learned(self) -> list[tf.Variable]:
        """The variables that the outer optimizer updates, in the order of `pull_back`."""
        return [getattr(self._variables, name) for name in self._learned]

    def pull_back(self, gradients: Samples) -> list[tf.Tensor]:
        """Gradients of `samples` as gradients of `learned`."""
        if self._growth is not None:
            gradients = gradients._replace(lr=tf.reduce_sum(gradients.lr, keepdims=True))
        return [
            getattr(self._forms, name).pull_back(
                getattr(self._variables, name), getattr(gradients, name)
            )
            for name in self._learned
        ]

    @property
    def _variables(self) -> Samples:
        return Samples(self.x, self.y, self.rate)

    def _stored(self, samples: Samples) -> Samples:
        """What the variables hold for samples."""
        lr = samples.lr if self._growth is None else samples.lr[:1]
        values = map(np.asarray, samples._replace(lr=lr))
        return Samples(
            *(
                form.stored(value.astype(np.float64)).astype(value.dtype)
                for form, value in zip(self._forms, values, strict=True)
            )
        )
