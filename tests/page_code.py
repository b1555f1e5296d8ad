"""Reads a Markdown page for tests: blocks of code, commands, and notes for the tests.

After a comment `<!-- tests: A -> B -->` in a page, tests run B where its code says A, to be quick
or to find prepared files. A block of ```text after `<!-- output -->` shows what the block of Python
before it prints.
"""

import re
import shlex
from typing import NamedTuple

PROGRAM = "python -m tf_distill.main"
NOTE = re.compile(r"<!-- tests: (.+?) -> (.+?) -->", re.DOTALL)
FENCE = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n\n<!-- output -->\n```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """Python code as a test runs it, and its expected output, or None for any output."""

    code: str
    output: str | None


def quick(code: str, page: str) -> str:
    """Code of a page after the replacements of the page's notes."""
    for old, new in NOTE.findall(page):
        code = code.replace(old, new)
    return code


def stale(page: str) -> list[str]:
    """The notes of a page whose text is in no block of Python."""
    code = "".join(found["code"] for found in FENCE.finditer(page))
    return [old for old, _ in NOTE.findall(page) if old not in code]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of Python of a page, in order."""
    return [Block(quick(f["code"], page), f["output"]) for f in FENCE.finditer(page)]


def commands(page: str) -> list[list[str]]:
    """The arguments of each call of the program, in a block or in a line, each only once."""
    joined = page.replace("\\\n", " ")
    lines = re.findall(re.escape(PROGRAM) + r"(?![\w.])([^`\n|]*)", joined)
    return list(map(list, dict.fromkeys(tuple(shlex.split(line, comments=True)) for line in lines)))


def programs(page: str) -> list[list[str]]:
    """The other programs that a page calls as `python FOLDER/FILE.py`, with their arguments."""
    joined = page.replace("\\\n", " ")
    lines = re.findall(r"\bpython ([a-z_]+/[a-z_/]+\.py[^`\n|]*)", joined)
    return [shlex.split(line, comments=True) for line in lines]
