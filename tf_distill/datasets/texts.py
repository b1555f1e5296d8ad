"""Texts as a dataset: numbered words with pretrained vectors, or vectors made of the texts."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill.common import UserError, brief, say
from tf_distill.datasets.base import Dataset, Parts
from tf_distill.datasets.checks import warn
from tf_distill.datasets.embeddings import TRAIN, USUAL, read_vectors, train_vectors
from tf_distill.datasets.labels import labels_in_words, make_parts, plain_values
from tf_distill.datasets.words import UNKNOWN, TextEncoding, survey

GLOVE = Path("glove", USUAL)
WORDS, TRAINED_WORDS = 50_000, 20_000
"""The most words of a vocabulary, with pretrained and with made vectors: the most frequent ones. A
rare word gets no good vector."""
COVERED, SHORTEST, LONGEST = 0.95, 5, 50
"""The part of the texts that is not cut, and bounds of a text's words; networks need 5.

The first words of long texts tell most, and a set of them is learned many times faster.
"""


def text_dataset(
    name: str,
    parts: Parts,
    embeddings: str | Path | TextEncoding,
    length: int | None = None,
    seed: int = 0,
) -> Dataset:
    """A dataset of texts, bytes in arrays of objects, with vectors of the training words.

    Arguments are as for `from_texts`; `embeddings` may also be the encoding itself, which has
    words and a length. Without a `length`, 95 of 100 training texts fit in it; it is from 5 to 50
    words.

    Raises:
        UserError: training texts without words, or a file of vectors that can't be used.
    """
    if isinstance(embeddings, TextEncoding):
        encoding = embeddings
    else:
        encoding = _made(name, parts.x_train, embeddings, length, seed)
    x_train, x_test = map(encoding.number, (parts.x_train, parts.x_test))
    numbered = parts._replace(x_train=x_train, x_test=x_test)
    return warn(numbered.dataset(name, encoding, raw_train=parts.x_train, raw_test=parts.x_test))


def _made(
    name: str, texts: np.ndarray, embeddings: str | Path, length: int | None, seed: int
) -> TextEncoding:
    """The encoding of training texts, bytes `[N]`; lines tell of it where no length is given."""
    trained = embeddings == TRAIN
    words, lengths = survey(texts, TRAINED_WORDS if trained else WORDS)
    if not words:
        raise UserError(f"the training texts of {name} have no words, expected some")
    chosen = length or int(np.clip(np.ceil(np.quantile(lengths, COVERED)), SHORTEST, LONGEST))
    if trained:
        numbers = TextEncoding(words, np.zeros((len(words), 1)), chosen).number(texts)
        vectors = train_vectors(numbers - UNKNOWN - 1, len(words), seed)
        encoding = TextEncoding(words, vectors, chosen)
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
    return encoding


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
        x_train: strings `[N]`, also as an array or a tensor; empty and missing ones are left out.
        y_train: their classes: strings or whole numbers `[N]`.
        x_test: likewise; without it a fifth of the texts, stratified, is held out.
        y_test: likewise.
        classes: names in the order of the outputs; labels are names or positions here. By
            default the sorted labels.
        embeddings: a file of word vectors (see `embeddings.read_vectors`), or "train" for
            vectors that are made of the training texts.
        length: words that a text is padded or cut to; by default 95 of 100 texts fit in.
        name: of the dataset.
        seed: of the held-out part and of vectors that are made.

    Raises:
        UserError: a text that is no string, or a label that is no string or whole number, with
            its position.
    """
    if (x_test is None) != (y_test is None):
        raise UserError("got one of x_test and y_test, expected both or none")
    test = None
    if x_test is not None and y_test is not None:
        test = _checked(x_test, y_test, "test")
    train = _checked(x_train, y_train, "train")
    parts = make_parts(train, test, ("y_train", "y_test"), classes, seed)
    say(
        f"{name}: {len(parts.y_train)} training and {len(parts.y_test)} test texts; "
        f"{labels_in_words(parts)}"
    )
    return text_dataset(name, parts, embeddings, length, seed)


def _checked(
    texts: Iterable[str], labels: Iterable[Any], split: str
) -> tuple[np.ndarray, list[Any]]:
    """Texts as bytes with their labels, without the empty ones."""
    texts, labels = [_plain(text) for text in plain_values(texts)], plain_values(labels)
    if len(texts) != len(labels):
        raise UserError(
            f"got {len(texts)} texts in x_{split} and {len(labels)} labels in y_{split}, expected "
            "as many"
        )
    for i, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            words = isinstance(text, list | tuple | np.ndarray)
            raise UserError(
                f"x_{split}[{i}] is {brief(text)}, expected a string; turn all into strings, "
                + ('by " ".join' if words else "by str")
            )
    return drop_empty(texts, labels, f"x_{split}")


def _plain(text: Any) -> Any:
    """A text, or "" for a missing one: None, a NaN, or the NA of pandas."""
    missing = text is None or type(text).__name__ == "NAType"
    return "" if missing or (isinstance(text, float) and text != text) else text  # noqa: PLR0124


def drop_empty(
    texts: Sequence[str | bytes], labels: Sequence[Any], where: str
) -> tuple[np.ndarray, list[Any]]:
    """Texts, bytes in an array of objects, and their labels; a line counts the empty, left out."""
    kept = [i for i, text in enumerate(texts) if text.strip()]
    if len(kept) < len(texts):
        say(f"{where}: {len(texts) - len(kept)} empty texts are left out")
    return as_bytes([texts[i] for i in kept]), [labels[i] for i in kept]


def as_bytes(texts: Sequence[str | bytes]) -> np.ndarray:
    """Texts as bytes in an array of objects `[N]`."""
    array = np.empty(len(texts), object)
    array[:] = [t if isinstance(t, bytes) else t.encode("utf-8", "replace") for t in texts]
    return array
