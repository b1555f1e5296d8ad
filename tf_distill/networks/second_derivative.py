"""Whether a model can be differentiated twice: tried out, and compared with finite differences.

Some operations have a wrong second derivative without an error, also some that `checks` does not
know by name.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import UserError
from tf_distill.core import Learner, graph_function, value_and_gradients
from tf_distill.networks import checks

BATCH = 2
POINTS = 3
STEPS = {"float64": (1e-6, 1e-7, 1e-5, 1e-4, 1e-3), "float32": (1e-2, 3e-2, 1e-1, 3e-3)}
"""Of finite differences, as in a deep network a larger one crosses a kink of some relu."""
TOLERANCE = {"float64": 1e-4, "float32": 5e-2}
"""Relative difference: a wrong derivative is off by far more, at each point and step."""
PARTS = ("samples", "labels", "weights")
Arguments = list[tf.Tensor]


def differentiate(make: Callable[[], keras.Model], shape: tuple[int, ...], outputs: int) -> None:
    """Differentiates the inner loss of two random samples twice, at a few random points.

    A copy of the model does it in float64, or in float32 if a layer knows no other precision.

    Raises:
        UserError: there is no second derivative, or a wrong one.
    """
    try:
        with _precision("float64"):
            _differentiate(make, shape, outputs)
    except (TypeError, ValueError, NotImplementedError, tf.errors.OpError):
        _differentiate(make, shape, outputs)


def _differentiate(make: Callable[[], keras.Model], shape: tuple[int, ...], outputs: int) -> None:
    model = make()
    learner = Learner(model, shape)
    dtype = learner.init(tf.constant([0, 0]))[0].dtype.name
    dtype = dtype if dtype in STEPS else "float32"
    try:
        off = set(PARTS)
        for point in range(POINTS):
            off &= set(_wrong_parts(learner, shape, outputs, dtype, point))
            if not off:
                return
    except LookupError as error:
        raise _without(model, error) from error
    part = next(part for part in PARTS if part in off)
    raise UserError(
        f"the model {model.name} has a wrong second derivative for the {part}, as finite "
        f"differences show; {_suspects(model)}: build that of other TensorFlow operations"
    )


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """Builds Keras models in this precision; other threads get it too."""
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)


def _wrong_parts(
    learner: Learner, shape: tuple[int, ...], outputs: int, dtype: str, point: int
) -> Iterator[str]:
    """The parts for which derivative and finite difference differ at a random point.

    Both are of a random combination of the inner gradient's numbers.
    """
    rng = np.random.default_rng(point)
    draw = lambda size: tf.constant(rng.standard_normal(size), dtype)  # noqa: E731
    start = learner.init(tf.constant([0, point]))
    weights = [tf.cast(w, dtype) + 0.1 * draw(w.shape) for w in start]
    directions = [draw(w.shape) for w in start]

    def value(arguments: Arguments) -> tf.Tensor:
        x, y, *weights = arguments
        _, gradients = value_and_gradients(learner, weights, x, y)
        return tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradients, directions, strict=True)])

    @graph_function
    def derivative(arguments: Arguments) -> Arguments:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            combined = value(arguments)
        return tape.gradient(combined, arguments, unconnected_gradients="zero")

    at = [draw((BATCH, *shape)), draw((BATCH, outputs)), *weights]
    # Concrete, since TensorFlow warns of functions that are traced in every check.
    compiled = graph_function(value).get_concrete_function(at)
    gradients = [tf.convert_to_tensor(g) for g in derivative.get_concrete_function(at)(at)]
    types = {tensor.dtype for op in compiled.graph.get_operations() for tensor in op.outputs}
    if types & {tf.float32, tf.float16, tf.bfloat16}:  # a layer casts to less
        dtype = "float32"
    for part, members in zip(PARTS, ([0], [1], range(2, len(at))), strict=True):
        along = _direction(gradients, members, draw)
        if not _agree(compiled, at, gradients, along, dtype):
            yield part


def _direction(gradients: Arguments, members: Sequence[int], draw: Callable) -> Arguments:
    """Along the gradient of some arguments, plus a random direction in case that is zero."""
    chosen = [g if i in members else tf.zeros_like(g) for i, g in enumerate(gradients)]
    random = [draw(g.shape) if i in members else tf.zeros_like(g) for i, g in enumerate(gradients)]
    norms = [tf.linalg.global_norm(v) for v in (chosen, random)]
    return [
        tf.math.divide_no_nan(c, norms[0]) + r / norms[1]
        for c, r in zip(chosen, random, strict=True)
    ]


def _agree(
    value: Callable, at: Arguments, gradients: Arguments, along: Arguments, dtype: str
) -> bool:
    """Whether derivative and finite difference are equal, at one of the steps at least."""
    analytic = float(sum(tf.reduce_sum(g * d) for g, d in zip(gradients, along, strict=True)))
    size = abs(float(value(at)))
    for step in STEPS[dtype]:
        up, down = (
            float(value([a + s * step * d for a, d in zip(at, along, strict=True)]))
            for s in (1, -1)
        )
        numeric = (up - down) / (2 * step)
        noise = 10 * float(np.finfo(dtype).eps) * max(size, abs(up)) / step
        scale = max(abs(analytic), abs(numeric), 1e-30)
        if (abs(analytic - numeric) - noise) / scale <= TOLERANCE[dtype]:
            return True
    return False


def _without(model: keras.Model, error: Exception) -> UserError:
    """The error for an operation whose gradient TensorFlow does not know."""
    found = re.search(r"(?:no entry for|op type): (\w+)", str(error))
    operation = found[1].removesuffix("Grad") if found else "an operation"
    advice = checks.OPERATIONS.get(operation, "build it of other TensorFlow operations")
    return UserError(
        f"the model {model.name} can't be differentiated twice: {operation} has no second "
        f"derivative; {_suspects(model)}: {advice}"
    )


def _suspects(model: keras.Model) -> str:
    """Names the user's own layers, and those with a function of the user's."""
    layers: list[Any] = [layer for layer in model._flatten_layers() if layer is not model]
    own = [
        f"{type(layer).__name__} {layer.name!r}"
        for layer in layers
        if not type(layer).__module__.startswith(("keras.", "tf_distill."))
        or isinstance(layer, keras.layers.Lambda)
    ]
    return f"the layers of your own are {', '.join(own)}" if own else "look at its call()"
