"""Independent parts of a computation, which the cores of a CPU compute at the same time.

Small operations are faster several at once than each on all cores, and a part of a batch
whose results stay in the cache is faster than the whole.
"""

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

from tf_distill.common import machine

LOOP = "distilled_beside"
"""The name of a loop of such parts in a graph, for the estimate of memory."""

_Structure = TypeVar("_Structure")


def on_gpu() -> bool:
    """Whether a GPU computes, which is fastest with one whole."""
    return bool(tf.config.list_logical_devices("GPU"))


def at_once() -> int:
    """How many parts are computed at a time: one a thread of a CPU, one on a GPU."""
    if on_gpu():
        return 1
    asked = os.environ.get("TF_NUM_INTEROP_THREADS", "")
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    return threads or (int(asked) if asked.isdecimal() else 0) or machine.cores()


def equal_parts(size: int | None, most: int) -> int:
    """The fewest equal parts, of at most `most` examples, that a CPU should cut a batch into.

    1 on a GPU, or if no size from `most` down to a quarter of it divides the batch.
    """
    if size is None or on_gpu():
        return 1
    fitting = range(-(-size // most), 4 * size // most + 1)
    return next((parts for parts in fitting if size % parts == 0), 1)


def each(function: Callable[..., _Structure], items: Iterable[tuple]) -> list[_Structure]:
    """The results of a function for arguments, in their order; some are computed at a time."""
    found: list[_Structure] = []
    items, together = iter(items), at_once()
    with ThreadPoolExecutor(together) as pool:
        while some := list(itertools.islice(items, together)):
            found += pool.map(lambda arguments: function(*arguments), some)
    return found


def mean(
    parts: int, compute: Callable[[tf.Tensor], _Structure], zero: _Structure, together: int
) -> _Structure:
    """The mean of `compute(i)` over parts i, always summed in their order.

    Args:
        parts: their number.
        compute: from the number of a part, an int32 scalar, to tensors.
        zero: zeros of the same structure and shapes.
        together: parts that may be computed at a time.
    """
    if parts == 1:
        return compute(tf.constant(0))

    def add(i: tf.Tensor, total: _Structure) -> tuple[tf.Tensor, _Structure]:
        return i + 1, tf.nest.map_structure(tf.add, total, compute(i))

    _, total = tf.while_loop(
        lambda i, _: i < parts,
        add,
        (0, zero),
        parallel_iterations=min(parts, together),
        name=LOOP,
    )
    return tf.nest.map_structure(lambda v: v / parts, total)
