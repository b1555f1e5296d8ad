"""Makes docs/tour.ipynb of the section "A tour in ten minutes" of docs/guide.md.

  python examples/tour_notebook.py

A block of Python becomes a code cell, all between two of them a text cell. A test runs the
notebook, and fails where it is no longer what this program makes of the guide.
"""

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
GUIDE, NOTEBOOK = DOCS / "guide.md", DOCS / "tour.ipynb"
TITLE = "## A tour in ten minutes\n"
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def section(page: str, title: str = TITLE) -> str:
    """The section of a Markdown page with this title, up to the next of its level."""
    begin = page.index(title)
    rest = page[begin + len(title) :]
    return title + re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def cells(text: str) -> list[dict[str, Any]]:
    """Markdown as the cells of a notebook, in order."""
    made: list[dict[str, Any]] = []
    for i, part in enumerate(PYTHON.split(text)):
        if not part.strip():
            continue
        cell: dict[str, Any] = {
            "id": f"cell-{len(made)}",
            "metadata": {},
            "source": part.strip("\n").splitlines(keepends=True),
        }
        code = {"cell_type": "code", "execution_count": None, "outputs": []}
        made.append({**(code if i % 2 else {"cell_type": "markdown"}), **cell})
    return made


def notebook(page: str) -> str:
    """The tour of the guide as the text of a notebook, format 4.5."""
    content = {
        "cells": cells(section(page)),
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
