"""Networks for the rows of tables: a perceptron, a residual one, and logistic regression.

`width`, `depth` and `dropout` are those of `paper`.
"""

import keras
from keras import layers

from tf_distill.networks.layers import LayerNormalization
from tf_distill.networks.parts import Shape, dense, dropping, head, scaled, xavier

UNITS, LAYERS = 128, 2
"""The width and the depth of both perceptrons."""


def linear(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """Logistic regression; depth: hidden dense layers, which make it a perceptron."""
    hidden = [scaled(UNITS, width)] * depth
    return keras.Sequential(
        [keras.Input(input_shape), *head(hidden, outputs, dropout)], name="linear"
    )


def mlp(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """Two dense layers of 128 with relu, each with dropout; depth: more of them."""
    stack: list[layers.Layer] = []
    for _ in range(LAYERS + depth):
        stack += [dense(scaled(UNITS, width), "relu"), *dropping(dropout)]
    return keras.Sequential([keras.Input(input_shape), *stack, dense(outputs)], name="mlp")


def resnet_mlp(
    input_shape: Shape, outputs: int, width: float = 1.0, depth: int = 0, dropout: float = 0.0
) -> keras.Model:
    """The ResNet for tables of Gorishniy et al. (2021), of two blocks of 128; depth: more of them.

    Its normalisation is that of a layer in place of a batch, since the moments of a batch would be
    those of a few distilled rows. The inner layer of a block is twice as wide.
    """
    units = scaled(UNITS, width)
    inputs = keras.Input(input_shape)
    x = layers.Dense(units, kernel_initializer=xavier(), name="first")(inputs)
    for i in range(LAYERS + depth):
        y = LayerNormalization(name=f"norm_{i}")(x)
        for layer in [dense(2 * units, "relu"), *dropping(dropout), dense(units)]:
            y = layer(y)
        for layer in dropping(dropout):
            y = layer(y)
        x = layers.Add(name=f"add_{i}")([x, y])
    x = layers.ReLU(name="relu")(LayerNormalization(name="norm")(x))
    return keras.Model(inputs, dense(outputs)(x), name="resnet_mlp")
