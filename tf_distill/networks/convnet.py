"""ConvNet, the network of most later work on dataset distillation, in any width and depth.

`width`, `depth` and `dropout` are those of `paper`.
"""

import keras
from keras import layers

from tf_distill.networks.layers import InstanceNormalization
from tf_distill.networks.parts import Shape, head, scaled, xavier

FILTERS, BLOCKS = 128, 3
"""The width and the depth of ConvNet-3."""


def convnet(
    input_shape: Shape,
    outputs: int,
    width: float = 1.0,
    depth: int = 0,
    dropout: float = 0.0,
    filters: int = FILTERS,
    blocks: int = BLOCKS,
) -> keras.Model:
    """Blocks of a 3x3 convolution, instance normalisation, relu, 2x2 average pooling; one dense.

    The convolutions have no bias: the normalisation takes it away again. depth: more blocks.
    """
    units, side = scaled(filters, width), min(input_shape[:2])
    stack: list[layers.Layer] = []
    for left in reversed(range(blocks + depth)):
        stack += [
            layers.Conv2D(units, 3, padding="same", use_bias=False, kernel_initializer=xavier()),
            InstanceNormalization(),
            layers.ReLU(),
        ]
        # A single pixel is 0 when normalised, so only the last block may leave one.
        if side >= 4 or (side >= 2 and not left):
            stack.append(layers.AveragePooling2D(2))
            side //= 2
    return keras.Sequential(
        [keras.Input(input_shape), *stack, layers.Flatten(), *head([], outputs, dropout)],
        name="convnet",
    )
