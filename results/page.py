"""Tables in Markdown pages: a line of one, and putting one in the place of another."""

from collections.abc import Iterable


def line(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |\n"


def put_between(text: str, begin: str, end: str, content: str) -> str:
    """A page with what stands between two marks replaced."""
    start, stop = text.index(begin) + len(begin), text.index(end)
    return f"{text[:start]}\n{content}\n{text[stop:]}"
