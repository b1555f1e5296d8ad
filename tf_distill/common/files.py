"""Files and folders: written whole or not at all, read with one line for damage, and locked."""

import contextlib
import errno
import glob
import gzip
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from tf_distill.common.errors import UserError, without_operation
from tf_distill.common.progress import say

ELSEWHERE = "name a folder that can be written"
"""The advice where a folder can't be written."""
JSON_BYTES = 2**26
"""The most bytes of a JSON file: one from elsewhere shall not fill the memory."""
LOCK_NAME = ".lock"
STARTS = {
    "HTML": rb"(?i)\s*<(!doctype html|html)", "XML, such as SVG": rb"\s*<(\?xml|svg)",
    "TIFF": rb"II\*|MM\x00\*",
    "HEIC": rb"....ftyp(hei|mif|hev)", "AVIF": rb"....ftypavi", "JPEG 2000": rb"\x00\x00\x00\x0cjP",
    "JPEG XL": rb"\xff\x0a|\x00\x00\x00\x0cJXL", "PDF": rb"%PDF",
    "a Windows icon": rb"\x00\x00\x01\x00", "a Git LFS pointer": rb"version https://git-lfs",
    "packed by gzip": rb"\x1f\x8b", "a zip archive or a spreadsheet": rb"PK\x03\x04",
    "an old spreadsheet": rb"\xd0\xcf\x11\xe0", "Parquet": rb"PAR1",
}  # fmt: skip
"""How the content of files begins that are often found under another name."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Gives a temporary path, and renames it to `path` when the block succeeds."""
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


def write_new(place: Path, write: Callable[[Path], None]) -> Path:
    """Has a file or folder written that is not there yet; gives its place.

    UserError if there is something already, or it can't be written.
    """
    if place.exists():
        raise UserError(f"{place} is there already; name a new one")
    with writing_to(place, ELSEWHERE):
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place)
    return place


def clear_parts(folder: Path) -> None:
    """Deletes half-written files of dead processes in a folder and below it."""
    _remove_dead(folder.rglob(".*.part"))


def _remove_dead(parts: Iterable[Path]) -> None:
    for part in list(parts):
        process = part.name.split(".")[-2]
        if not (process.isdecimal() and _is_running(int(process))):
            remove(part)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _to_disk(path: Path) -> None:
    """Waits until a file or folder would survive a power failure."""
    for inner in [*path.rglob("*"), path]:
        descriptor = os.open(inner, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Deletes a file, or a folder with its content, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a binary file."""
    with whole(path) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes a value as indented JSON, a list of numbers in one line."""
    text = re.sub(
        r"\[\n([-+.\deE,\s]+)\n\s*\]",  # a string in JSON has no raw end of line
        lambda numbers: f"[{' '.join(numbers[1].split())}]",
        json.dumps(value, indent=2),
    )
    write_text(path, text + "\n")


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turns TensorFlow's errors of writing at `path`, such as of a full disk, into OSError."""
    try:
        yield
    except Exception as error:  # by its name, as this module does without TensorFlow
        if "OpError" not in (kind.__name__ for kind in type(error).__mro__):
            raise
        text = without_operation(str(error).splitlines()[0])
        raise OSError(errno.EIO, text, str(path)) from error


@contextlib.contextmanager
def writing_to(place: object, advice: str) -> Iterator[None]:
    """Turns an OSError into a UserError with the place, and with advice if the disk is not full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "make room there and call again"
        raise UserError(f"can't write to {place}: {error.strerror or error}; {advice}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; UserError if the file can't be read, is none, or is above JSON_BYTES."""
    try:
        if path.stat().st_size > JSON_BYTES:
            raise ValueError(f"more than {JSON_BYTES >> 20} MB")
        value = json.loads(path.read_bytes(), object_pairs_hook=_object)
        if not isinstance(value, dict):
            raise ValueError(f"a {type(value).__name__}")
        return value
    except OSError as error:
        raise UserError(
            f"can't read {path}: {error.strerror or error}; make it readable, or name another"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged ({error}), expected a JSON object; delete it or name another folder"
        ) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError if a name stands in it twice, as readers may take either value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice in one object")
    return found


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Any]:
    """Opens a file to read its bytes, unpacked if its name ends in .gz or .zip.

    UserError if the file can't be read, is no whole archive, or one of several files.
    """
    try:
        with contextlib.ExitStack() as stack:
            if path.suffix.lower() == ".gz":
                yield stack.enter_context(gzip.open(path))
            elif path.suffix.lower() == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(path))
                yield stack.enter_context(archive.open(_only_file(archive, path)))
            else:
                yield stack.enter_context(path.open("rb"))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        told = getattr(error, "strerror", None) or error
        raise UserError(f"can't read {path}: {told}; name a file that is whole") from None


def _only_file(archive: zipfile.ZipFile, path: Path) -> str:
    hidden = ("__MACOSX/", ".")
    names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith(hidden)]
    if len(names) != 1:
        told = ", ".join(names[:5]) or "none"
        raise UserError(
            f"{path} has {len(names)} files ({told}), expected one; unpack it and name one of them"
        )
    return names[0]


def kind_of(data: bytes) -> str | None:
    """What a file is by its first bytes: one of STARTS, or None."""
    return next((kind for kind, start in STARTS.items() if re.match(start, data, re.DOTALL)), None)


def read_lines(path: Path) -> Iterator[bytes]:
    """Reads the lines of a file with their ends; it may be packed, as for `unpacked`."""
    with unpacked(path) as file:
        yield from file


def read_npz_arrays(
    path: Path, wanted: Collection[str], required: Collection[str] = (), packed: bool = True
) -> dict[str, np.ndarray]:
    """Reads the wanted arrays that an .npz archive has, in this order: numbers or strings.

    UserError if the file can't be read, is no archive, has objects, or lacks a required array.
    Without `packed` also if it is compressed: then no array is larger than the file.
    """
    try:
        with zipfile.ZipFile(path) as members, np.load(path, allow_pickle=False) as archive:
            names = list(archive)
            if len({*names}) < len(names):
                raise ValueError("two arrays of one name")
            if not packed and any(i.compress_type for i in members.infolist()):
                raise ValueError("it is compressed, and numpy.savez does not do that")
            found = {name: archive[name] for name in wanted if name in names}
    except Exception as error:  # damage has many: of zipfile, zlib, NumPy and its parser
        told = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(
            f"can't read {path} ({told}), expected an .npz of numbers or strings, saved by "
            "numpy.savez; objects become strings by y.astype(str); or name another"
        ) from None
    if missing := [name for name in required if name not in found]:
        raise UserError(
            f"{path} has no array {missing[0]!r}, expected {', '.join(wanted)}; it has "
            f"{', '.join(names) or 'none'}"
        )
    return found


@contextlib.contextmanager
def folder_lock(folder: Path, seconds: float | None = 0) -> Iterator[None]:
    """Keeps other processes out of a folder while the block runs.

    The operating system holds the lock and releases it when the process ends; the empty file
    that stays means nothing. The same thread may take the lock again inside of the block.

    UserError if another process or thread still has it after `seconds`, where None waits until
    it ends; or if the folder can't be written.
    """
    lock = FileLock(folder / LOCK_NAME, is_singleton=True)
    with writing_to(folder, ELSEWHERE), contextlib.suppress(Timeout):  # which is an OSError too
        lock.acquire(timeout=seconds or 0)
    if not lock.is_locked:
        busy = f"another process is at work in {folder}"
        if seconds is not None:
            raise UserError(f"{busy}; wait until it ends, or name another run_dir")
        say(f"{busy}; waiting until it ends")
        while not lock.is_locked:
            with contextlib.suppress(Timeout, FileNotFoundError):
                folder.mkdir(exist_ok=True)  # the other process may have deleted it
                lock.acquire(timeout=1)
    try:
        yield
    finally:
        lock.release()
