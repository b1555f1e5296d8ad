"""The settings of a run: one frozen object, complete and checked where it is made."""

import dataclasses
import json
import math
import numbers
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill.common import UserError, brief, unknown_name

CHOICES = {
    "init": ("fixed", "random"),
    "labels": ("soft", "hard"),
    "label_init": ("one_hot", "random"),
    "sample_init": ("normal", "real", "linear"),
    "eval_split": ("test", "held_out"),
    "keep": ("last", "best"),
    "distribution": ("none", "mirrored", "multiworker"),
}
PLACES = ("data_dir", "run_dir")
"""Folders of this machine; they may differ when a run continues elsewhere."""
FREE = (*PLACES, "checkpoint_minutes", "distribution")
"""Settings that may differ when a run continues: they change the outcome by rounding at most."""
OF_NETWORK = ("inner_lr", "outer_lr", "epochs", "outer_momentum", "sample_init")
BROUGHT = {"sample_init": None, "sample_scale": None, "inner_lr": None, "label_init": "one_hot"}
"""Settings that do nothing beside `start`, whose set has its own; with the values that say so."""
DEFAULTS_BY = {
    "dataset": ("model", "samples_per_step", "batch_size", "outer_steps", "eval_every"),
    "model": OF_NETWORK,
    "init": (*OF_NETWORK, "eval_networks"),
    "outer_steps": ("eval_every",),
}
"""Settings whose defaults follow from another one."""


@dataclasses.dataclass(frozen=True)
class Config:
    """One experiment; `main` documents each setting by its flag."""

    dataset: str
    model: str
    init: str
    labels: str
    label_init: str
    samples_per_step: int
    steps: int
    epochs: int
    inner_lr: float
    outer_steps: int
    outer_lr: float
    batch_size: int
    networks: int
    eval_networks: int
    eval_every: int
    eval_split: str
    keep: str
    early_stopping: int | None
    seed: int
    test_data: str | None
    text_column: str | None
    label_column: str | None
    image_size: str | None
    embeddings: str | None
    data_dir: str
    run_dir: str
    checkpoint_minutes: float = 2.0
    deterministic: bool = False
    distribution: str = "none"
    outer_momentum: float = 0.5
    sample_init: str = "normal"
    sample_scale: float = 1.0
    start: str | None = None
    jit_compile: bool = False

    def __post_init__(self):
        for name, value in plain_numbers(dataclasses.asdict(self)).items():
            object.__setattr__(self, name, value)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise unknown_name(name, getattr(self, name), choices)
        for name in PLACES:
            folder_path(name, getattr(self, name))
        if self.labels == "hard" and self.label_init == "random":
            raise UserError(
                "labels=hard keeps the labels as they start, so label_init must be one_hot, got "
                "random; use labels=soft to learn random labels"
            )
        if self.early_stopping is not None and (self.early_stopping < 1 or self.keep == "last"):
            raise UserError(
                "early_stopping must be at least 1 and asks for keep=best, got "
                f"early_stopping={self.early_stopping} keep={self.keep}"
            )
        if self.init == "fixed" and (self.networks, self.eval_networks) != (1, 1):
            raise UserError(
                f"init=fixed has one network, got networks={self.networks} "
                f"eval_networks={self.eval_networks}; use init=random to draw several"
            )

    def to_json(self) -> str:
        """All settings as a JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def deciding(self) -> dict[str, Any]:
        """The settings that the outcome follows from, and of `start` only whether there is one."""
        told = {k: v for k, v in dataclasses.asdict(self).items() if k not in FREE}
        return _start_anywhere(told)

    def difference(self, other: dict[str, Any]) -> list[str]:
        """How these settings differ from those of another run, such as ["seed=3 (it was 0)"].

        A setting is left out if its default follows from another one that differs.
        """
        before = completed(other)
        known = _start_anywhere(before)
        changed = [k for k, v in self.deciding().items() if known.get(k) != v]
        follow = {name for source in changed for name in DEFAULTS_BY.get(source, ())}
        return [
            f"{name}={getattr(self, name)} (it was {before.get(name)})"
            for name in changed
            if name not in follow
        ]


def _start_anywhere(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without the place of the set to start from: it may move."""
    return {**settings, "start": "a set" if settings.get("start") else None}


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a run has written; a newer setting has the value of before it was there."""
    fields = dataclasses.fields(Config)
    before = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    return {**before, **settings}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How much a comparison measures; `main` documents each setting by its flag."""

    baseline_sets: int = 20
    baseline_networks: int = 200
    sgd_epochs: int = 100
    control_steps: int = 2000


DATASET = "digits"
"""The dataset by default."""


def resolve(given: dict[str, Any], datasets: dict, networks: dict) -> Config:
    """Completes the settings that were given by the defaults of the dataset and the network.

    Args:
        given: names and values; None stands for the default.
        datasets: the registry of datasets, with the user's own data if `given` names some.
        networks: the registry of networks.

    Raises:
        UserError: an unknown name, a network of another kind than the dataset, a
            value out of its range.
    """
    name = DATASET if given.get("dataset") is None else given["dataset"]
    if name not in datasets:
        raise unknown_name("dataset", name, datasets)
    entry = datasets[name]
    model = entry.model if given.get("model") is None else given["model"]
    network = network_of(model, networks, f"dataset={name}", entry.kind)
    run_dir = str(Path("runs", f"{entry.name or name}_{model}"))
    named = {"dataset": name, "model": model, "data_dir": data_dir(), "run_dir": run_dir}
    sizes = (entry.classes, entry.batch_size, entry.outer_steps)
    return complete(given, named, network.defaults, *sizes)


def network_of(model: str, networks: Mapping[str, Any], data: str, kind: str | None) -> Any:
    """The network of a name.

    Args:
        model: the name.
        networks: the registry of networks.
        data: what errors call the data.
        kind: of the data; of an unknown kind any network may do, by its shape.

    Raises:
        UserError: there is none of that name, or it is of another kind than the data.
    """
    if model not in networks:
        raise unknown_name("model", model, networks)
    fitting = sorted(name for name, network in networks.items() if network.kind == kind)
    if fitting and model not in fitting:
        raise UserError(
            f"model={model} takes {networks[model].kind}s, but {data} has {kind}s; use one of "
            f"{', '.join(fitting)}"
        )
    return networks[model]


def complete(
    given: Mapping[str, Any],
    named: Mapping[str, Any],
    network: Any,
    classes: int,
    batch_size: int,
    outer_steps: int,
) -> Config:
    """All settings: those that were given, and defaults that fit the data and the network.

    Args:
        given: names and values; None stands for the default.
        named: defaults of dataset, model and places.
        network: its defaults by initialization.
        classes: of the data.
        batch_size: the default.
        outer_steps: likewise.

    Raises:
        UserError: a value out of its range.
    """
    fields = [field.name for field in dataclasses.fields(Config)]
    in_order = sorted(given.items(), key=lambda item: fields.index(item[0]))
    told = plain_numbers({name: value for name, value in in_order if value is not None})
    init = told.get("init", "fixed")
    outer_steps = told.get("outer_steps", outer_steps)
    defaults = {
        **named,
        "init": init,
        "labels": "soft",
        "label_init": "one_hot",
        "samples_per_step": classes,
        "steps": 1,
        **network.of(init)._asdict(),
        "batch_size": batch_size,
        "outer_steps": outer_steps,
        "networks": 1,
        "eval_networks": 200 if init == "random" else 1,
        "eval_every": max(1, outer_steps // 10),
        "eval_split": "test",
        "keep": "last",
        "early_stopping": None,
        "seed": 0,
        **dict.fromkeys(("test_data", "text_column", "label_column", "image_size", "embeddings")),
    }
    return Config(**{**defaults, **told})


def data_dir() -> str:
    """The default of `data_dir`."""
    return os.environ.get("TFDS_DATA_DIR", str(Path.home() / "tensorflow_datasets"))


def shortest_command(settings: dict[str, Any], datasets: dict, networks: dict) -> str:
    """The shortest command line that gives the settings of a run, but for its PLACES.

    Args:
        settings: names and values, as in config.json or results.json; other names are left out.
        datasets: the registry of datasets.
        networks: the registry of networks.
    """
    settings = completed(settings)
    named = {name: settings[name] for name in ("dataset", "model")}
    deciding = {name: settings[name] for name in ("init", "outer_steps")}  # on other defaults
    try:
        plain, defaults = (
            dataclasses.asdict(resolve(given, datasets, networks))
            for given in (named, {**named, **deciding})
        )
        defaults |= {name: plain[name] for name in deciding}
    except UserError:  # of another version: its defaults are not known
        defaults = {field.name: None for field in dataclasses.fields(Config)}
    changed = {
        name: settings[name]
        for name, value in defaults.items()
        if name in settings and name not in PLACES and settings[name] != value
    }
    flags = (shlex.quote(f"--{name}={value}") for name, value in {**named, **changed}.items())
    return " ".join(["python -m tf_distill.main", *flags])


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


def plain_numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with Python's numbers in place of numpy's, which JSON does not know.

    Raises:
        UserError: one of them is no number of its kind and range, or neither True nor False.
    """
    return {
        name: value if value is None else _plain(name, value) for name, value in settings.items()
    }


def _plain(name: str, value: Any) -> Any:
    if name in TRUTH:
        if not isinstance(value, bool | np.bool_):
            raise UserError(f"{name}={brief(value)}, expected True or False")
        return bool(value)
    return checked_number(name, value, name) if name in {*WHOLE, *POSITIVE, *RANGES} else value


def folder_path(name: str, value: Any) -> str | None:
    """The path of a folder as a text, `~` expanded; None stays None.

    Raises:
        UserError: the value is no path.
    """
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"{name}={brief(value)}, expected the path of a folder")
    if not os.fspath(value):
        raise UserError(f"{name} is empty, expected the path of a folder; leave it out")
    return os.path.expanduser(value)


def checked_number(name: str, value: Any, called: str) -> Any:
    """The value of a setting as an int or a float.

    Args:
        name: of the setting.
        value: what was given.
        called: what an error calls it.

    Raises:
        UserError: it is no number of its kind and range.
    """
    told = f"{called}={brief(value)}, expected"
    kind: Any = numbers.Integral if name in WHOLE else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UserError(f"{told} a {'whole ' * (name in WHOLE)}number")
    try:
        value = int(value) if name in WHOLE else float(value)
    except OverflowError:
        value = math.inf
    if name in AT_LEAST_ONE and not 1 <= value < MOST:
        raise UserError(f"{told} at least 1 and less than {MOST}")
    if name in POSITIVE and not 0 < value < math.inf:
        raise UserError(f"{told} a finite number above 0")
    least, below = RANGES.get(name, (-math.inf, math.inf))
    if not least <= value < below:
        raise UserError(f"{told} at least {least} and less than {below}")
    return value
