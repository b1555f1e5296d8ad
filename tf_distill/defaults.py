"""The settings that are not given: what fits the dataset and the network."""

import dataclasses
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf_distill import limits
from tf_distill.config import PLACES, Config, completed
from tf_distill.errors import UserError, unknown_name

DATASET = "digits"
"""The dataset by default."""


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
    name = DATASET if given.get("dataset") is None else given["dataset"]
    if name not in datasets:
        raise unknown_name("--dataset", name, datasets)
    entry = datasets[name]
    model = entry.model if given.get("model") is None else given["model"]
    network = network_of(model, networks, f"--dataset={name}", entry.kind)
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
        kind: of the data; one that no network has is told by their shape.

    Raises:
        UserError: there is none of that name, or it is of another kind than the data.
    """
    if model not in networks:
        raise unknown_name("--model", model, networks)
    fitting = sorted(name for name, network in networks.items() if network.kind == kind)
    if fitting and model not in fitting:
        raise UserError(
            f"--model={model} takes {networks[model].kind}s, but {data} has {kind}s; use one of "
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
    """All settings: those that were given, and for the rest what fits the data and the network.

    Args:
        given: names and values; None stands for the default.
        named: dataset, model and places, where they are not given.
        network: its defaults by initialization.
        classes: of the data.
        batch_size: where it is not given.
        outer_steps: likewise.

    Raises:
        UserError: a value out of its range.
    """
    fields = [field.name for field in dataclasses.fields(Config)]
    in_order = sorted(given.items(), key=lambda item: fields.index(item[0]))
    told = limits.plain({name: value for name, value in in_order if value is not None})
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
