"""The paper's five networks and the registry of their names and defaults.

All map an embedded input to logits, are twice differentiable on CPU and GPU, and
start from Xavier normal weights and zero biases (Section 4.2). Logits have one
output for a binary task.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import layers

from tf_distill.layers import ChannelNormalization, ConvMaxPool2D

Shape = tuple[int, ...]


class Defaults(NamedTuple):
    """Settings that belong to a network rather than to a dataset.

    inner_lr: starting learning rate of the inner steps; outer_lr: of the outer
    optimizer; epochs: passes over the distilled samples.
    """

    inner_lr: float
    outer_lr: float
    epochs: int


class Network(NamedTuple):
    """An entry of the registry: `build(input_shape, outputs)` makes the Keras model."""

    build: Callable[[Shape, int], keras.Model]
    kind: str
    defaults: Defaults


def _xavier() -> keras.initializers.Initializer:
    """Xavier normal without truncation, one object a weight so that draws are independent."""
    return keras.initializers.VarianceScaling(1.0, "fan_avg", "untruncated_normal")


def _dense(units: int, activation: str | None = None) -> layers.Layer:
    return layers.Dense(units, activation, kernel_initializer=_xavier())


def _conv(filters: int, size: int, padding: str = "valid") -> layers.Layer:
    return layers.Conv2D(
        filters, size, padding=padding, activation="relu", kernel_initializer=_xavier()
    )


def lenet(input_shape: Shape, outputs: int) -> keras.Model:
    """LeNet-5 with 6, 16, 120 and 84 units, relu and max pooling."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            ConvMaxPool2D(6, 5, padding="same", kernel_initializer=_xavier()),
            ConvMaxPool2D(16, 5, kernel_initializer=_xavier()),
            layers.Flatten(),
            _dense(120, "relu"),
            _dense(84, "relu"),
            _dense(outputs),
        ],
        name="lenet",
    )


def alexcifarnet(input_shape: Shape, outputs: int) -> keras.Model:
    """AlexCifarNet: two 5x5x64 convolutions with local response normalisation, dense 384, 192."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            _conv(64, 5, padding="same"),
            layers.ZeroPadding2D(1),  # after relu a zero never wins over a true maximum
            layers.MaxPooling2D(3, 2),
            ChannelNormalization(),
            _conv(64, 5, padding="same"),
            ChannelNormalization(),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            _dense(384, "relu"),
            _dense(192, "relu"),
            _dense(outputs),
        ],
        name="alexcifarnet",
    )


def textconvnet(input_shape: Shape, outputs: int) -> keras.Model:
    """A wide text CNN: 100 filters each of widths 3, 4, 5, their maxima over time, one dense."""
    x = keras.Input(input_shape)
    # Grappler's order of sums follows names: Keras's numbered ones would make the last bits
    # depend on how many layers the process has made before.
    features = [
        layers.GlobalMaxPooling1D(name=f"maximum_{width}")(
            layers.Conv1D(
                100, width, activation="relu", kernel_initializer=_xavier(), name=f"width_{width}"
            )(x)
        )
        for width in (3, 4, 5)
    ]
    return keras.Model(x, _dense(outputs)(layers.Concatenate()(features)), name="textconvnet")


def birnn(input_shape: Shape, outputs: int) -> keras.Model:
    """Two bidirectional layers of 100 simple recurrent units a direction."""
    return _bidirectional("birnn", layers.SimpleRNN, {}, input_shape, outputs)


def bilstm(input_shape: Shape, outputs: int) -> keras.Model:
    """Two bidirectional layers of 100 LSTM units a direction."""
    # cuDNN's LSTM has no second derivative.
    settings = {"use_cudnn": False, "unit_forget_bias": False}
    return _bidirectional("bilstm", layers.LSTM, settings, input_shape, outputs)


def _bidirectional(name, layer, settings, input_shape, outputs) -> keras.Model:
    def recurrent(return_sequences: bool) -> layers.Layer:
        return layers.Bidirectional(
            layer(
                100,
                return_sequences=return_sequences,
                kernel_initializer=_xavier(),
                recurrent_initializer=_xavier(),
                **settings,
            )
        )

    return keras.Sequential(
        [keras.Input(input_shape), recurrent(True), recurrent(False), _dense(outputs)], name=name
    )


NETWORKS: dict[str, Network] = {
    "lenet": Network(lenet, "image", Defaults(inner_lr=0.1, outer_lr=0.02, epochs=3)),
    "alexcifarnet": Network(alexcifarnet, "image", Defaults(0.02, 0.01, 3)),
    "textconvnet": Network(textconvnet, "text", Defaults(0.01, 0.05, 5)),
    "birnn": Network(birnn, "text", Defaults(0.5, 0.05, 2)),
    "bilstm": Network(bilstm, "text", Defaults(1.5, 0.1, 2)),
}
