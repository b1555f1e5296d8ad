"""Mistakes in a user's own Keras model, found before a run on it or a training on a set.

Here a model is checked by the names of its layers and operations, and by calling it.
`second_derivative` differentiates it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, reason
from tf_distill.core import (
    SEED_STATE,
    Initializers,
    Weights,
    call_once,
    compiled,
    give_weights,
    graph_function,
    stateless,
    with_initializers,
)
from tf_distill.networks.layers import LayerNormalization

Shape = tuple[int, ...]
OPERATIONS = {
    "LRN": "tf.nn.local_response_normalization has no second derivative; use "
    "tf_distill.layers.ChannelNormalization",
    **dict.fromkeys(
        ("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"),
        "cuDNN's recurrent layers have no second derivative; build them with use_cudnn=False",
    ),
    "SoftmaxCrossEntropyWithLogits": "the fused softmax cross-entropy has a second derivative of "
    "zero for the labels; use -tf.reduce_sum(y * tf.nn.log_softmax(z), -1)",
    "SparseSoftmaxCrossEntropyWithLogits": "the fused softmax cross-entropy has no second "
    "derivative; use -tf.reduce_sum(tf.one_hot(y, n) * tf.nn.log_softmax(z), -1)",
    "PyFunc": "Python code can't be differentiated or exported; use TensorFlow's operations",
    "EagerPyFunc": "Python code can't be exported; use TensorFlow's operations",
}
"""Operations that a model must not have, and what to use instead."""
MOMENTS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)
"""Layers of Keras that call tf.nn.moments, which has a wrong second derivative."""
NO_LOGITS = {
    "Softmax": "softmax and gives probabilities",
    "Sigmoid": "sigmoid and gives probabilities",
    "Relu": "relu and gives nothing below 0",
    "Relu6": "relu6 and gives nothing below 0",
    "Softplus": "softplus and gives nothing below 0",
}
"""Activations that are mistakes at the end of a model, and what is wrong with them."""
PASSING = ("Identity", "Reshape", "Squeeze", "Cast", "StopGradient")
"""Operations after an activation that do not change its values."""


def build(make: Callable[[], Any], shape: Shape) -> tuple[keras.Model, Initializers]:
    """Makes a model and builds it for inputs of a shape.

    Raises:
        UserError: `make` gives no Keras model, or the model does not take such inputs.
    """

    def made_and_called() -> keras.Model:
        model = make()
        if not isinstance(model, keras.Model):
            raise UserError(
                f"model gave {type(model).__name__}, expected a Keras model: let the function "
                "return one"
            )
        outputs_for(model, shape)
        return model

    return with_initializers(made_and_called)


def outputs_for(model: keras.Model, shape: Shape) -> int:
    """The number of logits that a model gives for inputs of a shape; builds an unbuilt model.

    Raises:
        UserError: the model does not take such inputs, or gives no `[batch, outputs]`.
    """
    try:
        output = call_once(model, shape)
    except (ValueError, TypeError, LookupError, ArithmeticError, tf.errors.OpError) as error:
        raise UserError(
            f"the model {model.name} does not take inputs of shape {shape}: {reason(error)}; build "
            "it for this shape"
        ) from error
    if not tf.is_tensor(output) or len(output.shape) != 2:
        got = getattr(output, "shape", type(output).__name__)
        raise UserError(
            f"the model {model.name} gives {got} for one input, expected logits of shape "
            "(1, outputs); end it with a Dense layer"
        )
    return int(output.shape[-1])


def check_model(model: keras.Model, shape: Shape, outputs: int) -> None:
    """Checks a built model.

    Args:
        model: is built.
        shape: of one embedded input.
        outputs: logits that the classes need: 1 for two classes, else one for each class.

    Raises:
        UserError: wrong outputs, probabilities instead of logits, a layer or an operation that
            can't be differentiated twice, nothing to train, weights of another precision, or
            weights that a distilled set can't follow (`check_weights`).
    """
    if odd := {v.dtype for v in model.trainable_variables} - {"float32"}:
        raise UserError(
            f"the model {model.name} has weights of {', '.join(sorted(odd))}, expected float32; "
            "build it with keras.config.set_dtype_policy('float32')"
        )
    check_outputs(model, shape, outputs)
    if not model.trainable_variables:
        raise UserError(
            f"the model {model.name} has no trainable weights; leave some layers unfrozen"
        )
    if fault := next(_layer_faults(model), None):
        raise UserError(f"the model {model.name} {fault}")
    for kind, name in _operations(_traced(model, shape).graph):
        if kind in OPERATIONS:
            raise UserError(
                f"the model {model.name} has {kind} in {_layer_of(name, model)}: {OPERATIONS[kind]}"
            )
    check_weights(model, shape)


def check_outputs(model: keras.Model, shape: Shape, outputs: int) -> None:
    """Raises UserError if a built model does not give so many logits."""
    gives = outputs_for(model, shape)
    if gives != outputs:
        classes = "two classes" if outputs == 1 else f"{outputs} classes"
        raise UserError(
            f"the model {model.name} has {gives} outputs, expected {outputs} for {classes}; change "
            "its last layer"
        )
    last = _traced(model, shape).outputs[0].op
    while last.type in PASSING:
        last = last.inputs[0].op
    if last.type in NO_LOGITS:
        raise UserError(
            f"the model {model.name} ends with a {NO_LOGITS[last.type]}, expected logits; leave "
            "the activation of its last layer out"
        )


def ignored(model: keras.Model) -> list[str]:
    """The parts of a built model that distillation ignores, a sentence for each."""
    notes = []
    if model.losses:
        notes.append(
            f"the losses that {model.name} adds by itself (add_loss, regularizers) are left out: "
            "the loss is the cross-entropy alone"
        )
    if getattr(model, "compiled", False):
        notes.append(
            f"what {model.name} was compiled with (optimizer, loss, metrics) is left out: it is "
            "trained by gradient descent on the cross-entropy"
        )
    return notes


def _traced(model: keras.Model, shape: Shape) -> Any:
    """The graph of the model for two inputs, as a concrete function.

    Raises:
        UserError: the model can't be compiled.
    """
    function = graph_function(lambda x: model(x, training=False))
    try:
        return function.get_concrete_function(tf.TensorSpec([2, *shape], keras.config.floatx()))
    except (ValueError, TypeError, LookupError, AttributeError, tf.errors.OpError) as error:
        raise UserError(
            f"the model {model.name} can't be compiled by tf.function: {reason(error)}; use "
            "TensorFlow's operations alone (tf.cond for if), and make layers before the call"
        ) from error


def _layer_faults(model: keras.Model) -> Iterator[str]:
    gpu = bool(tf.config.list_logical_devices("GPU"))
    for layer in model._flatten_layers():
        frozen = isinstance(layer, keras.layers.BatchNormalization) and not layer.trainable
        if isinstance(layer, MOMENTS) and not isinstance(layer, LayerNormalization) and not frozen:
            yield (
                f"has {type(layer).__name__} {layer.name!r}, whose moments have a wrong second "
                "derivative; use tf_distill.layers.LayerNormalization"
            )
        if gpu and getattr(layer, "use_cudnn", False):
            yield (
                f"has {type(layer).__name__} {layer.name!r}, which a GPU runs by cuDNN without a "
                "second derivative; build it with use_cudnn=False"
            )


def _operations(graph: tf.Graph) -> Iterator[tuple[str, str]]:
    """The type and the name of each operation, those in loops and branches too."""
    yield from ((operation.type, operation.name) for operation in graph.get_operations())
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            yield node.op, f"{function.signature.name}/{node.name}"


def _layer_of(operation: str, model: keras.Model) -> str:
    """The innermost layer that an operation belongs to, by its name."""
    names = {layer.name for layer in model._flatten_layers(include_self=False)}
    for scope in reversed(operation.split("/")[:-1]):
        # A scope that was entered before has a number after the layer's name.
        for name in (re.sub(r"_\d+$", "", scope), scope):
            if name in names:
                return f"layer {name!r}"
    return "its call()"


def check_weights(model: keras.Model, shape: Shape) -> None:
    """Calls a built model for two inputs: its logits must follow from its weights alone.

    Raises:
        UserError: the model reads weights that Keras does not know, changes weights, draws
            random numbers, or keeps the weights of its first call.
    """
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(keras.config.floatx())
    with tf.GradientTape() as tape:
        model(x, training=False)
    known = {id(v.value) for v in model.variables}
    if strange := [v.name for v in tape.watched_variables() if id(v) not in known]:
        raise UserError(
            f"the model {model.name} reads {', '.join(strange)}, which Keras does not know as a "
            "weight; make it with self.add_weight in place of tf.Variable"
        )
    trained, kept = (
        [tf.convert_to_tensor(v.value) for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    if changed := _changed_weights(model, trained, kept, x):
        raise UserError(
            f"the model {model.name} changes {', '.join(changed)} in each call, also with "
            "training=False, and a distilled set can't follow that; leave such layers out"
        )
    first, again = (np.asarray(model(x, training=False), np.float32) for _ in range(2))
    small = 0.01 * float(np.nan_to_num(np.abs(first)).max())
    if not np.allclose(first, again, 0.05, small, equal_nan=True):  # half precision on a GPU
        raise UserError(
            f"the model {model.name} gives other logits each time it is called with the same, also "
            "with training=False; leave out what it draws at random there"
        )
    if _keeps_first_weights(model, trained, kept, x):
        raise UserError(
            f"the model {model.name} goes on with the weights of its first call, as a tf.function "
            "does; leave @tf.function out of the model: all of an outer step is compiled anyway"
        )


def _changed_weights(
    model: keras.Model, trained: Weights, kept: Weights, x: np.ndarray
) -> list[str]:
    """The non-trainable weights that a call changes, but for seeds: it may draw nothing by them."""
    _, after = stateless(model, trained, kept, x)
    triples = zip(model.non_trainable_variables, kept, after, strict=True)
    return [v.path for v, a, b in triples if v.name != SEED_STATE and not np.array_equal(a, b)]


def _keeps_first_weights(
    model: keras.Model, trained: Weights, kept: Weights, x: np.ndarray
) -> bool:
    """Whether a second call in one graph still has the first call's weights, as in a tf.function.

    The second call gets each weight with noise of its own, which no normalization can undo.
    """
    rng = np.random.default_rng(1)
    other = [
        w + tf.cast(0.1 * rng.standard_normal(w.shape), w.dtype) if w.dtype.is_floating else w
        for w in trained
    ]

    def both(a: Weights, b: Weights) -> tuple[tf.Tensor, tf.Tensor]:
        return stateless(model, a, kept, x)[0], stateless(model, b, kept, x)[0]

    first, second = (np.asarray(z, np.float32) for z in compiled(both)(trained, other))
    give_weights(model.trainable_variables, other)
    try:
        expected = np.asarray(model(x, training=False), np.float32)
    finally:
        give_weights(model.trainable_variables, trained)
    # Half precision may differ by a percent between a graph and a plain call.
    return np.array_equal(first, second) and not np.allclose(second, expected, 0.05, equal_nan=True)
