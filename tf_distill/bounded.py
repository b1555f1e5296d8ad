"""Reading files from elsewhere within bounds, so that no small file takes all of the memory."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tf_distill.errors import UserError

UNPACKED, TIMES = 2**28, 200
"""A packed file may grow to so many bytes, or to so many times its size: real data pack 3 to 50
times, a file that is made to fill the memory 1000 times."""
DEEPEST = 100
"""Levels of lists and objects within each other that JSON may have here."""


def most_unpacked(path: Path) -> int:
    """The bytes that the content of a packed file may have."""
    return max(UNPACKED, TIMES * path.stat().st_size)


def lines(path: Path, longest: int) -> Iterator[bytes]:
    """The lines of a file with their ends, unpacked where its name ends in .gz.

    Args:
        path: of a regular file.
        longest: bytes that a line may have.

    Raises:
        UserError: a line that is longer, a file that is none or unpacks to far too much.
        OSError, EOFError, zlib.error: as `open` and `gzip.open` raise them.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"can't read {path}: it is no regular file; name one")
    packed = path.suffix.lower() == ".gz"
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        most, total = most_unpacked(path), 0
        # Never a whole line at once: one that does not end would be the whole file.
        for number, line in enumerate(iter(lambda: file.readline(longest + 1), b""), 1):
            total += len(line)
            if len(line) > longest:
                raise UserError(
                    f"{path}, line {number}: got more than {longest} bytes, expected shorter "
                    "lines; is this the right file?"
                )
            if packed and total > most:
                raise UserError(
                    f"{path} unpacks to more than {most} bytes, {TIMES} times its size or more, "
                    "expected text; unpack it yourself if you trust it"
                )
            yield line


def content(path: Path, most: int) -> str:
    """The text of a regular file.

    Raises:
        ValueError: it is longer than `most` bytes, no regular file, or no UTF-8.
        OSError: it can't be read.
    """
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"more than {most} bytes")
    return data.decode()


def parse(text: str | bytes, constant: Callable[[str], Any] | None = None) -> Any:
    """A JSON value.

    Args:
        text: of the value.
        constant: what to make of NaN, Infinity and -Infinity, which JSON does not have.

    Raises:
        ValueError: no JSON, or one of more than DEEPEST levels.
    """
    try:
        value = json.loads(text, parse_constant=constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if isinstance(text, bytes) or text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    return value


def strict(text: str) -> Any:
    """A JSON value that any program can write again: all numbers finite, all text Unicode.

    Raises:
        ValueError: it is none.
    """
    value = parse(text, _no_number)
    if "\\ud" in text.lower():  # halves of surrogate pairs, which no file can hold as UTF-8
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _inside(value: Any) -> list[Any]:
    """The lists and objects in one of these."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, (dict, list))]
