"""Small tables: ten distilled rows a class, or 30 of a quantity, beside as many real ones.

python benchmarks/tabular.py --penguins=penguins.csv    # --names=wine,digits: only these

The penguins are a file of the package palmerpenguins. A run that is there is read, and not made
again.
"""

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from absl import app, flags
from sklearn import datasets

import tf_distill as td
from tf_distill.datasets.frames import read_frame

_NAMES = flags.DEFINE_list(
    "names",
    ["iris", "wine", "breast_cancer", "digits", "diabetes"],
    "Tables that come with scikit-learn.",
)
_PENGUINS = flags.DEFINE_string("penguins", None, "penguins.csv, to have this table too.")
_RUN_DIR = flags.DEFINE_string("run_dir", "runs/tabular", "A folder for their runs.")
PENGUINS = "penguins"
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


def measured(name: str, folder: Path) -> dict[str, Any]:
    """The means of all rows by their names, in percent, "all" and the seconds of distillation.

    They are accuracies, or R2.
    """
    frame, target = table(name)
    task = "regression" if name == "diabetes" else "classes"
    data = td.datasets.from_table(frame, target, task=task, name=name)
    linear = LINEAR[data.target is not None]
    models = [f"{model}{end}".replace("linear", linear) for model in MODELS for end in ENDS]
    result = td.distill(data, eval_networks=20, run_dir=folder / name)
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
