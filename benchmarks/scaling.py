"""Outer steps on one device, on two virtual ones, and on two processes of this machine.

  python benchmarks/scaling.py --json=FILE

Weak scaling: every replica has one thread and the same number of networks. A step is an outer step
of a run: LeNet on scikit-learn's digits with random initialization.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import app, flags

from tf_distill.core import (
    Distillation,
    DistilledSet,
    Distribution,
    Learner,
    OuterStep,
    distill,
    initial_samples,
    outer_update,
    start_distribution,
)
from tf_distill.datasets import DATASETS
from tf_distill.networks import NETWORKS

_JSON = flags.DEFINE_string("json", None, "File to write the results to.")
_REPEATS = flags.DEFINE_integer("repeats", 30, "Timed steps of each.")
_NETWORKS = flags.DEFINE_integer("networks", 4, "Networks of each replica.")
_PART = flags.DEFINE_enum("part", None, ["one", "mirrored", "multiworker"], "Of a child process.")

WAYS = {"one": "one device", "mirrored": "two devices, one process", "multiworker": "two processes"}
BATCH, WARM_UP = 256, 3


def main(_: list[str]) -> None:
    """Prints the table; or measures one way, in a process of its own."""
    if _PART.value:
        print(json.dumps(measure(_PART.value)))
        return
    rows = [{"way": name, **in_own_processes(part)} for part, name in WAYS.items()]
    print(table(rows))
    if _JSON.value:
        Path(_JSON.value).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown; efficiency is the time on one device over the time of the row."""
    lines = [
        "| way | replicas | networks | step, s | efficiency | message, bytes |",
        "| --- " * 6 + "|",
    ]
    for row in rows:
        share = rows[0]["step_s"] / row["step_s"]
        sent = row["bytes"] if row["replicas"] > 1 else 0
        lines.append(
            f"| {row['way']} | {row['replicas']} | {row['networks']} | {row['step_s']:.3f} | "
            f"{100 * share:.0f}% | {sent} |"
        )
    return "\n".join(lines)


def in_own_processes(part: str) -> dict[str, Any]:
    """Calls `measure` in new processes: two of a cluster, or one."""
    command = [sys.executable, *sys.argv, f"--part={part}"]
    if part != "multiworker":
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{s.getsockname()[1]}" for s in (one, other)]}
    workers = []
    for index in range(2):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        workers.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
    found = [worker.communicate()[0] for worker in workers]
    return json.loads(found[0].splitlines()[-1])


def measure(part: str) -> dict[str, Any]:
    """Seconds of an outer step, the median, and the bytes of its one message."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2 if part == "mirrored" else 1)
    if part == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        virtual = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, virtual)
    with open(os.devnull, "w") as nowhere:
        out, sys.stdout = sys.stdout, nowhere  # so that the numbers alone are printed
        distribution = start_distribution("none" if part == "one" else part)
        sys.stdout = out
    networks = _NETWORKS.value * distribution.replicas
    distillation, steps = begin(distribution, networks)
    seconds = []
    for _ in range(WARM_UP + _REPEATS.value):
        started = time.monotonic()
        next(steps)
        seconds.append(time.monotonic() - started)
    distribution.wait()
    numbers = 1 + sum(v.shape.num_elements() for v in distillation.distilled.samples)
    return {
        "replicas": distribution.replicas,
        "networks": networks,
        "step_s": statistics.median(seconds[WARM_UP:]),
        "bytes": 4 * numbers,
    }


def begin(distribution: Distribution, networks: int):
    """A distillation and its outer steps."""
    dataset = DATASETS["digits"].load(Path(), None)
    learner = Learner(NETWORKS["lenet"].build(dataset.encoding.shape, dataset.outputs))
    samples = initial_samples(
        dataset.encoding.shape, np.eye(10, dtype=np.float32), steps=1, samples_per_step=10,
        epochs=3, inner_lr=0.02, label_init="one_hot", seed=0,
    )  # fmt: skip
    total = WARM_UP + _REPEATS.value
    distillation = Distillation(DistilledSet(samples), 0.01, total, 0.5)
    step = OuterStep(BATCH, networks, init="random")
    update = outer_update(distillation, learner, dataset, step, distribution)
    return distillation, distill(distillation, update, dataset, step, total)


if __name__ == "__main__":
    app.run(main)
