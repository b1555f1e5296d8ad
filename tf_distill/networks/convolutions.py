"""Convolutions over words and the largest of their results, for long texts.

The largest of hundreds of results needs all of them, but its derivative needs only the winner.
So the winners are found without a tape, in parts that fit the cache and without the padding
behind short texts; the tape then sees the winners alone.
"""

from typing import Any

import keras
import tensorflow as tf

from tf_distill.networks.parts import custom_gradient

LONG = 64
"""With fewer words the tape sees all results, which then is faster."""
PART = 16
"""Texts of about the same length in a part: their convolution fits the cache."""


@keras.saving.register_keras_serializable("tf_distill")
class ConvGlobalMaxPool1D(keras.layers.Layer):
    """A convolution of stride 1, a relu and the maximum over time in one, with a Conv1D's weights.

    It equals Conv1D, relu and GlobalMaxPooling1D up to rounding, and so do its derivatives. If
    several results are the largest, the first takes the whole gradient in texts of LONG words or
    more. Import `tf_distill.layers` before you load a saved model with this layer.

    Args:
        filters: channels of the output.
        size: width of the kernel.
        kernel_initializer: as in Conv1D.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters, self.size = filters, size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple) -> None:
        """Makes the kernel `[size, channels, filters]` and the bias `[filters]`.

        Raises:
            ValueError: the texts are shorter than the kernel.
        """
        words = input_shape[1]
        if words is not None and words < self.size:
            raise ValueError(f"{words} words are fewer than the kernel's {self.size}")
        # XLA can't compile parts of unequal sizes, and Keras would choose it on a GPU by itself.
        self.supports_jit = not _is_long(words)
        self.kernel = self.add_weight(
            shape=(self.size, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """`[batch, words, channels]` to `[batch, filters]`."""
        kernel = tf.convert_to_tensor(self.kernel)
        if _is_long(x.shape[1]):
            largest = largest_of_many(x, kernel)
        else:
            largest = _largest(tf.nn.conv1d(x, kernel, 1, "VALID"))
        # The maximum first: bias and relu don't change which result it is.
        return tf.nn.relu(tf.nn.bias_add(largest, self.bias))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The shape of the output."""
        return input_shape[0], self.filters

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        own = {"filters": self.filters, "size": self.size, "kernel_initializer": initializer}
        return {**super().get_config(), **own}


def _is_long(words: int | None) -> bool:
    return words is not None and words >= LONG


@custom_gradient
def _largest(results: tf.Tensor):
    """The largest over time; equal ones share the gradient, as by tf.reduce_max.

    The tape would differentiate the shares too, though they are constant.
    """
    largest = tf.reduce_max(results, axis=1, keepdims=True)
    share = tf.cast(tf.equal(results, largest), results.dtype)
    share /= tf.reduce_sum(share, axis=1, keepdims=True)
    return largest[:, 0], lambda upstream: share * upstream[:, tf.newaxis]


@custom_gradient
def largest_of_many(x: tf.Tensor, kernel: tf.Tensor):
    """The largest result of each text with each filter; its derivatives use the winners alone."""
    largest, first = winners(x, kernel)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size, channels, filters = kernel.shape
        texts, words = tf.shape(x)[0], x.shape[1]
        # As float32, which is exact here: oneDNN complains of transposed whole numbers.
        first_of = tf.cast(tf.transpose(tf.cast(first, tf.float32)), tf.int32)
        start = first_of + tf.range(texts) * words
        places = start[:, :, tf.newaxis] + tf.range(size)
        won = tf.gather(tf.reshape(x, [-1, channels]), places)
        won = tf.reshape(won, [filters, texts, size * channels])
        upstream = tf.transpose(upstream)[:, tf.newaxis]
        by_kernel = tf.reshape(tf.transpose(tf.matmul(upstream, won)[:, 0]), kernel.shape)
        columns = tf.transpose(tf.reshape(kernel, [size * channels, 1, filters]), [2, 1, 0])
        parts = tf.matmul(upstream, columns, transpose_a=True)
        by_place = tf.math.unsorted_segment_sum(
            tf.reshape(parts, [-1, channels]), tf.reshape(places, [-1]), texts * words
        )
        return tf.reshape(by_place, tf.shape(x)), by_kernel

    return largest, gradient


def winners(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The largest result of each text with each filter, and the first word of its window.

    From `[batch, words, channels]` and `[size, channels, filters]` to `[batch, filters]`, int32.
    """
    size, filters = kernel.shape[0], kernel.shape[2]
    texts, words = tf.shape(x)[0], x.shape[1]
    lengths = _lengths(x)
    order = tf.argsort(lengths)
    parts = (texts + PART - 1) // PART
    found = [
        tf.TensorArray(kind, parts, infer_shape=False, element_shape=[None, filters])
        for kind in (x.dtype, tf.int32)
    ]

    def body(i: tf.Tensor, found: list[tf.TensorArray]) -> tuple[tf.Tensor, list[tf.TensorArray]]:
        part = order[i * PART : (i + 1) * PART]
        # One window of padding stands for all windows of padding.
        cut = tf.minimum(lengths[part[-1]] + size, words)
        results = tf.nn.conv1d(tf.gather(x, part)[:, :cut], kernel, 1, "VALID")
        values = tf.reduce_max(results, axis=1), tf.argmax(results, axis=1, output_type=tf.int32)
        return i + 1, [a.write(i, v) for a, v in zip(found, values, strict=True)]

    _, found = tf.while_loop(lambda i, _: i < parts, body, (0, found), parallel_iterations=1)
    back = tf.argsort(order)
    largest, first = (tf.gather(a.concat(), back) for a in found)
    return largest, first


def _lengths(x: tf.Tensor) -> tf.Tensor:
    """Words of each text up to the last that is not zero, int32 `[batch]`."""
    seen = tf.reduce_max(tf.abs(x), axis=-1) > 0
    return tf.reduce_max(tf.where(seen, tf.range(1, x.shape[1] + 1), 0), axis=-1)
