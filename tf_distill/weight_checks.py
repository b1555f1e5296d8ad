"""What a call of a user's Keras model must follow from: the weights it is given, and the input."""

import keras
import numpy as np
import tensorflow as tf

from tf_distill import frozen
from tf_distill.compiled import compiled
from tf_distill.errors import UserError
from tf_distill.learner import SEED_STATE, Weights, stateless


def check(model: keras.Model, shape: tuple[int, ...]) -> None:
    """Calls a built model for two inputs of a shape, in several ways.

    Raises:
        UserError: it reads weights that Keras does not know, changes some, draws anything at
            random, or goes on with the weights that it read first.
    """
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(keras.config.floatx())
    _check_known(model, x)
    trained, kept = (
        [tf.convert_to_tensor(v.value) for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    _check_unchanged(model, trained, kept, x)
    _check_same_again(model, x)
    _check_read_anew(model, trained, kept, x)


def _check_known(model: keras.Model, x: np.ndarray) -> None:
    with tf.GradientTape() as tape:
        model(x, training=False)
    known = {id(v.value) for v in model.variables}
    if strange := [v.name for v in tape.watched_variables() if id(v) not in known]:
        raise UserError(
            f"the model {model.name} reads {', '.join(strange)}, which Keras does not know as a "
            "weight; make it with self.add_weight in place of tf.Variable"
        )


def _check_unchanged(model: keras.Model, trained: Weights, kept: Weights, x: np.ndarray) -> None:
    _, after = stateless(model, trained, kept, x)
    pairs = zip(model.non_trainable_variables, kept, after, strict=True)
    others = ((v.path, a, b) for v, a, b in pairs if v.name != SEED_STATE)  # it may draw nothing
    if changed := [path for path, a, b in others if not np.array_equal(a, b)]:
        raise UserError(
            f"the model {model.name} changes {', '.join(changed)} in each call, also with "
            "training=False, and a distilled set can't follow that; leave such layers out"
        )


def _check_same_again(model: keras.Model, x: np.ndarray) -> None:
    first, again = (np.asarray(model(x, training=False), np.float32) for _ in range(2))
    small = 0.01 * float(np.nan_to_num(np.abs(first)).max())
    if not np.allclose(first, again, 0.05, small, equal_nan=True):  # half precision on a GPU
        raise UserError(
            f"the model {model.name} gives other logits each time it is called with the same, also "
            "with training=False; leave out what it draws at random there"
        )


def _check_read_anew(model: keras.Model, trained: Weights, kept: Weights, x: np.ndarray) -> None:
    """A tf.function, when it is called again in a graph, has the weights of the first call."""
    rng = np.random.default_rng(1)  # what is the same for all of a kernel, normalisation takes away
    other = [
        w + tf.cast(0.1 * rng.standard_normal(w.shape), w.dtype) if w.dtype.is_floating else w
        for w in trained
    ]

    def both(a: Weights, b: Weights) -> tuple[tf.Tensor, tf.Tensor]:
        return stateless(model, a, kept, x)[0], stateless(model, b, kept, x)[0]

    first, second = (np.asarray(z, np.float32) for z in compiled(both)(trained, other))
    frozen.give(model.trainable_variables, other)
    try:
        expected = np.asarray(model(x, training=False), np.float32)
    finally:
        frozen.give(model.trainable_variables, trained)
    # Half precision may differ by a percent between a graph and without.
    if np.array_equal(first, second) and not np.allclose(second, expected, 0.05, equal_nan=True):
        raise UserError(
            f"the model {model.name} goes on with the weights of its first call, as a tf.function "
            "does; leave @tf.function out of the model: all of an outer step is compiled anyway"
        )
