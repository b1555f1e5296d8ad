"""Images: their sizes, their pixels for a network, and their augmentation."""

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_distill.common import UserError, brief, say
from tf_distill.datasets.base import Augment, Dataset, NumberEncoding, Parts
from tf_distill.datasets.checks import warn
from tf_distill.datasets.labels import labels_in_words
from tf_distill.datasets.picture_files import WHITE, on_white, read_picture

SMALLEST, SCALED_UP, LARGEST = 12, 28, 64
"""Sides in pixels. By default an image below the first is scaled up to the second (LeNet needs
12 pixels), and an image above the third down to it."""

Size = tuple[int, int]
"""Height and width."""


class ImageEncoding(NumberEncoding):
    """uint8 pixels to floats of mean 0 and standard deviation 1 over the training data.

    `mean` and `std` have one number a channel, of pixels scaled to 0..1. `white` is the value that
    becomes 1 in files of 16 bits.
    """

    kind = "image"

    def __init__(
        self,
        shape: tuple[int, ...],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        white: int = WHITE,
    ):
        super().__init__(shape, mean, std)
        self.white = white

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """uint8 `[batch, height, width, channels]` to float32 of the same shape."""
        return self.normalise(tf.cast(x, tf.float32) / 255.0)

    def read(self, file: tf.Tensor) -> tf.Tensor:
        """The bytes of a file, a string `[]`, to float32 `shape`."""
        return self.normalise(read_picture(file, self.shape, self.white))

    def metadata(self) -> dict[str, Any]:
        """Kind, shape, mean, standard deviation, and the white of 16 bits unless it is 65535."""
        return super().metadata() | ({} if self.white == WHITE else {"white": self.white})


def image_dataset(name: str, parts: Parts, standardise: bool = True, white: int = WHITE) -> Dataset:
    """A dataset of uint8 images `[N, height, width, channels]`.

    With `standardise` channels have mean 0 and standard deviation 1 over the training images;
    otherwise pixels are in 0..1. `white` is as for `ImageEncoding`.
    """
    shape = parts.x_train.shape[1:]
    mean, std = pixel_statistics(parts.x_train) if standardise else ((0.0,), (1.0,))
    values = ", ".join(f"{m:.3f} +- {s:.3f}" for m, s in zip(mean, std, strict=True))
    say(
        f"{name}: {len(parts.y_train)} training and {len(parts.y_test)} test images of "
        f"{'x'.join(map(str, shape))}, pixels {values} a channel; {labels_in_words(parts)}"
    )
    return warn(parts.dataset(name, ImageEncoding(shape, mean, std, white)))


def pixel_statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 images, scaled to 0..1.

    A constant channel has the standard deviation 1/255.
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    for start in range(0, len(images), 1000):  # bincount needs eight bytes for each pixel
        for c in range(channels):
            values = images[start : start + 1000, ..., c].ravel()
            counts[c] += np.bincount(values, minlength=256)
    levels, part = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = part @ levels
    std = np.sqrt((part * (levels - mean[:, None]) ** 2).sum(axis=1))
    return tuple(mean.tolist()), tuple(np.maximum(std, 1 / 255).tolist())


def choose_size(sizes: Sequence[Size], given: Size | int | None) -> Size:
    """The size for all images; a line says why they are scaled.

    It is the `given` one (UserError if that is no size, or too small), or the most frequent one
    within bounds.
    """
    most, count = Counter(sizes).most_common(1)[0]
    size = checked_size(given) if given else working_size(most)
    if count == len(sizes) and size == most:
        return size
    others = f", {len(sizes) - count} have other sizes" if count < len(sizes) else ""
    hint = "" if given else "; image_size sets another"
    say(
        f"{count} of {len(sizes)} images are {most[0]}x{most[1]}{others}: all are scaled to "
        f"{size[0]}x{size[1]}{hint}"
    )
    return size


def checked_size(given: Size | int) -> Size:
    """A user's size as height and width; UserError if it is none, or too small for a network."""
    try:
        height, width = map(operator.index, (given, given) if isinstance(given, int) else given)
    except (TypeError, ValueError):
        raise UserError(
            f"image_size is {brief(given)}, expected pixels: 28, or (height, width)"
        ) from None
    if min(height, width) < SMALLEST:
        raise UserError(
            f"image_size is {height}x{width}, expected at least {SMALLEST} pixels on each side"
        )
    return height, width


def working_size(size: Size) -> Size:
    """The size itself, or one of about the same shape within the bounds."""
    scale = 1.0
    if max(size) > LARGEST:
        scale = LARGEST / max(size)
    elif min(size) < SMALLEST:
        scale = SCALED_UP / min(size)
    height, width = (min(max(round(scale * side), SMALLEST), LARGEST) for side in size)
    return height, width


def scale_pixels(image: Image.Image, size: Size, channels: int) -> np.ndarray:
    """uint8 `[height, width, channels]`: scaled bilinearly, over an area if made smaller."""
    if image.mode.startswith("I"):  # of 16 bits, which Pillow would cut off above 255
        image = Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8).reshape(*size, channels)


def scale_images(images: Iterable[np.ndarray], size: Size, channels: int) -> np.ndarray:
    """uint8 arrays `[height, width, 1, 3 or 4]` of any sizes as one array of one size."""
    flat = (image[..., 0] if image.shape[-1] == 1 else laid_on_white(image) for image in images)
    return np.stack([scale_pixels(Image.fromarray(image), size, channels) for image in flat])


def laid_on_white(images: np.ndarray) -> np.ndarray:
    """uint8 `[..., height, width, 3]` of images whose fourth channel says how opaque they are.

    Images of three channels come back as they are.
    """
    if images.shape[-1] == 3:
        return images
    found = np.empty((*images.shape[:-1], 3), np.uint8)
    for image, place in zip(images, found, strict=True):  # as floats take four times the memory
        pixels = image / np.float32(255)
        place[...] = np.round(255 * on_white(pixels[..., :3], pixels[..., 3:]))
    return found


def augmentation(name: str, described: Mapping[str, Any]) -> Augment | None:
    """A random change of embedded images; None for name="none".

    Args:
        name: "shift" for images moved by up to an eighth of their sides, "crop_and_flip" for
            half of them also mirrored.
        described: the metadata of their encoding.

    Raises:
        UserError: the inputs are no images.
    """
    if name == "none":
        return None
    if described.get("kind") != ImageEncoding.kind:
        raise UserError(f"augment={name} is for images; leave it out")
    black = -np.divide(described["mean"], described["std"]).astype(np.float32)
    change = {"shift": shift, "crop_and_flip": crop_and_flip}[name]
    padding = max(1, min(described["shape"][:2]) // 8)
    return lambda x, seed: change(x - black, seed, padding) + black


def crop_and_flip(x: tf.Tensor, seed: tf.Tensor, padding: int = 4) -> tf.Tensor:
    """A random crop of each image, padded with black on each side, and a flip of half of them.

    x is `[batch, height, width, channels]`, the seed int32 `[2]`.
    """
    corner_seed, flip_seed = tf.unstack(tf.random.split(seed))
    cropped = shift(x, corner_seed, padding)
    flip = tf.random.stateless_uniform([tf.shape(x)[0], 1, 1, 1], flip_seed) < 0.5
    return tf.where(flip, tf.reverse(cropped, axis=[2]), cropped)


def shift(x: tf.Tensor, seed: tf.Tensor, padding: int) -> tf.Tensor:
    """Each image moved by up to `padding` pixels each way, with black where it was not."""
    batch, (height, width) = tf.shape(x)[0], x.shape[1:3]
    padded = tf.pad(x, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    corners = tf.random.stateless_uniform(
        [2, batch, 1], seed, maxval=2 * padding + 1, dtype=tf.int32
    )
    rows, columns = corners[0] + tf.range(height), corners[1] + tf.range(width)
    moved = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)
