"""Tells a network of a user from another: by the operations of its graph and its initializers."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.initializers import Initializer

from tf_distill import checks
from tf_distill.compiled import graph_function
from tf_distill.learner import Learner

VERSIONS = f"(keras {keras.__version__}, tensorflow {tf.__version__})"


def describe(learner: Learner, shape: tuple[int, ...]) -> dict[str, str]:
    """A hash of a network, under the versions that build the same graph.

    Args:
        learner: the network.
        shape: of one embedded input.
    """
    weights = [str(learner.shapes), *map(_settings, learner.initializers)]
    digest = _digest([*_graph(checks.traced(learner.model, shape)), *weights])
    return {f"network {VERSIONS}": digest}


def of_training(learner: Learner, shape: tuple[int, ...]) -> dict[str, str]:
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
