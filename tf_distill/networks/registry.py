"""The registry of networks: their names, defaults and variants."""

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras

from tf_distill.networks import paper

Build = Callable[..., keras.Model]
"""`build(input_shape, outputs)` makes a Keras model; width, depth, dropout are keywords."""
WIDTHS, DEPTHS = (0.1, 0.25, 0.5, 1.0, 2.0), (0, 1, 2)
"""The widths and depths of `variants`."""


class Defaults(NamedTuple):
    """Default settings that belong to a network rather than to a dataset.

    inner_lr: first learning rate of the inner steps; outer_lr, outer_momentum: of the outer
    optimizer; epochs: passes over the distilled samples; sample_init: how these start.
    """

    inner_lr: float
    outer_lr: float
    epochs: int
    outer_momentum: float = 0.5
    sample_init: str = "normal"


class ByInit(NamedTuple):
    """The defaults for one fixed initial network and for random ones."""

    fixed: Defaults
    random: Defaults

    def of(self, init: str) -> Defaults:
        """The defaults for `init`, "fixed" or "random"."""
        return self.random if init == "random" else self.fixed


class Training(NamedTuple):
    """How a network is trained on all of the training data (Section 4.1).

    lr: Adam's learning rate at the start; it falls to zero along a cosine. batch_size: examples
    a step; epochs: passes over the training data; steps: the most steps; dropout: rate;
    weight_decay: weights shrink by this share of the learning rate in each step.
    """

    lr: float
    batch_size: int
    epochs: int
    steps: int
    dropout: float = 0.0
    weight_decay: float = 0.0

    def per_epoch(self, examples: int) -> int:
        """Steps in an epoch with so many training examples; the last batch may be smaller."""
        return -(-examples // self.batch_size)

    def length(self, examples: int) -> int:
        """Steps in all with so many training examples."""
        return min(self.epochs * self.per_epoch(examples), self.steps)


class Network(NamedTuple):
    """An entry of the registry: `build(input_shape, outputs)` makes the Keras model.

    kind: "image" or "text"; training: for the original accuracy; least: pixels a side, or words,
    that an input must have.
    """

    build: Build
    kind: str
    defaults: ByInit
    training: Training
    least: int = 1


NETWORKS: dict[str, Network] = {
    "lenet": Network(
        paper.lenet, "image",
        ByInit(Defaults(inner_lr=0.1, outer_lr=0.02, epochs=3),
               Defaults(0.02, 0.02, 10, outer_momentum=0.9, sample_init="real")),
        Training(lr=0.001, batch_size=64, epochs=20, steps=20_000), least=12),
    "alexcifarnet": Network(
        paper.alexcifarnet, "image",
        ByInit(Defaults(0.02, 0.01, 3),
               Defaults(0.02, 0.02, 3, outer_momentum=0.9, sample_init="real")),
        Training(0.001, 128, epochs=40, steps=20_000), least=12),
    "textconvnet": Network(
        paper.textconvnet, "text",
        ByInit(Defaults(0.01, 0.05, 5),
               Defaults(0.02, 0.02, 5, outer_momentum=0.9, sample_init="real")),
        Training(0.002, 64, epochs=80, steps=8_000, dropout=0.5), least=5),
    "birnn": Network(
        paper.birnn, "text",
        ByInit(Defaults(0.5, 0.05, 2), Defaults(0.5, 0.05, 2)),
        Training(0.001, 64, epochs=12, steps=8_000, dropout=0.2, weight_decay=1.0)),
    "bilstm": Network(
        paper.bilstm, "text",
        ByInit(Defaults(1.5, 0.1, 2), Defaults(1.5, 0.02, 2, outer_momentum=0.9)),
        Training(0.002, 64, epochs=20, steps=8_000, dropout=0.3)),
}  # fmt: skip
ITSELF = "width 1, depth 0"
"""The variant that is the network itself."""


def variants(name: str) -> dict[str, Build]:
    """A network and its narrower, wider and deeper forms, by names like "width 0.5, depth 1"."""
    build = NETWORKS[name].build
    return {
        f"width {width:g}, depth {depth}": functools.partial(build, width=width, depth=depth)
        for width, depth in itertools.product(WIDTHS, DEPTHS)
    }
