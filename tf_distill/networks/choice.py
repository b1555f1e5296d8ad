"""The network that a call of `distill` names or makes, ready and checked."""

import functools
import hashlib
import inspect
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras.initializers import Initializer

from tf_distill.common import UserError, say
from tf_distill.config import OWN, network_of
from tf_distill.core import LOCK, Learner, graph_function
from tf_distill.datasets import DATASETS
from tf_distill.datasets.base import Dataset, usual_model
from tf_distill.evaluation import original
from tf_distill.export import distilled_set
from tf_distill.networks import checks, second_derivative
from tf_distill.networks.registry import NETWORKS, ByInit, Defaults, Training
from tf_distill.runs.folder import begun

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
            distilled_set.recall_frozen(model, folder)
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
        return fingerprint_network(learner, self.shape) if self.own else {}

    def training_fingerprint(self, learner: Learner) -> dict[str, str]:
        """The same for full training, where dropout and regularizers play a part too."""
        told = fingerprint_training(learner, self.shape) if self.own else {}
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
        check_fits(model, dataset, what)
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


AXES = {"image": 3, "text": 2}
"""Of one embedded input: height, width and channels; words and numbers a word."""
REMEDY = "give a function that makes a Keras model for these"


def fitting_names(dataset: Dataset) -> list[str]:
    """The names of all that do."""
    return [name for name in NETWORKS if _takes(name, dataset)]


def check_fits(name: str, dataset: Dataset, what: str) -> None:
    """Checks that a network takes a dataset's inputs.

    Args:
        name: of the network.
        dataset: of any shape.
        what: what errors call the network.

    Raises:
        UserError: it does not; or there is none of that name.
    """
    network = network_of(name, NETWORKS, dataset.name, dataset.encoding.metadata().get("kind"))
    shape = dataset.encoding.shape
    if len(shape) != AXES[network.kind]:
        pixels = len(shape) == 2 and network.kind == "image"
        hint = (
            "if these are pixels of 0 to 255 make them uint8, if they are pixels of 0 to 1 give "
            "them a last axis of 1, else "
        )
        raise UserError(
            f"{what} takes {network.kind}s, but {dataset.name} has inputs of shape "
            f"{shape}; {hint if pixels else ''}{REMEDY}"
        )
    if network.kind == "image" and min(shape[:2]) < network.least:
        raise UserError(
            f"{what} takes images of at least {network.least}x{network.least} pixels, but "
            f"{dataset.name} has {shape[0]}x{shape[1]}; enlarge them, or {REMEDY}"
        )
    if network.kind == "text" and shape[0] < network.least:
        raise UserError(
            f"{what} takes texts of at least {network.least} words, but {dataset.name} has "
            f"{shape[0]}; pad them, or {REMEDY}"
        )


def _takes(name: str, dataset: Dataset) -> bool:
    try:
        check_fits(name, dataset, name)
    except UserError:
        return False
    return True


VERSIONS = f"(keras {keras.__version__}, tensorflow {tf.__version__})"


def fingerprint_network(learner: Learner, shape: tuple[int, ...]) -> dict[str, str]:
    """A hash of a network, under the versions that build the same graph.

    Args:
        learner: the network.
        shape: of one embedded input.
    """
    weights = [str(learner.shapes), *map(_settings, learner.initializers)]
    digest = _digest([*_graph(checks.traced(learner.model, shape)), *weights])
    return {f"network {VERSIONS}": digest}


def fingerprint_training(learner: Learner, shape: tuple[int, ...]) -> dict[str, str]:
    """The same of what it does in full training: dropout, regularizers and the like too."""
    model = learner.model
    function = graph_function(lambda x: [model(x, training=True), *model.losses])
    graph = function.get_concrete_function(tf.TensorSpec([2, *shape], tf.float32))
    return {f"training {VERSIONS}": _digest(_graph(graph))}


def _graph(function: Any) -> list[str]:
    """The operations of a concrete function, and of those that it calls."""
    graph = function.graph.as_graph_def()
    inner = [
        _text([a.name for a in f.signature.input_arg], f.node_def) for f in graph.library.function
    ]
    return [_text([], graph.node), *sorted(inner)]


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _text(arguments: Sequence[str], nodes: Sequence[Any]) -> str:
    """Operations with numbers in place of names, which differ each time that a model is made."""
    numbers = {name: str(i) for i, name in enumerate([*arguments, *(node.name for node in nodes)])}
    return "\n".join(_line(node, numbers) for node in nodes)


def _line(node: Any, numbers: dict[str, str]) -> str:
    inputs = [re.sub("[^:^]+", lambda m: numbers.get(m[0], m[0]), i, count=1) for i in node.input]
    inputs.sort(key=lambda i: i if i.startswith("^") else "")  # control inputs are in any order
    told = sorted((key, str(value)) for key, value in node.attr.items() if not key.startswith("_"))
    named = re.compile('name: ".*?"')  # a function's, which is new each time too
    return f"{node.op} {inputs} {[(key, named.sub('', value)) for key, value in told]}"


def _settings(initializer: Any) -> str:
    name = getattr(initializer, "__name__", type(initializer).__name__)
    settings = initializer.get_config() if isinstance(initializer, Initializer) else {}
    settings.pop("seed", None)  # all is drawn from the run's
    return f"{name} {json.dumps(settings, sort_keys=True, default=lambda v: type(v).__name__)}"
