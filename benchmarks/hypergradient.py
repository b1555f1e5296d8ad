"""One hypergradient step, ours against the paper's authors' way in PyTorch.

  pip install torch
  python benchmarks/hypergradient.py --json=FILE   # all; --quick for two minutes

Both compute the same numbers from the same weights (checked to 1e-4), with the same
threads, in turn in one process. PyTorch takes the fastest of its settings. First calls,
memory and growth with the inner steps are measured for ours alone, each in its own process.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ours
import pytorch_way
import tables
import tensorflow as tf
import torch
from absl import app, flags
from cases import CASES, Case, operations, problem
from timing import interleaved, peak_gflops

from tf_distill.common import machine

_JSON = flags.DEFINE_string("json", None, "File to write the results to.")
_QUICK = flags.DEFINE_bool("quick", False, "Fewer cases and repeats: about two minutes.")
_THREADS = flags.DEFINE_integer("threads", machine.cores(), "Threads of both.")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed steps of each; 3 with --quick.")
_ONLY = flags.DEFINE_list("only", None, "Numbers of cases (from 0); then rows alone.")

QUICK = ("LeNet, 10 images", "text CNN, 30 words", "Bi-RNN", "Bi-LSTM")
GROWTH, QUICK_GROWTH = (10, 30, 100, 300), (10, 100)
NETWORKS, TESTED = 200, 10_000
TOLERANCE, CHECKED = 1e-4, 64


def main(_: list[str]) -> None:
    """Prints the tables."""
    ours.use_threads(_THREADS.value)
    torch.set_num_threads(_THREADS.value)
    peak = measured_peak()
    results: dict[str, Any] = {
        "machine": {"cores": machine.cores(), "threads": _THREADS.value, "peak_gflops": peak},
        "rows": [compare(case, peak) for case in chosen()],
    }
    if _ONLY.value is None:
        results["growth"] = growth(CASES[0], QUICK_GROWTH if _QUICK.value else GROWTH)
        results["evaluation"] = compare_evaluation(CASES[0])
    print(tables.report(results))
    if _JSON.value:
        Path(_JSON.value).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def chosen() -> list[Case]:
    """The cases to measure."""
    if _ONLY.value is not None:
        return [CASES[int(i)] for i in _ONLY.value]
    return [case for case in CASES if case.name in QUICK or not _QUICK.value]


def repeats() -> int:
    """How often a step is timed."""
    return 3 if _QUICK.value else _REPEATS.value


def measured_peak(size: int = 2048) -> float:
    """GFLOP/s of the faster of TensorFlow, with a large product a thread, and PyTorch, with one."""
    a, b = tf.ones([_THREADS.value, size, size]), torch.ones(size, size)
    beside = tf.function(lambda a: [tf.matmul(part, part) for part in tf.unstack(a)])
    ours = _THREADS.value * peak_gflops(lambda: [part.numpy() for part in beside(a)], size)
    return max(ours, peak_gflops(lambda: b @ b, size))


def compare(case: Case, peak: float) -> dict[str, Any]:
    """One row of the table."""
    print(f"measuring {case.name} ...", file=sys.stderr, flush=True)
    network, given = ours.make(case)
    own = ours.step(network, given)
    setting = fastest_setting(case, given)
    check_same(case, setting)
    torchs = pytorch_way.step(case, given, setting)
    own(), torchs()
    mine, theirs = interleaved([own, torchs], repeats())
    child = in_own_process(case, case.inner_steps, repeats=0)
    rate = operations(case, network.shapes) / mine.wall * 1e-9
    return {
        "network": case.name,
        "inner_steps": case.inner_steps,
        "samples_per_step": case.samples,
        "batch": case.batch,
        "ours_s": mine.wall,
        "torch_s": theirs.wall,
        "ratio": theirs.wall / mine.wall,
        "cpu_ratio": theirs.cpu / mine.cpu,
        "share_of_peak": rate / peak,
        "torch_settings": setting._asdict(),
        "first_call_s": child["first_call_s"],
        "peak_mb": child["peak_mb"],
    }


def fastest_setting(case: Case, given) -> pytorch_way.Settings:
    """PyTorch's fastest setting, by the median CPU time of three steps."""
    settings = pytorch_way.every_setting(case)
    steps = [pytorch_way.step(case, given, setting) for setting in settings]
    seconds = interleaved(steps, 3)
    return settings[int(np.argmin([s.cpu for s in seconds]))]


def check_same(case: Case, setting: pytorch_way.Settings) -> None:
    """Stops where the two differ by more than 1e-4 of the largest number.

    On a batch of 64 and in float64: of millions of random inputs to a ReLU or to a maximum, some
    are so near to the kink that float32's rounding decides the side, and with it the derivative.
    """
    ours.use_precision("float64")
    network, given = ours.make(case._replace(batch=min(case.batch, CHECKED)))
    pairs = zip(ours.step(network, given)(), pytorch_way.step(case, given, setting)(), strict=True)
    ours.use_precision("float32")
    error = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    if not error <= TOLERANCE:
        raise ValueError(f"{case.name}: ours and PyTorch's differ by {error:.1e}")


def in_own_process(case: Case, inner_steps: int, repeats: int) -> dict[str, float]:
    """`ours.measure` in a new process."""
    asked = {"case": CASES.index(case), "inner_steps": inner_steps, "repeats": max(1, repeats)}
    command = [sys.executable, ours.__file__, json.dumps({**asked, "threads": _THREADS.value})]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def growth(case: Case, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """First call, step and memory with more inner steps."""
    rows = []
    for count in counts:
        measured = in_own_process(case, count, repeats())
        rows.append({"network": case.name, "inner_steps": count, **measured})
    return rows


def compare_evaluation(case: Case) -> dict[str, Any]:
    """Training on the samples and 10,000 test images, for 200 networks from a few."""
    network, given = ours.make(case)
    rng = np.random.default_rng(1)
    test = rng.standard_normal((TESTED, *case.shape)).astype(np.float32)
    setting = fastest_setting(case, problem(case._replace(batch=8), given.weights))
    own = ours.evaluation(network, given, test)
    torchs = pytorch_way.evaluation(case, given, setting, test)
    agreed = np.mean(own() == torchs())
    if agreed < 1 - 10 * TOLERANCE:
        raise ValueError(f"{case.name}: only {agreed:.4f} of the predictions are the same")
    mine, theirs = interleaved([own, torchs], repeats())
    return {
        "network": case.name,
        "networks": NETWORKS,
        "ours_s": NETWORKS * mine.wall,
        "torch_s": NETWORKS * theirs.wall,
        "ratio": theirs.wall / mine.wall,
    }


if __name__ == "__main__":
    app.run(main)
