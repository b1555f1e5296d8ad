"""All randomness of a run as a pure function of its seed: there is no generator with a state.

So a run that stops and continues draws the same numbers as one that never stopped.
"""

import enum

import numpy as np


class Stream(enum.IntEnum):
    """The use of a random number; the streams are independent."""

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
    ORDER = 12
    AUDIT = 13


def seed_key(seed: int, stream: Stream) -> np.ndarray:
    """The stream's seed, int32 `[2]`; `tf.random.fold_in(key, i)` gives its i-th."""
    return np.array([seed, stream], np.int32)


def numpy_generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """A generator of numpy for the stream's draws outside of a graph."""
    return np.random.default_rng((seed, int(stream), index))
