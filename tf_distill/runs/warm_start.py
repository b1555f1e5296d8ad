"""A distilled set to begin with, `--start`: its samples, labels and learning rates."""

import dataclasses
import functools
import json
import numpy as np
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from tf_distill import config
from tf_distill.common import UserError, brief, network_name, read_checked, say
from tf_distill.config import BROUGHT, Config
from tf_distill.core import Learner, Samples, fixed_network
from tf_distill.datasets.base import Dataset
from tf_distill.export import distilled_set, versions
from tf_distill.export.distilled_set import LoadedSet
from tf_distill.runs.folder import begun

def place(start: Any) -> str | None:
    """The path that was named, as one that stays right wherever Python goes.

    Raises:
        UserError: it is none.
    """
    path = config.folder_path("start", start)
    return path and os.path.abspath(path)


def without_what_it_brings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that do nothing beside `--start`, each of which a line tells."""
    if given.get("start") is None:
        return {**given}
    for name, nothing in BROUGHT.items():
        if given.get(name) not in (None, nothing):
            say(f"{name}={given[name]} does nothing, as the set to begin with brings its own")
    return {**given, **BROUGHT}


def of(
    config: Config, dataset: Dataset, learner: Learner, run: Path | None
) -> tuple[Config, Callable[[], Samples] | None]:
    """What gives the samples that a run begins with, or began with.

    Args:
        config: `start` names the folder of a set, of a run that has made one, or of what was
            exported, whose newest version is taken.
        dataset: whose inputs and classes the set must have.
        learner: the network. It may be another than the set was learned for, and so may be what
            else the set was learned under: what is known of that is told.
        run: the run's folder. Where something of it is done, the set may be gone, or another. None
            where the set is only read if it is asked for.

    Returns:
        The settings, `start` being what the run began with, and a function that reads the
        samples; None for it where a run makes new ones.

    Raises:
        UserError: there is no set, or one of other sizes, or run and set are in one folder.
    """
    if config.start is None:
        return config, None
    if run and begun(run):
        config = _as_begun(config, run)
        return config, functools.partial(_read, config, dataset, learner)
    read = functools.cache(functools.partial(_read, config, dataset, learner))
    if run:
        read()  # a mistake is told before there is a folder
        _check_apart(Path(str(config.start)), run)
    return config, read


def _as_begun(config: Config, run: Path) -> Config:
    """The settings with the set that a run began with, which may lie elsewhere now."""
    before = read_checked(run / "config.json").get("start")
    if before in (None, config.start):  # without a set it is another experiment, as is told later
        return config
    say(f"{run} began with the set of {before}, so start={config.start} does nothing")
    return dataclasses.replace(config, start=before)


def _check_apart(start: Path, run: Path) -> None:
    """Raises UserError where a run would write over a set, or into it."""
    own, set_ = run.resolve(), _newest(start).resolve()
    if start.resolve().is_relative_to(own):
        raise UserError(
            f"--start={start} is in --run_dir={run}, the run's own folder; name another --run_dir"
        )
    if own.is_relative_to(set_):
        raise UserError(
            f"--run_dir={run} is in the SavedModel {set_} of --start; name another --run_dir"
        )


def _read(config: Config, dataset: Dataset, learner: Learner) -> Samples:
    stored = distilled_set.load(_newest(Path(str(config.start))))
    with np.errstate(over="ignore", under="ignore"):  # what that leaves is looked at
        samples = Samples(*(np.asarray(value, np.float32) for value in stored.samples))
    _check(samples, stored.metadata, config, dataset)
    for difference in _differences(stored, config, dataset, learner):
        say(f"the set to begin with was learned {difference}")
    return samples


def _newest(start: Path) -> Path:
    """The SavedModel that is meant by a run, an export, a folder of versions, or itself."""
    try:
        for sets in (start / "distilled", start):
            if sets.is_dir() and (newest := versions.newest_version(sets)):
                return newest
        names = {path.name for path in start.iterdir()}
    except OSError as error:
        found = f"can't be read ({error.strerror})" if start.is_dir() else "is no folder"
        raise UserError(f"--start={start} {found}; name the folder of a finished run") from error
    if "saved_model.pb" in names:
        return start
    if "results.json" in names:
        raise UserError(
            f"--start={start} no longer has the set of its run, distilled/1; put it back, or "
            "delete results.json there and make the run again"
        )
    if "config.json" in names:
        raise UserError(f"--start={start} holds a run that is not finished; finish it first")
    raise UserError(f"--start={start} holds no distilled set; name the folder of a finished run")


def _check(samples: Samples, metadata: Mapping[str, Any], config: Config, dataset: Dataset) -> None:
    set_ = f"the set of --start={config.start}"
    steps, n, *shape = samples.x.shape
    found = {"steps": steps, "samples_per_step": n, "epochs": samples.lr.shape[0] // steps}
    other = {name: value for name, value in found.items() if value != getattr(config, name)}
    if other:
        got = " ".join(f"--{name}={getattr(config, name)}" for name in other)
        expected = " ".join(f"--{name}={value}" for name, value in other.items())
        raise UserError(f"{set_} has {expected}, got {got}; give the same, or leave --start out")
    if tuple(shape) != dataset.encoding.shape:
        raise UserError(
            f"{set_} has samples of {tuple(shape)}, but {dataset.name} has {dataset.encoding.shape}"
            "; name a set of such data"
        )
    if tuple(metadata["classes"]) != dataset.classes:
        raise UserError(
            f"{set_} has the classes {brief(metadata['classes'])}, but {dataset.name} has "
            f"{brief([*dataset.classes])}; name a set of the same"
        )
    if config.labels == "hard" and not _one_hot(samples.y):
        raise UserError(f"{set_} has soft labels, got --labels=hard; use --labels=soft")
    if not (all(np.isfinite(value).all() for value in samples) and np.all(samples.lr > 0)):
        raise UserError(f"{set_} has numbers beyond single precision; name another")


def _one_hot(y: np.ndarray) -> bool:
    return bool(np.isin(y, (0, 1)).all() and (y.shape[-1] == 1 or (y.sum(-1) == 1).all()))


def _differences(stored: LoadedSet, config: Config, dataset: Dataset, learner: Learner) -> list[str]:
    """What the set was learned for and the run has not, so that the set may be of little use."""
    told = []
    if stored.metadata["network"] != config.model:
        told.append(f"for the network {network_name(stored.metadata['network'])}")
    elif stored.initial_weights:
        own = fixed_network(learner, config.seed) if config.init == "fixed" else []
        if not _same(stored.initial_weights, own):
            seed = stored.metadata["seed"]
            told.append(f"for one initial network, of seed {seed}, which is not this run's")
    if not _same(stored.frozen_weights, learner.frozen):
        told.append("for a network with other frozen weights")
    if _has_seen_what_is_held_out(config, stored.metadata):
        told.append("on examples that are held out now")
    given = json.loads(json.dumps(dataset.encoding.metadata()))
    if not all(_alike(stored.metadata["input"].get(name), given[name]) for name in given):
        told.append("for inputs that were scaled otherwise, or of another vocabulary")
    return told


def _has_seen_what_is_held_out(config: Config, metadata: Mapping[str, Any]) -> bool:
    """Whether the set was learned from examples that the run sets aside; sets of old don't tell.

    Both settings hold out a tenth, the same one by the same seed, and together a second one.
    """
    if not metadata.keys() >= {"eval_split", "keep", "seed"}:
        return False
    now, before = (
        (eval_split == "held_out") + (keep == "best")
        for eval_split, keep in (
            (config.eval_split, config.keep),
            (metadata["eval_split"], metadata["keep"]),
        )
    )
    return now > before or (now > 0 and metadata["seed"] != config.seed)


def _same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(
        _alike(np.asarray(v), np.asarray(w)) for v, w in zip(a, b, strict=True)
    )


def _alike(a: Any, b: Any) -> bool:
    """Whether they are equal, but for the rounding of another CPU."""
    if np.shape(a) != np.shape(b) or np.asarray(b).dtype.kind not in "fiub":
        return np.array_equal(a, b)
    return np.allclose(a, b, rtol=1e-4, atol=1e-6)
