"""The real batches of the outer steps."""

import numpy as np
import pytest

from tf_distill.core import outer
from tf_distill.core.outer import batch_indices


@pytest.mark.parametrize(("size", "examples"), [(4, 10), (5, 10), (10, 10), (7, 10), (1, 3)])
def test_batches_cover_every_epoch_exactly_once(size, examples):
    batches = [batch_indices(3, step, size, examples) for step in range(5 * examples)]
    assert {b.shape for b in batches} == {(size,)}
    epochs = np.concatenate(batches)[: 5 * size // size * examples].reshape(-1, examples)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(examples))
    if examples > 3:
        assert len({tuple(epoch) for epoch in epochs}) == len(epochs)


def test_a_batch_does_not_depend_on_those_before():
    in_order = [batch_indices(3, step, 7, 10) for step in range(9)]
    outer._epoch_order.cache_clear()
    for step in (8, 0, 4):
        np.testing.assert_array_equal(batch_indices(3, step, 7, 10), in_order[step])


def test_batches_follow_the_seed():
    assert np.any(batch_indices(0, 0, 50, 50) != batch_indices(1, 0, 50, 50))
