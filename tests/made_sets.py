"""Small distilled sets, made without a distillation."""

import numpy as np

from tf_distill.core import Samples
from tf_distill.export import LoadedSet

IMAGE = {"kind": "image", "shape": [2, 3, 1], "mean": [0.5], "std": [0.25]}
TEXT = {"kind": "text", "shape": [2, 3], "vocabulary": ["a", "\u2028", "c"]}


def made(input_=IMAGE, use="replay", about=None, **more):
    """A set of two classes: two steps of one sample; `about` is more metadata."""
    x = np.linspace(-3, 3, 12, dtype="f4").reshape(2, 1, *input_["shape"])
    samples = Samples(x, np.float32([[[0.2]], [[1.4]]]), np.float32([0.1, 0.2]))
    metadata = {
        "dataset": "mine", "network": "python:mine", "use": use, "seed": 3, "init": "random",
        "classes": ["no", "oh/yes"], "input": input_, "inner_optimizer": "sgd", "augment": "none",
        "accuracy": {"mean": 0.9, "std": 0.01, "networks": 5}, "license": "MIT",
        **(about or {}),
    }  # fmt: skip
    return LoadedSet(samples, [], metadata, **more)
