"""The experiments, one a flag file, and the results of each."""

import ast
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
FLAGS = HERE.parent / "flags"
NOT_YET = "not run yet"


class Cell(NamedTuple):
    """An experiment: a row and a column of one of the paper's tables, or a set for training.

    name: of its flag file and of its results; head: the comments of the flag file; results: the
    results.json of each seed.
    """

    name: str
    head: dict[str, str]
    results: list[dict[str, Any]]

    @property
    def title(self) -> str:
        """Where it is in the paper, or what the set is."""
        return self.head[""]

    @property
    def paper(self) -> tuple[float, float | None]:
        """The accuracy in the paper, a fraction, and its standard deviation or None."""
        found = re.search(r"accuracy ([\d.]+)(?: \+- ([\d.]+))?", self.head["Paper"])
        assert found, self.name
        return float(found[1]), found[2] and float(found[2])


class Summary(NamedTuple):
    """All seeds together: accuracies are fractions.

    accuracy: the mean over seeds; spread: standard deviation over networks where there are
    several, else over seeds (by n - 1), None where there is one of both; over: which networks and
    seeds, in words.
    """

    accuracy: float
    spread: float | None
    over: str
    seconds: float


def cells() -> list[Cell]:
    """The paper's experiments, by name."""
    return [cell for cell in every() if "Paper" in cell.head]


def trained() -> list[Cell]:
    """The sets for ordinary training, by name; their heads say what stands "Beside" them."""
    return [cell for cell in every() if "Beside" in cell.head]


def every() -> list[Cell]:
    """One for each flag file, by name."""
    return [
        Cell(path.stem, header(path.read_text(encoding="utf-8")), results(path.stem))
        for path in sorted(FLAGS.glob("*.flags"))
    ]


def header(text: str) -> dict[str, str]:
    """The comment lines of a flag file by their first word; the first line by ""."""
    lines = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    return {"": lines[0], **dict(line.split(": ", 1) for line in lines[1:])}


def settings(name: str) -> dict[str, Any]:
    """The settings in a flag file, numbers as numbers."""
    lines = (FLAGS / f"{name}.flags").read_text(encoding="utf-8").splitlines()
    pairs = (line.removeprefix("--").split("=", 1) for line in lines if line.startswith("--"))
    return {key: _value(text) for key, text in pairs}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def results(name: str) -> list[dict[str, Any]]:
    """The kept results.json of an experiment, by seed."""
    paths = HERE.glob(f"{name}_seed*.json")
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(kept, key=lambda r: r["seed"])


def summarize(found: list[dict[str, Any]]) -> Summary:
    """Over the networks of one seed, or over seeds."""
    mean, spread, over = over_seeds({r["seed"]: r["accuracy"]["mean"] for r in found})
    networks = found[0]["accuracy"]["networks"]
    seconds = float(np.mean([r["seconds"] for r in found]))
    if networks > 1:
        spread, over = float(np.mean([r["accuracy"]["std"] for r in found])), f"{networks} networks"
        if len(found) > 1:
            over += f", {len(found)} seeds"
    return Summary(mean, spread, over, seconds)


def device(found: list[dict[str, Any]]) -> str:
    """The GPU that results were made on; empty for a CPU."""
    name = found[0].get("device", "CPU")
    return "" if name == "CPU" else name.removeprefix("NVIDIA ")


def over_seeds(accuracies: dict[int, float]) -> tuple[float, float | None, str]:
    """Accuracy, spread and over of a `Summary`, where each seed has one network."""
    values = list(accuracies.values())
    if len(values) == 1:
        return values[0], None, f"seed {next(iter(accuracies))}"
    return float(np.mean(values)), float(np.std(values, ddof=1)), f"{len(values)} seeds"


def headed(text: str, found: list[dict[str, Any]]) -> str:
    """A flag file with its time and result in the header."""
    time = result = NOT_YET
    if found:
        measured = summarize(found)
        seeds = " ".join(str(r["seed"]) for r in found)
        commits = " ".join(sorted({r.get("commit") or "unknown" for r in found}))
        spread = "" if measured.spread is None else f" +- {measured.spread:.4f}"
        time = f"{measured.seconds / 60:.0f} minutes on {device(found) or 'at most two cores'}"
        result = f"accuracy {measured.accuracy:.4f}{spread}, {measured.over} ({seeds}), {commits}"
    text = re.sub(r"(?m)^# Time: .*$", f"# Time: {time}", text)
    return re.sub(r"(?m)^# Result: .*$", f"# Result: {result}", text)
