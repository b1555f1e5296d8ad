"""Federated learning in one round: ten clients send distilled sets, not weights.

  python examples/federated.py --data_dir=DIR   # MNIST of tensorflow-datasets
  python examples/federated.py                  # scikit-learn's digits

Nobody may see the images of a client. In FedAvg each client trains the same initial network, and
the server takes the mean of the weights that they send. Here each client distils its images, and
sends a byte for each pixel of a few learned ones; the server merges the sets and trains a network
on them. That is no proof of privacy: docs/privacy.md says what learned images can tell.
"""

import dataclasses
from collections.abc import Sequence

import digit_parts
import keras
import numpy as np
from absl import flags

import tf_distill as td
from tf_distill.common import cli
from tf_distill.datasets import Dataset
from tf_distill.networks import NETWORKS


def iid(data: Dataset, rng: np.random.Generator) -> list[Dataset]:
    """Ten clients with images of all classes."""
    order = rng.permutation(len(data.y_train))
    return [digit_parts.part(data, rows) for rows in np.array_split(order, 10)]


def skewed(data: Dataset, rng: np.random.Generator) -> list[Dataset]:
    """Ten clients with two classes each: half of the images of each."""
    own = [rng.permutation(np.flatnonzero(data.y_train == k)) for k in range(10)]
    halves = [np.array_split(rows, 2) for rows in own]
    return [
        digit_parts.part(data, np.concatenate([halves[k][0], halves[(k + 1) % 10][1]]))
        for k in range(10)
    ]


def send(distilled: td.LoadedSet) -> bytes:
    """What a client sends: a byte for each pixel, two for each probability."""
    x, y = distilled.arrays()
    ends = np.float32([x.min(), x.max()])
    pixels = np.round(255 * (x - ends[0]) / (ends[1] - ends[0])).astype(np.uint8)
    return ends.tobytes() + pixels.tobytes() + y.astype(np.float16).tobytes()


def receive(message: bytes, like: td.LoadedSet) -> td.LoadedSet:
    """The set of a message; all else of it, such as its network, is agreed on beforehand."""
    shape, labels = like.samples.x.shape, like.samples.y.shape
    ends, pixels = np.frombuffer(message[:8], np.float32), np.prod(shape)
    x = np.frombuffer(message[8 : 8 + pixels], np.uint8).reshape(shape) / np.float32(255)
    y = np.frombuffer(message[8 + pixels :], np.float16).reshape(labels).astype(np.float32)
    samples = td.Samples(x * (ends[1] - ends[0]) + ends[0], y, like.samples.lr)
    return dataclasses.replace(like, samples=samples)


def distil(clients: Sequence[Dataset]) -> list[td.LoadedSet]:
    """The set of each client: one learned image for each class that it has."""
    return [
        digit_parts.distil(own, len(np.unique(own.y_train)), seed)
        for seed, own in enumerate(clients)
    ]


def by_sets(sets: Sequence[td.LoadedSet], data: Dataset, networks: int) -> tuple[int, list[float]]:
    """The most bytes that a client sends, and the accuracies of networks trained on all sets."""
    messages = [send(distilled) for distilled in sets]
    merged = td.merge([receive(m, like) for m, like in zip(messages, sets, strict=True)])
    found = []
    for seed in range(networks):
        keras.utils.set_random_seed(seed)
        found.append(digit_parts.accuracy(merged.train(merged.network(), order=seed), data))
    return max(map(len, messages)), found


def by_weights(
    clients: Sequence[Dataset], data: Dataset, networks: int, epochs: int = 1, rate: float = 0.001
) -> tuple[int, list[float]]:
    """The bytes that a client sends, and the accuracies, after one round of FedAvg."""
    found = []
    for seed in range(networks):
        keras.utils.set_random_seed(seed)
        model = NETWORKS["lenet"].build(data.encoding.shape, 10)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss)
        start, sent = model.get_weights(), []
        for own in clients:
            model.set_weights(start)
            x = digit_parts.seen(own, own.x_train)
            model.fit(x, own.y_train, batch_size=32, epochs=epochs, verbose=0)
            sent.append(model.get_weights())
        model.set_weights([np.mean(weights, axis=0) for weights in zip(*sent, strict=True)])
        found.append(digit_parts.accuracy(model, data))
    return sum(weights.nbytes for weights in start), found


def main(argv: list[str]) -> None:
    """Prints bytes and accuracies of both ways, for alike and for skewed clients."""
    cli.no_arguments(argv)
    data, networks = digit_parts.load(_DATA_DIR.value), _NETWORKS.value
    for name, deal in {"alike": iid, "two classes each": skewed}.items():
        clients = deal(data, np.random.default_rng(0))
        ways = {
            "FedAvg": by_weights(clients, data, networks),
            "distilled sets": by_sets(distil(clients), data, networks),
        }
        for way, (size, found) in ways.items():
            told = f"{size:,} bytes a client, accuracy {np.mean(found):.4f} +- {np.std(found):.4f}"
            print(f"clients {name}, {way}: {told}", flush=True)


if __name__ == "__main__":
    _DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with MNIST of tensorflow-datasets.")
    _NETWORKS = flags.DEFINE_integer("networks", 5, "Networks, trained from other weights.")
    cli.run(main, "federated")
