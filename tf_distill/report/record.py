"""All that the files of a folder say about a finished run or a sweep, for tables and reports.

A number is stored where it was measured, once; `Record` works out what follows from it. Files of
earlier versions hold some of these numbers too (`ratio`, `original_accuracy`,
`distillation_sizes`); of them only the original accuracy is read.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tf_distill.common import (
    UserError,
    brief,
    check_reported,
    full_training,
    measure_of,
    read_checked,
    read_metrics,
)
from tf_distill.report import scores

if TYPE_CHECKING:
    from tf_distill.export.distilled_set import LoadedSet

Json = dict[str, Any]
NAMED = 5
"""The most classes that a line names."""
SHARES = (50, 60, 70, 80, 90, 95, 97, 99)
"""The A of the distillation sizes d_A, in percent."""


def distillation_ratio(accuracy: float, original: float | None) -> float | None:
    """r_M as a fraction: distillation accuracy over original accuracy (Section 4.1).

    None where the original accuracy is not known, or not above 0. Of a quantity both are R2.
    """
    return accuracy / original if original and original > 0 else None


def with_ratios(rows: Iterable[Mapping[str, Any]], original: float | None) -> list[Json]:
    """Rows with a "ratio" to an original accuracy; each row has its accuracy as "mean"."""
    return [{**row, "ratio": distillation_ratio(row["mean"], original)} for row in rows]


def distillation_sizes(sizes: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """d_A for every A of `SHARES`: the fewest "samples" whose "ratio" reaches A %, or None."""
    reached = {a: [s["samples"] for s in sizes if 100 * (s["ratio"] or 0) >= a] for a in SHARES}
    return {str(a): min(samples, default=None) for a, samples in reached.items()}


class Majority(NamedTuple):
    """The most frequent class among the test examples, and its share of them."""

    name: str
    share: float

    @property
    def words(self) -> str:
        """What it reaches, in words."""
        return f"always {brief(self.name)}: {self.share:.4f}"


class OfClass(NamedTuple):
    """How the test examples of one class were answered.

    test: their number; accuracy: the share that was right, None without any; other: the most
    frequent wrong class, and other_share its share, "" and 0 where all is right; predicted:
    whether this class was ever the answer.
    """

    name: str
    test: int
    accuracy: float | None
    other: str
    other_share: float
    predicted: bool


def answers_by_class(
    names: Sequence[str], confusion: Sequence[Sequence[int]], networks: int
) -> list[OfClass]:
    """The answers to each class, from how often each (a row) got each answer (a column)."""
    found = []
    for i, (name, row) in enumerate(zip(names, confusion, strict=True)):
        total = sum(row)
        wrong = [0 if j == i else number for j, number in enumerate(row)]
        other = names[wrong.index(max(wrong))] if any(wrong) else ""
        right, taken = (row[i] / total, max(wrong) / total) if total else (None, 0.0)
        predicted = any(line[i] for line in confusion)
        found.append(OfClass(name, total // networks, right, other, taken, predicted))
    return found


def weakest_classes(classes: Sequence[OfClass]) -> str:
    """The classes that are never predicted, else the two weakest, in a line; "" for none."""
    tested = [(c.accuracy, c) for c in classes if c.accuracy is not None]
    if never := [brief(c.name) for _, c in tested if not c.predicted]:
        more = f" and {len(never) - NAMED} more" if len(never) > NAMED else ""
        return f"never predicted: class {', '.join(never[:NAMED])}{more}"
    worst = sorted((item for item in tested if item[0] < 1), key=lambda item: item[0])[:2]
    taken = ", most often taken for {}" if len(tested) > 2 else ""
    told = [f"{brief(c.name)} {right:.4f}{taken.format(brief(c.other))}" for right, c in worst]
    return f"weakest classes: {'; '.join(told)}" if told else ""


@dataclasses.dataclass(frozen=True)
class Record:
    """The content of the files in a folder; a file that is not there is empty, a set None."""

    path: Path
    config: Json
    results: Json = dataclasses.field(default_factory=dict)
    comparison: Json = dataclasses.field(default_factory=dict)
    sweep: Json = dataclasses.field(default_factory=dict)
    ranking: Json = dataclasses.field(default_factory=dict)
    audit: Json = dataclasses.field(default_factory=dict)
    metrics: Sequence[Json] = ()
    inputs: Json = dataclasses.field(default_factory=dict)
    distilled: "LoadedSet | None" = None

    @property
    def target(self) -> Json | None:
        """The quantity that is told, where there is one: its name, mean, std and decimals."""
        return self.results.get("target") or self.sweep.get("target")

    @property
    def measure(self) -> str:
        """What all accuracies here are: accuracy, or the R2 of a quantity."""
        return measure_of(self.target)

    @property
    def original(self) -> float | None:
        """The accuracy of the network trained on all of the real data, where it is known."""
        return self.trained_on_all.get("accuracy")

    @property
    def full_training(self) -> str:
        """How that network was trained, in words; "" where it is not known."""
        return full_training(self.trained_on_all)

    @property
    def trained_on_all(self) -> Json:
        """The original accuracy with epochs, seconds and settings; {} where it is not known."""
        for file in (self.results, self.comparison, self.sweep):
            if "original" in file:
                return file["original"]
        older = self.results.get("original_accuracy")
        return {} if older is None else {"accuracy": older}

    @property
    def accuracy(self) -> Json:
        """Mean, std and networks: the run's own, or the comparison's where it tested more."""
        ours = [row for row in self.rows if row["name"] == "distilled"]
        return max([_complete(self.results["accuracy"]), *ours], key=lambda a: a["networks"])

    @property
    def by_class(self) -> list[OfClass]:
        """How each class was answered, over all networks of the result; [] in older results."""
        confusion, names = (self.results.get(key) for key in ("confusion", "class_examples"))
        if not confusion or not names:
            return []
        return answers_by_class([*names], confusion, self.results["accuracy"]["networks"])

    @property
    def majority(self) -> Majority | None:
        """What always to answer the most frequent class would reach; None in older results."""
        most = max(self.by_class, key=lambda c: c.test, default=None)
        return most and Majority(most.name, most.test / sum(c.test for c in self.by_class))

    @property
    def ratio(self) -> float | None:
        """The distillation ratio r_M, as a fraction, where the original accuracy is known."""
        return distillation_ratio(self.accuracy["mean"], self.original)

    @property
    def rows(self) -> list[Json]:
        """The rows of the comparison that are measured, each with its ratio."""
        return with_ratios(map(_complete, self.comparison.get("rows", [])), self.original)

    @property
    def for_training(self) -> bool:
        """Whether the set is for ordinary training, not for its own steps."""
        return self.config.get("use") == "training"

    @property
    def dd_ranking(self) -> dict[str, float]:
        """DD-Ranking's scores of a set for ordinary training, as far as rows are measured."""
        if not self.for_training or self.target:
            return {}
        means = {row["name"]: row["mean"] for row in self.rows}
        means.setdefault("distilled", self.accuracy["mean"])
        return scores.dd_ranking(means, self.original, self.config.get("augment") != "none")

    @property
    def curve(self) -> Json | None:
        """The accuracy after every inner step, where it is known."""
        return self.comparison.get("curve")

    @property
    def missing(self) -> list[str]:
        """The titles of the rows that the comparison still lacks."""
        here = {row["title"] for row in self.rows}
        return [title for title in self.comparison.get("expected", []) if title not in here]

    @property
    def best_baseline(self) -> Json | None:
        """The row of the baseline with the highest mean; None while rows are missing."""
        if self.missing:
            return None
        baselines = [row for row in self.rows if row["group"] == "baseline"]
        return max(baselines, key=lambda row: row["mean"], default=None)

    @property
    def sizes(self) -> list[Json]:
        """The sizes of the sweep, each with its ratio."""
        return with_ratios(map(_complete, self.sweep.get("sizes", [])), self.original)

    @property
    def distillation_sizes(self) -> dict[str, int | None]:
        """d_A by A (Section 4.1); {} where the original accuracy is not known."""
        return distillation_sizes(self.sizes) if self.original else {}


def read(folder: Path) -> Record:
    """Reads all that a report shows.

    Raises:
        UserError: no finished run and no sweep, or damaged files.
    """
    sweep, ranking = (read_checked(folder / name) for name in ("sweep.json", "ranking.json"))
    if sweep and not (folder / "results.json").exists():
        return Record(folder, sweep.get("settings", {}), sweep=sweep, ranking=ranking)
    from tf_distill.export import load

    record, distilled = read_numbers(folder), load(folder)
    check_reported(folder / "config.json", record.config)
    check_reported(folder / "results.json", record.results)
    metrics = [
        line for line in read_metrics(folder / "metrics.jsonl")
        if all(abs(value) < 1e30 for value in line.values())  # charts show no infinite loss
    ]  # fmt: skip
    inputs, audit = (read_checked(folder / name) for name in ("inputs.json", "audit.json"))
    record = dataclasses.replace(record, metrics=metrics, inputs=inputs, audit=audit)
    return dataclasses.replace(record, sweep=sweep, ranking=ranking, distilled=distilled)


def read_numbers(folder: Path) -> Record:
    """Reads settings, results and comparison of a finished run: fast, without TensorFlow.

    Raises:
        UserError: no finished run, or damaged files.
    """
    if not (folder / "results.json").exists():
        raise UserError(f"{folder} holds no finished run (no results.json); name the folder of one")
    names = ("config", "results", "comparison")
    config, results, comparison = (read_checked(folder / f"{name}.json") for name in names)
    if not config:
        raise UserError(f"{folder} has no config.json; give the run_dir of a whole run")
    return Record(folder, config, results, comparison)


def _complete(row: Mapping[str, Any]) -> Json:
    """A row with all that figures ask for."""
    given = row.get("accuracies") or []
    return {"std": 0.0, "networks": len(given) or 1, **row, "accuracies": given}
