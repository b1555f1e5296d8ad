"""A program for memory_test: the memory that a run takes, estimated and measured.

  python tests/measured.py '{"network": "lenet", "batch_size": 256, ...}'

It runs two outer steps and one evaluation of a network on random data, in this process, and
prints the parts of the estimate, its peak and the peak of the process, in bytes.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import small
import tensorflow as tf

from tf_distill.common import machine
from tf_distill.datasets import Dataset
from tf_distill.datasets.base import Encoding
from tf_distill.networks import choose
from tf_distill.runs import experiment, memory
from tf_distill.runs.folder import InMemory
from tf_distill.runs.run import Run

SHAPES = {
    "lenet": ((28, 28, 1), 10), "alexcifarnet": ((32, 32, 3), 10), "textconvnet": ((400, 100), 2),
    "bilstm": ((30, 100), 6), "rolled": ((100, 50), 4),
}  # fmt: skip
"""Of an input, and the number of classes."""
TEST_EXAMPLES = 600


class Bytes(Encoding):
    """Bytes as numbers from 0 to 1."""

    def __init__(self, shape):
        self.shape = shape

    def __call__(self, x):
        """The same as float32."""
        return tf.cast(x, tf.float32) / 255

    def metadata(self):
        """The shape."""
        return {"kind": "text" if len(self.shape) == 2 else "image", "shape": self.shape}


def rolled(shape: tuple[int, ...], outputs: int) -> keras.Model:
    """A network of one's own with a recurrent layer that Keras runs in a loop."""
    lstm = keras.layers.LSTM(64, use_cudnn=False)
    return keras.Sequential([keras.Input(shape), lstm, keras.layers.Dense(outputs)])


def dataset(shape: tuple[int, ...], classes: int, examples: int) -> Dataset:
    """Random bytes; the classes in turn."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (examples, *shape), np.uint8)
    y = (np.arange(examples) % classes).astype(np.int32)
    names = tuple(map(str, range(classes)))
    return Dataset("random", names, x, y, x[:TEST_EXAMPLES], y[:TEST_EXAMPLES], Bytes(shape))


def make_run(network: str, **settings: int) -> Run:
    """A run of two outer steps on random data."""
    shape, classes = SHAPES[network]
    data = dataset(shape, classes, max(settings["batch_size"], TEST_EXAMPLES))
    config = small.config("nowhere", outer_steps=2, inner_lr=1e-3, **settings)
    choice = choose(rolled if network == "rolled" else network, data)
    return Run.of(config, data, choice, InMemory())


def main(network: str, **settings: int) -> dict[str, float]:
    """Estimates a run, and carries it out."""
    run = make_run(network, **settings)
    estimate, found = memory.estimate_memory, []
    memory.estimate_memory = lambda *given: found.append(estimate(*given)) or found[0]
    experiment.carry_out(run)
    peaks = {"estimated": found[0].peak, "measured": machine.most_resident()}
    return found[0]._asdict() | peaks


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
