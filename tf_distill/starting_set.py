"""A distilled set to begin with, `--start`: its samples, labels and learning rates."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill import stored_set
from tf_distill.config import Config
from tf_distill.datasets.base import Dataset
from tf_distill.errors import UserError
from tf_distill.inner import Samples

BROUGHT = {"sample_init": None, "sample_scale": None, "inner_lr": None, "label_init": "one_hot"}
"""The settings of what a set brings along, with the value that asks for nothing."""


def check_given(given: Mapping[str, Any]) -> None:
    """Raises UserError where a set and something that it brings along are both given."""
    if given.get("start") is None:
        return
    for name, nothing in BROUGHT.items():
        if given.get(name) not in (None, nothing):
            raise UserError(
                f"--start brings samples, labels and learning rates, got --{name}={given[name]} "
                "too; leave one of them out"
            )


def path(start: str | Path | None) -> str | None:
    """The folder that Python was given.

    Raises:
        UserError: something else was.
    """
    if start is None:
        return None
    if not isinstance(start, str | os.PathLike):
        raise UserError(
            f"start is of type {type(start).__name__}, expected a folder: the run_dir of an "
            "earlier call, or what its result's export(path) wrote"
        )
    return os.path.expanduser(start)


def of(config: Config, dataset: Dataset) -> Samples | None:
    """The samples of the set that a run begins with; None where it makes new ones.

    Args:
        config: `start` names a run's folder, or that of a distilled set.
        dataset: whose inputs and classes the set must have.

    Raises:
        UserError: there is no set, or one of other sizes.
    """
    if config.start is None:
        return None
    folder = Path(config.start)
    exported = folder / "distilled" / "1"
    samples = stored_set.read(exported if exported.is_dir() else folder).samples
    _check(samples, config, dataset)
    return Samples(*(np.asarray(value, np.float32) for value in samples))


def _check(samples: Samples, config: Config, dataset: Dataset) -> None:
    set_ = f"the set of --start={config.start}"
    steps, n, *shape = samples.x.shape
    found = {"steps": steps, "samples_per_step": n, "epochs": samples.lr.shape[0] // steps}
    other = {name: value for name, value in found.items() if value != getattr(config, name)}
    if other:
        got = " ".join(f"--{name}={getattr(config, name)}" for name in other)
        expected = " ".join(f"--{name}={value}" for name, value in other.items())
        raise UserError(f"{set_} has {expected}, got {got}; give the same, or leave --start out")
    sizes, outputs = tuple(shape), samples.y.shape[2]
    if (sizes, outputs) != (dataset.encoding.shape, dataset.outputs):
        raise UserError(
            f"{set_} has samples of {sizes} with labels of {outputs} numbers, but {dataset.name} "
            f"has {dataset.encoding.shape} and {dataset.outputs}; name a set of such data"
        )
    if config.labels == "hard" and not np.isin(samples.y, (0, 1)).all():
        raise UserError(f"{set_} has soft labels, got --labels=hard; use --labels=soft")
    if not np.all(np.asarray(samples.lr) > 0):
        raise UserError(f"{set_} has learning rates that are not above 0; name another")
