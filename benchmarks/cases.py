"""Configurations of the paper to measure, and random problems of their sizes.

Random numbers cost as much time as real ones: no dataset is needed.
"""

import math
from typing import NamedTuple

import keras
import numpy as np

from tf_distill.core import Learner
from tf_distill.networks import NETWORKS


class Case(NamedTuple):
    """One configuration.

    name: for the table; network: of the registry; shape: of an embedded example; outputs: logits;
    steps: distilled batches; samples: in each; epochs: over them; batch: real examples;
    uses: for each kernel of the network, how often one example is multiplied with it.
    """

    name: str
    network: str
    shape: tuple[int, ...]
    outputs: int
    steps: int
    samples: int
    epochs: int
    batch: int
    uses: tuple[int, ...]

    @property
    def inner_steps(self) -> int:
        """All steps of all epochs."""
        return self.steps * self.epochs


class Problem(NamedTuple):
    """Arrays: distilled samples, the real batch, and initial weights in the model's order."""

    x: np.ndarray
    y: np.ndarray
    lr: np.ndarray
    real_x: np.ndarray
    real_y: np.ndarray
    weights: list[np.ndarray]


_LENET = ("lenet", (28, 28, 1), 10)
_LENET_USES = (784, 100, 1, 1, 1)
CASES = (
    Case("LeNet, 10 images", *_LENET, 1, 10, 3, 1024, _LENET_USES),
    Case("LeNet, 100 images", *_LENET, 10, 10, 3, 1024, _LENET_USES),
    Case("AlexCifarNet, 100 images", "alexcifarnet", (32, 32, 3), 10, 10, 10, 3, 256,
         (1024, 256, 1, 1, 1)),
    Case("text CNN, 30 words", "textconvnet", (30, 100), 6, 1, 6, 5, 1024, (28, 27, 26, 1)),
    Case("text CNN, 400 words", "textconvnet", (400, 100), 1, 1, 2, 5, 256, (398, 397, 396, 1)),
    Case("Bi-RNN", "birnn", (30, 100), 5, 1, 5, 2, 1024, (*[30] * 8, 1)),
    Case("Bi-LSTM", "bilstm", (30, 100), 6, 1, 6, 2, 1024, (*[30] * 8, 1)),
)  # fmt: skip
"""The real batch is 1024 where it fits PyTorch's graph of all steps, else 256."""


def learner(case: Case) -> Learner:
    """Our network of this case."""
    return Learner(NETWORKS[case.network].build(case.shape, case.outputs))


def problem(case: Case, weights: list[np.ndarray], seed: int = 0) -> Problem:
    """Standard normal samples and real inputs, one-hot labels, small rates, in Keras's floatx."""
    rng = np.random.default_rng(seed)
    lr = 0.01 * rng.uniform(0.5, 1.5, case.inner_steps)
    arrays = (
        rng.standard_normal((case.steps, case.samples, *case.shape)),
        np.stack([_labels(case, np.arange(case.samples))] * case.steps),
        lr,
        rng.standard_normal((case.batch, *case.shape)),
        _labels(case, rng.integers(0, 100, case.batch)),
    )
    return Problem(*(a.astype(keras.config.floatx()) for a in arrays), weights)


def operations(case: Case, shapes: list[tuple[int, ...]]) -> float:
    """Floating-point operations of one hypergradient, counting products with kernels alone.

    A forward pass is one unit, a gradient three (forward, and backward by the input and by
    the kernel), and the derivative of an inner step's gradient two more gradients.

    Args:
        case: the configuration.
        shapes: of the network's weights, in the model's order.
    """
    kernels = [shape for shape in shapes if len(shape) > 1]
    forward = sum(2 * math.prod(k) * n for k, n in zip(kernels, case.uses, strict=True))
    return forward * (3 * case.batch + 9 * case.inner_steps * case.samples)


def _labels(case: Case, index: np.ndarray) -> np.ndarray:
    if case.outputs == 1:
        return (index % 2)[:, None]
    return np.eye(case.outputs)[index % case.outputs]


def with_steps(case: Case, inner_steps: int) -> Case:
    """The same case with so many inner steps, by more epochs."""
    return case._replace(epochs=inner_steps // case.steps)
