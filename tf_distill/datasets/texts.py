"""Texts of any kind as a dataset: words numbered, with pretrained or made vectors."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill.common import UserError, say, words_of_python
from tf_distill.datasets.base import Dataset
from tf_distill.datasets.embeddings import TRAIN, USUAL, read_vectors, train_vectors
from tf_distill.datasets.labels import Parts, part
from tf_distill.datasets.words import UNKNOWN, TextEncoding, survey

GLOVE = Path("glove", USUAL)
WORDS, TRAINED_WORDS = 50_000, 20_000
"""Words of a vocabulary: the most frequent ones. What is rare gets no good vector of its own."""
COVERED, SHORTEST, LONGEST = 0.95, 5, 400
"""The part of the texts that is not cut, and bounds for the words of a text; networks need 5."""


def embed(
    name: str, parts: Parts, embeddings: str | Path, length: int | None = None, seed: int = 0
) -> Dataset:
    """Texts as numbered words, with the vectors of the training words.

    Args:
        name: of the dataset.
        parts: the texts, bytes in arrays of objects, and classes.
        embeddings: a file of vectors, or "train" to make them of the training texts.
        length: words that a text is padded or cut to; None for what 95 of 100 training
            texts have at most, from 5 to 400.
        seed: of vectors that are made.
    """
    trained = embeddings == TRAIN
    words, lengths = survey(parts.x_train, TRAINED_WORDS if trained else WORDS)
    if not words:
        raise UserError(f"the training texts of {name} have no words, expected some")
    chosen = length or int(np.clip(np.ceil(np.quantile(lengths, COVERED)), SHORTEST, LONGEST))
    if trained:
        encoding = _trained(words, parts.x_train, chosen, seed)
    else:
        found = read_vectors(Path(embeddings), frozenset(words))
        known = [word for word in words if word in found]
        encoding = TextEncoding(known, np.stack([found[word] for word in known]), chosen)
    if length is None:
        source = "made of the training texts" if trained else f"from {embeddings}"
        say(
            f"texts are {chosen} words, longer ones cut; vectors of {encoding.shape[1]} numbers "
            f"{source} for {len(encoding.words)} of {len(words)} words"
        )
    return Dataset(
        name,
        parts.classes,
        encoding.number(parts.x_train),
        parts.y_train,
        encoding.number(parts.x_test),
        parts.y_test,
        encoding,
        raw_train=parts.x_train,
        raw_test=parts.x_test,
    )


def _trained(words: list[str], texts: np.ndarray, length: int, seed: int) -> TextEncoding:
    numbers = TextEncoding(words, np.zeros((len(words), 1)), length).number(texts)
    vectors = train_vectors(numbers - UNKNOWN - 1, len(words), seed)
    return TextEncoding(words, vectors, length)


@words_of_python()
def from_texts(
    x_train: Iterable[str],
    y_train: Iterable[Any],
    x_test: Iterable[str] | None = None,
    y_test: Iterable[Any] | None = None,
    *,
    classes: Sequence[str] | None = None,
    embeddings: str | Path = TRAIN,
    length: int | None = None,
    name: str = "texts",
    seed: int = 0,
) -> Dataset:
    """A dataset of texts with a class each.

    Args:
        x_train: strings `[N]`; those that are empty are left out.
        y_train: their classes: strings or whole numbers `[N]`.
        x_test: likewise; without it a fifth of the texts, stratified, is held out.
        y_test: likewise.
        classes: names in the order of the outputs; labels are names or positions here. By
            default the sorted labels.
        embeddings: a file of word vectors (see `embeddings.read_vectors`), or "train" for
            vectors that are made of the training texts.
        length: words that a text is padded or cut to; by default what 95 of 100 have at most.
        name: of the dataset.
        seed: of the held-out part and of vectors that are made.

    Raises:
        UserError: texts or labels that are none, with their position.
    """
    if (x_test is None) != (y_test is None):
        raise UserError("got one of x_test and y_test, expected both or none")
    test = None
    if x_test is not None and y_test is not None:
        test = _plain(x_test, y_test, "test")
    parts = part(_plain(x_train, y_train, "train"), test, ("y_train", "y_test"), classes, seed)
    return embed(name, parts, embeddings, length, seed)


def _plain(texts: Iterable[str], labels: Iterable[Any], split: str) -> tuple[np.ndarray, list[Any]]:
    """Texts as bytes with their labels, but for the empty ones."""
    texts, labels = list(texts), list(labels)
    if len(texts) != len(labels):
        raise UserError(
            f"got {len(texts)} texts in x_{split} and {len(labels)} labels in y_{split}, expected "
            "as many"
        )
    for i, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise UserError(f"x_{split}[{i}] is {text!r}, expected a string")
    return with_words(texts, labels, f"x_{split}")


def with_words(
    texts: Sequence[str | bytes], labels: Sequence[Any], where: str
) -> tuple[np.ndarray, list[Any]]:
    """Texts, bytes `[N]` in an array of objects, with their labels, but for the empty ones.

    Args:
        texts: which to look at.
        labels: as many.
        where: they come from, for a line that says how many are left out.
    """
    kept = [i for i, text in enumerate(texts) if text.strip()]
    if len(kept) < len(texts):
        say(f"{where}: {len(texts) - len(kept)} empty texts are left out")
    chosen = (texts[i] for i in kept)
    array = np.empty(len(kept), object)
    array[:] = [t if isinstance(t, bytes) else t.encode("utf-8", "replace") for t in chosen]
    return array, [labels[i] for i in kept]
