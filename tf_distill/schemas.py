"""What the JSON files of a run's folder must hold, so that others can be read safely."""

from pathlib import Path
from typing import Any

import jsonschema

from tf_distill import files
from tf_distill.errors import UserError

GROUPS = ("distilled", "baseline", "control", "network")
Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
NUMBERS: Schema = {"type": "array", "items": NUMBER}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 1}
MAYBE: Schema = {"type": ["number", "null"]}


def _object(required: str, **properties: Schema) -> Schema:
    """An object that may have more than is told here."""
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(items: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": least}


MEAN = _object("mean", mean=NUMBER, std=NUMBER, networks=COUNT)
ORIGINAL = _object("accuracy", accuracy=NUMBER, seconds=NUMBER)
ROW = _object(
    "name group title mean",
    name=TEXT, title=TEXT, how=TEXT, group={"enum": list(GROUPS)}, mean=NUMBER, std=NUMBER,
    networks=COUNT, accuracies=NUMBERS, ratio=MAYBE, seconds=NUMBER,
)  # fmt: skip
SIZE = _object(
    "samples mean", samples=COUNT, mean=NUMBER, std=NUMBER, networks=COUNT, ratio=MAYBE,
    seconds=NUMBER, run_dir=TEXT,
)  # fmt: skip
VARIANT = _object(
    "name distilled full",
    name=TEXT, distilled=MEAN, full=MEAN, distilled_seconds=NUMBER, full_seconds=NUMBER,
)  # fmt: skip
CURVE = _object("step mean std", step=NUMBERS, mean=NUMBERS, std=NUMBERS, networks=COUNT)

# fmt: off
SCHEMAS: dict[str, Schema] = {
    "config.json": _object(
        "dataset model init labels", dataset=TEXT, model=TEXT, init=TEXT, labels=TEXT
    ),
    "results.json": _object(
        "distilled_samples seconds accuracy",
        distilled_samples=COUNT, seconds=NUMBER, accuracy=MEAN, original_accuracy=NUMBER,
        ratio=MAYBE, learned_lr=NUMBERS,
    ),
    "comparison.json": _object(
        "", settings={"type": "object"}, original=ORIGINAL, rows=_list(ROW), curve=CURVE,
        expected=_list(TEXT), set=TEXT,
    ),
    "sweep.json": _object(
        "sizes", sizes=_list(SIZE, 1), original=ORIGINAL, settings={"type": "object"},
        distillation_sizes={"type": "object"},
    ),
    "ranking.json": _object(
        "variants", variants=_list(VARIANT), spearman=MAYBE, kendall=MAYBE, set=TEXT
    ),
}
# fmt: on


def read(path: Path) -> dict[str, Any]:
    """A file of a run's folder, checked; {} where there is none.

    Args:
        path: its name is one of `SCHEMAS`.

    Raises:
        UserError: it holds something else than it should.
    """
    if not path.exists():
        return {}
    value = files.read_json(path)
    errors = jsonschema.Draft202012Validator(SCHEMAS[path.name]).iter_errors(value)
    if error := jsonschema.exceptions.best_match(errors):
        place = "".join(f"[{part!r}]" for part in error.absolute_path)
        raise _damaged(path, f"{place} {error.message}".strip().splitlines()[0][:200])
    curve = value.get("curve", {"step": [], "mean": [], "std": []})
    if len({len(curve[name]) for name in ("step", "mean", "std")}) > 1:
        raise _damaged(path, "['curve'] has lists of unequal length")
    return value


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} is damaged ({what}); make it again, or name another folder")
