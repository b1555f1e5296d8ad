"""Small tables: ten distilled rows a class, or 30 of a quantity, beside as many real ones.

python benchmarks/tabular.py --penguins=penguins.csv    # --names=wine,digits: only these

The penguins are a file of the package palmerpenguins. A run that is there is read, and not made
again. Settings are chosen on training data alone:

python benchmarks/tabular.py --held_out=0,1,2 --settings='{"sample_init": "real"}'
"""

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags
from sklearn import datasets

import tf_distill as td
from tf_distill.datasets import Dataset, hold_out
from tf_distill.datasets.frames import read_frame

_NAMES = flags.DEFINE_list(
    "names",
    ["iris", "wine", "breast_cancer", "digits", "diabetes"],
    "Tables that come with scikit-learn.",
)
_PENGUINS = flags.DEFINE_string("penguins", None, "penguins.csv, to have this table too.")
_RUN_DIR = flags.DEFINE_string("run_dir", "runs/tabular", "A folder for their runs.")
_HELD_OUT = flags.DEFINE_list(
    "held_out",
    [],
    "Seeds. For each a random quarter of the training rows is the test; only the distilled rows "
    "are measured.",
)
_SETTINGS = flags.DEFINE_string("settings", "{}", "Settings other than the defaults, as JSON.")
PENGUINS = "penguins"
PART = 0.25
"""The part of the training rows that is held out."""
LINEAR = {False: "logistic", True: "ridge"}
"""The linear model, by whether the target is a quantity."""
MODELS = ("nearest", "linear", "forest", "boosting")
ENDS = ("", "_random_real", "_all")
ROWS = ("random_real", "k_means", "medoids", "decoded_rows")


def table(name: str) -> tuple[Any, str]:
    """A table, and the name of the column with the classes."""
    if name == PENGUINS:
        return read_frame(Path(_PENGUINS.value)), "species"
    return getattr(datasets, f"load_{name}")(as_frame=True).frame, "target"


def dataset(name: str) -> Dataset:
    """A table as a dataset."""
    frame, target = table(name)
    task = "regression" if name == "diabetes" else "classes"
    return td.datasets.from_table(frame, target, task=task, name=f"{name}_table")


def held_out(name: str, seed: int) -> list[float]:
    """Accuracies or R2, in percent, on rows held out: of the mlp, then of MODELS."""
    data = hold_out(dataset(name), seed, PART)
    linear = LINEAR[data.target is not None]
    result = td.distill(data, seed=seed, **json.loads(_SETTINGS.value))
    found = result.compare(rows=[model.replace("linear", linear) for model in MODELS])
    return [100 * mean for mean in (result.accuracy.mean, *(r["mean"] for r in found["rows"]))]


def measured(name: str, folder: Path) -> dict[str, Any]:
    """The means of all rows by their names, in percent, "all" and the seconds of distillation.

    They are accuracies, or R2.
    """
    data = dataset(name)
    linear = LINEAR[data.target is not None]
    models = [f"{model}{end}".replace("linear", linear) for model in MODELS for end in ENDS]
    result = td.distill(data, run_dir=folder / name, **json.loads(_SETTINGS.value))
    found = result.compare(rows=[*ROWS, *models], baseline_networks=20)
    means = {row["name"].replace(linear, "linear"): 100 * row["mean"] for row in found["rows"]}
    accuracy = 100 * result.accuracy.mean
    return means | {"distilled": accuracy, "all": 100 * found["original"]["accuracy"],
                    "seconds": result.results["seconds"]}  # fmt: skip


def regrets(means: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The relative regret of each model against random rows, as TDBench has it.

    It is what the distilled rows lack to all data over what random rows lack, so 0 is as good as
    all data, and 1 as random rows; none where random rows are as good as all data.
    """
    cases = {name: (f"{name}_all", name, f"{name}_random_real") for name in MODELS}
    for name, keys in {"mlp": ("all", "distilled", "random_real"), **cases}.items():
        full, own, random = (means[key] for key in keys)
        if full > random:
            yield name, (full - own) / (full - random)


def main(_: list[str]) -> None:
    """Prints both tables."""
    names = [*_NAMES.value, *([PENGUINS] if _PENGUINS.value else [])]
    if _HELD_OUT.value:
        print(f"| held out | mlp | {' | '.join(MODELS)} |\n|{' --- |' * (len(MODELS) + 2)}")
        for name in names:
            every = [held_out(name, int(seed)) for seed in _HELD_OUT.value]
            print(f"| {name} | {' | '.join(f'{mean:.2f}' for mean in np.mean(every, axis=0))} |")
        return
    found = {name: measured(name, Path(_RUN_DIR.value)) for name in names}
    columns = ("distilled", "random_real", "k_means", "medoids", "decoded_rows", "all", "seconds")
    print(f"| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, means in found.items():
        print(f"| {name} | {' | '.join(f'{means[column]:.2f}' for column in columns)} |")
    every = {name: dict(regrets(means)) for name, means in found.items()}
    print(f"\n| regret | mlp | {' | '.join(MODELS)} |\n|{' --- |' * (len(MODELS) + 2)}")
    for name, regret in every.items():
        told = [f"{regret[key]:.2f}" if key in regret else "-" for key in ("mlp", *MODELS)]
        print(f"| {name} | {' | '.join(told)} |")
    middle = statistics.median(value for regret in every.values() for value in regret.values())
    print(f"\nmedian relative regret against random rows: {middle:.2f}")


if __name__ == "__main__":
    app.run(main)
