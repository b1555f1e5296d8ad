"""Six datasets of one's own, made from what lies on a Debian machine, to try the defaults on.

python benchmarks/own_data.py runs/own

The folder then has man.csv (manual pages by section), packages.csv (descriptions of packages by
section), docstrings.csv (Python docstrings by library), icons/ (icons by theme, in colour),
fashion/ (a part of Fashion-MNIST) and digits/. What the machine lacks is left out, with a line.
"""

import ast
import csv
import gzip
import hashlib
import importlib.util
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image
from sklearn.datasets import load_digits

from tf_distill.common import say

_MAN = flags.DEFINE_string("man", "/usr/share/man", "Folder of manual pages.")
_ICONS = flags.DEFINE_string(
    "icons",
    "/usr/share/icons",
    "Folder of icon themes, which Debian has as packages such as oxygen-icon-theme.",
)
_FASHION = flags.DEFINE_string("fashion", None, "fashion_mnist.npz of docs/datasets.md.")
WORDS, MOST = 270, 1200
"""The most words of a text, and examples of a class."""
LIBRARIES = ("numpy", "scipy", "sklearn", "tensorflow", "keras", "pandas", "matplotlib",
             "tensorflow_datasets", "absl")  # fmt: skip
THEMES = ("Adwaita", "Moka", "Obsidian", "elementary-xfce", "oxygen")
PACKAGE_SECTIONS = ("golang", "haskell", "java", "javascript", "math", "net", "perl", "python",
                    "rust", "utils")  # fmt: skip


def manual_pages() -> Iterator[tuple[str, str]]:
    """The first words of pages, without their formatting, and the section."""
    for section in "123578":
        for path in sorted(Path(_MAN.value, f"man{section}").glob("*.gz")):
            if not path.is_symlink():
                with gzip.open(path, "rt", errors="replace") as page:
                    yield plain(page.read(20_000)), section


def plain(page: str) -> str:
    """A manual page without comments, headings of the file, macros and escapes."""
    lines = [line for line in page.splitlines() if not line.startswith(('.\\"', "'\\\"", ".TH"))]
    text = re.sub(r"\\f[A-Z0-9]|\\s[+-]?\d|\\.", "", "\n".join(lines).replace("\\-", "-"))
    return re.sub(r"^[.'][A-Za-z]+ ?", "", text, flags=re.MULTILINE)


def packages() -> Iterator[tuple[str, str]]:
    """The short descriptions of packages, and their section."""
    found = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True)
    for entry in found.stdout.split("\n\n"):
        section = re.search(r"^Section: (?:.*/)?(.*)$", entry, re.MULTILINE)
        told = re.search(r"^Description(?:-en)?: (.*)$", entry, re.MULTILINE)
        if section and told and section[1] in PACKAGE_SECTIONS:
            yield told[1], section[1]


def docstrings() -> Iterator[tuple[str, str]]:
    """The docstrings of installed libraries, and the library."""
    for library in LIBRARIES:
        found = importlib.util.find_spec(library)
        for path in sorted(Path(found.origin).parent.rglob("*.py")) if found else ():
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                told = isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
                if told and len(told.split()) >= 8:
                    yield told, library


def icons() -> Iterator[tuple[Image.Image, str]]:
    """The icons of 32 pixels a side of the themes, once each, and the theme."""
    for theme in THEMES:
        for path in sorted(Path(_ICONS.value, theme).rglob("*.png")):
            if {"32x32", "32"} & {*path.parts} and not path.is_symlink():
                yield Image.open(path).convert("RGBA"), theme


def fashion() -> Iterator[tuple[Image.Image, str]]:
    """Articles of clothing, and their class."""
    if not _FASHION.value:
        raise FileNotFoundError("--fashion names no file")
    with np.load(_FASHION.value) as file:
        for x, y in zip(file["x_train"][:12_000], file["y_train"], strict=False):
            yield Image.fromarray(x.squeeze()), str(y)


def digits() -> Iterator[tuple[Image.Image, str]]:
    """scikit-learn's digits, twice as large."""
    found = load_digits()
    for x, y in zip(found.images, found.target, strict=True):
        yield Image.fromarray(np.round(x * 255 / 16).astype(np.uint8)).resize((16, 16), 0), str(y)


def write_texts(place: Path, found: Iterator[tuple[str, str]]) -> int:
    """Writes texts of a random order, MOST of a class, as CSV; gives their number."""
    rows = sorted({(" ".join(text.split()[:WORDS]), label) for text, label in found})
    kept = [rows[i] for i in _drawn([label for _, label in rows])]
    with place.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *kept])
    return len(kept)


def write_images(place: Path, found: Iterator[tuple[Image.Image, str]]) -> int:
    """Writes images that differ, MOST of a class, as a folder a class; gives their number."""
    images = {hashlib.sha256(i.tobytes()).hexdigest(): (i, label) for i, label in found}
    rows = [images[name] for name in sorted(images)]
    kept = [rows[i] for i in _drawn([label for _, label in rows])]
    for number, (image, label) in enumerate(kept):
        (place / label).mkdir(parents=True, exist_ok=True)
        image.save(place / label / f"{number}.png")
    return len(kept)


def _drawn(labels: list[str]) -> list[int]:
    """Places in a random order, at most MOST of a class."""
    counts: dict[str, int] = {}
    order = []
    for i in np.random.default_rng(0).permutation(len(labels)):
        counts[labels[i]] = counts.get(labels[i], 0) + 1
        order += [i] * (counts[labels[i]] <= MOST)
    return order


DATASETS: dict[str, tuple[Callable, Callable]] = {
    "man": (write_texts, manual_pages),
    "packages": (write_texts, packages),
    "docstrings": (write_texts, docstrings),
    "icons": (write_images, icons),
    "fashion": (write_images, fashion),
    "digits": (write_images, digits),
}


def main(arguments: list[str]) -> None:
    """Makes all datasets in the folder that is named."""
    folder = Path(arguments[1] if len(arguments) > 1 else "runs/own")
    folder.mkdir(parents=True, exist_ok=True)
    for name, (write, find) in DATASETS.items():
        try:
            say(f"{name}: {write(folder / name, find())} examples")
        except OSError as error:
            say(f"{name} is left out: {error}")


if __name__ == "__main__":
    app.run(main)
