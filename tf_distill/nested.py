"""Graphs within a graph: what its calls and loops run, and what loops keep for later."""

import tensorflow as tf

VIEWS = frozenset(
    "CheckNumerics EnsureShape ExpandDims Identity IdentityN PreventGradient Reshape Snapshot "  # noqa: SIM905
    "Squeeze StopGradient TensorListGetItem TensorListPopBack TensorListPushBack "
    "TensorListResize TensorListSetItem".split()
)
"""Operations whose results share the memory of their input, or are part of it."""
CALLERS = frozenset(
    ["If", "PartitionedCall", "StatefulPartitionedCall", "StatelessIf", "StatelessWhile", "While"]
)
"""Operations that run a graph."""
CALLS = ("f", "body", "then_branch", "else_branch")
"""Attributes of operations that name a graph to be run."""
PUSHES = ("TensorListPushBack", "TensorListSetItem")
LISTS = ("EmptyTensorList", "TensorListReserve")
"""The operations that keep a tensor in a list; those that make one, their second input a size."""


def size_of(tensor: tf.Tensor) -> int:
    """Bytes of a tensor by its static shape; handles of lists and variables have none."""
    if tensor.dtype in (tf.variant, tf.resource, tf.string) or tensor.shape.rank is None:
        return 0
    size = tensor.dtype.size
    for dimension in tensor.shape:
        size *= 1 if dimension is None else dimension
    return size


def graphs(op: tf.Operation) -> list[tf.Graph]:
    """The graphs that an operation runs; TensorFlow has no public way to get at them."""
    if hasattr(op, "_body_graph"):
        return [op._body_graph]
    known = set(op.node_def.attr) & set(CALLS) if op.type in CALLERS else ()
    return [op.graph._get_function(op.get_attr(name).name).graph for name in sorted(known)]


def kept_by(op: tf.Operation, body: tf.Graph) -> dict[int, int]:
    """Bytes that all rounds of a loop leave in its lists, by the number of the list's result."""
    places = {t.op.name: i for i, t in enumerate(body.inputs)}
    rounds = _rounds(op)
    kept: dict[int, int] = {}
    seen = set()
    for push in (o for o in body.get_operations() if o.type in PUSHES):
        place = places.get(root(push.inputs[0]).name)
        item = push.inputs[-1]
        made_by = root(item).name
        if place is None or made_by in seen:  # a tensor in two lists is there once
            continue
        seen.add(made_by)
        times = rounds if push.type == "TensorListPushBack" else _length(op.inputs[place])
        kept[place] = kept.get(place, 0) + size_of(item) * times
    return kept


def root(tensor: tf.Tensor) -> tf.Operation:
    """The operation that made the memory of a tensor."""
    op = tensor.op
    while op.type in VIEWS and op.type != "IdentityN":
        op = op.inputs[0].op
    return op


def _rounds(loop: tf.Operation) -> int:
    """How often a loop goes round: as often as the longest of its lists is long."""
    return max((_length(t) for t in loop.inputs if t.dtype == tf.variant), default=1)


def _length(handle: tf.Tensor) -> int:
    """How many tensors a list that comes into a loop has, or gets; 1 where it does not tell."""
    op = root(handle)
    if op.type in LISTS:
        size = tf.get_static_value(op.inputs[1])
    elif op.type == "TensorListFromTensor":
        size = op.inputs[0].shape[0]
    else:
        size = _rounds(op) if op.type.endswith("While") else None
    return 1 if size is None or size < 1 else int(size)
