"""Writing files and folders whole or not at all."""

import contextlib
import glob
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tf_distill import bounded
from tf_distill.errors import UserError

MOST_JSON, MOST_LINES = 2**25, 2**27
"""Bytes of a JSON file, and of one of JSON lines, that are read at most."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path that takes the name `path`, replacing it, when the block succeeds."""
    for old in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if not _is_running(int(old.name.split(".")[-2])):  # what a killed process left
            _remove(old)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _remove(part)
    try:
        yield part
        if path.is_dir():
            _remove(path)
        os.replace(part, path)
    finally:
        _remove(part)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, UTF-8."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented JSON."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        UserError: the file holds none, numbers that are not finite, or more than MOST_JSON.
    """
    try:
        value = bounded.strict(bounded.content(path, MOST_JSON))
        if not isinstance(value, dict):
            raise ValueError(f"a {type(value).__name__}")
        return value
    except OSError as error:
        raise UserError(
            f"can't read {path}: {error.strerror or error}; make it readable, or name another"
        ) from error
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}), expected a JSON object; delete it or name another folder"
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a binary file."""
    with whole(path) as part:
        part.write_bytes(data)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line, less lines that a crash has cut; [] for no file.

    Raises:
        UserError: it can't be read, or has more than MOST_LINES bytes.
    """
    if not path.exists():
        return []
    try:
        if not path.is_file() or path.stat().st_size > MOST_LINES:
            raise UserError(f"{path} is no file of at most {MOST_LINES} bytes; delete it")
        with path.open(encoding="utf-8", errors="replace") as lines:
            parsed = [_parse(line) for line in lines if line.endswith("\n")]
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror or error}") from error
    return [value for value in parsed if isinstance(value, dict)]


def _parse(line: str) -> Any:
    try:
        return bounded.parse(line)
    except ValueError:
        return None


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
