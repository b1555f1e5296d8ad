"""Writing files and folders whole or not at all."""

import contextlib
import errno
import glob
import gzip
import json
import lzma
import math
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from tf_distill.common.errors import UserError, without_operation
from tf_distill.common.progress import say

MOST_JSON, MOST_LINES = 2**25, 2**27
"""Bytes of a JSON file, and of one of JSON lines, that are read at most."""
ELSEWHERE = "name a folder that can be written"
"""What to do where one can't be."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path that takes the name `path`, replacing it, when the block succeeds."""
    _remove_dead(path.parent.glob(f".{glob.escape(path.name)}.*.part"))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    remove(part)
    try:
        with os_errors(path):
            yield part
        _to_disk(part)
        if path.is_dir():
            remove(path)
        os.replace(part, path)
    finally:
        remove(part)


def clear_parts(folder: Path) -> None:
    """Deletes what processes that were killed have left half-written in a folder or below."""
    _remove_dead(folder.rglob(".*.part"))


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """TensorFlow's errors of writing at `path`, such as of a full disk, as an OSError."""
    try:
        yield
    except Exception as error:  # by its name, as this module does without TensorFlow
        if "OpError" not in (kind.__name__ for kind in type(error).__mro__):
            raise
        text = without_operation(str(error).splitlines()[0])
        raise OSError(errno.EIO, text, str(path)) from error


@contextlib.contextmanager
def writing_to(place: object, advice: str) -> Iterator[None]:
    """What can't be written in the block is a UserError that names the place and what to do.

    Args:
        place: for the error.
        advice: what to do, unless the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "make room there and call again"
        raise UserError(f"can't write to {place}: {error.strerror or error}; {advice}") from error


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
        value = strict_json(bounded_content(path, MOST_JSON))
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
        return parse_json(line)
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


def _remove_dead(parts: Iterable[Path]) -> None:
    for part in list(parts):
        process = part.name.split(".")[-2]
        if not (process.isdecimal() and _is_running(int(process))):
            remove(part)


def _to_disk(path: Path) -> None:
    """Waits till all of a file or folder is there even if the power fails."""
    for inner in [*path.rglob("*"), path]:
        descriptor = os.open(inner, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Deletes a file, or a folder with all that is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


LOCK_NAME = ".lock"


@contextlib.contextmanager
def folder_lock(folder: Path, seconds: float | None = 0) -> Iterator[None]:
    """Keeps other processes out of a folder that is there, for as long as the block runs.

    The operating system holds the lock and lets go of it when the process ends, however that
    is; the empty file that is left means nothing. The same thread may take it again inside.

    Args:
        folder: the folder.
        seconds: to wait where another has it; None for as long as it takes.

    Raises:
        UserError: another process, or another thread, has it; or the folder can't be written.
    """
    lock = FileLock(folder / LOCK_NAME, is_singleton=True)
    if not _acquired(lock, folder, seconds or 0):
        busy = f"another process is at work in {folder}"
        if seconds is not None:
            raise UserError(f"{busy}; wait till it ends, or name another --run_dir") from None
        say(f"{busy}; waiting till it ends")
        _wait(lock, folder)
    try:
        yield
    finally:
        lock.release()


def _acquired(lock: FileLock, folder: Path, seconds: float) -> bool:
    with writing_to(folder, ELSEWHERE):
        try:
            lock.acquire(timeout=seconds)
        except Timeout:  # which is an OSError too
            return False
    return True


def _wait(lock: FileLock, folder: Path) -> None:
    while not lock.is_locked:
        with contextlib.suppress(Timeout, FileNotFoundError):
            folder.mkdir(exist_ok=True)  # who had it may have deleted all
            lock.acquire(timeout=1)


UNPACKED, TIMES = 2**28, 200
"""A packed file may grow to so many bytes, or to so many times its size: real data pack 3 to 50
times, a file that is made to fill the memory 1000 times."""
DEEPEST = 100
"""Levels of lists and objects within each other that JSON may have here."""


def most_unpacked(path: Path) -> int:
    """The bytes that the content of a packed file may have."""
    return max(UNPACKED, TIMES * path.stat().st_size)


def bounded_lines(path: Path, longest: int) -> Iterator[bytes]:
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


def bounded_content(path: Path, most: int) -> str:
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


def parse_json(text: str | bytes, constant: Callable[[str], Any] | None = None) -> Any:
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


def strict_json(text: str) -> Any:
    """A JSON value that any program can write again: all numbers finite, all text Unicode.

    Raises:
        ValueError: it is none.
    """
    value = parse_json(text, _no_number)
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


PLAIN = "biufcSU"
"""Kinds of numpy's types that are numbers or strings."""
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
UNREADABLE = (
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and numpy raise for damage; NotImplementedError is a RuntimeError."""


def read_npz_arrays(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """The arrays of the wanted names that an archive has.

    Raises:
        ValueError: no archive, or arrays that are damaged, objects, or beyond all bounds; one line.
        OSError: the file can't be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: f"{name}.npy" for name in wanted}
            there = {name: m for name, m in members.items() if m in archive.NameToInfo}
            total, most = sum(archive.getinfo(m).file_size for m in there.values()), 0
            if total > (most := most_unpacked(path)):
                raise ValueError(f"it unpacks to {total} bytes, at most {most} are read")
            return {name: _array(archive, member) for name, member in there.items()}
    except UNREADABLE as error:
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from None


def npz_names(path: Path) -> list[str]:
    """The names of the arrays of an archive that has been read."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _array(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """One array; numpy takes the memory that its header asks for, so that is checked before."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"{member} has numpy's format {version}, expected numbers or strings")
        shape, _, dtype = HEADERS[version](file)
        held = archive.getinfo(member).file_size - file.tell()
    if dtype.hasobject:
        raise ValueError(f"{member} holds objects, which only allow_pickle could load")
    if dtype.kind not in PLAIN or not dtype.itemsize:
        raise ValueError(f"{member} holds {dtype}, expected numbers or strings")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f"{member} says shape {shape} of {dtype}, and holds {held} bytes")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
