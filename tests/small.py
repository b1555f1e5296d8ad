"""Small things that many tests use."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tf_distill.config import Config
from tf_distill.core.inner import Samples
from tf_distill.core.learner import Learner
from tf_distill.datasets.base import Dataset, Encoding
from tf_distill.networks import NETWORKS, Choice
from tf_distill.runs import experiment
from tf_distill.runs.folder import Files, InMemory, RunFolder
from tf_distill.runs.run import Run, configure, named_run

FEATURES, CLASSES = 5, 3
TREES = {
    "train": "(3 (2 It) (4 (3 works) (2 .)))\n(0 (1 Awful) (2 film))\n(4 (4 Great) (2 film))\n",
    "dev": "(2 (2 So) (2 so))\n",
    "test": "(1 (2 It) (1 (1 fails) (2 .)))\n(3 (3 Great) (2 -LRB-))\n",
}
"""A tiny SST-5: the text of each of its files."""


class Identity(Encoding):
    """Stored inputs are what the network sees."""

    shape = (FEATURES,)

    def __call__(self, x):
        """The same as float32."""
        return tf.cast(x, tf.float32)

    def metadata(self):
        """The shape."""
        return {"kind": "vector", "shape": self.shape}


def learner(outputs: int = CLASSES) -> Learner:
    """A network of two dense layers on `[FEATURES]`."""
    dense = keras.layers.Dense
    return Learner(keras.Sequential([keras.Input([FEATURES]), dense(4, "tanh"), dense(outputs)]))


def tiny(shape, outputs, width=1.0, depth=0, dropout=0.0) -> keras.Model:
    """A network for any data that compiles at once, made as those of the registry."""
    layers = keras.layers
    hidden = [layers.Dense(4) for _ in range(depth)]
    return keras.Sequential([keras.Input(shape), layers.Flatten(), *hidden, layers.Dense(outputs)])


def run(config: Config, files: Files | None = None, **more) -> Run:
    """The run of these settings on `dataset` with the network of `learner`."""
    defaults = NETWORKS["lenet"].defaults
    choice = Choice("small", lambda: learner().model, defaults, (FEATURES,), CLASSES)
    return Run(config, dataset(), choice, files or InMemory(), **more)


def samples(steps: int = 2, n: int = 3, epochs: int = 2, outputs: int = CLASSES) -> Samples:
    """Random distilled samples for `learner`."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    lr = rng.uniform(0.1, 0.5, steps * epochs).astype(np.float32)
    return Samples(*map(tf.constant, (draw(steps, n, FEATURES), draw(steps, n, outputs), lr)))


def dataset(train: int = 40, test: int = 21) -> Dataset:
    """Random vectors whose class is their largest of the first three numbers."""
    x = np.random.default_rng(1).standard_normal((train + test, FEATURES)).astype(np.float32)
    y = x[:, :CLASSES].argmax(1).astype(np.int32)
    names = tuple("abc")
    return Dataset("vectors", names, x[:train], y[:train], x[train:], y[train:], Identity())


def config(run_dir: Path, **settings) -> Config:
    """A run of seconds on the questions, or on what the settings say."""
    given = {
        "dataset": "toy_questions",
        "outer_steps": 4,
        "eval_every": 2,
        "batch_size": 16,
        "epochs": 2,
        "run_dir": str(run_dir),
        **settings,
    }
    return configure(given)


def carry_out(config: Config) -> dict:
    """The results of the run of these settings, in its folder."""
    return experiment.carry_out(named_run(config)).results


def begun(config: Config) -> RunFolder:
    """A folder in which a run has come to its first checkpoint, as far as settings tell."""
    folder = RunFolder(config.run_dir)
    folder.path.mkdir(parents=True, exist_ok=True)
    (folder.path / "config.json").write_text(config.to_json())
    return folder


def timeless(history: list[dict[str, float]]) -> list[dict[str, float]]:
    """A history without its seconds, which differ from run to run."""
    return [{k: v for k, v in line.items() if k != "seconds"} for line in history]
