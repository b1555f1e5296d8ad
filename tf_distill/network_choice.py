"""The network that a call of `distill` names or makes, ready and checked."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras

from tf_distill import checks, fitting, frozen, network_fingerprint, original, second_derivative
from tf_distill.config import OWN
from tf_distill.datasets import DATASETS
from tf_distill.datasets.base import Dataset, usual_model
from tf_distill.errors import UserError
from tf_distill.folder import begun
from tf_distill.learner import Learner
from tf_distill.models import NETWORKS, ByInit, Defaults, Training
from tf_distill.process_state import LOCK
from tf_distill.progress import say

OWN_DEFAULTS = ByInit(
    Defaults(inner_lr=0.05, outer_lr=0.02, epochs=3), NETWORKS["lenet"].defaults.random
)
"""Where a network of a user starts from."""
STEPS, EPOCHS = 2_000, 20
"""Of a user's network on all of the data: both are done, up to ten times the first."""
Model = str | Callable[..., keras.Model]


class Choice(NamedTuple):
    """A network that fits a dataset.

    name: of the registry, or `python:` and the function's; build: makes the Keras model;
    defaults: settings of its own; shape: of one embedded input; outputs: logits.
    """

    name: str
    build: Callable[[], keras.Model]
    defaults: ByInit
    shape: tuple[int, ...]
    outputs: int

    @property
    def own(self) -> bool:
        """Whether it is a network of the user's own."""
        return self.name.startswith(OWN)

    @property
    def short_name(self) -> str:
        """The name for a person."""
        return self.name.removeprefix(OWN)

    def learner(self, folder: Path | None = None) -> Learner:
        """The network as pure functions.

        Args:
            folder: of a run, whose frozen weights go on being those of its first call.

        Raises:
            UserError: a model of one's own that does not fit the data, or has what can't be
                differentiated twice, as far as names tell.
        """
        with LOCK:  # no other thread's change of Keras's precision
            return self._own_learner(folder) if self.own else Learner(self.build())

    def _own_learner(self, folder: Path | None) -> Learner:
        model, initializers = checks.build(self.build, self.shape)
        if odd := {v.dtype for v in model.trainable_variables} - {"float32"}:
            raise UserError(
                f"the model {model.name} has weights of {', '.join(sorted(odd))}, expected "
                "float32; build it with keras.config.set_dtype_policy('float32')"
            )
        checks.check(model, self.shape, self.outputs)
        if folder and begun(folder):
            frozen.recall(model, folder)
        return Learner(model, self.shape, initializers)

    def training(self, examples: int) -> Training:
        """How it is trained on all of the data, where nothing else is asked for."""
        if not self.own:
            return NETWORKS[self.name].training
        usual = Training(lr=0.001, batch_size=64, epochs=EPOCHS, steps=10 * STEPS)
        return usual._replace(epochs=max(EPOCHS, -(-STEPS // usual.per_epoch(examples))))

    def trainee(self, dataset: Dataset, training: Training, folder: Path | None) -> original.Make:
        """How to make the network for full training.

        Raises:
            UserError: a rate of dropout for a network of one's own.
        """
        if not self.own:
            return original.maker(NETWORKS[self.name].build, dataset, training)
        if training.dropout:
            raise UserError(
                f"training.dropout is for networks with a name, got {training.dropout}; put "
                "layers of dropout into your own, which full training heeds"
            )
        return lambda: self.learner(folder)

    def fingerprint(self, learner: Learner) -> dict[str, str]:
        """What tells a network of one's own from others; a name of the registry says all."""
        return network_fingerprint.describe(learner, self.shape) if self.own else {}

    def training_fingerprint(self, learner: Learner) -> dict[str, str]:
        """The same for full training, where dropout and regularizers play a part too."""
        told = network_fingerprint.of_training(learner, self.shape) if self.own else {}
        return self.fingerprint(learner) | told

    def try_out(self, learner: Learner) -> None:
        """Differentiates a model of one's own twice, before a run on it.

        What plays no part in the run, and which weights are the same in every network, is told in
        a line each.

        Raises:
            UserError: it has no second derivative, or a wrong one.
        """
        if not self.own:
            return
        say(f"trying whether {self.short_name} can be differentiated twice")
        second_derivative.check(self.build, self.shape, self.outputs)
        for note in checks.ignored(learner.model):
            say(note)
        if learner.kept:
            say(
                f"every network starts with the same {', '.join(learner.kept)}: no initializer is "
                "known that draws them anew"
            )


def choose(model: Model | None, dataset: Dataset) -> Choice:
    """The network for a dataset; a model of one's own is not made yet.

    Args:
        model: a name of the registry, or a function that makes a Keras model: without
            arguments, or with those of the registry's, (input_shape, outputs). None for the one
            of the command line.
        dataset: to be distilled.

    Raises:
        UserError: no such name, a network of another kind than the dataset, or no function.
    """
    shape, outputs = dataset.encoding.shape, dataset.outputs
    what = "the default network" if model is None else f"model {model!r}"
    model = _usual(dataset) if model is None else model
    if isinstance(model, str):
        fitting.check(model, dataset, what)
        build = functools.partial(NETWORKS[model].build, shape, outputs)
        return Choice(model, build, NETWORKS[model].defaults, shape, outputs)
    if isinstance(model, keras.Model) or not callable(model):
        raise UserError(
            f"model is {type(model).__name__}, expected a name or a function that makes a Keras "
            "model, such as model=build_model"
        )
    name = getattr(model, "__name__", type(model).__name__).strip("<>")
    made = _without_arguments(model, shape, outputs)
    return Choice(f"{OWN}{name}", made, OWN_DEFAULTS, shape, outputs)


def _usual(dataset: Dataset) -> str:
    """The network by default: that of the registry where the dataset is one of it."""
    kind, entry = dataset.encoding.metadata().get("kind"), DATASETS.get(dataset.name)
    if entry and entry.kind == kind:
        return entry.model
    return usual_model(kind, dataset.encoding.shape)


def _without_arguments(
    model: Callable[..., Any], shape: tuple[int, ...], outputs: int
) -> Callable[[], Any]:
    try:
        inspect.signature(model).bind()
    except TypeError:
        return functools.partial(model, shape, outputs)
    except ValueError:  # a builtin that does not tell
        pass
    return model
