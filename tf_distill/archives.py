"""Arrays from .npz files of others: no objects, and no memory before the sizes are checked."""

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from tf_distill.bounded import most_unpacked

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


def read(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
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


def names(path: Path) -> list[str]:
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
