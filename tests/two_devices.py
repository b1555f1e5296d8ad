"""Outer steps on one device and on two virtual ones, in a process of its own.

Prints as JSON the largest difference of the samples in each case.
"""

import json

import numpy as np
import small
import tensorflow as tf

from tf_distill.core import outer
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.distribution import Distribution
from tf_distill.core.inner import Samples

STEPS = 6
CASES = {
    "the batch of one network": outer.OuterStep(16),
    "networks": outer.OuterStep(16, networks=4, init="random"),
}


def distilled(distribution, case):
    """The samples after some outer steps."""
    start = DistilledSet(Samples(*(v.numpy() for v in small.samples())))
    distillation = outer.Distillation(start, 0.05, STEPS, 0.5)
    data = small.dataset()
    update = outer.outer_update(distillation, small.learner(), data, case, distribution)
    for _ in outer.distill(distillation, update, data, case, STEPS):
        pass
    return [v.numpy() for v in distillation.distilled.samples]


def main():
    """Prints the cases."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    assert two.replicas == 2
    found = {}
    for name, case in CASES.items():
        pairs = zip(distilled(None, case), distilled(two, case), strict=True)
        found[name] = max(float(np.abs(one - other).max()) for one, other in pairs)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
