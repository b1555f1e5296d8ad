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

from tf_distill.errors import UserError, brief, unknown_name

CHOICES = {
    "init": ("fixed", "random"),
    "labels": ("soft", "hard"),
    "label_init": ("one_hot", "random"),
    "sample_init": ("normal", "real", "linear"),
    "eval_split": ("test", "held_out"),
    "keep": ("last", "best"),
    "distribution": ("none", "mirrored", "multiworker"),
}
AT_LEAST_ONE = (
    "samples_per_step",
    "steps",
    "epochs",
    "outer_steps",
    "batch_size",
    "networks",
    "eval_networks",
    "eval_every",
)
POSITIVE = ("outer_lr", "inner_lr", "sample_scale", "checkpoint_minutes")
RANGES: dict[str, tuple[float, float]] = {"seed": (0, 2**31), "outer_momentum": (0, 1)}
DATASET = "digits"
"""The dataset by default."""
PLACES = ("data_dir", "run_dir")
"""Where things lie on this machine: may differ when a run goes on elsewhere."""
FREE = (*PLACES, "checkpoint_minutes", "distribution")
"""What may differ when a run goes on: the outcome follows from it by no more than rounding."""


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

    def __post_init__(self):
        check_numbers(dataclasses.asdict(self))
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise unknown_name(f"--{name}", getattr(self, name), choices)
        for name in PLACES:
            if getattr(self, name) == "":
                raise UserError(f"--{name} is empty, expected a path; leave it out for the default")
        if self.labels == "hard" and self.label_init == "random":
            raise UserError(
                "--labels=hard keeps the labels as they start, so --label_init must be "
                "one_hot, got random; use --labels=soft to learn random labels"
            )
        if self.early_stopping is not None and (self.early_stopping < 1 or self.keep == "last"):
            raise UserError(
                "--early_stopping must be at least 1 and asks for --keep=best, got "
                f"--early_stopping={self.early_stopping} --keep={self.keep}"
            )
        if self.init == "fixed" and (self.networks, self.eval_networks) != (1, 1):
            raise UserError(
                f"--init=fixed has one network, got --networks={self.networks} "
                f"--eval_networks={self.eval_networks}; use --init=random to draw several"
            )

    def to_json(self) -> str:
        """All settings as a JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def deciding(self) -> dict[str, Any]:
        """The settings that the outcome follows from."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in FREE}

    def difference(self, other: dict[str, Any]) -> list[str]:
        """The settings, in words, in which a run with settings `other` is another experiment."""
        mine = self.deciding()
        before = completed(other)
        return [
            f"--{name} was {before.get(name)!r}, now {value!r}"
            for name, value in mine.items()
            if before.get(name) != value
        ]


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a run has written them, with what was the case before there was a setting."""
    fields = dataclasses.fields(Config)
    before = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    return {**before, **settings}


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Raises UserError where a setting that is given is no number of its kind and range."""
    whole = (*AT_LEAST_ONE, "seed", "early_stopping")
    for name, value in settings.items():
        if value is None or name not in (*whole, *POSITIVE, *RANGES):
            continue
        told = f"got {brief(value)}"
        kind: Any = numbers.Integral if name in whole else numbers.Real
        if not isinstance(value, kind):
            raise UserError(f"--{name} must be a {'whole ' * (name in whole)}number, {told}")
        if name in AT_LEAST_ONE and value < 1:
            raise UserError(f"--{name} must be at least 1, {told}")
        if name in POSITIVE and not 0 < value < math.inf:
            raise UserError(f"--{name} must be above 0 and finite, {told}")
        least, below = RANGES.get(name, (-math.inf, math.inf))
        if not least <= value < below:
            raise UserError(f"--{name} must be at least {least} and below {below}, {told}")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How much is measured where a run is compared; `main` documents each by its flag."""

    baseline_sets: int = 20
    baseline_networks: int = 200
    sgd_epochs: int = 100
    control_steps: int = 2000

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if (value := getattr(self, field.name)) < 1:
                raise UserError(f"--{field.name} must be at least 1, got {value}")


def resolve(given: dict[str, Any], datasets: dict, networks: dict) -> Config:
    """Completes the settings that were given by the defaults of the dataset and the network.

    Args:
        given: setting names and values; None stands for the default.
        datasets: the registry of datasets, with the user's own where these are named.
        networks: the registry of networks.

    Raises:
        UserError: an unknown name, a network of another kind than the dataset, a
            value out of its range.
    """
    given = {name: value for name, value in given.items() if value is not None}
    name = given.get("dataset", DATASET)
    if name not in datasets:
        raise unknown_name("--dataset", name, datasets)
    entry = datasets[name]
    model = given.get("model", entry.model)
    if model not in networks:
        raise unknown_name("--model", model, networks)
    network = networks[model]
    if network.kind != entry.kind:
        fitting = sorted(n for n, other in networks.items() if other.kind == entry.kind)
        raise UserError(
            f"--model={model} takes {network.kind}s, but --dataset={name} has {entry.kind}s; "
            f"use one of {', '.join(fitting)}"
        )
    init = given.get("init", "fixed")
    outer_steps = given.get("outer_steps", entry.outer_steps)
    defaults = {
        "dataset": name,
        "model": model,
        "init": "fixed",
        "labels": "soft",
        "label_init": "one_hot",
        "samples_per_step": entry.classes,
        "steps": 1,
        **network.defaults.of(init)._asdict(),
        "batch_size": entry.batch_size,
        "outer_steps": outer_steps,
        "networks": 1,
        "eval_networks": 200 if init == "random" else 1,
        "eval_every": max(1, outer_steps // 10),
        "eval_split": "test",
        "keep": "last",
        "early_stopping": None,
        "seed": 0,
        **dict.fromkeys(("test_data", "text_column", "label_column", "image_size")),
        "embeddings": None,
        "data_dir": data_dir(),
        "run_dir": str(Path("runs", f"{entry.name or name}_{model}")),
    }
    return Config(**{**defaults, **given})


def data_dir() -> str:
    """The default of --data_dir."""
    return os.environ.get("TFDS_DATA_DIR", str(Path.home() / "tensorflow_datasets"))


def command(settings: dict[str, Any], datasets: dict, networks: dict) -> str:
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
