"""What the files of a folder say about a run that is finished, or about a sweep."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_distill import files
from tf_distill.errors import UserError

if TYPE_CHECKING:
    from tf_distill.inner import Samples

Json = dict[str, Any]
_ROW = {"name": str, "group": str, "title": str, "mean": float}
_NEEDED: dict[str, dict[str, type]] = {
    "config.json": {"dataset": str, "model": str, "init": str, "labels": str},
    "results.json": {"distilled_samples": int, "seconds": float, "accuracy.mean": float},
    "comparison.json": {},
    "sweep.json": {"sizes": list},
    "ranking.json": {"variants": list},
}
_NEEDED_IN_LISTS: dict[str, dict[str, type]] = {
    "rows": _ROW,
    "sizes": {"samples": int, "mean": float},
    "variants": {"name": str, "distilled.mean": float, "full.mean": float},
}
EXPECTED_ROWS = {
    "distilled": "the distilled set",
    "random_real": "random real samples",
    "optimized_real": "optimized real samples",
    "k_means": "k-means centres",
    "average": "class averages",
    "random_real_neighbours": "nearest neighbours on random real samples",
    "k_means_neighbours": "nearest neighbours on k-means centres",
    "learned_labels": "random real samples with learned labels",
    "shuffled": "the shuffled set",
    "sgd": "ordinary SGD",
}
"""The rows of a whole comparison, by name; texts have those of EXPECTED_OF_TEXT too."""
EXPECTED_OF_TEXT = {"decoded_words": "decoded words"}
GROUPS = ("distilled", "baseline", "control", "network")


@dataclasses.dataclass(frozen=True)
class Record:
    """The content of the files in a folder; what is not there is empty or None."""

    path: Path
    config: Json
    results: Json
    comparison: Json
    sweep: Json
    ranking: Json
    metrics: Sequence[Json] = ()
    metadata: Json = dataclasses.field(default_factory=dict)
    samples: "Samples | None" = None

    @property
    def rows(self) -> list[Json]:
        """The rows of the comparison, as far as it has come."""
        return self.comparison.get("rows", [])

    @property
    def curve(self) -> Json | None:
        """The accuracy after every inner step, where it is known."""
        return self.comparison.get("curve")

    @property
    def original(self) -> float | None:
        """The accuracy of the network trained on all of the real data, where it is known."""
        known = self.comparison.get("original") or self.sweep.get("original") or {}
        return known.get("accuracy")

    @property
    def accuracy(self) -> Json:
        """Mean, std and networks: of the comparison where it has them, else of the run."""
        ours = [row for row in self.rows if row["name"] == "distilled"]
        return ours[0] if ours else _complete(self.results["accuracy"])

    @property
    def ratio(self) -> float | None:
        """The distillation ratio r_M, as a fraction, where the original accuracy is known."""
        if (ratio := self.accuracy.get("ratio")) is not None:
            return ratio
        return self.accuracy["mean"] / self.original if self.original else None

    @property
    def best_baseline(self) -> Json | None:
        """The row of the baseline with the highest mean, where there is one."""
        baselines = [row for row in self.rows if row["group"] == "baseline"]
        return max(baselines, key=lambda row: row["mean"], default=None)

    @property
    def missing(self) -> list[str]:
        """The titles of the rows that a whole comparison would have besides."""
        text = self.metadata.get("input", {}).get("kind") == "text"
        expected = EXPECTED_ROWS | (EXPECTED_OF_TEXT if text else {})
        here = {row["name"] for row in self.rows}
        return [title for name, title in expected.items() if name not in here]


def read(folder: Path) -> Record:
    """Reads all that a report shows.

    Raises:
        UserError: no finished run and no sweep, or damaged files.
    """
    if not (folder / "results.json").exists() and (folder / "sweep.json").exists():
        sweep, ranking = (_read(folder / name) for name in ("sweep.json", "ranking.json"))
        return Record(folder, sweep.get("settings", {}), {}, {}, sweep, ranking)
    from tf_distill.saved_set import load

    record, loaded = read_numbers(folder), load(folder / "distilled" / "1")
    metrics = files.read_json_lines(folder / "metrics.jsonl")
    return dataclasses.replace(
        record,
        samples=loaded.samples,
        metadata=loaded.metadata,
        metrics=[m for m in metrics if "step" in m],
    )


def read_numbers(folder: Path) -> Record:
    """Reads a finished run but for its distilled set and its history: fast, no TensorFlow.

    Raises:
        UserError: no finished run, or damaged files.
    """
    if not (folder / "results.json").exists():
        raise UserError(
            f"{folder} holds no finished run (no results.json); give the --run_dir of one"
        )
    names = ("config", "results", "comparison", "sweep", "ranking")
    contents: Any = {name: _read(folder / f"{name}.json") for name in names}
    return Record(folder, **contents)


def _read(path: Path) -> Json:
    """A file's object with its lists checked and completed, or {} where there is no file."""
    if not path.exists():
        return {}
    value = files.read_json(path)
    _check(path, value, _NEEDED[path.name])
    for name, needed in _NEEDED_IN_LISTS.items():
        rows = value.get(name, [])
        for row in rows if isinstance(rows, list) else [rows]:
            _check(path, row, needed)
        if name in value:
            value[name] = [_complete(row) for row in rows]
    if any(row["group"] not in GROUPS for row in value.get("rows", [])):
        raise _damaged(path, f"a group beside {', '.join(GROUPS)}")
    return value


def _complete(row: Mapping[str, Any]) -> Json:
    """A row with all that figures ask for."""
    given = row.get("accuracies") or []
    return {"std": 0.0, "networks": len(given) or 1, **row, "accuracies": given}


def _check(path: Path, value: Any, needed: Mapping[str, type]) -> None:
    """Raises UserError where one of the dotted names is absent or of another type."""
    for name, kind in needed.items():
        inside: Any = value
        for part in name.split("."):
            inside = inside.get(part) if isinstance(inside, dict) else None
        if not isinstance(inside, (int, float) if kind is float else kind):
            raise _damaged(path, f"no {name} of type {kind.__name__}")


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path} is damaged ({what}); make it again, or name another folder")
