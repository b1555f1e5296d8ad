"""How much memory a run will take at most, known before it starts.

The sizes of what is alive come from the graph of an outer step (`liveness`). Two things
are not in a graph and were measured, on Linux: what TensorFlow takes to run it, and what the
C library's allocator loses. It cuts tensors of less than 32 MiB out of memory that it does not
give back, and holes between them stay; larger ones have memory of their own.
`tests/memory_test.py` holds estimates against measured peaks.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from tf_distill import beside, liveness, machine
from tf_distill.compiled import graph_function
from tf_distill.config import Config
from tf_distill.datasets.base import Dataset
from tf_distill.errors import UserError
from tf_distill.evaluate import TEST_BATCH
from tf_distill.hypergradient import REAL_PART, TRAINING, WAY_BACK
from tf_distill.learner import Learner

RUNTIME, OPERATION = 60e6, 14e3
"""Bytes that running a graph takes beside its tensors, and for each of its operations."""
COPIES = 6
"""Of a set that is learned: itself and Adam's two moments, and the last sound one of each."""
SMALL, HOLES = 32 * 2**20, 1.5
"""Tensors below this size, in bytes, take so many times as much on a CPU."""


class Estimate(NamedTuple):
    """Bytes that the parts of a run take.

    program: this process as it is, with TensorFlow, the data and the network; graph: to run
    the outer step; weights: of all inner steps, which are kept; then what comes one after the
    other, and beside those: real_batch, inner_step and evaluation. so_far: the most that this
    process has held, which is to load the data; tested: the examples of an evaluation at a
    time; together: the networks that are in work at a time.
    """

    program: float
    graph: float
    weights: float
    real_batch: float
    inner_step: float
    evaluation: float
    so_far: float = 0.0
    tested: int = 0
    together: int = 1

    @property
    def peak(self) -> float:
        """What the run takes at most."""
        work = max(self.weights + max(self.real_batch, self.inner_step), self.evaluation)
        return max(self.so_far, self.program + self.graph + work)


def estimate(graph: tf.Graph, learner: Learner, dataset: Dataset, config: Config) -> Estimate:
    """The memory of a run, from the graph of its outer step; nothing is run.

    Args:
        graph: as `outer.distill` gives it to `before`.
        learner: the network.
        dataset: of the run.
        config: of the run.
    """
    cost = float if beside.on_gpu() else _on_cpu
    inner, others, operations = 0.0, 0.0, 0
    for name, size in liveness.moments(graph, cost):
        operations += 1
        if f"{TRAINING}/" in name or f"{WAY_BACK}/" in name:
            inner = max(inner, size)
        else:
            others = max(others, size)
    one = sum(tf.TensorShape(s).num_elements() * 4 for s in learner.shapes)
    together = min(config.networks, beside.at_once())
    weights = float(config.steps * config.epochs * one * together)
    tested = min(len(dataset.y_test), TEST_BATCH * beside.at_once())
    test = _evaluation(learner, (tested, *dataset.encoding.shape))
    return Estimate(
        program=machine.resident(),
        graph=RUNTIME + OPERATION * operations,
        weights=weights,
        real_batch=max(0.0, others - weights),
        inner_step=max(0.0, inner - weights),
        evaluation=max(m.size for m in liveness.moments(test, cost)),
        so_far=float(machine.most_resident() or 0),
        tested=tested,
        together=together,
    )


def check_set(config: Config, dataset: Dataset) -> None:
    """Raises UserError for more samples than there is memory for, before any is made."""
    numbers = math.prod(dataset.encoding.shape) + dataset.outputs
    count = config.steps * config.samples_per_step
    rates = config.steps * config.epochs
    size, room = 4 * COPIES * float(count * numbers + rates), machine.room()
    if room is not None and size > room:
        raise UserError(
            f"{count} distilled samples and {rates} learning rates take about {_gb(size)} of "
            f"memory to learn, and {_gb(room)} can be had; lower --samples_per_step, --steps or "
            "--epochs"
        )


def check(found: Estimate, config: Config) -> str:
    """A line that says how much memory a run takes.

    Raises:
        UserError: it is more than there is. The text names the setting that takes most of it.
    """
    if beside.on_gpu():  # TensorFlow does not tell how much a device has
        return f"memory: about {_gb(found.peak - found.program)} on the device"
    room = machine.room()
    if room is not None and found.peak > room:
        raise UserError(
            f"the run takes about {_gb(found.peak)} of memory, and {_gb(room)} can be had; "
            + _advice(found, config, room)
        )
    there = "" if room is None else f" of the {_gb(room)} that can be had"
    return f"memory: about {_gb(found.peak)}{there}"


def describe(found: Estimate, config: Config) -> str:
    """A table of the parts, for a person."""
    networks = f" of {found.together} networks" if found.together > 1 else ""
    rows = [
        ("program, data and network, as they are now", found.program),
        ("compiled outer step", found.graph),
        (f"weights of {config.steps * config.epochs} inner steps{networks}", found.weights),
        (f"a real batch of {config.batch_size}", found.real_batch),
        (f"an inner step of {config.samples_per_step} samples", found.inner_step),
        (f"an evaluation, {found.tested} at a time", found.evaluation),
        ("loading the data, the most so far", found.so_far),
        ("at most, since the last four take turns", found.peak),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}} {_gb(size):>9}" for name, size in rows)


def _on_cpu(size: int) -> float:
    return size * HOLES if size < SMALL else size


def _evaluation(learner: Learner, shape: tuple[int, ...]) -> tf.Graph:
    """The graph of a network's logits for inputs of this shape, the batch too."""
    given = [tf.TensorSpec(s) for s in learner.shapes]
    logits = graph_function(lambda weights: learner.apply(weights, tf.zeros(shape)))
    return logits.get_concrete_function(given).graph


def _advice(found: Estimate, config: Config, room: float) -> str:
    """Which setting to lower, and to what if it is enough to lower that one."""
    takes = {
        "batch_size": found.real_batch,
        "samples_per_step": found.inner_step,
        "epochs" if config.epochs > config.steps else "steps": found.weights,
    }
    name, most = max(takes.items(), key=lambda item: item[1])
    if max(most, found.evaluation) < found.peak / 4:
        return "end other programs, or take a smaller --dataset"
    if most < found.evaluation:
        return f"the network alone takes {_gb(found.evaluation)}; take a smaller --model"
    now = getattr(config, name)
    alive = now
    if name == "batch_size":  # of its parts some are in work at a time
        parts = beside.equal_parts(now, REAL_PART)
        alive = now // parts * min(parts, beside.at_once())
    fits = int(alive * (most - (found.peak - room)) / most)
    to = f" to {fits} or less" if fits > 0 else ""
    return f"--{name}={now} takes {_gb(most)} of it: lower it{to}"


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"
