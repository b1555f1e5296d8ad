"""Outer steps on one device and on two virtual ones, in a process of its own, as JSON.

For each case: the largest difference of the samples, and the seconds of an outer step on one
device and on two.
"""

import json
import time

import numpy as np
import small
import tensorflow as tf

from tf_distill import outer
from tf_distill.distilled import DistilledSet
from tf_distill.distribution import Distribution
from tf_distill.inner import Samples

STEPS = 6
CASES = {
    "the batch of one network": {"init": "fixed", "networks": 1},
    "networks": {"init": "random", "networks": 4},
}


def distilled(distribution, case):
    """The samples after some outer steps, and the seconds of each but the first."""
    start = DistilledSet(Samples(*(v.numpy() for v in small.samples())))
    distillation = outer.Distillation(start, 0.05, STEPS)
    steps = outer.distill(
        distillation,
        small.learner(),
        small.dataset(),
        outer_steps=STEPS,
        batch_size=16,
        seed=0,
        distribution=distribution,
        **case,
    )
    next(steps)
    started = time.monotonic()
    for _ in steps:
        pass
    seconds = (time.monotonic() - started) / (STEPS - 1)
    return [v.numpy() for v in distillation.distilled.samples], seconds


def main():
    """Prints the cases."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    assert two.replicas == 2
    found = {}
    for name, case in CASES.items():
        (one, alone), (other, shared) = (distilled(d, case) for d in (None, two))
        difference = max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
        found[name] = {"difference": difference, "one_s": alone, "two_s": shared}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
