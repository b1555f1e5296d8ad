"""What the JSON files of a run's folder must hold, so that others can be read safely."""

from pathlib import Path
from typing import Any

import jsonschema

from tf_distill.common import files
from tf_distill.common.errors import UserError, brief

GROUPS = ("distilled", "baseline", "control", "network")
Schema = dict[str, Any]

# Infinite numbers are outside of all bounds, and a NaN is no JSON (`bounded.strict`).
NUMBER: Schema = {"type": "number", "minimum": -1e39, "maximum": 1e39}
FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1 + 1e-6}
NUMBERS: Schema = {"type": "array", "items": NUMBER}
FRACTIONS: Schema = {"type": "array", "items": FRACTION}
TEXT: Schema = {"type": "string", "maxLength": 10_000}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 500}
COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 2**53}
FROM_0: Schema = {"type": "integer", "minimum": 0, "maximum": 2**53}
STEP: Schema = {"type": "number", "minimum": 0, "maximum": 1e7}
MAYBE: Schema = {"type": ["number", "null"], "minimum": -1e39, "maximum": 1e39}
MAYBE_TEXT: Schema = {"type": ["string", "null"], "maxLength": 10_000}
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,  # for which 2.0 is an integer, as it is not for a range
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    ),
)
MOST_ROWS = 200
"""Rows of a table that are drawn."""


def _object(required: str, **properties: Schema) -> Schema:
    """An object that may have more than is told here."""
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(items: Schema, least: int = 0, most: int | None = None) -> Schema:
    bound = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": items, "minItems": least, **bound}


MEAN = _object("mean", mean=FRACTION, std=FRACTION, networks=COUNT)
TRAINING = _object("lr batch_size", lr=NUMBER, batch_size=COUNT, dropout=NUMBER,
                   weight_decay=NUMBER)  # fmt: skip
ORIGINAL = _object("accuracy", accuracy=FRACTION, epochs=NUMBER, seconds=NUMBER, settings=TRAINING)
ROW = _object(
    "name group title mean",
    name=NAME, title=NAME, how=TEXT, group={"enum": list(GROUPS)}, mean=FRACTION, std=FRACTION,
    networks=COUNT, accuracies=FRACTIONS, ratio=MAYBE, seconds=NUMBER,
)  # fmt: skip
SIZE = _object(
    "samples mean", samples=COUNT, mean=FRACTION, std=FRACTION, networks=COUNT, ratio=MAYBE,
    seconds=NUMBER, run_dir=TEXT,
)  # fmt: skip
VARIANT = _object(
    "name distilled full distilled_seconds full_seconds",
    name=NAME, distilled=MEAN, full=MEAN, distilled_seconds=NUMBER, full_seconds=NUMBER,
)  # fmt: skip
CURVE = _object("step mean std", step=_list(STEP, 1), mean=FRACTIONS, std=FRACTIONS, networks=COUNT)
INPUT = _object(
    "kind shape", kind=NAME, shape=_list(COUNT, 1, 8), mean=NUMBERS, std=NUMBERS,
    vocabulary=_list(TEXT),
)  # fmt: skip
MARKS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[0-9]{1,3}$"},
    "additionalProperties": {"anyOf": [COUNT, {"type": "null"}]},
}
SETTINGS: dict[str, Schema] = {
    **dict.fromkeys(("dataset", "model", "init", "labels", "label_init", "eval_split"), TEXT),
    **dict.fromkeys(("steps", "epochs", "samples_per_step", "outer_steps", "batch_size"), COUNT),
    **dict.fromkeys(("networks", "eval_networks", "eval_every"), COUNT),
    **dict.fromkeys(("inner_lr", "outer_lr"), NUMBER),
    **dict.fromkeys(("test_data", "text_column", "label_column"), MAYBE_TEXT),
    **dict.fromkeys(("image_size", "embeddings", "start"), MAYBE_TEXT),
    "seed": FROM_0,
}
"""The settings of a run, where a file repeats them."""

PROTOCOL = dict.fromkeys(
    ("baseline_sets", "baseline_networks", "sgd_epochs", "control_steps"), COUNT
)

# fmt: off
SCHEMAS: dict[str, Schema] = {
    "config.json": _object(
        "dataset model init labels", **SETTINGS, data_dir=TEXT, run_dir=TEXT
    ),
    "inputs.json": _object(
        "", train=FROM_0, test=FROM_0, classes=FROM_0, data=TEXT, weights={"type": "array"}
    ),
    "data.json": _object(
        "fingerprint", train=FROM_0, test=FROM_0, classes=FROM_0, fingerprint=TEXT
    ),
    "results.json": _object(
        "distilled_samples seconds accuracy", **SETTINGS,
        distilled_samples=COUNT, seconds=NUMBER, accuracy=MEAN, original_accuracy=FRACTION,
        original=ORIGINAL, ratio=MAYBE, learned_lr=NUMBERS, test_examples=FROM_0,
        accuracy_before=MEAN, tf_distill=TEXT, tensorflow=TEXT, keras=TEXT,
    ),
    "comparison.json": _object(
        "", settings={"type": "object", "properties": PROTOCOL}, original=ORIGINAL,
        rows=_list(ROW, 0, MOST_ROWS), curve=CURVE, expected=_list(TEXT), set=TEXT,
    ),
    "sweep.json": _object(
        "sizes", sizes=_list(SIZE, 1, 1000), original=ORIGINAL,
        settings={"type": "object", "properties": SETTINGS}, distillation_sizes=MARKS,
    ),
    "ranking.json": _object(
        "variants", variants=_list(VARIANT, 0, 1000), spearman=MAYBE, kendall=MAYBE, set=TEXT
    ),
    "metadata.json": _object(
        "network dataset seed classes input how_to_train", network=NAME, classes=_list(NAME, 2),
        input=INPUT, dataset=TEXT, init=TEXT, labels=TEXT, steps=COUNT, epochs=COUNT, seed=FROM_0,
        sentences=_list({"type": "string"}), how_to_train=TEXT, initial_weights=FROM_0,
        frozen_weights=FROM_0,
    ),
}
# fmt: on
REPORTED = {
    "config.json": ("outer_steps", "seed"),
    "results.json": ("learned_lr", "test_examples", "eval_split", "accuracy_before"),
}
"""What a report shows beside what all readers need."""


def read_checked(path: Path) -> dict[str, Any]:
    """A file of a run's folder, checked; {} where there is none.

    Args:
        path: its name is one of `SCHEMAS`.

    Raises:
        UserError: it holds something else than it should.
    """
    if not path.exists():
        return {}
    value = files.read_json(path)
    check_schema(path, value)
    return value


def check_schema(path: Path, value: dict[str, Any]) -> None:
    """Raises UserError where what was read from `path` is not as its schema says."""
    errors = _Validator(SCHEMAS[path.name]).iter_errors(value)
    if error := next(errors, None):
        place = "".join(f"[{part!r}]" for part in error.absolute_path)
        raise _damaged(path, f"{place} {_reason(error)}".strip())
    curve = value.get("curve", {"step": [], "mean": [], "std": []})
    if len({len(curve[name]) for name in ("step", "mean", "std")}) > 1:
        raise _damaged(path, "['curve'] has lists of unequal length")


def _reason(error: jsonschema.ValidationError) -> str:
    if error.validator == "required":
        return error.message  # names what is missing
    expected = f"{error.validator} {brief(error.validator_value)}"
    return f"is {brief(error.instance)}, expected {expected}"


def check_reported(path: Path, value: dict[str, Any]) -> None:
    """Raises UserError where a file lacks what a report shows of it."""
    for name in REPORTED[path.name]:
        if name not in value:
            raise _damaged(path, f"it has no {name!r}")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that have a step and numbers alone; [] for no file."""
    return [line for line in files.read_json_lines(path) if _is_metrics(line)]


def _is_metrics(line: dict[str, Any]) -> bool:
    numbers = all(type(value) in (int, float) for value in line.values())
    return numbers and type(line.get("step")) is int and 0 <= line["step"] <= 2**53


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} is damaged ({what}); make it again, or name another folder")
