"""Questions of a small grammar with random word vectors: texts without a file, for first trials."""

import itertools
from pathlib import Path

import numpy as np

from tf_distill.datasets.base import Dataset, Parts
from tf_distill.datasets.words import TextEncoding, Vectors, survey

LENGTH, DIMENSION = 8, 16
GRAMMAR = {
    "person": ("who", ("wrote", "painted", "built", "found", "led")),
    "place": ("where", ("is", "was", "lies", "stands")),
    "number": ("how many", ("rooms has", "years has", "men built", "roads cross")),
}
OBJECTS = ("bridge", "castle", "song", "city", "tower", "island", "book", "river", "wall", "garden")
ADJECTIVES = ("old", "great", "white", "lost", "red", "second")


def load_toy_questions(data_dir: Path, embeddings: Vectors) -> Dataset:
    """All 780 questions of the grammar in three classes, a quarter of them for the test."""
    texts, labels = zip(*_questions(), strict=True)
    order = np.random.default_rng(0).permutation(len(texts))
    raw = np.array([text.encode() for text in texts], object)[order]
    y = np.array(labels, np.int32)[order]
    words, _ = survey(raw, 1000)
    vectors = np.random.default_rng(1).standard_normal((len(words), DIMENSION)) * 0.5
    encoding = TextEncoding(words, vectors, LENGTH)
    x, cut = encoding.number(raw), len(raw) // 4
    parts = Parts(tuple(GRAMMAR), x[cut:], y[cut:], x[:cut], y[:cut])
    return parts.dataset(
        "toy_questions",
        encoding,
        raw_train=raw[cut:],
        raw_test=raw[:cut],
        license="Apache-2.0",
    )


def _questions():
    for label, (word, verbs) in enumerate(GRAMMAR.values()):
        for verb, adjective, thing in itertools.product(verbs, ADJECTIVES, OBJECTS):
            yield f"{word} {verb} the {adjective} {thing} ?", label
