"""A Keras model as pure functions of its weights.

The inner loop of dataset distillation differentiates through training, so the
weights must be ordinary tensors: the model is a recipe, never a store.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras.initializers import Initializer
from keras.src.initializers.random_initializers import RandomInitializer

from tf_distill import seeds

Weights = list[tf.Tensor]


class Learner:
    """The pure view of a built Keras model.

    `init` draws weights as the model's own initializers would, `apply` maps
    weights and an embedded input to logits. The model's variables are read once,
    here, and never written.

    Args:
        model: a built Keras model from `[batch, ...]` to logits `[batch, outputs]`.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        self._dtypes = [v.dtype for v in model.trainable_variables]
        self._draws = [_draw_of(v, layer) for v, layer in _owners(model)]
        # Recurrent layers own a seed state that stateless_call insists on.
        self._frozen = [v.numpy() for v in model.non_trainable_variables]
        # Compiled, so that weights drawn outside of a graph have the same bits as inside.
        self._init = tf.function(self._draw_all, input_signature=[tf.TensorSpec([2], tf.int32)])

    @property
    def outputs(self) -> int:
        """The number of logits: 1 for a binary task, else the number of classes."""
        return self.model.output_shape[-1]

    def init(self, seed: tf.Tensor) -> Weights:
        """Draws initial weights, a pure function of `seed` that may be traced.

        Args:
            seed: int32 `[2]`, as `tf.random.stateless_*` takes it.

        Returns:
            One tensor a trainable variable, in the model's order. What the model
            starts at a constant (biases, pretrained vectors) has that value.
        """
        return self._init(seed)

    def apply(self, weights: Sequence[tf.Tensor], x: tf.Tensor) -> tf.Tensor:
        """The logits `[batch, outputs]` of embedded inputs `x` `[batch, ...]`."""
        frozen = [tf.constant(value) for value in self._frozen]
        logits, _ = self.model.stateless_call(weights, frozen, x, training=False)
        return logits

    def _draw_all(self, seed: tf.Tensor) -> Weights:
        keys = tf.unstack(tf.random.split(seed, len(self._draws)))
        plans = zip(self._draws, self.shapes, self._dtypes, keys, strict=True)
        return [draw(shape, dtype, key) for draw, shape, dtype, key in plans]


def fixed_network(learner: Learner, seed: int) -> Weights:
    """The initial weights that all of a run with a fixed initialization starts from."""
    return learner.init(seeds.key(seed, seeds.Stream.FIXED_NETWORK))


def _owners(model: keras.Model) -> list[tuple[keras.Variable, keras.Layer]]:
    """Every trainable variable with the innermost layer that made it."""
    owner = {}
    for layer in model._flatten_layers():  # parents come before their children
        owner.update({id(v): layer for v in layer.trainable_variables})
    return [(v, owner[id(v)]) for v in model.trainable_variables]


def _draw_of(variable: keras.Variable, layer: keras.Layer):
    """A function (shape, dtype, seed) that makes a new initial value of `variable`."""
    name = variable.name.removesuffix("_kernel") if "_kernel" in variable.name else variable.name
    initializer = getattr(layer, f"{name}_initializer", None)
    if not isinstance(initializer, RandomInitializer):
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
    return type(initializer).from_config({**initializer.get_config(), "seed": generator})
