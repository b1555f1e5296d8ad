"""Which real examples each outer step has."""

import functools

import numpy as np

from tf_distill import seeds
from tf_distill.datasets.base import Dataset


def real_batch(batch_size: int, dataset: Dataset) -> int:
    """How many real examples an outer step has: as many as are asked for, and there are."""
    return min(batch_size, len(dataset.y_train))


def batch_indices(seed: int, step: int, size: int, examples: int) -> np.ndarray:
    """The real examples of outer step `step`: a window of shuffled epochs, int32 `[size]`."""
    epoch, offset = np.divmod(np.arange(step * size, (step + 1) * size), examples)
    orders = {e: _epoch_order(seed, int(e), examples) for e in np.unique(epoch)}
    return np.array([orders[e][i] for e, i in zip(epoch, offset, strict=True)], np.int32)


@functools.lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, examples: int) -> np.ndarray:
    return seeds.generator(seed, seeds.Stream.BATCHES, epoch).permutation(examples)
