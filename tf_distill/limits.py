"""What numbers, truth values and folders the settings may be."""

import math
import numbers
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_distill.errors import UserError, brief

AT_LEAST_ONE = (
    "samples_per_step",
    "steps",
    "epochs",
    "outer_steps",
    "batch_size",
    "networks",
    "eval_networks",
    "eval_every",
    "baseline_sets",
    "baseline_networks",
    "sgd_epochs",
    "control_steps",
)
MOST = 2**31
"""Counts are below it: TensorFlow's whole numbers end there."""
WHOLE = (*AT_LEAST_ONE, "seed", "early_stopping")
POSITIVE = ("outer_lr", "inner_lr", "lr", "sample_scale", "checkpoint_minutes")
TRUTH = ("deterministic", "jit_compile")
RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31),
    "outer_momentum": (0, 1),
    "dropout": (0, 1),
    "weight_decay": (0, math.inf),
}


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with Python's numbers for numpy's, which JSON does not know.

    Raises:
        UserError: one that is given is no number of its kind and range, or not True or False.
    """
    return {
        name: value if value is None else _plain(name, value) for name, value in settings.items()
    }


def _plain(name: str, value: Any) -> Any:
    if name in TRUTH:
        if not isinstance(value, bool | np.bool_):
            raise UserError(f"--{name} must be True or False, got {brief(value)}")
        return bool(value)
    return number(name, value, f"--{name}") if name in {*WHOLE, *POSITIVE, *RANGES} else value


def folder(name: str, value: Any) -> str | None:
    """The path of a folder that was given; None for none.

    Raises:
        UserError: it is no path.
    """
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"--{name} is {brief(value)}, expected the path of a folder")
    if not os.fspath(value):
        raise UserError(f"--{name} is empty, expected a path; leave it out for the default")
    return os.path.expanduser(value)


def number(name: str, value: Any, called: str) -> Any:
    """The value of a setting as an int or a float.

    Args:
        name: of the setting.
        value: what was given.
        called: what an error calls it.

    Raises:
        UserError: it is no number of its kind and range.
    """
    told = f"got {brief(value)}"
    kind: Any = numbers.Integral if name in WHOLE else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UserError(f"{called} must be a {'whole ' * (name in WHOLE)}number, {told}")
    try:
        value = int(value) if name in WHOLE else float(value)
    except OverflowError:
        value = math.inf
    if name in AT_LEAST_ONE and value < 1:
        raise UserError(f"{called} must be at least 1, {told}")
    if name in AT_LEAST_ONE and value >= MOST:
        raise UserError(f"{called} must be below {MOST}, {told}")
    if name in POSITIVE and not 0 < value < math.inf:
        raise UserError(f"{called} must be above 0 and finite, {told}")
    least, below = RANGES.get(name, (-math.inf, math.inf))
    if not least <= value < below:
        raise UserError(f"{called} must be at least {least} and below {below}, {told}")
    return value
