"""Randomness is a pure function of seed, stream and index."""

import numpy as np
import pytest
import tensorflow as tf

from tf_distill.common import seeds
from tf_distill.common.seeds import Stream


def draw(seed, stream, index=0):
    return seeds.numpy_generator(seed, stream, index).standard_normal(8)


def test_generator_gives_the_same_numbers_for_the_same_place():
    np.testing.assert_array_equal(draw(3, Stream.BATCHES, 2), draw(3, Stream.BATCHES, 2))


@pytest.mark.parametrize(
    "other", [(4, Stream.BATCHES, 2), (3, Stream.LABELS, 2), (3, Stream.BATCHES, 1)]
)
def test_generator_differs_by_seed_stream_and_index(other):
    assert not np.any(draw(3, Stream.BATCHES, 2) == draw(*other))


def test_keys_are_distinct_for_all_seeds_and_streams():
    keys = {
        tuple(seeds.seed_key(s, stream).tolist()) for s in (0, 1, 2**31 - 1) for stream in Stream
    }
    assert len(keys) == 3 * len(Stream)


def test_key_seeds_stateless_draws():
    key = seeds.seed_key(7, Stream.NETWORKS)
    one, two = (tf.random.stateless_normal([4], key).numpy() for _ in range(2))
    np.testing.assert_array_equal(one, two)
    folded = tf.random.stateless_normal([4], tf.random.fold_in(key, 1)).numpy()
    assert not np.any(one == folded)


def test_the_streams_keep_their_numbers():
    """A checkpoint of an older version must go on with the same random numbers."""
    assert [(s.name, s.value) for s in Stream][:8] == [
        ("FIXED_NETWORK", 0),
        ("SAMPLES", 1),
        ("LABELS", 2),
        ("BATCHES", 3),
        ("NETWORKS", 4),
        ("AUGMENTATION", 5),
        ("EVALUATION", 6),
        ("HELD_OUT", 7),
    ]
