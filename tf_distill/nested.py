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
LISTS = ("EmptyTensorList", "TensorListFromTensor", "TensorListReserve")
"""The operations that keep a tensor in a list, and those that make a list."""


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


def kept_by(body: tf.Graph, rounds: int, lengths: list[int]) -> dict[int, tuple[int, int]]:
    """What all rounds of a loop leave in its lists.

    Args:
        body: the graph of one round.
        rounds: how many there are.
        lengths: how many tensors the lists among the loop's inputs have room for.

    Returns:
        Bytes and the number of tensors, by the number of the list among the loop's results.
    """
    places = {t.op.name: i for i, t in enumerate(body.inputs)}
    kept: dict[int, tuple[int, int]] = {}
    seen = set()
    for push in (o for o in body.get_operations() if o.type in PUSHES):
        place = places.get(root(push.inputs[0]).name)
        item = push.inputs[-1]
        if place is None:
            continue
        length = rounds if push.type == "TensorListPushBack" else lengths[place] or 1
        made_by = root(item).name
        size = 0 if made_by in seen else size_of(item)  # a tensor in two lists is there once
        seen.add(made_by)
        kept[place] = kept.get(place, (0, 0))[0] + size * length, length
    return kept


def root(tensor: tf.Tensor) -> tf.Operation:
    """The operation that made the memory of a tensor."""
    op = tensor.op
    while op.type in VIEWS and op.type != "IdentityN":
        op = op.inputs[0].op
    return op


def whole_number(tensor: tf.Tensor) -> int:
    """The value of a tensor, if the graph tells it and it is one positive whole number, else 0."""
    if tensor.shape.rank != 0 or not tensor.dtype.is_integer:
        return 0
    value = tf.get_static_value(tensor)
    return 0 if value is None else max(0, int(value))
