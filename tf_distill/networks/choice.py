"""The network of a run: a name of the registry, or a function of the user's, ready and checked."""

import contextlib
import functools
import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import OWN, UserError, is_own_network, say
from tf_distill.config import network_of
from tf_distill.core import Learner, give_frozen
from tf_distill.datasets import DATASETS, Dataset, usual_model
from tf_distill.networks import checks, own, second_derivative
from tf_distill.networks.registry import NETWORKS, OWN_DEFAULTS, OWN_TRAINING, ByUse, Training

STEPS = 2_000
"""How long a user's network is trained on all of the data, at least."""
Model: TypeAlias = str | keras.Model | Callable[..., keras.Model]


class Choice(NamedTuple):
    """A network that fits a dataset.

    name: of the registry, module:function, or `python:` and the function's; build: makes the
    Keras model; defaults: its own settings; shape: of one embedded input; outputs: logits.
    """

    name: str
    build: Callable[[], keras.Model]
    defaults: ByUse
    shape: tuple[int, ...]
    outputs: int

    @property
    def own(self) -> bool:
        """Whether it is a user's own network."""
        return is_own_network(self.name)

    @property
    def short_name(self) -> str:
        """The name for a person."""
        return self.name.removeprefix(OWN)

    def learner(self, frozen: Sequence[np.ndarray] = ()) -> Learner:
        """The network as pure functions.

        A user's own network takes the values `frozen` for its non-trainable weights, in Keras's
        order, if their shapes fit.

        Raises:
            UserError: the user's model does not fit the data, or has a layer or an operation
                that can't be differentiated twice, as far as names tell.
        """
        if not self.own:
            return Learner(self.build())
        model, initializers = checks.build(self.build, self.shape)
        checks.check_model(model, self.shape, self.outputs)
        give_frozen(model, frozen)
        return Learner(model, self.shape, initializers)

    def training(self, examples: int) -> Training:
        """How the network is trained on all of the data, by default."""
        if not self.own:
            return NETWORKS[self.name].training
        least = -(-STEPS // OWN_TRAINING.per_epoch(examples))
        return OWN_TRAINING._replace(epochs=max(OWN_TRAINING.epochs, least))

    def identity(self, learner: Learner) -> dict[str, Any]:
        """What tells a user's own network from another one; {} for a network of the registry.

        `weights` are the shapes of the trainable weights; `network` is a hash over these, the
        model's class and its `get_config()`. Changes inside of a `call` or a lambda are not
        noticed, since Keras can't describe them.
        """
        if not self.own:
            return {}
        shapes = [list(shape) for shape in learner.shapes]
        described = [type(learner.model).__name__, shapes, _plain_config(learner.model)]
        text = json.dumps(described, sort_keys=True, default=lambda value: type(value).__name__)
        return {"weights": shapes, "network": hashlib.sha256(text.encode()).hexdigest()[:16]}

    def try_out(self, learner: Learner, x: tf.Tensor) -> None:
        """Differentiates a user's own model twice, and says which parts of it are ignored.

        `x` are some embedded inputs, `[batch, *shape]`.

        Raises:
            UserError: the model has no second derivative, or a wrong one.
        """
        if not self.own:
            return
        say(f"trying whether {self.short_name} can be differentiated twice")
        second_derivative.differentiate(self.build, self.shape, self.outputs)
        for note in checks.ignored(learner.model):
            say(note)
        for note in checks.faded(learner.model, np.asarray(x)):
            say(f"warning: {note}")
        if learner.kept:
            say(
                f"every network starts with the same {', '.join(learner.kept)}: no initializer is "
                "known that draws them anew"
            )


def choose(model: Model | None, dataset: Dataset) -> Choice:
    """The network for a dataset; a user's own model is not made yet.

    `model` is a name of the registry, or module:function; a function that makes a Keras model,
    without arguments or with (input_shape, outputs); a Keras model, which is copied; or None for
    the default network of the data.

    Raises:
        UserError: no such name, a network of another kind than the dataset, or no model.
    """
    checks.check_keras()
    shape, outputs = dataset.encoding.shape, dataset.outputs
    what = "the default network" if model is None else f"model {model!r}"
    model = _usual(dataset) if model is None else model
    if isinstance(model, str) and not is_own_network(model):
        _check_fits(model, dataset, what)
        build = functools.partial(NETWORKS[model].build, shape, outputs)
        return Choice(model, build, NETWORKS[model].defaults, shape, outputs)
    if isinstance(model, str):
        name, make = model, own.imported(model)
    else:
        make = own.copies(model) if isinstance(model, keras.Model) else model
        if not callable(make):
            raise UserError(
                f"model is {type(model).__name__}, expected a name, a Keras model or a function "
                "that makes one, such as model=build_model"
            )
        name = OWN + getattr(make, "__name__", type(make).__name__).strip("<>")
    return Choice(name, own.for_data(make, shape, outputs), OWN_DEFAULTS, shape, outputs)


def _usual(dataset: Dataset) -> str:
    """The default network: the registry's for a known dataset, else one for the kind of data."""
    kind, entry = dataset.encoding.metadata().get("kind"), DATASETS.get(dataset.name)
    if entry and entry.kind == kind:
        return entry.model
    return usual_model(kind, dataset.encoding.shape)


def _plain_config(model: keras.Model) -> Any:
    """The model's `get_config()` without names and seeds, or None if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about lambdas, which nobody loads from this
            return _anonymous(model.get_config(), {})
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None


def _anonymous(config: Any, numbers: dict[str, int]) -> Any:
    """A config with a number for each name, as Keras numbers layers anew in a process.

    Seeds go too, since a run draws by its own. So does the code of a lambda, which Python does
    not write the same way twice.
    """
    if isinstance(config, dict):
        if config.get("class_name") == "__lambda__":
            return "lambda"
        apart = ("name", "seed", "dtype")  # a dtype has the name of a precision
        rest = {k: _anonymous(v, numbers) for k, v in config.items() if k not in apart}
        number = numbers.setdefault(config.get("name", ""), len(numbers))
        return {**rest, "name": number, "dtype": config.get("dtype")}
    if not isinstance(config, list | tuple):
        return config
    if len(config) == 3 and isinstance(config[0], str):  # the layer, node and index of a tensor
        return [numbers.setdefault(config[0], len(numbers)), *config[1:]]
    return [_anonymous(value, numbers) for value in config]


AXES = {"image": 3, "text": 2, "table": 1}
"""Axes of one embedded input: height, width, channels; words and the numbers of a word; numbers."""
REMEDY = "give a function that makes a Keras model for these"


def fitting_names(dataset: Dataset) -> list[str]:
    """The names of all networks of the registry that take a dataset's inputs."""
    fitting = []
    for name in NETWORKS:
        with contextlib.suppress(UserError):
            _check_fits(name, dataset, name)
            fitting.append(name)
    return fitting


def _check_fits(name: str, dataset: Dataset, what: str) -> None:
    """Raises UserError, which calls the network `what`, if it does not take a dataset's inputs."""
    network = network_of(name, NETWORKS, dataset.name, dataset.encoding.metadata().get("kind"))
    shape = dataset.encoding.shape
    if len(shape) != AXES[network.kind]:
        pixels = len(shape) == 2 and network.kind == "image"
        hint = (
            "if these are pixels of 0 to 255 make them uint8, if they are pixels of 0 to 1 give "
            "them a last axis of 1, else "
        ) * pixels
        raise UserError(
            f"{what} takes {network.kind}s, but {dataset.name} has inputs of shape {shape}; "
            f"{hint}{REMEDY}"
        )
    if network.kind == "image" and min(shape[:2]) < network.least:
        first = shape[0] in (1, 3, 4) and min(shape[1:]) >= network.least
        do = "put the channels last, by x.transpose(0, 2, 3, 1)" if first else "enlarge them"
        raise UserError(
            f"{what} takes images of at least {network.least}x{network.least} pixels, but "
            f"{dataset.name} has {shape[0]}x{shape[1]}; {do}, or {REMEDY}"
        )
    if network.kind == "text" and shape[0] < network.least:
        raise UserError(
            f"{what} takes texts of at least {network.least} words, but {dataset.name} has "
            f"{shape[0]}; pad them, or {REMEDY}"
        )
