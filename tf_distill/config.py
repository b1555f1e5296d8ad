"""The settings of a run: one frozen object, complete and checked where it is made."""

import dataclasses
import json
import math
import numbers
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill.common import UserError, brief, unknown_name

CHOICES = {
    "use": ("replay", "training"),
    "init": ("fixed", "random"),
    "inner_optimizer": ("sgd", "momentum", "adam"),
    "labels": ("soft", "hard", "probabilities", "quantities"),
    "label_init": ("one_hot", "random"),
    "sample_init": ("normal", "real", "linear", "k_means", "medoids", "matching_pursuit"),
    "augment": ("none", "shift", "crop_and_flip"),
    "eval_split": ("test", "held_out"),
    "keep": ("last", "best"),
    "distribution": ("none", "mirrored", "multiworker"),
}
PLACES = ("data_dir", "run_dir")
"""Places on this machine: they may differ when a run continues elsewhere."""
FREE = (*PLACES, "checkpoint_minutes", "distribution")
"""Settings that may differ when a run continues: they change the outcome by rounding at most."""
LEARN = ("samples", "labels", "rates")
"""What can be learned, in the order of `learn`."""
OF_TRAINING = ("unroll", "window", "augment")
"""Settings of use=training alone."""
OF_NETWORK = ("inner_lr", "outer_lr", "epochs", "outer_momentum", "sample_init", "sample_scale")
BROUGHT = {"sample_init": None, "sample_scale": None, "inner_lr": None, "label_init": "one_hot"}
"""Settings that do nothing beside `start`, which has its own; each with its neutral value."""
DEFAULTS_BY = {
    "dataset": ("use", "model", "samples_per_step", "batch_size", "outer_steps", "eval_every"),
    "use": (
        "init",
        "labels",
        "learn",
        "samples_per_step",
        "steps",
        *OF_NETWORK,
        "inner_optimizer",
        "unroll",
        "window",
        "outer_steps",
        "eval_networks",
        "eval_every",
    ),
    "model": OF_NETWORK,
    "init": (*OF_NETWORK, "eval_networks"),
    "labels": ("learn",),
    "learn": ("sample_init", "sample_scale"),
    "steps": ("samples_per_step",),
    "outer_steps": ("eval_every",),
}
"""Settings whose defaults follow from another one."""


@dataclasses.dataclass(frozen=True)
class Config:
    """One experiment; `main` documents each setting by its flag.

    A default here is also the value of a setting that an older config.json does not name.
    """

    dataset: str
    model: str
    samples_per_step: int
    epochs: int
    inner_lr: float
    outer_steps: int
    outer_lr: float
    batch_size: int
    eval_networks: int
    eval_every: int
    data_dir: str
    run_dir: str
    use: str = "replay"
    init: str = "fixed"
    labels: str = "soft"
    learn: str = ",".join(LEARN)
    label_init: str = "one_hot"
    sample_init: str = "normal"
    sample_scale: float = 1.0
    start: str | None = None
    steps: int = 1
    inner_optimizer: str = "sgd"
    unroll: int | None = None
    window: int | None = None
    augment: str = "none"
    outer_momentum: float = 0.5
    networks: int = 1
    eval_split: str = "test"
    keep: str = "last"
    early_stopping: int | None = None
    seed: int = 0
    test_data: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    image_size: str | None = None
    text_length: int | None = None
    skip_bad: bool | None = None
    task: str | None = None
    embeddings: str | None = None
    checkpoint_minutes: float = 2.0
    deterministic: bool = False
    jit_compile: bool = False
    distribution: str = "none"

    def __post_init__(self):
        for name, value in plain_numbers(dataclasses.asdict(self)).items():
            object.__setattr__(self, name, value)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise unknown_name(name, getattr(self, name), choices)
        for name in PLACES:
            folder_path(name, getattr(self, name))
        self._check_learn()
        self._check_use()
        if self.labels == "hard" and self.label_init == "random":
            raise UserError(
                "labels=hard keeps the labels as they start, so label_init must be one_hot, got "
                "random; use labels=soft to learn random labels"
            )
        if self.early_stopping is not None and self.keep == "last":
            raise UserError(
                f"early_stopping={self.early_stopping} asks for keep=best, got keep=last; give both"
            )
        if self.init == "fixed" and (self.networks, self.eval_networks) != (1, 1):
            raise UserError(
                f"init=fixed has one network, got networks={self.networks} "
                f"eval_networks={self.eval_networks}; use init=random to draw several"
            )

    def _check_learn(self) -> None:
        told = [name.strip() for name in str(self.learn).split(",")]
        if set(told) - set(LEARN):
            raise UserError(
                f"learn={self.learn}, expected some of {', '.join(LEARN)}, such as learn=labels"
            )
        if self.labels == "hard" and "labels" in told:
            raise UserError(
                f"labels=hard keeps the labels as they start, got learn={self.learn}; leave one "
                "of them out"
            )
        object.__setattr__(self, "learn", ",".join(name for name in LEARN if name in told))

    def _check_use(self) -> None:
        if self.use == "replay":
            for name in OF_TRAINING:
                if getattr(self, name) not in (None, "none"):
                    raise UserError(
                        f"{name}={getattr(self, name)} is for use=training, got use=replay; leave "
                        "one of them out"
                    )
        elif self.init == "fixed":
            raise UserError(
                "init=fixed makes a set for one network, use=training one for any; leave one of "
                "them out"
            )
        elif self.labels == "soft":
            raise UserError(
                "labels=soft is for use=replay, got use=training; leave it out for labels that are "
                "probabilities, since long training on unbounded ones runs away"
            )
        elif self.unroll is not None and self.window is not None and self.window > self.unroll:
            raise UserError(
                f"window={self.window} is longer than the run of unroll={self.unroll} steps; "
                f"lower it to {self.unroll} or less"
            )

    def to_json(self) -> str:
        """All settings as a JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the outcome; of `start` only whether it was given."""
        told = {k: v for k, v in dataclasses.asdict(self).items() if k not in FREE}
        return _start_anywhere(told)

    def difference(self, other: dict[str, Any]) -> list[str]:
        """How these settings differ from those of another run, such as ["seed=3 (it was 0)"].

        A setting is left out if its default follows from one that is named.
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
    """The settings with a sign in place of the path of `start`."""
    return {**settings, "start": "a set" if settings.get("start") else None}


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a run has written them, those that it does not name at their defaults."""
    fields = dataclasses.fields(Config)
    before = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    if settings.get("labels") == "hard":
        before["learn"] = "samples,rates"
    return {**before, **settings}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How much a comparison measures; `main` documents each setting by its flag."""

    baseline_sets: int = 20
    baseline_networks: int = 200
    sgd_epochs: int = 100
    control_steps: int = 2000


A_CLASS, QUANTITY = 10, 3
"""Samples of a class of a set for ordinary training; a quantity has as many as so many classes."""
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
    run_dir = str(Path("runs", f"{entry.name or name}_{model}".replace(":", "_")))
    named = {"dataset": name, "model": model, "data_dir": data_dir(), "run_dir": run_dir}
    named["use"] = entry.use
    sizes = (entry.classes, entry.batch_size, entry.outer_steps)
    return complete(given, named, network.defaults, *sizes)


def network_of(model: str, networks: Any, data: str, kind: str | None) -> Any:
    """The network of a name.

    Args:
        model: the name.
        networks: the registry of networks.
        data: what errors call the data.
        kind: of the data; of a kind that no network has, their shape decides.

    Raises:
        UserError: there is none of that name, or it is of another kind than the data.
    """
    network = networks[model]
    fitting = [name for name in networks.names() if networks[name].kind == kind]
    if fitting and network.kind not in (kind, ""):
        raise UserError(
            f"model={model} takes {network.kind}s, but {data} has {kind}s; use one of "
            f"{', '.join(fitting)}"
        )
    return network


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
        classes: of the data; 0 for a quantity.
        batch_size: the default.
        outer_steps: likewise.

    Raises:
        UserError: a value out of its range.
    """
    told = in_order(given)
    use = told.get("use", named["use"])
    training = use == "training"
    init = told.get("init", "random" if training else "fixed")
    of_classes = "probabilities" if training else "soft"
    labels = told.get("labels", of_classes if classes else "quantities")
    if labels != "hard" and (labels == "quantities") == bool(classes):
        raise UserError(
            f"labels={labels} is for {'regression' if classes else 'classes'}; leave it out"
        )
    groups = classes or QUANTITY
    learned = [n for n in LEARN if (n, labels) != ("labels", "hard")]
    minibatches = 4 if groups % 2 == 0 else 5  # of equal size
    steps = told.get("steps", minibatches if training else 1)
    defaults = {
        **named,
        "init": init,
        "labels": labels,
        "learn": ",".join(n for n in learned if not (training and n == "rates")),
        "samples_per_step": -(-A_CLASS * groups // steps) if training else classes or A_CLASS,
        "steps": steps,
        "batch_size": batch_size,
        "outer_steps": outer_steps,
        "eval_networks": 200,
        **{name: value for name, value in network.of(use, init).items() if value is not None},
    }
    if init == "fixed":
        defaults["eval_networks"] = 1
    if told.get("learn") == "labels":
        defaults |= {"sample_init": "matching_pursuit", "sample_scale": 1.0}
    if "start" in told:
        defaults["sample_scale"] = 1.0  # the set's own
    if "unroll" in told and defaults.get("window"):
        defaults["window"] = min(defaults["window"], told["unroll"])
    outer_steps = told.get("outer_steps", defaults["outer_steps"])
    return Config(**{**defaults, "eval_every": max(1, outer_steps // 10), **told})


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
    told = {name: settings[name] for name in ("dataset", "model")}
    try:
        for name in ("use", "init", "labels", "learn", "steps", "outer_steps"):  # others follow
            if settings[name] != getattr(resolve(told, datasets, networks), name):
                told[name] = settings[name]
        defaults = dataclasses.asdict(resolve(told, datasets, networks))
    except UserError:  # of another version: its defaults are not known
        defaults = {field.name: None for field in dataclasses.fields(Config)}
    flags = (
        shlex.quote(f"--{name}={settings[name]}")
        for name, value in defaults.items()
        if name in told or (name in settings and name not in PLACES and settings[name] != value)
    )
    return " ".join(["python -m tf_distill.main", *flags])


class Limit(NamedTuple):
    """The numbers that a setting may have: their type, a test, and the same in words."""

    kind: type
    holds: Callable[[float], bool]
    words: str


LARGEST = 2**31 - 1
"""TensorFlow's largest whole number."""
COUNT = Limit(int, lambda v: 1 <= v <= LARGEST, f"a whole number from 1 to {LARGEST}")
POSITIVE = Limit(float, lambda v: 0 < v < math.inf, "a finite number above 0")
SHARE = Limit(float, lambda v: 0 <= v < 1, "a number from 0 to less than 1")
LIMITS = {
    **dict.fromkeys(("samples_per_step", "steps", "epochs", "outer_steps", "batch_size"), COUNT),
    **dict.fromkeys(("networks", "eval_networks", "eval_every", "early_stopping"), COUNT),
    **dict.fromkeys(("unroll", "window", "text_length"), COUNT),
    **dict.fromkeys(("baseline_sets", "baseline_networks", "sgd_epochs", "control_steps"), COUNT),
    **dict.fromkeys(("outer_lr", "inner_lr", "lr", "sample_scale", "checkpoint_minutes"), POSITIVE),
    **dict.fromkeys(("outer_momentum", "dropout"), SHARE),
    "weight_decay": Limit(float, lambda v: 0 <= v < math.inf, "a finite number from 0 on"),
    "seed": Limit(int, lambda v: 0 <= v <= LARGEST, f"a whole number from 0 to {LARGEST}"),
}
TRUTH = ("deterministic", "jit_compile")


def plain_numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with Python's numbers in place of numpy's, which JSON does not know.

    Raises:
        UserError: one of them is no number of its kind and range, or neither True nor False.
    """
    return {
        name: value if value is None else _plain(name, value) for name, value in settings.items()
    }


def in_order(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not None, in the order of `Config`, with plain numbers.

    Raises:
        UserError: as for `plain_numbers`, of the first wrong one.
    """
    names = [field.name for field in dataclasses.fields(Config)]
    return plain_numbers({name: given[name] for name in names if given.get(name) is not None})


def _plain(name: str, value: Any) -> Any:
    if name in TRUTH:
        if not isinstance(value, bool | np.bool_):
            raise UserError(f"{name}={brief(value)}, expected True or False")
        return bool(value)
    return checked_number(name, value, name) if name in LIMITS else value


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
    limit = LIMITS[name]
    if limit.kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # 1e3
    kind: Any = numbers.Integral if limit.kind is int else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool) or not limit.holds(value):
        raise UserError(f"{called}={brief(value)}, expected {limit.words}")
    return limit.kind(value)
