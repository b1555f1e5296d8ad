"""Images as a network sees them, and their augmentation."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import say
from tf_distill.datasets.base import Dataset, Encoding
from tf_distill.datasets.labels import Parts


class ImageEncoding(Encoding):
    """uint8 pixels to floats of mean 0 and standard deviation 1 over the training data.

    Args:
        shape: `(height, width, channels)`.
        mean, std: one number a channel, of pixels scaled to 0..1.
    """

    def __init__(self, shape: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]):
        self.shape, self.mean, self.std = shape, mean, std

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """uint8 `[batch, height, width, channels]` to float32 of the same shape."""
        return self.normalise(tf.cast(x, tf.float32) / 255.0)

    def normalise(self, x: tf.Tensor) -> tf.Tensor:
        """float32 pixels in 0..1 to what the network sees."""
        return (x - tf.constant(self.mean)) / tf.constant(self.std)

    def metadata(self) -> dict[str, Any]:
        """Shape, mean and standard deviation."""
        return {"kind": "image", "shape": self.shape, "mean": self.mean, "std": self.std}


def image_dataset(name: str, parts: Parts, standardise: bool = True) -> Dataset:
    """A dataset of uint8 images `[N, height, width, channels]`.

    Args:
        name: of the dataset.
        parts: images and classes.
        standardise: channels to mean 0 and standard deviation 1 over the training images;
            else pixels are in 0..1.
    """
    shape = parts.x_train.shape[1:]
    mean, std = pixel_statistics(parts.x_train) if standardise else ((0.0,), (1.0,))
    values = ", ".join(f"{m:.3f} +- {s:.3f}" for m, s in zip(mean, std, strict=True))
    say(
        f"{name}: {len(parts.y_train)} training and {len(parts.y_test)} test images of "
        f"{'x'.join(map(str, shape))}, {len(parts.classes)} classes, pixels {values} a channel"
    )
    return Dataset(name, *parts, ImageEncoding(shape, mean, std))


def pixel_statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 images, scaled to 0..1.

    A channel that is the same everywhere counts as of standard deviation 1/255.
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    for start in range(0, len(images), 1000):  # counting makes eight bytes of one
        for c in range(channels):
            values = images[start : start + 1000, ..., c].ravel()
            counts[c] += np.bincount(values, minlength=256)
    levels, part = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = part @ levels
    std = np.sqrt((part * (levels - mean[:, None]) ** 2).sum(axis=1))
    return tuple(mean.tolist()), tuple(np.maximum(std, 1 / 255).tolist())


def crop_and_flip(x: tf.Tensor, seed: tf.Tensor, padding: int = 4) -> tf.Tensor:
    """A random crop of each image, padded with black, and a flip of half of them.

    Args:
        x: `[batch, height, width, channels]`.
        seed: int32 `[2]`.
        padding: pixels added on each side before the crop.
    """
    batch, (height, width) = tf.shape(x)[0], x.shape[1:3]
    padded = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    corner_seed, flip_seed = tf.unstack(tf.random.split(seed))
    corners = tf.random.stateless_uniform(
        [2, batch, 1], corner_seed, maxval=2 * padding + 1, dtype=tf.int32
    )
    rows, columns = corners[0] + tf.range(height), corners[1] + tf.range(width)
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
    flip = tf.random.stateless_uniform([batch, 1, 1, 1], flip_seed) < 0.5
    return tf.where(flip, tf.reverse(cropped, axis=[2]), cropped)
