"""The paper's five networks.

All map an embedded input to logits, are twice differentiable on CPU and GPU, and start from Xavier
normal weights and zero biases (Section 4.2). Logits have one output for a binary task.

`width` multiplies the units and filters of every layer but the last (at least one stays), `depth`
adds so many layers, and `dropout` is the rate of dropout in Keras's own fit: a `Learner` never
drops. The defaults give the paper's networks. Names of layers do not depend on the layers that a
process has made before: Grappler orders sums by names, so the last bits follow them.
"""

import functools
from collections.abc import Callable

import keras
from keras import layers

from tf_distill.networks.convolutions import ConvGlobalMaxPool1D
from tf_distill.networks.layers import ChannelNormalization, ConvMaxPool2D
from tf_distill.networks.parts import Shape, dense, dropping, head, scaled, xavier
from tf_distill.networks.recurrent import Bidirectional

WORD_DROPOUT = 0.4
"""The text CNN's rate of dropout on words over its rate on features; by held-out TREC-50."""


def lenet(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """LeNet-5 with 6, 16, 120 and 84 units, relu and max pooling; depth: dense layers of 84."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            ConvMaxPool2D(scaled(6, width), 5, padding="same", kernel_initializer=xavier()),
            ConvMaxPool2D(scaled(16, width), 5, kernel_initializer=xavier()),
            layers.Flatten(),
            dense(scaled(120, width), "relu"),
            *head([scaled(84, width)] * (1 + depth), outputs, dropout),
        ],
        name="lenet",
    )


def alexcifarnet(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """AlexCifarNet: two 5x5x64 convolutions with local response normalisation, dense 384, 192.

    depth: dense layers of 192.
    """
    filters = scaled(64, width)
    return keras.Sequential(
        [
            keras.Input(input_shape),
            _conv(filters),
            layers.ZeroPadding2D(1),  # after relu a zero never wins over a true maximum
            layers.MaxPooling2D(3, 2),
            ChannelNormalization(),
            _conv(filters),
            ChannelNormalization(),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            dense(scaled(384, width), "relu"),
            *head([scaled(192, width)] * (1 + depth), outputs, dropout),
        ],
        name="alexcifarnet",
    )


def textconvnet(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """A wide text CNN: 100 filters each of widths 3, 4, 5, their maxima over time, one dense.

    depth: dense layers of 100. Embedded words have WORD_DROPOUT of the rate of dropout.
    """
    inputs = keras.Input(input_shape)
    x = layers.Dropout(WORD_DROPOUT * dropout, name="drop_words")(inputs) if dropout else inputs
    filters, initial = scaled(100, width), xavier
    features = [
        ConvGlobalMaxPool1D(filters, size, initial(), name=f"width_{size}")(x) for size in (3, 4, 5)
    ]
    x = layers.Concatenate()(features)
    for layer in head([filters] * depth, outputs, dropout):
        x = layer(x)
    return keras.Model(inputs, x, name="textconvnet")


def birnn(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """Two bidirectional layers of 100 simple recurrent units a direction; depth: more of them."""
    return _bidirectional("birnn", layers.SimpleRNN, input_shape, outputs, width, depth, dropout)


def bilstm(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """Two bidirectional layers of 100 LSTM units a direction; depth: more of them."""
    # cuDNN's LSTM has no second derivative.
    lstm = functools.partial(layers.LSTM, use_cudnn=False, unit_forget_bias=False)
    return _bidirectional("bilstm", lstm, input_shape, outputs, width, depth, dropout)


def _conv(filters: int) -> layers.Layer:
    return layers.Conv2D(filters, 5, padding="same", activation="relu", kernel_initializer=xavier())


def _bidirectional(
    name: str, layer: Callable, shape: Shape, outputs: int, width: float, depth: int, dropout: float
) -> keras.Model:
    """Recurrent layers that read both ways, with dropout before each; the last gives one vector."""
    stack: list[layers.Layer] = []
    for i in range(2 + depth):
        recurrent = layer(
            scaled(100, width),
            return_sequences=i < 1 + depth,
            kernel_initializer=xavier(),
            recurrent_initializer=xavier(),
        )
        stack += [*dropping(dropout), Bidirectional(recurrent)]
    stack += head([], outputs, dropout)
    return keras.Sequential([keras.Input(shape), *stack], name=name)
