"""A Keras model as pure functions of its weights.

The inner loop of dataset distillation differentiates through training, so the
weights must be ordinary tensors: the model is a recipe, never a store.
"""

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.initializers import Initializer
from keras.src.initializers.random_initializers import RandomInitializer

from tf_distill.common import Stream, seed_key
from tf_distill.core.compiling import graph_function

Weights = list[tf.Tensor]
SEED_STATE = "seed_generator_state"
"""Keras's name of a random generator's weight."""
Initializers = dict[int, Initializer | None]
"""By the id of the variable; None if its value is to be kept."""


class Learner:
    """The pure view of a Keras model, functional, sequential or subclassed.

    `init` draws weights as the model's own initializers do, `apply` maps weights and an embedded
    input to logits. The model's variables are read once, here, and never written. Frozen layers
    keep their values, dropout never drops. `kept` names the weights that are the same in every
    network, since no initializer is known that draws them.

    Args:
        model: a Keras model from `[batch, ...]` to logits `[batch, outputs]`.
        shape: of one embedded input; needed unless the model is functional or sequential
            and built. The model is called once on it, which builds it.
        initializers: as `with_initializers` gives them, for weights whose layer has no
            `<weight>_initializer`.
    """

    def __init__(
        self,
        model: keras.Model,
        shape: tuple[int, ...] | None = None,
        initializers: Initializers | None = None,
    ):
        self.model = model
        self._outputs = None if shape is None else call_once(model, shape).shape[-1]
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        self._dtypes = [v.dtype for v in model.trainable_variables]
        plans = [(v, initializer_of(v, layer, initializers or {})) for v, layer in owners(model)]
        self.initializers = [initializer for _, initializer in plans]
        self._draws = [_draw_of(v, initializer) for v, initializer in plans]
        self.kept = [
            v.path.split("/", 1)[-1] for v, i in plans if not is_random(i) and not is_constant(i, v)
        ]
        # Recurrent layers own a seed state that stateless_call insists on.
        self._frozen = [v.numpy() for v in model.non_trainable_variables]

    @property
    def frozen(self) -> list[np.ndarray]:
        """The values of Keras's non_trainable_weights, in their order."""
        held = zip(self.model.non_trainable_variables, self._frozen, strict=True)
        values = {id(variable): value for variable, value in held}
        return [values[id(variable)] for variable in self.model.non_trainable_weights]

    @property
    def outputs(self) -> int:
        """The number of logits: 1 for a binary task, else the number of classes."""
        return self.model.output_shape[-1] if self._outputs is None else self._outputs

    def init(self, seed: tf.Tensor) -> Weights:
        """Draws initial weights, a pure function of `seed` that may be traced.

        Args:
            seed: int32 `[2]`, as `tf.random.stateless_*` takes it.

        Returns:
            One tensor a trainable variable, in the model's order. Biases, pretrained vectors and
            other constants have the value that they have in the model.
        """
        return self._init(tf.convert_to_tensor(seed, tf.int32))

    def apply(self, weights: Sequence[tf.Tensor], x: tf.Tensor) -> tf.Tensor:
        """The logits `[batch, outputs]` of embedded inputs `x` `[batch, ...]`."""
        frozen = [tf.constant(value) for value in self._frozen]
        logits, _ = stateless(self.model, weights, frozen, x)
        return tf.cast(logits, x.dtype)  # mixed precision computes in less

    @functools.cached_property
    def _init(self) -> Callable[[tf.Tensor], Weights]:
        """Compiled, so that weights drawn outside of a graph have the same bits as inside."""
        # Concrete, since TensorFlow warns of functions that every learner traces anew.
        return graph_function(self._draw_all).get_concrete_function(tf.TensorSpec([2], tf.int32))

    def _draw_all(self, seed: tf.Tensor) -> Weights:
        keys = tf.unstack(tf.random.split(seed, len(self._draws)))
        plans = zip(self._draws, self.shapes, self._dtypes, keys, strict=True)
        return [draw(shape, dtype, key) for draw, shape, dtype, key in plans]


def fixed_network(learner: Learner, seed: int) -> Weights:
    """The one initial network of a run with a fixed initialization."""
    return learner.init(seed_key(seed, Stream.FIXED_NETWORK))


def give_weights(
    variables: Sequence[keras.Variable], values: Sequence[tf.Tensor | np.ndarray]
) -> bool:
    """Assigns values to the weights of a built model; False, and nothing, if shapes don't fit."""
    if [tuple(v.shape) for v in variables] != [tuple(v.shape) for v in values]:
        return False
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return True


def give_frozen(layer: keras.Layer, values: Sequence[tf.Tensor | np.ndarray]) -> bool:
    """Assigns the non-trainable weights of a layer or model, as `give_weights` does."""
    given = give_weights(layer.non_trainable_weights, values)
    for part in layer._flatten_layers():
        if given and isinstance(part, keras.layers.Normalization):
            part.finalize_state()  # it computes with a copy of its weights
    return given


def call_once(model: keras.Model, shape: tuple[int, ...]) -> tf.Tensor:
    """The output of the model for one input of zeros; an unbuilt model is built by it."""
    return model(np.zeros((1, *shape), keras.config.floatx()), training=False)


def stateless(
    model: keras.Model, weights: Sequence[tf.Tensor], frozen: Sequence[tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The output of a model with these weights, and its non-trainable variables afterwards."""
    if is_functional(model):
        return model.stateless_call(weights, frozen, x, training=False)
    # stateless_call hands `training` to call(), which of a subclassed model may not take it.
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    mapping = list(zip(variables, [*weights, *frozen], strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        output = model(x, training=False)
        after = [scope.get_current_value(v) for v in model.non_trainable_variables]
    return output, [a if a is not None else f for a, f in zip(after, frozen, strict=True)]


def is_functional(model: keras.Model) -> bool:
    """Whether the model is functional or sequential: its graph of layers is known."""
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def _draw_of(variable: keras.Variable, initializer: Initializer | None):
    """A function (shape, dtype, seed) that makes a new initial value of `variable`."""
    if not is_random(initializer):
        value = variable.numpy()
        return lambda shape, dtype, seed: tf.constant(value, dtype)
    generator = keras.random.SeedGenerator(0)
    seeded = _with_seed(initializer, generator)

    def draw(shape, dtype, seed):
        state = tf.cast(seed, generator.state.dtype)
        with keras.StatelessScope(state_mapping=[(generator.state, state)]):
            return tf.convert_to_tensor(seeded(shape, dtype))

    return draw


def _with_seed(initializer: Initializer, generator: keras.random.SeedGenerator) -> Initializer:
    seeded = copy.copy(initializer)  # not by get_config: a class of one's own may lack a seed there
    seeded.seed = generator
    return seeded


def with_initializers(make: Callable[[], keras.Model]) -> tuple[keras.Model, Initializers]:
    """A model that `make` makes and builds, and the initializers that its weights were made with.

    Keras forgets most of them. A weight that was set later, such as pretrained vectors, is kept.
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
    """The initializer of a variable, or None if it is not known."""
    if id(variable) in known:
        return known[id(variable)]
    name = variable.name.removesuffix("_kernel") if "_kernel" in variable.name else variable.name
    return getattr(layer, f"{name}_initializer", None)


def is_random(initializer: Any) -> bool:
    """Whether the initializer draws by a seed."""
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
