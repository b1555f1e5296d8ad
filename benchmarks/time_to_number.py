"""Minutes and outer steps until each row passes the paper's accuracy, beside the authors' way.

  python benchmarks/time_to_number.py            # the table of README.md, from kept results
  python benchmarks/time_to_number.py --measure  # also PyTorch's steps, on an idle machine

The authors' way is a step of theirs in PyTorch, timed here, times the outer steps that they took.
"""

import json
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import app, flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "results"))

import cells
import page

_MEASURE = flags.DEFINE_bool("measure", False, "Time PyTorch's steps that are not in the file yet.")
_REPEATS = flags.DEFINE_integer("repeats", 3, "Timed steps of each setting of PyTorch.")
_THREADS = flags.DEFINE_integer("threads", 2, "Threads of PyTorch.")

README = Path(__file__).parent / "README.md"
SECONDS = README.with_name("pytorch_seconds.json")
BEGIN, END = "<!-- time to the number -->\n", "<!-- end of time to the number -->"
BATCH = 1024
EPOCHS = {"mnist": 400, "cifar10": 400}
"""The authors' outer epochs: their program's default for images."""
TEXT_EPOCHS = 100
"""Those of the commands for text in their README, the fewest that they used."""
INNER_EPOCHS = {"lenet": 3, "alexcifarnet": 3, "textconvnet": 5, "birnn": 2, "bilstm": 2}
"""Theirs, likewise; for recurrent networks they are not known, and these are ours."""


class Data(NamedTuple):
    """The training examples, the shape of an embedded one, and the outputs of a network."""

    examples: int
    shape: tuple[int, ...]
    outputs: int


DATA = {
    "mnist": Data(60_000, (28, 28, 1), 10),
    "cifar10": Data(50_000, (32, 32, 3), 10),
    "imdb": Data(25_000, (400, 100), 1),
    "sst5": Data(8_544, (30, 100), 5),
    "trec6": Data(5_452, (30, 100), 6),
    "trec50": Data(5_452, (20, 100), 50),
}


class Passed(NamedTuple):
    """The outer step and the seconds after which a run was above a number; infinite for never."""

    step: float
    seconds: float


NEVER = Passed(math.inf, math.inf)


def passed(results: dict[str, Any], number: float) -> Passed:
    """When a run was first seen above an accuracy; of older results only the end is known."""
    end = {
        "step": [results.get("stopped_after", results["outer_steps"])],
        "seconds": [results["seconds"]],
        "accuracy": [results["accuracy"]["mean"]],
    }
    seen = results.get("evaluations", end)
    points = zip(seen["step"], seen["seconds"], seen["accuracy"], strict=True)
    return next((Passed(step, after) for step, after, found in points if found > number), NEVER)


def median(found: Sequence[Passed]) -> Passed:
    """Of several seeds."""
    return Passed(*(statistics.median(values) for values in zip(*found, strict=True)))


def outer_steps(dataset: str) -> int:
    """Those of the authors: epochs of batches of 1024."""
    return EPOCHS.get(dataset, TEXT_EPOCHS) * math.ceil(DATA[dataset].examples / BATCH)


def problem_of(results: dict[str, Any]) -> str:
    """The name of what PyTorch computes in a step for a row."""
    dataset, network, steps, samples = (
        results[name] for name in ("dataset", "model", "steps", "samples_per_step")
    )
    return f"{dataset} {network}, {INNER_EPOCHS[network]} epochs of {steps} x {samples}"


def table(torch_seconds: dict[str, float]) -> str:
    """The rows that are measured, and the ratio of the median row."""
    heads = ["row", "outer steps", "minutes", "seen on", "the authors' steps",
             "PyTorch, s a step", "minutes", "times faster"]  # fmt: skip
    lines, ratios = [heads, ["---"] * len(heads)], []
    for cell in cells.cells():
        if not (found := cell.results):
            continue
        ours = median([passed(results, cell.paper[0]) for results in found])
        steps, theirs = outer_steps(found[0]["dataset"]), ["-", "-", "-"]
        step = torch_seconds.get(problem_of(found[0]))
        if step and not cells.device(found):
            seconds = step * steps
            ratios.append(seconds / ours.seconds)
            theirs = [f"{step:.3g}", f"{seconds / 60:.1f}", f"{ratios[-1]:.1f}"]
        lines.append([cell.name, *_ours(ours, found), str(steps), *theirs])
    shown, middle = "".join(map(page.line, lines)), statistics.median(ratios)
    return (
        f"{shown}\nMedian of {len(ratios)} rows, those not passed counted as 0: "
        f"{middle:.1f} times faster; {sum(r < 1 for r in ratios)} rows are slower.\n"
    )


def _ours(ours: Passed, found: list[dict[str, Any]]) -> list[str]:
    """Outer steps, minutes, and the data of the evaluations."""
    if ours == NEVER:
        return ["not passed", "-", "-"]
    device, known = cells.device(found), all("evaluations" in results for results in found)
    most = "" if known else "at most "
    place = f" ({device.split(' ')[0]})" if device else ""
    held_out = known and all(results.get("keep") == "best" for results in found)
    seen = "held-out" if held_out else found[0]["eval_split"].replace("_", "-")
    return [f"{most}{ours.step:.0f}", f"{most}{ours.seconds / 60:.1f}{place}", seen]


def measure(threads: int, repeats: int) -> None:
    """Times a step of PyTorch, with its fastest setting, for each row that was run on a CPU."""
    import ours
    import pytorch_way
    import torch
    from cases import Case
    from timing import interleaved

    torch.set_num_threads(threads)
    known = known_seconds()
    for cell in cells.cells():
        found = cell.results
        if not found or cells.device(found) or problem_of(found[0]) in known:
            continue
        row, name = found[0], problem_of(found[0])
        data, network = DATA[row["dataset"]], row["model"]
        sizes = row["steps"], row["samples_per_step"], INNER_EPOCHS[network], BATCH
        case = Case(name, network, data.shape, data.outputs, *sizes, ())
        _, given = ours.make(case)
        steps = [pytorch_way.step(case, given, s) for s in pytorch_way.every_setting(case)]
        known[name] = min(s.wall for s in interleaved(steps, repeats))
        print(f"{name}: {known[name]:.3g} s", file=sys.stderr, flush=True)
        SECONDS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def known_seconds() -> dict[str, float]:
    """Those of PyTorch's steps that are kept, by `problem_of`."""
    return json.loads(SECONDS.read_text(encoding="utf-8"))


def put(text: str) -> str:
    """README.md with the table of the kept results."""
    return page.put_between(text, BEGIN, END, table(known_seconds()))


def main(_: list[str]) -> None:
    """Writes the table to README.md and prints it."""
    if _MEASURE.value:
        measure(_THREADS.value, _REPEATS.value)
    README.write_text(put(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(table(known_seconds()))


if __name__ == "__main__":
    app.run(main)
