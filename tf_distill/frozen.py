"""Weights that stay as they are: a set is of use with those alone that it was distilled with."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tf_distill import archives, files
from tf_distill.errors import UserError

NAME = "frozen_weights.npz"


def give(variables: Sequence[keras.Variable], values: Sequence[tf.Tensor | np.ndarray]) -> bool:
    """Gives the weights of a built model values; False, and nothing is given, if they don't fit."""
    if [tuple(v.shape) for v in variables] != [tuple(v.shape) for v in values]:
        return False
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return True


def put_back(model: keras.Model, values: Sequence[tf.Tensor], told: int) -> None:
    """Gives a built model those of a set, and warns the caller's caller where it has others.

    Args:
        model: to be trained on the set.
        values: that the set has; sets of older versions have none.
        told: how many the set says that there were.
    """
    found = len(model.non_trainable_weights)
    if give(model.non_trainable_weights, values) or (not values and found == told):
        return
    expected = len(values) or told
    warnings.warn(
        f"{found} weights of {model.name} are frozen and stay as they are, but the set was "
        f"distilled for a network with {expected}{' of other shapes' * (found == expected)}",
        stacklevel=4,
    )


def remember(folder: Path, values: Sequence[tf.Tensor | np.ndarray]) -> None:
    """Writes the values to a folder, in order, where there are any."""
    if values:
        with files.whole(folder / NAME) as part, part.open("wb") as file:
            np.savez(file, *map(_plain, values))


def recall(model: keras.Model, folder: Path) -> None:
    """Gives a built model the values that a folder has for it, if any.

    Raises:
        UserError: they can't be read.
    """
    variables = model.non_trainable_weights
    names = [f"arr_{i}" for i in range(len(variables))]
    try:
        if (folder / NAME).exists():
            give(variables, list(archives.read(folder / NAME, names).values()))
    except (OSError, ValueError) as error:
        raise UserError(
            f"can't read {folder / NAME} ({error}); put it back, or name another --run_dir"
        ) from error


def _plain(value: tf.Tensor | np.ndarray) -> np.ndarray:
    """The value in a type that numpy can store: bfloat16 and its like are none of its own."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "V" else array
