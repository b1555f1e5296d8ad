"""What a run depends on beside its settings: remembered in its folder, held against each call."""

from pathlib import Path
from typing import Any

from tf_distill import files, schemas
from tf_distill.datasets.base import Dataset, fingerprint
from tf_distill.errors import UserError

NAME, OLDER = "inputs.json", "data.json"
"""The file, and the one that the command line wrote in its place before there was one for all."""
SIZES = ("train", "test", "classes")
Inputs = dict[str, Any]


def of_data(dataset: Dataset) -> Inputs:
    """Sizes for a person, and a hash of the stored examples."""
    return {
        "train": len(dataset.y_train),
        "test": len(dataset.y_test),
        "classes": len(dataset.classes),
        "data": fingerprint(dataset),
    }


def recall(folder: Path) -> Inputs:
    """What a run's folder remembers; {} where it remembers nothing."""
    older = schemas.read(folder / OLDER)
    if older:
        older["data"] = older.pop("fingerprint")
    return older | schemas.read(folder / NAME)


def remember(folder: Path, now: Inputs) -> None:
    """Adds to what a run's folder remembers."""
    files.write_json(folder / NAME, recall(folder) | now)


def check(folder: Path, before: Inputs, now: Inputs) -> None:
    """Raises UserError where a folder's run is of other inputs, as far as both are known."""
    changed = changed_since(before, now)
    how = " (as many examples, but others)" if before.keys() >= {*SIZES} else ""
    if changed & {*SIZES}:
        how = f" (they were {_sizes(before)}, now {_sizes(now)})"
    told = [f"other data{how}"] if "data" in changed else []
    if any(name.startswith(("weights", "network")) for name in changed):
        told.append("another network")
    if told:
        raise UserError(
            f"{folder} holds a run of {' and of '.join(told)}; take the old again, or name another "
            "--run_dir"
        )


def changed_since(before: Inputs, now: Inputs) -> set[str]:
    """The names under which both have something, and not the same."""
    return {name for name, value in now.items() if before.get(name, value) != value}


def of_python(inputs: Inputs) -> bool:
    """Whether a run was made from Python; the command line remembers no shapes of weights."""
    return "weights" in inputs


def _sizes(inputs: Inputs) -> str:
    return "{} + {} examples of {} classes".format(*map(inputs.get, SIZES))
