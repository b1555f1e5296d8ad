"""Arrays as a dataset: images, and vectors or sequences that are embedded already."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, read_npz_arrays, say
from tf_distill.datasets.base import Dataset, NumberEncoding, Parts, refuse_stream
from tf_distill.datasets.checks import warn
from tf_distill.datasets.images import (
    SMALLEST,
    Size,
    choose_size,
    image_dataset,
    laid_on_white,
    scale_images,
)
from tf_distill.datasets.labels import labels_in_words
from tf_distill.datasets.quantities import parts_of

ENCODINGS = ("standardise", "as_is")
CHANNELS = (1, 3, 4)
"""Of images: grey, colours, and colours with how opaque they are."""
KEYS = ("x_train", "y_train", "x_test", "y_test")


class ArrayEncoding(NumberEncoding):
    """Floats as they are, or of mean 0 and standard deviation 1 over the training data."""

    kind = "array"

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Floats `[batch, *shape]` to float32 of the same shape."""
        return self.normalise(tf.cast(x, tf.float32))


def from_arrays(
    x_train: np.ndarray,
    y_train: Iterable[Any],
    x_test: np.ndarray | None = None,
    y_test: Iterable[Any] | None = None,
    *,
    task: str | None = None,
    classes: Sequence[str] | None = None,
    encoding: str = "standardise",
    name: str = "arrays",
    seed: int = 0,
) -> Dataset:
    """A dataset of arrays, each with a class, or with a quantity for regression.

    uint8 `[N, height, width]` or `[N, height, width, 1, 3 or 4]` are images, and so are other
    numbers of 1 or 3 channels that are whole from 0 to 255, or floats of exact steps of 1/255 in
    0..1; they can be served as images. Without a channel these must fill more than half of their
    range, and have at least 12 pixels a side; a line says so. A fourth channel says how opaque an
    image is; it is laid on white.
    A network sees all other arrays as numbers: vectors, sequences of vectors, or images of
    real numbers.

    Args:
        x_train: numbers `[N, ...]`, float, uint8 or another integer type.
        y_train: classes: whole numbers or strings, `[N]` or `[N, 1]`; or a quantity.
        x_test: likewise; without it a fifth of the examples, stratified, is held out.
        y_test: likewise.
        task: "regression" for a quantity, "classes"; by default a quantity if `y_train` has numbers
            with fractions.
        classes: names in the order of the outputs; labels are names or positions here. By
            default the sorted labels.
        encoding: "standardise": each place of the last axis (channel or feature) has mean 0
            and standard deviation 1 over the training data; "as_is": floats stay as they
            are, and uint8 pixels become 0..1.
        name: of the dataset.
        seed: of the part that is held out.

    Raises:
        UserError: inputs that are no numbers or not finite, or arrays that do not fit each other.
    """
    if encoding not in ENCODINGS:
        raise UserError(f"got encoding={encoding!r}, expected one of {', '.join(ENCODINGS)}")
    where = ("x_train, y_train", "x_test, y_test")
    parts = _parts(x_train, y_train, x_test, y_test, where, task, classes, seed)
    splits = parts.x_train, parts.x_test
    if are_grey(splits[0]):
        say(
            f"{name}: arrays of {splits[0].shape[1:]} with values of pixels are taken for grey "
            "images; for sequences of vectors give x - 0.5"
        )
        splits = splits[0][..., None], splits[1][..., None]
    train, test = map(as_images, splits)
    if train is not None and test is not None:
        images = _opaque(name, parts, parts._replace(x_train=train, x_test=test))
        return image_dataset(name, images, encoding == "standardise")
    return _number_dataset(name, parts, encoding == "standardise")


def _parts(
    x_train: Any, y_train: Any, x_test: Any, y_test: Any, where: tuple[str, str],
    task: str | None, classes: Iterable[str] | None, seed: int = 0,
) -> Parts:  # fmt: skip
    """Both splits as arrays of numbers of one shape, with numbered classes or quantities."""
    if isinstance(x_train, tuple) and isinstance(y_train, tuple):
        raise UserError(
            "x_train and y_train are tuples, as load_data() of Keras gives; take them apart: "
            "from_arrays(x_train, y_train, x_test, y_test)"
        )
    if (x_test is None) != (y_test is None):
        raise UserError("got one of x_test and y_test, expected both or none")
    train = checked_inputs(x_train, where[0])
    if x_test is None:
        return parts_of((train, y_train), None, where, task, classes, seed)
    test = checked_inputs(x_test, where[1])
    if test.shape[1:] != train.shape[1:]:
        raise UserError(
            f"{where[1]} has inputs of shape {test.shape[1:]}, expected {train.shape[1:]} as in "
            f"{where[0]}; bring them to one shape"
        )
    return parts_of((train, y_train), (test, y_test), where, task, classes, seed)


def checked_inputs(x: Any, where: str) -> np.ndarray:
    """Numbers `[N, ...]`; UserError for other things, with their place."""
    refuse_stream(x, where.partition(",")[0])
    try:
        x = np.asarray(x)
    except ValueError as error:  # lists of unequal lengths
        raise UserError(f"{where}: inputs are no array ({error}), expected one shape") from None
    if x.dtype.kind not in "fiub":
        raise UserError(f"{where}: inputs are of type {x.dtype}, expected numbers")
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise UserError(
            f"{where}: inputs have shape {x.shape}, expected [N, ...] with numbers in each"
        )
    with np.errstate(over="ignore"):
        finite = np.isfinite(x.astype(np.float32, copy=False))
    if not finite.all():
        raise UserError(
            f"{where}: input {np.argwhere(~finite)[0, 0]} has a NaN, an infinite number or one "
            "beyond float32, expected finite numbers; mend it or leave it out"
        )
    return x


def channels_last(x: np.ndarray) -> np.ndarray:
    """Images of `[N, 1, 3 or 4, height, width]`, as PyTorch has them, with their channels last."""
    first = x.ndim == 4 and x.shape[-1] not in CHANNELS and x.shape[1] in CHANNELS
    return np.moveaxis(x, 1, -1) if first else x


def are_grey(x: np.ndarray) -> bool:
    """Whether numbers `[N, height, width]`, no uint8, are grey images and not sequences of vectors.

    Counts seldom fill the range of pixels; zeros and ones alone are rather one-hot.
    """
    if x.ndim != 3 or x.dtype == np.uint8 or min(x.shape[1:]) < SMALLEST:
        return False
    white = 1 if x.dtype.kind == "f" and x.max() <= 1 else 255
    if x.max() <= white / 2 or (white == 1 and (np.isin(x, (0, 1))).all()):
        return False
    return as_images(x[..., None]) is not None


def as_images(x: np.ndarray) -> np.ndarray | None:
    """uint8 `[N, height, width, channels]`, or None if x is no images or would lose precision."""
    x = channels_last(x)
    if x.dtype == np.uint8 and x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or x.shape[-1] not in CHANNELS:
        return None
    if x.dtype == np.uint8:
        return x
    if x.shape[-1] == 4 or not len(x) or x.min() < 0 or not 0 < x.max() <= 255:
        return None
    scaled = x * 255 if x.dtype.kind == "f" and x.max() <= 1 else x
    bytes_ = np.round(scaled).astype(np.uint8)
    return bytes_ if np.abs(bytes_ - scaled).max() < 1e-3 else None


def _opaque(name: str, given: Parts, images: Parts) -> Parts:
    """The same images; those of four channels are laid on white, as a picture's file is.

    Lines say how the given arrays were understood.
    """
    if images.x_train.shape[1:3] != given.x_train.shape[1:3]:
        say(f"{name}: the first axis of {given.x_train.shape[1:]} is taken for the channels")
    if images.x_train.shape[-1] != 4:
        return images
    say(
        f"{name}: the fourth channel is taken for how opaque an image is, and the image is laid on "
        "white; give images of four colours to from_arrays as floats"
    )
    x_train, x_test = (laid_on_white(x) for x in (images.x_train, images.x_test))
    return images._replace(x_train=x_train, x_test=x_test)


def _number_dataset(name: str, parts: Parts, standardise: bool) -> Dataset:
    train, test = (x.astype(np.float32) for x in (parts.x_train, parts.x_test))
    mean, std = _spread(parts.x_train) if standardise else (np.zeros(1), np.ones(1))
    say(
        f"{name}: {len(train)} training and {len(test)} test inputs of shape {train.shape[1:]}, "
        f"{'standardised' if standardise else 'as they are'}; {labels_in_words(parts)}"
    )
    if train.max() > 128 and as_images(np.round(parts.x_train)) is not None:
        say(
            f"{name}: these look like pixels from 0 to 255 with fractions; to have images, give "
            "x.round().astype('uint8')"
        )
    encoding = ArrayEncoding(train.shape[1:], tuple(mean.tolist()), tuple(std.tolist()))
    return warn(parts._replace(x_train=train, x_test=test).dataset(name, encoding))


def _spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each place of the last axis; 1 for a constant place."""
    axes = tuple(range(x.ndim - 1))
    mean, std = x.mean(axes, np.float64), x.std(axes, np.float64)
    return mean, np.where(std > 1e-7 * np.abs(x.astype(np.float32)).max(axes), std, 1.0)


def read_npz(path: Path, image_size: Size | None = None, task: str | None = None) -> Parts:
    """Images `[N, height, width, channels]` of an .npz with Keras's x_train, ..., y_test.

    An array `classes` of strings names the classes; `task` is as for `from_arrays`. Without x_test
    and y_test a fifth is held out. Without `image_size` the size is that of the images, within 12
    to 64.

    Raises:
        UserError: no such file or array, or arrays that are no images.
    """
    found = read_npz_arrays(path, (*KEYS, "classes"), required=KEYS[:2])
    where = (f"{path}, {KEYS[0]} and {KEYS[1]}", f"{path}, {KEYS[2]} and {KEYS[3]}")
    x_train, y_train, x_test, y_test = (found.get(key) for key in KEYS)
    parts = _parts(x_train, y_train, x_test, y_test, where, task, found.get("classes"))
    x_train, x_test = (_as_pixels(x, path) for x in (parts.x_train, parts.x_test))
    parts = _opaque(str(path), parts, parts._replace(x_train=x_train, x_test=x_test))
    x_train, x_test = parts.x_train, parts.x_test
    height, width = x_train.shape[1:3]
    size = choose_size([(height, width)] * len(x_train), image_size)
    if size != (height, width):
        x_train, x_test = (scale_images(x, size, x.shape[-1]) for x in (x_train, x_test))
    return parts._replace(x_train=x_train, x_test=x_test)


def _as_pixels(x: np.ndarray, path: Path) -> np.ndarray:
    """Images of any number type as uint8 `[N, height, width, channels]`."""
    x = channels_last(x[..., None] if x.ndim == 3 else x)
    if x.ndim != 4 or x.shape[-1] not in CHANNELS:
        raise UserError(
            f"{path} has inputs of shape {x.shape[1:]}, expected images: (height, width) with 1, "
            "3 or 4 channels after it; for other arrays use tf_distill.datasets.from_arrays"
        )
    if x.dtype == np.uint8:
        return x
    scale = 255.0 if x.dtype.kind == "b" or (x.dtype.kind == "f" and x.max() <= 1) else 1.0
    if x.min() < 0 or x.max() * scale > 255:
        raise UserError(
            f"{path} has pixels from {x.min()} to {x.max()}, expected 0 to 255, or 0 to 1 as "
            "floats; for other numbers use tf_distill.datasets.from_arrays"
        )
    return np.round(x * scale).astype(np.uint8)
