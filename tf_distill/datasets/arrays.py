"""Arrays as a dataset: images, and vectors or sequences that are embedded already."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, brief, npz_names, read_npz_arrays, say
from tf_distill.datasets.base import Dataset, Encoding, refuse_stream
from tf_distill.datasets.image_folder import chosen_size, resized
from tf_distill.datasets.images import image_dataset
from tf_distill.datasets.labels import Parts, part

ENCODINGS = ("standardise", "as_is")
KEYS = ("x_train", "y_train", "x_test", "y_test")
Where = tuple[str, str]


class ArrayEncoding(Encoding):
    """Floats as they are, or of mean 0 and standard deviation 1 over the training data.

    Args:
        shape: of one input.
        mean, std: one number for each place of the last axis, or one for all.
    """

    def __init__(self, shape: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]):
        self.shape, self.mean, self.std = shape, mean, std

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Floats `[batch, *shape]` to float32 of the same shape."""
        return (tf.cast(x, tf.float32) - tf.constant(self.mean)) / tf.constant(self.std)

    def metadata(self) -> dict[str, Any]:
        """Shape, mean and standard deviation."""
        return {"kind": "array", "shape": self.shape, "mean": self.mean, "std": self.std}


def from_arrays(
    x_train: np.ndarray,
    y_train: Iterable[Any],
    x_test: np.ndarray | None = None,
    y_test: Iterable[Any] | None = None,
    *,
    classes: Sequence[str] | None = None,
    encoding: str = "standardise",
    name: str = "arrays",
    seed: int = 0,
) -> Dataset:
    """A dataset of arrays with a class each.

    uint8 `[N, height, width]` or `[N, height, width, 1 or 3]` are images, and so are floats
    of the latter shape that are exact steps of 1/255 in 0..1; they can be served as images.
    All else, of any shape, is what a network sees: vectors, sequences of vectors, or images
    of real numbers.

    Args:
        x_train: numbers `[N, ...]`, float, uint8 or another integer type.
        y_train: classes: whole numbers or strings, `[N]` or `[N, 1]`.
        x_test: likewise; without it a fifth of the examples, stratified, is held out.
        y_test: likewise.
        classes: names in the order of the outputs; labels are names or positions here. By
            default the sorted labels.
        encoding: "standardise": each place of the last axis (channel or feature) has mean 0
            and standard deviation 1 over the training data; "as_is": floats stay as they
            are, and uint8 pixels become 0..1.
        name: of the dataset.
        seed: of the part that is held out.

    Raises:
        UserError: arrays that are no numbers, or of numbers that are not finite or that float32
            can't tell apart; or arrays that do not fit each other.
    """
    if encoding not in ENCODINGS:
        raise UserError(f"got encoding={encoding!r}, expected one of {', '.join(ENCODINGS)}")
    where = ("x_train, y_train", "x_test, y_test")
    parts = checked(x_train, y_train, x_test, y_test, where, classes, seed)
    train, test = (_as_images(x) for x in (parts.x_train, parts.x_test))
    if train is not None and test is not None:
        images = parts._replace(x_train=train, x_test=test)
        return image_dataset(name, images, encoding == "standardise")
    return _numbers(name, parts, encoding == "standardise")


def checked(
    x_train: Any,
    y_train: Any,
    x_test: Any,
    y_test: Any,
    where: Where,
    classes: Sequence[str] | None = None,
    seed: int = 0,
) -> Parts:
    """Both splits as arrays of numbers of one shape, with numbered classes."""
    if (x_test is None) != (y_test is None):
        raise UserError("got one of x_test and y_test, expected both or none")
    train = _checked(x_train, where[0])
    if x_test is None:
        return part((train, y_train), None, where, classes, seed)
    test = _checked(x_test, where[1])
    if test.shape[1:] != train.shape[1:]:
        raise UserError(
            f"{where[1]} has inputs of shape {test.shape[1:]}, expected {train.shape[1:]} as in "
            f"{where[0]}; bring them to one shape"
        )
    return part((train, y_train), (test, y_test), where, classes, seed)


def _checked(x: Any, where: str) -> np.ndarray:
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


def _as_images(x: np.ndarray) -> np.ndarray | None:
    """uint8 `[N, height, width, channels]` where x is images and no less exact so, else None."""
    if x.dtype == np.uint8 and x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or x.shape[-1] not in (1, 3):
        return None
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f" or x.min() < 0 or not 0 < x.max() <= 1:
        return None
    bytes_ = np.round(x * 255).astype(np.uint8)
    return bytes_ if np.abs(bytes_ - x * 255).max() < 1e-3 else None


def _numbers(name: str, parts: Parts, standardise: bool) -> Dataset:
    train, test = (x.astype(np.float32) for x in (parts.x_train, parts.x_test))
    mean, std = _spread(name, parts.x_train, train)
    if not standardise:
        mean, std = np.zeros(1), np.ones(1)
    say(
        f"{name}: {len(train)} training and {len(test)} test inputs of shape {train.shape[1:]}, "
        f"{len(parts.classes)} classes, {'standardised' if standardise else 'as they are'}"
    )
    encoding = ArrayEncoding(train.shape[1:], tuple(mean.tolist()), tuple(std.tolist()))
    return Dataset(name, parts.classes, train, parts.y_train, test, parts.y_test, encoding)


def _spread(name: str, given: np.ndarray, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each place of the last axis; 1 where all is the same.

    Raises:
        UserError: float32, as it is stored, has lost most of the spread.
    """
    axes = tuple(range(given.ndim - 1))
    mean, std = given.mean(axes, np.float64), given.std(axes, np.float64)
    size, error = np.abs(stored).max(axes), np.abs(given - stored.astype(np.float64)).max(axes)
    lost = (std > 1e-12 * size) & (error > 0.1 * std)  # below is float64's own rounding
    for place in np.flatnonzero(lost)[:1]:
        low, high = given[..., place].min(), given[..., place].max()
        raise UserError(
            f"{name}: float32 can't tell the values of column {place} apart, from {low:.12g} to "
            f"{high:.12g}, expected a wider spread; subtract their mean from them first"
        )
    return mean, np.where(std > 1e-7 * size, std, 1.0)


def read_npz(path: Path, image_size: tuple[int, int] | None = None) -> Parts:
    """Images from an archive of arrays as Keras has them: x_train, y_train, x_test, y_test.

    Args:
        path: an .npz file; without x_test and y_test a fifth is held out. An array `classes` of
            strings names the classes.
        image_size: height and width that images are brought to.

    Returns:
        uint8 images `[N, height, width, channels]` with their classes.

    Raises:
        UserError: no such file or array, or one that has no images.
    """
    found = _arrays(path)
    if missing := [key for key in KEYS[:2] if key not in found]:
        raise UserError(
            f"{path} has no array {missing[0]!r}, expected {', '.join(KEYS)}; it has "
            f"{brief(', '.join(npz_names(path)))[1:-1] or 'none'}"
        )
    where = (f"{path}, {KEYS[0]} and {KEYS[1]}", f"{path}, {KEYS[2]} and {KEYS[3]}")
    x_train, y_train, x_test, y_test = (found.get(key) for key in KEYS)
    parts = checked(x_train, y_train, x_test, y_test, where, found.get("classes"))
    as_floats = np.issubdtype(parts.x_train.dtype, np.floating)
    scale = 255.0 if as_floats and parts.x_train.max() <= 1 else 1.0
    x_train, x_test = (_pixels(x, scale, path) for x in (parts.x_train, parts.x_test))
    height, width = x_train.shape[1:3]
    size = chosen_size([(height, width)] * len(x_train), image_size)
    if size != (height, width):
        x_train, x_test = (resized(x, size, x.shape[-1]) for x in (x_train, x_test))
    return parts._replace(x_train=x_train, x_test=x_test)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        return read_npz_arrays(path, (*KEYS, "classes"))
    except FileNotFoundError:
        raise UserError(f"no file {path}, expected an .npz; name one that is there") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"can't read {path} ({' '.join(str(error).split())}), expected an .npz of numbers, "
            "saved by numpy.savez without objects"
        ) from None


def _pixels(x: np.ndarray, scale: float, path: Path) -> np.ndarray:
    """Images of any number type as uint8 `[N, height, width, channels]`."""
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4 or x.shape[-1] not in (1, 3):
        raise UserError(
            f"{path} has inputs of shape {x.shape[1:]}, expected images: (height, width) with 1 or "
            "3 channels after it; for other arrays use tf_distill.datasets.from_arrays"
        )
    if x.dtype == np.uint8:
        return x
    if x.min() < 0 or x.max() * scale > 255:
        raise UserError(
            f"{path} has pixels from {x.min()} to {x.max()}, expected 0 to 255, or 0 to 1 as "
            "floats; for other numbers use tf_distill.datasets.from_arrays"
        )
    return np.round(x * scale).astype(np.uint8)
