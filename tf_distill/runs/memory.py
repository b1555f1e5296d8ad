"""How much memory a run will take at most, known before it starts.

1. `check_set` refuses a distilled set that can't fit, before it is made.
2. `estimate_memory` adds up the parts of a run. Their sizes come from the graph of an outer step,
   of which nothing is run: `moments` follows its operations and adds up the tensors that are alive
   at each; that TensorFlow may write a result over an input is left out. Two parts are in no graph
   and were measured, on Linux: the memory that TensorFlow takes to run one, and the holes that the
   C library's allocator leaves. It cuts tensors below 32 MiB out of memory that it does not give
   back; larger ones have memory of their own.
3. `check_memory` and `describe_memory` say what was found, and name the setting to lower.

tests/runs/memory_test.py compares estimates with measured peaks.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_distill.common import UserError, machine
from tf_distill.config import Config
from tf_distill.core import (
    REAL_PART,
    TEST_BATCH,
    TRAINING,
    WAY_BACK,
    Learner,
    graph_function,
    parallel,
)
from tf_distill.datasets import Dataset

RUNTIME, OPERATION = 60e6, 14e3
"""Bytes that a graph takes beside its tensors, and for each of its operations."""
COPIES = 4
"""Of a set that is learned: itself, its gradient and Adam's two moments."""
MOMENTS = {"sgd": 1, "momentum": 2, "adam": 3}
"""Tensors that an inner step keeps for each weight."""
SMALL, HOLES = 32 * 2**20, 1.5
"""Tensors below this size, in bytes, take so many times as much on a CPU."""


class Estimate(NamedTuple):
    """Bytes that the parts of a run take.

    program: this process now, with TensorFlow, the data and the network; graph: to run the outer
    step; weights: of all inner steps, which are kept. real_batch, inner_step and evaluation come
    beside these, one after the other. so_far: the most that this process has held, to load the
    data; tested: examples of an evaluation at a time; together: networks at a time.
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
        """Bytes that the run takes at most."""
        work = max(self.weights + max(self.real_batch, self.inner_step), self.evaluation)
        return max(self.so_far, self.program + self.graph + work)


def check_set(config: Config, dataset: Dataset) -> None:
    """Raises UserError for more samples than there is memory for, before any is made."""
    numbers = math.prod(dataset.encoding.shape) + dataset.outputs
    count = config.steps * config.samples_per_step
    rates = config.steps * config.epochs
    size, room = 4 * COPIES * float(count * numbers + rates), machine.room()
    if room is not None and size > room:
        raise UserError(
            f"{count} distilled samples and {rates} learning rates take about {_gb(size)} of "
            f"memory to learn, and {_gb(room)} can be had; lower "
            f"samples_per_step={config.samples_per_step}, steps={config.steps} or "
            f"epochs={config.epochs}"
        )


def estimate_memory(
    graph: tf.Graph, learner: Learner, dataset: Dataset, config: Config
) -> Estimate:
    """The memory of a run, from the graph that `distill` gives to `before`; nothing is run."""
    cost = float if parallel.on_gpu() else _on_cpu
    inner: list[float] = []
    others: list[float] = []
    for name, size in moments(graph, cost):
        (inner if f"{TRAINING}/" in name or f"{WAY_BACK}/" in name else others).append(size)
    one = sum(tf.TensorShape(s).num_elements() * 4 for s in learner.shapes)
    together = min(config.networks, parallel.at_once())
    kept = config.window or config.steps * config.epochs
    weights = float(kept * MOMENTS[config.inner_optimizer] * one * together)
    tested = min(len(dataset.y_test), TEST_BATCH * parallel.at_once())
    inputs = (tested, *dataset.encoding.shape)
    logits = graph_function(lambda weights: learner.apply(weights, tf.zeros(inputs)))
    test = logits.get_concrete_function([tf.TensorSpec(s) for s in learner.shapes]).graph
    return Estimate(
        program=machine.resident(),
        graph=RUNTIME + OPERATION * (len(inner) + len(others)),
        weights=weights,
        real_batch=max([weights, *others]) - weights,
        inner_step=max([weights, *inner]) - weights,
        evaluation=max(m.size for m in moments(test, cost)),
        so_far=float(machine.most_resident() or 0),
        tested=tested,
        together=together,
    )


def _on_cpu(size: int) -> float:
    return size * HOLES if size < SMALL else size


def check_memory(found: Estimate, config: Config) -> str:
    """A line that says how much memory a run takes; UserError where it is more than there is."""
    if parallel.on_gpu():  # TensorFlow does not tell how much a device has
        return f"memory: about {_gb(found.peak - found.program)} on the device"
    room = machine.room()
    if room is not None and found.peak > room:
        raise UserError(
            f"the run takes about {_gb(found.peak)} of memory, and {_gb(room)} can be had; "
            + _advice(found, config, room)
        )
    there = "" if room is None else f" of the {_gb(room)} that can be had"
    return f"memory: about {_gb(found.peak)}{there}"


def _advice(found: Estimate, config: Config, room: float) -> str:
    """Which setting to lower, and to what if it is enough to lower that one."""
    takes = {
        "batch_size": found.real_batch,
        "samples_per_step": found.inner_step,
        _length(config): found.weights,
    }
    name, most = max(takes.items(), key=lambda item: item[1])
    if max(most, found.evaluation) < found.peak / 4:
        return "end other programs, or take a smaller dataset"
    if most < found.evaluation:
        return f"the network alone takes {_gb(found.evaluation)}; take a smaller model"
    alive = now = getattr(config, name)
    if name == "batch_size":  # only some parts of it are in work at a time
        parts = parallel.equal_parts(now, REAL_PART)
        alive = now // parts * min(parts, parallel.at_once())
    fits = int(alive * (most - (found.peak - room)) / most)
    to = f" to {fits} or less" if fits > 0 else ""
    return f"{name}={now} takes {_gb(most)} of it: lower it{to}"


def _length(config: Config) -> str:
    """The setting that most decides how many inner steps are kept."""
    return "window" if config.window else "epochs" if config.epochs > config.steps else "steps"


def describe_memory(found: Estimate, config: Config) -> str:
    """A table of the parts, for a person."""
    networks = f" of {found.together} networks" if found.together > 1 else ""
    rows = [
        ("program, data and network, as they are now", found.program),
        ("compiled outer step", found.graph),
        (
            f"weights of {config.window or config.steps * config.epochs} inner steps{networks}",
            found.weights,
        ),
        (f"a real batch of {config.batch_size}", found.real_batch),
        (f"an inner step of {config.samples_per_step} samples", found.inner_step),
        (f"an evaluation, {found.tested} at a time", found.evaluation),
        ("loading the data, the most so far", found.so_far),
        ("at most, since the last four take turns", found.peak),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}} {_gb(size):>9}" for name, size in rows)


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"


# What is alive while a graph runs

VIEWS = frozenset(
    "CheckNumerics EnsureShape ExpandDims Identity IdentityN PreventGradient Reshape Snapshot "  # noqa: SIM905
    "Squeeze StopGradient TensorListGetItem TensorListPopBack TensorListPushBack "
    "TensorListResize TensorListSetItem".split()
)
"""Operations whose results share the memory of their input, or are part of it."""
PUSHES = ("TensorListPushBack", "TensorListSetItem")
LISTS = ("EmptyTensorList", "TensorListFromTensor", "TensorListReserve")
"""Operations that put a tensor into a list, and operations that make a list."""
CALLS = ("f", "body", "then_branch", "else_branch")
"""Attributes of operations that name a graph to be run."""
Cost = Callable[[int], float]


class Moment(NamedTuple):
    """Bytes in use while an operation runs; its name begins with the loops and calls around it."""

    name: str
    size: float


@dataclasses.dataclass(eq=False)
class _Buffer:
    """Memory that tensors share, in bytes."""

    size: int
    own: bool = True  # whether it is freed here
    length: int = 0  # tensors of a list; or a constant, which may become that; 0: not known
    uses: int = 0  # how often it is still to be read
    kept: int = 0  # what loops have put into a list

    def cost(self, cost: Cost) -> float:
        return self.kept or cost(self.size)


Walk = Generator[Moment, None, list[_Buffer]]


def moments(graph: tf.Graph, cost: Cost = float, arguments: Sequence[_Buffer] = ()) -> Walk:
    """The memory in use at each operation, in the order in which TensorFlow is likely to run them.

    Operations that nothing needs are left out; those in the body of a loop come once. Returns
    the buffers of the results.

    Args:
        graph: of a concrete function. Its arguments and what it captures belong to the caller,
            and are not counted.
        cost: what the allocator takes for a tensor of so many bytes. What a loop keeps in lists,
            to the end, takes no more than it is.
        arguments: of a graph that another one calls.
    """
    order = _order(graph)
    uses = Counter(t.name for op in order for t in op.inputs)
    uses.update(t.name for t in graph.outputs)
    buffers = {
        t.name: _Buffer(0, own=False, length=b.length)
        for t, b in zip(graph.inputs, arguments, strict=False)
    }
    alive = 0.0
    for op in order:
        given = [buffers[t.name] for t in op.inputs]
        made = [buffers.get(t.name) or _result(op, t, given) for t in op.outputs]
        for tensor, buffer in zip(op.outputs, made, strict=True):
            buffer.uses += uses[tensor.name]
            buffers[tensor.name] = buffer
        for moment in _inside(op, given, made, cost):
            yield Moment(f"{op.name}/{moment.name}", alive + moment.size)
        alive += sum(b.cost(cost) for b in set(made) - set(given))
        yield Moment(op.name, alive)
        for buffer in given:
            buffer.uses -= 1
        alive -= sum(b.cost(cost) for b in {*given, *made} if b.own and not b.uses)
    return [buffers[t.name] for t in graph.outputs]


def _order(graph: tf.Graph) -> list[tf.Operation]:
    """The operations that the results need, in the order in which they were made.

    Each comes after its inputs: a loop is made before the lists that its gradient adds to them.
    """
    needed: set[tf.Operation] = set()
    open_ = [t.op for t in graph.outputs] + list(graph.control_outputs)
    while open_:
        if (op := open_.pop()) not in needed:
            needed.add(op)
            open_ += _before(op)
    order: dict[tf.Operation, None] = {}
    for op in graph.get_operations():
        open_ = [op] if op in needed else []
        while open_:
            if waits := [b for b in _before(open_[-1]) if b not in order]:
                open_ += waits
            else:
                order[open_.pop()] = None
    return list(order)


def _before(op: tf.Operation) -> list[tf.Operation]:
    return [t.op for t in op.inputs] + list(op.control_inputs)


def _result(op: tf.Operation, tensor: tf.Tensor, given: list[_Buffer]) -> _Buffer:
    """The memory of one result: an input's, the caller's, or new."""
    if op.type in ("Placeholder", "ReadVariableOp"):
        return _Buffer(0, own=False)
    if op.type == "Const":  # stays as long as the graph
        return _Buffer(_size(tensor), own=False, length=_whole_number(tensor))
    if op.type == "TensorListFromTensor":
        return _Buffer(0, length=op.inputs[0].shape[0] or 0)
    if op.type in LISTS:
        return _Buffer(0, length=_whole_number(op.inputs[1]) or given[1].length)
    if given and op.type in VIEWS:
        return given[tensor.value_index if op.type == "IdentityN" else 0]
    return _Buffer(_size(tensor))


def _inside(
    op: tf.Operation, given: list[_Buffer], made: list[_Buffer], cost: Cost
) -> Iterator[Moment]:
    """The moments inside of an operation; notes in `made` what the lists among it keep."""
    run = _graphs(op)
    if not op.type.endswith("While"):
        for graph in run:
            results = yield from moments(graph, cost, given[int(op.type.endswith("If")) :])
            # A graph can have got more results, for its gradient, than this call of it has.
            for outer, inner in zip(made, results, strict=False):
                outer.kept, outer.length = inner.kept, inner.length
        return
    (body,) = run
    lists = (b for b, t in zip(given, op.inputs, strict=True) if t.dtype == tf.variant)
    rounds = max((b.length for b in lists), default=0) or 1
    for i, (size, length) in _kept(body, rounds, [b.length for b in given]).items():
        made[i].kept, made[i].length = size, length
    more = sum(b.kept for b in made)
    together = op.get_attr("parallel_iterations") if parallel.LOOP in op.name else 1
    for moment in moments(body, cost, given):
        yield moment._replace(size=together * moment.size + more)


def _graphs(op: tf.Operation) -> list[tf.Graph]:
    """The graphs that an operation runs; TensorFlow has no public way to get at them."""
    if not op.type.endswith(("If", "PartitionedCall", "While")):
        return []
    named = sorted(set(op.node_def.attr) & set(CALLS))
    return [op.graph._get_function(op.get_attr(name).name).graph for name in named]


def _kept(body: tf.Graph, rounds: int, lengths: list[int]) -> dict[int, tuple[int, int]]:
    """Bytes and tensors that all rounds of a loop leave in its lists, by a list's number.

    lengths: how many tensors the lists among the loop's inputs have room for.
    """
    places = {t.op.name: i for i, t in enumerate(body.inputs)}
    kept: dict[int, tuple[int, int]] = {}
    for push in (o for o in body.get_operations() if o.type in PUSHES):
        place = places.get(_root(push.inputs[0]).name)
        if place is None:
            continue
        length = rounds if push.type == "TensorListPushBack" else lengths[place] or 1
        kept[place] = kept.get(place, (0, 0))[0] + _size(push.inputs[-1]) * length, length
    return kept


def _root(tensor: tf.Tensor) -> tf.Operation:
    """The operation that made the memory of a tensor."""
    op = tensor.op
    while op.type in VIEWS and op.type != "IdentityN":
        op = op.inputs[0].op
    return op


def _size(tensor: tf.Tensor) -> int:
    """Bytes of a tensor by its static shape; handles of lists and variables have none."""
    if tensor.dtype in (tf.variant, tf.resource, tf.string) or tensor.shape.rank is None:
        return 0
    return tensor.dtype.size * math.prod(1 if d is None else d for d in tensor.shape)


def _whole_number(tensor: tf.Tensor) -> int:
    """The value of a tensor, if the graph tells it and it is one positive whole number, else 0."""
    if tensor.shape.rank != 0 or not tensor.dtype.is_integer:
        return 0
    value = tf.get_static_value(tensor)
    return 0 if value is None else max(0, int(value))
