"""Randomness is a pure function of seed, stream and index."""

import numpy as np
import tensorflow as tf

from tf_distill.common import seeds
from tf_distill.common.seeds import Stream


def test_numbers_differ_by_seed_stream_and_index():
    batches = Stream.BATCHES
    places = [(3, batches, 2), (4, batches, 2), (3, Stream.LABELS, 2), (3, batches, 1)]
    draws = [seeds.numpy_generator(*place).standard_normal(8) for place in places * 2]
    np.testing.assert_array_equal(draws[:4], draws[4:])
    assert len(np.unique(draws)) == 4 * 8


def test_keys_are_distinct_and_seed_stateless_draws():
    keys = [seeds.seed_key(seed, stream) for seed in (0, 1, 2**31 - 1) for stream in Stream]
    assert len(np.unique(keys, axis=0)) == 3 * len(Stream)
    key = seeds.seed_key(7, Stream.NETWORKS)
    one, two = (tf.random.stateless_normal([4], key).numpy() for _ in range(2))
    np.testing.assert_array_equal(one, two)
    folded = tf.random.stateless_normal([4], tf.random.fold_in(key, 1)).numpy()
    assert not np.any(one == folded)


def test_the_streams_keep_their_numbers():
    """A checkpoint of an older version must continue with the same random numbers."""
    names = "FIXED_NETWORK SAMPLES LABELS BATCHES NETWORKS AUGMENTATION EVALUATION HELD_OUT TUNING"
    assert [(s.name, s.value) for s in Stream][:9] == [(n, i) for i, n in enumerate(names.split())]
    assert seeds.seed_key(7, Stream.HELD_OUT).dtype == np.int32
