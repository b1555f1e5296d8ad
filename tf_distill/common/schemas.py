"""The fields that the JSON files of a run's folder must have, so that readers can rely on them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill.common import files
from tf_distill.common.errors import UserError, brief

GROUPS = ("distilled", "baseline", "control", "network")
NUMBER = int | float
MAYBE_NUMBER = int | float | None
MAYBE_TEXT = str | None


class Object(NamedTuple):
    """The form of a JSON object, which may have more fields.

    It must have the `required` ones, parted by blanks. The form of a field is a type, an Object,
    a tuple of the allowed values, or a list with the form of its items.
    """

    required: str
    fields: dict[str, Any]


MEAN = Object("mean", {"mean": NUMBER, "std": NUMBER, "networks": int})
TRAINING = Object(
    "lr batch_size", dict.fromkeys(("lr", "batch_size", "dropout", "weight_decay"), NUMBER)
)
ORIGINAL = Object(
    "accuracy", {**dict.fromkeys(("accuracy", "epochs", "seconds"), NUMBER), "settings": TRAINING}
)
ROW = Object(
    "name group title mean",
    {**MEAN.fields, "name": str, "title": str, "how": str, "group": GROUPS,
     "accuracies": [NUMBER], "seconds": NUMBER},
)  # fmt: skip
SIZE = Object("samples mean", {**MEAN.fields, "samples": int, "seconds": NUMBER, "run_dir": str})
VARIANT = Object(
    "name distilled full distilled_seconds full_seconds",
    {"name": str, "distilled": MEAN, "full": MEAN, "distilled_seconds": NUMBER,
     "full_seconds": NUMBER},
)  # fmt: skip
CURVE = Object(
    "step mean std", {"step": [NUMBER], "mean": [NUMBER], "std": [NUMBER], "networks": int}
)
EVALUATIONS = Object(
    "step seconds accuracy", {key: [NUMBER] for key in ("step", "seconds", "accuracy")}
)
"""On the way: outer steps, and the seconds of the run until then."""
COLUMN = Object(
    "name kind",
    {
        "name": str,
        "kind": ("number", "date", "category"),
        **dict.fromkeys(("fill", "mean", "std"), NUMBER),
        "quantiles": [NUMBER],
        **dict.fromkeys(("missing", "other"), bool),
        "decimals": int,
        "commas": ("", "decimal", "thousands"),
        "categories": [str],
    },
)
INPUT = Object(
    "kind shape",
    {
        "kind": str,
        "shape": [int],
        "mean": [NUMBER],
        "std": [NUMBER],
        "white": int,
        "vocabulary": [str],
        "columns": [COLUMN],
    },
)
TARGET = Object(
    "name mean std decimals", {"name": str, "mean": NUMBER, "std": NUMBER, "decimals": int}
)
"""A quantity; accuracies are R2 then."""
SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("dataset", "model", "use", "init", "labels", "learn", "label_init"), str),
    **dict.fromkeys(("inner_optimizer", "augment", "eval_split"), str),
    **dict.fromkeys(("steps", "epochs", "samples_per_step", "outer_steps", "batch_size"), int),
    **dict.fromkeys(("networks", "eval_networks", "eval_every", "seed"), int),
    **dict.fromkeys(("inner_lr", "outer_lr"), NUMBER),
    **dict.fromkeys(("unroll", "window", "text_length"), int | None),
    **dict.fromkeys(("test_data", "text_column", "label_column", "task"), MAYBE_TEXT),
    **dict.fromkeys(("image_size", "embeddings", "start"), MAYBE_TEXT),
    "skip_bad": bool | None,
}
DESCRIBED = Object(
    "network dataset seed classes input how_to_train",
    {**dict.fromkeys(("network", "dataset", "init", "labels", "how_to_train", "recipe"), str),
     **dict.fromkeys(("eval_split", "date", "license"), str), "input": INPUT,
     "use": ("training", "replay"),
     "inner_optimizer": ("sgd", "momentum", "adam"), "augment": ("none", "shift", "crop_and_flip"),
     "accuracy": MEAN, "rmse": MEAN, "target": TARGET,
     "classes": [str], "sentences": [str], "layers": [str],
     "sources": [Object("dataset samples classes",
                        {"dataset": str, "samples": int, "classes": [str], "license": str})],
     **dict.fromkeys(("steps", "epochs", "seed", "initial_weights", "frozen_weights"), int)},
)  # fmt: skip
"""What the numbers of a distilled set mean."""
PROTOCOL = dict.fromkeys(("baseline_sets", "baseline_networks", "sgd_epochs", "control_steps"), int)
SIZES = dict.fromkeys(("train", "test", "classes"), int)

SCHEMAS = {
    "config.json": Object("dataset model init labels",
                          {**SETTINGS, "data_dir": str, "run_dir": str}),
    "inputs.json": Object("", {**SIZES, "data": str, "weights": list}),
    "results.json": Object(
        "distilled_samples seconds accuracy",
        {**SETTINGS, "distilled_samples": int, "seconds": NUMBER, "accuracy": MEAN,
         "accuracy_before": MEAN, "rmse": MEAN, "target": TARGET,
         "original": ORIGINAL, "original_accuracy": NUMBER,
         "learned_lr": [NUMBER], "test_examples": int, "recipe": str, "class_examples": dict,
         "confusion": [[int]], "evaluations": EVALUATIONS},
    ),
    "comparison.json": Object(
        "",
        {"settings": Object("", PROTOCOL), "original": ORIGINAL, "rows": [ROW], "curve": CURVE,
         "expected": [str], "set": str},
    ),
    "sweep.json": Object("sizes", {"sizes": [SIZE], "original": ORIGINAL, "target": TARGET,
                                   "settings": Object("", SETTINGS)}),
    "ranking.json": Object("variants", {"variants": [VARIANT], "spearman": MAYBE_NUMBER,
                                        "kendall": MAYBE_NUMBER, "set": str}),
    "audit.json": Object(
        "lines shown usual distances",
        {"lines": [str], "usual": NUMBER, "distances": [NUMBER],
         "shown": [Object("sample class", {"sample": int, **dict.fromkeys(
             ("class", "words", "text", "picture"), str)})]},
    ),
    "metadata.json": DESCRIBED,
    "card.json": Object(
        f"{DESCRIBED.required} arrays sha256",
        # sha256: of each array, each other part of the card, and vocabulary.txt
        {**DESCRIBED.fields, "arrays": Object("x y lr", {}), "sha256": Object("x y lr", {})},
    ),
}  # fmt: skip
REPORTED = {
    "config.json": ("outer_steps", "seed"),
    "results.json": ("learned_lr", "test_examples", "eval_split", "accuracy_before"),
}
"""More fields that a report needs."""


def read_checked(path: Path) -> dict[str, Any]:
    """Reads a file of a run's folder, of a name in `SCHEMAS`; {} if there is none.

    UserError if the file is damaged or foreign.
    """
    if not path.exists():
        return {}
    value = files.read_json(path)
    check_schema(path, value)
    return value


def check_schema(path: Path, value: dict[str, Any]) -> None:
    """Raises UserError if the content of `path` has not the form of its schema."""
    if fault := _fault(value, SCHEMAS[path.name], ""):
        raise _damaged(path, fault)


def _fault(value: Any, form: Any, place: str) -> str | None:
    """The first fault of a value, in words; None for a sound one."""
    if isinstance(form, tuple) and not isinstance(form, Object):
        sound, expected = value in form, f"one of {', '.join(form)}"
    else:
        kind = dict if isinstance(form, Object) else list if isinstance(form, list) else form
        sound, expected = isinstance(value, kind), getattr(kind, "__name__", str(kind))
    if not sound:
        return f"{place} is {brief(value)}, expected {expected}"
    inner: list[tuple[Any, Any, str]] = []
    if isinstance(form, list):
        inner = [(item, form[0], f"{place}[{i}]") for i, item in enumerate(value)]
    elif isinstance(form, Object):
        if missing := [name for name in form.required.split() if name not in value]:
            return f"{place or 'it'} has no {missing[0]!r}"
        inner = [(value[n], f, f"{place}[{n!r}]") for n, f in form.fields.items() if n in value]
    return next(filter(None, (_fault(*part) for part in inner)), None)


def check_reported(path: Path, value: dict[str, Any]) -> None:
    """Raises UserError if a file lacks a field that a report needs."""
    for name in REPORTED[path.name]:
        if name not in value:
            raise _damaged(path, f"it has no {name!r}")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Reads the lines of metrics.jsonl that have a step and only numbers; [] for no file.

    A line that a crash has cut is left out.
    """
    lines = files.read_lines(path) if path.exists() else ()
    return [found for line in lines if line.endswith(b"\n") and (found := _metrics(line))]


def _metrics(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    sound = isinstance(found, dict) and {*map(type, found.values())} <= {int, float}
    return found if sound and "step" in found else None


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} is damaged ({what}); make it again, or name another folder")
