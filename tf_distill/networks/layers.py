"""Keras layers that have a right second derivative, or are faster than Keras's own."""

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_distill.networks.convolutions import ConvGlobalMaxPool1D
from tf_distill.networks.parts import custom_gradient
from tf_distill.networks.recurrent import Bidirectional

__all__ = [
    "Bidirectional",
    "ChannelNormalization",
    "ConvGlobalMaxPool1D",
    "ConvMaxPool2D",
    "GroupNormalization",
    "GroupedConv2D",
    "InstanceNormalization",
    "LayerNormalization",
]  # fmt: skip

FEW = 64
"""Images in a batch for which a product of windows is faster than a convolution."""


@keras.saving.register_keras_serializable("tf_distill")
class ChannelNormalization(keras.layers.Layer):
    """Local response normalisation over neighbouring channels, in PyTorch's convention.

        y[c] = x[c] / (1 + alpha / size * sum of x[i]^2 for size channels around c)^beta

    The window holds size // 2 channels before c and (size - 1) // 2 after it.
    `tf.nn.local_response_normalization` has no second derivative; the parts of this layer have.
    """

    def __init__(self, size: int = 4, alpha: float = 0.001 / 9, beta: float = 0.75, **kwargs):
        super().__init__(**kwargs)
        self.size, self.alpha, self.beta = size, alpha, beta

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Normalises `[batch, ..., channels]`."""
        channels = x.shape[-1]
        after, before = (self.size - 1) // 2, self.size // 2
        # Ones where channel i (row) is in the window of channel c (column). The derivatives of a
        # product with them are such products too; shifted slices would give sums of many parts.
        band = tf.linalg.band_part(tf.ones([channels, channels], x.dtype), after, before)
        window = tf.linalg.matmul(tf.reshape(tf.square(x), [-1, channels]), band)
        window = tf.reshape(window, tf.shape(x))
        # Not tf.pow, whose derivatives took a quarter of AlexCifarNet's time.
        return x * tf.exp(-self.beta * tf.math.log1p((self.alpha / self.size) * window))

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        return {**super().get_config(), "size": self.size, "alpha": self.alpha, "beta": self.beta}


@keras.saving.register_keras_serializable("tf_distill")
class ConvMaxPool2D(keras.layers.Layer):
    """A convolution of stride 1, a 2x2 maximum and a relu in one, with a Conv2D's weights.

    It equals Conv2D, relu and MaxPooling2D(2) up to rounding, and is faster for few channels:
    each block of 2x2 or 4x4 pixels becomes one pixel with 4 or 16 times the channels, one
    convolution gives the four values of each maximum side by side, and only a quarter of the
    pixels go on from there.

    Args:
        filters: channels of the output.
        size: width of the kernel.
        padding: "same" or "valid", of the convolution.
        kernel_initializer: as in Conv2D.

    Raises:
        ValueError: an unknown padding.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        padding: str = "valid",
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if padding.lower() not in ("same", "valid"):
            raise ValueError(f"got padding={padding!r}, expected 'same' or 'valid'")
        self.filters, self.size, self.padding = filters, size, padding.lower()
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple) -> None:
        """Makes the kernel `[size, size, channels, filters]` and the bias `[filters]`."""
        self.kernel = self.add_weight(
            shape=(self.size, self.size, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """`[batch, height, width, channels]` to `[batch, height', width', filters]`."""
        height, width, channels = x.shape[1:]
        rows, columns = self._pooled(height), self._pooled(width)
        # A product for several results at once also multiplies by zeros, which costs least with
        # one channel.
        tile = 4 if channels == 1 else 2
        blocks = -(-(self.size - 1 + tile) // tile)
        kernel = self._tile_kernel(tile, blocks)
        down, right = -(-2 * rows // tile), -(-2 * columns // tile)
        x = self._pad(x, (down + blocks - 1) * tile, (right + blocks - 1) * tile)
        x = _blocks(x, tile)
        pixels, outputs = x.shape[1] * x.shape[2], kernel.shape[1]
        few = (x.shape[0] or FEW + 1) <= FEW
        if few and pixels <= outputs:  # then the windows cost less than their product
            results = tf.matmul(_windows(x, blocks), kernel)
            results = tf.reshape(results, [-1, down, right, outputs])
        else:
            shape = [blocks, blocks, x.shape[-1], outputs]
            results = tf.nn.conv2d(x, tf.reshape(kernel, shape), 1, "VALID")
        largest = _largest_of_four(results)
        if tile > 2:
            largest = _pixels(largest, tile // 2)[:, :rows, :columns]
        return tf.nn.relu(tf.nn.bias_add(largest, self.bias))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the output."""
        batch, height, width, _ = input_shape
        return batch, self._pooled(height), self._pooled(width), self.filters

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {"filters": self.filters, "size": self.size, "padding": self.padding}
        return {**super().get_config(), **own, "kernel_initializer": initializer}

    def _pooled(self, length: int) -> int:
        return (length if self.padding == "same" else length - self.size + 1) // 2

    def _pad(self, x: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Adds zeros before, for the padding, and adds or cuts at the far edges up to a size."""
        before = (self.size - 1) // 2 if self.padding == "same" else 0
        x = x[:, : height - before, : width - before]
        far = [length - before - n for length, n in zip((height, width), x.shape[1:3], strict=True)]
        return tf.pad(x, [[0, 0], [before, far[0]], [before, far[1]], [0, 0]])

    def _tile_kernel(self, tile: int, blocks: int) -> tf.Tensor:
        """The kernel over blocks, `[blocks^2 * tile^2 * channels, tile^2 * filters]`.

        The last axis holds `tile` times `tile` results, each of a shifted kernel: first the four
        places within a maximum, then the maxima, then filters.
        """
        kernel = tf.reshape(tf.convert_to_tensor(self.kernel), [self.size**2, -1])
        # Products, since padded copies and a transpose cost an inner step a quarter of its time.
        shifts = _shifts(self.size, tile, blocks).astype(kernel.dtype.as_numpy_dtype)
        if kernel.shape[1] == self.filters:  # one channel: all shifts in one product
            together = np.reshape(np.swapaxes(shifts, 0, 1), [-1, self.size**2])
            return tf.reshape(tf.matmul(together, kernel), [shifts.shape[1], -1])
        return tf.concat([tf.reshape(tf.matmul(s, kernel), [-1, self.filters]) for s in shifts], 1)


def _blocks(x: tf.Tensor, size: int) -> tf.Tensor:
    """tf.nn.space_to_depth by a transpose, which takes a sixth of its time for one channel."""
    height, width, channels = x.shape[1:]
    rows = tf.reshape(x, [-1, height // size, size, width // size, size * channels])
    blocks = tf.transpose(rows, [0, 1, 3, 2, 4])
    return tf.reshape(blocks, [-1, height // size, width // size, size**2 * channels])


def _pixels(blocks: tf.Tensor, size: int) -> tf.Tensor:
    """tf.nn.depth_to_space likewise: its gradient is slow."""
    height, width, channels = blocks.shape[1:]
    rows = tf.reshape(blocks, [-1, height, width, size, channels // size])
    x = tf.transpose(rows, [0, 1, 3, 2, 4])
    return tf.reshape(x, [-1, height * size, width * size, channels // size**2])


def _windows(x: tf.Tensor, size: int) -> tf.Tensor:
    """The windows of `size` times `size` pixels: `[batch * places, size^2 * channels]`."""
    height, width, channels = x.shape[1:]
    place = np.arange(height * width).reshape(height, width)
    windows = np.lib.stride_tricks.sliding_window_view(place, (size, size))
    chosen = _chosen(tf.reshape(x, [-1, place.size, channels]), windows.reshape(-1))
    return tf.reshape(chosen, [-1, size**2 * channels])


def _chosen(x: tf.Tensor, rows: np.ndarray) -> tf.Tensor:
    """Some rows of each matrix of a batch. The gradient is a product, cheaper than a scatter."""
    back = np.eye(x.shape[1], dtype=x.dtype.as_numpy_dtype)[:, rows]

    @custom_gradient
    def choose(x: tf.Tensor):
        return tf.gather(x, rows, axis=1), add

    @custom_gradient
    def add(x: tf.Tensor):
        return tf.matmul(back, x), choose

    return choose(x)


def _shifts(size: int, tile: int, blocks: int) -> np.ndarray:
    """From a kernel to its shifts over blocks: `[tile^2, blocks^2 * tile^2, size^2]` of 0 and 1.

    The second axis has the blocks, row by row, and the pixels of each; the last the kernel's.
    """
    moves = [range(first, tile, 2) for first in (0, 1)]
    along = np.zeros([tile, blocks, tile, size])  # of one side: shift, block, pixel, kernel
    for shift, place in itertools.product(range(tile), range(size)):
        along[shift, *divmod(shift + place, tile), place] = 1
    both = np.einsum("iatx,jbuy->ijabtuxy", along, along)
    order = [both[i, j] for down in moves for right in moves for i in down for j in right]
    return np.reshape(order, [tile**2, -1, size**2])


@custom_gradient
def _largest_of_four(x: tf.Tensor):
    """The largest of the four parts of the last axis; of equal ones the first has the gradient.

    The gradient is of products with zeros and ones, cheaper than the tape's choices by tf.where.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        a, b, c, d = tf.split(x, 4, axis=-1)
        left, right = tf.maximum(a, b), tf.maximum(c, d)
        won, a_won, c_won = (
            tf.cast(one >= other, x.dtype) for one, other in ((left, right), (a, b), (c, d))
        )
        by_left = won * upstream
        by_right = upstream - by_left
        by_a, by_c = a_won * by_left, c_won * by_right
        return tf.concat([by_a, by_left - by_a, by_c, by_right - by_c], -1)

    *places, channels = x.shape[1:]
    return tf.reduce_max(tf.reshape(x, [-1, *places, 4, channels // 4]), -2), gradient


@keras.saving.register_keras_serializable("tf_distill")
class GroupedConv2D(keras.layers.Conv2D):
    """Keras's Conv2D for groups of channels, without XLA.

    Keras compiles such a convolution by XLA, which is slow to build and which TensorFlow Serving
    can't run. This layer has the arguments and weights of Keras's layer.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """`[batch, height, width, channels]` to `[batch, height', width', filters]`."""
        how = (self.strides, self.padding, self.data_format, self.dilation_rate)
        channels = inputs.shape[-1]
        if self.groups == channels:
            each = keras.ops.reshape(kernel, (*self.kernel_size, channels, -1))
            return keras.ops.depthwise_conv(inputs, each, *how)
        pairs = zip(*(keras.ops.split(v, self.groups, -1) for v in (inputs, kernel)), strict=True)
        return keras.ops.concatenate([keras.ops.conv(x, k, *how) for x, k in pairs], -1)


@keras.saving.register_keras_serializable("tf_distill")
class GroupNormalization(keras.layers.GroupNormalization):
    """Keras's group normalisation with a right second derivative.

    Keras uses tf.nn.moments, as for its `LayerNormalization` (below). This layer has the arguments
    and weights of Keras's layer. With groups=1 it normalises each example over all of its places
    and channels.
    """

    def call(self, inputs: tf.Tensor, training: bool = False, mask: Any = None) -> tf.Tensor:
        """Normalises each group of channels of each example by itself.

        `training` and `mask` change nothing: they are those of BatchNormalization, whose place this
        layer can take.
        """
        x = tf.convert_to_tensor(inputs)
        x = tf.cast(x, keras.backend.result_type(x.dtype, "float32"))  # squares overflow in half
        axis, sizes = self.axis % len(x.shape), tf.unstack(tf.shape(x))
        kept = [n if i == axis else 1 for i, n in enumerate(x.shape)]
        split = [*sizes[:axis], self.groups, x.shape[axis] // self.groups, *sizes[axis + 1 :]]
        x = tf.reshape(x, split)
        axes = [i for i in range(1, len(split)) if i != axis]
        x = tf.reshape(_normalised(x, axes, self.epsilon), sizes)
        return tf.cast(_scaled_and_moved(x, self, kept), self.compute_dtype)


def _normalised(x: tf.Tensor, axes: list[int], epsilon: float, centre: bool = True) -> tf.Tensor:
    """Divided by the standard deviation over some axes; of mean 0 if they are centred."""
    centred = x - tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
    return (centred if centre else x) * tf.math.rsqrt(variance + epsilon)


def _scaled_and_moved(x: tf.Tensor, layer: keras.Layer, shape: list[int]) -> tf.Tensor:
    """Times gamma and plus beta of a layer, each brought to a shape, where it has them."""
    if layer.gamma is not None:
        x *= tf.reshape(tf.cast(layer.gamma, x.dtype), shape)
    if layer.beta is not None:
        x += tf.reshape(tf.cast(layer.beta, x.dtype), shape)
    return x


@keras.saving.register_keras_serializable("tf_distill")
class InstanceNormalization(keras.layers.Layer):
    """Each channel of each image by itself, less its mean and over its standard deviation.

        y = gamma * (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) + beta

    It equals Keras's GroupNormalization with a group for each channel, whose second derivative is
    wrong, and has its weights.

    Args:
        epsilon: is added to the variance.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple) -> None:
        """Makes `gamma` and `beta`, `[channels]`."""
        channels = input_shape[-1:]
        self.gamma = self.add_weight(shape=channels, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=channels, initializer="zeros", name="beta")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Normalises `[batch, height, width, channels]`."""
        full = keras.backend.result_type(x.dtype, "float32")  # squares overflow in half
        x, gamma, beta = (tf.cast(v, full) for v in (x, self.gamma, self.beta))
        return tf.cast(_instance_normalized(x, gamma, beta, self.epsilon), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        return {**super().get_config(), "epsilon": self.epsilon}


@tf.autograph.experimental.do_not_convert  # else it compiles the function without its gradient
def _instance_normalized(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """The formula, with a gradient of fewer passes over `x` than the tape's."""

    def mean(values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(values, [1, 2], keepdims=True)

    @tf.custom_gradient
    def normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor):
        centred = x - mean(x)
        scale = tf.math.rsqrt(mean(tf.square(centred)) + epsilon)

        # Of tensors that follow from x by plain operations: a tape differentiates it rightly.
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            average, slope = mean(upstream), scale * mean(upstream * centred)
            by_x = (
                gamma * scale * (upstream - average) - (gamma * tf.square(scale) * slope) * centred
            )
            pixels = tf.cast(tf.reduce_prod(tf.shape(x)[1:3]), x.dtype)
            by_gamma, by_beta = (pixels * tf.reduce_sum(v, [0, 1, 2]) for v in (slope, average))
            return by_x, by_gamma, by_beta

        return centred * (gamma * scale) + beta, gradient

    return normalized(x, gamma, beta)


@keras.saving.register_keras_serializable("tf_distill")
class LayerNormalization(keras.layers.LayerNormalization):
    """Keras's layer normalisation with a right second derivative.

    Keras uses tf.nn.moments, which takes the mean inside of the variance for a constant: right for
    a first derivative, and wrong without an error for a second. This layer has the arguments and
    weights of Keras's layer.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalises over `axis`, each example by itself."""
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        x = tf.convert_to_tensor(inputs)
        x = tf.cast(x, keras.backend.result_type(x.dtype, "float32"))  # squares overflow in half
        x = _normalised(x, axes, self.epsilon, centre=not self.rms_scaling)
        kept = [n if i in {a % len(x.shape) for a in axes} else 1 for i, n in enumerate(x.shape)]
        return tf.cast(_scaled_and_moved(x, self, kept), self.compute_dtype)
