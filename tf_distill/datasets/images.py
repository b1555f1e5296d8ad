"""Image datasets: scikit-learn's digits, and MNIST and CIFAR-10 from tensorflow-datasets."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.datasets import tfds_source
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.parts import Parts
from tf_distill.encoding import Encoding
from tf_distill.progress import say


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


def load_digits(data_dir: Path, embeddings: str | None) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, scaled from 8x8 to 28x28 pixels.

    A fifth of them, stratified and always the same, is the test split.
    """
    from sklearn.datasets import load_digits as load
    from sklearn.model_selection import train_test_split

    images, labels = load(return_X_y=True)
    pixels = images.reshape(-1, 8, 8, 1) * (255 / 16)
    x = np.round(tf.image.resize(pixels, (28, 28)).numpy()).astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        x, labels.astype(np.int32), test_size=0.2, stratify=labels, random_state=0
    )
    mean, std = float(x_train.mean() / 255), float(x_train.std() / 255)
    encoding = ImageEncoding((28, 28, 1), (mean,), (std,))
    classes = tuple(str(digit) for digit in range(10))
    return Dataset("digits", classes, x_train, y_train, x_test, y_test, encoding)


def load_mnist(data_dir: Path, embeddings: str | None) -> Dataset:
    """MNIST: 60,000 and 10,000 handwritten digits of 28x28 pixels."""
    arrays = tfds_source.load("mnist", data_dir, ("image", "label"))
    encoding = ImageEncoding((28, 28, 1), (0.1307,), (0.3081,))
    return _labelled_images("mnist", arrays, encoding)


def load_cifar10(data_dir: Path, embeddings: str | None) -> Dataset:
    """CIFAR-10: 50,000 and 10,000 colour images of 32x32 pixels, cropped and flipped to train."""
    arrays = tfds_source.load("cifar10", data_dir, ("image", "label"))
    encoding = ImageEncoding((32, 32, 3), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    return _labelled_images("cifar10", arrays, encoding, augment=crop_and_flip)


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


def _labelled_images(name: str, arrays, encoding: ImageEncoding, **settings) -> Dataset:
    (x_train, y_train), (x_test, y_test), features = arrays
    labels = [y.astype(np.int32) for y in (y_train, y_test)]
    classes = tuple(features["label"].names)
    return Dataset(name, classes, x_train, labels[0], x_test, labels[1], encoding, **settings)
