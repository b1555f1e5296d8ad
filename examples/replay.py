"""Continual learning: a network learns ten digits in five tasks, and replays a few images.

  python examples/replay.py --data_dir=DIR   # MNIST of tensorflow-datasets
  python examples/replay.py                  # scikit-learn's digits

A network that learns 2 and 3 forgets 0 and 1, unless it sees some of them again. Here are three
memories of the same size, and how well the network reads all ten digits at the end with each:

- distilled: after each task its images are distilled; `td.merge` makes one set of all so far.
- herding: real images whose mean is near to that of their class.
- reservoir: real images, a random draw of all that were seen so far.
"""

from collections.abc import Sequence
from typing import Any

import digit_parts
import keras
import numpy as np
from absl import flags

import tf_distill as td
from tf_distill.common import cli
from tf_distill.datasets import Dataset
from tf_distill.evaluation.baselines import herding
from tf_distill.networks import NETWORKS

NEW = 500
"""Images of each new class that the network learns from."""
Memory = tuple[np.ndarray, np.ndarray]
"""Images as a network sees them, and their labels: probabilities `[M, classes]`."""


def split(data: Dataset) -> list[Dataset]:
    """Five tasks: 0 and 1, 2 and 3, and so on."""
    pairs = np.arange(len(data.classes)).reshape(-1, 2)
    return [digit_parts.part(data, np.isin(data.y_train, pair)) for pair in pairs]


def distilled(tasks: Sequence[Dataset], each: int, seed: int) -> list[Memory]:
    """The memory after each task: the distilled sets of the tasks so far, merged.

    Labels stay hard: learned ones would only tell the two digits of a task apart.
    """
    sets = [digit_parts.distil(task, 2 * each, seed, labels="hard") for task in tasks]
    return [td.merge(sets[: i + 1]).arrays() for i in range(len(sets))]


def herded(tasks: Sequence[Dataset], each: int, seed: int) -> list[Memory]:
    """The memory after each task: real images near to the mean of their class."""
    x, y = np.empty((0, *tasks[0].encoding.shape), np.float32), np.empty(0, np.int32)
    memories = []
    for task in tasks:
        own = herding(task, 2 * each, np.random.default_rng(seed))
        x, y = np.concatenate([x, own.x]), np.concatenate([y, own.y])
        memories.append((x, one_hot(y)))
    return memories


def reservoir(tasks: Sequence[Dataset], each: int, seed: int) -> list[Memory]:
    """The memory after each task: of all images so far, each is there with the same chance."""
    rng, size, count = np.random.default_rng(seed), 10 * each, 0
    kept: list[tuple[np.ndarray, int]] = []
    memories = []
    for task in tasks:
        for i in rng.permutation(len(task.y_train)):
            count += 1
            place = len(kept) if len(kept) < size else int(rng.integers(count))
            if place < size:
                kept[place : place + 1] = [(task.x_train[i], task.y_train[i])]
        images, classes = zip(*kept, strict=True)
        memories.append((digit_parts.seen(task, np.stack(images)), one_hot(classes)))
    return memories


MEMORIES = {"distilled": distilled, "herding": herded, "reservoir": reservoir}


def one_hot(classes: Any) -> np.ndarray:
    """Labels `[M, 10]` of classes `[M]`."""
    return np.eye(10, dtype=np.float32)[np.asarray(classes)]


def learn(data: Dataset, tasks: Sequence[Dataset], memories: Sequence[Memory], seed: int) -> float:
    """Learns the tasks one after the other, and gives the accuracy on all test images.

    In a task each old class counts as much as each new one: images of the memory are repeated.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = NETWORKS["lenet"].build(data.encoding.shape, 10)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss)
    for i, task in enumerate(tasks):
        rows = rng.permutation(len(task.y_train))[: 2 * NEW]
        x, y = digit_parts.seen(task, task.x_train[rows]), one_hot(task.y_train[rows])
        if i:
            old_x, old_y = memories[i - 1]
            again = np.resize(np.arange(len(old_x)), i * len(rows))
            x, y = np.concatenate([x, old_x[again]]), np.concatenate([y, old_y[again]])
        model.fit(x, y, batch_size=64, epochs=1, verbose=0)
    return digit_parts.accuracy(model, data)


def compare(data: Dataset, each: int, seeds: int) -> dict[str, list[float]]:
    """The accuracy with each memory of `each` images a class, for some seeds."""
    tasks = split(data)
    accuracies: dict[str, list[float]] = {name: [] for name in MEMORIES}
    for seed in range(seeds):
        for name, make in MEMORIES.items():
            found = learn(data, tasks, make(tasks, each, seed), seed)
            accuracies[name].append(found)
            print(f"{name}, {each} images a class, seed {seed}: {found:.4f}", flush=True)
    return accuracies


def main(argv: list[str]) -> None:
    """Prints the accuracy with each memory, and its mean and standard deviation over seeds."""
    cli.no_arguments(argv)
    data = digit_parts.load(_DATA_DIR.value)
    for each in map(int, _EACH.value):
        for name, found in compare(data, each, _SEEDS.value).items():
            print(f"{name}, {each} a class: {np.mean(found):.4f} +- {np.std(found):.4f}")


if __name__ == "__main__":
    _DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with MNIST of tensorflow-datasets.")
    _EACH = flags.DEFINE_list("each", ["1", "10"], "Images of each class in the memory.")
    _SEEDS = flags.DEFINE_integer("seeds", 5, "Repetitions, with everything new.")
    cli.run(main, "replay")
