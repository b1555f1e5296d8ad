"""Raw inputs, as people have them, to stored ones, which an encoding takes."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill.common import UserError, brief
from tf_distill.datasets.arrays import ArrayEncoding, as_images, checked_inputs
from tf_distill.datasets.base import Encoding
from tf_distill.datasets.image_folder import read_files
from tf_distill.datasets.images import ImageEncoding, scale_images
from tf_distill.datasets.texts import as_bytes
from tf_distill.datasets.words import TextEncoding


@functools.singledispatch
def stored(encoding: Encoding, inputs: Any) -> np.ndarray:
    """Raw inputs as a dataset of this encoding stores them.

    Texts become word numbers, images (arrays, or paths of files) uint8 of the encoding's shape,
    numbers float32.

    Raises:
        UserError: inputs of another kind or shape, or files that can't be read.
    """
    raise TypeError(f"no raw inputs of {type(encoding).__name__} are known")


@stored.register
def _(encoding: TextEncoding, inputs: Any) -> np.ndarray:
    several = np.iterable(inputs) and not isinstance(inputs, str | bytes)
    texts = [*inputs] if several else [inputs]
    if wrong := [text for text in texts if not isinstance(text, str | bytes)]:
        raise UserError(f"got {brief(wrong[0])}, expected texts: a list of strings")
    return encoding.number(as_bytes(texts))


@stored.register
def _(encoding: ImageEncoding, inputs: Any) -> np.ndarray:
    if paths := _paths(inputs):
        return read_files(paths, encoding.shape, encoding.white)
    x = checked_inputs(inputs, "images")
    if x.shape == encoding.shape:
        raise UserError(f"got one image of {x.shape}, expected a list of images: [image]")
    images = as_images(x[..., None] if x.ndim == 3 else x)
    if images is None:
        raise UserError(
            f"got {x.dtype} of shape {x.shape}, expected images [N, height, width, 1 or 3]: whole "
            "numbers from 0 to 255, or these divided by 255; or paths of files"
        )
    if images.shape[1:] == encoding.shape:
        return images
    height, width, channels = encoding.shape
    return scale_images(images, (height, width), channels)


@stored.register
def _(encoding: ArrayEncoding, inputs: Any) -> np.ndarray:
    x = checked_inputs(inputs, "inputs")
    if x.shape[1:] != encoding.shape:
        raise UserError(f"got inputs of shape {x.shape}, expected {['N', *encoding.shape]}")
    return x.astype(np.float32)


def _paths(inputs: Any) -> list[Path]:
    """The paths of files, if the inputs are such."""
    several = inputs if isinstance(inputs, list | tuple) else [inputs]
    are_paths = all(isinstance(one, str | Path) for one in several)
    return [Path(one).expanduser() for one in several] if are_paths else []
