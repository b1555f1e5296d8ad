"""What the files of a folder say about a run that is finished, or about a sweep."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_distill.common import UserError, check_reported, full_training, read_checked, read_metrics

if TYPE_CHECKING:
    from tf_distill.core import Samples

Json = dict[str, Any]


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
        return self._original.get("accuracy", self.results.get("original_accuracy"))

    @property
    def full_training(self) -> str:
        """How that network was trained, in words; "" where it is not known."""
        return full_training(self._original)

    @property
    def _original(self) -> Json:
        files = (self.comparison, self.sweep, self.results)
        return next((f["original"] for f in files if "original" in f), {})

    @property
    def accuracy(self) -> Json:
        """Mean, std and networks: the run's own, or the comparison's where it tested more."""
        ours = [row for row in self.rows if row["name"] == "distilled"]
        return max([_complete(self.results["accuracy"]), *ours], key=lambda a: a["networks"])

    @property
    def ratio(self) -> float | None:
        """The distillation ratio r_M, as a fraction, where the original accuracy is known."""
        if (ratio := self.accuracy.get("ratio")) is not None:
            return ratio
        return self.accuracy["mean"] / self.original if self.original else None

    @property
    def best_baseline(self) -> Json | None:
        """The row of the baseline with the highest mean, where none is left to measure."""
        if self.missing:
            return None
        baselines = [row for row in self.rows if row["group"] == "baseline"]
        return max(baselines, key=lambda row: row["mean"], default=None)

    @property
    def missing(self) -> list[str]:
        """The titles of the rows that the comparison still lacks."""
        here = {row["title"] for row in self.rows}
        return [title for title in self.comparison.get("expected", []) if title not in here]


def read(folder: Path) -> Record:
    """Reads all that a report shows.

    Raises:
        UserError: no finished run and no sweep, or damaged files.
    """
    sweep, ranking = (read_checked(folder / name) for name in ("sweep.json", "ranking.json"))
    for rows in (sweep.get("sizes", []), *([v["distilled"]] for v in ranking.get("variants", []))):
        rows[:] = [_complete(row) for row in rows]
    if sweep and not (folder / "results.json").exists():
        return Record(folder, sweep.get("settings", {}), {}, {}, sweep, ranking)
    from tf_distill.export.distilled_set import load

    record, loaded = read_numbers(folder), load(folder / "distilled" / "1")
    check_reported(folder / "config.json", record.config)
    check_reported(folder / "results.json", record.results)
    return dataclasses.replace(
        record,
        sweep=sweep,
        ranking=ranking,
        samples=loaded.samples,
        metadata=loaded.metadata,
        metrics=[m for m in read_metrics(folder / "metrics.jsonl") if _is_drawn(m)],
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
    config, results, comparison = (
        read_checked(folder / f"{name}.json") for name in ("config", "results", "comparison")
    )
    if not config:
        raise UserError(f"{folder} has no config.json; give the --run_dir of a whole run")
    comparison |= {"rows": [_complete(row) for row in comparison.get("rows", [])]}
    return Record(folder, config, results, comparison, {}, {})


def _complete(row: Mapping[str, Any]) -> Json:
    """A row with all that figures ask for."""
    given = row.get("accuracies") or []
    return {"std": 0.0, "networks": len(given) or 1, **row, "accuracies": given}


def _is_drawn(line: Json) -> bool:
    """Whether a chart has room for the numbers: of a NaN or an infinite loss it has none."""
    return all(abs(value) < 1e30 for value in line.values())
