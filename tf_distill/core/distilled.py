"""The distilled set: samples, labels and learning rates as variables to be learned."""

from collections.abc import Collection

import numpy as np
import tensorflow as tf

from tf_distill.common import Stream, numpy_generator
from tf_distill.core.inner import Samples
from tf_distill.core.losses import encode
from tf_distill.core.starts import Prototypes


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


def initial_samples(
    shape: tuple[int, ...],
    classes: int,
    *,
    steps: int,
    samples_per_step: int,
    epochs: int,
    inner_lr: float,
    label_init: str,
    seed: int,
    scale: float = 1.0,
    real: Prototypes | None = None,
) -> Samples:
    """What distillation starts from (Algorithm 1a, line 1).

    Samples are drawn from a standard normal, unless real ones are given, and scaled. One-hot
    labels give them the classes in turn, going on from one step to the next: with 4 samples a
    step and 10 classes, the first step has classes 0 to 3, the second 4 to 7, the third 8, 9,
    0, 1.

    Args:
        shape: of one embedded sample.
        classes: how many classes the task has; 2 make a single output.
        steps: gradient steps an epoch.
        samples_per_step: samples in each step, n.
        epochs: how often the steps are gone through, each time with learning rates of its own.
        inner_lr: every learning rate at the start.
        label_init: "one_hot", or "random" for standard normal labels.
        seed: of the run.
        scale: a factor of the samples.
        real: samples to start from, as many as there are, with their classes.

    Returns:
        float32 x `[steps, n, *shape]`, y `[steps, n, outputs]`, lr `[epochs * steps]`.
    """
    outputs = 1 if classes == 2 else classes
    size = (steps, samples_per_step)
    draw = numpy_generator(seed, Stream.SAMPLES).standard_normal
    x = real.x.reshape(*size, *shape) if real else draw((*size, *shape), dtype=np.float32)
    if label_init == "random":
        draw = numpy_generator(seed, Stream.LABELS).standard_normal
        y = draw((*size, outputs), dtype=np.float32)
    else:
        in_turn = np.arange(steps * samples_per_step) % classes
        y = encode(real.y if real else in_turn, outputs).numpy().reshape(*size, outputs)
    return Samples(np.float32(scale) * x, y, np.full(epochs * steps, inner_lr, np.float32))


def _inverse_softplus(value: np.ndarray) -> np.ndarray:
    value = np.asarray(value)
    return (value + np.log(-np.expm1(-value.astype(np.float64)))).astype(value.dtype)
