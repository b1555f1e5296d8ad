"""Mistakes in a user's own Keras model, found before a run on it or a training on a set.

Here a model is checked by the names of its layers and operations, and by calling it.
`second_derivative` differentiates it.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

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
from tf_distill.networks.layers import GroupedConv2D, GroupNormalization, LayerNormalization

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
MOMENTS = layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization
"""Layers of Keras that call tf.nn.moments, which has a wrong second derivative."""
OURS = GroupNormalization, LayerNormalization
"""Layers of ours that extend such a layer, and don't call it."""
SCALING = layers.Rescaling, layers.Normalization
"""Layers that bring inputs to a range."""
FADED = 0.1
"""The part of their contrast that inputs must keep."""
IDLE = re.compile(r"\w*Dropout\w*|StochasticDepth|GaussianNoise|Random(?!Crop)\w+|\w+Mix|MixUp")
"""Names of Keras's layers that give back their input unless they are called for a training."""
NO_LOGITS = {"Softmax": "probabilities", "Sigmoid": "probabilities", "Relu": "nothing below 0"}
"""Activations that are mistakes at the end of a model, and what they give."""
PASSING = ("Identity", "Reshape", "Squeeze", "Cast", "StopGradient")
"""Operations after an activation that do not change its values."""


def check_keras() -> None:
    """Raises UserError for a global setting of Keras with which no network works here."""
    settings = {
        "backend": "tensorflow",
        "image_data_format": "channels_last",
        "floatx": "float32",
        "dtype_policy": "float32",
    }
    for name, expected in settings.items():
        found = getattr(keras.config, name)()
        if name == "dtype_policy":  # of mixed precision weights are float32 too
            found = found.name if found.variable_dtype != expected else expected
        if found != expected:
            call = f"call keras.config.set_{name}({expected!r}) before a model is made"
            env = "set KERAS_BACKEND=tensorflow in the environment before Keras is imported"
            raise UserError(
                f"Keras's {name} is {found}, expected {expected}; "
                f"{env if name == 'backend' else call}, or change it in ~/.keras/keras.json"
            )


def build(make: Callable[[], Any], shape: Shape) -> tuple[keras.Model, Initializers]:
    """Makes a model and builds it for inputs of a shape.

    Raises:
        UserError: `make` gives no Keras model, or the model does not take such inputs.
    """

    def made_and_called() -> keras.Model:
        model = make()
        if not isinstance(model, keras.Model):
            got = type(model).__name__
            raise UserError(f"model gave {got}, expected a Keras model: let it return one")
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
    """Checks a built model for inputs of a shape and classes that need so many logits.

    Raises:
        UserError: wrong outputs, probabilities instead of logits, a layer or an operation that
            can't be differentiated twice, nothing to train, weights of another precision, or
            weights that a distilled set can't follow.
    """
    if odd := {v.dtype for v in model.trainable_variables} - {"float32"}:
        raise UserError(
            f"the model {model.name} has weights of {', '.join(sorted(odd))}, expected float32; "
            "build it with keras.config.set_dtype_policy('float32')"
        )
    gives, traced = outputs_for(model, shape), _traced(model, shape)
    told = [*_output_faults(traced, gives, outputs), *_part_faults(model, traced.graph)]
    _refuse(model, told or itertools.islice(_weight_faults(model, shape), 1))


def check_outputs(model: keras.Model, shape: Shape, outputs: int) -> None:
    """Raises UserError if a built model does not give so many logits."""
    gives, traced = outputs_for(model, shape), _traced(model, shape)
    _refuse(model, _output_faults(traced, gives, outputs))


def _refuse(model: keras.Model, faults: Iterable[str]) -> None:
    """Raises UserError if there are faults, with all of them."""
    if told := ". It also ".join(faults):
        raise UserError(f"the model {model.name} {told}")


def _output_faults(traced: Any, gives: int, outputs: int) -> Iterator[str]:
    """What the number and the last operation of a model's outputs tell."""
    if gives != outputs:
        classes = "two classes or a quantity" if outputs == 1 else f"{outputs} classes"
        yield f"has {gives} outputs, expected {outputs} for {classes}; change its last layer"
    last = traced.outputs[0].op
    while last.type in PASSING:
        last = last.inputs[0].op
    if last.type in NO_LOGITS:
        yield (
            f"ends with a {last.type.lower()} and gives {NO_LOGITS[last.type]}, expected logits; "
            "leave the activation of its last layer out"
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
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, MOMENTS[0])]
    if untrained := [n.name for n in norms if n.built and _untrained(n)]:
        notes.append(
            f"warning: frozen BatchNormalization of {model.name} does nothing, such as "
            f"{untrained[0]!r}: its averages are still 0 and 1; freeze it with pretrained weights, "
            "or give tf_distill.layers.without_batch_norm(model)"
        )
    kinds = {type(layer) for layer in model._flatten_layers()}
    idle = sorted(
        kind.__name__
        for kind in kinds
        if kind.__module__.startswith("keras.") and IDLE.fullmatch(kind.__name__)
    )
    if idle:
        notes.append(
            f"{', '.join(idle)} of {model.name} do nothing in distillation, which calls the "
            "network as for predictions"
            + "; augment=crop_and_flip changes images"
            * any(n.startswith("Random") for n in idle)
        )
    return notes


def _untrained(layer: layers.BatchNormalization) -> bool:
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    return not mean.any() and bool((variance == 1).all())


def faded(model: keras.Model, x: np.ndarray) -> Iterator[str]:
    """A sentence if the start of a built model takes the contrast from inputs `[batch, ...]`.

    So does a scaling of pixels of 0 to 255, where they are normalised already.
    """
    entering = np.asarray(_entering(model, x))
    if _contrast(entering) < FADED * _contrast(x):
        scaling = [layer for layer in model._flatten_layers() if isinstance(layer, SCALING)]
        names = ", ".join(f"{type(layer).__name__} {layer.name!r}" for layer in scaling)
        yield (
            f"{model.name} gets inputs of {x.mean():.1g} +- {x.std():.2g}, normalised already, and "
            f"{names or 'what comes before its first weights'} makes {entering.mean():.3g} +- "
            f"{entering.std():.3g} of them; leave that out"
            + (", or give tf_distill.layers.without_scaling(model)" if scaling else "")
        )


def _entering(model: keras.Model, x: tf.Tensor) -> tf.Tensor:
    """What the first layer with weights gets, of a functional or sequential model; else `x`."""
    sequential = isinstance(model, keras.Sequential)
    for part in model.layers if sequential else getattr(model, "operations", []):
        if getattr(part, "weights", ()) and not isinstance(part, SCALING):
            if not sequential and isinstance(part.input, keras.KerasTensor):
                x = keras.Model(model.input, part.input)(x, training=False)
            return _entering(part, x) if isinstance(part, keras.Model) else x
        if sequential:
            x = part(x, training=False)
    return x


def _contrast(x: np.ndarray) -> float:
    """The standard deviation in a channel, over its mean if that is far from 0."""
    channels = np.reshape(x, (-1, x.shape[-1]))
    return float((channels.std(0) / np.maximum(1, np.abs(channels.mean(0)))).mean())


def _traced(model: keras.Model, shape: Shape) -> Any:
    """The graph of the model for two inputs, as a concrete function."""
    function = graph_function(lambda x: model(x, training=False))
    try:
        return function.get_concrete_function(tf.TensorSpec([2, *shape], keras.config.floatx()))
    except (ValueError, TypeError, LookupError, AttributeError, tf.errors.OpError) as error:
        raise UserError(
            f"the model {model.name} can't be compiled by tf.function: {reason(error)}; use "
            "TensorFlow's operations alone (tf.cond for if), and make layers before the call"
        ) from error


def _part_faults(model: keras.Model, graph: tf.Graph) -> Iterator[str]:
    """What layers and operations tell by their names: one fault for each kind of them."""
    if not model.trainable_variables:
        yield "has no trainable weights; leave some layers unfrozen"
    gpu, told = bool(tf.config.list_logical_devices("GPU")), dict[Any, str]()
    for layer in model._flatten_layers():
        for fault in _layer_faults(layer, model, gpu):
            told.setdefault(type(layer), fault)
    for kind, name in _operations(graph):
        if kind in OPERATIONS:
            told.setdefault(kind, f"has {kind} in {_layer_of(name, model)}: {OPERATIONS[kind]}")
    yield from told.values()


def _layer_faults(layer: keras.Layer, model: keras.Model, gpu: bool) -> Iterator[str]:
    named = f"{type(layer).__name__} {layer.name!r}"
    if differentiates_wrongly(layer):
        yield (
            f"has {named}, whose moments have a wrong second derivative; "
            f"{_in_place_of(layer, model)}"
        )
    if compiled_by_xla(layer):
        two = isinstance(layer, layers.Conv2D)
        by_hand = "use tf_distill.layers.GroupedConv2D" if two else "leave groups out"
        yield (
            f"has {named} of {layer.groups} groups, which Keras compiles by XLA, and so "
            f"TensorFlow Serving can't run it; {(_copying(model) if two else '') or by_hand}"
        )
    if gpu and getattr(layer, "use_cudnn", False):
        yield (
            f"has {named}, which a GPU runs by cuDNN without a second derivative; build it "
            "with use_cudnn=False"
        )


def differentiates_wrongly(layer: keras.Layer) -> bool:
    """Whether it is a layer of Keras with a wrong second derivative; a frozen one only scales."""
    frozen = isinstance(layer, layers.BatchNormalization) and not layer.trainable
    return isinstance(layer, MOMENTS) and not isinstance(layer, OURS) and not frozen


def _in_place_of(layer: keras.Layer, model: keras.Model) -> str:
    """What to do about a layer that differentiates wrongly."""
    by_hand, freeze = f"tf_distill.layers.{type(layer).__name__}", ""
    if isinstance(layer, layers.BatchNormalization):
        by_hand = "tf_distill.layers.GroupNormalization(1)"
        freeze = "freeze it if it is pretrained (trainable = False), or "
    return freeze + (_copying(model) or f"use {by_hand}")


def _copying(model: keras.Model) -> str:
    """The advice to copy a model with other layers, where Keras can copy it."""
    if isinstance(model, keras.Sequential) or hasattr(model, "operations"):
        return "give tf_distill.layers.without_batch_norm(model) in place of the model"
    return ""


def compiled_by_xla(layer: keras.Layer) -> bool:
    """Whether it is a convolution that Keras compiles by XLA, whoever calls it."""
    kinds = layers.Conv1D, layers.Conv2D, layers.Conv3D
    return isinstance(layer, kinds) and layer.groups > 1 and not isinstance(layer, GroupedConv2D)


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


def _weight_faults(model: keras.Model, shape: Shape) -> Iterator[str]:
    """What two calls tell: the logits must follow from the weights alone."""
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(keras.config.floatx())
    with tf.GradientTape() as tape:
        model(x, training=False)
    known = {id(v.value) for v in model.variables}
    if strange := [v.name for v in tape.watched_variables() if id(v) not in known]:
        yield (
            f"reads {', '.join(strange)}, which Keras does not know as a weight; make it with "
            "self.add_weight in place of tf.Variable"
        )
    trained = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
    kept = [tf.convert_to_tensor(v.value) for v in model.non_trainable_variables]
    _, after = stateless(model, trained, kept, x)
    triples = zip(model.non_trainable_variables, kept, after, strict=True)
    # Seeds may change: a layer may draw nothing by them.
    changed = [v.path for v, a, b in triples if v.name != SEED_STATE and not np.array_equal(a, b)]
    if changed:
        yield (
            f"changes {', '.join(changed)} in each call, also with training=False, and a distilled "
            "set can't follow that; leave such layers out"
        )
    first, again = (np.asarray(model(x, training=False), np.float32) for _ in range(2))
    small = 0.01 * float(np.nan_to_num(np.abs(first)).max())
    if not np.allclose(first, again, 0.05, small, equal_nan=True):  # half precision on a GPU
        yield (
            "gives other logits each time it is called with the same, also with training=False; "
            "leave out what it draws at random there"
        )
    if _keeps_first_weights(model, trained, kept, x):
        yield (
            "goes on with the weights of its first call, as a tf.function does; leave @tf.function "
            "out of the model: all of an outer step is compiled anyway"
        )


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
