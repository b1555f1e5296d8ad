"""Which initializer made each weight of a Keras model: what a Learner draws anew."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras.initializers import Initializer
from keras.src.initializers.random_initializers import RandomInitializer

from tf_distill.process_state import LOCK

Initializers = dict[int, Initializer | None]
"""By the id of the variable; None where its value is to be kept."""


def with_initializers(make: Callable[[], keras.Model]) -> tuple[keras.Model, Initializers]:
    """A model, and the initializers that its weights were made with.

    Keras forgets them, but for those that a layer keeps as `<weight>_initializer`. What was
    set after a weight had been made, such as pretrained values, is kept.

    Args:
        make: makes the model, and calls it once if its layers are built by that.
    """
    made: list[tuple[keras.Variable, Any, np.ndarray | None]] = []
    with _recording(made):
        model = make()
    return model, {
        id(variable): None if _was_set(variable, value) else keras.initializers.get(initializer)
        for variable, initializer, value in made
    }


def owners(model: keras.Model) -> list[tuple[keras.Variable, keras.Layer]]:
    """Every trainable variable with the innermost layer that made it."""
    owner = {}
    for layer in model._flatten_layers():  # parents come before their children
        owner.update({id(v): layer for v in layer.trainable_variables})
    return [(v, owner[id(v)]) for v in model.trainable_variables]


def initializer_of(
    variable: keras.Variable, layer: keras.Layer, known: Initializers
) -> Initializer | None:
    """The initializer of a variable, or None where nobody knows it."""
    if id(variable) in known:
        return known[id(variable)]
    name = variable.name.removesuffix("_kernel") if "_kernel" in variable.name else variable.name
    return getattr(layer, f"{name}_initializer", None)


def is_random(initializer: Any) -> bool:
    """Whether the initializer draws, by a seed that can be given to it."""
    return isinstance(initializer, RandomInitializer)


def is_constant(initializer: Any, variable: keras.Variable) -> bool:
    """Whether the initializer gives the same values at each call."""
    if not callable(initializer):
        return False
    one, other = (np.asarray(initializer(variable.shape, dtype=variable.dtype)) for _ in range(2))
    return bool(np.array_equal(one, other))


@contextlib.contextmanager
def _recording(made: list) -> Iterator[None]:
    """Keeps each weight that a layer adds, with its initializer and its value."""
    with LOCK:
        add_weight = keras.layers.Layer.add_weight
        keras.layers.Layer.add_weight = _recorder(add_weight, made)
        try:
            yield
        finally:
            keras.layers.Layer.add_weight = add_weight


def _recorder(add_weight: Callable[..., keras.Variable], made: list) -> Callable:
    def recording(layer, *args, **kwargs):
        variable = add_weight(layer, *args, **kwargs)
        given = args[1] if len(args) > 1 else kwargs.get("initializer")
        default = "glorot_uniform" if "float" in variable.dtype else "zeros"
        later = variable._value is None  # within a symbolic call
        value = None if later else variable.numpy()
        made.append((variable, given if given is not None else default, value))
        return variable

    return recording


def _was_set(variable: keras.Variable, value: np.ndarray | None) -> bool:
    return value is not None and not np.array_equal(variable.numpy(), value)
