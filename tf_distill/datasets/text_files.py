"""Lines of text files, packed or not, in UTF-8 or another usual encoding."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from tf_distill.common import UserError, kind_of, read_lines, say, unpacked

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""The first bytes of files that begin with a byte order mark, the longer ones first."""
WESTERN = 0.2
"""A text in Latin letters has a smaller part of bytes above 127."""
NAMES = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}

FOLDERS_OF_TEXTS = (
    "read texts in folders in Python: "
    "tf_distill.datasets.from_dataset(keras.utils.text_dataset_from_directory(path))"
)
"""Advice where a folder of texts is named as a file, or as a folder of pictures."""


def find_encoding(path: Path) -> str:
    """The encoding of a text file; a line names one that is not UTF-8 or UTF-16.

    Raises:
        UserError: the file can't be read, is no text, or has an encoding that can't be told.
    """
    with unpacked(path) as file:
        head = file.read(4096)
    if marked := next((name for mark, name in MARKS.items() if head.startswith(mark)), None):
        return marked
    refuse_other_kinds(head, path)
    if 4 * head.count(0) > len(head):
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    bad: list[int] = []
    sound = high = total = 0
    of_bad = set[int]()
    for number, line in enumerate(read_lines(path), 1):
        total += len(line)
        try:
            line.decode()
            sound += not line.isascii()
        except UnicodeDecodeError:
            bad.append(number)
            of_bad.update(line)
            high += sum(byte > 127 for byte in line)
    if not bad:
        return "utf-8"
    if sound >= len(bad) or 0 in of_bad:
        raise UserError(
            f"{path}, line {bad[0]}: got bytes that are no UTF-8, expected text; mend or delete "
            "this line"
        )
    if high > WESTERN * total:
        raise UserError(
            f"{path} is no UTF-8, and its letters are not Latin; turn it into UTF-8, such as by: "
            "iconv -f GB18030 -t UTF-8 (or -f SHIFT_JIS, -f CP1251, as it was written)"
        )
    # Windows-1252 has no letters for these bytes.
    found = "latin-1" if of_bad & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "cp1252"
    say(f"{path} is no UTF-8: read as {NAMES[found]}")
    return found


def refuse_other_kinds(head: bytes, path: Path) -> None:
    """Raises UserError if a file that begins so is a page, a spreadsheet or the like, no text."""
    if kind := kind_of(head):
        raise UserError(
            f"{path} is {kind}, expected text; unpack it, or save or download it again as text"
        )


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """The lines with their ends; UserError if the file can't be read."""
    with unpacked(path) as file:
        try:
            # Only these line ends count, as csv and json expect it.
            yield from io.TextIOWrapper(file, encoding, newline="")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path} is no whole text in {encoding} ({error.reason}); save it again as UTF-8"
            ) from None


def is_number(text: str) -> bool:
    """Whether a field of a file is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
