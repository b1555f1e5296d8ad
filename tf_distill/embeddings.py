"""Pretrained word vectors from a text file: a word and its numbers on each line."""

import itertools
from collections.abc import Collection
from pathlib import Path

import numpy as np

from tf_distill.errors import UserError


def read_vectors(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors of the wanted words that the file has.

    Args:
        path: a file in GloVe's text format, UTF-8.
        wanted: words; the others are passed over.

    Returns:
        float32 `[dimension]` for each word found; the first of repeated lines counts.

    Raises:
        UserError: no such file, or a line that is broken, with its number.
    """
    if not path.is_file():
        raise UserError(
            f"no word vectors at {path}; put glove.6B.100d.txt there (from glove.6B.zip of "
            "https://nlp.stanford.edu/projects/glove/) or name a file with --embeddings"
        )
    found: dict[str, np.ndarray] = {}
    dimension = None
    with path.open(encoding="utf-8", errors="replace") as file:
        for line_number, line in enumerate(file, 1):
            word, *numbers = line.rstrip("\n").rsplit(" ", dimension or line.count(" "))
            dimension = dimension or len(numbers)
            surplus = _numbers_at_the_end(word) if " " in word else 0
            if len(numbers) != dimension or not dimension or surplus:
                raise _broken(path, line_number, f"{len(numbers) + surplus} numbers", dimension)
            if word in wanted and word not in found:
                found[word] = _vector(numbers, path, line_number, dimension)
    if not found:
        raise UserError(
            f"{path} has none of the {len(wanted)} words of the dataset; expected a word "
            "and its vector on each line; name another file with --embeddings"
        )
    return found


def _vector(numbers: list[str], path: Path, line_number: int, dimension: int) -> np.ndarray:
    try:
        vector = np.array(numbers, np.float32)
    except ValueError:
        bad = next(n for n in numbers if not _is_number(n))
        raise _broken(path, line_number, f"{bad[:20]!r}", dimension) from None
    if not np.isfinite(vector).all():
        raise _broken(path, line_number, "a number that is not finite", dimension)
    return vector


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers_at_the_end(word: str) -> int:
    """How many numbers stand after the first part of what should be one word (with blanks)."""
    return sum(1 for _ in itertools.takewhile(_is_number, reversed(word.split(" ")[1:])))


def _broken(path: Path, line_number: int, got: str, dimension: int | None) -> UserError:
    return UserError(
        f"{path}, line {line_number}: got {got}, expected a word and {dimension or 'its'} numbers "
        "parted by blanks; mend or delete this line"
    )
