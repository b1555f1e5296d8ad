"""A run that continues from a distilled set (`start`): its samples, labels and learning rates."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill.common import UserError, brief, network_name, say
from tf_distill.config import BROUGHT, Config, folder_path
from tf_distill.core import Learner, Samples, fixed_network, task_of
from tf_distill.datasets import Dataset
from tf_distill.export import LoadedSet, find, load
from tf_distill.runs.folder import Files


def absolute(start: Any) -> str | None:
    """The absolute path of a set to start from: it holds when Python changes its folder.

    Raises:
        UserError: what was given is no path.
    """
    path = folder_path("start", start)
    return path and os.path.abspath(path)


def prepared(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with an absolute `start`, and without those that do nothing beside it.

    A line tells each setting that does nothing.
    """
    if given.get("start") is None:
        return {**given}
    for name, neutral in BROUGHT.items():
        if given.get(name) not in (None, neutral):
            say(f"{name}={given[name]} does nothing: the set to start from has its own")
    return {**given, **BROUGHT, "start": absolute(given["start"])}


def as_begun(config: Config, files: Files) -> Config:
    """The settings with the `start` that the run in a folder began with."""
    if config.start is None or not files.begun:
        return config
    before = files.read("config.json").get("start")
    if before in (None, config.start):  # None is another experiment: RunFolder.check refuses it
        return config
    say(f"{files.path} began with the set of {before}, so start={config.start} does nothing")
    return dataclasses.replace(config, start=before)


def check_apart(start: Path, run: Path) -> None:
    """Raises UserError if a run would write over the set that it starts from, or into it."""
    own, set_ = run.resolve(), _newest(start).resolve()
    if start.resolve().is_relative_to(own):
        raise UserError(f"start={start} is in run_dir={run} itself; name another run_dir")
    if own.is_relative_to(set_):
        raise UserError(f"run_dir={run} is in the set {set_} of start; name another run_dir")


def read_start(config: Config, dataset: Dataset, learner: Learner) -> Samples:
    """The samples to start from.

    Args:
        config: `start` names the folder of a set, of a finished run, or of an export, of which
            the newest version is taken.
        dataset: whose inputs and classes the set must have.
        learner: the network. Each difference between the conditions of the set and of the run
            is printed.

    Raises:
        UserError: there is no set, or one of other sizes, inputs, classes or labels.
    """
    loaded = load(_newest(Path(str(config.start))))
    samples = Samples(*(np.asarray(value, np.float32) for value in loaded.samples))
    _check(samples, loaded.metadata, config, dataset)
    if loaded.target:  # in the scale of the data
        y = task_of(dataset).encode(loaded.quantities()).numpy()
        samples = samples._replace(y=y.reshape(samples.y.shape))
    for difference in _differences(loaded, config, dataset, learner):
        say(f"the set to start from was learned {difference}")
    if (before := _optimizer(loaded)) != config.inner_optimizer:
        say(f"the learning rates of the set to start from are for {before}: {config.inner_lr} now")
        samples = samples._replace(lr=np.full_like(samples.lr, config.inner_lr))
    return samples


def _optimizer(loaded: LoadedSet) -> str:
    return loaded.metadata.get("inner_optimizer", "sgd")


def _newest(start: Path) -> Path:
    """The set of a run, an export, a folder of versions, or the folder itself."""
    if found := find(start):
        return found
    if (start / "results.json").exists():
        raise UserError(
            f"start={start} no longer has the set of its run, set/1; put it back, or delete "
            "results.json there and make the run again"
        )
    if (start / "config.json").exists():
        raise UserError(f"start={start} holds a run that is not finished; finish it first")
    raise UserError(f"start={start} holds no distilled set; name the folder of a finished run")


def _check(samples: Samples, metadata: Mapping[str, Any], config: Config, dataset: Dataset) -> None:
    set_ = f"the set of start={config.start}"
    steps, n, *shape = samples.x.shape
    found = {"steps": steps, "samples_per_step": n, "epochs": samples.lr.shape[0] // steps}
    other = {name: value for name, value in found.items() if value != getattr(config, name)}
    if other:
        got = " ".join(f"{name}={getattr(config, name)}" for name in other)
        expected = " ".join(f"{name}={value}" for name, value in other.items())
        raise UserError(f"{set_} has {expected}, got {got}; use the same, or another set")
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
    before, now = metadata.get("target"), dataset.target
    if (before and before["name"]) != (now and now.name):
        raise UserError(
            f"{set_} has {_labels_of(before)}, but {dataset.name} has "
            f"{_labels_of(now and now._asdict())}; name a set of the same"
        )
    if config.labels == "hard" and not now and not _one_hot(samples.y):
        raise UserError(f"{set_} has soft labels, got labels=hard; use labels=soft")
    if config.labels == "probabilities" and not _probabilities(samples.y):
        raise UserError(
            f"{set_} has labels that are no probabilities, got labels=probabilities; give "
            "use=replay or labels=soft"
        )


def _labels_of(target: Mapping[str, Any] | None) -> str:
    return f"the target {brief(target['name'])}" if target else "classes"


def _one_hot(y: np.ndarray) -> bool:
    return bool(np.isin(y, (0, 1)).all() and (y.shape[-1] == 1 or (y.sum(-1) == 1).all()))


def _probabilities(y: np.ndarray) -> bool:
    inside = (y >= 0).all() and (y <= 1).all()
    return bool(inside and (y.shape[-1] == 1 or np.allclose(y.sum(-1), 1, atol=1e-4)))


def _differences(
    loaded: LoadedSet, config: Config, dataset: Dataset, learner: Learner
) -> list[str]:
    """How the conditions of the set differ from the run's: it may be of little use then."""
    told, metadata = [], loaded.metadata
    if metadata["network"] != config.model:
        told.append(f"for the network {network_name(metadata['network'])}")
    elif loaded.initial_weights:
        own = fixed_network(learner, config.seed) if config.init == "fixed" else []
        if not _same(loaded.initial_weights, own):
            seed = metadata["seed"]
            told.append(f"for one initial network, of seed {seed}, which is not this run's")
    if _has_seen_held_out(config, metadata):
        told.append("on examples that are held out now")
    given = json.loads(json.dumps(dataset.encoding.metadata()))
    if not all(_alike(metadata["input"].get(name), given[name]) for name in given):
        told.append("for inputs that were scaled otherwise, or of another vocabulary")
    return told


def _has_seen_held_out(config: Config, metadata: Mapping[str, Any]) -> bool:
    """Whether the set was learned from examples that the run holds out."""
    now, before = _tenths(vars(config)), _tenths(metadata)
    return now > before or (now > 0 and metadata["seed"] != config.seed)


def _tenths(settings: Mapping[str, Any]) -> int:
    """How many tenths of the training data are held out; which ones follows from the seed."""
    return (settings["eval_split"] == "held_out") + (settings["keep"] == "best")


def _same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(map(_alike, a, b))


def _alike(a: Any, b: Any) -> bool:
    """Whether they are equal up to the rounding of another CPU."""
    if np.shape(a) != np.shape(b) or np.asarray(b).dtype.kind not in "fiub":
        return np.array_equal(a, b)
    return np.allclose(a, b, rtol=1e-4, atol=1e-6)
