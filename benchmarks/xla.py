"""Outer steps as TensorFlow runs them, and compiled by XLA (--jit_compile).

python benchmarks/xla.py --dataset=cifar10 --steps=10 --batch_size=1024   # on a GPU
"""

import time
from collections.abc import Iterator

from absl import app, flags

from tf_distill.core import distill, outer_update
from tf_distill.runs import configure, named_run, results
from tf_distill.runs.experiment import new_distillation

_DATASET = flags.DEFINE_string("dataset", "digits", "As for the main program, as are the next.")
_INIT = flags.DEFINE_string("init", "fixed", "fixed or random.")
_STEPS = flags.DEFINE_integer("steps", 1, "Inner steps an epoch.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Real examples in an outer step.")
_SECONDS = flags.DEFINE_float("seconds", 6.0, "To measure each way for.")
LONG = 10**6
"""Outer steps, more than are done."""


def main(_: list[str]) -> None:
    """Prints the table."""
    given = {
        "dataset": _DATASET.value,
        "init": _INIT.value,
        "steps": _STEPS.value,
        "batch_size": _BATCH_SIZE.value,
        "outer_steps": LONG,
    }
    rows = []
    for name, jit_compile in (("by TensorFlow", False), ("by XLA", True)):
        run = named_run(configure(given | {"jit_compile": jit_compile}))
        config, data = run.config, run.dataset
        start = new_distillation(config, data)
        update = outer_update(start, run.learner, data, run.step)
        steps = distill(start, update, data, run.step, LONG)
        first, each = measure(steps, _SECONDS.value)
        rows.append(f"| {name} | {first:.1f} | {1000 * each:.1f} |")
    print(f"{config.model} on {results.device()}, {config.steps * config.epochs} inner steps, "
          f"real batch of {config.batch_size}\n")  # fmt: skip
    print("| outer step | first two, s | step, ms |\n| --- | --- | --- |")
    print("\n".join(rows))


def measure(steps: Iterator, seconds: float) -> tuple[float, float]:
    """Seconds of the first two steps together, and of each after these."""
    started = time.perf_counter()
    next(steps), next(steps)
    compiled, done = time.perf_counter(), 0
    while time.perf_counter() - compiled < seconds:
        next(steps)
        done += 1
    return compiled - started, (time.perf_counter() - compiled) / done


if __name__ == "__main__":
    app.run(main)
