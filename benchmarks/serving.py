"""How fast the served text model answers on one core, beside `model.predict` of its network.

  python benchmarks/serving.py

The sizes are those of TREC-6 (30 words, 8,000 vectors of 100 numbers, 6 classes); the
weights and vectors are random, which costs as much time as trained ones. Served: raw
texts through the whole graph by TensorFlow's C++ session, without a network in between.
Predict: the same texts, already numbered and embedded.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf
from absl import app, flags

from tf_distill.core import Learner
from tf_distill.datasets.words import TextEncoding
from tf_distill.export import classifier, servable
from tf_distill.networks import NETWORKS

_MODEL = flags.DEFINE_string("model", "bilstm", "Text network: bilstm, birnn or textconvnet.")
_BATCHES = flags.DEFINE_list("batches", ["1", "32", "256"], "Texts in a request.")
_REPEATS = flags.DEFINE_integer("repeats", 50, "Requests of each size, after one to warm up.")
_CORE = flags.DEFINE_integer("core", 0, "Number of the core that everything runs on.")

LOADER = Path(__file__).parents[1] / "tests" / "cpp_loader.py"
WORDS, DIMENSION, LENGTH, CLASSES = 8000, 100, 30, 6


def main(_: list[str]) -> None:
    """Prints a table in Markdown."""
    os.sched_setaffinity(0, {_CORE.value})
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    batches, repeats = [int(batch) for batch in _BATCHES.value], _REPEATS.value
    encoding = random_encoding()
    learner = Learner(NETWORKS[_MODEL.value].build(encoding.shape, CLASSES))
    texts = [random_texts(encoding, batch) for batch in batches]
    served = time_served(learner, encoding, texts, repeats)
    print(
        "| texts a request | way | requests/s | texts/s | fastest, ms | median, ms | 95th %, ms |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for request, seconds in zip(texts, served, strict=True):
        embedded = encoding(encoding.number(request)).numpy()
        print(row(len(request), "served", seconds))
        print(row(len(request), "predict", time_predict(learner.model, embedded, repeats)))


def random_encoding() -> TextEncoding:
    """A vocabulary of TREC's size."""
    vectors = np.random.default_rng(0).standard_normal((WORDS, DIMENSION)) * 0.4
    return TextEncoding([f"word{i}" for i in range(WORDS)], vectors, LENGTH)


def random_texts(encoding: TextEncoding, batch: int) -> np.ndarray:
    """Texts of 10 words, as TREC's questions have on average, bytes `[batch]`."""
    words = np.random.default_rng(1).choice(encoding.words, (batch, 10))
    return np.array([*(" ".join(line).encode() for line in words)], object)


def time_served(
    learner: Learner, encoding: TextEncoding, texts: list[np.ndarray], repeats: int
) -> list[np.ndarray]:
    """Seconds of each request after the first, for each batch of texts."""
    classes = [f"class{i}" for i in range(CLASSES)]
    weights = learner.init(tf.constant([0, 0]))
    requests = [(classifier.PREDICT, {"text": batch}) for batch in texts]
    with tempfile.TemporaryDirectory() as scratch:
        model, asked, given = (Path(scratch, name) for name in ("model", "asked", "given"))
        servable.write(model, classifier.classifier_for(learner, weights, classes, encoding))
        asked.write_bytes(pickle.dumps(requests))
        command = [sys.executable, LOADER, model, asked, given, str(repeats + 1)]
        subprocess.run(command, check=True)
        return [np.array(seconds[1:]) for _, seconds in pickle.loads(given.read_bytes())]


def time_predict(model, x: np.ndarray, repeats: int) -> np.ndarray:
    """Seconds of each call after the first."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        model.predict(x, batch_size=len(x), verbose=0)
        seconds.append(time.perf_counter() - started)
    return np.array(seconds[1:])


def row(batch: int, way: str, seconds: np.ndarray) -> str:
    """A line of the table; the rates are those of the median request."""
    fastest = np.min(seconds)
    median, slow = np.median(seconds), np.percentile(seconds, 95)
    return (
        f"| {batch} | {way} | {1 / median:.1f} | {batch / median:.0f} | {1e3 * fastest:.1f} | "
        f"{1e3 * median:.1f} | {1e3 * slow:.1f} |"
    )


if __name__ == "__main__":
    app.run(main)
