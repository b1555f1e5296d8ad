"""The registry of networks: their names, defaults and variants."""

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from tf_distill.common import UserError, is_own_network, unknown_name
from tf_distill.networks import own, paper, tabular
from tf_distill.networks.convnet import BLOCKS, convnet

Build = Callable[..., keras.Model]
"""`build(input_shape, outputs)` makes a Keras model; width, depth, dropout are keywords."""
WIDTHS, DEPTHS = (0.1, 0.25, 0.5, 1.0, 2.0), (0, 1, 2)
"""The widths and depths of `variants`."""


class Defaults(NamedTuple):
    """Default settings that belong to a network rather than to a dataset; None: not to it.

    inner_lr: first learning rate of the inner steps; outer_lr, outer_momentum: of the outer
    optimizer; epochs: passes over the distilled samples; sample_init, sample_scale: how these
    start. The rest is for use=training.
    """

    inner_lr: float
    outer_lr: float
    epochs: int
    outer_momentum: float = 0.5
    sample_init: str = "normal"
    sample_scale: float = 1.0
    inner_optimizer: str = "sgd"
    unroll: int | None = None
    window: int | None = None
    outer_steps: int | None = None
    eval_networks: int | None = None


class ByUse(NamedTuple):
    """The defaults for one fixed initial network, for random ones, and for ordinary training."""

    fixed: Defaults
    random: Defaults
    training: Defaults

    def of(self, use: str, init: str) -> dict[str, Any]:
        """The defaults for `use`, "replay" or "training", and `init`, "fixed" or "random"."""
        if use == "training":
            return self.training._asdict()
        return (self.random if init == "random" else self.fixed)._asdict()


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

    kind: "image", "text" or "table", or "" for any; training: for the original accuracy; least:
    pixels a side, or words, that an input must have.
    """

    build: Build
    kind: str
    defaults: ByUse
    training: Training
    least: int = 1


IMAGES = Defaults(
    0.002, 0.02, epochs=50, outer_momentum=0.9, sample_init="k_means", inner_optimizer="adam",
    unroll=80, window=60, outer_steps=80)  # fmt: skip
"""For ordinary training."""
TEXTS = IMAGES._replace(
    inner_lr=0.003, outer_lr=0.01, epochs=20, sample_init="matching_pursuit", sample_scale=0.3,
    outer_steps=120, eval_networks=20)  # fmt: skip
ROWS = IMAGES._replace(inner_lr=0.01, outer_lr=0.005, outer_steps=120, eval_networks=20)
PERCEPTRONS = ByUse(
    Defaults(0.05, 0.02, 10),
    Defaults(0.05, 0.02, 10, outer_momentum=0.9, sample_init="real"),
    ROWS,
)
"""Of the networks for tables that have hidden layers."""


class Networks(dict[str, Network]):
    """Networks by name. `convnet-64` is a ConvNet of 64 filters too, `convnet-64-2` of 2 blocks.

    `module:function` is a user's own. Iteration and `in` know the plain names alone.
    """

    def __missing__(self, name: str) -> Network:
        """The ConvNet whose width and depth a name tells, or a user's own network.

        Raises:
            UserError: there is no network of that name.
        """
        if is_own_network(str(name)):
            make = own.imported(name)
            build = lambda shape, outputs: own.for_data(make, shape, outputs)()  # noqa: E731
            return Network(build, "", OWN_DEFAULTS, OWN_TRAINING)
        if not str(name).startswith("convnet-"):
            raise unknown_name("model", name, self.names())
        size = re.fullmatch(r"convnet-([1-9]\d{0,3})(?:-([1-9]))?", name, re.ASCII)
        if size is None:
            raise UserError(
                f"model={name}, expected convnet-WIDTH or convnet-WIDTH-DEPTH, with a width "
                "up to 9999 and a depth up to 9, such as convnet-64 or convnet-64-2"
            )
        filters, blocks = int(size[1]), int(size[2] or BLOCKS)
        build = functools.partial(convnet, filters=filters, blocks=blocks)
        return self["convnet"]._replace(build=build)

    def names(self) -> list[str]:
        """The names that messages tell: the plain ones, and one for ConvNets of any width."""
        return sorted([*self, *["convnet-16"] * ("convnet" in self)])


NETWORKS = Networks({
    "lenet": Network(
        paper.lenet, "image",
        ByUse(Defaults(inner_lr=0.1, outer_lr=0.02, epochs=3),
               Defaults(0.02, 0.02, 10, outer_momentum=0.9, sample_init="real"),
              IMAGES),
        Training(lr=0.001, batch_size=64, epochs=20, steps=20_000), least=12),
    "alexcifarnet": Network(
        paper.alexcifarnet, "image",
        ByUse(Defaults(0.02, 0.01, 3),
               Defaults(0.02, 0.02, 3, outer_momentum=0.9, sample_init="real"),
              IMAGES._replace(eval_networks=20)),
        Training(0.001, 128, epochs=40, steps=20_000), least=12),
    "convnet": Network(
        convnet, "image",
        ByUse(Defaults(0.02, 0.02, 3),
              Defaults(0.02, 0.02, 10, outer_momentum=0.9, sample_init="real"),
              IMAGES._replace(eval_networks=20)),
        Training(0.001, 128, epochs=20, steps=20_000), least=12),
    "textconvnet": Network(
        paper.textconvnet, "text",
        ByUse(Defaults(0.2, 0.02, 5, outer_momentum=0.9),
               Defaults(0.02, 0.02, 5, outer_momentum=0.9, sample_init="real"),
              TEXTS),
        Training(0.002, 64, epochs=80, steps=8_000, dropout=0.5), least=5),
    "birnn": Network(
        paper.birnn, "text",
        ByUse(Defaults(0.5, 0.05, 2), Defaults(0.5, 0.05, 2),
              TEXTS),
        Training(0.001, 64, epochs=12, steps=8_000, dropout=0.2, weight_decay=1.0)),
    "bilstm": Network(
        paper.bilstm, "text",
        ByUse(Defaults(1.5, 0.1, 2), Defaults(1.5, 0.02, 2, outer_momentum=0.9),
              TEXTS),
        Training(0.002, 64, epochs=20, steps=8_000, dropout=0.3)),
    "mlp": Network(
        tabular.mlp, "table", PERCEPTRONS,
        Training(0.001, 64, epochs=100, steps=8_000, dropout=0.1)),
    "resnet_mlp": Network(
        tabular.resnet_mlp, "table", PERCEPTRONS,
        Training(0.001, 64, epochs=100, steps=8_000, dropout=0.1)),
    "linear": Network(
        tabular.linear, "table",
        ByUse(Defaults(0.1, 0.02, 10),
              Defaults(0.1, 0.02, 10, outer_momentum=0.9, sample_init="real"),
              ROWS),
        Training(0.01, 64, epochs=100, steps=8_000)),
})  # fmt: skip
OWN_DEFAULTS = ByUse(
    Defaults(inner_lr=0.05, outer_lr=0.02, epochs=3),
    NETWORKS["lenet"].defaults.random,
    IMAGES._replace(eval_networks=20),
)
OWN_TRAINING = Training(lr=0.001, batch_size=64, epochs=20, steps=20_000)
"""The settings that a user's own network starts from."""
ITSELF = "width 1, depth 0"
"""The variant that is the network itself."""


def variants(name: str) -> dict[str, Build]:
    """A network and its narrower, wider and deeper forms, by names like "width 0.5, depth 1"."""
    build = NETWORKS[name].build
    return {
        f"width {width:g}, depth {depth}": functools.partial(build, width=width, depth=depth)
        for width, depth in itertools.product(WIDTHS, DEPTHS)
    }
