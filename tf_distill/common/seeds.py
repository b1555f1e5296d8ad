"""All randomness of a run as a pure function of its seed: nothing draws from a state.

A run that is interrupted and started again thus draws what it would have drawn.
"""

import enum

import numpy as np
import tensorflow as tf


class Stream(enum.IntEnum):
    """What a random number is for; each stream is independent of the others."""

    FIXED_NETWORK = 0
    SAMPLES = 1
    LABELS = 2
    BATCHES = 3
    NETWORKS = 4
    AUGMENTATION = 5
    EVALUATION = 6
    HELD_OUT = 7
    TUNING = 8
    BASELINES = 9
    SHUFFLES = 10
    SUBSET = 11


def seed_key(seed: int, stream: Stream) -> tf.Tensor:
    """The stream's seed, int32 `[2]`; `tf.random.fold_in(key, i)` gives its i-th."""
    return tf.constant([seed, stream], tf.int32)


def numpy_generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """The same for numpy, for what is drawn outside of the graph."""
    return np.random.default_rng((seed, int(stream), index))
