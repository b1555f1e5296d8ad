"""How much memory a graph takes while it runs, read from the graph without running it.

TensorFlow frees a tensor after its last use, writes the result of an elementwise operation
over an input that nobody else needs, and lets reshaped tensors share memory. So what is alive
when an operation runs follows from the graph and the static shapes in it: of any network, and
with the loops of recurrent layers. Left out is what an operation needs for itself while it
runs; an unknown dimension counts as one.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

import tensorflow as tf

from tf_distill import beside
from tf_distill.nested import LISTS, VIEWS, graphs, kept_by, root, size_of, whole_number

PARTS = frozenset(["Slice", "Split", "StridedSlice", "Unpack"])
"""Operations that share memory with their input where they cut its first dimension alone."""
ELEMENTWISE = frozenset(
    "Abs Add AddN AddV2 BiasAdd Cos Div DivNoNan Elu EluGrad Exp Expm1 Floor LeakyRelu "  # noqa: SIM905
    "LeakyReluGrad Log Log1p LogSoftmax Maximum Minimum Mul Neg Pow RealDiv Reciprocal Relu "
    "Relu6 ReluGrad Rsqrt RsqrtGrad Select SelectV2 Selu SeluGrad Sigmoid SigmoidGrad Sign Sin "
    "Softmax Softplus SoftplusGrad Sqrt SqrtGrad Square SquaredDifference Sub Tanh TanhGrad "
    "Xdivy Xlogy ZerosLike".split()
)
"""Operations that write over an input of the result's size which is not used again."""


class Moment(NamedTuple):
    """What is alive while one operation runs.

    name: of the operation, after those of the loops and calls around it; size: bytes.
    """

    name: str
    size: float


Cost = Callable[[int], float]


class _Buffer:
    """Memory that tensors share; `uses` are still to come. Another's is never freed here.

    Of a list of tensors: `length`, how many it has or gets, 0 where that is not known, and
    `kept`, the bytes that loops have put into it. Of a constant that may become the length of a
    list, `length` is its value.
    """

    def __init__(self, size: int, own: bool = True, length: int = 0):
        self.size, self.own, self.length, self.uses, self.kept = size, own, length, 0, 0

    def cost(self, cost: Cost) -> float:
        """In bytes."""
        return self.kept or cost(self.size)


Walk = Generator[Moment, None, list[_Buffer]]


def peak(graph: tf.Graph) -> float:
    """Bytes that are alive at most, beside the arguments and captured tensors."""
    return max((moment.size for moment in moments(graph)), default=0)


def moments(graph: tf.Graph, cost: Cost = float) -> Iterator[Moment]:
    """What is alive at each operation, in the order in which TensorFlow is likely to run them.

    Args:
        graph: of a concrete function, `function.get_concrete_function(...).graph`. Its
            arguments and what it captures belong to the caller, and are not counted.
        cost: of a tensor of so many bytes, in bytes: what the allocator takes for it. What
            a loop keeps in lists, to the end, takes no more than it is.

    Yields:
        A moment for each operation that is needed; those in the body of a loop come once.
    """
    yield from _walk(graph, cost, [])


def _walk(graph: tf.Graph, cost: Cost, arguments: list[_Buffer]) -> Walk:
    """Yields the moments of a graph that is called with arguments; returns its results."""
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
        fresh = {id(b): b for b in made if all(b is not g for g in given)}
        alive += sum(b.cost(cost) for b in fresh.values())
        yield Moment(op.name, alive)
        for buffer in given:
            buffer.uses -= 1
        ended = {id(b): b for b in (*given, *made) if b.own and not b.uses}
        alive -= sum(b.cost(cost) for b in ended.values())
    return [buffers[t.name] for t in graph.outputs]


def _order(graph: tf.Graph) -> list[tf.Operation]:
    """The needed operations in the order in which they were made, each after its inputs.

    A loop is made before the lists that its gradient adds to its inputs.
    """
    needed = _needed(graph)
    number = {op.name: i for i, op in enumerate(needed)}
    waits = [{b.name for b in _before(op)} & number.keys() for op in needed]
    followers: dict[str, list[int]] = {name: [] for name in number}
    for i, names in enumerate(waits):
        for name in names:
            followers[name].append(i)
    ready = [i for i, names in enumerate(waits) if not names]
    order = []
    while ready:
        order.append(op := needed[heapq.heappop(ready)])
        for i in followers[op.name]:
            waits[i].discard(op.name)
            if not waits[i]:
                heapq.heappush(ready, i)
    return order


def _needed(graph: tf.Graph) -> list[tf.Operation]:
    """The operations that the results depend on, in the order in which they were made."""
    found: set[str] = set()
    open_ = [t.op for t in graph.outputs] + list(graph.control_outputs)
    while open_:
        op = open_.pop()
        if op.name not in found:
            found.add(op.name)
            open_ += _before(op)
    return [op for op in graph.get_operations() if op.name in found]


def _before(op: tf.Operation) -> list[tf.Operation]:
    return [t.op for t in op.inputs] + list(op.control_inputs)


def _result(op: tf.Operation, tensor: tf.Tensor, given: list[_Buffer]) -> _Buffer:
    """The memory of one result: an input's, the caller's, or new."""
    if op.type in ("Placeholder", "ReadVariableOp"):
        return _Buffer(0, own=False)
    if op.type == "Const":  # stays as long as the graph
        return _Buffer(size_of(tensor), own=False, length=whole_number(tensor))
    if op.type in LISTS:
        return _Buffer(0, length=_length(op, given))
    if given and (op.type in VIEWS or _is_part(op, tensor)):
        return given[_viewed(op, tensor)]
    size = size_of(tensor)
    if op.type in ELEMENTWISE:
        for buffer in given:
            if buffer.own and buffer.uses == 1 and buffer.size == size:
                return buffer
    return _Buffer(size)


def _length(op: tf.Operation, given: list[_Buffer]) -> int:
    """How many tensors a new list has or has room for."""
    if op.type == "TensorListFromTensor":
        return op.inputs[0].shape[0] or 0
    return whole_number(op.inputs[1]) or given[1].length


def _viewed(op: tf.Operation, tensor: tf.Tensor) -> int:
    """Which input a view is of."""
    return tensor.value_index if op.type == "IdentityN" else int(op.type == "Split")


def _is_part(op: tf.Operation, tensor: tf.Tensor) -> bool:
    """Whether a slice is one of the first dimension alone, which lies in one piece."""
    if op.type not in PARTS:
        return False
    whole, part = op.inputs[int(op.type == "Split")].shape, tensor.shape
    if whole.rank is None or part.rank is None:
        return False
    return list(whole[1:]) in (list(part), list(part[1:]))


def _inside(
    op: tf.Operation, given: list[_Buffer], made: list[_Buffer], cost: Cost
) -> Iterator[Moment]:
    """What runs inside of an operation; notes in what is made what the lists among it keep."""
    run = graphs(op)
    if not op.type.endswith("While"):
        arguments = given[1:] if op.type.endswith("If") else given
        for graph in run:
            results = yield from _walk(graph, cost, arguments)
            # A graph can have got more results, for its gradient, than this call of it has.
            for outer, inner in zip(made, results, strict=False):
                outer.kept, outer.length = inner.kept, inner.length
        return
    body = run[0]
    lists = (b for b, t in zip(given, op.inputs, strict=True) if t.dtype == tf.variant)
    rounds = max((b.length for b in lists), default=0) or 1
    for i, (size, length) in kept_by(body, rounds, [b.length for b in given]).items():
        made[i].kept, made[i].length = size, length
    # A variable of the loop whose first value is needed elsewhere lives beside that value.
    varying = (i for i, t in enumerate(body.outputs) if root(t) is not body.inputs[i].op)
    more = sum(b.kept for b in made) + sum(
        cost(size_of(op.inputs[i])) for i in varying if given[i].uses > 1 or not given[i].own
    )
    together = op.get_attr("parallel_iterations") if beside.LOOP in op.name else 1
    for moment in _walk(body, cost, given):
        yield moment._replace(size=together * moment.size + more)
