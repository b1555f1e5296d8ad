"""What the tests of exports share: a model in the C++ loader, and the same in Keras."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from places import ROOT

import tf_distill
from tf_distill.datasets import DATASETS

FORMAT_1 = ROOT / "tests" / "data" / "distilled_format_1"
QUESTIONS = ("who wrote the old book ?", "where is the lost city ?", "\u65e5\u672c")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def program(*command, status=0):
    """Runs a Python program of the repository; gives stdout, or stderr where it should fail."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def in_cpp(model, requests, scratch):
    """The answers of TensorFlow's C++ loader to (signature, inputs), in a process of its own."""
    asked, given = scratch / "asked.pickle", scratch / "given.pickle"
    asked.write_bytes(pickle.dumps(requests))
    program("tests/cpp_loader.py", model, asked, given)
    return [answer for answer, _ in pickle.loads(given.read_bytes())]


def strings(*values):
    """Texts or bytes as an array of bytes."""
    return np.array([v.encode() if isinstance(v, str) else v for v in values], object)


def dataset(run):
    """The dataset of a run that needs no files."""
    name = tf_distill.load_distilled(run / "distilled" / "1").metadata["dataset"]
    return DATASETS[name].load(Path(), None)


def in_keras(run, x):
    """Probabilities of a run's network, trained and asked by Keras, for embedded inputs."""
    distilled = tf_distill.load_distilled(run / "distilled" / "1")
    model = distilled.train(distilled.network())
    return tf.nn.softmax(model.predict(x, verbose=0, batch_size=256)).numpy()


def expected_answers(run):
    """Probabilities of QUESTIONS by Keras."""
    encoding = dataset(run).encoding
    return in_keras(run, encoding(encoding.number(strings(*QUESTIONS))))


def example(name, value):
    """A serialized tf.Example with one string feature."""
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    features = tf.train.Features(feature={name: feature})
    return tf.train.Example(features=features).SerializeToString()
