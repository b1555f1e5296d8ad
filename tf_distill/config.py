"""The settings of a run: one frozen object, complete and checked where it is made."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tf_distill import limits
from tf_distill.errors import UserError, unknown_name

CHOICES = {
    "init": ("fixed", "random"),
    "labels": ("soft", "hard"),
    "label_init": ("one_hot", "random"),
    "sample_init": ("normal", "real", "linear"),
    "eval_split": ("test", "held_out"),
    "keep": ("last", "best"),
    "distribution": ("none", "mirrored", "multiworker"),
}
OWN = "python:"
"""Begins the name of a network that is a function of a user, not one of the registry."""
PLACES = ("data_dir", "run_dir")
"""Where things lie on this machine: may differ when a run goes on elsewhere."""
FREE = (*PLACES, "checkpoint_minutes", "distribution")
"""What may differ when a run goes on: the outcome follows from it by no more than rounding."""
OF_NETWORK = ("inner_lr", "outer_lr", "epochs", "outer_momentum", "sample_init")
BROUGHT = {"sample_init": None, "sample_scale": None, "inner_lr": None, "label_init": "one_hot"}
"""Settings that do nothing beside `start`, whose set brings its own; each with a value that asks
for nothing."""
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
        for name, value in limits.plain(dataclasses.asdict(self)).items():
            object.__setattr__(self, name, value)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise unknown_name(f"--{name}", getattr(self, name), choices)
        for name in PLACES:
            limits.folder(name, getattr(self, name))
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
        """The settings that the outcome follows from; of a set to begin with, that there is one."""
        told = {k: v for k, v in dataclasses.asdict(self).items() if k not in FREE}
        return _start_anywhere(told)

    def difference(self, other: dict[str, Any]) -> list[str]:
        """The settings, in words, in which a run with settings `other` is another experiment.

        Those are left out whose defaults follow from one that is named.
        """
        before = completed(other)
        known = _start_anywhere(before)
        changed = [k for k, v in self.deciding().items() if known.get(k) != v]
        follow = {name for source in changed for name in DEFAULTS_BY.get(source, ())}
        return [
            f"--{name} was {before.get(name)!r}, now {getattr(self, name)!r}"
            for name in changed
            if name not in follow
        ]


def _start_anywhere(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, of whose set to begin with it counts that there is one, not where it lies."""
    return {**settings, "start": "a set" if settings.get("start") else None}


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a run has written them, with what was the case before there was a setting."""
    fields = dataclasses.fields(Config)
    before = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    return {**before, **settings}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How much is measured where a run is compared; `main` documents each by its flag."""

    baseline_sets: int = 20
    baseline_networks: int = 200
    sgd_epochs: int = 100
    control_steps: int = 2000
